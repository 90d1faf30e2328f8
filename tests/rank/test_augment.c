/* Database-side augmentation against its definition, and what it must not depend on. */
#include <string.h>

#include "data/vectors.h"
#include "index/rows.h"
#include "rank/augment.h"
#include "torture.h"
#include "weighted_sums.h"

enum { DIM = 13 };

static const cairn_augmentation_options defaults = CAIRN_AUGMENTATION_OPTIONS_INIT;

/* ---- lines, and what is made of them ---- */

struct world {
	size_t count, k;
	float *rows; /* of image i is row i */
	int64_t *images, *ids;
	float *scores;
	cairn_neighbours neighbours;
};

/* Random neighbours; among them images themselves, repeats, and places without image. */
static void make_world(struct world *world, size_t count, size_t k, uint64_t seed)
{
	*world = (struct world){ count, k, .rows = random_units(count, DIM, &seed) };
	world->images = malloc(count * sizeof(int64_t));
	world->ids = malloc(count * k * sizeof(int64_t));
	world->scores = malloc(count * k * sizeof(float));
	for (size_t i = 0; i < count; i++) {
		world->images[i] = (int64_t)i;
		for (size_t j = 0; j < k; j++) {
			int is_hole = cn_test_random(&seed) % 9 == 0;
			world->ids[i * k + j] = is_hole ? -1 : (int64_t)(cn_test_random(&seed) % count);
			world->scores[i * k + j] = is_hole ? -INFINITY : 1 - 1.2f * cn_test_uniform(&seed);
		}
	}
	world->neighbours = (cairn_neighbours){ world->images, world->ids, world->scores, count, k };
}

static void free_world(struct world *world)
{
	free(world->rows);
	free(world->images);
	free(world->ids);
	free(world->scores);
}

static void assert_augmented(const struct world *world, size_t line, const float *row,
			     const cairn_augmentation_options *options, double tolerance)
{
	double sum[DIM] = { 0 };
	add_times(sum, world->rows + (size_t)world->images[line] * DIM, 1, DIM);
	add_neighbours(sum, world->rows, DIM, world->ids + line * world->k, world->scores + line * world->k, world->k,
		       world->images[line], options->weights, options->neighbours, options->alpha, NULL, NULL);
	assert_direction(row, sum, DIM, tolerance);
}

/* What is handed out. */
struct taken {
	size_t count, room, calls, fails_at; /* which call; 0: none */
	int64_t *images;
	float *rows;
};

static int take(const int64_t *images, const float *rows, size_t count, void *payload)
{
	struct taken *taken = payload;
	assert_true(count > 0);
	assert_true(taken->count + count <= taken->room);
	memcpy(taken->images + taken->count, images, count * sizeof(*images));
	memcpy(taken->rows + taken->count * DIM, rows, count * DIM * sizeof(*rows));
	taken->count += count;
	return ++taken->calls == taken->fails_at ? CAIRN_ENOSPACE : 0;
}

static struct taken room_for(size_t count)
{
	return (struct taken){ .room = count,
			       .images = malloc(count * sizeof(int64_t)),
			       .rows = malloc(count * DIM * sizeof(float)) };
}

static void free_taken(struct taken *taken)
{
	free(taken->images);
	free(taken->rows);
}

static void augment(struct taken *taken, const struct world *world, const cairn_augmentation_options *options)
{
	cn_vectors vectors = cn_vectors_of_matrix(world->rows, world->count, DIM);
	*taken = room_for(world->count);
	assert_ok(cn_augment(&vectors, &world->neighbours, take, taken, options));
}

/* ---- sums ---- */

static void known_sums(void **state)
{
	/* All other dimensions are 0. */
	static const float rows[4][DIM] = { { 1, 0 }, { 0, 1 }, { 0.6f, 0.8f }, { -1, 0 } };
	static const struct {
		const char *what;
		cairn_neighbour_weights weights;
		size_t n;
		int64_t ids[3];
		float scores[3];
		double sum[2];
	} cases[] = {
		{ "average", CAIRN_WEIGHTS_AVERAGE, 2, { 2, 1, 3 }, { 0.6f, 0, -1 }, { 1.6, 1.8 } },
		{ "itself takes no rank", CAIRN_WEIGHTS_DECAY, 2, { 0, 2, 1 }, { 1, 0.6f, 0 }, { 1.3, 0.4 } },
		{ "alpha", CAIRN_WEIGHTS_ALPHA, 3, { 2, 1, 3 }, { 0.5f, 0.25f, -1 }, { 1.15, 0.2625 } },
		{ "no neighbours", CAIRN_WEIGHTS_AVERAGE, 3, { -1, 0, -1 }, { 0, 1, 0 }, { 1, 0 } },
		{ "more than there are", CAIRN_WEIGHTS_AVERAGE, 50, { 2, -1, -1 }, { 0 }, { 1.6, 0.8 } },
		{ "vanishing", CAIRN_WEIGHTS_AVERAGE, 1, { 3, 2, 1 }, { 0 }, { 1, 0 } },
	};
	static const int64_t image = 0;
	cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], 4, DIM);
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_neighbours line = { &image, cases[i].ids, cases[i].scores, 1, 3 };
		cairn_augmentation_options options = defaults;
		float row[DIM];
		int64_t of;
		struct taken taken = { .room = 1, .images = &of, .rows = row };
		options.weights = cases[i].weights;
		options.neighbours = cases[i].n;
		options.alpha = 2;
		print_message("# %s\n", cases[i].what);
		assert_ok(cn_augment(&vectors, &line, take, &taken, &options));
		assert_int_equal(taken.count, 1);
		assert_direction(row, cases[i].sum, 2, 1e-6);
	}
}

static void random_lines_as_by_definition(void **state)
{
	static const size_t ks[] = { 1, 7, 40 }, ns[] = { 1, 5, 20, 60 };
	(void)state;
	for (uint64_t seed = 0; seed < 36; seed++) {
		struct world world;
		struct taken taken;
		cairn_augmentation_options options = defaults;
		options.weights = (cairn_neighbour_weights)(seed % 3);
		options.neighbours = ns[seed / 3 % 4];
		options.alpha = (double)(seed % 4);
		make_world(&world, 30 + (size_t)seed, ks[seed / 12], seed);
		augment(&taken, &world, &options);
		assert_int_equal(taken.count, world.count);
		for (size_t i = 0; i < world.count; i++) {
			assert_int_equal(taken.images[i], world.images[i]);
			assert_augmented(&world, i, taken.rows + i * DIM, &options, 2e-6);
		}
		free_taken(&taken);
		free_world(&world);
	}
}

/* More lines than a block has. */
static void neither_threads_nor_blocks_matter(void **state)
{
	enum { COUNT = 20000 };
	struct world world;
	struct taken alone, together, some;
	cairn_augmentation_options options = defaults;
	uint8_t *only = malloc(COUNT);
	uint64_t seed = 8;
	size_t at = 0;
	(void)state;
	make_world(&world, COUNT, 6, 4);
	options.threads = 1;
	augment(&alone, &world, &options);
	assert_true(alone.calls > 2);
	options.threads = 4;
	augment(&together, &world, &options);
	assert_int_equal(together.count, COUNT);
	assert_memory_equal(together.images, world.images, COUNT * sizeof(int64_t));
	assert_memory_equal(together.rows, alone.rows, COUNT * DIM * sizeof(float));
	for (size_t i = 0; i < COUNT; i++)
		only[i] = (uint8_t)(cn_test_random(&seed) % 3);
	options.only = only;
	augment(&some, &world, &options);
	for (size_t i = 0; i < COUNT; i++) {
		if (!only[i])
			continue;
		assert_int_equal(some.images[at], i);
		assert_memory_equal(some.rows + at++ * DIM, alone.rows + i * DIM, DIM * sizeof(float));
	}
	assert_int_equal(some.count, at);
	free_taken(&alone);
	free_taken(&together);
	free_taken(&some);
	free_world(&world);
	free(only);
}

static void nothing_to_do(void **state)
{
	static const cairn_neighbours none = { 0 };
	static const uint8_t only[5] = { 0 };
	cairn_augmentation_options options = defaults;
	struct world world;
	struct taken taken;
	(void)state;
	make_world(&world, 5, 2, 1);
	options.only = only;
	augment(&taken, &world, &options);
	assert_int_equal(taken.calls, 0);
	world.neighbours = none;
	free_taken(&taken);
	options.only = NULL;
	augment(&taken, &world, &options);
	assert_int_equal(taken.calls, 0);
	free_taken(&taken);
	free_world(&world);
}

/* ---- a graph of an index ---- */

struct world_index {
	struct rows rows;
	cairn_index *index;
};

static void make_index(struct world_index *world, size_t count)
{
	uint64_t seed = 5;
	allocate_rows(&world->rows, count, DIM);
	float *units = random_units(count, DIM, &seed);
	memcpy(world->rows.numbers, units, count * DIM * sizeof(float));
	free(units);
	for (size_t i = 0; i < count; i++)
		world->rows.images[i] = (int64_t)i;
	encode_rows(&world->rows);
	cairn_index_part part = part_of(&world->rows, 0, count);
	assert_ok(cairn_index_new_flat(&world->index, DIM, &part, 1, NULL, 0));
}

static void free_index(struct world_index *world)
{
	cairn_index_free(world->index);
	free_rows(&world->rows);
}

static void a_graph_of_an_index(void **state)
{
	enum { COUNT = 200, K = 12 };
	const char *prefix = cn_test_path(cn_test_folder(), "graph");
	cairn_augmentation_options options = defaults;
	struct world_index made;
	struct taken taken = room_for(COUNT);
	cairn_graph *graph;
	(void)state;
	make_index(&made, COUNT);
	assert_ok(cairn_graph_write(made.index, NULL, K, prefix, NULL, NULL));
	assert_ok(cairn_graph_open(&graph, prefix));
	const cairn_neighbours *lines = cairn_graph_neighbours(graph);
	assert_ok(cairn_augment(made.index, lines, take, &taken, NULL));
	assert_int_equal(taken.count, COUNT);
	struct world world = { COUNT, K, .rows = made.rows.numbers, .images = made.rows.images };
	world.ids = malloc(COUNT * K * sizeof(int64_t));
	world.scores = malloc(COUNT * K * sizeof(float));
	memcpy(world.ids, lines->ids, COUNT * K * sizeof(int64_t));
	memcpy(world.scores, lines->scores, COUNT * K * sizeof(float));
	options.neighbours = 50;
	for (size_t i = 0; i < COUNT; i++)
		assert_augmented(&world, i, taken.rows + i * DIM, &options, 5e-4);
	free(world.ids);
	free(world.scores);
	free_taken(&taken);
	cairn_graph_free(graph);
	free_index(&made);
}

/* ---- what changes ---- */

static void known_changes(void **state)
{
	enum {
		AVERAGE = 1 << CAIRN_WEIGHTS_AVERAGE,
		DECAY = 1 << CAIRN_WEIGHTS_DECAY,
		ALPHA = 1 << CAIRN_WEIGHTS_ALPHA
	};
	static const int64_t before_ids[] = { 1, 2, 3, 4 };
	static const float before_scores[] = { 0.9f, 0.5f, 0.25f, 0.1f };
	static const struct {
		const char *what;
		int64_t image, ids[4];
		float scores[4];
		unsigned changes; /* by which rules */
	} cases[] = {
		{ "as before", 7, { 1, 2, 3, 4 }, { 0.9f, 0.5f, 0.25f, 0.1f }, 0 },
		{ "another image", 8, { 1, 2, 3, 4 }, { 0.9f, 0.5f, 0.25f, 0.1f }, AVERAGE | DECAY | ALPHA },
		{ "another order", 7, { 2, 1, 3, 4 }, { 0.5f, 0.9f, 0.25f, 0.1f }, DECAY },
		{ "other scores", 7, { 1, 2, 3, 4 }, { 0.8f, 0.5f, 0.25f, 0.1f }, ALPHA },
		{ "another first one", 7, { 9, 2, 3, 4 }, { 0.9f, 0.5f, 0.25f, 0.1f }, AVERAGE | DECAY | ALPHA },
		{ "another third one, which decay ignores",
		  7,
		  { 1, 2, 9, 4 },
		  { 0.9f, 0.5f, 0.25f, 0.1f },
		  AVERAGE | ALPHA },
		{ "another behind the third", 7, { 1, 2, 3, 9 }, { 0.9f, 0.5f, 0.25f, 0.2f }, 0 },
		{ "itself first", 7, { 7, 1, 2, 3 }, { 1, 0.9f, 0.5f, 0.25f }, 0 },
		{ "one less", 7, { 1, 2, -1, -1 }, { 0.9f, 0.5f, 0, 0 }, AVERAGE | ALPHA },
		{ "a score below 0", 7, { 1, 2, 3, 4 }, { 0.9f, 0.5f, -0.25f, 0.1f }, ALPHA },
	};
	static const int64_t image = 7;
	const cairn_neighbours before = { &image, before_ids, before_scores, 1, 4 };
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned rule = 0; rule < 3; rule++) {
			const cairn_neighbours now = { &cases[i].image, cases[i].ids, cases[i].scores, 1, 4 };
			cairn_augmentation_options options = defaults;
			uint8_t changed = 9;
			options.weights = (cairn_neighbour_weights)rule;
			options.neighbours = 3;
			assert_ok(cairn_augmentation_changes(&changed, &before, &now, &options));
			if (changed != (cases[i].changes >> rule & 1))
				fail_msg("%s, rule %u: %d", cases[i].what, rule, changed);
		}
}

/* Some images go, some are new, some get other neighbours. The rest of the rows must stay as they are to the bit. */
static void only_what_changed_is_made_again(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 12; seed++) {
		enum { COUNT = 300, K = 8 };
		struct world before, now;
		struct taken old, whole, some;
		cairn_augmentation_options options = defaults;
		uint8_t changed[COUNT];
		uint64_t random = seed;
		size_t lines = 0, at = 0, count_changed = 0;
		options.weights = (cairn_neighbour_weights)(seed % 3);
		options.neighbours = 6;
		make_world(&before, COUNT, K, seed);
		make_world(&now, COUNT, K, seed);
		for (size_t i = 0; i < COUNT; i++) {
			int64_t *ids = now.ids + lines * K;
			if (cn_test_random(&random) % 10 == 0)
				continue;
			now.images[lines] = (int64_t)i;
			memmove(ids, now.ids + i * K, K * sizeof(*ids));
			memmove(now.scores + lines * K, now.scores + i * K, K * sizeof(float));
			if (cn_test_random(&random) % 4 == 0)
				ids[cn_test_random(&random) % K] = (int64_t)(cn_test_random(&random) % COUNT);
			lines++;
		}
		now.neighbours.count = lines;
		/* The first twenty are new. */
		before.neighbours = (cairn_neighbours){ before.images + 20, before.ids + 20 * K, before.scores + 20 * K,
							COUNT - 20, K };
		augment(&old, &before, &options);
		augment(&whole, &now, &options);
		assert_ok(cairn_augmentation_changes(changed, &before.neighbours, &now.neighbours, &options));
		options.only = changed;
		augment(&some, &now, &options);
		for (size_t line = 0; line < lines; line++) {
			size_t image = (size_t)now.images[line];
			const float *row = whole.rows + line * DIM;
			count_changed += changed[line];
			assert_true(changed[line] || image >= 20);
			assert_memory_equal(changed[line] ? some.rows + at++ * DIM : old.rows + (image - 20) * DIM, row,
					    DIM * sizeof(float));
		}
		assert_int_equal(some.count, at);
		assert_in_range(count_changed, 20, lines / 2);
		free_taken(&old);
		free_taken(&whole);
		free_taken(&some);
		free_world(&before);
		free_world(&now);
	}
}

/* ---- what is refused, and failures ---- */

static void options_out_of_range(void **state)
{
	static const struct {
		cairn_augmentation_options options;
		const char *part;
	} cases[] = {
		{ { 2, CAIRN_WEIGHTS_ALPHA, 0, 3, NULL, 0, NULL, NULL }, "options of version 2" },
		{ { 1, (cairn_neighbour_weights)-1, 0, 3, NULL, 0, NULL, NULL }, "kind -1" },
		{ { 1, CAIRN_WEIGHTS_ALPHA, 1 << 20, 3, NULL, 0, NULL, NULL }, "1048576 neighbours" },
		{ { 1, CAIRN_WEIGHTS_ALPHA, 0, -1, NULL, 0, NULL, NULL }, "alpha of -1" },
	};
	struct world_index made;
	struct world world;
	struct taken taken = { 0 };
	uint8_t changed[9];
	(void)state;
	make_index(&made, 9);
	make_world(&world, 9, 2, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(cairn_augment(made.index, &world.neighbours, take, &taken, &cases[i].options),
			     CAIRN_EINVALID, cases[i].part);
		assert_fails(
			cairn_augmentation_changes(changed, &world.neighbours, &world.neighbours, &cases[i].options),
			CAIRN_EINVALID, cases[i].part);
	}
	assert_int_equal(taken.calls, 0);
	free_world(&world);
	free_index(&made);
}

static void lines_at_fault(void **state)
{
	struct world_index made;
	struct world world;
	struct taken taken = room_for(9);
	uint8_t changed[9];
	(void)state;
	make_index(&made, 9);
	make_world(&world, 9, 2, 2);
	cairn_neighbours lacking = world.neighbours, without_k = world.neighbours;
	lacking.scores = NULL;
	without_k.k = 0;
	assert_fails(cairn_augment(made.index, &lacking, take, &taken, NULL), CAIRN_EINVALID, "lack images");
	assert_fails(cairn_augment(made.index, &without_k, take, &taken, NULL), CAIRN_EINVALID, "9 lines of 0");
	assert_fails(cairn_augmentation_changes(changed, &lacking, &world.neighbours, NULL), CAIRN_EINVALID,
		     "lack images");
	assert_fails(cairn_augmentation_changes(changed, &world.neighbours, &lacking, NULL), CAIRN_EINVALID,
		     "lack images");
	world.ids[6] = 9;
	world.scores[6] = 1;
	assert_fails(cairn_augment(made.index, &world.neighbours, take, &taken, NULL), CAIRN_ENOTFOUND,
		     "neighbours of image 3: image 9 is not in the index");
	world.ids[6] = 1;
	world.scores[6] = NAN;
	assert_fails(cairn_augment(made.index, &world.neighbours, take, &taken, NULL), CAIRN_EINVALID,
		     "neighbours of image 3: image 1 has no finite weight");
	assert_fails(cairn_augmentation_changes(changed, &world.neighbours, &world.neighbours, NULL), CAIRN_EINVALID,
		     "image 1 has no finite weight");
	world.scores[6] = 1;
	world.images[8] = 70;
	assert_fails(cairn_augment(made.index, &world.neighbours, take, &taken, NULL), CAIRN_ENOTFOUND,
		     "image 70 is not in the index");
	world.images[8] = 7;
	assert_fails(cairn_augmentation_changes(changed, &world.neighbours, &world.neighbours, NULL), CAIRN_EINVALID,
		     "must ascend");
	assert_int_equal(taken.calls, 0);
	free_taken(&taken);
	free_world(&world);
	free_index(&made);
}

static int stop_at_once(const cairn_progress *progress, void *payload)
{
	assert_int_equal(progress->total, *(const size_t *)payload);
	return 1;
}

static void work_may_be_stopped(void **state)
{
	size_t count = 9000;
	struct world world;
	struct taken taken = room_for(count);
	cairn_augmentation_options options = defaults;
	(void)state;
	make_world(&world, count, 3, 2);
	cn_vectors vectors = cn_vectors_of_matrix(world.rows, count, DIM);
	options.progress = stop_at_once;
	options.progress_payload = &count;
	assert_fails(cn_augment(&vectors, &world.neighbours, take, &taken, &options), CAIRN_ECANCELLED,
		     "augmenting images: cancelled");
	assert_int_equal(taken.calls, 0);
	options.progress = NULL;
	taken.fails_at = 1;
	assert_int_equal(cn_augment(&vectors, &world.neighbours, take, &taken, &options), CAIRN_ENOSPACE);
	assert_int_equal(taken.calls, 1);
	free_taken(&taken);
	free_world(&world);
}

static int augment_once(void *context)
{
	const struct world *world = context;
	cn_vectors vectors = cn_vectors_of_matrix(world->rows, world->count, DIM);
	struct taken taken = room_for(world->count);
	uint8_t *changed = malloc(world->count);
	int status = cn_augment(&vectors, &world->neighbours, take, &taken, &defaults);
	if (status == 0)
		status = cairn_augmentation_changes(changed, &world->neighbours, &world->neighbours, &defaults);
	free_taken(&taken);
	free(changed);
	return status;
}

static void memory_may_run_out(void **state)
{
	struct world world;
	(void)state;
	make_world(&world, 9, 3, 2);
	assert_true(cn_torture(augment_once, &world) >= 13);
	free_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sums),
		cmocka_unit_test(random_lines_as_by_definition),
		cmocka_unit_test(neither_threads_nor_blocks_matter),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(a_graph_of_an_index),
		cmocka_unit_test(known_changes),
		cmocka_unit_test(only_what_changed_is_made_again),
		cmocka_unit_test(options_out_of_range),
		cmocka_unit_test(lines_at_fault),
		cmocka_unit_test(work_may_be_stopped),
		cmocka_unit_test(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

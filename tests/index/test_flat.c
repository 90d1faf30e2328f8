/*
 * Flat search against a double loop, and its recall on seeded data.
 *
 * Where lists must be equal, rows hold small integers, so that every order of summation gives the same scores and ties
 * abound.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cairn/index.h"
#include "levels.h"
#include "math/dot.h"
#include "rows.h"
#include "support.h"
#include "torture.h"

#define MOST_PARTS 10
#define MOST_IDS   120000

/* ---- small integers ---- */

/* An index, what it is made of, and the queries put to it. */
struct world {
	size_t parts, queries;
	struct rows rows[MOST_PARTS];
	cairn_index_part part[MOST_PARTS];
	float *query;
	int64_t removed[64];
	size_t removed_count;
	cairn_index *index;
};

enum order { ASCENDING, DESCENDING, SHARED }; /* of the parts' ids; SHARED: parts hold rows of the same images */

struct shape {
	size_t dim, parts, rows, queries, k;
	unsigned rows_an_image; /* about */
	unsigned removed;
	enum order order;
};

static const struct shape shapes[] = {
	{ 1, 1, 1, 1, 1, 1, 0, ASCENDING },
	{ 3, 1, 40, 2, 100, 1, 0, ASCENDING },
	{ 8, 1, 300, 70, 10, 1, 0, ASCENDING },
	{ 8, 4, 300, 5, 10, 3, 40, ASCENDING },
	{ 17, 4, 500, 3, 7, 4, 40, ASCENDING },
	{ 17, 4, 500, 26, 2000, 4, 20, ASCENDING },
	/* many more rows of the same score than are kept */
	{ 2, 3, 2000, 5, 3, 1, 10, ASCENDING },
	{ 2, 3, 2000, 5, 3, 1, 10, DESCENDING },
	{ 8, 4, 300, 5, 10, 3, 40, DESCENDING },
	/* more rows than a thread takes at once; one image may own hundreds of rows */
	{ 2, 3, 9000, 9, 50, 2000, 3, ASCENDING },
	{ 2, 1, 20000, 2, 50, 3000, 0, ASCENDING },
	/* images whose rows are scattered over parts */
	{ 8, 4, 60, 9, 5, 2, 10, SHARED },
	{ 8, 4, 60, 2, 1, 2, 0, SHARED },
	{ 8, 3, 60, 2, 1000, 3, 5, SHARED },
	/* one image, and few */
	{ 4, 1, 3, 2, 5, 100, 0, ASCENDING },
	/* more queries than are taken at once */
	{ 12000, 1, 100, 30, 1, 1, 0, ASCENDING },
};

static void fill(float *numbers, size_t count, uint64_t *seed)
{
	for (size_t i = 0; i < count; i++)
		numbers[i] = (float)((int)(cn_test_random(seed) % 5) - 2);
}

static void make_world(struct world *world, const struct shape *shape)
{
	uint64_t seed = shape->rows * 31 + shape->dim;
	memset(world, 0, sizeof(*world));
	world->parts = shape->parts;
	world->queries = shape->queries;
	for (size_t p = 0; p < shape->parts; p++) {
		size_t count = p == 1 ? 0 : shape->rows; /* an empty part among them */
		struct rows *rows = &world->rows[p];
		int64_t id = shape->order == SHARED ? 0 : (int64_t)(p * 4 * shape->rows);
		if (shape->order == DESCENDING)
			id = (int64_t)((shape->parts - p) * 4 * shape->rows);
		allocate_rows(rows, count, shape->dim);
		fill(rows->numbers, count * shape->dim, &seed);
		encode_rows(rows);
		for (size_t i = 0; i < count; i++) {
			if (cn_test_random(&seed) % shape->rows_an_image == 0)
				id += 1 + (int64_t)(cn_test_random(&seed) % 3);
			rows->images[i] = id;
		}
		assert_true(id < MOST_IDS);
		world->part[p] = part_of(rows, 0, count);
	}
	for (; world->removed_count < shape->removed; world->removed_count++)
		world->removed[world->removed_count] = 2 + 5 * (int64_t)world->removed_count;
	world->query = malloc(shape->queries * shape->dim * sizeof(float));
	fill(world->query, shape->queries * shape->dim, &seed);
	assert_ok(cairn_index_new_flat(&world->index, shape->dim, world->part, world->parts, world->removed,
				       world->removed_count));
}

static void free_world(struct world *world)
{
	cairn_index_free(world->index);
	for (size_t p = 0; p < world->parts; p++)
		free_rows(&world->rows[p]);
	free(world->query);
}

/* ---- the definition ---- */

struct scored {
	float score;
	int64_t id;
};

static int best_first(const void *left, const void *right)
{
	const struct scored *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

/* Whether an image may be found, by its id. */
struct ids {
	char allowed[MOST_IDS];
};

static void allow(struct ids *ids, const struct world *world, const int64_t *only, size_t only_count)
{
	memset(ids->allowed, only == NULL, sizeof(ids->allowed));
	for (size_t i = 0; i < only_count; i++)
		if (only[i] >= 0 && only[i] < MOST_IDS)
			ids->allowed[only[i]] = 1;
	for (size_t i = 0; i < world->removed_count; i++)
		ids->allowed[world->removed[i]] = 0;
}

/* All images with the score of their best row, best first. */
static size_t by_definition(const struct world *world, const struct ids *ids, size_t query, struct scored *found)
{
	static char seen[MOST_IDS];
	size_t rows = 0, count = 0;
	for (size_t p = 0; p < world->parts; p++)
		for (size_t i = 0; i < world->rows[p].count; i++) {
			size_t dim = world->rows[p].dim;
			float score = 0;
			if (!ids->allowed[world->rows[p].images[i]])
				continue;
			for (size_t k = 0; k < dim; k++)
				score += world->query[query * dim + k] * world->rows[p].numbers[i * dim + k];
			found[rows++] = (struct scored){ score, world->rows[p].images[i] };
		}
	qsort(found, rows, sizeof(*found), best_first);
	memset(seen, 0, sizeof(seen));
	for (size_t i = 0; i < rows; i++) {
		if (!seen[found[i].id])
			found[count++] = found[i];
		seen[found[i].id] = 1;
	}
	return count;
}

static void assert_found(const cairn_ranking *ranking, size_t query, const struct scored *wanted, size_t count)
{
	size_t k = cairn_ranking_depth(ranking), used = count < k ? count : k;
	const int64_t *images = cairn_ranking_images(ranking, query);
	const float *scores = cairn_ranking_scores(ranking, query);
	assert_int_equal(cairn_ranking_count(ranking, query), used);
	for (size_t i = 0; i < k; i++) {
		assert_int_equal(images[i], i < used ? wanted[i].id : CAIRN_NO_IMAGE);
		assert_true(scores[i] == (i < used ? wanted[i].score : -INFINITY));
	}
}

/* ---- exactness ---- */

/* Searches that must be exact: of half-precision rows, and of codes where all rows are scored anew. */
static void check_search(const struct world *world, size_t k, const int64_t *only, size_t only_count)
{
	static struct scored found[MOST_IDS];
	static struct ids ids;
	cairn_ranking *rankings[2 * (CN_KERNELS_BEST + 1)];
	size_t made = 0;
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (int exact = 0; exact <= 1; exact++) {
			cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
			options.threads = 1;
			options.exact = exact;
			options.depth = MOST_IDS;
			options.only = only;
			options.only_count = only_count;
			cn_kernels_force((cn_kernels)level);
			rankings[made++] = search(world->index, world->query, world->queries, k, &options);
		}
	allow(&ids, world, only, only_count);
	for (size_t q = 0; q < world->queries; q++) {
		size_t count = by_definition(world, &ids, q, found);
		for (size_t i = 0; i < made; i++)
			assert_found(rankings[i], q, found, count);
	}
	for (size_t i = 0; i < made; i++)
		cairn_ranking_free(rankings[i]);
}

static void search_is_exact_at_every_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct world world;
		make_world(&world, &shapes[i]);
		assert_int_equal(cairn_index_dim(world.index), shapes[i].dim);
		assert_int_equal(cairn_index_rows(world.index),
				 (shapes[i].parts - (shapes[i].parts > 1)) * shapes[i].rows);
		check_search(&world, shapes[i].k, NULL, 0);
		free_world(&world);
	}
}

static void a_filter_finds_its_ids_alone(void **state)
{
	static const struct shape filtered[] = {
		{ 8, 4, 300, 5, 10, 3, 40, ASCENDING },
		{ 8, 4, 300, 5, 2000, 3, 0, DESCENDING },
		{ 8, 3, 60, 2, 1000, 3, 5, SHARED },
		{ 2, 3, 3000, 3, 50, 20, 3, ASCENDING },
	};
	static const unsigned one_in[] = { 1, 2, 10, 300 }; /* of all ids, known and unknown */
	static int64_t ids[MOST_IDS];
	uint64_t seed = 4;
	(void)state;
	for (size_t s = 0; s < sizeof(filtered) / sizeof(filtered[0]); s++) {
		const int64_t unknown[] = { INT64_MIN, -1, MOST_IDS, INT64_MAX };
		struct world world;
		make_world(&world, &filtered[s]);
		check_search(&world, filtered[s].k, unknown, 0);
		check_search(&world, filtered[s].k, unknown, 4);
		check_search(&world, filtered[s].k, &world.rows[0].images[30], 1);
		check_search(&world, filtered[s].k, world.removed, world.removed_count);
		for (size_t d = 0; d < sizeof(one_in) / sizeof(one_in[0]); d++) {
			size_t count = 0;
			for (int64_t id = 0; id < MOST_IDS; id++)
				if (cn_test_random(&seed) % one_in[d] == 0)
					ids[count++] = id;
			check_search(&world, filtered[s].k, ids, count);
		}
		free_world(&world);
	}
}

/* ---- what must not matter ---- */

/* Real numbers, where another order of summation would show, and three rows an image. */
#define MANY    20000
#define DIM     24
#define QUERIES 70
#define K       40

struct crowd {
	struct rows rows;
	float queries[QUERIES * DIM];
	cairn_index *index;
};

static void make_crowd(struct crowd *crowd)
{
	uint64_t seed = 23;
	allocate_rows(&crowd->rows, MANY, DIM);
	fill_normal(crowd->rows.numbers, MANY * DIM, &seed);
	fill_normal(crowd->queries, QUERIES * DIM, &seed);
	encode_rows(&crowd->rows);
	for (size_t i = 0; i < MANY; i++)
		crowd->rows.images[i] = (int64_t)i / 3;
	const cairn_index_part part = part_of(&crowd->rows, 0, MANY);
	assert_ok(cairn_index_new_flat(&crowd->index, DIM, &part, 1, NULL, 0));
}

static void free_crowd(struct crowd *crowd)
{
	cairn_index_free(crowd->index);
	free_rows(&crowd->rows);
}

static void threads_change_no_byte(void **state)
{
	struct crowd crowd;
	(void)state;
	make_crowd(&crowd);
	for (int exact = 0; exact <= 1; exact++)
		for (size_t count = 1; count <= QUERIES; count += QUERIES - 1) {
			cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
			options.exact = exact;
			options.threads = 1;
			cairn_ranking *wanted = search(crowd.index, crowd.queries, count, K, &options);
			for (options.threads = 0; options.threads <= 4; options.threads++) {
				cairn_ranking *ranking = search(crowd.index, crowd.queries, count, K, &options);
				for (size_t q = 0; q < count; q++)
					assert_same_row(ranking, q, wanted, q);
				cairn_ranking_free(ranking);
			}
			cairn_ranking_free(wanted);
		}
	free_crowd(&crowd);
}

static void a_query_finds_the_same_alone_and_in_company(void **state)
{
	struct crowd crowd;
	(void)state;
	make_crowd(&crowd);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (int exact = 0; exact <= 1; exact++) {
			cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
			options.exact = exact;
			cn_kernels_force((cn_kernels)level);
			cairn_ranking *together = search(crowd.index, crowd.queries, QUERIES, K, &options);
			for (size_t q = 0; q < QUERIES; q += 9) {
				cairn_ranking *alone = search(crowd.index, crowd.queries + q * DIM, 1, K, &options);
				assert_same_row(alone, 0, together, q);
				cairn_ranking_free(alone);
			}
			cairn_ranking_free(together);
		}
	free_crowd(&crowd);
}

static void ten_parts_are_as_good_as_one(void **state)
{
	struct crowd crowd;
	cairn_index_part parts[10];
	cairn_index *divided;
	(void)state;
	make_crowd(&crowd);
	/* Of odd sizes, cut between images, and in no order. */
	for (size_t p = 0, begin = 0; p < 10; p++) {
		size_t count = p < 9 ? 3 * (300 + 97 * p) : MANY - begin;
		parts[p * 7 % 10] = part_of(&crowd.rows, begin, count);
		begin += count;
	}
	assert_ok(cairn_index_new_flat(&divided, DIM, parts, 10, NULL, 0));
	assert_int_equal(cairn_index_rows(divided), MANY);
	for (int exact = 0; exact <= 1; exact++) {
		cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
		options.exact = exact;
		cairn_ranking *wanted = search(crowd.index, crowd.queries, QUERIES, K, &options);
		cairn_ranking *found = search(divided, crowd.queries, QUERIES, K, &options);
		for (size_t q = 0; q < QUERIES; q++)
			assert_same_row(found, q, wanted, q);
		cairn_ranking_free(wanted);
		cairn_ranking_free(found);
	}
	cairn_index_free(divided);
	free_crowd(&crowd);
}

/* ---- scores ---- */

/* Images whose sums differ by the order of additions alone: what the scan puts into another order than the scores. */
static void exact_search_orders_by_the_scores_that_it_gives(void **state)
{
	enum { GROUPS = 40, ALIKE = 8, ROWS = GROUPS * ALIKE, WIDE = 300, TOP = 20 };
	float query[WIDE];
	struct scored wanted[ROWS];
	struct rows rows;
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	cairn_index *index;
	uint64_t seed = 6;
	(void)state;
	allocate_rows(&rows, ROWS, WIDE);
	for (size_t k = 0; k < WIDE; k++)
		query[k] = 0.1f;
	for (size_t i = 0; i < ROWS; i++) {
		float *row = rows.numbers + i * WIDE;
		if (i % ALIKE == 0)
			fill_normal(row, WIDE, &seed);
		else
			memcpy(row, row - WIDE, WIDE * sizeof(*row));
		for (size_t k = WIDE - 1; k > 0; k--) {
			size_t other = cn_test_random(&seed) % (k + 1);
			float kept = row[k];
			row[k] = row[other];
			row[other] = kept;
		}
		rows.images[i] = (int64_t)i;
	}
	encode_rows(&rows);
	const cairn_index_part part = part_of(&rows, 0, ROWS);
	assert_ok(cairn_index_new_flat(&index, WIDE, &part, 1, NULL, 0));
	options.exact = 1;
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_kernels_force((cn_kernels)level);
		for (size_t i = 0; i < ROWS; i++)
			wanted[i] = (struct scored){ cn_dot_half(query, rows.halves + i * WIDE, WIDE), (int64_t)i };
		qsort(wanted, ROWS, sizeof(*wanted), best_first);
		cairn_ranking *ranking = search(index, query, 1, TOP, &options);
		assert_found(ranking, 0, wanted, ROWS);
		cairn_ranking_free(ranking);
	}
	cairn_index_free(index);
	free_rows(&rows);
}

/* By codes, the row in the middle is the best of each image; by half precision, it is another: before it or behind. */
static void an_image_is_scored_by_all_its_rows(void **state)
{
	static const float better[] = { 127, 1.49f, 1.49f }, likelier[] = { 127, 1.51f, 0.6f }, poor[] = { 127, 0, 0 };
	static const float *const given[] = { better, likelier, poor, poor, likelier, poor, poor, likelier, better };
	static const struct scored wanted[] = { { 2.98f, 0 }, { 2.98f, 2 }, { 2.11f, 1 } };
	const float query[] = { 0, 1, 1 };
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	struct rows rows;
	cairn_index *index;
	(void)state;
	allocate_rows(&rows, 9, 3);
	for (size_t i = 0; i < 9; i++) {
		memcpy(rows.numbers + i * 3, given[i], 3 * sizeof(float));
		rows.images[i] = (int64_t)i / 3;
	}
	encode_rows(&rows);
	const cairn_index_part part = part_of(&rows, 0, 9);
	assert_ok(cairn_index_new_flat(&index, 3, &part, 1, NULL, 0));
	/* The three likelier rows are kept, and no other. */
	options.depth = 1;
	cairn_ranking *ranking = search(index, query, 1, 1, &options);
	assert_int_equal(cairn_ranking_images(ranking, 0)[0], wanted[0].id);
	assert_float_equal(cairn_ranking_scores(ranking, 0)[0], wanted[0].score, 0.01f);
	cairn_ranking_free(ranking);
	ranking = search(index, query, 1, 3, &options);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(cairn_ranking_images(ranking, 0)[i], wanted[i].id);
		assert_float_equal(cairn_ranking_scores(ranking, 0)[i], wanted[i].score, 0.01f);
	}
	cairn_ranking_free(ranking);
	cairn_index_free(index);
	free_rows(&rows);
}

/* ---- recall ---- */

#define PLACES 100 /* ranks that are compared with those of float32 */

enum data { GAUSSIAN, DECAYING, CLUSTERED };

/* Unit vectors. Variances of the decaying spectrum fall with the dimension, as after PCA; clusters have 100 rows, whose
 * cosine to each other is about 0.75. */
static void draw(enum data data, float *rows, size_t count, size_t dim, uint64_t *seed)
{
	float *centres = malloc(100 * dim * sizeof(*centres));
	uint64_t of_centres = 77;
	fill_normal(centres, 100 * dim, &of_centres);
	fill_normal(rows, count * dim, seed);
	for (size_t i = 0; i < count; i++) {
		float *row = rows + i * dim;
		for (size_t k = 0; k < dim; k++)
			if (data == DECAYING)
				row[k] /= sqrtf((float)(k + 1));
			else if (data == CLUSTERED)
				row[k] = centres[i % 100 * dim + k] + 0.57f * row[k];
		cn_normalise(row, dim);
	}
	free(centres);
}

/* One image a row. */
struct seeded {
	struct rows rows;
	size_t queries;
	float *query;
	int64_t *nearest; /* queries x PLACES, by float32 */
};

static void find_nearest(struct seeded *seeded, const struct ids *ids)
{
	struct scored *found = malloc(seeded->rows.count * sizeof(*found));
	size_t dim = seeded->rows.dim;
	for (size_t q = 0; q < seeded->queries; q++) {
		size_t count = 0;
		for (size_t i = 0; i < seeded->rows.count; i++)
			if (ids->allowed[i])
				found[count++] = (struct scored){
					cn_dot(seeded->query + q * dim, seeded->rows.numbers + i * dim, dim), (int64_t)i
				};
		qsort(found, count, sizeof(*found), best_first);
		assert_true(count >= PLACES);
		for (size_t i = 0; i < PLACES; i++)
			seeded->nearest[q * PLACES + i] = found[i].id;
	}
	free(found);
}

static void make_seeded(struct seeded *seeded, enum data data, size_t dim)
{
	enum { ROWS = 2500 };
	uint64_t seed = 100 + (uint64_t)data;
	seeded->queries = 150;
	allocate_rows(&seeded->rows, ROWS, dim);
	seeded->query = malloc(seeded->queries * dim * sizeof(float));
	seeded->nearest = malloc(seeded->queries * PLACES * sizeof(int64_t));
	draw(data, seeded->rows.numbers, ROWS, dim, &seed);
	draw(data, seeded->query, seeded->queries, dim, &seed);
	encode_rows(&seeded->rows);
	for (size_t i = 0; i < ROWS; i++)
		seeded->rows.images[i] = (int64_t)i;
}

static void free_seeded(struct seeded *seeded)
{
	free_rows(&seeded->rows);
	free(seeded->query);
	free(seeded->nearest);
}

/* The part of the places of `wanted`, queries x PLACES, that are found. */
static double recall(const cairn_ranking *ranking, const int64_t *wanted)
{
	size_t hits = 0, queries = cairn_ranking_queries(ranking);
	for (size_t q = 0; q < queries; q++) {
		static char found[MOST_IDS];
		memset(found, 0, sizeof(found));
		assert_int_equal(cairn_ranking_count(ranking, q), PLACES);
		for (size_t i = 0; i < PLACES; i++)
			found[cairn_ranking_images(ranking, q)[i]] = 1;
		for (size_t i = 0; i < PLACES; i++)
			hits += (size_t)found[wanted[q * PLACES + i]];
	}
	return (double)hits / (double)(queries * PLACES);
}

static void assert_recall(const cairn_ranking *ranking, const int64_t *wanted, double least, const char *what)
{
	double found = recall(ranking, wanted);
	if (found >= least)
		return;
	print_error("recall of %s at level %d: %.5f, wanted %.5f\n", what, (int)cn_kernels_level(), found, least);
	fail();
}

/* Of float32, half precision alone loses some; of half precision, codes lose next to nothing. */
static void check_recall(const struct seeded *seeded, const cairn_index *index, const struct ids *ids,
			 const cairn_index_options *given, const char *what)
{
	int64_t *of_halves = malloc(seeded->queries * PLACES * sizeof(*of_halves));
	cairn_index_options options = *given;
	options.exact = 1;
	cairn_ranking *exact = search(index, seeded->query, seeded->queries, PLACES, &options);
	options.exact = 0;
	for (size_t q = 0; q < seeded->queries; q++)
		memcpy(of_halves + q * PLACES, cairn_ranking_images(exact, q), PLACES * sizeof(*of_halves));
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (options.threads = 1; options.threads <= 3; options.threads += 2) {
			cn_kernels_force((cn_kernels)level);
			cairn_ranking *ranking = search(index, seeded->query, seeded->queries, PLACES, &options);
			assert_recall(ranking, seeded->nearest, 0.999, what);
			assert_recall(ranking, of_halves, 0.9999, what);
			for (size_t q = 0; q < seeded->queries; q++)
				for (size_t i = 0; i < PLACES; i++)
					assert_true(ids->allowed[cairn_ranking_images(ranking, q)[i]]);
			cairn_ranking_free(ranking);
		}
	cairn_ranking_free(exact);
	free(of_halves);
}

static void the_default_depth_finds_what_float32_finds(void **state)
{
	static const struct {
		enum data data;
		size_t dim;
		const char *name;
	} cases[] = {
		{ GAUSSIAN, 64, "Gaussian vectors" },
		{ GAUSSIAN, 256, "Gaussian vectors of 256 dimensions" },
		{ DECAYING, 128, "a decaying spectrum" },
		{ CLUSTERED, 96, "clusters" },
	};
	static struct ids ids;
	(void)state;
	memset(&ids, 1, sizeof(ids));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
		struct seeded seeded;
		cairn_index *index;
		make_seeded(&seeded, cases[i].data, cases[i].dim);
		find_nearest(&seeded, &ids);
		const cairn_index_part part = part_of(&seeded.rows, 0, seeded.rows.count);
		assert_ok(cairn_index_new_flat(&index, cases[i].dim, &part, 1, NULL, 0));
		check_recall(&seeded, index, &ids, &options, cases[i].name);
		cairn_index_free(index);
		free_seeded(&seeded);
	}
}

/* Two of three images removed, every second of the rest let through: as if the index held these alone. */
static void removal_and_filters_cost_no_recall(void **state)
{
	static int64_t removed[MOST_IDS], only[MOST_IDS];
	static struct ids ids;
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	struct seeded seeded;
	cairn_index *index;
	size_t removed_count = 0;
	(void)state;
	make_seeded(&seeded, DECAYING, 64);
	for (size_t i = 0; i < seeded.rows.count; i++) {
		ids.allowed[i] = i % 6 == 0;
		if (i % 3)
			removed[removed_count++] = (int64_t)i;
		if (i % 2 == 0)
			only[options.only_count++] = (int64_t)i;
	}
	options.only = only;
	find_nearest(&seeded, &ids);
	const cairn_index_part part = part_of(&seeded.rows, 0, seeded.rows.count);
	assert_ok(cairn_index_new_flat(&index, 64, &part, 1, removed, removed_count));
	check_recall(&seeded, index, &ids, &options, "what is left");
	cairn_index_free(index);
	free_seeded(&seeded);
}

static void more_depth_finds_what_codes_cannot_tell_apart(void **state)
{
	/* All rows have the same codes, and halves that differ: only what is scored anew can be found. */
	enum { ROWS = 500, WIDE = 4 };
	const float query[WIDE] = { 1, 1, 1, 1 };
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	struct rows rows;
	cairn_index *index;
	(void)state;
	allocate_rows(&rows, ROWS, WIDE);
	for (size_t i = 0; i < ROWS; i++) {
		const float row[WIDE] = { 1, 0, 0, (float)i * 0x1p-18f };
		memcpy(rows.numbers + i * WIDE, row, sizeof(row));
		rows.images[i] = (int64_t)i;
	}
	encode_rows(&rows);
	const cairn_index_part part = part_of(&rows, 0, ROWS);
	assert_ok(cairn_index_new_flat(&index, WIDE, &part, 1, NULL, 0));
	/* 0: 1.5 x 2 + 20; what is less than k counts as k */
	static const size_t depths[] = { 0, 1, 2, 100, ROWS, SIZE_MAX }, seen[] = { 23, 2, 2, 100, ROWS, ROWS };
	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		options.depth = depths[i];
		cairn_ranking *ranking = search(index, query, 1, 2, &options);
		assert_int_equal(cairn_ranking_images(ranking, 0)[0], seen[i] - 1);
		assert_int_equal(cairn_ranking_images(ranking, 0)[1], seen[i] - 2);
		cairn_ranking_free(ranking);
	}
	cairn_index_free(index);
	free_rows(&rows);
}

/* ---- what is not read ---- */

static void *map_pages(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	return memory;
}

/* Rows whose codes fill a page, and whose halves fill two. */
#define PAGE 4096

struct pages {
	size_t count;
	float *numbers, *scales;
	uint16_t *halves;
	int8_t *codes;
	int64_t *images, *locked; /* ids; `locked` cannot be read, so the test ends where that is tried */
	size_t locked_count;
};

static void make_pages(struct pages *pages, size_t count)
{
	uint64_t seed = 8;
	*pages = (struct pages){ .count = count };
	pages->numbers = malloc(count * PAGE * sizeof(float));
	pages->scales = malloc(count * sizeof(float));
	pages->images = malloc(count * sizeof(int64_t));
	pages->locked = malloc(count * sizeof(int64_t));
	pages->halves = map_pages(count * PAGE * sizeof(uint16_t));
	pages->codes = map_pages(count * PAGE);
	fill(pages->numbers, count * PAGE, &seed);
	assert_ok(cairn_index_encode(pages->numbers, count, PAGE, pages->halves, pages->codes, pages->scales));
	for (size_t i = 0; i < count; i++)
		pages->images[i] = (int64_t)i;
}

static void lock_all_but(struct pages *pages, const int64_t *live, size_t live_count)
{
	size_t next = 0;
	for (size_t i = 0; i < pages->count; i++) {
		if (next < live_count && live[next] == (int64_t)i) {
			next++;
			continue;
		}
		pages->locked[pages->locked_count++] = (int64_t)i;
		assert_int_equal(mprotect(pages->halves + i * PAGE, PAGE * sizeof(uint16_t), PROT_NONE), 0);
		assert_int_equal(mprotect(pages->codes + i * PAGE, PAGE, PROT_NONE), 0);
	}
}

static void free_pages(struct pages *pages)
{
	munmap(pages->halves, pages->count * PAGE * sizeof(uint16_t));
	munmap(pages->codes, pages->count * PAGE);
	free(pages->numbers);
	free(pages->scales);
	free(pages->images);
	free(pages->locked);
}

/* So a filter costs in proportion to what it lets through, and a removed image costs nothing. */
static void rows_that_do_not_count_are_never_read(void **state)
{
	static const int64_t live[] = { 3, 64, 65, 127, 149 };
	struct pages pages;
	cairn_index *of_removed, *of_all;
	(void)state;
	assert_int_equal(sysconf(_SC_PAGESIZE), PAGE);
	make_pages(&pages, 150);
	lock_all_but(&pages, live, 5);
	const cairn_index_part part = { pages.halves, pages.codes, pages.scales, pages.images, pages.count };
	assert_ok(cairn_index_new_flat(&of_removed, PAGE, &part, 1, pages.locked, pages.locked_count));
	assert_ok(cairn_index_new_flat(&of_all, PAGE, &part, 1, NULL, 0));
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (size_t turn = 0; turn < 4; turn++) {
			cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
			size_t count = turn / 2 ? 13 : 1;
			options.exact = turn % 2;
			cn_kernels_force((cn_kernels)level);
			cairn_ranking *wanted = search(of_removed, pages.numbers, count, 10, &options);
			options.only = live;
			options.only_count = 5;
			cairn_ranking *found = search(of_all, pages.numbers, count, 10, &options);
			for (size_t q = 0; q < count; q++) {
				assert_int_equal(cairn_ranking_count(found, q), 5);
				assert_same_row(found, q, wanted, q);
			}
			cairn_ranking_free(wanted);
			cairn_ranking_free(found);
		}
	cairn_index_free(of_removed);
	cairn_index_free(of_all);
	free_pages(&pages);
}

/* ---- damage, faults ---- */

static void rows_that_are_no_numbers_do_not_hide_others(void **state)
{
	/* 0x7e00, 0x7fff: NaN; 0x7c00: infinity */
	static const uint16_t halves[] = { 0x7e00, 0x3c00, 0x4000, 0x7fff, 0x7e00, 0x7c00, 0x4200 };
	static const int8_t codes[] = { 127, 127, 127, 127, 127, 127, 127 };
	static const float scales[] = { 1, 1, 1, 1, 1, 1, 1 };
	static const int64_t images[] = { 1, 1, 2, 2, 3, 4, 5 };
	const cairn_index_part part = { halves, codes, scales, images, 7 };
	const float query = 1;
	cairn_index *index;
	(void)state;
	assert_ok(cairn_index_new_flat(&index, 1, &part, 1, NULL, 0));
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (int exact = 0; exact <= 1; exact++) {
			cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
			options.exact = exact;
			cn_kernels_force((cn_kernels)level);
			cairn_ranking *ranking = search(index, &query, 1, 9, &options);
			assert_int_equal(cairn_ranking_count(ranking, 0), 4);
			assert_memory_equal(cairn_ranking_images(ranking, 0), ((int64_t[]){ 4, 5, 2, 1 }),
					    4 * sizeof(int64_t));
			cairn_ranking_free(ranking);
		}
	cairn_index_free(index);
}

/* More rows of damaged scales than are scored anew. */
static void damaged_scales_do_not_hide_other_rows(void **state)
{
	static const float strange[] = { NAN, INFINITY, -INFINITY };
	struct crowd crowd;
	(void)state;
	make_crowd(&crowd);
	for (size_t i = 0; i < MANY; i++)
		if (i % 9 >= 3)
			crowd.rows.scales[i] = strange[i % 9 % 3];
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_kernels_force((cn_kernels)level);
		cairn_ranking *ranking = search(crowd.index, crowd.queries, QUERIES, K, NULL);
		for (size_t q = 0; q < QUERIES; q++) {
			assert_int_equal(cairn_ranking_count(ranking, q), K);
			for (size_t i = 0; i < K; i++)
				assert_int_equal(cairn_ranking_images(ranking, q)[i] % 3, 0);
		}
		cairn_ranking_free(ranking);
	}
	free_crowd(&crowd);
}

static void without_codes_halves_are_scanned(void **state)
{
	cairn_index_options exact = CAIRN_INDEX_OPTIONS_INIT;
	struct crowd crowd;
	(void)state;
	make_crowd(&crowd);
	cairn_index_part part = part_of(&crowd.rows, 0, crowd.rows.count), half = part;
	cairn_index *with, *without;
	part.codes = NULL;
	half.scales = NULL;
	assert_fails(cairn_index_new_flat(&without, crowd.rows.dim, &half, 1, NULL, 0), CAIRN_EINVALID, "scales alone");
	half = part;
	part.scales = NULL;
	assert_fails(cairn_index_new_flat(&without, crowd.rows.dim, &half, 1, NULL, 0), CAIRN_EINVALID, "scales alone");
	assert_ok(cairn_index_new_flat(&without, crowd.rows.dim, &part, 1, NULL, 0));
	part = part_of(&crowd.rows, 0, crowd.rows.count);
	assert_ok(cairn_index_new_flat(&with, crowd.rows.dim, &part, 1, NULL, 0));
	exact.exact = 1;
	cairn_ranking *wanted = search(with, crowd.rows.numbers, 3, 20, &exact);
	cairn_ranking *found = search(without, crowd.rows.numbers, 3, 20, NULL);
	for (size_t q = 0; q < 3; q++)
		assert_same_row(found, q, wanted, q);
	cairn_ranking_free(wanted);
	cairn_ranking_free(found);
	cairn_index_free(with);
	cairn_index_free(without);
	free_crowd(&crowd);
}

static void an_index_of_nothing_finds_nothing(void **state)
{
	const float query[2] = { 1, 2 };
	const int64_t ids[] = { 1, 2 };
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	cairn_index *index;
	(void)state;
	options.only = ids;
	options.only_count = 2;
	assert_ok(cairn_index_new_flat(&index, 2, NULL, 0, ids, 2));
	assert_int_equal(cairn_index_rows(index), 0);
	for (int filtered = 0; filtered <= 1; filtered++) {
		cairn_ranking *ranking = search(index, query, 1, 3, filtered ? &options : NULL);
		assert_int_equal(cairn_ranking_count(ranking, 0), 0);
		cairn_ranking_free(ranking);
	}
	cairn_index_free(index);
	cairn_index_free(NULL);
}

static const int64_t two_images[2] = { 1, 2 }, backwards[2] = { 2, 1 }, negative[2] = { -1, 2 }, twice[2] = { 7, 7 };

/* What out-parameters point to before: they must not be left so. */
static char stale;

static void faults_in_making_are_reported(void **state)
{
	static const struct {
		size_t dim;
		const int64_t *images, *removed;
		size_t rows;
		int code;
		const char *part;
	} cases[] = {
		{ 0, two_images, NULL, 2, CAIRN_EINVALID, "0 dimensions" },
		{ 65537, two_images, NULL, 2, CAIRN_EINVALID, "65537 dimensions" },
		{ 2, backwards, NULL, 2, CAIRN_EINVALID, "id 1 of row 1" },
		{ 2, negative, NULL, 2, CAIRN_EINVALID, "id -1 of row 0" },
		{ 2, two_images, backwards, 2, CAIRN_EINVALID, "1 follows 2" },
		{ 2, two_images, twice, 2, CAIRN_EINVALID, "7 follows 7" },
		{ 2, two_images, NULL, (size_t)1 << 32, CAIRN_ELIMIT, "4294967296 rows" },
		{ 2, NULL, NULL, 2, CAIRN_EINVALID, "part 0 of the index lacks" },
	};
	static const uint16_t rows[4];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const cairn_index_part part = { .rows = rows, .images = cases[i].images, .count = cases[i].rows };
		cairn_index *index = (void *)&stale;
		assert_fails(cairn_index_new_flat(&index, cases[i].dim, &part, 1, cases[i].removed,
						  cases[i].removed ? 2 : 0),
			     cases[i].code, cases[i].part);
		assert_null(index);
	}
}

static void ids_at_null_are_refused(void **state)
{
	static const uint16_t rows[4];
	const cairn_index_part part = { .rows = rows, .images = two_images, .count = 2 };
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	const float query[2] = { 1, 2 };
	cairn_ranking *ranking;
	cairn_index *index;
	(void)state;
	assert_fails(cairn_index_new_flat(&index, 2, &part, 1, NULL, 1), CAIRN_EINVALID, "1 image ids at NULL");
	assert_ok(cairn_index_new_flat(&index, 2, &part, 1, NULL, 0));
	options.only_count = 1;
	assert_fails(cairn_index_search(&ranking, index, query, 1, 1, &options), CAIRN_EINVALID, "1 image ids at NULL");
	cairn_index_free(index);
}

static void faults_in_searching_are_reported(void **state)
{
	static const struct {
		size_t queries, k;
		float number;
		uint32_t version;
		const int64_t *only;
		const char *part;
	} cases[] = {
		{ 0, 1, 1, 1, NULL, "0 queries" },
		{ 1, 0, 1, 1, NULL, "best 0" },
		{ 2, 1, NAN, 1, NULL, "query 1" },
		{ 2, 1, INFINITY, 1, NULL, "query 1" },
		{ 2, 1, -INFINITY, 1, NULL, "not finite" },
		{ 1, (size_t)1 << 31, 1, 1, NULL, "depth 2147483648" },
		{ 1, SIZE_MAX / 2, 1, 1, NULL, "depth 9223372036854775807" },
		{ 1, SIZE_MAX, 1, 1, NULL, "18446744073709551615 images" },
		{ 1, 1, 1, 0, NULL, "version 0, this library knows version 1" },
		{ 1, 1, 1, 2, NULL, "version 2" },
		{ 1, 1, 1, 1, backwards, "1 follows 2" },
		{ 1, 1, 1, 1, twice, "7 follows 7" },
	};
	static const uint16_t halves[4];
	static const int8_t codes[4];
	static const float scales[2];
	const cairn_index_part part = { halves, codes, scales, two_images, 2 };
	cairn_index *index;
	(void)state;
	assert_ok(cairn_index_new_flat(&index, 2, &part, 1, NULL, 0));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const float query[4] = { 1, 2, 3, cases[i].number };
		const cairn_index_options options = { .version = cases[i].version,
						      .only = cases[i].only,
						      .only_count = cases[i].only ? 2 : 0 };
		cairn_ranking *ranking = (void *)&stale;
		assert_fails(cairn_index_search(&ranking, index, query, cases[i].queries, cases[i].k, &options),
			     CAIRN_EINVALID, cases[i].part);
		assert_null(ranking);
	}
	cairn_index_free(index);
}

static int make_and_search(void *context)
{
	static const int64_t only[] = { 3, 4, 100 };
	const struct world *world = context;
	cairn_index *index;
	int status = cairn_index_new_flat(&index, world->rows[0].dim, world->part, world->parts, world->removed,
					  world->removed_count);
	for (int i = 0; status == 0 && i < 4; i++) {
		cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
		cairn_ranking *ranking;
		options.exact = i % 2;
		options.threads = 1 + (unsigned)i / 2;
		options.only = i / 2 ? only : NULL;
		options.only_count = i / 2 ? 3 : 0;
		status = cairn_index_search(&ranking, index, world->query, world->queries, 5, &options);
		cairn_ranking_free(ranking);
	}
	cairn_index_free(index);
	return status;
}

static void short_memory_is_reported(void **state)
{
	static const struct shape shape = { 4, 3, 1500, 3, 5, 2, 4, SHARED };
	struct world world;
	(void)state;
	make_world(&world, &shape);
	/* an index is at least five, a search seven pieces of memory and two for each list */
	assert_true(cn_torture(make_and_search, &world) >= 5 + 4 * 7);
	free_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_is_exact_at_every_level),
		cmocka_unit_test(a_filter_finds_its_ids_alone),
		cmocka_unit_test(threads_change_no_byte),
		cmocka_unit_test(a_query_finds_the_same_alone_and_in_company),
		cmocka_unit_test(ten_parts_are_as_good_as_one),
		cmocka_unit_test(exact_search_orders_by_the_scores_that_it_gives),
		cmocka_unit_test(an_image_is_scored_by_all_its_rows),
		cmocka_unit_test(the_default_depth_finds_what_float32_finds),
		cmocka_unit_test(removal_and_filters_cost_no_recall),
		cmocka_unit_test(more_depth_finds_what_codes_cannot_tell_apart),
		cmocka_unit_test(rows_that_do_not_count_are_never_read),
		cmocka_unit_test(rows_that_are_no_numbers_do_not_hide_others),
		cmocka_unit_test(damaged_scales_do_not_hide_other_rows),
		cmocka_unit_test(without_codes_halves_are_scanned),
		cmocka_unit_test(an_index_of_nothing_finds_nothing),
		cmocka_unit_test(ids_at_null_are_refused),
		cmocka_unit_test(faults_in_making_are_reported),
		cmocka_unit_test(faults_in_searching_are_reported),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

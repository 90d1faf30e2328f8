/* Query expansion against its definition. */
#include <string.h>

#include "data/vectors.h"
#include "index/rows.h"
#include "levels.h"
#include "rank/expand.h"
#include "torture.h"
#include "weighted_sums.h"

enum { DIM = 19, IMAGES = 60, QUERIES = 23, DEPTH = 30 };

static const cairn_expansion_options defaults = CAIRN_EXPANSION_OPTIONS_INIT;

/* ---- cases to be done by hand ---- */

static void known_sums(void **state)
{
	static const float rows[4][2] = { { 0, 1 }, { 0.6f, 0.8f }, { -1, 0 }, { 0.8f, -0.6f } };
	static const float query[2] = { 1, 0 };
	static const struct {
		const char *what;
		cairn_neighbour_weights weights;
		size_t n;
		double alpha;
		int64_t ids[3];
		float scores[3];
		int64_t verified[2];
		float inliers[2];
		double sum[2];
	} cases[] = {
		{ "average", CAIRN_WEIGHTS_AVERAGE, 2, 3, { 1, 0, 3 }, { 1, 1, 1 }, { -1, -1 }, { 0 }, { 1.6, 1.8 } },
		{ "fewer than n", CAIRN_WEIGHTS_AVERAGE, 9, 3, { 1, -1, -1 }, { 1 }, { -1, -1 }, { 0 }, { 1.6, 0.8 } },
		{ "a hole is no place",
		  CAIRN_WEIGHTS_AVERAGE,
		  2,
		  3,
		  { 1, -1, 0 },
		  { 1, 0, 1 },
		  { -1, -1 },
		  { 0 },
		  { 1.6, 1.8 } },
		{ "a repeat counts once",
		  CAIRN_WEIGHTS_AVERAGE,
		  3,
		  3,
		  { 1, 1, 0 },
		  { 1, 1, 1 },
		  { -1, -1 },
		  { 0 },
		  { 1.6, 1.8 } },
		{ "nothing found", CAIRN_WEIGHTS_AVERAGE, 2, 3, { -1, -1, -1 }, { 0 }, { -1, -1 }, { 0 }, { 1, 0 } },
		/* 1/2 and 0 */
		{ "decay", CAIRN_WEIGHTS_DECAY, 2, 3, { 1, 0, 3 }, { 1, 1, 1 }, { -1, -1 }, { 0 }, { 1.3, 0.4 } },
		/* 3/4, 1/2, 1/4: what was not found changes no weight */
		{ "decay, one missing",
		  CAIRN_WEIGHTS_DECAY,
		  4,
		  3,
		  { 0, 1, 3 },
		  { 1, 1, 1 },
		  { -1, -1 },
		  { 0 },
		  { 1.5, 1.0 } },
		{ "alpha",
		  CAIRN_WEIGHTS_ALPHA,
		  2,
		  2,
		  { 0, 1, 3 },
		  { 0.5f, 0.25f, 1 },
		  { -1, -1 },
		  { 0 },
		  { 1.0375, 0.3 } },
		{ "alpha below 0",
		  CAIRN_WEIGHTS_ALPHA,
		  3,
		  3,
		  { 0, 1, 2 },
		  { 0.5f, 0, -1 },
		  { -1, -1 },
		  { 0 },
		  { 1, 0.125 } },
		{ "alpha 0",
		  CAIRN_WEIGHTS_ALPHA,
		  3,
		  0,
		  { 0, 1, 2 },
		  { 0.5f, 0.1f, -1 },
		  { -1, -1 },
		  { 0 },
		  { 1.6, 1.8 } },
		{ "verified, more than the least",
		  CAIRN_WEIGHTS_AVERAGE,
		  1,
		  3,
		  { 1, 0, 3 },
		  { 1, 1, 1 },
		  { 0, 3 },
		  { 41, 40 },
		  { 1.6, 1.8 } },
		{ "verified among the nearest",
		  CAIRN_WEIGHTS_AVERAGE,
		  2,
		  3,
		  { 1, 0, 3 },
		  { 1, 1, 1 },
		  { 0, 1 },
		  { 50, 60 },
		  { 1.6, 1.8 } },
		{ "verified at the last rank",
		  CAIRN_WEIGHTS_DECAY,
		  2,
		  3,
		  { 1, 0, 3 },
		  { 1, 1, 1 },
		  { 0, 3 },
		  { 50, 1 },
		  { 1.3, 1.4 } },
		{ "verified beyond, decay",
		  CAIRN_WEIGHTS_DECAY,
		  1,
		  3,
		  { 1, 0, 3 },
		  { 1, 1, 1 },
		  { 0, 3 },
		  { 50, 50 },
		  { 1.8, 0.4 } },
		/* q . x = 0.8 and -1 */
		{ "verified beyond, alpha",
		  CAIRN_WEIGHTS_ALPHA,
		  1,
		  2,
		  { 0, 3, 1 },
		  { 0.5f, 0.1f, 0 },
		  { 3, 2 },
		  { 50, 50 },
		  { 1.512, -0.134 } },
	};
	cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], 4, 2);
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_ranking *neighbours = ranking_of(cases[i].ids, cases[i].scores, 3);
		cairn_ranking *verified = ranking_of(cases[i].verified, cases[i].inliers, 2);
		cairn_expansion_options options = defaults;
		float out[2];
		options.weights = cases[i].weights;
		options.neighbours = cases[i].n;
		options.alpha = cases[i].alpha;
		print_message("# %s\n", cases[i].what);
		assert_ok(cn_expand_queries(out, &vectors, query, 1, neighbours, verified, &options));
		assert_direction(out, cases[i].sum, 2, 1e-6);
		cairn_ranking_free(neighbours);
		cairn_ranking_free(verified);
	}
}

/* Exactly, and but for rounding. */
static void a_sum_that_vanishes_leaves_the_query(void **state)
{
	static const float rows[3][2] = { { -0.6f, -0.8f }, { -0.6003f, -0.7997f }, { 0.6f, 0.8f } };
	static const float score = 1;
	cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], 3, 2);
	(void)state;
	for (int64_t id = 0; id < 2; id++) {
		cairn_ranking *neighbours = ranking_of(&id, &score, 1);
		float out[2];
		assert_ok(cn_expand_queries(out, &vectors, rows[2], 1, neighbours, NULL, &defaults));
		assert_direction(out, (const double[]){ 0.6, 0.8 }, 2, 1e-6);
		cairn_ranking_free(neighbours);
	}
}

static void usual_numbers_of_neighbours(void **state)
{
	static const size_t usual[] = { 10, 20, 50 };
	enum { COUNT = 70 };
	float rows[COUNT][COUNT] = { { 0 } }, scores[COUNT], query[COUNT] = { 0 }, out[COUNT];
	int64_t ids[COUNT];
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		rows[i][i] = 1;
		ids[i] = (int64_t)i;
		scores[i] = 1;
	}
	query[COUNT - 1] = 1;
	cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], COUNT, COUNT);
	cairn_ranking *neighbours = ranking_of(ids, scores, COUNT);
	for (size_t rule = 0; rule < 3; rule++) {
		cairn_expansion_options options = defaults;
		size_t used = 0;
		options.weights = (cairn_neighbour_weights)rule;
		assert_ok(cn_expand_queries(out, &vectors, query, 1, neighbours, NULL, &options));
		for (size_t i = 0; i < COUNT - 1; i++)
			used += out[i] != 0;
		/* Decay gives the last one nothing. */
		assert_int_equal(used, usual[rule] - (rule == CAIRN_WEIGHTS_DECAY));
	}
	cairn_ranking_free(neighbours);
}

/* ---- random cases ---- */

struct world {
	float *rows, *queries;
	cairn_ranking *neighbours, *verified;
};

static void make_world(struct world *world, uint64_t seed)
{
	world->rows = random_units(IMAGES, DIM, &seed);
	world->queries = random_units(QUERIES, DIM, &seed);
	world->neighbours = random_ranking(QUERIES, DEPTH, IMAGES, &seed);
	assert_ok(cairn_ranking_new(&world->verified, QUERIES, 5));
	for (size_t q = 0; q < QUERIES; q++)
		for (size_t i = 0; i < 5; i++)
			assert_ok(cairn_ranking_set(world->verified, q, i, (int64_t)(cn_test_random(&seed) % IMAGES),
						    (float)(cn_test_random(&seed) % 80)));
}

static void free_world(struct world *world)
{
	free(world->rows);
	free(world->queries);
	cairn_ranking_free(world->neighbours);
	cairn_ranking_free(world->verified);
}

static double dot(const float *a, const float *b)
{
	double sum = 0;
	for (size_t d = 0; d < DIM; d++)
		sum += (double)a[d] * (double)b[d];
	return sum;
}

static void expand_plainly(double *sum, const struct world *world, size_t q, int with_verified,
			   const cairn_expansion_options *options)
{
	const float *query = world->queries + q * DIM;
	int certain[IMAGES] = { 0 }, taken[IMAGES] = { 0 };
	for (size_t i = 0; with_verified && i < 5; i++)
		certain[cairn_ranking_images(world->verified, q)[i]] |=
			cairn_ranking_scores(world->verified, q)[i] > options->inliers;
	for (size_t d = 0; d < DIM; d++)
		sum[d] = (double)query[d];
	add_neighbours(sum, world->rows, DIM, cairn_ranking_images(world->neighbours, q),
		       cairn_ranking_scores(world->neighbours, q), cairn_ranking_count(world->neighbours, q), -1,
		       options->weights, options->neighbours, options->alpha, certain, taken);
	for (size_t i = 0; i < IMAGES; i++) {
		const float *row = world->rows + i * DIM;
		if (certain[i] && !taken[i])
			add_times(sum, row,
				  options->weights == CAIRN_WEIGHTS_ALPHA
					  ? rule_weight(CAIRN_WEIGHTS_ALPHA, 1, 1, dot(query, row), options->alpha)
					  : 1,
				  DIM);
	}
}

static void random_lists_as_by_definition(void **state)
{
	static const size_t ns[] = { 1, 2, 5, 17, 1000 };
	static const double alphas[] = { 0, 1, 2.5, 3 };
	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct world world;
		cairn_expansion_options options = defaults;
		float out[QUERIES * DIM];
		int with_verified = seed % 2;
		make_world(&world, seed);
		cn_vectors vectors = cn_vectors_of_matrix(world.rows, IMAGES, DIM);
		options.weights = (cairn_neighbour_weights)(seed % 3);
		options.neighbours = ns[seed % 5];
		options.alpha = alphas[seed % 4];
		options.inliers = (float)(seed % 50);
		assert_ok(cn_expand_queries(out, &vectors, world.queries, QUERIES, world.neighbours,
					    with_verified ? world.verified : NULL, &options));
		for (size_t q = 0; q < QUERIES; q++) {
			double sum[DIM];
			expand_plainly(sum, &world, q, with_verified, &options);
			assert_direction(out + q * DIM, sum, DIM, 2e-6);
		}
		free_world(&world);
	}
}

static void every_kernel_in_the_queries_place(void **state)
{
	struct world world;
	cairn_expansion_options options = defaults;
	(void)state;
	make_world(&world, 5);
	cn_vectors vectors = cn_vectors_of_matrix(world.rows, IMAGES, DIM);
	options.neighbours = DEPTH;
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		float out[QUERIES * DIM];
		cn_kernels_force((cn_kernels)level);
		memcpy(out, world.queries, sizeof(out));
		assert_ok(cn_expand_queries(out, &vectors, out, QUERIES, world.neighbours, world.verified, &options));
		for (size_t q = 0; q < QUERIES; q++) {
			double sum[DIM];
			expand_plainly(sum, &world, q, 1, &options);
			assert_direction(out + q * DIM, sum, DIM, 2e-6);
		}
	}
	free_world(&world);
}

static void many_queries_in_threads(void **state)
{
	enum { MANY = 5000 };
	uint64_t seed = 3;
	float *rows = random_units(IMAGES, DIM, &seed), *queries = random_units(MANY, DIM, &seed);
	float *alone = malloc(MANY * DIM * sizeof(float)), *together = malloc(MANY * DIM * sizeof(float));
	cairn_ranking *neighbours = random_ranking(MANY, DEPTH, IMAGES, &seed);
	cairn_expansion_options options = defaults;
	cn_vectors vectors = cn_vectors_of_matrix(rows, IMAGES, DIM);
	(void)state;
	options.threads = 1;
	assert_ok(cn_expand_queries(alone, &vectors, queries, MANY, neighbours, NULL, &options));
	options.threads = 4;
	assert_ok(cn_expand_queries(together, &vectors, queries, MANY, neighbours, NULL, &options));
	assert_memory_equal(alone, together, MANY * DIM * sizeof(float));
	cairn_ranking_free(neighbours);
	free(rows);
	free(queries);
	free(alone);
	free(together);
}

/* ---- searching again ---- */

struct world_index {
	struct rows rows;
	cairn_index *index;
	float *queries;
};

static void make_index(struct world_index *world)
{
	uint64_t seed = 77;
	allocate_rows(&world->rows, IMAGES, DIM);
	float *units = random_units(IMAGES, DIM, &seed);
	memcpy(world->rows.numbers, units, IMAGES * DIM * sizeof(float));
	free(units);
	for (size_t i = 0; i < IMAGES; i++)
		world->rows.images[i] = 10 + 3 * (int64_t)i;
	encode_rows(&world->rows);
	cairn_index_part part = part_of(&world->rows, 0, IMAGES);
	assert_ok(cairn_index_new_flat(&world->index, DIM, &part, 1, NULL, 0));
	world->queries = random_units(QUERIES, DIM, &seed);
}

static void free_index(struct world_index *world)
{
	cairn_index_free(world->index);
	free_rows(&world->rows);
	free(world->queries);
}

static void searches_and_expansions_take_turns(void **state)
{
	struct world_index world;
	(void)state;
	make_index(&world);
	for (uint32_t times = 0; times <= 3; times++) {
		cairn_expansion_options options = defaults;
		cairn_index_options in_index = CAIRN_INDEX_OPTIONS_INIT;
		cairn_ranking *found, *wanted;
		float now[QUERIES * DIM], expanded[QUERIES * DIM];
		in_index.exact = 1;
		options.neighbours = 7;
		options.times = times;
		memcpy(now, world.queries, sizeof(now));
		for (uint32_t i = 0; i < (times ? times : 1); i++) {
			cairn_ranking *nearest = search(world.index, now, QUERIES, 7, &in_index);
			assert_ok(cairn_expand_queries(now, world.index, now, QUERIES, nearest, NULL, &options));
			cairn_ranking_free(nearest);
		}
		wanted = search(world.index, now, QUERIES, 12, &in_index);
		assert_ok(cairn_search_expanded(&found, expanded, world.index, world.queries, QUERIES, 12, NULL,
						&in_index, &options));
		assert_memory_equal(expanded, now, sizeof(now));
		for (size_t q = 0; q < QUERIES; q++)
			assert_same_row(found, q, wanted, q);
		cairn_ranking_free(found);
		assert_ok(cairn_search_expanded(&found, NULL, world.index, world.queries, QUERIES, 12, NULL, &in_index,
						&options));
		for (size_t q = 0; q < QUERIES; q++)
			assert_same_row(found, q, wanted, q);
		cairn_ranking_free(found);
		cairn_ranking_free(wanted);
	}
	free_index(&world);
}

/* A search of the caller's: tells how it was called, and finds the images whose number it is at. */
struct own_search {
	size_t calls, depths[4];
	size_t fails_at; /* which call */
	size_t rows;     /* of the rankings; 0: those asked for */
};

static int search_own(cairn_ranking **out, const float *vectors, size_t count, size_t k, void *payload)
{
	struct own_search *own = payload;
	(void)vectors;
	own->depths[own->calls] = k;
	if (own->calls++ == own->fails_at)
		return CAIRN_EIO;
	CN_TRY(cairn_ranking_new(out, own->rows ? own->rows : count, k));
	return own->rows ? 0 : cairn_ranking_set(*out, 0, 0, 10 + 3 * (int64_t)own->calls, 1);
}

static void the_callers_search_is_asked(void **state)
{
	struct world_index world;
	struct own_search own = { .fails_at = 9 };
	cairn_expansion_options options = defaults;
	cairn_ranking *found;
	float expanded[DIM];
	double sum[DIM];
	(void)state;
	make_index(&world);
	options.weights = CAIRN_WEIGHTS_AVERAGE;
	options.times = 2;
	options.neighbours = 4;
	options.search = search_own;
	options.search_payload = &own;
	assert_ok(cairn_search_expanded(&found, expanded, world.index, world.queries, 1, 6, NULL, NULL, &options));
	assert_int_equal(own.calls, 3);
	assert_int_equal(own.depths[0], 4);
	assert_int_equal(own.depths[1], 4);
	assert_int_equal(own.depths[2], 6);
	assert_int_equal(cairn_ranking_images(found, 0)[0], 19);
	/* L2(L2(q + x1) + x2): images 13 and 16 */
	double squares = 0;
	for (size_t d = 0; d < DIM; d++) {
		sum[d] = (double)world.queries[d] + (double)world.rows.numbers[DIM + d];
		squares += sum[d] * sum[d];
	}
	for (size_t d = 0; d < DIM; d++)
		sum[d] = sum[d] / sqrt(squares) + (double)world.rows.numbers[2 * DIM + d];
	assert_direction(expanded, sum, DIM, 5e-4);
	cairn_ranking_free(found);
	free_index(&world);
}

static void failing_searches(void **state)
{
	struct world_index world;
	cairn_expansion_options options = defaults;
	cairn_ranking *found;
	(void)state;
	make_index(&world);
	options.search = search_own;
	for (size_t fails_at = 0; fails_at < 2; fails_at++) {
		struct own_search own = { .fails_at = fails_at };
		options.search_payload = &own;
		assert_int_equal(
			cairn_search_expanded(&found, NULL, world.index, world.queries, 1, 6, NULL, NULL, &options),
			CAIRN_EIO);
		assert_null(found);
		assert_int_equal(own.calls, fails_at + 1);
	}
	struct own_search own = { .fails_at = 9, .rows = 2 };
	options.search_payload = &own;
	assert_fails(cairn_search_expanded(&found, NULL, world.index, world.queries, 1, 6, NULL, NULL, &options),
		     CAIRN_EINVALID, "1 queries with a search's ranking of 2");
	assert_null(found);
	assert_fails(cairn_search_expanded(&found, NULL, world.index, world.queries, 1, 0, NULL, NULL, NULL),
		     CAIRN_EINVALID, "best 0 images");
	assert_null(found);
	free_index(&world);
}

/* ---- what is refused ---- */

static void options_out_of_range(void **state)
{
	static const struct {
		cairn_expansion_options options;
		const char *part;
	} cases[] = {
		{ { 9, CAIRN_WEIGHTS_ALPHA, 0, 3, 40, 0, 0, NULL, NULL }, "options of version 9" },
		{ { 1, (cairn_neighbour_weights)3, 0, 3, 40, 0, 0, NULL, NULL }, "kind 3" },
		{ { 1, CAIRN_WEIGHTS_ALPHA, CAIRN_MOST_NEIGHBOURS + 1, 3, 40, 0, 0, NULL, NULL }, "65537 neighbours" },
		{ { 1, CAIRN_WEIGHTS_ALPHA, 0, -0.5, 40, 0, 0, NULL, NULL }, "alpha of -0.5" },
		{ { 1, CAIRN_WEIGHTS_ALPHA, 0, NAN, 40, 0, 0, NULL, NULL }, "alpha of" },
		{ { 1, CAIRN_WEIGHTS_ALPHA, 0, INFINITY, 40, 0, 0, NULL, NULL }, "alpha of inf" },
		{ { 1, CAIRN_WEIGHTS_ALPHA, 0, 3, NAN, 0, 0, NULL, NULL }, "are not a number" },
	};
	struct world_index world;
	cairn_ranking *neighbours, *found;
	float out[DIM];
	(void)state;
	make_index(&world);
	assert_ok(cairn_ranking_new(&neighbours, 1, 1));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(
			cairn_expand_queries(out, world.index, world.queries, 1, neighbours, NULL, &cases[i].options),
			CAIRN_EINVALID, cases[i].part);
		assert_fails(cairn_search_expanded(&found, NULL, world.index, world.queries, 1, 1, NULL, NULL,
						   &cases[i].options),
			     CAIRN_EINVALID, cases[i].part);
	}
	assert_fails(cairn_expand_queries(out, world.index, world.queries, 2, neighbours, NULL, NULL), CAIRN_EINVALID,
		     "2 queries with neighbours of 1");
	assert_fails(cairn_expand_queries(out, world.index, world.queries, 1, NULL, NULL, NULL), CAIRN_EINVALID,
		     "1 queries with neighbours of 0");
	cairn_ranking_free(neighbours);
	free_index(&world);
}

static void rankings_that_do_not_fit(void **state)
{
	static const struct {
		const char *part;
		int status;
		size_t verified_rows;
		int64_t image;
		float score, number;
	} cases[] = {
		{ "2 queries with verified images of 3", CAIRN_EINVALID, 3, 0, 1, 0 },
		{ "query 1 holds a number", CAIRN_EINVALID, 2, 0, 1, NAN },
		{ "query 1 holds a number", CAIRN_EINVALID, 2, 0, 1, INFINITY },
		{ "query 1: there is no vector of image 60", CAIRN_ENOTFOUND, 2, IMAGES, 1, 0 },
		{ "query 1: image 4 has no finite weight", CAIRN_EINVALID, 2, 4, INFINITY, 0 },
		{ "query 1: image 4 has no finite weight", CAIRN_EINVALID, 2, 4, 1e30f, 0 },
		{ "query 1: the sum of neighbours is not finite", CAIRN_EINVALID, 2, 4, 1e12f, 0 },
	};
	struct world world;
	(void)state;
	make_world(&world, 1);
	cn_vectors vectors = cn_vectors_of_matrix(world.rows, IMAGES, DIM);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		float queries[2 * DIM], out[2 * DIM];
		cairn_ranking *neighbours, *verified;
		memcpy(queries, world.queries, sizeof(queries));
		queries[DIM] += cases[i].number;
		assert_ok(cairn_ranking_new(&neighbours, 2, 1));
		assert_ok(cairn_ranking_new(&verified, cases[i].verified_rows, 1));
		assert_ok(cairn_ranking_set(neighbours, 1, 0, cases[i].image, cases[i].score));
		assert_fails(cn_expand_queries(out, &vectors, queries, 2, neighbours, verified, &defaults),
			     cases[i].status, cases[i].part);
		cairn_ranking_free(neighbours);
		cairn_ranking_free(verified);
	}
	free_world(&world);
}

/* What counts nothing need not be there. */
static void unknown_images_without_weight(void **state)
{
	static const int64_t ids[] = { 1, 99 };
	static const float scores[] = { 0.5f, -0.5f };
	uint64_t seed = 1;
	float *rows = random_units(3, DIM, &seed), out[DIM];
	cn_vectors vectors = cn_vectors_of_matrix(rows, 2, DIM);
	cairn_ranking *neighbours = ranking_of(ids, scores, 2);
	(void)state;
	assert_ok(cn_expand_queries(out, &vectors, rows + 2 * DIM, 1, neighbours, NULL, &defaults));
	cairn_ranking_free(neighbours);
	free(rows);
}

static int expand_once(void *context)
{
	const struct world_index *world = context;
	cairn_ranking *found;
	CN_TRY(cairn_search_expanded(&found, NULL, world->index, world->queries, QUERIES, 4, NULL, NULL, NULL));
	cairn_ranking_free(found);
	return 0;
}

static void memory_may_run_out(void **state)
{
	struct world_index world;
	(void)state;
	make_index(&world);
	assert_true(cn_torture(expand_once, &world) > 10);
	free_index(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sums),
		cmocka_unit_test(a_sum_that_vanishes_leaves_the_query),
		cmocka_unit_test(usual_numbers_of_neighbours),
		cmocka_unit_test(random_lists_as_by_definition),
		cmocka_unit_test(every_kernel_in_the_queries_place),
		cmocka_unit_test(many_queries_in_threads),
		cmocka_unit_test(searches_and_expansions_take_turns),
		cmocka_unit_test(the_callers_search_is_asked),
		cmocka_unit_test(failing_searches),
		cmocka_unit_test(options_out_of_range),
		cmocka_unit_test(rankings_that_do_not_fit),
		cmocka_unit_test(unknown_images_without_weight),
		cmocka_unit_test(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

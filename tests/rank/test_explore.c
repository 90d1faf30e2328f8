/* The walk by hand, and against a plain one that keeps all candidates in an array. */
#include "rank/explore.h"

#include "lists.h"
#include "torture.h"

/*
 *   query -- .9 -- 10 -- .8 -- 12 -- .95 -- 13
 *     |             |
 *    .5            .3
 *     |             |
 *    11 --- .7 --- 14 <- .2 -- 15         14 has two nearer ones than 15
 */
enum { K = 2, LINES = 6 };
static const int64_t names[LINES] = { 10, 11, 12, 13, 14, 15 };
static const int64_t neighbours[LINES * K] = { 12, 14, 14, -1, 13, 10, 12, -1, 11, 10, 14, -1 };
static const float weights[LINES * K] = { 0.8f, 0.3f, 0.7f, 0, 0.95f, 0.8f, 0.95f, 0, 0.7f, 0.3f, 0.2f, 0 };
static const cairn_neighbours graph = { names, neighbours, weights, LINES, K };
static const int64_t found[] = { 10, 11, 15 };
static const float similarity[] = { 0.9f, 0.5f, 0.1f };

static void known_walks(void **state)
{
	static const struct {
		const char *what;
		size_t k;
		float threshold;
		size_t depth;
		int64_t images[8];
		float scores[8];
	} cases[] = {
		/* 13 has a larger weight than 12, but nobody knew of it before. */
		{ "one by one", 2, INFINITY, 5, { 10, 12, 13, 11, 14 }, { 0.9f, 0.8f, 0.8f, 0.5f, 0.5f } },
		{ "all above .4 at once", 2, 0.4f, 5, { 10, 11, 12, 14, 13 }, { 0.9f, 0.5f, 0.5f, 0.5f, 0.5f } },
		/* .5 is not above it */
		{ "the threshold itself", 2, 0.5f, 5, { 10, 12, 13, 11, 14 }, { 0.9f, 0.8f, 0.8f, 0.5f, 0.5f } },
		/* of 10 then only 12 is known, of 14 only 11: 15 is what the query's list has left */
		{ "one neighbour", 1, INFINITY, 7, { 10, 12, 13, 11, 15, -1 }, { 0.9f, 0.8f, 0.8f, 0.5f, 0.1f } },
		{ "more neighbours than there are",
		  99,
		  INFINITY,
		  7,
		  { 10, 12, 13, 11, 14, 15, -1 },
		  { 0.9f, 0.8f, 0.8f, 0.5f, 0.5f, 0.1f } },
		{ "only the first", 2, INFINITY, 1, { 10, 11, 15 }, { 0.9f, 0.5f, 0.1f } },
		{ "only the first of many above", 2, 0, 2, { 10, 11, 15 }, { 0.9f, 0.5f, 0.1f } },
	};
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(1, 3, found, similarity), *out;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		const cn_explore_options options = { cases[c].k, cases[c].threshold, cases[c].depth, NULL };
		assert_ok(cn_rank_explore(&out, NULL, ranking, &graph, &options));
		assert_int_equal(cairn_ranking_depth(out), cases[c].depth > 3 ? cases[c].depth : 3);
		cn_test_sound(out);
		cn_test_row(out, 0, cases[c].images, cases[c].scores, cases[c].what);
		cairn_ranking_free(out);
	}
	cairn_ranking_free(ranking);
}

/* ---- the plain way ---- */

enum { MANY = 70, MOST_K = 6, QUERIES = 40, PLACES = 8 };

struct world {
	int64_t neighbours[MANY * MOST_K];
	float weights[MANY * MOST_K];
	cairn_neighbours graph;
	cairn_ranking *ranking;
};

/* Few different weights, so that many are equal; some places are free, some weights no numbers, and some images have
 * themselves as neighbours. */
static void make_world(struct world *world, uint64_t seed)
{
	int64_t images[QUERIES * PLACES];
	float scores[QUERIES * PLACES];
	for (size_t i = 0; i < MANY * MOST_K; i++) {
		world->neighbours[i] = (int64_t)(cn_test_random(&seed) % (MANY + 3)) - 3;
		world->weights[i] = (float)(cn_test_random(&seed) % 10) / 10;
		if (cn_test_random(&seed) % 50 == 0)
			world->weights[i] = NAN;
	}
	for (size_t i = 0; i < QUERIES * PLACES; i++) {
		size_t place = i % PLACES;
		images[i] = (int64_t)(cn_test_random(&seed) % MANY);
		for (size_t k = i - place; k < i; k++)
			if (images[k] == images[i])
				images[i] = -1;
		images[i] = place < i / PLACES % 10 ? images[i] : -1;
		scores[i] = 1 - 0.1f * (float)place;
	}
	world->graph = (cairn_neighbours){ NULL, world->neighbours, world->weights, MANY, MOST_K };
	world->ranking = cn_test_ranking(QUERIES, PLACES, images, scores);
}

struct plain {
	float weight[MANY]; /* NAN: not heard of */
	int taken[MANY];
	size_t order[MANY], count;
	float scores[MANY]; /* the least weight up to each */
};

static void hear(struct plain *plain, int64_t image, float weight)
{
	if (image >= 0 && !isnan(weight) && !(plain->weight[image] >= weight))
		plain->weight[image] = weight;
}

/* @return MANY where none is left */
static size_t best_of(const struct plain *plain)
{
	size_t best = MANY;
	for (size_t i = 0; i < MANY; i++)
		if (!plain->taken[i] && !isnan(plain->weight[i]) &&
		    (best == MANY || plain->weight[i] > plain->weight[best]))
			best = i;
	return best;
}

static void walk_plainly(struct plain *plain, const struct world *world, size_t query,
			 const cn_explore_options *options)
{
	memset(plain, 0, sizeof(*plain));
	int64_t own = options->own ? options->own[query] : -1;
	for (size_t i = 0; i < MANY; i++)
		plain->weight[i] = NAN;
	if (own >= 0)
		plain->taken[own] = 1;
	size_t listed = 0;
	for (size_t i = 0; i < PLACES && listed < options->k; i++) {
		int64_t image = cairn_ranking_images(world->ranking, query)[i];
		listed += image >= 0;
		hear(plain, image, cairn_ranking_scores(world->ranking, query)[i]);
	}
	for (;;) {
		size_t begin = plain->count, best;
		while (plain->count < options->depth && (best = best_of(plain)) < MANY &&
		       (plain->count == begin || plain->weight[best] > options->threshold)) {
			float before = plain->count ? plain->scores[plain->count - 1] : INFINITY;
			plain->taken[best] = 1;
			plain->scores[plain->count] = fminf(before, plain->weight[best]);
			plain->order[plain->count++] = best;
		}
		if (plain->count == begin)
			return;
		for (size_t i = begin; i < plain->count; i++)
			for (size_t k = 0; k < MOST_K && k < options->k; k++)
				hear(plain, world->neighbours[plain->order[i] * MOST_K + k],
				     world->weights[plain->order[i] * MOST_K + k]);
	}
}

static void check_query(const struct plain *plain, const struct world *world, const cairn_ranking *out, size_t query)
{
	const int64_t *images = cairn_ranking_images(out, query);
	size_t place = 0;
	for (; place < plain->count; place++) {
		assert_int_equal(images[place], plain->order[place]);
		assert_true(cairn_ranking_scores(out, query)[place] == plain->scores[place]);
	}
	for (size_t i = 0; i < PLACES; i++) {
		int64_t image = cairn_ranking_images(world->ranking, query)[i];
		if (image >= 0 && !plain->taken[image] && place < cairn_ranking_depth(out))
			assert_int_equal(images[place++], image);
	}
	assert_int_equal(cairn_ranking_count(out, query), place);
}

static void equals_a_plain_walk(void **state)
{
	static const cn_explore_options options[] = {
		{ 1, INFINITY, 20, NULL }, { 6, INFINITY, 20, NULL }, { 6, 0.55f, 20, NULL }, { 3, 0.75f, 64, NULL },
		{ 6, -1, 64, NULL },       { 4, 0.3f, 1, NULL },      { 2, 0.95f, 7, NULL },  { 50, 0.85f, 100, NULL },
	};
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++)
		for (size_t o = 0; o < 2 * sizeof(options) / sizeof(options[0]); o++) {
			cn_explore_options how = options[o / 2];
			struct world world;
			struct plain plain;
			cairn_ranking *out;
			int64_t own[QUERIES];
			make_world(&world, seed);
			/* A query that is an image is not walked to, wherever edges to it are; every third is none. */
			for (size_t q = 0; q < QUERIES; q++)
				own[q] = q % 3 ? cairn_ranking_images(world.ranking, q)[0] : -1;
			how.own = o % 2 ? own : NULL;
			assert_ok(cn_rank_explore(&out, NULL, world.ranking, &world.graph, &how));
			cn_test_sound(out);
			for (size_t q = 0; q < QUERIES; q++) {
				walk_plainly(&plain, &world, q, &how);
				check_query(&plain, &world, out, q);
				assert_false(how.own && own[q] >= 0 && cn_test_has(out, q, SIZE_MAX, own[q]));
			}
			cairn_ranking_free(out);
			cairn_ranking_free(world.ranking);
		}
}

static void threads_change_nothing(void **state)
{
	const cn_explore_options options = { 6, 0.55f, 30, NULL };
	struct world world;
	cn_rank_run run = { 0 };
	cairn_ranking *alone, *together;
	(void)state;
	make_world(&world, 99);
	assert_ok(cn_workers_new(&run.pool, 3));
	assert_ok(cn_rank_explore(&alone, NULL, world.ranking, &world.graph, &options));
	assert_ok(cn_rank_explore(&together, &run, world.ranking, &world.graph, &options));
	cn_test_same(alone, together);
	cairn_ranking_free(alone);
	cairn_ranking_free(together);
	cairn_ranking_free(world.ranking);
	cn_workers_free(run.pool);
}

static void faults_are_reported(void **state)
{
	static const int64_t twice[LINES] = { 10, 11, 12, 12, 14, 15 }, other[LINES] = { 10, 11, 12, 14, 15, 16 };
	static const struct {
		cn_explore_options options;
		const char *text;
	} cases[] = {
		{ { 0, 0.5f, 9, NULL }, "k 0" },
		{ { 2, 0.5f, 0, NULL }, "depth 0" },
		{ { 2, 0.5f, (size_t)INT32_MAX + 1, NULL }, "depth 2147483648" },
		{ { 2, NAN, 9, NULL }, "nan" },
	};
	const cn_explore_options good = CN_EXPLORE_OPTIONS_INIT;
	const cn_rank_run cancelled = { NULL, cn_test_cancel, NULL };
	cairn_neighbours lists = graph;
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(1, 3, found, similarity), *out = ranking;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		assert_fails(cn_rank_explore(&out, NULL, ranking, &graph, &cases[c].options), CAIRN_EINVALID,
			     cases[c].text);
		assert_null(out);
	}
	assert_fails(cn_rank_explore(&out, &cancelled, ranking, &graph, &good), CAIRN_ECANCELLED, "walking the graph");
	lists.images = twice;
	assert_fails(cn_rank_explore(&out, NULL, ranking, &lists, &good), CAIRN_EINVALID, "graph ids must ascend");
	lists.images = other;
	assert_fails(cn_rank_explore(&out, NULL, ranking, &lists, &good), CAIRN_ENOTFOUND, "image 13 has no line");
	lists.images = NULL;
	assert_fails(cn_rank_explore(&out, NULL, ranking, &lists, &good), CAIRN_ENOTFOUND, "image 10 has no line");
	assert_null(out);
	cairn_ranking_free(ranking);
}

static int walk_once(void *context)
{
	const cn_explore_options options = { 2, 0.4f, 4, NULL };
	cairn_ranking *out;
	int status = cn_rank_explore(&out, NULL, context, &graph, &options);
	cairn_ranking_free(out);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(1, 3, found, similarity);
	assert_true(cn_torture(walk_once, ranking) >= 13);
	cairn_ranking_free(ranking);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_walks),
		cmocka_unit_test(equals_a_plain_walk),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

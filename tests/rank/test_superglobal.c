/* Refined descriptors by hand, and against a plain computation in double. */
#include "rank/superglobal.h"

#include "levels.h"
#include "lists.h"
#include "torture.h"

static void known_lists(void **state)
{
	static const struct {
		const char *what;
		cn_superglobal_options options;
		float rows[3][2];
		int64_t before[4], after[4];
		float scores_before[4], scores[4];
	} cases[] = {
		/* The refined query is (1, 1). */
		{ "neighbours that are none",
		  { 3, 1, 0.5f },
		  { { 0, 1 }, { 1, 0 } },
		  { 0, 1, -1 },
		  { 1, 0, -1 },
		  { 0.9f, 0.8f },
		  { 1, 0.5f } },
		/* (1.18, .24) / 1.3 and (.9, .8) / 1.3; with the largest of both, (1.18, .8) / 1.3 */
		{ "a neighbour at .6",
		  { 3, 1, 0.5f },
		  { { 1, 0 }, { 0.6f, 0.8f } },
		  { 0, 1, -1 },
		  { 0, 1, -1 },
		  { 0.9f, 0.8f },
		  { (1.18f / 1.3f + (1.18f * 1.18f + 0.24f * 0.8f) / 1.69f) / 2,
		    (0.9f / 1.3f + (0.9f * 1.18f + 0.8f * 0.8f) / 1.69f) / 2 } },
		/* The refined query is the best image. */
		{ "no neighbours",
		  { 3, 0, 0.5f },
		  { { 0.6f, 0.8f }, { 0, 1 }, { 0.8f, -0.6f } },
		  { 0, 1, 2, -1 },
		  { 2, 0, 1, -1 },
		  { 3, 2, 1 },
		  { 0.9f, 0.3f, -0.3f } },
		/* With weights of their own the opposite vectors would cancel out. */
		{ "what points away has no weight",
		  { 3, 1, 1 },
		  { { 1, 0 }, { -1, 0 } },
		  { 0, 1, -1 },
		  { 0, 1, -1 },
		  { 3, 2 },
		  { 1, -1 } },
		{ "equal images by id",
		  { 3, 1, 0.15f },
		  { { 1, 0 }, { 1, 0 }, { 1, 0 } },
		  { 2, 0, 1, -1 },
		  { 0, 1, 2, -1 },
		  { 1, 1, 1 },
		  { 1, 1, 1 } },
		/* alone, 1 has (0 + 1) / 2; the others keep their distance below */
		{ "the first alone",
		  { 1, 9, 0.15f },
		  { { 1, 0 }, { 0, 1 }, { 0, 1 } },
		  { 1, 0, 2, -1 },
		  { 1, 0, 2, -1 },
		  { 0.9f, 0.8f, 0.7f },
		  { 0.5f, 0.5f, 0.4f } },
		{ "nothing", { 3, 9, 0.15f }, { { 0 } }, { -1, -1, -1, -1 }, { -1 }, { 0 }, { 0 } },
	};
	static const float query[] = { 1, 0 };
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		const cn_vectors vectors = cn_vectors_of_matrix(&cases[c].rows[0][0], 3, 2);
		cairn_ranking *ranking = cn_test_ranking(1, 4, cases[c].before, cases[c].scores_before), *out;
		assert_ok(cn_rank_superglobal(&out, NULL, ranking, query, &vectors, &cases[c].options));
		cn_test_row(out, 0, cases[c].after, cases[c].scores, cases[c].what);
		cairn_ranking_free(out);
		cairn_ranking_free(ranking);
	}
}

/* ---- the plain way ---- */

struct plain {
	size_t count;
	int64_t images[CN_TEST_DEPTH];
	double refined[CN_TEST_DEPTH][CN_TEST_DIM], first[CN_TEST_DEPTH], final[CN_TEST_DEPTH];
};

static double dot(const cn_test_world *world, int64_t a, int64_t b)
{
	double sum = 0;
	for (size_t k = 0; k < CN_TEST_DIM; k++)
		sum += (double)world->rows[a * CN_TEST_DIM + (int64_t)k] *
		       (double)world->rows[b * CN_TEST_DIM + (int64_t)k];
	return sum;
}

/* Take the neighbours one after the other, each the best that was not used yet. */
static void refine_plainly(struct plain *plain, const cn_test_world *world, size_t image,
			   const cn_superglobal_options *options)
{
	int used[CN_TEST_DEPTH] = { 0 };
	double weights = 0, weight = 1;
	size_t next = image;
	for (size_t turn = 0; turn <= options->neighbours && turn < plain->count; turn++) {
		used[next] = 1;
		weights += weight;
		for (size_t k = 0; k < CN_TEST_DIM; k++)
			plain->refined[image][k] +=
				weight * (double)world->rows[(size_t)plain->images[next] * CN_TEST_DIM + k];
		double best = -2;
		for (size_t i = 0; i < plain->count; i++) {
			double s = dot(world, plain->images[image], plain->images[i]);
			if (!used[i] && s > best) {
				best = s;
				next = i;
			}
		}
		weight = best > 0 ? best * (double)options->weight : 0;
	}
	for (size_t k = 0; k < CN_TEST_DIM; k++)
		plain->refined[image][k] /= weights;
}

static double product(const double *a, const double *b)
{
	double sum = 0;
	for (size_t k = 0; k < CN_TEST_DIM; k++)
		sum += a[k] * b[k];
	return sum;
}

static void rerank_plainly(struct plain *plain, const cn_test_world *world, size_t query,
			   const cn_superglobal_options *options)
{
	double given[CN_TEST_DIM], refined[CN_TEST_DIM];
	memset(plain, 0, sizeof(*plain));
	while (plain->count < options->most && plain->count < cairn_ranking_count(world->ranking, query)) {
		plain->images[plain->count] = cairn_ranking_images(world->ranking, query)[plain->count];
		plain->count++;
	}
	for (size_t k = 0; k < CN_TEST_DIM; k++) {
		given[k] = (double)world->queries[query * CN_TEST_DIM + k];
		refined[k] = -INFINITY;
	}
	for (size_t i = 0; i < plain->count; i++) {
		refine_plainly(plain, world, i, options);
		plain->first[i] = product(given, plain->refined[i]);
	}
	for (size_t i = 0; i < plain->count; i++) {
		size_t better = 0;
		for (size_t other = 0; other < plain->count; other++)
			better += plain->first[other] > plain->first[i];
		for (size_t k = 0; better <= options->neighbours && k < CN_TEST_DIM; k++)
			refined[k] = fmax(refined[k], plain->refined[i][k]);
	}
	for (size_t i = 0; i < plain->count; i++)
		plain->final[i] = (plain->first[i] + product(refined, plain->refined[i])) / 2;
}

static void check_query(const struct plain *plain, const cn_test_world *world, const cairn_ranking *out, size_t query)
{
	const int64_t *images = cairn_ranking_images(out, query), *before = cairn_ranking_images(world->ranking, query);
	const float *scores = cairn_ranking_scores(out, query);
	for (size_t i = 0; i < plain->count; i++) {
		size_t at = 0;
		while (at < plain->count && plain->images[at] != images[i])
			at++;
		assert_true(at < plain->count);
		assert_true(fabs((double)scores[i] - plain->final[at]) < 2e-6);
	}
	for (size_t i = plain->count; i < cairn_ranking_count(out, query); i++)
		assert_int_equal(images[i], before[i]);
}

static void equals_a_plain_computation(void **state)
{
	static const cn_superglobal_options options[] = {
		CN_SUPERGLOBAL_OPTIONS_INIT, { 30, 9, 0.15f }, { 30, 0, 0.15f },           { 5, 9, 0.5f },
		{ CN_TEST_DEPTH, 3, 0 },     { 1, 1, 1 },      { CN_TEST_DEPTH, 1000, 2 },
	};
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		cn_test_world world;
		cn_test_world_make(&world, seed);
		for (size_t o = 0; o < sizeof(options) / sizeof(options[0]); o++)
			for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
				cairn_ranking *out;
				cn_kernels_force((cn_kernels)level);
				assert_ok(cn_rank_superglobal(&out, NULL, world.ranking, world.queries, &world.vectors,
							      &options[o]));
				cn_test_permuted(world.ranking, out);
				for (size_t q = 0; q < CN_TEST_QUERIES; q++) {
					static struct plain plain;
					rerank_plainly(&plain, &world, q, &options[o]);
					check_query(&plain, &world, out, q);
				}
				cairn_ranking_free(out);
			}
		cn_test_world_free(&world);
	}
}

static void threads_change_nothing(void **state)
{
	const cn_superglobal_options options = CN_SUPERGLOBAL_OPTIONS_INIT;
	cn_test_world world;
	cn_rank_run run = { 0 };
	cairn_ranking *alone, *together;
	(void)state;
	cn_test_world_make(&world, 5);
	assert_ok(cn_workers_new(&run.pool, 3));
	assert_ok(cn_rank_superglobal(&alone, NULL, world.ranking, world.queries, &world.vectors, &options));
	assert_ok(cn_rank_superglobal(&together, &run, world.ranking, world.queries, &world.vectors, &options));
	cn_test_same(alone, together);
	cairn_ranking_free(alone);
	cairn_ranking_free(together);
	cn_workers_free(run.pool);
	cn_test_world_free(&world);
}

static void faults_are_reported(void **state)
{
	static const struct {
		cn_superglobal_options options;
		const char *text;
	} cases[] = {
		{ { 0, 9, 0.15f }, "of 0 images" },
		{ { 9, 9, -0.1f }, "weight -0.1" },
		{ { 9, 9, NAN }, "weight nan" },
		{ { 9, 9, INFINITY }, "weight inf" },
	};
	const cn_superglobal_options good = CN_SUPERGLOBAL_OPTIONS_INIT;
	const cn_rank_run cancelled = { NULL, cn_test_cancel, NULL };
	cn_test_world world;
	(void)state;
	cn_test_world_make(&world, 6);
	cairn_ranking *out = world.ranking;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		assert_fails(cn_rank_superglobal(&out, NULL, world.ranking, world.queries, &world.vectors,
						 &cases[c].options),
			     CAIRN_EINVALID, cases[c].text);
		assert_null(out);
	}
	assert_fails(cn_rank_superglobal(&out, &cancelled, world.ranking, world.queries, &world.vectors, &good),
		     CAIRN_ECANCELLED, "refining descriptors");
	world.vectors.count = 1;
	assert_fails(cn_rank_superglobal(&out, NULL, world.ranking, world.queries, &world.vectors, &good),
		     CAIRN_ENOTFOUND, "no vector of image");
	world.queries[CN_TEST_DIM + 3] = NAN;
	world.vectors.count = CN_TEST_IMAGES;
	assert_fails(cn_rank_superglobal(&out, NULL, world.ranking, world.queries, &world.vectors, &good),
		     CAIRN_EINVALID, "query 1");
	assert_null(out);
	cn_test_world_free(&world);
}

static int rerank_once(void *context)
{
	const cn_test_world *world = context;
	const cn_superglobal_options options = { 5, 2, 0.15f };
	cairn_ranking *out;
	int status = cn_rank_superglobal(&out, NULL, world->ranking, world->queries, &world->vectors, &options);
	cairn_ranking_free(out);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	cn_test_world world;
	(void)state;
	cn_test_world_make(&world, 7);
	assert_true(cn_torture(rerank_once, &world) >= 27);
	cn_test_world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_lists),
		cmocka_unit_test(equals_a_plain_computation),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

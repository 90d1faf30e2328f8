/* Diffusion between regions against a dense solution of the same. */
#include "dense.h"
#include "rank/diffuse_regions.h"

enum { IMAGES = 45, QUERIES = 6, REGIONS = 3, KQ = 12 };

/* Images have 0 to 4 rows one after the other. */
struct world {
	struct dense dense;
	size_t starts[IMAGES + 1];
	float weights[DENSE_MOST];
	int32_t ids[QUERIES * REGIONS * KQ];
	float scores[QUERIES * REGIONS * KQ];
	cn_region_query queries[QUERIES];
	cn_diffusion_graph graph;
};

/* Solved to the end. */
static const cn_diffusion_options options = { 8, 9, 3, { 0.9f, 500, 1e-7f } };

static void make_world(struct world *world)
{
	uint64_t seed = 9;
	for (size_t i = 0; i < IMAGES; i++)
		world->starts[i + 1] = world->starts[i] + i * 7 % 5;
	dense_make(&world->dense, world->starts[IMAGES], 10, 0.5f, 2);
	cn_neighbours lists = dense_lists(&world->dense);
	assert_ok(cn_region_weights(world->weights, world->dense.rows, DENSE_DIM, world->starts, IMAGES,
				    CN_REGION_LAMBDA, NULL));
	assert_ok(cn_diffusion_graph_new(&world->graph, &lists, &options, NULL));
	for (size_t q = 0; q < QUERIES; q++) {
		for (size_t r = q * REGIONS; r < (q + 1) * REGIONS; r++) {
			float row[DENSE_DIM];
			dense_row(row, q % 4, 0.5f, &seed);
			dense_nearest(&world->dense, row, -1, world->dense.count, KQ, world->ids + r * KQ,
				      world->scores + r * KQ);
		}
		world->queries[q].regions = (cn_neighbours){ q == 2 ? 1 : REGIONS, KQ, world->ids + q * REGIONS * KQ,
							     world->scores + q * REGIONS * KQ };
	}
}

static void free_world(struct world *world)
{
	cn_diffusion_graph_free(&world->graph);
	dense_free(&world->dense);
}

static void weights_make_rows_count_alike(void **state)
{
	static struct world world;
	const float twice[] = { 0.6f, 0.8f, 0.6f, 0.8f, 0, 1 };
	const size_t starts[] = { 0, 2, 2, 3 };
	float found[3];
	(void)state;
	make_world(&world);
	for (size_t image = 0; image < IMAGES; image++)
		for (size_t r = world.starts[image]; r < world.starts[image + 1]; r++) {
			double left = (double)world.weights[r];
			for (size_t c = world.starts[image]; c < world.starts[image + 1]; c++)
				left += (double)world.weights[c] *
					(double)dense_similarity(world.dense.rows + r * DENSE_DIM,
								 world.dense.rows + c * DENSE_DIM);
			assert_true(fabs(left - 1) < 1e-5);
		}
	free_world(&world);
	/* Two equal rows share: (1 + 1 + 1) b = 1; one alone has (1 + 1) b = 1. */
	assert_ok(cn_region_weights(found, twice, 2, starts, 3, 1, NULL));
	assert_true(fabsf(found[0] - 1.0f / 3) < 1e-6f && fabsf(found[1] - 1.0f / 3) < 1e-6f);
	assert_true(fabsf(found[2] - 0.5f) < 1e-6f);
}

/* The sums of a query's similarities, of which the best kq rows with `member` stay. */
static void plain_query(const struct world *world, size_t q, const char *member, double *y)
{
	size_t rows = world->starts[IMAGES], kq = options.query_neighbours;
	double sums[DENSE_MOST] = { 0 };
	const cn_neighbours *near = &world->queries[q].regions;
	memset(y, 0, rows * sizeof(*y));
	for (size_t line = 0; line < near->lines; line++)
		for (size_t i = 0; i < kq; i++)
			sums[near->ids[line * KQ + i]] += (double)near->scores[line * KQ + i];
	for (size_t kept = 0; kept < kq; kept++) {
		size_t best = rows;
		for (size_t r = 0; r < rows; r++)
			/* Equal rows have equal sums up to rounding: the first stays. */
			if (member[r] && sums[r] > (best < rows ? sums[best] + 1e-6 : 0))
				best = r;
		if (best == rows)
			break;
		y[best] = dense_weight(sums[best], 3);
		sums[best] = 0;
	}
}

static void plain_scores(const struct world *world, size_t q, double *scores)
{
	static double s[DENSE_MOST * DENSE_MOST];
	size_t rows = world->starts[IMAGES];
	double y[DENSE_MOST], f[DENSE_MOST];
	char member[DENSE_MOST], listed[IMAGES];
	cn_neighbours lists = dense_lists(&world->dense);
	memset(listed, world->queries[q].shortlist == NULL, sizeof(listed));
	for (size_t i = 0; world->queries[q].shortlist && i < world->queries[q].shortlist_count; i++)
		listed[world->queries[q].shortlist[i]] = 1;
	for (size_t image = 0; image < IMAGES; image++)
		for (size_t r = world->starts[image]; r < world->starts[image + 1]; r++)
			member[r] = listed[image];
	dense_affinities(s, &lists, options.neighbours, 3);
	for (size_t i = 0; i < rows * rows; i++)
		s[i] = member[i / rows] && member[i % rows] ? s[i] : 0;
	dense_normalise(s, rows);
	plain_query(world, q, member, y);
	dense_solve(s, rows, 0.9, member, y, f);
	for (size_t image = 0; image < IMAGES; image++) {
		scores[image] = 0;
		for (size_t r = world->starts[image]; r < world->starts[image + 1]; r++)
			scores[image] += (double)world->weights[r] * f[r];
	}
}

/* All images, some of them, none, one with no row; a shortlist of all is as none. */
static void equals_a_dense_solution(void **state)
{
	static struct world world;
	static int32_t some[] = { 30, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 30, 1, 2 }, rowless[] = { 0 }, all[IMAGES];
	const cn_region_images regions = { IMAGES, world.starts, world.weights };
	cn_workers *pool;
	cairn_ranking *rankings[2];
	(void)state;
	make_world(&world);
	assert_ok(cn_workers_new(&pool, 4));
	for (int32_t i = 0; i < IMAGES; i++)
		all[i] = i;
	world.queries[1].shortlist = some;
	world.queries[1].shortlist_count = sizeof(some) / sizeof(some[0]);
	world.queries[3].shortlist = rowless;
	world.queries[3].shortlist_count = 1;
	world.queries[4].shortlist = all;
	world.queries[4].shortlist_count = IMAGES;
	world.queries[5].shortlist = some;
	for (size_t i = 0; i < 2; i++) {
		assert_ok(cairn_ranking_new(&rankings[i], QUERIES, i ? IMAGES : 2 * IMAGES));
		assert_ok(cn_diffuse_regions(rankings[i], &world.graph, &regions, world.queries, QUERIES, &options,
					     NULL, i ? pool : NULL, NULL, NULL));
	}
	for (size_t q = 0; q < QUERIES; q++) {
		double scores[IMAGES];
		plain_scores(&world, q, scores);
		dense_assert_ranked(rankings[0], q, scores, IMAGES, 2e-4);
		assert_memory_equal(cairn_ranking_scores(rankings[0], q), cairn_ranking_scores(rankings[1], q),
				    IMAGES * sizeof(float));
	}
	assert_true(cairn_ranking_count(rankings[0], 0) > 5 && cairn_ranking_count(rankings[0], 1) > 1);
	assert_int_equal(cairn_ranking_count(rankings[0], 3), 0);
	cairn_ranking_free(rankings[0]);
	cairn_ranking_free(rankings[1]);
	cn_workers_free(pool);
	free_world(&world);
}

static int stop_now(const cairn_progress *progress, void *payload)
{
	(void)progress;
	(void)payload;
	return 1;
}

static void wrong_calls(void **state)
{
	static struct world world;
	static const size_t backwards[] = { 0, 3, 1 };
	static const float row[] = { NAN, 1, 0 };
	static const int32_t outside[] = { IMAGES };
	const cn_region_images regions = { IMAGES, world.starts, world.weights },
			       fewer = { IMAGES - 1, world.starts, NULL };
	const cn_diffusion_options published = CN_DIFFUSION_REGIONAL;
	cairn_ranking *ranking;
	float weights[3];
	(void)state;
	make_world(&world);
	assert_ok(cairn_ranking_new(&ranking, QUERIES, 5));
	assert_fails(cn_region_weights(weights, row, 1, backwards, 2, 1, NULL), CAIRN_EINVALID, "rows 3 to 1");
	assert_fails(cn_region_weights(weights, row, 1, (size_t[]){ 0, 1 }, 1, 1, NULL), CAIRN_EINVALID, "not finite");
	assert_fails(cn_region_weights(weights, row, 1, (size_t[]){ 0, 1 }, 1, 0, NULL), CAIRN_EINVALID, "lambda is 0");
	assert_fails(cn_diffuse_regions(ranking, &world.graph, &fewer, world.queries, QUERIES, &published, NULL, NULL,
					NULL, NULL),
		     CAIRN_EINVALID, "the graph is of");
	assert_fails(cn_diffuse_regions(ranking, &world.graph, &regions, world.queries, 1, &published, NULL, NULL, NULL,
					NULL),
		     CAIRN_EINVALID, "and 1 queries");
	assert_fails(cn_diffuse_regions(ranking, &world.graph, &regions, world.queries, QUERIES, &published, NULL, NULL,
					stop_now, NULL),
		     CAIRN_ECANCELLED, NULL);
	world.queries[2].shortlist = outside;
	world.queries[2].shortlist_count = 1;
	assert_fails(cn_diffuse_regions(ranking, &world.graph, &regions, world.queries, QUERIES, &published, NULL, NULL,
					NULL, NULL),
		     CAIRN_EINVALID, "query 2 names image 45");
	cairn_ranking_free(ranking);
	free_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_make_rows_count_alike),
		cmocka_unit_test(equals_a_dense_solution),
		cmocka_unit_test(wrong_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

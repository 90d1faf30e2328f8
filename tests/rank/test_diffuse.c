/* Diffusion with one vector an image against a dense solution. */
#include "dense.h"
#include "torture.h"

/* Solved to the end. */
static const cn_solver_options exactly = { 0.9f, 500, 1e-7f };

static void graph_of_mutual_neighbours(void **state)
{
	static const struct {
		size_t count, k, neighbours;
		float gamma, spread;
	} cases[] = {
		{ 60, 8, 5, 3, 0.4f }, { 130, 12, 12, 1, 2 },  { 200, 20, 7, 3, 0.2f },
		{ 40, 60, 50, 2, 1 },  { 10, 20, 3, 0.5f, 3 }, { 1, 2, 5, 3, 1 },
	};
	static double wanted[DENSE_MOST * DENSE_MOST], degrees[DENSE_MOST];
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct dense dense;
		cn_diffusion_graph graph;
		size_t n = cases[c].count, edges = 0;
		cn_diffusion_options options = { cases[c].neighbours, 1, cases[c].gamma, CN_SOLVER_OPTIONS_INIT };
		dense_make(&dense, n, cases[c].k, cases[c].spread, c);
		cn_neighbours lists = dense_lists(&dense);
		dense_affinities(wanted, &lists, cases[c].neighbours, (double)cases[c].gamma);
		for (size_t i = 0; i < n; i++) {
			degrees[i] = 0;
			for (size_t j = 0; j < n; j++)
				degrees[i] += wanted[i * n + j];
		}
		dense_normalise(wanted, n);
		assert_ok(cn_diffusion_graph_new(&graph, &lists, &options, NULL));
		for (size_t i = 0; i < n; i++) {
			assert_true(fabs((double)graph.roots[i] - sqrt(degrees[i])) < 1e-5);
			for (uint64_t k = graph.matrix.starts[i]; k < graph.matrix.starts[i + 1]; k++, edges++)
				assert_true(fabs((double)graph.matrix.values[k] -
						 wanted[i * n + graph.matrix.column[k]]) < 1e-5);
		}
		for (size_t i = 0; i < n * n; i++)
			edges -= wanted[i] > 0;
		assert_int_equal(edges, 0);
		cn_diffusion_graph_free(&graph);
		dense_free(&dense);
	}
}

/* A list that has the image itself, anywhere, gives the same graph. */
static void lists_with_the_image_itself(void **state)
{
	enum { N = 80, K = 9 };
	static int32_t ids[N * K];
	static float scores[N * K];
	struct dense dense;
	cn_diffusion_options options = { K - 1, 1, 3, CN_SOLVER_OPTIONS_INIT };
	cn_diffusion_graph with, without;
	(void)state;
	dense_make(&dense, N, K - 1, 0.5f, 3);
	for (size_t i = 0; i < N; i++)
		for (size_t place = 0, self = i % K; place < K; place++) {
			size_t from = i * (K - 1) + place - (place > self);
			ids[i * K + place] = place == self ? (int32_t)i : dense.ids[from];
			scores[i * K + place] = place == self ? 1 : dense.scores[from];
		}
	cn_neighbours lists = { N, K, ids, scores }, plain = dense_lists(&dense);
	assert_ok(cn_diffusion_graph_new(&with, &lists, &options, NULL));
	assert_ok(cn_diffusion_graph_new(&without, &plain, &options, NULL));
	size_t entries = without.matrix.starts[N];
	assert_memory_equal(with.matrix.starts, without.matrix.starts, (N + 1) * sizeof(*with.matrix.starts));
	assert_memory_equal(with.matrix.column, without.matrix.column, entries * sizeof(*with.matrix.column));
	assert_memory_equal(with.matrix.values, without.matrix.values, entries * sizeof(*with.matrix.values));
	cn_diffusion_graph_free(&with);
	cn_diffusion_graph_free(&without);
	dense_free(&dense);
}

/* Three images in a row: 0 - 1 - 2, and one that knows 0 but is not known. The query knows 0 with 0.5. */
static void chain_by_hand(void **state)
{
	const int32_t ids[] = { 1, -1, 0, 2, 1, -1, 0, -1 }, near[] = { 0, -1 };
	const float scores[] = { 1, 0, 1, 1, 1, 0, 1, 0 }, similarities[] = { 0.5f, NAN };
	const cn_neighbours lists = { 4, 2, ids, scores }, query = { 1, 2, near, similarities };
	const cn_diffusion_options options = { 2, 2, 3, { 0.8f, 20, 1e-7f } };
	const int64_t images[] = { 70, 71, -1, 73 };
	cn_diffusion_graph graph;
	cairn_ranking *ranking;
	(void)state;
	assert_ok(cn_diffusion_graph_new(&graph, &lists, &options, NULL));
	assert_int_equal(graph.matrix.starts[4], 4);
	assert_true(graph.roots[3] == 0);
	assert_ok(cairn_ranking_new(&ranking, 1, 9));
	assert_ok(cn_diffuse(ranking, &graph, &query, &options, NULL, NULL, NULL, NULL));
	assert_int_equal(cairn_ranking_count(ranking, 0), 3);
	for (int64_t i = 0; i < 3; i++)
		assert_int_equal(cairn_ranking_images(ranking, 0)[i], i);
	const float *found = cairn_ranking_scores(ranking, 0);
	assert_true(fabsf(found[0] - 0.125f * 0.68f / 0.36f) < 1e-5f);
	assert_true(fabsf(found[1] - 0.125f * 0.8f * sqrtf(0.5f) / 0.36f) < 1e-5f);
	assert_true(fabsf(found[2] - 0.125f * 0.32f / 0.36f) < 1e-5f);
	cairn_ranking_free(ranking);
	/* Ids of images, one of which must not be found. */
	assert_ok(cairn_ranking_new(&ranking, 1, 9));
	assert_ok(cn_diffuse(ranking, &graph, &query, &options, images, NULL, NULL, NULL));
	assert_int_equal(cairn_ranking_count(ranking, 0), 2);
	assert_int_equal(cairn_ranking_images(ranking, 0)[0], 70);
	assert_int_equal(cairn_ranking_images(ranking, 0)[1], 71);
	cairn_ranking_free(ranking);
	cn_diffusion_graph_free(&graph);
}

enum { N = 150, QUERIES = 37, KQ = 6 };

struct questions {
	int32_t ids[QUERIES * KQ];
	float scores[QUERIES * KQ];
};

static cn_neighbours ask(struct questions *questions, const struct dense *dense)
{
	uint64_t seed = 77;
	for (size_t q = 0; q < QUERIES; q++) {
		float row[DENSE_DIM];
		dense_row(row, q % 8, 0.5f, &seed);
		dense_nearest(dense, row, -1, dense->count, KQ, questions->ids + q * KQ, questions->scores + q * KQ);
	}
	return (cn_neighbours){ QUERIES, KQ, questions->ids, questions->scores };
}

static void equals_a_dense_solution(void **state)
{
	static const size_t query_neighbours[] = { 1, 4, KQ, 50 }, depths[] = { 10, N, 1000 };
	static double s[N * N];
	static struct questions questions;
	struct dense dense;
	cn_diffusion_graph graph;
	(void)state;
	dense_make(&dense, N, 10, 0.4f, 1);
	cn_neighbours lists = dense_lists(&dense), queries = ask(&questions, &dense);
	dense_affinities(s, &lists, 10, 3);
	dense_normalise(s, N);
	for (size_t c = 0; c < 4; c++) {
		cn_diffusion_options options = { 10, query_neighbours[c], 3, exactly };
		cairn_ranking *ranking;
		assert_ok(cn_diffusion_graph_new(&graph, &lists, &options, NULL));
		assert_ok(cairn_ranking_new(&ranking, QUERIES, depths[c % 3]));
		assert_ok(cn_diffuse(ranking, &graph, &queries, &options, NULL, NULL, NULL, NULL));
		for (size_t q = 0; q < QUERIES; q++) {
			double y[N] = { 0 }, f[N];
			for (size_t i = 0; i < KQ && i < query_neighbours[c]; i++)
				y[questions.ids[q * KQ + i]] = dense_weight((double)questions.scores[q * KQ + i], 3);
			dense_solve(s, N, 0.9, NULL, y, f);
			dense_assert_ranked(ranking, q, f, N, 1e-4);
		}
		cairn_ranking_free(ranking);
		cn_diffusion_graph_free(&graph);
	}
	dense_free(&dense);
}

static int same(const cairn_ranking *a, const cairn_ranking *b)
{
	for (size_t q = 0; q < cairn_ranking_queries(a); q++)
		if (memcmp(cairn_ranking_images(a, q), cairn_ranking_images(b, q),
			   cairn_ranking_depth(a) * sizeof(int64_t)) != 0 ||
		    memcmp(cairn_ranking_scores(a, q), cairn_ranking_scores(b, q),
			   cairn_ranking_depth(a) * sizeof(float)) != 0)
			return 0;
	return 1;
}

/* Four threads, and each query by itself, give the same bits. */
static void threads_and_company_change_nothing(void **state)
{
	static struct questions questions;
	const cn_diffusion_options options = CN_DIFFUSION_GLOBAL;
	struct dense dense;
	cn_diffusion_graph one, four;
	cairn_ranking *rankings[2], *single;
	cn_workers *pool;
	(void)state;
	assert_ok(cn_workers_new(&pool, 4));
	dense_make(&dense, N, 10, 0.4f, 1);
	cn_neighbours lists = dense_lists(&dense), queries = ask(&questions, &dense);
	assert_ok(cn_diffusion_graph_new(&one, &lists, &options, NULL));
	assert_ok(cn_diffusion_graph_new(&four, &lists, &options, pool));
	assert_memory_equal(one.matrix.values, four.matrix.values, one.matrix.starts[N] * sizeof(float));
	for (size_t i = 0; i < 2; i++) {
		assert_ok(cairn_ranking_new(&rankings[i], QUERIES, N));
		assert_ok(cn_diffuse(rankings[i], &one, &queries, &options, NULL, i ? pool : NULL, NULL, NULL));
	}
	assert_true(same(rankings[0], rankings[1]));
	for (size_t q = 0; q < QUERIES; q++) {
		cn_neighbours query = { 1, KQ, questions.ids + q * KQ, questions.scores + q * KQ };
		assert_ok(cairn_ranking_new(&single, 1, N));
		assert_ok(cn_diffuse(single, &one, &query, &options, NULL, NULL, NULL, NULL));
		assert_memory_equal(cairn_ranking_scores(single, 0), cairn_ranking_scores(rankings[0], q),
				    N * sizeof(float));
		cairn_ranking_free(single);
	}
	cairn_ranking_free(rankings[0]);
	cairn_ranking_free(rankings[1]);
	cn_diffusion_graph_free(&one);
	cn_diffusion_graph_free(&four);
	cn_workers_free(pool);
	dense_free(&dense);
}

static void wrong_graphs(void **state)
{
	static const struct {
		int32_t ids[4];
		float scores[4];
		cn_diffusion_options options;
		const char *text;
	} cases[] = {
		{ { 1, -1, 2, 0 }, { 1, 0, 1, 1 }, { 2, 1, 3, { 0, 1, 0 } }, "line 1 names number 2, of 2" },
		{ { 1, -1, 0, -1 }, { 1, 0, NAN, 1 }, { 2, 1, 3, { 0, 1, 0 } }, "line 1 has the similarity" },
		{ { 1, 1, 0, -1 }, { 1, 1, 1, 1 }, { 2, 1, 3, { 0, 1, 0 } }, "line 1 names number 0 twice" },
		{ { 1, -1, 0, -1 }, { 1e30f, 0, 1e30f, 0 }, { 2, 1, 3, { 0, 1, 0 } }, "too large" },
		{ { 1, -1, 0, -1 }, { 1, 0, 1, 0 }, { 0, 1, 3, { 0, 1, 0 } }, "0 neighbours an image" },
		{ { 1, -1, 0, -1 }, { 1, 0, 1, 0 }, { 2, 1, 0, { 0, 1, 0 } }, "gamma is 0" },
		{ { 1, -1, 0, -1 }, { 1, 0, 1, 0 }, { 2, 1, NAN, { 0, 1, 0 } }, "gamma" },
	};
	cn_diffusion_graph graph;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_neighbours lists = { 2, 2, cases[i].ids, cases[i].scores };
		assert_fails(cn_diffusion_graph_new(&graph, &lists, &cases[i].options, NULL), CAIRN_EINVALID,
			     cases[i].text);
	}
}

static void wrong_queries(void **state)
{
	static const int32_t ids[] = { 1, 0 }, outside[] = { 2, 0 };
	static const float scores[] = { 1, 1 }, infinite[] = { 1, INFINITY };
	static const struct {
		cn_neighbours queries;
		cn_diffusion_options options;
		const char *text;
	} cases[] = {
		{ { 2, 1, outside, scores }, { 2, 1, 3, { 0.5f, 20, 0 } }, "number 2, of 2" },
		{ { 2, 1, ids, infinite }, { 2, 1, 3, { 0.5f, 20, 0 } }, "similarity inf" },
		{ { 1, 2, ids, scores }, { 2, 1, 3, { 0.5f, 20, 0 } }, "for 2 queries, and 1" },
		{ { 2, 0, ids, scores }, { 2, 1, 3, { 0.5f, 20, 0 } }, "length 0" },
		{ { 2, 1, ids, scores }, { 2, 0, 3, { 0.5f, 20, 0 } }, "0 neighbours a query" },
		{ { 2, 1, ids, scores }, { 2, 1, -1, { 0.5f, 20, 0 } }, "gamma is -1" },
		{ { 2, 1, ids, scores }, { 2, 1, 3, { 1, 20, 0 } }, "alpha is 1" },
		{ { 2, 1, ids, scores }, { 2, 1, 3, { 0.5f, 0, 0 } }, "0 iterations" },
	};
	const cn_diffusion_options options = CN_DIFFUSION_GLOBAL;
	const cn_neighbours lists = { 2, 1, ids, scores };
	cn_diffusion_graph graph;
	cairn_ranking *ranking;
	(void)state;
	assert_ok(cn_diffusion_graph_new(&graph, &lists, &options, NULL));
	assert_ok(cairn_ranking_new(&ranking, 2, 2));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(cn_diffuse(ranking, &graph, &cases[i].queries, &cases[i].options, NULL, NULL, NULL, NULL),
			     CAIRN_EINVALID, cases[i].text);
	cairn_ranking_free(ranking);
	cn_diffusion_graph_free(&graph);
}

static int stop_now(const cairn_progress *progress, void *payload)
{
	(void)progress;
	(void)payload;
	return 1;
}

static void can_be_cancelled(void **state)
{
	static struct questions questions;
	const cn_diffusion_options options = CN_DIFFUSION_GLOBAL;
	struct dense dense;
	cn_diffusion_graph graph;
	cairn_ranking *ranking;
	(void)state;
	dense_make(&dense, N, 10, 0.4f, 1);
	cn_neighbours lists = dense_lists(&dense), queries = ask(&questions, &dense);
	assert_ok(cn_diffusion_graph_new(&graph, &lists, &options, NULL));
	assert_ok(cairn_ranking_new(&ranking, QUERIES, 5));
	assert_fails(cn_diffuse(ranking, &graph, &queries, &options, NULL, NULL, stop_now, NULL), CAIRN_ECANCELLED,
		     NULL);
	cairn_ranking_free(ranking);
	cn_diffusion_graph_free(&graph);
	dense_free(&dense);
}

static int make_and_ask(void *context)
{
	static const int32_t ids[] = { 1, 0 };
	static const float scores[] = { 1, 1 };
	const cn_diffusion_options options = CN_DIFFUSION_GLOBAL;
	const cn_neighbours lists = { 2, 1, ids, scores };
	cn_diffusion_graph graph;
	(void)context;
	int status = cn_diffusion_graph_new(&graph, &lists, &options, NULL);
	if (status < 0)
		return status;
	cairn_ranking *ranking;
	status = cairn_ranking_new(&ranking, 2, 2);
	if (status == 0)
		status = cn_diffuse(ranking, &graph, &lists, &options, NULL, NULL, NULL, NULL);
	cairn_ranking_free(ranking);
	cn_diffusion_graph_free(&graph);
	return status;
}

static void memory_runs_short(void **state)
{
	(void)state;
	assert_true(cn_torture(make_and_ask, NULL) >= 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(graph_of_mutual_neighbours),
		cmocka_unit_test(lists_with_the_image_itself),
		cmocka_unit_test(chain_by_hand),
		cmocka_unit_test(equals_a_dense_solution),
		cmocka_unit_test(threads_and_company_change_nothing),
		cmocka_unit_test(wrong_graphs),
		cmocka_unit_test(wrong_queries),
		cmocka_unit_test(can_be_cancelled),
		cmocka_unit_test(memory_runs_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

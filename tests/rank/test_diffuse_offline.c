/* Rows of the diffusion from every image, and searches with them, against dense solutions. */
#include "dense.h"
#include "rank/diffuse_offline.h"
#include "util/file.h"

enum { N = 120, K = N, QUERIES = 9, KQ = 5 };

/* Clusters of 20 that know each other little; image 50 has no list. */
static void make_world(struct dense *dense, cn_diffusion_graph *graph)
{
	const cn_diffusion_options options = { 8, 1, 3, CN_SOLVER_OPTIONS_INIT };
	dense_make(dense, N, K, 0.3f, 21);
	for (size_t i = 0; i < N; i++)
		for (size_t place = 0; place < K; place++)
			if (i == 50)
				dense->ids[i * K + place] = -1;
	cn_neighbours lists = dense_lists(dense);
	assert_ok(cn_diffusion_graph_new(graph, &lists, &options, NULL));
}

/* Keeps the rows where they belong. */
struct kept {
	size_t width, next;
	int32_t ids[N * N];
	float values[N * N];
};

static int keep_rows(void *context, size_t first, size_t count, const int32_t *ids, const float *values)
{
	struct kept *kept = context;
	assert_int_equal(first, kept->next);
	kept->next += count;
	memcpy(kept->ids + first * kept->width, ids, count * kept->width * sizeof(*ids));
	memcpy(kept->values + first * kept->width, values, count * kept->width * sizeof(*values));
	return 0;
}

/* The row of an image by elimination. @param s normalised over the whole graph */
static void plain_row(const struct dense *dense, const double *s, size_t image, size_t n, double alpha, double *row)
{
	char member[N] = { 0 };
	double y[N] = { 0 };
	member[image] = 1;
	for (size_t i = 0; i + 1 < n && i < K; i++)
		if (dense->ids[image * K + i] >= 0)
			member[dense->ids[image * K + i]] = 1;
	y[image] = 1;
	dense_solve(s, N, alpha, member, y, row);
}

static void assert_row(const int32_t *ids, const float *values, size_t width, const double *wanted)
{
	double most = 0, found[N] = { 0 };
	size_t count = 0;
	for (; count < width && ids[count] >= 0; count++) {
		assert_in_range(ids[count], 0, N - 1);
		assert_true(found[ids[count]] == 0);
		found[ids[count]] = (double)values[count];
		if (count)
			assert_true(values[count] < values[count - 1] ||
				    (values[count] == values[count - 1] && ids[count] > ids[count - 1]));
	}
	for (size_t i = count; i < width; i++)
		assert_true(ids[i] == -1 && values[i] == 0);
	for (size_t i = 0; i < N; i++)
		most = fmax(most, fabs(wanted[i]));
	for (size_t i = 0; i < N; i++)
		assert_true(fabs(found[i] - wanted[i]) < 1e-4 * most);
}

/* From truncation to the image alone to none, the last beyond N. */
static void rows_equal_dense_solutions(void **state)
{
	static const size_t truncations[] = { 1, 2, 15, 40, N, 10 * N };
	static double s[N * N];
	static struct kept kept;
	struct dense dense;
	cn_diffusion_graph graph;
	(void)state;
	make_world(&dense, &graph);
	cn_neighbours lists = dense_lists(&dense);
	dense_affinities(s, &lists, 8, 3);
	dense_normalise(s, N);
	for (size_t c = 0; c < sizeof(truncations) / sizeof(truncations[0]); c++) {
		const cn_offline_options options = { truncations[c], { 0.95f, 500, 1e-7f }, 50 };
		kept.width = truncations[c] < N ? truncations[c] : N;
		kept.next = 0;
		assert_int_equal(cn_offline_width(&graph, &options), kept.width);
		assert_ok(cn_diffuse_offline(&graph, &lists, 0, N, &options, keep_rows, &kept, NULL, NULL, NULL));
		assert_int_equal(kept.next, N);
		for (size_t i = 0; i < N; i++) {
			double wanted[N];
			plain_row(&dense, s, i, truncations[c] < N && i != 50 ? truncations[c] : N, 0.95, wanted);
			assert_row(kept.ids + i * kept.width, kept.values + i * kept.width, kept.width, wanted);
		}
		assert_int_equal(kept.ids[50 * kept.width], 50);
		assert_true(kept.values[50 * kept.width] == 1);
	}
	cn_diffusion_graph_free(&graph);
	dense_free(&dense);
}

/* A chain 0 - 1 - 2 cut to two images: late truncation keeps S of the whole. With S01 = 1 / sqrt(2) and a = 0.8,
 * 1 / (1 - a^2 / 2) and a / sqrt(2) times that. Image 0 has itself behind its equal. */
static void chain_by_hand(void **state)
{
	static struct kept kept;
	const int32_t ids[] = { 1, 0, 2, 0, 2, 1, 1, 2, 0 };
	const float scores[] = { 1, 1, 0, 1, 1, 0, 1, 1, 0 };
	const cn_neighbours lists = { 3, 3, ids, scores };
	const cn_diffusion_options graph_options = { 2, 1, 3, CN_SOLVER_OPTIONS_INIT };
	const cn_offline_options options = { 2, { 0.8f, 20, 1e-7f }, 1 };
	cn_diffusion_graph graph;
	(void)state;
	assert_ok(cn_diffusion_graph_new(&graph, &lists, &graph_options, NULL));
	kept.width = 2;
	kept.next = 0;
	assert_ok(cn_diffuse_offline(&graph, &lists, 0, 3, &options, keep_rows, &kept, NULL, NULL, NULL));
	assert_int_equal(kept.ids[0], 0);
	assert_int_equal(kept.ids[1], 1);
	assert_true(fabsf(kept.values[0] - 1 / 0.68f) < 1e-5f);
	assert_true(fabsf(kept.values[1] - 0.8f * sqrtf(0.5f) / 0.68f) < 1e-5f);
	assert_int_equal(kept.ids[4], 2);
	cn_diffusion_graph_free(&graph);
}

static void threads_and_pieces_change_nothing(void **state)
{
	static struct kept whole, pieces;
	const cn_offline_options options = { 30, CN_SOLVER_OPTIONS_INIT, 0 }, small = { 30, CN_SOLVER_OPTIONS_INIT, 7 };
	struct dense dense;
	cn_diffusion_graph graph;
	cn_workers *pool;
	(void)state;
	make_world(&dense, &graph);
	cn_neighbours lists = dense_lists(&dense);
	assert_ok(cn_workers_new(&pool, 4));
	whole.width = pieces.width = 30;
	whole.next = pieces.next = 0;
	assert_ok(cn_diffuse_offline(&graph, &lists, 0, N, &options, keep_rows, &whole, NULL, NULL, NULL));
	assert_ok(cn_diffuse_offline(&graph, &lists, 0, 33, &small, keep_rows, &pieces, pool, NULL, NULL));
	assert_ok(cn_diffuse_offline(&graph, &lists, 33, 33, &small, keep_rows, &pieces, pool, NULL, NULL));
	assert_ok(cn_diffuse_offline(&graph, &lists, 33, N, &small, keep_rows, &pieces, pool, NULL, NULL));
	assert_memory_equal(&whole, &pieces, sizeof(whole));
	cn_workers_free(pool);
	cn_diffusion_graph_free(&graph);
	dense_free(&dense);
}

/* ---- searching ---- */

struct questions {
	int32_t ids[QUERIES * KQ];
	float scores[QUERIES * KQ];
};

static cn_neighbours ask(struct questions *questions, const struct dense *dense)
{
	uint64_t seed = 5;
	for (size_t q = 0; q < QUERIES; q++) {
		float row[DENSE_DIM];
		dense_row(row, q % 6, 0.6f, &seed);
		dense_nearest(dense, row, -1, N, KQ, questions->ids + q * KQ, questions->scores + q * KQ);
	}
	questions->ids[KQ + 2] = -1;
	questions->scores[3] = -0.5f;
	return (cn_neighbours){ QUERIES, KQ, questions->ids, questions->scores };
}

static void make_rows(struct kept *kept, cn_offline_rows *rows, struct dense *dense, cn_diffusion_graph *graph)
{
	const cn_offline_options options = { 25, CN_SOLVER_OPTIONS_INIT, 0 };
	make_world(dense, graph);
	cn_neighbours lists = dense_lists(dense);
	kept->width = 25;
	kept->next = 0;
	assert_ok(cn_diffuse_offline(graph, &lists, 0, N, &options, keep_rows, kept, NULL, NULL, NULL));
	*rows = (cn_offline_rows){ N, 25, kept->ids, kept->values, { { .data = NULL } } };
}

static void dense_of_rows(const cn_offline_rows *rows, double *out)
{
	memset(out, 0, N * N * sizeof(*out));
	for (size_t i = 0; i < N * rows->width; i++)
		if (rows->ids[i] >= 0)
			out[i / rows->width * N + (size_t)rows->ids[i]] = (double)rows->values[i];
}

static void searches_add_rows(void **state)
{
	static struct kept kept;
	static struct questions questions;
	static double dense_rows[N * N];
	const cn_diffusion_options options = { 8, 4, 3, CN_SOLVER_OPTIONS_INIT };
	cn_offline_rows rows;
	struct dense dense;
	cn_diffusion_graph graph;
	cairn_ranking *rankings[2];
	cn_workers *pool;
	(void)state;
	assert_ok(cn_workers_new(&pool, 4));
	make_rows(&kept, &rows, &dense, &graph);
	dense_of_rows(&rows, dense_rows);
	cn_neighbours queries = ask(&questions, &dense);
	for (size_t i = 0; i < 2; i++) {
		assert_ok(cairn_ranking_new(&rankings[i], QUERIES, 60));
		cn_offline_searcher searcher;
		assert_ok(cn_offline_searcher_init(&searcher, &rows, i ? pool : NULL));
		/* Twice: a search leaves nothing behind. */
		for (size_t again = 0; again < 2; again++)
			assert_ok(cn_offline_search(rankings[i], &searcher, &queries, &options, NULL));
		cn_offline_searcher_free(&searcher);
	}
	for (size_t q = 0; q < QUERIES; q++) {
		double wanted[N] = { 0 };
		for (size_t i = q * KQ; i < q * KQ + 4; i++)
			for (size_t image = 0; questions.ids[i] >= 0 && image < N; image++)
				wanted[image] += dense_weight((double)questions.scores[i], 3) *
						 dense_rows[(size_t)questions.ids[i] * N + image];
		dense_assert_ranked(rankings[0], q, wanted, N, 1e-5);
		assert_memory_equal(cairn_ranking_scores(rankings[0], q), cairn_ranking_scores(rankings[1], q),
				    60 * sizeof(float));
	}
	cairn_ranking_free(rankings[0]);
	cairn_ranking_free(rankings[1]);
	cn_workers_free(pool);
	cn_diffusion_graph_free(&graph);
	dense_free(&dense);
}

static void comparisons_are_cosines_of_rows(void **state)
{
	static struct kept kept;
	static double dense_rows[N * N];
	static const int32_t positions[] = { 3, 50, 118, 3 };
	int64_t images[N];
	cn_offline_rows rows;
	cn_offline_index index;
	cn_offline_searcher searcher;
	struct dense dense;
	cn_diffusion_graph graph;
	cairn_ranking *ranking, *others;
	(void)state;
	make_rows(&kept, &rows, &dense, &graph);
	dense_of_rows(&rows, dense_rows);
	assert_ok(cn_offline_index_new(&index, &rows));
	assert_ok(cn_offline_searcher_init(&searcher, &rows, NULL));
	assert_ok(cairn_ranking_new(&ranking, 4, N));
	assert_ok(cairn_ranking_new(&others, 4, N));
	for (int64_t i = 0; i < N; i++)
		images[i] = i == 3 || i == 118 ? -1 : 1000 + i;
	assert_ok(cn_offline_compare(ranking, &searcher, &index, positions, 4, NULL));
	assert_ok(cn_offline_compare(others, &searcher, &index, positions, 4, images));
	for (size_t q = 0; q < 4; q++) {
		double wanted[N] = { 0 };
		const double *own = dense_rows + positions[q] * N;
		for (size_t i = 0; i < N; i++) {
			double dot = 0, a = 0, b = 0;
			for (size_t d = 0; d < N; d++) {
				dot += own[d] * dense_rows[i * N + d];
				a += own[d] * own[d];
				b += dense_rows[i * N + d] * dense_rows[i * N + d];
			}
			wanted[i] = dot / sqrt(a * b);
		}
		dense_assert_ranked(ranking, q, wanted, N, 1e-5);
		assert_int_equal(cairn_ranking_images(ranking, q)[0], positions[q]);
		for (size_t i = 0; i < cairn_ranking_count(others, q); i++)
			assert_in_range(cairn_ranking_images(others, q)[i], 1000, 1000 + N);
	}
	assert_int_equal(cairn_ranking_count(ranking, 1), 1);
	assert_int_equal(cairn_ranking_count(others, 0) + 1, cairn_ranking_count(ranking, 0));
	assert_fails(cn_offline_compare(ranking, &searcher, &index, (const int32_t[]){ 0, 0, N, 0 }, 4, NULL),
		     CAIRN_EINVALID, "query 2 is at position 120");
	cairn_ranking_free(ranking);
	cairn_ranking_free(others);
	cn_offline_searcher_free(&searcher);
	cn_offline_index_free(&index);
	cn_diffusion_graph_free(&graph);
	dense_free(&dense);
}

/* ---- files ---- */

static void files_hold_the_rows(void **state)
{
	static struct kept kept;
	const cn_offline_options options = { 25, CN_SOLVER_OPTIONS_INIT, 11 };
	const char *prefix = cn_test_path(cn_test_folder(), "rows");
	cn_offline_rows rows, read;
	struct dense dense;
	cn_diffusion_graph graph;
	(void)state;
	make_rows(&kept, &rows, &dense, &graph);
	cn_neighbours lists = dense_lists(&dense);
	assert_ok(cn_offline_write(prefix, &graph, &lists, &options, NULL, NULL, NULL));
	assert_ok(cn_offline_open(&read, prefix));
	assert_int_equal(read.count, N);
	assert_int_equal(read.width, 25);
	assert_memory_equal(read.ids, rows.ids, N * 25 * sizeof(*rows.ids));
	assert_memory_equal(read.values, rows.values, N * 25 * sizeof(*rows.values));
	cn_offline_close(&read);
	cn_diffusion_graph_free(&graph);
	dense_free(&dense);
}

static void wrong_files(void **state)
{
	static const struct {
		const char *what;
		cn_npy_type id_type;
		size_t rows, columns;
		int32_t id;
		float value;
		const char *text;
	} cases[] = {
		{ "other type", CN_NPY_F32, 2, 2, 0, 1, "elements are" },
		{ "other width", CN_NPY_I32, 2, 1, 0, 1, "wanted" },
		{ "empty", CN_NPY_I32, 2, 0, 0, 1, "there must be some" },
		{ "an image that is not there", CN_NPY_I32, 2, 2, 2, 1, "row 1 names image 2, of 2" },
		{ "not a number", CN_NPY_I32, 2, 2, 1, NAN, "not finite" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *prefix = cn_test_path(cn_test_folder(), "wrong");
		char ids_path[4096], values_path[4096];
		const size_t ids_shape[] = { cases[i].rows, cases[i].columns }, shape[] = { 2, 2 };
		const int32_t ids[] = { 0, 1, 1, cases[i].id };
		const float values[] = { 1, 0.5f, 1, cases[i].value };
		cn_offline_rows rows;
		snprintf(ids_path, sizeof(ids_path), "%s.ids.npy", prefix);
		snprintf(values_path, sizeof(values_path), "%s.values.npy", prefix);
		assert_ok(cn_npy_write(ids_path, cases[i].id_type, 2, ids_shape, ids));
		assert_ok(cn_npy_write(values_path, CN_NPY_F32, 2, shape, values));
		assert_fails(cn_offline_open(&rows, prefix), CAIRN_EFORMAT, cases[i].text);
	}
	cn_offline_rows rows;
	assert_fails(cn_offline_open(&rows, cn_test_path(cn_test_folder(), "absent")), CAIRN_ENOTFOUND,
		     "absent.ids.npy");
}

/* ---- failing ---- */

static int refuse(void *context, size_t first, size_t count, const int32_t *ids, const float *values)
{
	(void)context, (void)first, (void)count, (void)ids, (void)values;
	return cn_fail(CAIRN_ENOSPACE, "no more rows");
}

static int stop_now(const cairn_progress *progress, void *payload)
{
	(void)progress;
	(void)payload;
	return 1;
}

static void wrong_calls(void **state)
{
	static const struct {
		cn_offline_options options;
		size_t begin, end;
		int code;
		const char *text;
	} cases[] = {
		{ { 0, { 0.9f, 20, 0 }, 0 }, 0, N, CAIRN_EINVALID, "truncation to 0" },
		{ { 5, { 1, 20, 0 }, 0 }, 0, N, CAIRN_EINVALID, "alpha is 1" },
		{ { 5, { 0.9f, 20, 0 }, 0 }, 4, 3, CAIRN_EINVALID, "images 4 to 3" },
		{ { 5, { 0.9f, 20, 0 }, 0 }, 0, N + 1, CAIRN_EINVALID, "images 0 to 121" },
		{ { 5, { 0.9f, 20, 0 }, 0 }, 0, N, CAIRN_ENOSPACE, "no more rows" },
	};
	const cn_offline_options options = CN_OFFLINE_OPTIONS_INIT;
	const char *prefix = cn_test_path(cn_test_folder(), "cancelled");
	struct dense dense;
	cn_diffusion_graph graph;
	(void)state;
	make_world(&dense, &graph);
	cn_neighbours lists = dense_lists(&dense);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(cn_diffuse_offline(&graph, &lists, cases[i].begin, cases[i].end, &cases[i].options, refuse,
						NULL, NULL, NULL, NULL),
			     cases[i].code, cases[i].text);
	assert_fails(cn_offline_write(prefix, &graph, &lists, &options, NULL, stop_now, NULL), CAIRN_ECANCELLED, NULL);
	assert_false(cn_file_exists(cn_test_path(cn_test_folder(), "cancelled.ids.npy")));
	dense.ids[7 * K + 3] = N;
	assert_fails(cn_diffuse_offline(&graph, &lists, 0, N, &options, refuse, NULL, NULL, NULL, NULL), CAIRN_EINVALID,
		     "line 7 names number 120");
	assert_fails(cn_diffuse_offline(&graph, &lists, 5, N, &options, refuse, NULL, NULL, NULL, NULL), CAIRN_EINVALID,
		     "lists from image 5 on: neighbours: line 2 names number 120");
	cn_diffusion_graph_free(&graph);
	dense_free(&dense);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_equal_dense_solutions),
		cmocka_unit_test(chain_by_hand),
		cmocka_unit_test(threads_and_pieces_change_nothing),
		cmocka_unit_test(searches_add_rows),
		cmocka_unit_test(comparisons_are_cosines_of_rows),
		cmocka_unit_test(files_hold_the_rows),
		cmocka_unit_test(wrong_files),
		cmocka_unit_test(wrong_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

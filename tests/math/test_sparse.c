/* Sparse matrices against dense ones, and conjugate gradients against elimination. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/sparse.h"
#include "support.h"
#include "torture.h"

enum { MOST = 3000 };

/* Symmetric, with a part of its entries and some rows empty; none negative. */
static cn_sparse make_symmetric(size_t n, size_t entries, uint64_t seed)
{
	cn_triplet *list = calloc(2 * entries + 1, sizeof(*list));
	cn_sparse out;
	for (size_t e = 0; e < entries; e++) {
		uint32_t i = (uint32_t)(cn_test_random(&seed) % n), j = (uint32_t)(cn_test_random(&seed) % n);
		float value = i % 7 == 3 || j % 7 == 3 ? 0 : cn_test_uniform(&seed);
		list[2 * e] = (cn_triplet){ i, j, value };
		list[2 * e + 1] = (cn_triplet){ j, i, value };
	}
	assert_ok(cn_sparse_new(&out, n, n, list, 2 * entries));
	free(list);
	return out;
}

static void make_dense(const cn_sparse *matrix, double *dense)
{
	memset(dense, 0, matrix->rows * matrix->columns * sizeof(*dense));
	for (size_t i = 0; i < matrix->rows; i++)
		for (uint64_t k = matrix->starts[i]; k < matrix->starts[i + 1]; k++) {
			assert_true(k == matrix->starts[i] || matrix->column[k] > matrix->column[k - 1]);
			dense[i * matrix->columns + matrix->column[k]] = (double)matrix->values[k];
		}
}

static void entries_in_any_order(void **state)
{
	static const cn_triplet entries[] = { { 2, 1, 5 }, { 0, 3, 1 }, { 2, 0, -2 }, { 0, 3, 2 }, { 0, 0, 7 } };
	static const double wanted[12] = { 7, 0, 0, 3, 0, 0, 0, 0, -2, 5, 0, 0 };
	double dense[12];
	cn_sparse matrix, turned;
	(void)state;
	assert_ok(cn_sparse_new(&matrix, 3, 4, entries, 5));
	assert_int_equal(matrix.starts[3], 4);
	make_dense(&matrix, dense);
	assert_memory_equal(dense, wanted, sizeof(dense));
	assert_ok(cn_sparse_transpose(&turned, &matrix));
	assert_int_equal(turned.rows, 4);
	make_dense(&turned, dense);
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 4; j++)
			assert_true(dense[j * 3 + i] == wanted[i * 4 + j]);
	cn_sparse_free(&matrix);
	cn_sparse_free(&turned);
	assert_ok(cn_sparse_new(&matrix, 0, 0, NULL, 0));
	cn_sparse_free(&matrix);
}

static void wrong_entries(void **state)
{
	static const struct {
		cn_triplet entry;
		const char *text;
	} cases[] = {
		{ { 3, 0, 1 }, "in row 3" },
		{ { 0, 4, 1 }, "column 4" },
		{ { 1, 1, NAN }, "entry 0 is" },
		{ { 1, 1, INFINITY }, "inf" },
	};
	static const uint32_t twice[] = { 1, 1 }, outside[] = { 0, 3 };
	cn_sparse matrix, part;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(cn_sparse_new(&matrix, 3, 4, &cases[i].entry, 1), CAIRN_EINVALID, cases[i].text);
	assert_fails(cn_sparse_init(&matrix, (size_t)UINT32_MAX + 1, 1), CAIRN_ELIMIT, "4294967296");
	assert_ok(cn_sparse_new(&matrix, 3, 3, NULL, 0));
	assert_fails(cn_sparse_submatrix(&part, &matrix, twice, 2, NULL), CAIRN_EINVALID, "above the one before");
	assert_fails(cn_sparse_submatrix(&part, &matrix, outside, 2, NULL), CAIRN_EINVALID, "number 3");
	cn_sparse_free(&matrix);
}

static void products_and_parts(void **state)
{
	enum { N = 130 };
	static double dense[N * N], part[N * N];
	cn_sparse matrix = make_symmetric(N, 900, 5), cut;
	float x[N], y[N];
	uint32_t chosen[N];
	size_t count = 0;
	uint64_t seed = 6;
	(void)state;
	make_dense(&matrix, dense);
	for (uint32_t i = 0; i < N; i++) {
		x[i] = cn_test_normal(&seed);
		if (i % 3 != 1)
			chosen[count++] = i;
	}
	assert_ok(cn_sparse_multiply(&matrix, x, y, NULL));
	for (size_t i = 0; i < N; i++) {
		double sum = 0;
		for (size_t j = 0; j < N; j++)
			sum += dense[i * N + j] * (double)x[j];
		assert_true(fabs((double)y[i] - sum) < 1e-5);
	}
	assert_ok(cn_sparse_submatrix(&cut, &matrix, chosen, count, NULL));
	make_dense(&cut, part);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			assert_true(part[i * count + j] == dense[chosen[i] * N + chosen[j]]);
	cn_sparse_free(&cut);
	cn_sparse_free(&matrix);
}

static void normalised_by_degrees(void **state)
{
	enum { N = 90 };
	static double before[N * N], after[N * N];
	cn_sparse matrix = make_symmetric(N, 300, 8);
	float roots[N];
	double degrees[N] = { 0 };
	size_t empty = 0;
	(void)state;
	make_dense(&matrix, before);
	for (size_t i = 0; i < N * N; i++)
		degrees[i / N] += before[i];
	assert_ok(cn_sparse_normalise(&matrix, roots, NULL));
	make_dense(&matrix, after);
	for (size_t i = 0; i < N; i++) {
		empty += degrees[i] == 0;
		assert_true(fabs((double)roots[i] - sqrt(degrees[i])) < 1e-6);
		for (size_t j = 0; j < N; j++) {
			double wanted = before[i * N + j] > 0 ? before[i * N + j] / sqrt(degrees[i] * degrees[j]) : 0;
			assert_true(fabs(after[i * N + j] - wanted) < 1e-6);
			assert_true(after[i * N + j] == after[j * N + i]);
		}
	}
	assert_true(empty > 5);
	cn_sparse_free(&matrix);
}

/* A chain of three: S has 1 / sqrt(2) beside the diagonal, so f = (1 - a^2 / 2, a / sqrt(2), a^2 / 2) / (1 - a^2). */
static void chain_of_three(void **state)
{
	static const cn_triplet entries[] = { { 0, 1, 1 }, { 1, 0, 1 }, { 1, 2, 1 }, { 2, 1, 1 } };
	const cn_solver_options options = { 0.8f, 20, 0 };
	const float y[] = { 1, 0, 0 };
	float x[3];
	cn_sparse matrix;
	cn_solver solver;
	(void)state;
	assert_ok(cn_sparse_new(&matrix, 3, 3, entries, 4));
	assert_ok(cn_sparse_normalise(&matrix, NULL, NULL));
	assert_ok(cn_solver_init(&solver, 3, 0));
	assert_ok(cn_solver_run(&solver, &matrix, &options, y, 1, x, NULL));
	assert_true(fabsf(x[0] - 0.68f / 0.36f) < 1e-5f);
	assert_true(fabsf(x[1] - 0.8f * sqrtf(0.5f) / 0.36f) < 1e-5f);
	assert_true(fabsf(x[2] - 0.32f / 0.36f) < 1e-5f);
	cn_solver_free(&solver);
	cn_sparse_free(&matrix);
}

/* |y - (I - alpha S) x| / |y| in double */
static double relative_residual(const cn_sparse *matrix, double alpha, const float *y, const float *x)
{
	double squares = 0, all = 0;
	for (size_t i = 0; i < matrix->rows; i++) {
		double left = (double)y[i] - (double)x[i];
		for (uint64_t k = matrix->starts[i]; k < matrix->starts[i + 1]; k++)
			left += alpha * (double)matrix->values[k] * (double)x[matrix->column[k]];
		squares += left * left;
		all += (double)y[i] * (double)y[i];
	}
	return sqrt(squares / all);
}

/* Several right-hand sides, threads and kernels change no bit. */
static void solutions_do_not_depend_on_company(void **state)
{
	enum { SIDES = 19 };
	static const size_t sizes[] = { 1, 15, 17, 1024, 1025, MOST };
	static float y[SIDES * MOST], alone[SIDES * MOST], together[SIDES * MOST];
	const cn_solver_options options = { 0.9f, 200, 1e-6f };
	cn_workers *pool;
	(void)state;
	assert_ok(cn_workers_new(&pool, 4));
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t n = sizes[s];
		uint64_t seed = n;
		cn_sparse matrix = make_symmetric(n, 5 * n, n);
		cn_solver one, several;
		assert_ok(cn_sparse_normalise(&matrix, NULL, pool));
		assert_ok(cn_solver_init(&one, n, 0));
		assert_ok(cn_solver_init(&several, n, 1));
		/* What the memory holds before does not matter. */
		memset(one.image, 0xff, n * sizeof(float));
		memset(several.image, 0xff, n * CN_SOLVER_WIDTH * sizeof(float));
		for (size_t i = 0; i < SIDES * n; i++)
			y[i] = i / n == 4 ? 0 : cn_test_normal(&seed);
		cn_kernels_force(CN_KERNELS_SCALAR);
		assert_ok(cn_solver_run(&one, &matrix, &options, y, SIDES, alone, NULL));
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_AVX512; level++) {
			cn_kernels_force((cn_kernels)level);
			memset(together, 1, sizeof(together));
			assert_ok(cn_solver_run(&several, &matrix, &options, y, SIDES, together, pool));
			assert_memory_equal(alone, together, SIDES * n * sizeof(*y));
		}
		for (size_t side = 0; side < SIDES; side++)
			if (side != 4)
				assert_true(relative_residual(&matrix, 0.9, y + side * n, alone + side * n) < 3e-6);
		for (size_t i = 4 * n; i < 5 * n; i++)
			assert_true(alone[i] == 0);
		cn_solver_free(&one);
		cn_solver_free(&several);
		cn_sparse_free(&matrix);
	}
	cn_workers_free(pool);
}

/* Fewer iterations leave more of the residual, and a lax tolerance ends sooner. */
static void iterations_and_tolerance(void **state)
{
	enum { N = 400 };
	cn_sparse matrix = make_symmetric(N, 3 * N, 3);
	cn_solver_options options = { 0.99f, 1, 0 };
	float y[N], x[N], exact[N];
	uint64_t seed = 4;
	cn_solver solver;
	(void)state;
	assert_ok(cn_sparse_normalise(&matrix, NULL, NULL));
	assert_ok(cn_solver_init(&solver, N, 0));
	for (size_t i = 0; i < N; i++)
		y[i] = cn_test_normal(&seed);
	double before = 10;
	for (options.iterations = 1; options.iterations <= 64; options.iterations *= 4) {
		assert_ok(cn_solver_run(&solver, &matrix, &options, y, 1, x, NULL));
		assert_true(relative_residual(&matrix, 0.99, y, x) < before / 2);
		before = relative_residual(&matrix, 0.99, y, x);
	}
	options = (cn_solver_options){ 0.99f, 1000, 0.05f };
	assert_ok(cn_solver_run(&solver, &matrix, &options, y, 1, x, NULL));
	assert_true(relative_residual(&matrix, 0.99, y, x) < 0.051);
	assert_true(relative_residual(&matrix, 0.99, y, x) > 1e-3);
	options = (cn_solver_options){ 0, 5, 0 };
	assert_ok(cn_solver_run(&solver, &matrix, &options, y, 1, exact, NULL));
	assert_memory_equal(exact, y, sizeof(y));
	cn_solver_free(&solver);
	cn_sparse_free(&matrix);
}

static void options_out_of_range(void **state)
{
	static const struct {
		cn_solver_options options;
		const char *text;
	} cases[] = {
		{ { 1, 20, 0 }, "alpha is 1;" },
		{ { -0.1f, 20, 0 }, "alpha is -0.1" },
		{ { NAN, 20, 0 }, "alpha is" },
		{ { 0.5f, 0, 0 }, "0 iterations" },
		{ { 0.5f, 20, -1 }, "tolerance -1" },
		{ { 0.5f, 20, NAN }, "tolerance" },
		{ { 0.5f, 20, INFINITY }, "tolerance inf" },
	};
	cn_sparse matrix;
	cn_solver solver;
	float y[3] = { 0 }, x[3];
	(void)state;
	assert_ok(cn_sparse_new(&matrix, 3, 3, NULL, 0));
	assert_ok(cn_solver_init(&solver, 2, 0));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(cn_solver_run(&solver, &matrix, &cases[i].options, y, 1, x, NULL), CAIRN_EINVALID,
			     cases[i].text);
	assert_fails(cn_solver_run(&solver, &matrix, &(cn_solver_options)CN_SOLVER_OPTIONS_INIT, y, 1, x, NULL),
		     CAIRN_EINVALID, "memory for 2 rows");
	cn_solver_free(&solver);
	cn_sparse_free(&matrix);
}

static int make_all(void *context)
{
	static const cn_triplet entries[] = { { 0, 1, 1 }, { 1, 0, 1 } };
	static const uint32_t chosen[] = { 1 };
	cn_sparse matrix = { 0 }, turned = { 0 }, part = { 0 };
	cn_solver solver = { 0 };
	(void)context;
	int status = cn_sparse_new(&matrix, 2, 2, entries, 2);
	if (status == 0)
		status = cn_sparse_transpose(&turned, &matrix);
	if (status == 0)
		status = cn_sparse_submatrix(&part, &matrix, chosen, 1, NULL);
	if (status == 0)
		status = cn_sparse_normalise(&matrix, NULL, NULL);
	if (status == 0)
		status = cn_solver_init(&solver, 2, 1);
	cn_sparse_free(&matrix);
	cn_sparse_free(&turned);
	cn_sparse_free(&part);
	cn_solver_free(&solver);
	return status;
}

static void memory_runs_short(void **state)
{
	(void)state;
	assert_true(cn_torture(make_all, NULL) >= 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_in_any_order),     cmocka_unit_test(wrong_entries),
		cmocka_unit_test(products_and_parts),       cmocka_unit_test(normalised_by_degrees),
		cmocka_unit_test(chain_of_three),           cmocka_unit_test(solutions_do_not_depend_on_company),
		cmocka_unit_test(iterations_and_tolerance), cmocka_unit_test(options_out_of_range),
		cmocka_unit_test(memory_runs_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

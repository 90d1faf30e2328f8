/* Eigenvectors and triangular factors against their equations, products against loops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/matrix.h"
#include "support.h"
#include "util/memory.h"

static void eigenvectors_satisfy_their_equation(void **state)
{
	static const size_t sizes[] = { 1, 2, 5, 40 };
	uint64_t seed = 13;
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i];
		double *matrix = malloc(n * n * sizeof(double)), *vectors = malloc(n * n * sizeof(double));
		double *values = malloc(n * sizeof(double));
		for (size_t r = 0; r < n; r++)
			for (size_t c = 0; c <= r; c++)
				matrix[r * n + c] = matrix[c * n + r] = (double)cn_test_normal(&seed);
		assert_ok(cn_matrix_eigen(n, matrix, values, vectors));
		for (size_t v = 0; v < n; v++) {
			double norm = 0;
			assert_true(v == 0 || values[v] <= values[v - 1]);
			for (size_t r = 0; r < n; r++) {
				double sum = 0, x = vectors[v * n + r];
				for (size_t c = 0; c < n; c++)
					sum += matrix[r * n + c] * vectors[v * n + c];
				assert_true(fabs(sum - values[v] * x) < 1e-10);
				norm += x * x;
			}
			assert_true(fabs(norm - 1) < 1e-12);
		}
		free(matrix);
		free(vectors);
		free(values);
	}
}

/* L with positive numbers on its diagonal, and what it is a factor of. */
static void make_factor(size_t n, uint64_t *seed, double *lower, double *symmetric)
{
	for (size_t r = 0; r < n; r++)
		for (size_t c = 0; c < n; c++)
			lower[r * n + c] = c > r    ? 0
					   : c == r ? 1 + (double)cn_test_uniform(seed)
						    : 0.3 * (double)cn_test_normal(seed);
	for (size_t r = 0; r < n; r++)
		for (size_t c = 0; c < n; c++) {
			symmetric[r * n + c] = 0;
			for (size_t k = 0; k < n; k++)
				symmetric[r * n + c] += lower[r * n + k] * lower[c * n + k];
		}
}

static void assert_near(const double *found, const double *expected, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_true(fabs(found[i] - expected[i]) < 1e-9 * (1 + fabs(expected[i])));
}

static void factors_are_found_and_inverted(void **state)
{
	static const size_t sizes[] = { 1, 2, 7, 33 };
	static double lower[33 * 33], symmetric[33 * 33], found[33 * 33], product[33 * 33];
	uint64_t seed = 29;
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i];
		make_factor(n, &seed, lower, symmetric);
		memcpy(found, symmetric, n * n * sizeof(double));
		/* The upper triangle is not looked at. */
		for (size_t r = 0; r < n; r++)
			for (size_t c = r + 1; c < n; c++)
				found[r * n + c] = NAN;
		assert_int_equal(cn_matrix_cholesky(n, found), 1);
		assert_near(found, lower, n * n);
		assert_ok(cn_matrix_invert_lower(n, found));
		for (size_t r = 0; r < n; r++)
			for (size_t c = 0; c < n; c++) {
				double sum = 0;
				for (size_t k = 0; k < n; k++)
					sum += found[r * n + k] * lower[k * n + c];
				product[r * n + c] = sum - (r == c);
				assert_true(fabs(product[r * n + c]) < 1e-9);
			}
		/* A S A^T is the identity where A is the inverse of the factor of S. */
		cn_matrix_transform(n, found, symmetric);
		for (size_t r = 0; r < n; r++)
			for (size_t c = 0; c < n; c++)
				assert_true(fabs(symmetric[r * n + c] - (r == c)) < 1e-8);
	}
}

static void products_are_those_of_loops(void **state)
{
	enum { N = 9, COUNT = 5 };
	double lower[N * N], symmetric[N * N], rows[COUNT * N], expected[COUNT * N], squares[N * N];
	uint64_t seed = 31;
	(void)state;
	make_factor(N, &seed, lower, symmetric);
	for (size_t i = 0; i < COUNT * N; i++)
		rows[i] = (double)cn_test_normal(&seed);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t c = 0; c < N; c++) {
			expected[i * N + c] = 0;
			for (size_t k = 0; k < N; k++)
				expected[i * N + c] += rows[i * N + k] * lower[k * N + c];
		}
	for (size_t k = 0; k < N * N; k++)
		squares[k] = 100;
	cn_matrix_add_squares(N, rows, COUNT, squares);
	for (size_t r = 0; r < N; r++)
		for (size_t c = 0; c < N; c++) {
			double sum = 100;
			for (size_t i = 0; i < COUNT && c >= r; i++)
				sum += rows[i * N + r] * rows[i * N + c];
			assert_true(fabs(squares[r * N + c] - sum) < 1e-9);
		}
	cn_matrix_times_lower(N, rows, COUNT, lower);
	assert_near(rows, expected, COUNT * N);
}

static void what_has_no_factor_is_told(void **state)
{
	double saddle[4] = { 1, 2, 2, 1 }, nothing[4] = { 0 }, hole[4] = { 1, 0, 5, 0 };
	(void)state;
	assert_int_equal(cn_matrix_cholesky(2, saddle), 0);
	assert_int_equal(cn_matrix_cholesky(2, nothing), 0);
	assert_fails(cn_matrix_invert_lower(2, hole), CAIRN_EBACKEND, "triangular 2 x 2");
}

static void short_memory_is_reported(void **state)
{
	double matrix[4] = { 2, 1, 1, 2 }, values[2], vectors[4];
	(void)state;
	for (long n = 0; n < 2; n++) {
		cn_memory_fail_at(n);
		assert_fails(cn_matrix_eigen(2, matrix, values, vectors), CAIRN_ENOMEM, NULL);
	}
	cn_memory_fail_at(-1);
	assert_ok(cn_matrix_eigen(2, matrix, values, vectors));
	assert_float_equal(values[0], 3, 1e-12);
	assert_float_equal(values[1], 1, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eigenvectors_satisfy_their_equation),
		cmocka_unit_test(factors_are_found_and_inverted),
		cmocka_unit_test(products_are_those_of_loops),
		cmocka_unit_test(what_has_no_factor_is_told),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Principal components against Jacobi's method, which shares nothing with LAPACK's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/pca.h"
#include "support.h"
#include "util/memory.h"

static double *covariance_of(const float *rows, size_t count, size_t dim, double *mean)
{
	double *covariance = calloc(dim * dim, sizeof(*covariance));
	for (size_t k = 0; k < dim; k++) {
		mean[k] = 0;
		for (size_t i = 0; i < count; i++)
			mean[k] += (double)rows[i * dim + k] / (double)count;
	}
	for (size_t r = 0; r < dim; r++)
		for (size_t c = 0; c < dim; c++)
			for (size_t i = 0; i < count; i++)
				covariance[r * dim + c] += ((double)rows[i * dim + r] - mean[r]) *
							   ((double)rows[i * dim + c] - mean[c]) / (double)count;
	return covariance;
}

static int descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* Turns rows and columns p and q so that the entry between them vanishes. */
static void rotate(double *matrix, size_t n, size_t p, size_t q)
{
	double angle = 0.5 * atan2(2 * matrix[p * n + q], matrix[q * n + q] - matrix[p * n + p]);
	double c = cos(angle), s = sin(angle);
	for (size_t k = 0; k < n; k++) {
		double x = matrix[p * n + k], y = matrix[q * n + k];
		matrix[p * n + k] = c * x - s * y;
		matrix[q * n + k] = s * x + c * y;
	}
	for (size_t k = 0; k < n; k++) {
		double x = matrix[k * n + p], y = matrix[k * n + q];
		matrix[k * n + p] = c * x - s * y;
		matrix[k * n + q] = s * x + c * y;
	}
}

static void jacobi_values(const double *symmetric, size_t n, double *values)
{
	double *matrix = malloc(n * n * sizeof(*matrix));
	memcpy(matrix, symmetric, n * n * sizeof(*matrix));
	for (int sweep = 0; sweep < 60; sweep++)
		for (size_t p = 0; p < n; p++)
			for (size_t q = p + 1; q < n; q++)
				rotate(matrix, n, p, q);
	for (size_t k = 0; k < n; k++)
		values[k] = matrix[k * n + k];
	qsort(values, n, sizeof(*values), descending);
	free(matrix);
}

static double inner(const float *a, const float *b, size_t n)
{
	double sum = 0;
	for (size_t k = 0; k < n; k++)
		sum += (double)a[k] * (double)b[k];
	return sum;
}

static void assert_axis(const cn_pca *pca, size_t i, const double *covariance, double largest)
{
	const float *axis = pca->axes + i * pca->dim;
	size_t peak = 0;
	for (size_t r = 0; r < pca->dim; r++) {
		double sum = 0;
		for (size_t c = 0; c < pca->dim; c++)
			sum += covariance[r * pca->dim + c] * (double)axis[c];
		assert_true(fabs(sum - (double)pca->variance[i] * (double)axis[r]) < 1e-5 * largest);
		peak = fabsf(axis[r]) > fabsf(axis[peak]) ? r : peak;
	}
	assert_true(axis[peak] > 0);
	for (size_t j = 0; j <= i; j++)
		assert_true(fabs(inner(axis, pca->axes + j * pca->dim, pca->dim) - (i == j)) < 1e-5);
}

static void check_rows(const float *rows, size_t count, size_t dim, size_t keep)
{
	cn_pca pca;
	double *mean = malloc(dim * sizeof(*mean)), *values = malloc(dim * sizeof(*values));
	double *covariance = covariance_of(rows, count, dim, mean);
	jacobi_values(covariance, dim, values);
	assert_ok(cn_pca_learn(&pca, rows, count, dim, keep));
	assert_int_equal(pca.dim, dim);
	assert_int_equal(pca.kept, keep);
	for (size_t k = 0; k < dim; k++)
		assert_true(fabs((double)pca.mean[k] - mean[k]) <= 1e-6 * (1 + fabs(mean[k])));
	for (size_t i = 0; i < keep; i++) {
		assert_true(pca.variance[i] >= 0);
		assert_true(fabs((double)pca.variance[i] - fmax(values[i], 0)) <= 1e-6 * values[0]);
		assert_axis(&pca, i, covariance, values[0]);
	}
	cn_pca_free(&pca);
	free(mean);
	free(values);
	free(covariance);
}

static void components_are_those_of_jacobi(void **state)
{
	static const struct {
		size_t count, dim, keep;
		size_t rank; /* directions that the rows vary in */
		float mean;
	} cases[] = {
		{ 200, 6, 6, 6, 0 },   { 300, 20, 7, 20, 5 },  { 2, 5, 5, 5, 1 },      { 8, 24, 24, 24, 0 },
		{ 60, 16, 16, 3, -2 }, { 50, 12, 12, 1, 100 }, { 700, 30, 30, 30, 0 }, { 40, 1, 1, 1, 3 },
	};
	uint64_t seed = 17;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = cases[i].count, dim = cases[i].dim;
		float *rows = malloc(count * dim * sizeof(*rows)), *basis = malloc(dim * dim * sizeof(*basis));
		for (size_t k = 0; k < dim * dim; k++)
			basis[k] = cn_test_normal(&seed);
		for (size_t r = 0; r < count; r++) {
			for (size_t k = 0; k < dim; k++)
				rows[r * dim + k] = cases[i].mean;
			for (size_t j = 0; j < cases[i].rank; j++) {
				float weight = cn_test_normal(&seed) / (float)(j + 1);
				for (size_t k = 0; k < dim; k++)
					rows[r * dim + k] += weight * basis[j * dim + k];
			}
		}
		check_rows(rows, count, dim, cases[i].keep);
		free(rows);
		free(basis);
	}
}

static void rows_all_alike_have_no_variance(void **state)
{
	float rows[4 * 3] = { 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3 };
	cn_pca pca;
	(void)state;
	assert_ok(cn_pca_learn(&pca, rows, 4, 3, 3));
	for (size_t i = 0; i < 3; i++) {
		assert_true(pca.variance[i] == 0);
		assert_true(pca.mean[i] == rows[i]);
		assert_true(fabs(inner(pca.axes + 3 * i, pca.axes + 3 * i, 3) - 1) < 1e-6);
	}
	cn_pca_free(&pca);
}

static void faults_are_reported(void **state)
{
	float rows[6] = { 1, 2, 3, 4, 5, 7 };
	cn_pca pca;
	(void)state;
	assert_fails(cn_pca_learn(&pca, rows, 1, 3, 1), CAIRN_EINVALID, "1 rows");
	assert_fails(cn_pca_learn(&pca, rows, 2, 3, 0), CAIRN_EINVALID, "0 to keep");
	assert_fails(cn_pca_learn(&pca, rows, 2, 3, 4), CAIRN_EINVALID, "4 to keep");
	rows[4] = NAN;
	assert_fails(cn_pca_learn(&pca, rows, 2, 3, 1), CAIRN_EINVALID, "not finite");
	rows[4] = 5;
	/* Every allocation in turn, until none fails any more. */
	int status = CAIRN_ENOMEM;
	for (long n = 0; status < 0; n++) {
		assert_in_range(n, 0, 20);
		cn_memory_fail_at(n);
		status = cn_pca_learn(&pca, rows, 2, 3, 2);
		assert_true(status == 0 || (status == CAIRN_ENOMEM && !pca.axes));
	}
	cn_memory_fail_at(-1);
	cn_pca_free(&pca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(components_are_those_of_jacobi),
		cmocka_unit_test(rows_all_alike_have_no_variance),
		cmocka_unit_test(faults_are_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

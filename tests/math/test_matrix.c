/* Eigenvectors against their equation. */
#include <math.h>
#include <stdlib.h>

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
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

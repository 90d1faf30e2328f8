/* Inner products of bytes at every kernel level. */
#include <stdlib.h>

#include "math/code_products.h"
#include "math/codes.h"
#include "math/dispatch.h"
#include "support.h"

static void every_level_gives_the_definition(void **state)
{
	static const size_t dims[] = { 1, 7, 16, 31, 64, 100, 128, 1024, CN_CODES_MAX_DIM };
	enum { ROWS = 9 };
	uint64_t seed = 5;
	(void)state;
	for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
		size_t dim = dims[d];
		int8_t *query = malloc(dim), *rows = malloc(ROWS * dim);
		int32_t found[ROWS];
		for (size_t k = 0; k < dim; k++)
			query[k] = (int8_t)(cn_test_random(&seed) % 255 - 127);
		for (size_t k = 0; k < ROWS * dim; k++)
			rows[k] = (int8_t)cn_test_random(&seed);
		/* The largest sums there are, of both signs. */
		for (size_t k = 0; d % 2 && k < dim; k++) {
			query[k] = d % 4 == 1 ? 127 : -127;
			rows[k] = -128;
		}
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
			cn_kernels_force((cn_kernels)level);
			cn_code_products(query, rows, ROWS, dim, found);
			for (size_t i = 0; i < ROWS; i++) {
				int64_t wanted = 0;
				for (size_t k = 0; k < dim; k++)
					wanted += (int64_t)query[k] * rows[i * dim + k];
				assert_int_equal(found[i], wanted);
			}
		}
		free(query);
		free(rows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_level_gives_the_definition) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

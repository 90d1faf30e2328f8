/* Nearest codes both ways, at every kernel level, against a double loop that is written for reading only. */
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/nearest.h"
#include "support.h"
#include "util/memory.h"

enum contents { RANDOM, EXTREMES, FEW_VALUES, ALL_ALIKE, LOWEST };

static void fill(int8_t *codes, size_t count, size_t dim, enum contents contents, uint64_t *seed)
{
	for (size_t i = 0; i < count * dim; i++) {
		uint64_t r = cn_test_random(seed);
		switch (contents) {
		case RANDOM:
			codes[i] = (int8_t)((int)(r % 255) - 127);
			break;
		case EXTREMES:
			codes[i] = r & 1 ? 127 : -127;
			break;
		case FEW_VALUES:
			codes[i] = (int8_t)((int)(r % 3) - 1);
			break;
		case ALL_ALIKE:
			codes[i] = 127;
			break;
		case LOWEST:
			codes[i] = -127;
			break;
		}
	}
	/* Duplicates: ties must go to the smaller index. */
	for (size_t i = 3; i < count; i += 4)
		memcpy(codes + i * dim, codes + i / 2 * dim, dim);
}

/* The best rows of b for one row, by the definition. */
static cn_nearest nearest_of(const int8_t *row, const int8_t *b, size_t nb, size_t dim)
{
	cn_nearest result = { -1, INT32_MIN, INT32_MIN };
	for (size_t pass = 0; pass < 2; pass++)
		for (size_t j = 0; j < nb; j++) {
			int32_t product = 0;
			for (size_t k = 0; k < dim; k++)
				product += row[k] * b[j * dim + k];
			if (pass == 0 && (result.best < 0 || product > result.product)) {
				result.best = (int32_t)j;
				result.product = product;
			} else if (pass == 1 && (int32_t)j != result.best && product > result.second) {
				result.second = product;
			}
		}
	return result;
}

static void assert_same(const cn_nearest *found, const cn_nearest *wanted, size_t count, const char *what)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(&found[i], &wanted[i], sizeof(found[i])) != 0) {
			print_error("%s %zu: best %d (%d), second %d; wanted %d (%d), %d\n", what, i, found[i].best,
				    found[i].product, found[i].second, wanted[i].best, wanted[i].product,
				    wanted[i].second);
			fail();
		}
}

/* All levels on the same two sets; one scratch memory for all calls, as a thread keeps it. */
static void check_sets(size_t na, size_t nb, size_t dim, enum contents of_a, enum contents of_b,
		       cn_nearest_scratch *scratch)
{
	uint64_t seed = na * 1000003 + nb * 1009 + dim;
	/* Exactly as large as the sets, so that AddressSanitizer sees what is read beyond them. */
	int8_t *a = malloc(na * dim + !na), *b = malloc(nb * dim + !nb);
	cn_nearest *wanted = calloc(na + nb + 1, sizeof(*wanted)), *found = calloc(na + nb + 1, sizeof(*found));
	fill(a, na, dim, of_a, &seed);
	fill(b, nb, dim, of_b, &seed);
	for (size_t i = 0; i < na; i++)
		wanted[i] = nearest_of(a + i * dim, b, nb, dim);
	for (size_t j = 0; j < nb; j++)
		wanted[na + j] = nearest_of(b + j * dim, a, na, dim);
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		char what[100];
		cn_kernels used = cn_kernels_force((cn_kernels)level);
		memset(found, 0x55, (na + nb) * sizeof(*found));
		assert_ok(cn_nearest_both(a, na, b, nb, dim, found, found + na, scratch));
		snprintf(what, sizeof(what), "%zu x %zu x %zu, contents %d %d, level %d: vector", na, nb, dim, of_a,
			 of_b, used);
		assert_same(found, wanted, na + nb, what);
	}
	free(a);
	free(b);
	free(wanted);
	free(found);
}

static void every_level_gives_the_definition(void **state)
{
	static const size_t dims[] = { 1, 3, 31, 32, 33, 64, 100, 128 };
	static const size_t sizes[] = { 0, 1, 2, 4, 15, 16, 17, 31, 32, 33, 65 };
	cn_nearest_scratch scratch = { NULL, 0 };
	(void)state;
	for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
				enum contents contents = (i + j + d) % 2 ? RANDOM : FEW_VALUES;
				check_sets(sizes[i], sizes[j], dims[d], contents, contents, &scratch);
			}
	cn_nearest_scratch_free(&scratch);
}

static void extremes_and_large_sets(void **state)
{
	static const struct {
		size_t na, nb, dim;
		enum contents a, b;
	} cases[] = {
		{ 40, 50, 64, EXTREMES, EXTREMES },
		{ 40, 50, 64, ALL_ALIKE, ALL_ALIKE },
		{ 40, 50, 64, ALL_ALIKE, LOWEST },
		{ 33, 3, 128, LOWEST, LOWEST },
		{ 5, 70, 1024, ALL_ALIKE, LOWEST },
		{ 70, 5, 1024, ALL_ALIKE, ALL_ALIKE },
		{ 30, 30, 4096, LOWEST, ALL_ALIKE },
		/* more rows and columns than a pass of this dimension holds */
		{ 300, 200, 1024, RANDOM, RANDOM },
		{ 130, 260, 1024, FEW_VALUES, FEW_VALUES },
		{ 70, 90, 4096, EXTREMES, EXTREMES },
		{ 1100, 2100, 100, FEW_VALUES, FEW_VALUES },
		{ 1000, 1000, 64, RANDOM, RANDOM },
		{ 1000, 1000, 64, FEW_VALUES, FEW_VALUES },
		{ 2100, 33, 64, FEW_VALUES, FEW_VALUES },
		{ 17, 2100, 64, ALL_ALIKE, ALL_ALIKE },
	};
	cn_nearest_scratch scratch = { NULL, 0 };
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_sets(cases[i].na, cases[i].nb, cases[i].dim, cases[i].a, cases[i].b, &scratch);
	cn_nearest_scratch_free(&scratch);
}

static void faults_are_reported(void **state)
{
	static const int8_t codes[64];
	cn_nearest result[2];
	cn_nearest_scratch scratch = { NULL, 0 };
	(void)state;
	assert_fails(cn_nearest_both(codes, 1, codes, 1, 0, result, result + 1, &scratch), CAIRN_EINVALID,
		     "0 dimensions");
	assert_fails(cn_nearest_both(codes, 1, codes, 1, 4097, result, result + 1, &scratch), CAIRN_EINVALID, "4097");
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		/* The reference needs no memory. */
		int wanted = cn_kernels_force((cn_kernels)level) == CN_KERNELS_SCALAR ? 0 : CAIRN_ENOMEM;
		cn_memory_fail_at(0);
		int status = cn_nearest_both(codes, 1, codes, 1, 64, result, result + 1, &scratch);
		cn_memory_fail_at(-1);
		assert_int_equal(status, wanted);
		assert_true(status == 0 || cairn_last_error()[0]);
		assert_ok(cn_nearest_both(codes, 1, codes, 1, 64, result, result + 1, &scratch));
		assert_int_equal(result[0].best, 0);
		assert_int_equal(result[0].product, 0);
		assert_int_equal(result[0].second, INT32_MIN);
		cn_nearest_scratch_free(&scratch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_gives_the_definition),
		cmocka_unit_test(extremes_and_large_sets),
		cmocka_unit_test(faults_are_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

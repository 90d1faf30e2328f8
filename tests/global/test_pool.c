/*
 * Pooling against hand-computed cases and a plain double loop.
 */
#include <math.h>
#include <stdlib.h>

#include "global/pool.h"
#include "math/dispatch.h"
#include "support.h"

static void test_by_hand(void **state)
{
	(void)state;
	static const struct {
		float map[4];
		float p, expected;
	} cases[] = {
		{ { 1, 1, 1, 1 }, 3, 1.0f },
		{ { 0, 0, 0, 2 }, 3, 1.2599211f },    /* (8 / 4)^(1/3) */
		{ { 0, 0, 0, 2 }, 1, 0.50000075f },   /* the mean, zeros counting as 1e-6 */
		{ { 1, 2, 3, 4 }, 2, 2.7386128f },    /* sqrt(30 / 4) */
		{ { -5, -5, -5, -5 }, 3, 1e-6f },     /* negative activations count as the floor */
		{ { 1, 2, 3, 4 }, 50, 3.8906f },      /* nearly the maximum: 4 * (1/4)^(1/50) */
		{ { 1e5f, 0, 0, 0 }, 100, 98623.3f }, /* whose power no number holds: 1e5 * (1/4)^(1/100) */
		{ { 1e-5f, 0, 0, 0 }, 100, 9.86233e-6f },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		float out;
		cn_pool_gem(cases[i].map, 1, 4, cases[i].p, &out);
		assert_float_equal(out, cases[i].expected, 1e-4 * (double)cases[i].expected);
	}
}

static void test_against_a_plain_loop(void **state)
{
	(void)state;
	static const float powers[] = { 1, 2.5f, 3, 4.6f };
	static const size_t sizes[] = { 1, 7, 8, 9, 192, 1000 };
	uint64_t seed = 3;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t positions = sizes[s], channels = 5;
		float *map = malloc(channels * positions * sizeof(*map));
		for (size_t i = 0; i < channels * positions; i++)
			map[i] = 6 * cn_test_uniform(&seed) - 1;
		for (size_t k = 0; k < sizeof(powers) / sizeof(powers[0]); k++) {
			float out[5];
			cn_pool_gem(map, channels, positions, powers[k], out);
			for (size_t c = 0; c < channels; c++) {
				double sum = 0;
				for (size_t i = 0; i < positions; i++)
					sum += pow(fmax((double)map[c * positions + i], 1e-6), (double)powers[k]);
				double expected = pow(sum / (double)positions, 1 / (double)powers[k]);
				assert_float_equal(out[c], expected, 2e-6 * expected);
			}
		}
		free(map);
	}
}

static void test_every_kernel_gives_the_same_bytes(void **state)
{
	(void)state;
	float map[3 * 193], scalar[3], out[3];
	uint64_t seed = 8;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		map[i] = 6 * cn_test_uniform(&seed) - 1;
	cn_kernels_force(CN_KERNELS_SCALAR);
	cn_pool_gem(map, 3, 193, 3, scalar);
	for (int level = CN_KERNELS_AVX2; level <= CN_KERNELS_AVX512; level++) {
		cn_kernels_force((cn_kernels)level);
		cn_pool_gem(map, 3, 193, 3, out);
		assert_memory_equal(out, scalar, sizeof(scalar));
	}
}

static void test_nan_stays_nan(void **state)
{
	(void)state;
	const float map[] = { 1, NAN, 2, 3, 1, 1, 1, 1, 1 };
	static const float powers[] = { 1, 3 };
	for (size_t k = 0; k < 2; k++) {
		float out;
		cn_pool_gem(map, 1, 9, powers[k], &out);
		assert_true(isnan(out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_against_a_plain_loop),
		cmocka_unit_test(test_every_kernel_gives_the_same_bytes),
		cmocka_unit_test(test_nan_stays_nan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

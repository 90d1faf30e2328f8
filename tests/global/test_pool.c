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
		cn_pool_gem(&(cn_map){ cases[i].map, 1, 1, 4 }, cases[i].p, NULL, &out);
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
			cn_pool_gem(&(cn_map){ map, channels, 1, positions }, powers[k], NULL, out);
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
	cn_pool_gem(&(cn_map){ map, 3, 193, 1 }, 3, NULL, scalar);
	for (int level = CN_KERNELS_AVX2; level <= CN_KERNELS_BEST; level++) {
		cn_kernels_force((cn_kernels)level);
		cn_pool_gem(&(cn_map){ map, 3, 193, 1 }, 3, NULL, out);
		assert_memory_equal(out, scalar, sizeof(scalar));
	}
}

/* Two channels of 2 x 3. */
static const float small[] = { 1, -2, 3, 0, 5, -1, -7, -4, -6, -5, -4.5f, -8 };

static void test_mac_and_spoc_by_hand(void **state)
{
	(void)state;
	const cn_map map = { small, 2, 2, 3 };
	float out[2];
	cn_pool_mac(&map, out);
	assert_float_equal(out[0], 5, 0);
	/* No floor: a channel without positive numbers keeps its sign. */
	assert_float_equal(out[1], -4, 0);
	cn_pool_spoc(&map, out);
	assert_float_equal(out[0], 1, 1e-7);
	assert_float_equal(out[1], -5.75f, 1e-6);
}

static void test_regions_by_hand(void **state)
{
	(void)state;
	static const struct {
		cn_region region;
		float expected[2];
	} cases[] = {
		{ { 0, 0, 1 }, { 1, -7 } }, { { 1, 0, 1 }, { -2, -4 } }, { { 2, 1, 1 }, { -1, -8 } },
		{ { 0, 0, 2 }, { 5, -4 } }, { { 1, 0, 2 }, { 5, -4 } },  { { 0, 1, 1 }, { 0, -5 } },
	};
	const cn_map map = { small, 2, 2, 3 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		float out[2];
		cn_pool_region(&map, &cases[i].region, out);
		assert_memory_equal(out, cases[i].expected, sizeof(out));
	}
}

static void test_mac_and_spoc_against_plain_loops(void **state)
{
	(void)state;
	static const size_t sizes[][2] = { { 1, 1 }, { 1, 9 }, { 7, 1 }, { 5, 4 }, { 33, 24 } };
	uint64_t seed = 4;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t positions = sizes[s][0] * sizes[s][1];
		float *numbers = malloc(3 * positions * sizeof(*numbers)), mac[3], spoc[3];
		for (size_t i = 0; i < 3 * positions; i++)
			numbers[i] = 6 * cn_test_uniform(&seed) - 4;
		const cn_map map = { numbers, 3, sizes[s][0], sizes[s][1] };
		cn_pool_mac(&map, mac);
		cn_pool_spoc(&map, spoc);
		for (size_t c = 0; c < 3; c++) {
			double most = -INFINITY, sum = 0;
			for (size_t i = 0; i < positions; i++) {
				most = fmax(most, (double)numbers[c * positions + i]);
				sum += (double)numbers[c * positions + i];
			}
			assert_true((double)mac[c] == most);
			assert_float_equal(spoc[c], sum / (double)positions, 1e-6);
		}
		free(numbers);
	}
}

/* As each channel alone with its own power; the power 3 takes no other way then. */
static void test_a_power_for_each_channel(void **state)
{
	(void)state;
	static const float powers[] = { 1, 3, 4.6f, 0.5f, 100 };
	float numbers[5 * 12], together[5], alone[5];
	uint64_t seed = 5;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		numbers[i] = 6 * cn_test_uniform(&seed) - 1;
	/* The one number is not read where there are powers. */
	cn_pool_gem(&(cn_map){ numbers, 5, 3, 4 }, NAN, powers, together);
	for (size_t c = 0; c < 5; c++) {
		cn_pool_gem(&(cn_map){ numbers + 12 * c, 1, 3, 4 }, powers[c], NULL, &alone[c]);
		assert_float_equal(together[c], alone[c], 2e-6 * (double)alone[c]);
	}
	/* Means grow with the power. */
	const float same[] = { 1, 2, 3, 1, 2, 3 }, ascending[] = { 2, 9 };
	cn_pool_gem(&(cn_map){ same, 2, 1, 3 }, 0, ascending, together);
	assert_float_equal(together[0], sqrt(14.0 / 3), 1e-6);
	assert_float_equal(together[1], pow((1 + 512 + 19683) / 3.0, 1 / 9.0), 1e-6);
}

/* Of two channels that have NaN only the one; wherever it stands. */
static void test_nan_stays_nan(void **state)
{
	(void)state;
	static const float powers[] = { 1, 3, 2.5f }, by_channel[] = { 2, 4 };
	for (size_t at = 0; at < 9; at++) {
		float numbers[18], out[6][2];
		for (size_t i = 0; i < 18; i++)
			numbers[i] = i == at ? NAN : (float)(i % 5) - 2;
		const cn_map map = { numbers, 2, 3, 3 };
		for (size_t k = 0; k < 3; k++)
			cn_pool_gem(&map, powers[k], NULL, out[k]);
		cn_pool_gem(&map, 0, by_channel, out[3]);
		cn_pool_mac(&map, out[4]);
		cn_pool_spoc(&map, out[5]);
		for (size_t k = 0; k < 6; k++) {
			assert_true(isnan(out[k][0]));
			assert_true(isfinite(out[k][1]));
		}
		for (size_t place = 0; place < 4; place++) {
			const cn_region region = { place % 2, place / 2, 2 };
			int inside = at % 3 - region.x < 2 && at / 3 - region.y < 2;
			cn_pool_region(&map, &region, out[0]);
			assert_int_equal(isnan(out[0][0]), inside);
			assert_true(isfinite(out[0][1]));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_against_a_plain_loop),
		cmocka_unit_test(test_every_kernel_gives_the_same_bytes),
		cmocka_unit_test(test_mac_and_spoc_by_hand),
		cmocka_unit_test(test_regions_by_hand),
		cmocka_unit_test(test_mac_and_spoc_against_plain_loops),
		cmocka_unit_test(test_a_power_for_each_channel),
		cmocka_unit_test(test_nan_stays_nan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Codes against rounding one by one, at every kernel level. */
#include <math.h>
#include <string.h>

#include "math/codes.h"
#include "math/dispatch.h"
#include "support.h"

#define MOST 200

static void codes_are_within_half_a_step(void **state)
{
	static const size_t dims[] = { 1, 7, 16, 63, 64, MOST };
	uint64_t seed = 5;
	float row[MOST];
	(void)state;
	for (size_t i = 0; i < MOST; i++)
		row[i] = cn_test_uniform(&seed) - 0.5f;
	for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
		int8_t scalar[MOST], codes[MOST];
		float scale, largest = 0;
		cn_kernels_force(CN_KERNELS_SCALAR);
		cn_codes_encode(row, 1, dims[d], scalar, &scale);
		for (size_t i = 0; i < dims[d]; i++) {
			assert_true(fabsf((float)scalar[i] * scale - row[i]) <= scale * 0.50001f);
			largest = fmaxf(largest, fabsf((float)scalar[i]));
		}
		assert_true(largest == 127);
		for (int level = CN_KERNELS_AVX2; level <= CN_KERNELS_BEST; level++) {
			float same;
			cn_kernels_force((cn_kernels)level);
			cn_codes_encode(row, 1, dims[d], codes, &same);
			assert_memory_equal(codes, scalar, dims[d]);
			assert_true(same == scale);
		}
	}
}

static void each_row_has_its_own_scale(void **state)
{
	static const float rows[3][4] = { { 1, -0.5f, 0, 0.25f }, { 0, 0, 0, 0 }, { -1e-30f, 1e-30f, 0, 0 } };
	static const int8_t expected[3][4] = { { 127, -64, 0, 32 }, { 0, 0, 0, 0 }, { -127, 127, 0, 0 } };
	int8_t codes[3][4];
	float scales[3];
	(void)state;
	cn_codes_encode(rows[0], 3, 4, codes[0], scales);
	assert_memory_equal(codes, expected, sizeof(codes));
	assert_true(scales[0] == 1.0f / 127);
	assert_true(scales[1] == 0);
	assert_true(scales[2] == 1e-30f / 127);
}

static void what_is_too_small_to_divide_by_becomes_zeros(void **state)
{
	const float row[2] = { 1e-40f, -1e-38f };
	int8_t codes[2] = { 1, 1 };
	float scale = 1;
	(void)state;
	cn_codes_encode(row, 1, 2, codes, &scale);
	assert_int_equal(codes[0], 0);
	assert_int_equal(codes[1], 0);
	assert_true(scale == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_within_half_a_step),
		cmocka_unit_test(each_row_has_its_own_scale),
		cmocka_unit_test(what_is_too_small_to_divide_by_becomes_zeros),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Half precision against the definition of the format: all 65536 codes, and rounding between neighbours. */
#include <math.h>

#include "math/dispatch.h"
#include "math/half.h"
#include "support.h"

static double value_of(unsigned code)
{
	unsigned exponent = code >> 10 & 31, fraction = code & 1023;
	double magnitude = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
	return code & 0x8000 ? -magnitude : magnitude;
}

static void all_finite_codes_round_trip(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 0x10000; code++) {
		if ((code & 0x7c00) == 0x7c00)
			continue;
		float value = cn_half_to_float((uint16_t)code);
		assert_true((double)value == value_of(code));
		assert_int_equal(cn_half_from_float(value), code);
	}
}

static void numbers_between_go_to_the_nearest_and_ties_to_even(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 0x7bff; code++) {
		double low = value_of(code), high = value_of(code + 1), middle = (low + high) / 2;
		assert_int_equal(cn_half_from_float((float)middle), code & 1 ? code + 1 : code);
		assert_int_equal(cn_half_from_float(nextafterf((float)middle, 0)), code);
		assert_int_equal(cn_half_from_float(nextafterf((float)middle, INFINITY)), code + 1);
		assert_int_equal(cn_half_from_float(-nextafterf((float)middle, INFINITY)), 0x8000 | (code + 1));
	}
}

static void the_ends_of_the_range(void **state)
{
	(void)state;
	assert_int_equal(cn_half_from_float(65504.0f), 0x7bff);
	assert_int_equal(cn_half_from_float(1e30f), 0x7bff);
	assert_int_equal(cn_half_from_float(-1e30f), 0xfbff);
	assert_int_equal(cn_half_from_float(INFINITY), 0x7bff);
	assert_int_equal(cn_half_from_float(-0.0f), 0x8000);
	assert_int_equal(cn_half_from_float(1e-30f), 0);
	assert_true(isnan(cn_half_to_float(cn_half_from_float(NAN))));
	assert_true(cn_half_to_float(0x7c00) == INFINITY);
	assert_true(cn_half_to_float(0xfc00) == -INFINITY);
}

static void arrays_are_converted_like_single_numbers(void **state)
{
	static const float values[] = { 0,        -0.0f,  1,     -1.5f,    65504,     65519, 65520,
					1e30f,    -1e30f, 1e-8f, 6.1e-5f,  5e-7f,     0.1f,  3.14159f,
					-2048.5f, 2049,   1e-3f, INFINITY, -INFINITY, 7,     0.33333f };
	enum { COUNT = sizeof(values) / sizeof(values[0]) };
	(void)state;
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		uint16_t halves[COUNT + 1];
		float back[COUNT + 1];
		cn_kernels_force((cn_kernels)level);
		for (size_t count = 0; count <= COUNT; count++) {
			halves[count] = 0x1234;
			back[count] = -5;
			cn_halves_from_floats(values, count, halves);
			cn_halves_to_floats(halves, count, back);
			for (size_t i = 0; i < count; i++) {
				assert_int_equal(halves[i], cn_half_from_float(values[i]));
				assert_true(back[i] == cn_half_to_float(halves[i]));
			}
			assert_int_equal(halves[count], 0x1234);
			assert_true(back[count] == -5);
		}
	}
	float nothing[16];
	uint16_t halves[16];
	for (size_t i = 0; i < 16; i++)
		nothing[i] = NAN;
	cn_halves_from_floats(nothing, 16, halves);
	assert_true(isnan(cn_half_to_float(halves[7])));
	cn_kernels_force(CN_KERNELS_BEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_finite_codes_round_trip),
		cmocka_unit_test(numbers_between_go_to_the_nearest_and_ties_to_even),
		cmocka_unit_test(the_ends_of_the_range),
		cmocka_unit_test(arrays_are_converted_like_single_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

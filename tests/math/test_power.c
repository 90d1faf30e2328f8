/* Powers against pow(), the same bits at every kernel level. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/power.h"
#include "support.h"

enum { COUNT = 1003 };

static void powers_are_those_of_pow(void **state)
{
	static const double powers[] = { 3, 1, 0, 0.1, 2.5, 4.6, -1, 1 / 4.6, 100, -2.5 };
	double x[COUNT], found[COUNT], scalar[COUNT];
	uint64_t seed = 1;
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		x[i] = exp(20 * (double)cn_test_uniform(&seed) - 14);
	x[0] = 1;
	x[1] = 1.4142135623730951;
	x[2] = 0.70710678118654757;
	x[3] = (double)FLT_MIN;
	x[4] = nextafter(1, 0);
	for (size_t k = 0; k < sizeof(powers) / sizeof(powers[0]); k++) {
		double p = powers[k];
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
			cn_kernels_force((cn_kernels)level);
			cn_powers(x, COUNT, p, found);
			if (level == CN_KERNELS_SCALAR)
				memcpy(scalar, found, sizeof(scalar));
			assert_memory_equal(found, scalar, sizeof(found));
		}
		for (size_t i = 0; i < COUNT; i++) {
			double wanted = fmin(fmax(pow(x[i], p), DBL_MIN), 0x1p1023);
			if (!(fabs(found[i] - wanted) <= 1e-12 * (1 + fabs(p)) * wanted))
				fail_msg("%.17g to the power %g is %.17g instead of %.17g", x[i], p, found[i], wanted);
		}
	}
}

static void ends_are_as_documented(void **state)
{
	const double x[] = { 0, NAN, INFINITY, 1e300, 1e-300 };
	double found[5];
	(void)state;
	cn_powers(x, 5, 2, found);
	assert_true(found[0] == DBL_MIN && isnan(found[1]) && isnan(found[2]));
	assert_true(found[3] >= 0x1p1022 && isfinite(found[3]) && found[4] == DBL_MIN);
	/* In place, and nothing for nothing. */
	double twice[3] = { 2, 3, 4 };
	cn_powers(twice, 3, 2, twice);
	assert_true(fabs(twice[0] - 4) < 1e-11 && fabs(twice[1] - 9) < 1e-11 && fabs(twice[2] - 16) < 1e-11);
	cn_powers(twice, 0, 2, twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(powers_are_those_of_pow),
		cmocka_unit_test(ends_are_as_documented),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

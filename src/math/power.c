/*
 * x^p = 2^(p log2 x): the logarithm by the series of artanh around the mantissa's nearest power of two, the exponential
 * by Taylor's series within half a unit of the nearest whole number.
 */
#include "math/power.h"

#include <stdint.h>
#include <string.h>

#include "math/dispatch.h"

#define LANES    8
#define MANTISSA 0x000fffffffffffffu
#define ONE      0x3ff0000000000000u /* bits of 1.0 */
#define TWO_52   0x4330000000000000u /* bits of 2^52: what is put into its low bits is added to it */
#define EXPONENT 52
#define ROUNDING 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to a whole number, which its low bits then hold */
#define MOST     1023.0
#define LEAST    (-1022.0)

typedef double doubles __attribute__((vector_size(8 * LANES)));
typedef uint64_t words __attribute__((vector_size(8 * LANES)));
typedef int64_t masks __attribute__((vector_size(8 * LANES)));

/* In place, since how vectors are passed depends on the processor. */
CN_INLINE void take_log2(doubles *x)
{
	words bits = (words)*x;
	words exponent = bits >> EXPONENT, mantissa = (bits & MANTISSA) | ONE;
	/* Above the root of 2, half of it, so that it is as near to 1 as can be. */
	masks is_large = (doubles)mantissa > 1.4142135623730951;
	mantissa -= (words)is_large & ((uint64_t)1 << EXPONENT);
	exponent -= (words)is_large;
	doubles whole = (doubles)(exponent | TWO_52) - (0x1p52 + 1023);
	doubles m = (doubles)mantissa, s = (m - 1) / (m + 1), z = s * s;
	doubles series = z * (1.0 / 15) + 1.0 / 13;
	series = series * z + 1.0 / 11;
	series = series * z + 1.0 / 9;
	series = series * z + 1.0 / 7;
	series = series * z + 1.0 / 5;
	series = series * z + 1.0 / 3;
	*x = whole + 2.8853900817779268 * (s + s * z * series); /* 2 / ln 2 */
}

CN_INLINE void limit(doubles *y, double least, double most)
{
	const doubles low = (doubles){ 0 } + least, high = (doubles){ 0 } + most;
	const words below = (words)(*y < low), above = (words)(*y > high);
	*y = (doubles)(((words)low & below) | ((words)high & above) | ((words)*y & ~(below | above)));
}

CN_INLINE void take_exp2(doubles *exponents)
{
	doubles y = *exponents;
	limit(&y, LEAST, MOST);
	doubles rounded = y + ROUNDING, f = (y - (rounded - ROUNDING)) * 0.69314718055994531;
	doubles series = f * (1.0 / 479001600) + 1.0 / 39916800;
	series = series * f + 1.0 / 3628800;
	series = series * f + 1.0 / 362880;
	series = series * f + 1.0 / 40320;
	series = series * f + 1.0 / 5040;
	series = series * f + 1.0 / 720;
	series = series * f + 1.0 / 120;
	series = series * f + 1.0 / 24;
	series = series * f + 1.0 / 6;
	series = series * f + 0.5;
	series = series * f + 1;
	series = series * f + 1;
	*exponents = (doubles)((words)series + ((words)rounded << EXPONENT));
}

CN_INLINE void take_power(doubles *x, double p)
{
	doubles power = *x;
	take_log2(&power);
	power *= p;
	take_exp2(&power);
	/* What is not finite has a difference from itself that is no number. */
	*x = power + (*x - *x);
}

CN_INLINE void powers_inlined(const double *x, size_t count, double p, double *out)
{
	size_t i = 0;
	doubles some;
	for (; i + LANES <= count; i += LANES) {
		memcpy(&some, x + i, sizeof(some));
		take_power(&some, p);
		memcpy(out + i, &some, sizeof(some));
	}
	if (i < count) {
		some = (doubles){ 0 };
		memcpy(&some, x + i, (count - i) * sizeof(*x));
		take_power(&some, p);
		memcpy(out + i, &some, (count - i) * sizeof(*out));
	}
}

CN_DEFINE_FORMS(powers, powers_inlined, (const double *x, size_t count, double p, double *out), (x, count, p, out))

void cn_powers(const double *x, size_t count, double p, double *out)
{
	powers(x, count, p, out);
}

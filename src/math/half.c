/*
 * Half precision by moving the bits. Used where few numbers are stored compactly; speed does not matter there.
 */
#include "math/half.h"

#include <math.h>

float cn_half_to_float(uint16_t half)
{
	/* Exponent and fraction at float's places are the number times 2^-112, subnormal ones included. */
	union {
		uint32_t bits;
		float value;
	} moved = { .bits = (uint32_t)(half & 0x7fff) << 13 };
	float magnitude = moved.value * 0x1p112f;
	if ((half & 0x7c00) == 0x7c00)
		magnitude = half & 1023 ? NAN : INFINITY;
	return half & 0x8000 ? -magnitude : magnitude;
}

uint16_t cn_half_from_float(float value)
{
	uint16_t sign = signbit(value) ? 0x8000 : 0;
	float magnitude = fabsf(value);
	if (isnan(value))
		return 0x7e00;
	if (magnitude >= 65504.0f)
		return sign | 0x7bff;
	if (magnitude == 0)
		return sign;
	int exponent;
	frexpf(magnitude, &exponent);
	/* The last kept bit weighs 2^(exponent - 11), or 2^-24 among the subnormal numbers. */
	int weight = exponent - 11 < -24 ? -24 : exponent - 11;
	uint32_t steps = (uint32_t)nearbyintf(ldexpf(magnitude, -weight));
	/* Rounding up to the next power of two carries into the exponent by itself. */
	return (uint16_t)(sign + (weight == -24 ? steps : steps + ((uint32_t)(weight + 24) << 10)));
}

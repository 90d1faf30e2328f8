/*
 * Half precision by moving the bits, and for arrays by the processor's own instructions. These make an infinity of what
 * is too large, so numbers are bounded before; otherwise both give the same.
 */
#include "math/half.h"

#include <immintrin.h>
#include <math.h>

#include "math/dispatch.h"

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
	if (magnitude >= CN_HALF_LARGEST)
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

/* ---- arrays ---- */

#define AVX2   __attribute__((target("avx2,f16c")))
#define AVX512 __attribute__((target("avx512f")))

/* min and max give their second operand where one is NaN, so NaN stays. */
AVX2 static size_t from_floats_avx2(const float *values, size_t count, uint16_t *halves)
{
	const __m256 most = _mm256_set1_ps(CN_HALF_LARGEST), least = _mm256_set1_ps(-CN_HALF_LARGEST);
	size_t i = 0;
	for (; i + 8 <= count; i += 8) {
		__m256 v = _mm256_max_ps(least, _mm256_min_ps(most, _mm256_loadu_ps(values + i)));
		_mm_storeu_si128((void *)(halves + i), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
	}
	return i;
}

AVX512 static size_t from_floats_avx512(const float *values, size_t count, uint16_t *halves)
{
	const __m512 most = _mm512_set1_ps(CN_HALF_LARGEST), least = _mm512_set1_ps(-CN_HALF_LARGEST);
	size_t i = 0;
	for (; i + 16 <= count; i += 16) {
		__m512 v = _mm512_max_ps(least, _mm512_min_ps(most, _mm512_loadu_ps(values + i)));
		_mm256_storeu_si256((void *)(halves + i), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
	}
	return i;
}

AVX2 static size_t to_floats_avx2(const uint16_t *halves, size_t count, float *values)
{
	size_t i = 0;
	for (; i + 8 <= count; i += 8)
		_mm256_storeu_ps(values + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(halves + i))));
	return i;
}

AVX512 static size_t to_floats_avx512(const uint16_t *halves, size_t count, float *values)
{
	size_t i = 0;
	for (; i + 16 <= count; i += 16)
		_mm512_storeu_ps(values + i, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(halves + i))));
	return i;
}

void cn_halves_from_floats(const float *values, size_t count, uint16_t *halves)
{
	cn_kernels level = cn_kernels_level();
	size_t i = level >= CN_KERNELS_AVX512 ? from_floats_avx512(values, count, halves)
		   : level == CN_KERNELS_AVX2 ? from_floats_avx2(values, count, halves)
					      : 0;
	for (; i < count; i++)
		halves[i] = cn_half_from_float(values[i]);
}

void cn_halves_to_floats(const uint16_t *halves, size_t count, float *values)
{
	cn_kernels level = cn_kernels_level();
	size_t i = level >= CN_KERNELS_AVX512 ? to_floats_avx512(halves, count, values)
		   : level == CN_KERNELS_AVX2 ? to_floats_avx2(halves, count, values)
					      : 0;
	for (; i < count; i++)
		values[i] = cn_half_to_float(halves[i]);
}

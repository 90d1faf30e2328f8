/*
 * Inner products and distances. The fast forms keep two or four accumulators of a register each, so that additions
 * overlap.
 */
#include "math/dot.h"

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/half.h"

#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

static float dot_scalar(const float *a, const float *b, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return (float)sum;
}

static float distance_scalar(const float *a, const float *b, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		double difference = (double)a[i] - (double)b[i];
		sum += difference * difference;
	}
	return (float)sum;
}

AVX2 static float add_lanes_avx2(__m256 x)
{
	__m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
	half = _mm_add_ps(half, _mm_movehl_ps(half, half));
	return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

AVX2 static float dot_avx2(const float *a, const float *b, size_t n)
{
	__m256 sum[4] = { _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps() };
	size_t i = 0;
	for (; i + 32 <= n; i += 32)
		for (size_t k = 0; k < 4; k++)
			sum[k] =
				_mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8 * k), _mm256_loadu_ps(b + i + 8 * k), sum[k]);
	for (; i + 8 <= n; i += 8)
		sum[0] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum[0]);
	float rest = 0;
	for (; i < n; i++)
		rest += a[i] * b[i];
	return add_lanes_avx2(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3]))) + rest;
}

AVX2 static float distance_avx2(const float *a, const float *b, size_t n)
{
	__m256 sum[4] = { _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps() };
	size_t i = 0;
	for (; i + 32 <= n; i += 32)
		for (size_t k = 0; k < 4; k++) {
			__m256 d = _mm256_sub_ps(_mm256_loadu_ps(a + i + 8 * k), _mm256_loadu_ps(b + i + 8 * k));
			sum[k] = _mm256_fmadd_ps(d, d, sum[k]);
		}
	float rest = 0;
	for (; i < n; i++)
		rest += (a[i] - b[i]) * (a[i] - b[i]);
	return add_lanes_avx2(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3]))) + rest;
}

AVX512 static float dot_avx512(const float *a, const float *b, size_t n)
{
	__m512 sum[4] = { _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps() };
	size_t i = 0;
	for (; i + 64 <= n; i += 64)
		for (size_t k = 0; k < 4; k++)
			sum[k] = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16 * k), _mm512_loadu_ps(b + i + 16 * k),
						 sum[k]);
	for (; i < n; i += 16) {
		__mmask16 mask = n - i >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (n - i)) - 1);
		sum[0] =
			_mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i), sum[0]);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

AVX512 static float distance_avx512(const float *a, const float *b, size_t n)
{
	__m512 sum[2] = { _mm512_setzero_ps(), _mm512_setzero_ps() };
	size_t i = 0;
	for (; i < n; i += 16) {
		__mmask16 mask = n - i >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (n - i)) - 1);
		__m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i));
		sum[i / 16 % 2] = _mm512_fmadd_ps(d, d, sum[i / 16 % 2]);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(sum[0], sum[1]));
}

static float dot_half_scalar(const float *a, const uint16_t *b, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)cn_half_to_float(b[i]);
	return (float)sum;
}

__attribute__((target("avx2,fma,f16c"))) static float dot_half_avx2(const float *a, const uint16_t *b, size_t n)
{
	__m256 sum[2] = { _mm256_setzero_ps(), _mm256_setzero_ps() };
	size_t i = 0;
	for (; i + 8 <= n; i += 8)
		sum[i / 8 % 2] =
			_mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_cvtph_ps(_mm_loadu_si128((const void *)(b + i))),
					sum[i / 8 % 2]);
	float rest = 0;
	for (; i < n; i++)
		rest += a[i] * cn_half_to_float(b[i]);
	return add_lanes_avx2(_mm256_add_ps(sum[0], sum[1])) + rest;
}

AVX512 static float dot_half_avx512(const float *a, const uint16_t *b, size_t n)
{
	__m512 sum[4] = { _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps() };
	size_t i = 0;
	for (; i + 64 <= n; i += 64)
#pragma GCC unroll 4
		for (size_t k = 0; k < 4; k++)
			sum[k] = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16 * k),
						 _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(b + i + 16 * k))),
						 sum[k]);
	for (; i < n; i += 16) {
		__mmask16 mask = n - i >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (n - i)) - 1);
		sum[0] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i),
					 _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, b + i)), sum[0]);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

float cn_dot_half(const float *a, const uint16_t *b, size_t n)
{
	switch (cn_kernels_level()) {
	case CN_KERNELS_AMX:
	case CN_KERNELS_AVX512:
		return dot_half_avx512(a, b, n);
	case CN_KERNELS_AVX2:
		return dot_half_avx2(a, b, n);
	default:
		return dot_half_scalar(a, b, n);
	}
}

float cn_dot(const float *a, const float *b, size_t n)
{
	switch (cn_kernels_level()) {
	case CN_KERNELS_AMX:
	case CN_KERNELS_AVX512:
		return dot_avx512(a, b, n);
	case CN_KERNELS_AVX2:
		return dot_avx2(a, b, n);
	default:
		return dot_scalar(a, b, n);
	}
}

float cn_distance_squared(const float *a, const float *b, size_t n)
{
	switch (cn_kernels_level()) {
	case CN_KERNELS_AMX:
	case CN_KERNELS_AVX512:
		return distance_avx512(a, b, n);
	case CN_KERNELS_AVX2:
		return distance_avx2(a, b, n);
	default:
		return distance_scalar(a, b, n);
	}
}

void cn_dot_rows(const float *a, const float *rows, size_t count, size_t n, float *out)
{
	for (size_t i = 0; i < count; i++)
		out[i] = cn_dot(a, rows + i * n, n);
}

float cn_norm(const float *a, size_t n)
{
	return sqrtf(cn_dot(a, a, n));
}

float cn_normalise(float *a, size_t n)
{
	float norm = cn_norm(a, n);
	if (norm > 1e-12f)
		for (size_t i = 0; i < n; i++)
			a[i] /= norm;
	return norm;
}

int cn_all_finite(const float *a, size_t n)
{
	/* All bits of the exponent are set in what is not finite. Integers, for compilers may order these as they like.
	 */
	const uint32_t exponent = 0x7f800000;
	uint32_t found = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		memcpy(&bits, &a[i], sizeof(bits));
		found |= (uint32_t)((bits & exponent) == exponent);
	}
	return !found;
}

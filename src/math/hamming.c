/*
 * Hamming distances. Short vectors, which local descriptors have, are compared several at once; of longer ones each is
 * compared by itself.
 */
#include "math/hamming.h"

#include <immintrin.h>
#include <string.h>

#include "math/dispatch.h"

#define AVX2   __attribute__((target("avx2,popcnt")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")))

static inline uint64_t word_at(const uint8_t *bytes, size_t i)
{
	uint64_t word;
	memcpy(&word, bytes + i * sizeof(word), sizeof(word));
	return word;
}

/* ---- scalar ---- */

static void hamming_scalar(const uint64_t *query, const uint8_t *rows, size_t count, size_t words, uint16_t *out)
{
	for (size_t i = 0; i < count; i++) {
		int sum = 0;
		for (size_t w = 0; w < words; w++)
			sum += __builtin_popcountll(query[w] ^ word_at(rows, i * words + w));
		out[i] = (uint16_t)sum;
	}
}

/* ---- AVX2: bits of half bytes by table (Mula, Kurz and Lemire, The Computer Journal 2018) ---- */

AVX2 static inline __m256i count_bits_avx2(__m256i x)
{
	const __m256i low = _mm256_set1_epi8(15);
	const __m256i bits = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1,
					      2, 2, 3, 2, 3, 3, 4);
	__m256i sum = _mm256_add_epi8(_mm256_shuffle_epi8(bits, _mm256_and_si256(x, low)),
				      _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
	return _mm256_sad_epu8(sum, _mm256_setzero_si256());
}

AVX2 static inline __m256i load_avx2(const uint8_t *bytes)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

AVX2 static void hamming1_avx2(const uint64_t *query, const uint8_t *rows, size_t count, uint16_t *out)
{
	const __m256i q = _mm256_set1_epi64x((long long)query[0]);
	size_t i = 0;
	for (; i + 4 <= count; i += 4) {
		uint64_t sums[4];
		_mm256_storeu_si256((__m256i *)(void *)sums,
				    count_bits_avx2(_mm256_xor_si256(q, load_avx2(rows + i * 8))));
		for (size_t k = 0; k < 4; k++)
			out[i + k] = (uint16_t)sums[k];
	}
	for (; i < count; i++)
		out[i] = (uint16_t)__builtin_popcountll(query[0] ^ word_at(rows, i));
}

AVX2 static void hamming_avx2(const uint64_t *query, const uint8_t *rows, size_t count, size_t words, uint16_t *out)
{
	if (words == 1) {
		hamming1_avx2(query, rows, count, out);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const uint8_t *row = rows + i * words * 8;
		__m256i sums = _mm256_setzero_si256();
		size_t w = 0;
		for (; w + 4 <= words; w += 4)
			sums = _mm256_add_epi64(
				sums, count_bits_avx2(_mm256_xor_si256(load_avx2((const uint8_t *)(query + w)),
								       load_avx2(row + w * 8))));
		__m128i half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
		int64_t sum = _mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1);
		for (; w < words; w++)
			sum += __builtin_popcountll(query[w] ^ word_at(row, w));
		out[i] = (uint16_t)sum;
	}
}

/* ---- AVX-512 with VPOPCNTDQ ---- */

AVX512 static void hamming1_avx512(const uint64_t *query, const uint8_t *rows, size_t count, uint16_t *out)
{
	const __m512i q = _mm512_set1_epi64((long long)query[0]);
	for (size_t i = 0; i < count; i += 8) {
		__mmask8 mask = count - i >= 8 ? (__mmask8)0xff : (__mmask8)((1u << (count - i)) - 1);
		__m512i bits = _mm512_popcnt_epi64(_mm512_xor_si512(q, _mm512_maskz_loadu_epi64(mask, rows + i * 8)));
		_mm_mask_storeu_epi16(out + i, mask, _mm512_cvtepi64_epi16(bits));
	}
}

/* Both words of a row stand beside each other; exchanged and added, each sum stands twice. */
AVX512 static void hamming2_avx512(const uint64_t *query, const uint8_t *rows, size_t count, uint16_t *out)
{
	const __m512i q = _mm512_broadcast_i64x2(_mm_loadu_si128((const __m128i *)(const void *)query));
	for (size_t i = 0; i < count; i += 4) {
		size_t rest = count - i >= 4 ? 4 : count - i;
		__mmask8 mask = (__mmask8)((1u << 2 * rest) - 1);
		__m512i bits = _mm512_popcnt_epi64(_mm512_xor_si512(q, _mm512_maskz_loadu_epi64(mask, rows + i * 16)));
		bits = _mm512_add_epi64(bits, _mm512_shuffle_epi32(bits, _MM_PERM_BADC));
		__m128i sums = _mm512_cvtepi64_epi16(_mm512_maskz_compress_epi64(0x55, bits));
		_mm_mask_storeu_epi16(out + i, (__mmask8)((1u << rest) - 1), sums);
	}
}

AVX512 static void hamming_avx512(const uint64_t *query, const uint8_t *rows, size_t count, size_t words, uint16_t *out)
{
	if (words == 1) {
		hamming1_avx512(query, rows, count, out);
		return;
	}
	if (words == 2) {
		hamming2_avx512(query, rows, count, out);
		return;
	}
	const __mmask8 first = words >= 8 ? (__mmask8)0xff : (__mmask8)((1u << words) - 1);
	const __mmask8 second = words > 8 ? (__mmask8)((1u << (words - 8)) - 1) : (__mmask8)0;
	const __m512i q0 = _mm512_maskz_loadu_epi64(first, query), q1 = _mm512_maskz_loadu_epi64(second, query + 8);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *row = rows + i * words * 8;
		__m512i sum = _mm512_popcnt_epi64(_mm512_xor_si512(q0, _mm512_maskz_loadu_epi64(first, row)));
		if (second)
			sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(
							    q1, _mm512_maskz_loadu_epi64(second, row + 64))));
		out[i] = (uint16_t)_mm512_reduce_add_epi64(sum);
	}
}

void cn_hamming(const uint64_t *query, const void *rows, size_t count, size_t words, uint16_t *out)
{
	cn_kernels level = cn_kernels_level();
	if (level >= CN_KERNELS_AVX512 && cn_cpu_has_vpopcnt())
		hamming_avx512(query, rows, count, words, out);
	else if (level >= CN_KERNELS_AVX2)
		hamming_avx2(query, rows, count, words, out);
	else
		hamming_scalar(query, rows, count, words, out);
}

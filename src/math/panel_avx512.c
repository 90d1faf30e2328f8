/*
 * Products of panels with AVX-512: 32 rows are two registers, so 12 queries take 24 sums, and a register is left for
 * the query's word. A processor with one multiplication a cycle is kept busy: 24 of them share 14 loads.
 *
 * VPDPBUSD multiplies four unsigned bytes with four signed ones, so rows are packed as code + 128; what that adds to a
 * sum, 128 times the sum of the query's codes, is taken away when scores are made.
 */
#include <immintrin.h>

#include "math/panel.h"

#define ROWS   32
#define LANES  16
#define EIGHT  8
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define BF16   __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define INLINE static inline __attribute__((always_inline))

/* 16 x 16 words. Steps swap words, pairs of words, fours and eights. */
AVX512 INLINE void transpose_block(__m512i r[LANES])
{
	__m512i t[LANES];
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i += 2) {
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i += 4) {
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++) {
		int low = i / 8 * 8 + i % 4;
		t[i] = i % 8 < 4 ? _mm512_shuffle_i32x4(r[low], r[low + 4], 0x88)
				 : _mm512_shuffle_i32x4(r[low], r[low + 4], 0xdd);
	}
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++) {
		int low = i % 8;
		r[i] = i < 8 ? _mm512_shuffle_i32x4(t[low], t[low + 8], 0x88)
			     : _mm512_shuffle_i32x4(t[low], t[low + 8], 0xdd);
	}
}

/* @param flip bits of every word that are inverted: code ^ 0x80 is code + 128 as an unsigned byte */
AVX512 INLINE void transpose_flipped(const uint8_t *words, size_t count, size_t words_a_row, uint32_t flip,
				     uint32_t *panel)
{
	const __m512i flipped = _mm512_set1_epi32((int32_t)flip);
	for (size_t half = 0; half < ROWS; half += LANES)
		for (size_t w = 0; w < words_a_row; w += LANES) {
			size_t wide = words_a_row - w < LANES ? words_a_row - w : LANES;
			__mmask16 mask = (__mmask16)(0xffffu >> (LANES - wide));
			__m512i block[LANES];
#pragma GCC unroll 16
			for (size_t r = 0; r < LANES; r++)
				block[r] = half + r < count
						   ? _mm512_xor_si512(
							     flipped,
							     _mm512_maskz_loadu_epi32(
								     mask, words + 4 * ((half + r) * words_a_row + w)))
						   : _mm512_setzero_si512();
			transpose_block(block);
			for (size_t i = 0; i < wide; i++)
				_mm512_storeu_si512(panel + (w + i) * ROWS + half, block[i]);
		}
}

AVX512 static void transpose(const void *words, size_t count, size_t words_a_row, uint32_t *panel)
{
	transpose_flipped(words, count, words_a_row, 0, panel);
}

AVX512 static void transpose_codes(const void *words, size_t count, size_t words_a_row, uint32_t *panel)
{
	transpose_flipped(words, count, words_a_row, 0x80808080u, panel);
}

#define DEFINE_MULTIPLY(name, target, queries, vector, zero, add, store)                                               \
	target static void name##_##queries(const uint32_t *q, const uint32_t *rows, size_t words, cn_tile *tile)      \
	{                                                                                                              \
		vector left[queries], right[queries];                                                                  \
		_Pragma("GCC unroll 12") for (int i = 0; i < (queries); i++) left[i] = right[i] = zero();              \
		for (size_t w = 0; w < words; w++, q += (queries), rows += ROWS) {                                     \
			__m512i a = _mm512_load_si512(rows), b = _mm512_load_si512(rows + LANES);                      \
			_Pragma("GCC unroll 12") for (int i = 0; i < (queries); i++)                                   \
			{                                                                                              \
				__m512i word = _mm512_set1_epi32((int32_t)q[i]);                                       \
				left[i] = add(left[i], a, word);                                                       \
				right[i] = add(right[i], b, word);                                                     \
			}                                                                                              \
		}                                                                                                      \
		_Pragma("GCC unroll 12") for (int i = 0; i < (queries); i++)                                           \
		{                                                                                                      \
			store(tile->real + ROWS * i, left[i]);                                                         \
			store(tile->real + ROWS * i + LANES, right[i]);                                                \
		}                                                                                                      \
	}

#define ADD_F32(sum, rows, word)  _mm512_fmadd_ps(_mm512_castsi512_ps(rows), _mm512_castsi512_ps(word), sum)
#define ADD_BF16(sum, rows, word) _mm512_dpbf16_ps(sum, (__m512bh)(rows), (__m512bh)(word))
/* Shifted to the place of float's upper half, or with the lower half cut off, bf16 is a float. */
#define UPPER(words) _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32((int32_t)0xffff0000)))
#define LOWER(words) _mm512_castsi512_ps(_mm512_slli_epi32(words, 16))
#define ADD_WIDENED(sum, rows, word)                                                                                   \
	_mm512_fmadd_ps(UPPER(rows), UPPER(word), _mm512_fmadd_ps(LOWER(rows), LOWER(word), sum))

#define DEFINE_MULTIPLIES(name, target, vector, zero, add, store)                                                      \
	DEFINE_MULTIPLY(name, target, 4, vector, zero, add, store)                                                     \
	DEFINE_MULTIPLY(name, target, 8, vector, zero, add, store)                                                     \
	DEFINE_MULTIPLY(name, target, 12, vector, zero, add, store)

DEFINE_MULTIPLIES(i8, AVX512, __m512i, _mm512_setzero_si512, _mm512_dpbusd_epi32, _mm512_store_si512)
DEFINE_MULTIPLIES(f32, AVX512, __m512, _mm512_setzero_ps, ADD_F32, _mm512_store_ps)
DEFINE_MULTIPLIES(widened, AVX512, __m512, _mm512_setzero_ps, ADD_WIDENED, _mm512_store_ps)
DEFINE_MULTIPLIES(bf16, BF16, __m512, _mm512_setzero_ps, ADD_BF16, _mm512_store_ps)

AVX512 INLINE uint32_t at_least(__m512 left, __m512 right, __m512 left_limits, __m512 right_limits)
{
	return (uint32_t)_mm512_cmp_ps_mask(left, left_limits, _CMP_GE_OQ) |
	       (uint32_t)_mm512_cmp_ps_mask(right, right_limits, _CMP_GE_OQ) << LANES;
}

AVX512 INLINE uint32_t finish_row(float *scores, __m512 left, __m512 right, const cn_finish *how, size_t query)
{
	const __m512 limit = _mm512_set1_ps(how->limits[query]);
	if (how->offsets) {
		left = _mm512_add_ps(left, _mm512_loadu_ps(how->offsets));
		right = _mm512_add_ps(right, _mm512_loadu_ps(how->offsets + LANES));
	}
	_mm512_store_ps(scores, left);
	_mm512_store_ps(scores + LANES, right);
	if (how->row_limits) {
		const __m512 scale = _mm512_set1_ps(how->query_scales[query]);
		how->rows_reached[query] =
			at_least(_mm512_mul_ps(left, scale), _mm512_mul_ps(right, scale),
				 _mm512_loadu_ps(how->row_limits), _mm512_loadu_ps(how->row_limits + LANES));
	}
	return at_least(left, right, limit, limit);
}

AVX512 static uint32_t finish_codes(const cn_tile *sums, size_t queries, const cn_finish *how, cn_tile *scores,
				    uint32_t *reached)
{
	const __m512 scale_left = _mm512_loadu_ps(how->scales), scale_right = _mm512_loadu_ps(how->scales + LANES);
	uint32_t queries_reached = 0;
	for (size_t q = 0; q < queries; q++) {
		const __m512i excess = _mm512_set1_epi32(how->excess[q]);
		__m512i left = _mm512_sub_epi32(_mm512_load_si512(sums->whole + q * ROWS), excess);
		__m512i right = _mm512_sub_epi32(_mm512_load_si512(sums->whole + q * ROWS + LANES), excess);
		reached[q] = finish_row(scores->real + q * ROWS, _mm512_mul_ps(_mm512_cvtepi32_ps(left), scale_left),
					_mm512_mul_ps(_mm512_cvtepi32_ps(right), scale_right), how, q);
		queries_reached |= cn_panel_reached(how, reached, q);
	}
	return queries_reached;
}

AVX512 static uint32_t finish_reals(const cn_tile *sums, size_t queries, const cn_finish *how, cn_tile *scores,
				    uint32_t *reached)
{
	uint32_t queries_reached = 0;
	for (size_t q = 0; q < queries; q++) {
		reached[q] = finish_row(scores->real + q * ROWS, _mm512_load_ps(sums->real + q * ROWS),
					_mm512_load_ps(sums->real + q * ROWS + LANES), how, q);
		queries_reached |= cn_panel_reached(how, reached, q);
	}
	return queries_reached;
}

/* Row after row, so that memory is read in one stream: rows side by side, or fetching ahead, takes half as long again.
 */
AVX512 static int32_t dot(const int8_t *query, const int8_t *row, size_t dim)
{
	const __m512i sign = _mm512_set1_epi8((char)0x80);
	__m512i even = _mm512_setzero_si512(), odd = even;
	size_t k = 0;
	for (; k + 128 <= dim; k += 128) {
		__m512i a = _mm512_xor_si512(_mm512_loadu_si512(row + k), sign);
		__m512i b = _mm512_xor_si512(_mm512_loadu_si512(row + k + 64), sign);
		even = _mm512_dpbusd_epi32(even, a, _mm512_loadu_si512(query + k));
		odd = _mm512_dpbusd_epi32(odd, b, _mm512_loadu_si512(query + k + 64));
	}
	for (; k < dim; k += 64) {
		__mmask64 rest = dim - k < 64 ? ~0ull >> (64 - (dim - k)) : ~0ull;
		__m512i codes = _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, row + k), sign);
		even = _mm512_dpbusd_epi32(even, codes, _mm512_maskz_loadu_epi8(rest, query + k));
	}
	return _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}

AVX512 INLINE __m256i halves_added(__m512i sum)
{
	return _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
}

/* The sums of EIGHT registers, in one: adding up one row after the other takes longer than multiplying short ones. */
AVX512 INLINE __m256i add_up(const __m512i sum[EIGHT])
{
	__m256i pairs[EIGHT / 2];
#pragma GCC unroll 4
	for (int i = 0; i < EIGHT / 2; i++)
		pairs[i] = _mm256_hadd_epi32(halves_added(sum[2 * i]), halves_added(sum[2 * i + 1]));
	__m256i left = _mm256_hadd_epi32(pairs[0], pairs[1]), right = _mm256_hadd_epi32(pairs[2], pairs[3]);
	return _mm256_add_epi32(_mm256_permute2x128_si256(left, right, 0x20),
				_mm256_permute2x128_si256(left, right, 0x31));
}

/* Row by row, as they come from memory. */
AVX512 INLINE void dot_eight(const int8_t *query, const int8_t *rows, size_t dim, int32_t *sums)
{
	const __m512i sign = _mm512_set1_epi8((char)0x80);
	const __mmask64 rest = dim % 64 ? ~0ull >> (64 - dim % 64) : 0;
	__m512i sum[EIGHT];
#pragma GCC unroll 8
	for (size_t r = 0; r < EIGHT; r++, rows += dim) {
		size_t k = 0;
		sum[r] = _mm512_setzero_si512();
		for (; k + 64 <= dim; k += 64) {
			_mm_prefetch((const char *)rows + k + CN_PANEL_AHEAD, _MM_HINT_T1);
			sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_xor_si512(_mm512_loadu_si512(rows + k), sign),
						     _mm512_loadu_si512(query + k));
		}
		if (rest)
			sum[r] = _mm512_dpbusd_epi32(sum[r],
						     _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, rows + k), sign),
						     _mm512_maskz_loadu_epi8(rest, query + k));
	}
	_mm256_storeu_si256((void *)sums, add_up(sum));
}

AVX512 static void dot_rows(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *sums)
{
	size_t i = 0;
	for (; i + EIGHT <= count; i += EIGHT)
		dot_eight(query, rows + i * dim, dim, sums + i);
	for (; i < count; i++)
		sums[i] = dot(query, rows + i * dim, dim);
}

const cn_panel_form cn_panel_forms_avx512[CN_NUMBERS] = {
	[CN_NUMBER_I8] = { ROWS,
			   4,
			   1,
			   { i8_4, i8_8, i8_12 },
			   transpose_codes,
			   finish_codes,
			   dot_rows,
			   CN_PANEL_OF_WORDS },
	[CN_NUMBER_BF16] = { ROWS,
			     2,
			     0,
			     { widened_4, widened_8, widened_12 },
			     transpose,
			     finish_reals,
			     NULL,
			     CN_PANEL_OF_WORDS },
	[CN_NUMBER_F32] = { ROWS, 1, 0, { f32_4, f32_8, f32_12 }, transpose, finish_reals, NULL, CN_PANEL_OF_WORDS },
};

const cn_panel_form cn_panel_form_dpbf16 = {
	ROWS, 2, 0, { bf16_4, bf16_8, bf16_12 }, transpose, finish_reals, NULL, CN_PANEL_OF_WORDS
};

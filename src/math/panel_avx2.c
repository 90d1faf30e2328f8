/*
 * Products of panels with AVX2: 16 rows are two registers, and four queries at a time take 8 sums. Codes are widened to
 * 16 bits, since the byte products of AVX2 can exceed their 16-bit sums.
 */
#include <immintrin.h>

#include "math/panel.h"

#define ROWS   16
#define LANES  8
#define FOUR   4
#define AVX2   __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline))

static void transpose(const void *words, size_t count, size_t words_a_row, uint32_t *panel)
{
	cn_panel_transpose_scalar(words, count, words_a_row, ROWS, panel);
}

#define DEFINE_MULTIPLY(name, vector, zero, add, store)                                                                \
	AVX2 INLINE void name##_any(const uint32_t *queries, size_t count, const uint32_t *rows, size_t words,         \
				    cn_tile *tile)                                                                     \
	{                                                                                                              \
		for (size_t first = 0; first < count; first += FOUR) {                                                 \
			const uint32_t *q = queries + first, *r = rows;                                                \
			vector left[FOUR], right[FOUR];                                                                \
			_Pragma("GCC unroll 4") for (int i = 0; i < FOUR; i++) left[i] = right[i] = zero();            \
			for (size_t w = 0; w < words; w++, q += count, r += ROWS) {                                    \
				__m256i a = _mm256_load_si256((const void *)r);                                        \
				__m256i b = _mm256_load_si256((const void *)(r + LANES));                              \
				_Pragma("GCC unroll 4") for (int i = 0; i < FOUR; i++)                                 \
				{                                                                                      \
					__m256i word = _mm256_set1_epi32((int32_t)q[i]);                               \
					left[i] = add(left[i], a, word);                                               \
					right[i] = add(right[i], b, word);                                             \
				}                                                                                      \
			}                                                                                              \
			_Pragma("GCC unroll 4") for (size_t i = 0; i < FOUR; i++)                                      \
			{                                                                                              \
				store((void *)(tile->real + ROWS * (first + i)), left[i]);                             \
				store((void *)(tile->real + ROWS * (first + i) + LANES), right[i]);                    \
			}                                                                                              \
		}                                                                                                      \
	}                                                                                                              \
	AVX2 static void name##_4(const uint32_t *queries, const uint32_t *rows, size_t words, cn_tile *tile)          \
	{                                                                                                              \
		name##_any(queries, 4, rows, words, tile);                                                             \
	}                                                                                                              \
	AVX2 static void name##_8(const uint32_t *queries, const uint32_t *rows, size_t words, cn_tile *tile)          \
	{                                                                                                              \
		name##_any(queries, 8, rows, words, tile);                                                             \
	}                                                                                                              \
	AVX2 static void name##_12(const uint32_t *queries, const uint32_t *rows, size_t words, cn_tile *tile)         \
	{                                                                                                              \
		name##_any(queries, 12, rows, words, tile);                                                            \
	}

#define ADD_I16(sum, rows, word) _mm256_add_epi32(sum, _mm256_madd_epi16(rows, word))
#define ADD_F32(sum, rows, word) _mm256_fmadd_ps(_mm256_castsi256_ps(rows), _mm256_castsi256_ps(word), sum)
#define UPPER(words)             _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32((int32_t)0xffff0000)))
#define LOWER(words)             _mm256_castsi256_ps(_mm256_slli_epi32(words, 16))
#define ADD_BF16(sum, rows, word)                                                                                      \
	_mm256_fmadd_ps(UPPER(rows), UPPER(word), _mm256_fmadd_ps(LOWER(rows), LOWER(word), sum))

DEFINE_MULTIPLY(i16, __m256i, _mm256_setzero_si256, ADD_I16, _mm256_store_si256)
DEFINE_MULTIPLY(f32, __m256, _mm256_setzero_ps, ADD_F32, _mm256_store_ps)
DEFINE_MULTIPLY(bf16, __m256, _mm256_setzero_ps, ADD_BF16, _mm256_store_ps)

AVX2 INLINE uint32_t at_least(__m256 left, __m256 right, __m256 left_limits, __m256 right_limits)
{
	return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(left, left_limits, _CMP_GE_OQ)) |
	       (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(right, right_limits, _CMP_GE_OQ)) << LANES;
}

AVX2 INLINE uint32_t finish_row(float *scores, __m256 left, __m256 right, const cn_finish *how, size_t query)
{
	const __m256 limit = _mm256_set1_ps(how->limits[query]);
	if (how->offsets) {
		left = _mm256_add_ps(left, _mm256_loadu_ps(how->offsets));
		right = _mm256_add_ps(right, _mm256_loadu_ps(how->offsets + LANES));
	}
	_mm256_store_ps(scores, left);
	_mm256_store_ps(scores + LANES, right);
	if (how->row_limits) {
		const __m256 scale = _mm256_set1_ps(how->query_scales[query]);
		how->rows_reached[query] =
			at_least(_mm256_mul_ps(left, scale), _mm256_mul_ps(right, scale),
				 _mm256_loadu_ps(how->row_limits), _mm256_loadu_ps(how->row_limits + LANES));
	}
	return at_least(left, right, limit, limit);
}

AVX2 static uint32_t finish_codes(const cn_tile *sums, size_t queries, const cn_finish *how, cn_tile *scores,
				  uint32_t *reached)
{
	const __m256 scale_left = _mm256_loadu_ps(how->scales), scale_right = _mm256_loadu_ps(how->scales + LANES);
	uint32_t queries_reached = 0;
	for (size_t q = 0; q < queries; q++) {
		const __m256i *whole = (const void *)(sums->whole + q * ROWS);
		__m256 left = _mm256_cvtepi32_ps(_mm256_load_si256(whole));
		__m256 right = _mm256_cvtepi32_ps(_mm256_load_si256(whole + 1));
		reached[q] = finish_row(scores->real + q * ROWS, _mm256_mul_ps(left, scale_left),
					_mm256_mul_ps(right, scale_right), how, q);
		queries_reached |= cn_panel_reached(how, reached, q);
	}
	return queries_reached;
}

AVX2 static uint32_t finish_reals(const cn_tile *sums, size_t queries, const cn_finish *how, cn_tile *scores,
				  uint32_t *reached)
{
	uint32_t queries_reached = 0;
	for (size_t q = 0; q < queries; q++) {
		reached[q] = finish_row(scores->real + q * ROWS, _mm256_load_ps(sums->real + q * ROWS),
					_mm256_load_ps(sums->real + q * ROWS + LANES), how, q);
		queries_reached |= cn_panel_reached(how, reached, q);
	}
	return queries_reached;
}

AVX2 INLINE int32_t sum_of(__m256i sums)
{
	__m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
	half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
	return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

/*
 * Byte products take an unsigned and a signed factor: |row|, which is at most 128, and the query with the sign of the
 * row. The query's codes go from -127 to 127, so that two products fit into 16 bits.
 */
AVX2 INLINE void dot_some(const int8_t *query, const int8_t *rows, int count, size_t dim, int32_t *sums)
{
	const __m256i ones = _mm256_set1_epi16(1);
	__m256i sum[FOUR];
	size_t k = 0;
	_Pragma("GCC unroll 4") for (int i = 0; i < count; i++) sum[i] = _mm256_setzero_si256();
	for (; k + 32 <= dim; k += 32) {
		__m256i q = _mm256_loadu_si256((const void *)(query + k));
		_Pragma("GCC unroll 4") for (int i = 0; i < count; i++)
		{
			__m256i row = _mm256_loadu_si256((const void *)(rows + (size_t)i * dim + k));
			__m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(row), _mm256_sign_epi8(q, row));
			sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(pairs, ones));
		}
	}
	for (int i = 0; i < count; i++) {
		sums[i] = sum_of(sum[i]);
		for (size_t j = k; j < dim; j++)
			sums[i] += (int32_t)query[j] * rows[(size_t)i * dim + j];
	}
}

AVX2 static void dot_rows(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *sums)
{
	size_t i = 0;
	for (; i + FOUR <= count; i += FOUR)
		dot_some(query, rows + i * dim, FOUR, dim, sums + i);
	for (; i < count; i++)
		dot_some(query, rows + i * dim, 1, dim, sums + i);
}

const cn_panel_form cn_panel_forms_avx2[CN_NUMBERS] = {
	[CN_NUMBER_I8] = { ROWS, 2, 0, { i16_4, i16_8, i16_12 }, transpose, finish_codes, dot_rows, CN_PANEL_OF_WORDS },
	[CN_NUMBER_BF16] = { ROWS,
			     2,
			     0,
			     { bf16_4, bf16_8, bf16_12 },
			     transpose,
			     finish_reals,
			     NULL,
			     CN_PANEL_OF_WORDS },
	[CN_NUMBER_F32] = { ROWS, 1, 0, { f32_4, f32_8, f32_12 }, transpose, finish_reals, NULL, CN_PANEL_OF_WORDS },
};

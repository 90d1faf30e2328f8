/*
 * Nearest codes with AVX2: codes are widened to 16 bits, VPMADDWD multiplies and adds pairs of them. A tile of 4 x 16
 * products fills half of the registers and is folded into the keys of its rows and columns before the next one.
 */
#include <immintrin.h>

#include "math/nearest_pass.h"

#define ROWS    CN_NEAREST_ROWS
#define BLOCK   8 /* columns in a register */
#define COLUMNS (2 * BLOCK)
#define NOTHING INT32_MIN

#define AVX2    __attribute__((target("avx2")))
#define INLINE  static inline __attribute__((always_inline))

AVX2 INLINE __m256i load(const void *aligned)
{
	return _mm256_load_si256(aligned);
}

/* Keeps the two largest of each lane. */
AVX2 INLINE void keep_two(__m256i *best, __m256i *second, __m256i key)
{
	*second = _mm256_max_epi32(*second, _mm256_min_epi32(*best, key));
	*best = _mm256_max_epi32(*best, key);
}

/* All dimensions of a tile. */
AVX2 INLINE void multiply(const cn_nearest_pass *pass, size_t row, size_t column, __m256i sums[2][ROWS])
{
	const uint32_t *a = pass->a + row * pass->words, *b = pass->b + column * pass->words;
	for (size_t k = 0; k < 2; k++)
#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++)
			sums[k][r] = _mm256_add_epi32(_mm256_set1_epi32(pass->row_start[row + r]),
						      load(pass->column_start + column + k * BLOCK));
	for (size_t w = 0; w < pass->words; w++, a += ROWS, b += COLUMNS) {
		__m256i left = load(b), right = load(b + BLOCK);
#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++) {
			__m256i word = _mm256_set1_epi32((int32_t)a[r]);
			sums[0][r] = _mm256_add_epi32(sums[0][r], _mm256_madd_epi16(left, word));
			sums[1][r] = _mm256_add_epi32(sums[1][r], _mm256_madd_epi16(right, word));
		}
	}
}

/* The keys of the rows of a band, a lane for every 8th column. */
struct row_keys {
	__m256i best[ROWS], second[ROWS];
};

/* Folds a tile into the keys of its rows and columns. */
AVX2 INLINE void fold(const cn_nearest_pass *pass, size_t row, size_t column, __m256i sums[2][ROWS],
		      struct row_keys *rows)
{
	const __m128i shift = _mm_cvtsi32_si128(pass->shift);
	for (size_t k = 0; k < 2; k++) {
		size_t first = column + k * BLOCK;
		__m256i low = load(pass->column_low + first), best = load(pass->column_best + first);
		__m256i second = load(pass->column_second + first);
#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++) {
			__m256i shifted = _mm256_sll_epi32(sums[k][r], shift);
			keep_two(&rows->best[r], &rows->second[r], _mm256_add_epi32(shifted, low));
			keep_two(&best, &second, _mm256_add_epi32(shifted, _mm256_set1_epi32(pass->row_low[row + r])));
		}
		_mm256_store_si256((__m256i *)(void *)(pass->column_best + first), best);
		_mm256_store_si256((__m256i *)(void *)(pass->column_second + first), second);
	}
}

/* The two largest keys of all lanes. */
AVX2 static void reduce(__m256i best, __m256i second, int32_t *largest, int32_t *runner_up)
{
	int32_t keys[2 * BLOCK];
	_mm256_storeu_si256((__m256i *)(void *)keys, best);
	_mm256_storeu_si256((__m256i *)(void *)(keys + BLOCK), second);
	*largest = *runner_up = NOTHING;
	for (size_t i = 0; i < 2 * BLOCK; i++) {
		int32_t smaller = keys[i] < *largest ? keys[i] : *largest;
		*runner_up = smaller > *runner_up ? smaller : *runner_up;
		*largest = keys[i] > *largest ? keys[i] : *largest;
	}
}

AVX2 static void run_band(const cn_nearest_pass *shared, size_t row, cn_nearest_row_keys *out)
{
	const cn_nearest_pass pass = *shared; /* nothing that is stored can change this one */
	__m256i sums[2][ROWS];
	struct row_keys rows;
	for (size_t r = 0; r < ROWS; r++)
		rows.best[r] = rows.second[r] = _mm256_set1_epi32(NOTHING);
	for (size_t column = 0; column < pass.columns; column += COLUMNS) {
		multiply(&pass, row, column, sums);
		fold(&pass, row, column, sums, &rows);
	}
	for (size_t r = 0; r < ROWS; r++)
		reduce(rows.best[r], rows.second[r], &out->best[r], &out->second[r]);
}

const cn_nearest_form cn_nearest_form_avx2 = {
	.columns = COLUMNS,
	.codes_a_word = 2,
	.words_multiple = 1,
	.unsigned_columns = 0,
	.run_band = run_band,
};

/*
 * Nearest codes with AVX-512 and VNNI. The matrix of products never exists: each tile of it is folded into the best and
 * second best of its rows and of its columns while it is still in registers.
 *
 *                         tile t - 1       tile t
 *                       +-----+-----+   +-----+-----+
 *   band of 4 rows      |  folded   |   | multiplied|      2 x 16 columns a tile, 8 registers each
 *                       +-----+-----+   +-----+-----+
 *                          |     |
 *                          v     v  best, second of 16 + 16 columns, a lane a column, kept in memory between bands
 *       -> best, second of 4 rows in 16 lanes each, in registers for the whole band
 *
 * Multiplications keep half of the processor's vector units busy; the shifts and comparisons of the tile before run
 * beside them in the other half, so folding costs hardly any time. Storing the products between the two would: tiles
 * are small enough for both to stay in registers.
 *
 * VPDPBUSD multiplies four unsigned bytes with four signed ones and adds them to a 32-bit sum, so columns are stored as
 * code + 128.
 */
#include <immintrin.h>

#include "math/nearest_pass.h"

#define ROWS    CN_NEAREST_ROWS
#define BLOCK   16 /* columns in a register */
#define COLUMNS (2 * BLOCK)
#define NOTHING INT32_MIN

#define AVX512  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE  static inline __attribute__((always_inline))

/* The keys of the rows of a band, a lane for every 16th column. */
struct row_keys {
	__m512i best[ROWS], second[ROWS];
};

/* Keeps the two largest of each lane. */
AVX512 INLINE void keep_two(__m512i *best, __m512i *second, __m512i key)
{
	*second = _mm512_max_epi32(*second, _mm512_min_epi32(*best, key));
	*best = _mm512_max_epi32(*best, key);
}

/* Folds the products of a row with 16 columns into the keys of both. */
AVX512 INLINE void fold(const cn_nearest_pass *pass, size_t row, size_t column, size_t r, __m512i products,
			__m128i shift, struct row_keys *rows, __m512i columns[2])
{
	__m512i shifted = _mm512_sll_epi32(products, shift);
	__m512i low = _mm512_load_si512(pass->column_low + column);
	keep_two(&rows->best[r], &rows->second[r], _mm512_add_epi32(shifted, low));
	keep_two(&columns[0], &columns[1], _mm512_add_epi32(shifted, _mm512_set1_epi32(pass->row_low[row + r])));
}

AVX512 INLINE void load_columns(const cn_nearest_pass *pass, size_t column, __m512i columns[2])
{
	columns[0] = _mm512_load_si512(pass->column_best + column);
	columns[1] = _mm512_load_si512(pass->column_second + column);
}

AVX512 INLINE void store_columns(const cn_nearest_pass *pass, size_t column, const __m512i columns[2])
{
	_mm512_store_si512(pass->column_best + column, columns[0]);
	_mm512_store_si512(pass->column_second + column, columns[1]);
}

AVX512 INLINE void begin_sums(const cn_nearest_pass *pass, size_t row, size_t column, __m512i sums[2][ROWS])
{
	const __m512i left = _mm512_load_si512(pass->column_start + column);
	const __m512i right = _mm512_load_si512(pass->column_start + column + BLOCK);
#pragma GCC unroll 8
	for (size_t r = 0; r < ROWS; r++) {
		__m512i start = _mm512_set1_epi32(pass->row_start[row + r]);
		sums[0][r] = _mm512_add_epi32(start, left);
		sums[1][r] = _mm512_add_epi32(start, right);
	}
}

/* `words` times four dimensions of a tile. */
AVX512 INLINE void multiply(const uint32_t *a, const uint32_t *b, size_t words, __m512i sums[2][ROWS])
{
	do {
		__m512i left = _mm512_load_si512(b), right = _mm512_load_si512(b + BLOCK);
#pragma GCC unroll 8
		for (size_t r = 0; r < ROWS; r++) {
			__m512i word = _mm512_set1_epi32((int32_t)a[r]);
			sums[0][r] = _mm512_dpbusd_epi32(sums[0][r], left, word);
			sums[1][r] = _mm512_dpbusd_epi32(sums[1][r], right, word);
		}
		a += ROWS;
		b += COLUMNS;
	} while (--words);
}

/* The two largest keys of all lanes. The runner-up is the second of the winning lane or the best of another; keys
 * differ, so one lane wins. */
AVX512 INLINE void reduce(__m512i best, __m512i second, int32_t *largest, int32_t *runner_up)
{
	*largest = _mm512_reduce_max_epi32(best);
	__mmask16 winner = _mm512_cmpeq_epi32_mask(best, _mm512_set1_epi32(*largest));
	*runner_up = _mm512_reduce_max_epi32(_mm512_mask_mov_epi32(best, winner, second));
}

/* A band of rows against all columns. Before the first tile, one of the lowest products is folded, which changes
 * nothing. */
AVX512 static void run_band(const cn_nearest_pass *shared, size_t row, cn_nearest_row_keys *out)
{
	const cn_nearest_pass pass = *shared; /* nothing that is stored can change this one */
	const size_t eighth = pass.words / (2 * ROWS);
	__m512i before[2][ROWS], sums[2][ROWS], columns[2];
	struct row_keys rows;
	const __m128i shift = _mm_cvtsi32_si128(pass.shift);
	size_t column_before = 0;
#pragma GCC unroll 8
	for (size_t r = 0; r < ROWS; r++) {
		rows.best[r] = rows.second[r] = _mm512_set1_epi32(NOTHING);
		before[0][r] = before[1][r] = _mm512_set1_epi32(cn_nearest_lowest(pass.shift));
	}
	for (size_t column = 0; column < pass.columns; column += COLUMNS) {
		const uint32_t *a = pass.a + row * pass.words;
		const uint32_t *b = pass.b + column * pass.words;
		begin_sums(&pass, row, column, sums);
#pragma GCC unroll 8
		for (size_t k = 0; k < 2; k++) {
			load_columns(&pass, column_before + k * BLOCK, columns);
#pragma GCC unroll 8
			for (size_t r = 0; r < ROWS; r++) {
				multiply(a, b, eighth, sums);
				a += eighth * ROWS;
				b += eighth * COLUMNS;
				fold(&pass, row, column_before + k * BLOCK, r, before[k][r], shift, &rows, columns);
			}
			store_columns(&pass, column_before + k * BLOCK, columns);
		}
#pragma GCC unroll 8
		for (size_t r = 0; r < ROWS; r++) {
			before[0][r] = sums[0][r];
			before[1][r] = sums[1][r];
		}
		column_before = column;
	}
#pragma GCC unroll 8
	for (size_t k = 0; k < 2; k++) {
		load_columns(&pass, column_before + k * BLOCK, columns);
#pragma GCC unroll 8
		for (size_t r = 0; r < ROWS; r++)
			fold(&pass, row, column_before + k * BLOCK, r, before[k][r], shift, &rows, columns);
		store_columns(&pass, column_before + k * BLOCK, columns);
	}
	for (size_t r = 0; r < ROWS; r++)
		reduce(rows.best[r], rows.second[r], &out->best[r], &out->second[r]);
}

const cn_nearest_form cn_nearest_form_avx512 = {
	.columns = COLUMNS,
	.codes_a_word = 4,
	.words_multiple = 2 * ROWS,
	.unsigned_columns = 1,
	.run_band = run_band,
};

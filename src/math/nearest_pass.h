/*
 * math/nearest_pass.h - what the fast forms of cn_nearest_both() share; for the nearest*.c files only.
 *
 * Arg-max comes free with max: product and index share one 32-bit key, (product << shift) + (2^shift - 1 - index), so a
 * larger key is a larger product, or the same product at a smaller index. The shift is what the products of this
 * dimension leave over, 11 bits for 64 dimensions and 10 for 128; larger sets are done in passes of at most 2^shift
 * rows and columns. Padding has a product below all others.
 */
#ifndef CN_MATH_NEAREST_PASS_H
#define CN_MATH_NEAREST_PASS_H

#include <stddef.h>
#include <stdint.h>

#define CN_NEAREST_ROWS 4 /* rows of a band */

/** One pass. Sets are packed in groups of as many codes as a 32-bit word holds: for each band of rows, or tile of
 * columns, and each group, the words of its vectors side by side. */
typedef struct {
	size_t words; /* a vector, padding included */
	int shift;
	size_t rows, columns; /* padding not included */
	const uint32_t *a, *b;
	const int32_t *row_start, *column_start; /* a product begins with the sum of its row's and its column's */
	const int32_t *row_low, *column_low;     /* 2^shift - 1 - index */
	int32_t *column_best, *column_second;    /* keys */
} cn_nearest_pass;

/** Keys of a band's rows. */
typedef struct {
	int32_t best[CN_NEAREST_ROWS], second[CN_NEAREST_ROWS];
} cn_nearest_row_keys;

/** A fast form. */
typedef struct {
	size_t columns;        /* of a tile, 16 or 32 */
	size_t codes_a_word;   /* 4: bytes; 2: 16-bit numbers */
	size_t words_multiple; /* vectors are padded to a multiple of so many words */
	int unsigned_columns;  /* columns are stored as code + 128 */

	/** Multiply a band of rows with all columns: fold the products into the keys of the columns, and give the
	 * rows'. */
	void (*run_band)(const cn_nearest_pass *pass, size_t row, cn_nearest_row_keys *keys);
} cn_nearest_form;

extern const cn_nearest_form cn_nearest_form_avx2, cn_nearest_form_avx512;

/** The product of padding: below all products, and still small enough for a key. */
static inline int32_t cn_nearest_lowest(int shift)
{
	return INT32_MIN >> shift;
}

#endif

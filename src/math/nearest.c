/*
 * Nearest neighbours both ways between two small sets of 8-bit codes: the scalar reference, and the frame of the fast
 * forms (nearest_avx2.c, nearest_avx512.c), which share packing, keys and passes.
 */
#include "math/nearest.h"

#include <string.h>

#include "math/dispatch.h"
#include "math/nearest_pass.h"
#include "util/memory.h"

#define ROWS    CN_NEAREST_ROWS
#define MAX_DIM 4096 /* a key holds product and index: with more dimensions, fewer bits are left for the index */
#define NOTHING INT32_MIN

void cn_nearest_scratch_free(cn_nearest_scratch *scratch)
{
	cn_free(scratch->memory);
	memset(scratch, 0, sizeof(*scratch));
}

static int scratch_reserve(cn_nearest_scratch *scratch, size_t size)
{
	if (size <= scratch->size)
		return 0;
	cn_nearest_scratch_free(scratch);
	scratch->memory = cn_alloc_aligned(size, 1);
	if (!scratch->memory)
		return CAIRN_ENOMEM;
	scratch->size = size;
	return 0;
}

static void clear(cn_nearest *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		results[i] = (cn_nearest){ -1, NOTHING, NOTHING };
}

/* Indices come in ascending order, so an equal product does not displace the one before. */
static inline void offer(cn_nearest *result, int32_t product, int32_t index)
{
	if (result->best < 0 || product > result->product) {
		result->second = result->product;
		result->product = product;
		result->best = index;
	} else if (product > result->second) {
		result->second = product;
	}
}

/* ---- scalar ---- */

static int32_t product_of(const int8_t *a, const int8_t *b, size_t dim)
{
	int32_t sum = 0;
	for (size_t k = 0; k < dim; k++)
		sum += a[k] * b[k];
	return sum;
}

static int nearest_scalar(const int8_t *a, size_t na, const int8_t *b, size_t nb, size_t dim, cn_nearest *of_a,
			  cn_nearest *of_b)
{
	for (size_t i = 0; i < na; i++)
		for (size_t j = 0; j < nb; j++) {
			int32_t product = product_of(a + i * dim, b + j * dim, dim);
			offer(&of_a[i], product, (int32_t)j);
			offer(&of_b[j], product, (int32_t)i);
		}
	return 0;
}

/* ---- frame of the fast forms ---- */

static size_t rounded(size_t count, size_t multiple)
{
	return (count + multiple - 1) / multiple * multiple;
}

static int key_shift(size_t dim)
{
	int bits = 0;
	for (size_t most = dim * 127 * 127; most; most >>= 1)
		bits++;
	return 31 - bits;
}

static inline uint32_t word_of(const int8_t *codes, size_t codes_a_word)
{
	uint32_t word;
	if (codes_a_word == 2)
		return (uint32_t)(uint16_t)codes[0] | (uint32_t)(uint16_t)codes[1] << 16;
	memcpy(&word, codes, sizeof(word));
	return word;
}

/* One vector into every `group`-th word from `to` on. */
static inline __attribute__((always_inline)) void
pack_one(const int8_t *from, size_t dim, size_t words, size_t codes_a_word, size_t group, uint32_t flip, uint32_t *to)
{
	int8_t rest[4] = { 0, 0, 0, 0 };
	size_t whole = dim / codes_a_word;
	for (size_t w = 0; w < whole; w++)
		to[w * group] = word_of(from + w * codes_a_word, codes_a_word) ^ flip;
	for (size_t k = whole * codes_a_word; k < dim; k++)
		rest[k % codes_a_word] = from[k];
	for (size_t w = whole; w < words; w++) {
		to[w * group] = word_of(rest, codes_a_word) ^ flip;
		memset(rest, 0, sizeof(rest));
	}
}

/* Vectors side by side, `group` at a time. What is padding, in vectors as in dimensions, stands for the code 0. */
static void pack(const int8_t *from, size_t count, size_t dim, size_t words, size_t codes_a_word, size_t group,
		 uint32_t flip, uint32_t *to)
{
	for (size_t i = 0; i < rounded(count, group); i++) {
		uint32_t *place = to + i / group * group * words + i % group;
		const int8_t *codes = i < count ? from + i * dim : from;
		size_t length = i < count ? dim : 0;
		if (codes_a_word == 4)
			pack_one(codes, length, words, 4, group, flip, place);
		else
			pack_one(codes, length, words, 2, group, flip, place);
	}
}

static int32_t sum_of(const int8_t *codes, size_t dim)
{
	int32_t sum = 0;
	for (size_t k = 0; k < dim; k++)
		sum += codes[k];
	return sum;
}

/* Cuts the next array from the scratch memory, at a multiple of 64 bytes. */
static int32_t *cut(int32_t **next, size_t count)
{
	int32_t *array = *next;
	*next += rounded(count, 16);
	return array;
}

/* Index bits of keys; indices start over with each pass. */
static const int32_t *index_bits(int32_t *array, size_t count, int shift)
{
	int32_t last = (1 << shift) - 1;
	for (size_t i = 0; i < count; i++)
		array[i] = last - ((int32_t)i & last);
	return array;
}

/* Columns stored as code + 128 add 128 * sum(row) to each product of a row. */
static const int32_t *row_starts(int32_t *array, const cn_nearest_form *form, const int8_t *a, size_t na, size_t dim)
{
	for (size_t i = 0; i < rounded(na, ROWS); i++)
		array[i] = i >= na ? cn_nearest_lowest(key_shift(dim)) : 0;
	for (size_t i = 0; form->unsigned_columns && i < na; i++)
		array[i] = -128 * sum_of(a + i * dim, dim);
	return array;
}

static const int32_t *column_starts(int32_t *array, const cn_nearest_form *form, size_t nb, size_t dim)
{
	for (size_t j = 0; j < rounded(nb, form->columns); j++)
		array[j] = j >= nb ? cn_nearest_lowest(key_shift(dim)) : 0;
	return array;
}

/* Everything but the extent of a pass, in the scratch memory. */
static int prepare(cn_nearest_pass *pass, const cn_nearest_form *form, const int8_t *a, size_t na, const int8_t *b,
		   size_t nb, size_t dim, cn_nearest_scratch *scratch)
{
	size_t words = rounded((dim + form->codes_a_word - 1) / form->codes_a_word, form->words_multiple);
	size_t rows = rounded(na, ROWS), columns = rounded(nb, form->columns);
	uint32_t flip = form->unsigned_columns ? 0x80808080u : 0;
	size_t total = rounded(rows * words, 16) + rounded(columns * words, 16) + 2 * rounded(rows, 16) +
		       4 * rounded(columns, 16);
	CN_TRY(scratch_reserve(scratch, total * sizeof(int32_t)));
	int32_t *next = scratch->memory;
	uint32_t *packed_a = (uint32_t *)cut(&next, rows * words), *packed_b = (uint32_t *)cut(&next, columns * words);
	pack(a, na, dim, words, form->codes_a_word, ROWS, 0, packed_a);
	pack(b, nb, dim, words, form->codes_a_word, form->columns, flip, packed_b);
	*pass = (cn_nearest_pass){
		.words = words,
		.shift = key_shift(dim),
		.a = packed_a,
		.b = packed_b,
		.row_start = row_starts(cut(&next, rows), form, a, na, dim),
		.row_low = index_bits(cut(&next, rows), rows, key_shift(dim)),
		.column_start = column_starts(cut(&next, columns), form, nb, dim),
		.column_low = index_bits(cut(&next, columns), columns, key_shift(dim)),
		.column_best = cut(&next, columns),
		.column_second = cut(&next, columns),
	};
	return 0;
}

/* What a pass found for one vector joins what the passes before it found. Keys of padding have the lowest product. */
static void join(cn_nearest *result, int32_t best, int32_t second, int shift, size_t base)
{
	int32_t last = (1 << shift) - 1, lowest = cn_nearest_lowest(shift);
	if (best >> shift == lowest)
		return;
	offer(result, best >> shift, (int32_t)base + last - (best & last));
	if (second >> shift != lowest && second >> shift > result->second)
		result->second = second >> shift;
}

static void run_pass(const cn_nearest_pass *pass, const cn_nearest_form *form, cn_nearest *of_a, cn_nearest *of_b,
		     size_t row_base, size_t column_base)
{
	for (size_t j = 0; j < rounded(pass->columns, form->columns); j++)
		pass->column_best[j] = pass->column_second[j] = NOTHING;
	for (size_t row = 0; row < pass->rows; row += ROWS) {
		cn_nearest_row_keys keys;
		form->run_band(pass, row, &keys);
		for (size_t r = 0; r < ROWS && row + r < pass->rows; r++)
			join(&of_a[row + r], keys.best[r], keys.second[r], pass->shift, column_base);
	}
	for (size_t j = 0; j < pass->columns; j++)
		join(&of_b[j], pass->column_best[j], pass->column_second[j], pass->shift, row_base);
}

static int nearest_by_form(const cn_nearest_form *form, const int8_t *a, size_t na, const int8_t *b, size_t nb,
			   size_t dim, cn_nearest *of_a, cn_nearest *of_b, cn_nearest_scratch *scratch)
{
	cn_nearest_pass whole;
	CN_TRY(prepare(&whole, form, a, na, b, nb, dim, scratch));
	size_t most = (size_t)1 << whole.shift;
	for (size_t i = 0; i < na; i += most)
		for (size_t j = 0; j < nb; j += most) {
			cn_nearest_pass pass = whole;
			pass.rows = na - i < most ? na - i : most;
			pass.columns = nb - j < most ? nb - j : most;
			pass.a += i * pass.words;
			pass.b += j * pass.words;
			pass.row_start += i;
			pass.column_start += j;
			run_pass(&pass, form, of_a + i, of_b + j, i, j);
		}
	return 0;
}

int cn_nearest_both(const int8_t *a, size_t na, const int8_t *b, size_t nb, size_t dim, cn_nearest *of_a,
		    cn_nearest *of_b, cn_nearest_scratch *scratch)
{
	if (dim < 1 || dim > MAX_DIM || na > INT32_MAX || nb > INT32_MAX)
		return cn_fail(CAIRN_EINVALID,
			       "nearest neighbours of %zu and %zu codes of %zu dimensions: at most %d are possible", na,
			       nb, dim, MAX_DIM);
	clear(of_a, na);
	clear(of_b, nb);
	if (na == 0 || nb == 0)
		return 0;
	switch (cn_kernels_level()) {
	case CN_KERNELS_AMX:
	case CN_KERNELS_AVX512:
		return nearest_by_form(&cn_nearest_form_avx512, a, na, b, nb, dim, of_a, of_b, scratch);
	case CN_KERNELS_AVX2:
		return nearest_by_form(&cn_nearest_form_avx2, a, na, b, nb, dim, of_a, of_b, scratch);
	default:
		return nearest_scalar(a, na, b, nb, dim, of_a, of_b);
	}
}

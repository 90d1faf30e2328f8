/*
 * The scalar forms of products of panels, and the choice among the others.
 */
#include "math/panel.h"

#include <string.h>

#include "math/dispatch.h"

#define ROWS          8
#define LEAST_FOR_AMX 4 /* queries; for fewer, what AMX computes beyond them is for nothing */

void cn_panel_transpose_scalar(const uint8_t *words, size_t count, size_t words_a_row, size_t rows, uint32_t *panel)
{
	for (size_t w = 0; w < words_a_row; w++)
		for (size_t r = 0; r < rows; r++) {
			uint32_t word = 0;
			if (r < count)
				memcpy(&word, words + (r * words_a_row + w) * sizeof(word), sizeof(word));
			panel[w * rows + r] = word;
		}
}

static void transpose(const void *words, size_t count, size_t words_a_row, uint32_t *panel)
{
	cn_panel_transpose_scalar(words, count, words_a_row, ROWS, panel);
}

static int32_t product_i8(uint32_t a, uint32_t b)
{
	int32_t sum = 0;
	for (int i = 0; i < 4; i++)
		sum += (int32_t)(int8_t)(a >> 8 * i) * (int32_t)(int8_t)(b >> 8 * i);
	return sum;
}

static float as_float(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static float product_bf16(uint32_t a, uint32_t b)
{
	return as_float(a << 16) * as_float(b << 16) + as_float(a & 0xffff0000u) * as_float(b & 0xffff0000u);
}

static float product_f32(uint32_t a, uint32_t b)
{
	return as_float(a) * as_float(b);
}

#define DEFINE_MULTIPLY(name, type, member, product, queries)                                                          \
	static void name##_##queries(const uint32_t *q, const uint32_t *rows, size_t words, cn_tile *tile)             \
	{                                                                                                              \
		type *out = tile->member;                                                                              \
		memset(out, 0, (queries)*ROWS * sizeof(*out));                                                         \
		for (size_t w = 0; w < words; w++)                                                                     \
			for (size_t i = 0; i < (queries); i++)                                                         \
				for (size_t r = 0; r < ROWS; r++)                                                      \
					out[i * ROWS + r] += product(q[w * (queries) + i], rows[w * ROWS + r]);        \
	}

#define DEFINE_MULTIPLIES(name, type, member, product)                                                                 \
	DEFINE_MULTIPLY(name, type, member, product, 4)                                                                \
	DEFINE_MULTIPLY(name, type, member, product, 8)                                                                \
	DEFINE_MULTIPLY(name, type, member, product, 12)

DEFINE_MULTIPLIES(i8, int32_t, whole, product_i8)
DEFINE_MULTIPLIES(bf16, float, real, product_bf16)
DEFINE_MULTIPLIES(f32, float, real, product_f32)

static uint32_t finish_row(float *scores, const cn_finish *how, size_t query)
{
	uint32_t reached = 0, rows_reached = 0;
	for (size_t r = 0; r < ROWS; r++) {
		if (how->offsets)
			scores[r] += how->offsets[r];
		reached |= (uint32_t)(scores[r] >= how->limits[query]) << r;
		if (how->row_limits)
			rows_reached |= (uint32_t)(scores[r] * how->query_scales[query] >= how->row_limits[r]) << r;
	}
	if (how->row_limits)
		how->rows_reached[query] = rows_reached;
	return reached;
}

static uint32_t finish_codes(const cn_tile *sums, size_t queries, const cn_finish *how, cn_tile *scores,
			     uint32_t *reached)
{
	uint32_t queries_reached = 0;
	for (size_t q = 0; q < queries; q++) {
		for (size_t r = 0; r < ROWS; r++)
			scores->real[q * ROWS + r] =
				(float)(sums->whole[q * ROWS + r] - how->excess[q]) * how->scales[r];
		reached[q] = finish_row(scores->real + q * ROWS, how, q);
		queries_reached |= cn_panel_reached(how, reached, q);
	}
	return queries_reached;
}

static uint32_t finish_reals(const cn_tile *sums, size_t queries, const cn_finish *how, cn_tile *scores,
			     uint32_t *reached)
{
	uint32_t queries_reached = 0;
	for (size_t q = 0; q < queries; q++) {
		memmove(scores->real + q * ROWS, sums->real + q * ROWS, ROWS * sizeof(*scores->real));
		reached[q] = finish_row(scores->real + q * ROWS, how, q);
		queries_reached |= cn_panel_reached(how, reached, q);
	}
	return queries_reached;
}

static void dot_rows(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *sums)
{
	for (size_t i = 0; i < count; i++, rows += dim) {
		sums[i] = 0;
		for (size_t k = 0; k < dim; k++)
			sums[i] += (int32_t)query[k] * rows[k];
	}
}

static const cn_panel_form scalar[CN_NUMBERS] = {
	[CN_NUMBER_I8] = { ROWS, 4, 0, { i8_4, i8_8, i8_12 }, transpose, finish_codes, dot_rows, CN_PANEL_OF_WORDS },
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

size_t cn_panel_words(const cn_panel_form *form, size_t words_a_row)
{
	return (words_a_row + form->piece - 1) / form->piece * form->piece;
}

size_t cn_panel_place(const cn_panel_form *form, size_t r, size_t w)
{
	return (w / form->piece * form->rows + r) * form->piece + w % form->piece;
}

const cn_panel_form *cn_panel_form_of(cn_number number, size_t queries)
{
	switch (cn_kernels_level()) {
	case CN_KERNELS_AMX:
	case CN_KERNELS_AVX512:
		if (number == CN_NUMBER_I8 && queries >= LEAST_FOR_AMX && cn_kernels_level() == CN_KERNELS_AMX)
			return &cn_panel_form_amx;
		if (number == CN_NUMBER_BF16 && cn_cpu_has_bf16())
			return &cn_panel_form_dpbf16;
		return &cn_panel_forms_avx512[number];
	case CN_KERNELS_AVX2:
		return &cn_panel_forms_avx2[number];
	default:
		return &scalar[number];
	}
}

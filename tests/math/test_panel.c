/* What each form of panel products does with its panels, by the definitions in math/panel.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "levels.h"
#include "math/panel.h"
#include "support.h"
#include "util/memory.h"

#define MOST_FORMS 15

struct named_form {
	const cn_panel_form *form;
	cn_number number;
	int level;
};

/* All that this processor can run, with the one that it would not choose for itself where it multiplies bf16. */
static size_t all_forms(struct named_form *forms)
{
	size_t count = 0;
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_kernels_force((cn_kernels)level);
		for (int number = 0; number < CN_NUMBERS; number++)
			forms[count++] =
				(struct named_form){ cn_panel_form_of((cn_number)number, 1), (cn_number)number, level };
		if (level == CN_KERNELS_AMX)
			forms[count++] = (struct named_form){ cn_panel_form_of(CN_NUMBER_I8, CN_PANEL_MOST_QUERIES),
							      CN_NUMBER_I8, level };
		if (level == CN_KERNELS_AVX512)
			forms[count++] =
				(struct named_form){ &cn_panel_forms_avx512[CN_NUMBER_BF16], CN_NUMBER_BF16, level };
	}
	return count;
}

static void assert_equal_at(int equal, const struct named_form *form, const char *what, size_t query, size_t row)
{
	if (equal)
		return;
	print_error("%s of query %zu and row %zu in numbers %d at level %d\n", what, query, row, (int)form->number,
		    form->level);
	fail();
}

/* What products are made in, from the first to the last. */
static void begin(const struct named_form *form)
{
	if (form->form->begin)
		form->form->begin();
}

static void end(const struct named_form *form)
{
	if (form->form->end)
		form->form->end();
}

/* ---- packing ---- */

static void check_pack(const struct named_form *form, size_t count, size_t words, uint64_t *seed)
{
	size_t rows = form->form->rows, padded = cn_panel_words(form->form, words);
	/* 128 more in each byte, without carries. */
	uint32_t excess = form->form->excess ? 0x80808080u : 0;
	/* Exactly as large as they are, so that AddressSanitizer sees what is read and written beyond; and not aligned.
	 */
	uint8_t *memory = malloc(count * words * sizeof(uint32_t) + 1), *from = memory + 1;
	uint32_t *panel = cn_alloc_aligned(rows * padded, sizeof(*panel));
	for (size_t i = 0; i < count * words * sizeof(uint32_t); i++)
		from[i] = (uint8_t)cn_test_random(seed);
	memset(panel, 0x55, rows * padded * sizeof(*panel));
	form->form->pack(from, count, words, panel);
	for (size_t r = 0; r < rows; r++)
		for (size_t w = 0; w < padded; w++) {
			size_t place = form->form->piece == 1 ? w * rows + r : w / 16 * 16 * rows + r * 16 + w % 16;
			uint32_t wanted = 0;
			if (r < count && w < words)
				memcpy(&wanted, from + (r * words + w) * sizeof(wanted), sizeof(wanted));
			assert_equal_at(panel[place] == (r < count && w < words ? wanted ^ excess : 0), form, "word", w,
					r);
		}
	free(memory);
	cn_free(panel);
}

static void panels_are_rows_side_by_side_or_piece_by_piece(void **state)
{
	static const size_t words[] = { 1, 2, 15, 16, 17, 33, 64 };
	struct named_form forms[MOST_FORMS];
	uint64_t seed = 1;
	(void)state;
	for (size_t f = all_forms(forms); f-- > 0;)
		for (size_t count = 0; count <= forms[f].form->rows; count++)
			for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
				check_pack(&forms[f], count, words[w], &seed);
}

/* ---- multiplication ---- */

/* A whole number as the form has it in a word; what is wider than a byte is small enough to be exact in bf16. */
static void put_number(const struct named_form *form, int value, int is_row, uint32_t *word, size_t place)
{
	float real = (float)value;
	uint32_t bits;
	memcpy(&bits, &real, sizeof(bits));
	if (form->number == CN_NUMBER_F32)
		*word = bits;
	else if (form->number == CN_NUMBER_BF16)
		*word |= bits >> 16 << 16 * place;
	else if (form->form->numbers == 2)
		*word |= (uint32_t)(uint16_t)value << 16 * place;
	else
		*word |= (uint32_t)(uint8_t)(value + (is_row && form->form->excess ? 128 : 0)) << 8 * place;
}

static void fill_panel(const struct named_form *form, size_t wide, size_t words, int is_row, int8_t *values,
		       uint32_t *panel, uint64_t *seed)
{
	size_t numbers = form->form->numbers;
	memset(panel, 0, wide * words * sizeof(*panel));
	for (size_t i = 0; i < wide; i++)
		for (size_t k = 0; k < words * numbers; k++) {
			/* 127 and -128 among them: what overflows must show. */
			uint64_t r = cn_test_random(seed);
			int value = r % 4 == 0 ? 127 : r % 4 == 1 && is_row ? -128 : (int)((r >> 8) % 255) - 127;
			values[i * words * numbers + k] = (int8_t)value;
			size_t w = k / numbers, place = is_row ? cn_panel_place(form->form, i, w) : w * wide + i;
			put_number(form, value, is_row, &panel[place], k % numbers);
		}
}

/* Where the sum of a query with a row is. */
static size_t sum_place(const struct named_form *form, size_t queries, size_t q, size_t r)
{
	return form->form->piece == 1 ? q * form->form->rows + r : r * queries + q;
}

static void check_multiply(const struct named_form *form, size_t queries, size_t words, uint64_t *seed)
{
	size_t rows = form->form->rows, dim = words * form->form->numbers;
	uint32_t *q = cn_alloc_aligned(queries * words, sizeof(*q)), *r = cn_alloc_aligned(rows * words, sizeof(*r));
	int8_t *of_q = malloc(queries * dim), *of_r = malloc(rows * dim);
	cn_tile tile;
	fill_panel(form, queries, words, 0, of_q, q, seed);
	fill_panel(form, rows, words, 1, of_r, r, seed);
	memset(&tile, 0x55, sizeof(tile));
	begin(form);
	form->form->multiply[queries / form->form->step - 1](q, r, words, &tile);
	end(form);
	for (size_t i = 0; i < queries; i++)
		for (size_t j = 0; j < rows; j++) {
			int32_t wanted = 0, excess = form->number == CN_NUMBER_I8 && form->form->excess ? 128 : 0;
			for (size_t k = 0; k < dim; k++)
				wanted += of_q[i * dim + k] * (of_r[j * dim + k] + excess);
			size_t at = sum_place(form, queries, i, j);
			int equal = form->number == CN_NUMBER_I8 ? tile.whole[at] == wanted
								 : tile.real[at] == (float)wanted;
			assert_equal_at(equal, form, "sum", i, j);
		}
	cn_free(q);
	cn_free(r);
	free(of_q);
	free(of_r);
}

static void tiles_are_sums_of_products(void **state)
{
	static const size_t words[] = { 1, 2, 3, 16, 65 };
	struct named_form forms[MOST_FORMS];
	uint64_t seed = 2;
	(void)state;
	for (size_t f = all_forms(forms); f-- > 0;)
		for (size_t queries = forms[f].form->step; queries <= forms[f].form->most;
		     queries += forms[f].form->step)
			for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
				check_multiply(&forms[f], queries, cn_panel_words(forms[f].form, words[w]), &seed);
}

/* ---- scores ---- */

static void fill_sums(const struct named_form *form, size_t count, cn_tile *sums, uint64_t *seed)
{
	for (size_t i = 0; i < count; i++) {
		int32_t whole = (int32_t)(cn_test_random(seed) % 2000000) - 1000000;
		if (form->number == CN_NUMBER_I8)
			sums->whole[i] = whole;
		else
			sums->real[i] = (float)whole * 0.3f;
	}
}

static float wanted_score(const struct named_form *form, const cn_tile *sums, size_t at, const cn_finish *how, size_t q,
			  size_t r)
{
	float score = form->number == CN_NUMBER_I8 ? (float)(sums->whole[at] - how->excess[q]) * how->scales[r]
						   : sums->real[at];
	return how->offsets ? score + how->offsets[r] : score;
}

static void check_finish(const struct named_form *form, size_t queries, int has_offsets, int has_row_limits,
			 float spread, uint64_t *seed)
{
	static const float strange[] = { NAN, INFINITY, -INFINITY, 0 };
	size_t rows = form->form->rows;
	int32_t excess[CN_PANEL_MOST_QUERIES];
	float scales[CN_PANEL_MOST_ROWS], offsets[CN_PANEL_MOST_ROWS], limits[CN_PANEL_MOST_QUERIES];
	float row_limits[CN_PANEL_MOST_ROWS], query_scales[CN_PANEL_MOST_QUERIES];
	uint32_t reached[CN_PANEL_MOST_QUERIES], rows_reached[CN_PANEL_MOST_QUERIES];
	cn_tile scores, sums;
	for (size_t i = 0; i < rows; i++) {
		row_limits[i] = i % 6 ? cn_test_normal(seed) * spread : strange[i / 6 % 4];
		scales[i] = i % 8 ? cn_test_normal(seed) : strange[i / 8 % 4];
		offsets[i] = i % 7 ? cn_test_normal(seed) * 1e5f : strange[i / 7 % 4];
	}
	for (size_t i = 0; i < queries; i++) {
		query_scales[i] = cn_test_normal(seed);
		excess[i] = form->form->excess ? (int32_t)(cn_test_random(seed) % 65536) : 0;
		limits[i] = i % 5 ? cn_test_normal(seed) * spread : strange[i / 5 % 4];
	}
	fill_sums(form, queries * rows, &sums, seed);
	const cn_finish how = {
		excess,       scales,      has_offsets ? offsets : NULL, limits, has_row_limits ? row_limits : NULL,
		query_scales, rows_reached
	};
	memset(&scores, 0x55, sizeof(scores));
	memset(reached, 0, sizeof(reached));
	memset(rows_reached, 0, sizeof(rows_reached));
	uint32_t any = form->form->finish(&sums, queries, &how, &scores, reached);
	for (size_t q = 0; q < queries; q++) {
		int is_reached = reached[q] || (has_row_limits && rows_reached[q]);
		assert_equal_at((int)(any >> q & 1) == is_reached, form, "what is told", q, 0);
		for (size_t r = 0; r < rows; r++) {
			size_t at = sum_place(form, queries, q, r);
			float wanted = wanted_score(form, &sums, at, &how, q, r);
			float score = scores.real[q * rows + r];
			if (is_reached)
				assert_equal_at(score == wanted || (isnan(score) && isnan(wanted)), form, "score", q,
						r);
			assert_equal_at((reached[q] >> r & 1) == (wanted >= limits[q]), form, "reaching", q, r);
			if (has_row_limits)
				assert_equal_at((rows_reached[q] >> r & 1) ==
							(wanted * query_scales[q] >= row_limits[r]),
						form, "reaching the row's", q, r);
		}
	}
}

/* Sums in the order of rows are finished as wide as they are. */
static int takes_queries(const struct named_form *form, size_t queries)
{
	return form->form->piece == 1 || queries % form->form->step == 0;
}

static void scores_that_reach_the_limit_are_told(void **state)
{
	struct named_form forms[MOST_FORMS];
	uint64_t seed = 3;
	(void)state;
	for (size_t f = all_forms(forms); f-- > 0;)
		for (size_t queries = 1; queries <= forms[f].form->most; queries++)
			for (int what = 0; takes_queries(&forms[f], queries) && what < 8; what++)
				check_finish(&forms[f], queries, what & 1, what >> 1 & 1, what >> 2 ? 1e5f : 1e7f,
					     &seed);
}

/* ---- one query ---- */

static void check_dot_rows(const struct named_form *form, size_t count, size_t dim, uint64_t *seed)
{
	int8_t *query = malloc(dim), *rows = malloc(count * dim + !count);
	int32_t *sums = malloc(count * sizeof(*sums) + !count), excess = 0;
	for (size_t k = 0; k < dim; k++) {
		query[k] = (int8_t)(127 - (int)(cn_test_random(seed) % 255));
		excess += form->form->excess ? 128 * query[k] : 0;
	}
	for (size_t i = 0; i < count * dim; i++)
		rows[i] = (int8_t)cn_test_random(seed);
	form->form->dot_rows(query, rows, count, dim, sums);
	for (size_t i = 0; i < count; i++) {
		int32_t wanted = excess;
		for (size_t k = 0; k < dim; k++)
			wanted += query[k] * rows[i * dim + k];
		assert_equal_at(sums[i] == wanted, form, "sum", 0, i);
	}
	free(query);
	free(rows);
	free(sums);
}

static void one_query_takes_rows_as_they_lie(void **state)
{
	static const size_t dims[] = { 1, 3, 15, 16, 17, 63, 64, 65, 127, 512, 1000 };
	struct named_form forms[MOST_FORMS];
	uint64_t seed = 4;
	(void)state;
	for (size_t f = all_forms(forms); f-- > 0;) {
		if (forms[f].number != CN_NUMBER_I8 || forms[f].form->piece > 1) {
			assert_null(forms[f].form->dot_rows);
			continue;
		}
		for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++)
			for (size_t count = 0; count <= 9; count++)
				check_dot_rows(&forms[f], count, dims[d], &seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(panels_are_rows_side_by_side_or_piece_by_piece),
		cmocka_unit_test(tiles_are_sums_of_products),
		cmocka_unit_test(scores_that_reach_the_limit_are_told),
		cmocka_unit_test(one_query_takes_rows_as_they_lie),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Scanning. Where the parts of a product are while it is made:
 *
 *                         R rows, packed: stays in the first-level cache
 *                        +---------+
 *                        |         |
 *                        +---------+
 *     +---+ +---------+
 *     |   | | M x R   |  sums in registers, then scores on the stack: compared with each query's limit, and the few
 *     | M | +---------+  that reach it are put on its list
 *     |   |
 *     +---+
 *     |   |              query panels, one after the other, from the second-level cache
 *     | M |
 *     +---+
 *
 * Rows are read from memory once for all packed queries. Packing costs as much as the products with two or three
 * queries, so a single query is multiplied with the rows as they lie there. How many queries there are decides the form
 * (tiles of AMX are large), but for codes alone: other sums would differ with what a query is packed with.
 */
#include "math/scan.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "math/codes.h"
#include "math/dispatch.h"
#include "math/dot.h"
#include "math/half.h"
#include "util/bits.h"
#include "util/memory.h"

#define CACHE ((size_t)512 << 10) /* bytes of the second-level cache that query panels may take */
#define RUN   256                 /* rows whose sums with a single query are kept at once */
#define LINE  64                  /* bytes of a cache's line */

/* ---- words ---- */

static size_t words_of(const cn_panel_form *form, size_t dim)
{
	return (dim + form->numbers - 1) / form->numbers;
}

CN_INLINE void to_bf16_inlined(const float *restrict from, size_t count, uint16_t *restrict to)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t bits;
		memcpy(&bits, &from[i], sizeof(bits));
		uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
		/* Rounding carries a NaN of many ones over into a zero. */
		to[i] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
	}
}

CN_INLINE void widen_inlined(const int8_t *restrict from, size_t count, int16_t *restrict to)
{
	for (size_t i = 0; i < count; i++)
		to[i] = from[i];
}

CN_DEFINE_FORMS(to_bf16, to_bf16_inlined, (const float *from, size_t count, uint16_t *to), (from, count, to))
CN_DEFINE_FORMS(widen, widen_inlined, (const int8_t *from, size_t count, int16_t *to), (from, count, to))

/* Of the last word, what no number fills is zero in queries, so that it does not matter in rows. */
static void codes_to_words(const cn_panel_form *form, const int8_t *codes, size_t dim, uint32_t *words)
{
	words[words_of(form, dim) - 1] = 0;
	if (form->numbers == 2)
		widen(codes, dim, (int16_t *)words);
	else
		memcpy(words, codes, dim);
}

static void floats_to_words(const cn_panel_form *form, const float *numbers, size_t dim, uint32_t *words)
{
	words[words_of(form, dim) - 1] = 0;
	if (form->numbers == 2)
		to_bf16(numbers, dim, (uint16_t *)words);
	else
		memcpy(words, numbers, dim * sizeof(*numbers));
}

/* ---- queries ---- */

static void encode_query(cn_queries *queries, const cn_panel_form *form, size_t i)
{
	size_t dim = queries->dim;
	const float *vector = queries->vectors + i * dim;
	uint32_t *words = queries->words + i * queries->words_a_row;
	queries->scales[i] = 1;
	if (queries->number != CN_NUMBER_I8) {
		floats_to_words(form, vector, dim, words);
		return;
	}
	int8_t *codes = queries->codes + i * dim;
	cn_codes_encode(vector, 1, dim, codes, &queries->scales[i]);
	codes_to_words(form, codes, dim, words);
	for (size_t k = 0; form->excess && k < dim; k++)
		queries->excess[i] += CN_PANEL_EXCESS * codes[k];
}

int cn_queries_init(cn_queries *out, cn_number number, const float *vectors, size_t count, size_t dim)
{
	const cn_panel_form *form = cn_panel_form_of(number, 1);
	*out = (cn_queries){ .number = number, .count = count, .dim = dim, .vectors = vectors };
	out->words_a_row = words_of(form, dim);
	out->scales = cn_alloc(count, sizeof(*out->scales));
	out->excess = cn_alloc_zero(count, sizeof(*out->excess));
	size_t words, codes;
	int status = cn_size_mul(count, out->words_a_row, &words);
	if (status == 0)
		status = cn_size_mul(count, number == CN_NUMBER_I8 ? dim : 0, &codes);
	if (status == 0) {
		out->words = cn_alloc(words, sizeof(*out->words));
		out->codes = cn_alloc(codes, 1);
	}
	if (!out->scales || !out->excess || !out->words || !out->codes) {
		cn_queries_free(out);
		return CAIRN_ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		encode_query(out, form, i);
	return 0;
}

void cn_queries_free(cn_queries *queries)
{
	cn_free(queries->codes);
	cn_free(queries->scales);
	cn_free(queries->excess);
	cn_free(queries->words);
	*queries = (cn_queries){ 0 };
}

/* Queries of the panel that begins with query `first`: a multiple of the form's step, of which the last few may be
 * none.
 */
static size_t panel_queries(const cn_query_panels *panels, size_t first)
{
	size_t left = panels->count - first, step = panels->form->step, most = panels->form->most;
	return left < most ? (left + step - 1) / step * step : most;
}

static uint32_t number_of(const cn_query_panels *panels, size_t i)
{
	return panels->which ? panels->which[i] : (uint32_t)i;
}

static void pack_panel(const cn_query_panels *panels, size_t first, size_t wide, uint32_t *out)
{
	size_t words = panels->queries->words_a_row;
	for (size_t i = 0; i < wide; i++) {
		size_t filled = first + i < panels->count ? words : 0;
		const uint32_t *from = filled ? panels->queries->words + number_of(panels, first + i) * words : NULL;
		for (size_t w = 0; w < filled; w++)
			out[w * wide + i] = from[w];
		for (size_t w = filled; w < panels->words_a_row; w++)
			out[w * wide + i] = 0;
	}
}

/* A single query in codes needs no panels. */
static int is_taken_as_it_lies(const cn_query_panels *panels)
{
	return panels->count == 1 && panels->form->dot_rows;
}

int cn_query_panels_pack(cn_query_panels *panels, const cn_queries *queries, const uint32_t *which, size_t count)
{
	size_t rounded, needed;
	panels->queries = queries;
	panels->which = which;
	panels->count = count;
	panels->form = cn_panel_form_of(queries->number, count);
	panels->words_a_row = cn_panel_words(panels->form, queries->words_a_row);
	CN_TRY(cn_size_add(count, CN_PANEL_MOST_QUERIES, &rounded));
	CN_TRY(cn_size_mul(rounded, panels->words_a_row, &needed));
	if (needed > panels->capacity) {
		cn_free(panels->panels);
		panels->capacity = 0;
		panels->panels = cn_alloc_aligned(needed, sizeof(*panels->panels));
		if (!panels->panels)
			return CAIRN_ENOMEM;
		panels->capacity = needed;
	}
	if (is_taken_as_it_lies(panels))
		return 0;
	for (size_t first = 0; first < count; first += panels->form->most)
		pack_panel(panels, first, panel_queries(panels, first), panels->panels + first * panels->words_a_row);
	return 0;
}

void cn_query_panels_free(cn_query_panels *panels)
{
	cn_free(panels->panels);
	*panels = (cn_query_panels){ 0 };
}

int cn_scan_is_fast(cn_number number)
{
	return number == CN_NUMBER_I8 ||
	       (number == CN_NUMBER_BF16 && cn_panel_form_of(number, 1) == &cn_panel_form_dpbf16);
}

size_t cn_query_panels_best(cn_number number, size_t dim)
{
	const cn_panel_form *form = cn_panel_form_of(number, CN_PANEL_MOST_QUERIES);
	size_t queries = CACHE / (sizeof(uint32_t) * cn_panel_words(form, words_of(form, dim)));
	return queries < form->most ? form->most : queries;
}

/* ---- scanning ---- */

struct scan {
	const cn_query_panels *panels;
	const cn_panel_form *form;
	const cn_rows *rows;
	const float *bases;
	cn_shortlist *lists;
	const cn_row_lists *row_lists; /* NULL: none */
	/* A packed query each: of scores before they are multiplied with its scale and added to its base. */
	float *limits;
	int32_t *excess;                 /* likewise */
	float *query_scales;             /* likewise */
	uint32_t *words;                 /* R rows of words */
	uint32_t *panel;                 /* the same, packed */
	float *reals;                    /* a row */
	uint32_t at[CN_PANEL_MOST_ROWS]; /* the rows of the panel */
	float scales[CN_PANEL_MOST_ROWS], offsets[CN_PANEL_MOST_ROWS], row_limits[CN_PANEL_MOST_ROWS];
};

static cn_shortlist *list_of(const struct scan *scan, size_t query)
{
	return &scan->lists[number_of(scan->panels, query)];
}

static float base_of(const struct scan *scan, size_t query)
{
	return scan->bases ? scan->bases[query] : 0;
}

static float scale_of(const struct scan *scan, size_t query)
{
	return scan->panels->queries->scales[number_of(scan->panels, query)];
}

/*
 * A little low, since it is computed in another way than the scores that the lists compare: by more than the roundings
 * of both, which are in proportion to their numbers, or to the least normal number where these are less.
 */
static void set_limit(struct scan *scan, size_t query)
{
	float scale = scale_of(scan, query), base = base_of(scan, query),
	      above = list_of(scan, query)->threshold - base;
	if (scale > 0) {
		float limit = above / scale;
		scan->limits[query] = limit - fabsf(limit) * 1e-6f - (fabsf(base) + FLT_MIN) / scale * 1e-6f;
	} else {
		scan->limits[query] = above > 0 ? INFINITY : -INFINITY;
	}
	if (isnan(scan->limits[query]))
		scan->limits[query] = -INFINITY;
}

static int lay_out(struct scan *scan, cn_scan_scratch *scratch)
{
	size_t words = scan->panels->words_a_row, dim = scan->panels->queries->dim, size;
	size_t padded = (scan->panels->count + CN_PANEL_MOST_QUERIES + 15) / 16 * 16, panel, reals;
	CN_TRY(cn_size_mul(scan->form->rows, words, &panel));
	reals = (dim + 15) / 16 * 16;
	CN_TRY(cn_size_mul(2 * panel + 3 * padded + reals + 64, sizeof(uint32_t), &size));
	if (size > scratch->size) {
		cn_scan_scratch_free(scratch);
		scratch->memory = cn_alloc_aligned(size, 1);
		if (!scratch->memory)
			return CAIRN_ENOMEM;
		scratch->size = size;
	}
	/* The panel first, since it must be aligned. */
	scan->panel = scratch->memory;
	scan->words = scan->panel + panel;
	scan->limits = (float *)(scan->words + panel);
	scan->excess = (int32_t *)(scan->limits + padded);
	scan->query_scales = (float *)(scan->excess + padded);
	scan->reals = scan->query_scales + padded;
	return 0;
}

void cn_scan_scratch_free(cn_scan_scratch *scratch)
{
	cn_free(scratch->memory);
	*scratch = (cn_scan_scratch){ 0 };
}

static int is_live(const cn_rows *rows, size_t row)
{
	size_t bit = rows->live_from + (rows->numbers ? rows->numbers[row] : row);
	return cn_bit(rows->live, bit);
}

/* The first live row from `row` on, or rows->count. */
static size_t skip_dead(const cn_rows *rows, size_t row)
{
	if (!rows->live)
		return row;
	if (rows->numbers) {
		while (row < rows->count && !is_live(rows, row))
			row++;
		return row;
	}
	while (row < rows->count) {
		size_t bit = rows->live_from + row;
		uint64_t left = rows->live[bit / CN_BITS_WORD] >> bit % CN_BITS_WORD;
		if (left) {
			row += (size_t)__builtin_ctzll(left);
			break;
		}
		row += CN_BITS_WORD - bit % CN_BITS_WORD;
	}
	return row < rows->count ? row : rows->count;
}

/* The next live rows from *row on, at most `most`, into scan->at. */
static size_t next_rows(struct scan *scan, size_t *row, size_t most)
{
	size_t count = 0, left = scan->rows->count - *row;
	if (!scan->rows->live) {
		for (; count < most && count < left; count++)
			scan->at[count] = (uint32_t)(*row)++;
		return count;
	}
	while (count < most && (*row = skip_dead(scan->rows, *row)) < scan->rows->count)
		scan->at[count++] = (uint32_t)(*row)++;
	return count;
}

static void row_to_words(struct scan *scan, size_t row, uint32_t *words)
{
	size_t dim = scan->panels->queries->dim;
	switch (scan->rows->stored) {
	case CN_ROWS_I8:
		codes_to_words(scan->form, (const int8_t *)scan->rows->rows + row * dim, dim, words);
		break;
	case CN_ROWS_F16:
		cn_halves_to_floats((const uint16_t *)scan->rows->rows + row * dim, dim, scan->reals);
		floats_to_words(scan->form, scan->reals, dim, words);
		break;
	default:
		floats_to_words(scan->form, (const float *)scan->rows->rows + row * dim, dim, words);
	}
}

/* A damaged file may hold any scale; an infinite one would put the row before all others. */
static float scale_of_row(const struct scan *scan, size_t row)
{
	float scale = scan->rows->scales[row];
	return isfinite(scale) ? scale : NAN;
}

/* Bytes of a number as rows are stored. */
static size_t size_of_number(const cn_rows *rows)
{
	return rows->stored == CN_ROWS_I8 ? 1 : rows->stored == CN_ROWS_F16 ? 2 : 4;
}

static const void *row_at(const struct scan *scan, size_t row)
{
	return (const char *)scan->rows->rows + row * scan->panels->queries->dim * size_of_number(scan->rows);
}

/* Rows that follow each other may be words already. */
static int are_words(const struct scan *scan, size_t count)
{
	size_t number = size_of_number(scan->rows);
	return scan->form->numbers * number == sizeof(uint32_t) && scan->rows->stored != CN_ROWS_F16 &&
	       scan->panels->queries->dim * number % sizeof(uint32_t) == 0 &&
	       scan->at[count - 1] - scan->at[0] == count - 1;
}

/* The rows from `row` on come from memory while those before are multiplied: a part of their lines before each product,
 * since only so many can be on their way at once. Inlined, for gcc drops calls of functions that only prefetch. */
CN_INLINE void fetch_part(const struct scan *scan, size_t row, size_t part, size_t parts)
{
	size_t end = scan->rows->count - row < scan->form->rows ? scan->rows->count : row + scan->form->rows;
	const char *at = row_at(scan, row), *last = row_at(scan, end);
	size_t lines = (size_t)(last - at) / LINE;
	for (size_t i = lines * part / parts; i < lines * (part + 1) / parts; i++)
		__builtin_prefetch(at + i * LINE, 0, 2);
}

static void pack_rows(struct scan *scan, size_t count)
{
	size_t words = scan->panels->queries->words_a_row;
	if (are_words(scan, count)) {
		scan->form->pack(row_at(scan, scan->at[0]), count, words, scan->panel);
	} else {
		for (size_t i = 0; i < count; i++)
			row_to_words(scan, scan->at[i], scan->words + i * words);
		scan->form->pack(scan->words, count, words, scan->panel);
	}
	for (size_t i = 0; i < count; i++) {
		scan->scales[i] = scan->rows->scales ? scale_of_row(scan, scan->at[i]) : 1;
		scan->offsets[i] = scan->rows->offsets ? scan->rows->offsets[scan->at[i]] : 0;
	}
}

static uint32_t name_of(const struct scan *scan, int lane)
{
	uint32_t row = scan->at[lane];
	if (scan->rows->names)
		return scan->rows->names[row];
	return scan->rows->first + (scan->rows->numbers ? scan->rows->numbers[row] : row);
}

static uint32_t query_name(const struct scan *scan, size_t query)
{
	return scan->row_lists->names[number_of(scan->panels, query)];
}

static void offer(struct scan *scan, size_t query, uint32_t reached, const float *scores)
{
	cn_shortlist *list = list_of(scan, query);
	float before = list->threshold, scale = scale_of(scan, query), base = base_of(scan, query);
	for (; reached; reached &= reached - 1) {
		int lane = __builtin_ctz(reached);
		uint32_t name = name_of(scan, lane);
		if (!scan->row_lists || name > query_name(scan, query))
			cn_shortlist_push(list, scores[lane] * scale + base, name);
	}
	if (list->threshold > before)
		set_limit(scan, query);
}

static void offer_to_rows(struct scan *scan, size_t query, uint32_t reached, const float *scores)
{
	uint32_t own = query_name(scan, query);
	for (; reached; reached &= reached - 1) {
		int lane = __builtin_ctz(reached);
		uint32_t name = name_of(scan, lane);
		if (name <= own)
			continue;
		cn_shortlist *list = &scan->row_lists->lists[name - scan->row_lists->first];
		cn_shortlist_push(list, scores[lane] * scan->query_scales[query], own);
		scan->row_limits[lane] = list->threshold;
	}
}

static void finish(struct scan *scan, const cn_tile *sums, size_t first, size_t wide, size_t count)
{
	cn_tile scores;
	uint32_t rows_reached[CN_PANEL_MOST_QUERIES];
	const cn_finish how = { scan->excess + first,
				scan->scales,
				scan->rows->offsets ? scan->offsets : NULL,
				scan->limits + first,
				scan->row_lists ? scan->row_limits : NULL,
				scan->query_scales + first,
				rows_reached };
	uint32_t reached[CN_PANEL_MOST_QUERIES], valid = count < 32 ? (1u << count) - 1 : ~0u;
	uint32_t left = scan->form->finish(sums, wide, &how, &scores, reached);
	for (; left; left &= left - 1) {
		size_t q = (size_t)__builtin_ctz(left);
		if (first + q >= scan->panels->count)
			break;
		const float *of_q = scores.real + q * scan->form->rows;
		if (scan->lists && reached[q] & valid)
			offer(scan, first + q, reached[q] & valid, of_q);
		if (scan->row_lists && rows_reached[q] & valid)
			offer_to_rows(scan, first + q, rows_reached[q] & valid, of_q);
	}
}

/* Lists of rows are many: the places that are written to next are fetched while the products are made. */
static void set_row_limits(struct scan *scan, size_t count)
{
	if (!scan->row_lists)
		return;
	for (size_t i = 0; i < CN_PANEL_MOST_ROWS; i++)
		scan->row_limits[i] = INFINITY;
	for (size_t i = 0; i < count; i++) {
		const cn_shortlist *list = &scan->row_lists->lists[name_of(scan, (int)i) - scan->row_lists->first];
		scan->row_limits[i] = list->threshold;
		__builtin_prefetch(list->items + list->count, 1);
	}
}

/*
 * The rows that are packed with all queries. Sums become scores while the next panel's are made: tiles multiply beside
 * the units that compute scores, and what waits for memory in one does not hold up the other.
 */
static void scan_packed_rows(struct scan *scan, size_t count, size_t next_row)
{
	const cn_query_panels *panels = scan->panels;
	size_t most = scan->form->most, parts = (panels->count + most - 1) / most;
	cn_tile sums[2];
	for (size_t part = 0; part <= parts; part++) {
		size_t first = part * most, before = first - most;
		if (part < parts) {
			fetch_part(scan, next_row, part, parts);
			scan->form->multiply[panel_queries(panels, first) / scan->form->step - 1](
				panels->panels + first * panels->words_a_row, scan->panel, panels->words_a_row,
				&sums[part % 2]);
		}
		if (part > 0)
			finish(scan, &sums[(part - 1) % 2], before, panel_queries(panels, before), count);
	}
}

static void scan_panels(struct scan *scan)
{
	size_t row = 0, count;
	if (scan->form->begin)
		scan->form->begin();
	while ((count = next_rows(scan, &row, scan->form->rows)) > 0) {
		pack_rows(scan, count);
		set_row_limits(scan, count);
		scan_packed_rows(scan, count, row);
	}
	if (scan->form->end)
		scan->form->end();
}

/* Sums of the only query with a run of rows, R at a time. */
static void scan_run(struct scan *scan, size_t row, size_t count)
{
	const cn_queries *queries = scan->panels->queries;
	const int8_t *query = queries->codes + number_of(scan->panels, 0) * queries->dim;
	int32_t sums[RUN];
	cn_tile tile;
	scan->form->dot_rows(query, (const int8_t *)scan->rows->rows + row * queries->dim, count, queries->dim, sums);
	for (size_t begin = 0; begin < count; begin += scan->form->rows) {
		size_t wide = count - begin < scan->form->rows ? count - begin : scan->form->rows;
		for (size_t i = 0; i < wide; i++) {
			scan->at[i] = (uint32_t)(row + begin + i);
			scan->scales[i] = scale_of_row(scan, row + begin + i);
			tile.whole[i] = sums[begin + i];
		}
		set_row_limits(scan, wide);
		finish(scan, &tile, 0, 1, wide);
	}
}

/* How many live rows follow each other from `row` on, which is one. */
static size_t run_length(const cn_rows *rows, size_t row)
{
	size_t most = rows->count - row < RUN ? rows->count - row : RUN, count = 1;
	if (!rows->live)
		return most;
	while (count < most && is_live(rows, row + count))
		count++;
	return count;
}

static void scan_runs(struct scan *scan)
{
	size_t row = 0;
	while (next_rows(scan, &row, 1) > 0) {
		size_t first = scan->at[0], count = run_length(scan->rows, first);
		scan_run(scan, first, count);
		row = first + count;
	}
}

static int run(struct scan *scan, cn_scan_scratch *scratch)
{
	const cn_query_panels *panels = scan->panels;
	scan->form = panels->form;
	CN_TRY(lay_out(scan, scratch));
	for (size_t i = 0; i < panels->count + CN_PANEL_MOST_QUERIES; i++) {
		scan->limits[i] = INFINITY;
		scan->excess[i] = 0;
		scan->query_scales[i] = 0;
	}
	for (size_t i = 0; i < panels->count; i++) {
		if (scan->lists)
			set_limit(scan, i);
		scan->excess[i] = scan->form->excess ? panels->queries->excess[number_of(panels, i)] : 0;
		scan->query_scales[i] = scale_of(scan, i);
	}
	if (is_taken_as_it_lies(panels))
		scan_runs(scan);
	else
		scan_panels(scan);
	return 0;
}

int cn_scan_rows(const cn_query_panels *panels, const cn_rows *rows, const float *bases, cn_shortlist *lists,
		 cn_scan_scratch *scratch)
{
	struct scan scan = { .panels = panels, .rows = rows, .bases = bases, .lists = lists };
	return run(&scan, scratch);
}

int cn_scan_both(const cn_query_panels *panels, const cn_rows *rows, cn_shortlist *lists, const cn_row_lists *row_lists,
		 cn_scan_scratch *scratch)
{
	struct scan scan = { .panels = panels, .rows = rows, .lists = lists, .row_lists = row_lists };
	return run(&scan, scratch);
}

/*
 * math/scan.h - the best rows for each of a block of queries: blocked inner products with the choice of the best built
 * in, so that a matrix of queries x rows never exists.
 *
 * Rows lie in memory in C order as they are stored, in 8-bit codes, half precision or float. Products are made in
 * codes, bf16 or float32. Products of codes are exact integers: all kernel levels give the same scores. Other sums
 * differ by the order of additions.
 */
#ifndef CN_MATH_SCAN_H
#define CN_MATH_SCAN_H

#include "math/panel.h"
#include "util/shortlist.h"

/** Queries as products need them; immutable once made, so threads may share them. */
typedef struct {
	cn_number number;
	size_t count, dim;
	const float *vectors; /**< borrowed: count x dim */
	int8_t *codes;        /**< count x dim, of CN_NUMBER_I8 */
	float *scales;        /**< count; what a score is multiplied with */
	int32_t *excess;      /**< count; what sums of panels and of cn_panel_form.dot_rows have too much */
	uint32_t *words;      /**< count x words_a_row */
	size_t words_a_row;
} cn_queries;

/** @param vectors count x dim, finite, borrowed */
int cn_queries_init(cn_queries *out, cn_number number, const float *vectors, size_t count, size_t dim);
void cn_queries_free(cn_queries *queries);

/** Some of the queries packed for products; immutable once made. */
typedef struct {
	const cn_queries *queries;
	size_t count;
	const uint32_t *which; /**< borrowed: numbers of the queries; NULL: 0, 1, 2 ... */
	const cn_panel_form *form;
	size_t words_a_row; /**< in panels: whole pieces */
	uint32_t *panels;
	size_t capacity; /**< words in `panels` */
} cn_query_panels;

/** May be called again on the same struct, whose memory is used anew. Start zeroed. */
int cn_query_panels_pack(cn_query_panels *panels, const cn_queries *queries, const uint32_t *which, size_t count);
void cn_query_panels_free(cn_query_panels *panels);

/** Whether products in this number are faster here than in float32. */
int cn_scan_is_fast(cn_number number);

/** How many queries should be packed at once for their panels to stay in a core's second-level cache. */
size_t cn_query_panels_best(cn_number number, size_t dim);

/**
 * Rows in memory. How a row gets its number in shortlists, and its bit, depends on who scans:
 *
 *     all rows of a part         first + n                    live_from + n = first + n
 *     a list of a quantizer      first + numbers[n]           live_from + numbers[n]
 *     images of a graph          names[n], the row's image    live_from + n
 */
typedef struct {
	enum {
		CN_ROWS_I8,
		CN_ROWS_F16,
		CN_ROWS_F32
	} stored;             /**< I8 goes with CN_NUMBER_I8 alone, the others with the rest */
	const void *rows;     /**< count x dim */
	const float *scales;  /**< count; of CN_ROWS_I8 alone */
	const float *offsets; /**< NULL, or count numbers that are added to the scores; not with codes */
	size_t count;
	const uint32_t *numbers; /**< NULL: 0, 1, 2 ...; else which row each is */
	uint32_t first;          /**< row n is `first` + n in shortlists */
	const uint32_t *names; /**< NULL, or count: what the rows are in shortlists instead; several may be the same */
	const uint64_t *live;  /**< NULL: all; else bit (live_from + n) tells whether row n counts */
	size_t live_from;
} cn_rows;

/** Memory of one thread. Start zeroed. */
typedef struct {
	void *memory;
	size_t size;
} cn_scan_scratch;

void cn_scan_scratch_free(cn_scan_scratch *scratch);

/**
 * Offer every live row to every query's list. Dead rows cost next to nothing.
 *
 * @param bases NULL, or what is added to all scores of each packed query
 * @param lists by the numbers of the packed queries
 */
int cn_scan_rows(const cn_query_panels *panels, const cn_rows *rows, const float *bases, cn_shortlist *lists,
		 cn_scan_scratch *scratch);

/** Lists of the rows of a scan, for products that serve both sides. */
typedef struct {
	const uint32_t *names; /**< what the queries are in these lists, by their numbers */
	cn_shortlist *lists;   /**< a row that is n in shortlists has the list n - first */
	uint32_t first;
} cn_row_lists;

/**
 * Offer every live row to every query's list, and the query with the same score to the row's list. Pairs whose row's
 * name is not above the query's are passed over: where queries are rows too, these are the query itself, and pairs of
 * which the row is the query when its turn comes.
 *
 * @param lists NULL: only the rows have lists
 */
int cn_scan_both(const cn_query_panels *panels, const cn_rows *rows, cn_shortlist *lists, const cn_row_lists *row_lists,
		 cn_scan_scratch *scratch);

#endif

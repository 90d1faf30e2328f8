/*
 * math/panel.h - products of a block of queries with a block of rows, for scan.c and code_products.c.
 *
 * Both blocks are packed into panels of 32-bit words, a word holding one to four numbers of one vector:
 *
 *     row panel: R rows side by side          query panel: M queries side by side
 *     word 0   | r0 r1 r2 ...  r31 |          word 0   | q0 q1 ... q11 |
 *     word 1   | r0 r1 r2 ...  r31 |          word 1   | q0 q1 ... q11 |
 *     ...                                     ...
 *
 * A multiplication keeps M x R sums in registers while it walks down both panels once: of each word of a query it makes
 * a whole register, and every row is a lane.
 *
 * A register of AMX is itself a tile, 16 x 16 words, and an instruction multiplies two of them. It wants the words of
 * one side side by side, as above, and the other's as they come from memory, a piece of 16 words of each. So queries,
 * which are packed once, lie as above, M = 16 or 32, and rows in pieces:
 *
 *     row panel: R rows, a piece of each, then the next
 *     words 0 to 15  | r0: 0 1 ... 15 | r1: 0 1 ... 15 | ... | r31: 0 1 ... 15 |
 *     words 16 to 31 | r0: 16 ...  31 | ...
 *
 *                          q0 - q15   q16 - q31       16 words of 16 queries, each a tile
 *     r0 - r15, 16 words  |  sums   |   sums   |
 *     r16 - r31           |  sums   |   sums   |      R x M: a row of sums is a row of the panel
 */
#ifndef CN_MATH_PANEL_H
#define CN_MATH_PANEL_H

#include <stddef.h>
#include <stdint.h>

#define CN_PANEL_MOST_ROWS    32
#define CN_PANEL_MOST_QUERIES 32
/* Bytes before a row is multiplied with the only query when it is fetched from memory: processors themselves look no
 * further ahead than the page that they are in, and then wait. */
#define CN_PANEL_AHEAD  8192
#define CN_PANEL_EXCESS 128 /* what is added to codes of rows where a form needs unsigned ones */

/** In what numbers products are made. */
typedef enum { CN_NUMBER_I8, CN_NUMBER_BF16, CN_NUMBER_F32, CN_NUMBERS } cn_number;

/** Sums of queries with rows, in the order of the form; scores, M x R in C order in all forms. */
typedef union {
	int32_t whole[CN_PANEL_MOST_QUERIES * CN_PANEL_MOST_ROWS]; /**< sums of products of codes */
	float real[CN_PANEL_MOST_QUERIES * CN_PANEL_MOST_ROWS];    /**< other sums; scores */
} __attribute__((aligned(64))) cn_tile;

/** @param words a multiple of cn_panel_form.piece */
typedef void (*cn_multiply)(const uint32_t *queries, const uint32_t *rows, size_t words, cn_tile *sums);

/** What makes scores of sums: (sum - excess[query]) * scales[row] + offsets[row]. */
typedef struct {
	const int32_t *excess; /**< a query each; of codes alone */
	const float *scales;   /**< R; of codes alone */
	const float *offsets;  /**< R, or NULL: none */
	const float *limits;   /**< a query each: which scores are reached is told */
	/* For products that serve the lists of both sides: */
	const float *row_limits;   /**< R, or NULL: none; of scores times the query's scale */
	const float *query_scales; /**< a query each */
	uint32_t *rows_reached;    /**< out, a query each: bit r is set where row r's limit is reached */
} cn_finish;

typedef struct {
	size_t rows;             /**< R */
	size_t numbers;          /**< in a word */
	int excess;              /**< 1: rows of codes are in panels as code + CN_PANEL_EXCESS */
	cn_multiply multiply[3]; /**< for `step` queries, twice and three times as many, up to `most` */

	/** count <= R rows of words, C order, aligned or not, into a panel; other rows become 0, and so do words that
	 * fill up the last piece. */
	void (*pack)(const void *words, size_t count, size_t words_a_row, uint32_t *panel);

	/**
	 * Sums to scores.
	 *
	 * @param      queries 1 to M; M where sums are R x M
	 * @param[out] scores  M x R; may be the sums, unless these are R x M
	 * @param[out] reached a query each: bit r is set where row r reaches the query's limit
	 * @return bit q is set where a row reaches the limit of query q, or it that of a row; of the others, scores and
	 * bits may be missing
	 */
	uint32_t (*finish)(const cn_tile *sums, size_t queries, const cn_finish *how, cn_tile *scores,
			   uint32_t *reached);

	/** For one query, whose codes are not -128, sums with count rows of codes as they are stored; NULL in forms
	 * that are not for one query. */
	void (*dot_rows)(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *sums);

	size_t piece;        /**< words of a row that lie together in its panel; sums are R x M where it is not 1 */
	size_t step, most;   /**< M is a multiple of `step`, and at most `most` */
	void (*begin)(void); /**< NULL, or what a thread calls before it multiplies ... */
	void (*end)(void);   /**< ... and after it */
} cn_panel_form;

/** Bit `query`, where anything is reached: of what cn_panel_form.finish returns. */
static inline uint32_t cn_panel_reached(const cn_finish *how, const uint32_t *reached, size_t query)
{
	uint32_t any = how->row_limits ? reached[query] | how->rows_reached[query] : reached[query];
	return (uint32_t)(any != 0) << query;
}

/** For initializers: words of rows as of queries lie side by side. */
#define CN_PANEL_OF_WORDS .piece = 1, .step = 4, .most = 12

/** The form for the kernel level in use and so many queries. All that a level has for a number take the same words. */
const cn_panel_form *cn_panel_form_of(cn_number number, size_t queries);

/** words_a_row rounded up to whole pieces. */
size_t cn_panel_words(const cn_panel_form *form, size_t words_a_row);

/** Where word w of row r is in a panel. */
size_t cn_panel_place(const cn_panel_form *form, size_t r, size_t w);

/** For forms that have nothing faster. @param rows R */
void cn_panel_transpose_scalar(const uint8_t *words, size_t count, size_t words_a_row, size_t rows, uint32_t *panel);

extern const cn_panel_form cn_panel_forms_avx2[CN_NUMBERS], cn_panel_forms_avx512[CN_NUMBERS], cn_panel_form_dpbf16,
	cn_panel_form_amx;

#endif

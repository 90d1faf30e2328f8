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
 */
#ifndef CN_MATH_PANEL_H
#define CN_MATH_PANEL_H

#include <stddef.h>
#include <stdint.h>

#define CN_PANEL_MOST_ROWS    32
#define CN_PANEL_MOST_QUERIES 12
#define CN_PANEL_EXCESS       128 /* what is added to codes of rows where a form needs unsigned ones */

/** In what numbers products are made. */
typedef enum { CN_NUMBER_I8, CN_NUMBER_BF16, CN_NUMBER_F32, CN_NUMBERS } cn_number;

/** The sums of a tile, queries x rows in C order, which become scores in place. */
typedef union {
	int32_t whole[CN_PANEL_MOST_QUERIES * CN_PANEL_MOST_ROWS]; /**< sums of products of codes */
	float real[CN_PANEL_MOST_QUERIES * CN_PANEL_MOST_ROWS];    /**< other sums; scores */
} __attribute__((aligned(64))) cn_tile;

typedef void (*cn_multiply)(const uint32_t *queries, const uint32_t *rows, size_t words, cn_tile *tile);

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
	cn_multiply multiply[3]; /**< for 4, 8 and 12 queries */

	/** count <= R rows of words, C order, aligned or not, into a panel; other lanes become 0. */
	void (*transpose)(const void *words, size_t count, size_t words_a_row, uint32_t *panel);

	/** Sums to scores. @param[out] reached a query each: bit r is set where row r reaches the query's limit */
	void (*finish)(cn_tile *tile, size_t queries, const cn_finish *how, uint32_t *reached);

	/** For one query, whose codes are not -128, sums with count rows of codes as they are stored; NULL unless
	 * CN_NUMBER_I8. */
	void (*dot_rows)(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *sums);
} cn_panel_form;

/** The form for the kernel level in use. */
const cn_panel_form *cn_panel_form_of(cn_number number);

/** For forms that have nothing faster. @param rows R */
void cn_panel_transpose_scalar(const uint8_t *words, size_t count, size_t words_a_row, size_t rows, uint32_t *panel);

extern const cn_panel_form cn_panel_forms_avx2[CN_NUMBERS], cn_panel_forms_avx512[CN_NUMBERS], cn_panel_form_dpbf16;

#endif

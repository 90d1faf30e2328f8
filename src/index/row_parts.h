/*
 * index/row_parts.h - the parts of an index as one sequence of numbered rows, and bitmaps over them.
 *
 * Parts are numbered in the order of their first images, so that rows with equal scores are in the order of their
 * images' ids, however the parts were given. Each part begins at a multiple of 64, so that no two share a word of a
 * bitmap; the numbers between are of no row.
 */
#ifndef CN_INDEX_ROW_PARTS_H
#define CN_INDEX_ROW_PARTS_H

#include "cairn/index.h"
#include "math/scan.h"
#include "util/status.h"

typedef struct {
	cairn_index_part data;
	size_t first; /**< number of its first row */
	size_t given; /**< its place among the parts as they were given */
} cn_row_part;

typedef struct {
	size_t dim;
	cn_row_part *items; /**< by first image id, empty ones first */
	size_t count;
	size_t rows;          /**< of all parts */
	size_t numbers;       /**< one above the largest */
	size_t rows_an_image; /**< the most that one image has, in all parts; >= 1 */
	int shared;           /**< an image may have rows in several parts */
	int has_codes;        /**< all rows have */
} cn_row_parts;

/** @return 0; CAIRN_EINVALID where image ids are negative or descend, CAIRN_ELIMIT beyond 2^32 rows; CAIRN_ENOMEM */
int cn_row_parts_init(cn_row_parts *out, size_t dim, const cairn_index_part *parts, size_t n);
void cn_row_parts_free(cn_row_parts *parts);

const cn_row_part *cn_row_parts_find(const cn_row_parts *parts, uint32_t row);
const uint16_t *cn_row_parts_half(const cn_row_parts *parts, uint32_t row);

/** Some rows of a part for a scan, numbered as all parts number them; which of them count is not said. @param begin row
 * of the part. @param exact 1: half-precision rows, 0: codes */
cn_rows cn_row_part_rows(const cn_row_part *part, size_t begin, size_t count, size_t dim, int exact);

/** 1 where both rows are of one part and one image. */
int cn_row_parts_same_image(const cn_row_parts *parts, uint32_t a, uint32_t b);

/**
 * The rows that count when these images are left out.
 *
 * @param      ids  ascending, else CAIRN_EINVALID
 * @param[out] live the caller frees it with cn_free(); NULL where all count
 */
int cn_row_parts_without(const cn_row_parts *parts, const int64_t *ids, size_t count, uint64_t **live);

/** How many rows count. @param live NULL: all */
size_t cn_row_parts_live(const cn_row_parts *parts, const uint64_t *live);

/** The rows of these images alone, as far as they are in `among` (NULL: all). */
int cn_row_parts_only(const cn_row_parts *parts, const int64_t *ids, size_t count, const uint64_t *among,
		      uint64_t **live);

#endif

/*
 * index/rescore.h - from shortlists of rows to the best images: scores in half precision.
 */
#ifndef CN_INDEX_RESCORE_H
#define CN_INDEX_RESCORE_H

#include "index/row_parts.h"
#include "util/shortlist.h"

/** An image with the score of its best row. */
typedef struct {
	float score;
	uint32_t row; /**< the one by which it was found */
	int64_t image;
} cn_found;

/** What a shortlist was made of. */
typedef enum {
	CN_SCANNED_CODES,
	CN_SCANNED_RESIDUALS, /**< codes of differences from a centroid, which are finer */
	CN_SCANNED_HALVES
} cn_scanned;

/**
 * How many of the best images of a shortlist must be scored anew for the best k to be among them.
 *
 * @param depth 0: 1.5 k + 20, or 1.25 k + 2 of residuals; of halves it does not matter
 */
size_t cn_images_to_keep(size_t k, size_t depth, cn_scanned scanned);

/** How many rows a shortlist must keep for the best `images` images. */
size_t cn_rows_to_keep(const cn_row_parts *parts, size_t images);

/**
 * Score the images of a shortlist's rows anew by the best pair of vector and row, best first; of equal scores the
 * smaller id comes first. Each image comes once. What has no number for a score is left out.
 *
 * @param      vectors count x parts->dim
 * @param      list    its order is lost
 * @param[out] found   room for list->keep
 * @return how many
 */
size_t cn_rescore(const cn_row_parts *parts, const float *vectors, size_t count, cn_shortlist *list, cn_found *found);

#endif

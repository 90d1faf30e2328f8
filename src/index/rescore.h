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
	int64_t image;
} cn_found;

/** How many rows a shortlist must keep for the best `images` images. */
size_t cn_rows_to_keep(const cn_row_parts *parts, size_t images);

/**
 * Score the images of a shortlist's rows anew, best first; of equal scores the smaller id comes first. Each image comes
 * once. What has no number for a score is left out.
 *
 * @param      vector parts->dim numbers
 * @param      list   its order is lost
 * @param[out] found  room for list->keep
 * @return how many
 */
size_t cn_rescore(const cn_row_parts *parts, const float *vector, cn_shortlist *list, cn_found *found);

#endif

/*
 * rank/neighbourhood.h - the vectors of a query's first images, and which of them are nearest to each other.
 */
#ifndef CN_RANK_NEIGHBOURHOOD_H
#define CN_RANK_NEIGHBOURHOOD_H

#include "data/vectors.h"
#include "math/scan.h"
#include "rank/list.h"

/**
 * One thread's memory for it, and what is in it.
 *
 * Row 0 of the vectors is the query's, the others are those of `count` images by ascending id: so row numbers order
 * equals as ids do.
 */
typedef struct {
	size_t most, dim; /**< images there is room for */
	size_t count;     /**< images that are in it */
	int64_t *ids;     /**< count, ascending; row i + 1 is of image ids[i] */
	float *vectors;   /**< (1 + count) x dim */

	size_t nearest;      /**< neighbours kept of each row, at most */
	cn_scored_row *near; /**< (1 + most) x nearest, by descending inner product, equal ones by ascending row */
	float *least;        /**< 1 + most: the least inner product of each row with any, itself included */

	/* The search's: */
	uint32_t *rows;      /* 1 + most */
	cn_shortlist *lists; /* 1 + most */
	cn_scored_row *items;
	size_t batch, capacity; /* lists with memory at once, and how much each has */
	cn_query_panels panels;
	cn_scan_scratch scratch;
} cn_neighbourhood;

/** @param most images at once, below 2^32 - 1. May be freed also after a failure. */
int cn_neighbourhood_init(cn_neighbourhood *out, size_t most, size_t dim, size_t nearest);
void cn_neighbourhood_free(cn_neighbourhood *hood);

/**
 * Fill it with a query and the first images of its list, as many as there is room for.
 *
 * @param query  its number, for errors
 * @param vector dim
 * @return 0; CAIRN_EINVALID naming the query or the image whose vector holds a number that is not finite; what
 *         vectors->get() fails with
 */
int cn_neighbourhood_fill(cn_neighbourhood *hood, const cn_rank_list *list, size_t query, const float *vector,
			  const cn_vectors *vectors);

/**
 * For each row from `first` on the nearest others from `first` on: `near` and `least` are filled. A row is not among
 * its own neighbours; another one with the same vector is.
 *
 * @param first 0: with the query; 1: images alone
 * @return how many neighbours each row has; CAIRN_EINVALID where a product is not finite; CAIRN_ENOMEM
 */
int cn_neighbourhood_search(cn_neighbourhood *hood, size_t first);

#endif

/*
 * math/assign.h - the nearest centroids of vectors: the work of k-means, of codebooks and of coarse quantizers.
 */
#ifndef CN_MATH_ASSIGN_H
#define CN_MATH_ASSIGN_H

#include <stddef.h>
#include <stdint.h>

#include "util/parallel.h"

/** The most centroids that can be asked for a row. */
#define CN_ASSIGN_MAX 64

/** Centroids made ready for many calls; immutable once made, so threads may share them. */
typedef struct {
	size_t count, dim;
	float *mean;     /**< dim */
	float *relative; /**< count x dim: the centroids less the mean */
	float *offsets;  /**< count: -|relative|^2 / 2 */
	float longest;   /**< |relative|, the most */
} cn_centroids;

/**
 * @param[out] out     the caller frees it with cn_centroids_free(), also after a failure
 * @param      vectors count x dim float32, finite; not needed afterwards
 * @return 0; CAIRN_EINVALID where a size is out of range; CAIRN_ENOMEM
 */
int cn_centroids_init(cn_centroids *out, const float *vectors, size_t count, size_t dim);
void cn_centroids_free(cn_centroids *centroids);

/**
 * For each row its n nearest centroids by Euclidean distance, nearest first; of equally near ones the smaller index
 * comes first. Those that may be among them are found by products in bf16 where that is fast; these are compared by c .
 * x - |c|^2 / 2 in float32, relative to the mean of the centroids, so centroids that differ by less than its rounding
 * may change places. For one kernel level and one array of rows the result is the same on every call and for every
 * number of threads.
 *
 * @param pool    NULL: the calling thread alone
 * @param rows    count x centroids->dim float32; where a number is not finite, the row's centroids mean nothing
 * @param n       1 to min(centroids->count, CN_ASSIGN_MAX)
 * @param nearest count x n indices of centroids, written
 * @return 0; CAIRN_EINVALID where n is out of range; CAIRN_ENOMEM
 */
int cn_assign(cn_workers *pool, const cn_centroids *centroids, const float *rows, size_t count, size_t n,
	      uint32_t *nearest);

#endif

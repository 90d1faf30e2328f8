/*
 * math/kmeans.h - Lloyd's k-means (Lloyd, IEEE Transactions on Information Theory 1982) for many rows and clusters.
 */
#ifndef CN_MATH_KMEANS_H
#define CN_MATH_KMEANS_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "util/parallel.h"

typedef struct {
	size_t clusters;   /**< 1 to the number of distinct rows */
	size_t iterations; /**< at most, >= 1; it ends before where no row changes its cluster */
	uint64_t seed;
} cn_kmeans_options;

/** How it ended. */
typedef struct {
	size_t iterations;
	double error; /**< mean squared distance of the rows used from their centroids */
} cn_kmeans_result;

/**
 * Cluster rows by Euclidean distance.
 *
 * Centroids begin as rows with distinct numbers, chosen with the seed. A cluster that becomes empty takes, from the
 * cluster with the largest sum of squared distances, the row farthest from the centroid. The result depends on rows,
 * options and kernel level, not on the number of threads: sums are in double, in the order of the rows.
 *
 * @param pool      NULL: the calling thread alone
 * @param rows      count x dim float32, finite; count < 2^32
 * @param progress  NULL, or told rows compared with centroids; it can cancel
 * @param centroids clusters x dim, written
 * @param result    NULL, or written
 * @return 0; CAIRN_EINVALID where a size is out of range, a number is not finite or there are fewer distinct rows than
 *         clusters; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_kmeans(cn_workers *pool, const float *rows, size_t count, size_t dim, const cn_kmeans_options *options,
	      cairn_progress_cb progress, void *payload, float *centroids, cn_kmeans_result *result);

#endif

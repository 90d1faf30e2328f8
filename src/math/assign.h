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

/**
 * For each row its n nearest centroids by Euclidean distance, nearest first; of equally near ones the smaller index
 * comes first. Those that may be among them are found by products in bf16; these are compared by c . x - |c|^2 / 2 in
 * float32, relative to the mean of the centroids, so centroids that differ by less than its rounding may change places.
 * For one kernel level and one array of rows the result is the same on every call and for every number of threads.
 *
 * @param pool      NULL: the calling thread alone
 * @param rows      count x dim float32; where a number is not finite, the row's centroids mean nothing
 * @param centroids k x dim float32, finite
 * @param n         1 to min(k, CN_ASSIGN_MAX)
 * @param nearest   count x n indices of centroids, written
 * @return 0; CAIRN_EINVALID where a size is out of range; CAIRN_ENOMEM
 */
int cn_assign(cn_workers *pool, const float *rows, size_t count, const float *centroids, size_t k, size_t dim, size_t n,
	      uint32_t *nearest);

#endif

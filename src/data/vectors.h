/*
 * data/vectors.h - where re-ranking takes the descriptors of images from: a matrix in memory, or an index.
 *
 * Whoever re-ranks needs the vectors of some images, not where they are kept nor in which numbers.
 */
#ifndef CN_DATA_VECTORS_H
#define CN_DATA_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"

/** A source of vectors. May be asked from any number of threads at once. */
typedef struct cn_vectors {
	size_t dim;
	/**
	 * The vectors of images, in the order that is asked for.
	 *
	 * @param      images count ids, in any order, repeated or not
	 * @param[out] out    count x dim, C order
	 * @return 0; CAIRN_ENOTFOUND naming an id that is unknown
	 */
	int (*get)(const struct cn_vectors *self, const int64_t *images, size_t count, float *out);
	const void *source; /**< borrowed */
	size_t count;       /**< of a matrix: its rows */
} cn_vectors;

/** Row i of a matrix is the vector of image i. @param rows count x dim, C order; borrowed */
cn_vectors cn_vectors_of_matrix(const float *rows, size_t count, size_t dim);

#endif

/*
 * cairn/index.h - nearest neighbours among descriptors.
 *
 * Descriptors are rows of float32, C order; similarity is the inner product, so unit vectors give the cosine. An image
 * may own several rows (regions, scales): its similarity is that of its best row, and it appears once.
 *
 * Thread-safety: an index never changes after it is made; any number of threads may search it.
 */
#ifndef CAIRN_INDEX_H
#define CAIRN_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/ranking.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_index cairn_index;

/** Rows that belong together in memory: one segment of a collection, or an array of the caller's. Borrowed, not copied.
 */
typedef struct {
	const float *rows;     /**< count x dim float32, C order */
	const int64_t *images; /**< count image ids, >= 0, one a row, in ascending order */
	size_t count;          /**< number of rows */
} cairn_index_part;

/**
 * Make an exact index over parts.
 *
 * @param[out] out    the new index; the caller frees it with cairn_index_free()
 * @param      dim    dimensions of a row, >= 1
 * @param      parts  n parts; their arrays must outlive the index
 * @param      removed NULL, or ids to leave out, ascending
 * @return 0; CAIRN_EINVALID; CAIRN_ENOMEM
 */
CAIRN_API int cairn_index_new_flat(cairn_index **out, size_t dim, const cairn_index_part *parts, size_t n,
				   const int64_t *removed, size_t removed_count);

/** Free an index; NULL is allowed. */
CAIRN_API void cairn_index_free(cairn_index *index);

CAIRN_API size_t cairn_index_dim(const cairn_index *index);

/** Number of rows, removed ones included. */
CAIRN_API size_t cairn_index_rows(const cairn_index *index);

/**
 * The k best images for each query; equal scores are ordered by ascending id. Results do not depend on `threads`.
 *
 * @param[out] out     a new ranking of `queries` rows and depth k, without inliers; the caller frees it
 * @param      vectors queries x dim float32, C order, finite
 * @param      k       >= 1
 * @param      threads 0: one for each core
 * @return 0; CAIRN_EINVALID where a size is 0 or a number is not finite; CAIRN_ENOMEM
 */
CAIRN_API int cairn_index_search(const cairn_index *index, const float *vectors, size_t queries, size_t k,
				 unsigned threads, cairn_ranking **out);

#ifdef __cplusplus
}
#endif
#endif

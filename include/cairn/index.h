/*
 * cairn/index.h - nearest neighbours among descriptors.
 *
 * Similarity is the inner product, so unit vectors give the cosine. An image may own several rows (regions, scales):
 * its similarity is that of its best row, and it appears once.
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

/**
 * Rows that belong together in memory: one segment of a collection, or arrays of the caller's. Borrowed, not copied.
 *
 * `codes` and `scales` may both be NULL: scans then read the half-precision rows of all parts, which takes twice as
 * long and finds what `exact` does. Where lists are probed (cairn/ivf.h), codes serve only searches among few images.
 */
typedef struct {
	const uint16_t *rows;  /**< count x dim float16, C order */
	const int8_t *codes;   /**< count x dim, as cairn_index_encode() makes them; see below */
	const float *scales;   /**< count; value = scale * code */
	const int64_t *images; /**< count image ids, >= 0, one a row, in ascending order; the same may follow itself */
	size_t count;          /**< number of rows */
} cairn_index_part;

/**
 * Encode rows for a part: half-precision numbers, and 8-bit codes of these with one scale a row (docs/methods.md,
 * "Search").
 *
 * @param      rows   count x dim float32, C order, finite, |value| <= 65504
 * @param[out] halves count x dim
 * @param[out] codes  count x dim
 * @param[out] scales count
 * @return 0; CAIRN_EINVALID naming the row whose number does not fit; CAIRN_ENOMEM
 */
CAIRN_API int cairn_index_encode(const float *rows, size_t count, size_t dim, uint16_t *halves, int8_t *codes,
				 float *scales);

/** How an index is searched. */
typedef struct {
	uint32_t version; /**< CAIRN_INDEX_OPTIONS_VERSION */
	uint32_t threads; /**< 0: one for each core */
	/** How many of the best images by 8-bit codes are scored anew in half precision; 0: 1.5 k + 20, with lists
	 * 1.25 k + 2. That finds at least 0.999 of the exact k best of rows spread as descriptors of different places
	 * are; where hundreds of rows differ from each other by a cosine of less than 0.01, or all have one large
	 * number in common, codes and half-precision numbers tell them apart no longer (docs/methods.md, "Search"). */
	size_t depth;
	int exact; /**< 1: all rows are scored in half precision, and the codes are not read */
	/** Of an index with lists (cairn/ivf.h), ignored without: the share of the true k best that is to be found,
	 * above 0 to 1, 0 stands for 0.95; how many lists to probe, 0: as many as this takes, and more where rows are
	 * removed or left out. Fewer than k images may be found where the lists that are probed hold fewer. */
	double recall;
	size_t probes;
	/** NULL: all images may be found; else the ids that alone may be, each above the one before. An empty array,
	 * which is not NULL, finds nothing. The search costs in proportion to them. */
	const int64_t *only;
	size_t only_count;
} cairn_index_options;

#define CAIRN_INDEX_OPTIONS_VERSION 1
#define CAIRN_INDEX_OPTIONS_INIT                                                                                       \
	{                                                                                                              \
		CAIRN_INDEX_OPTIONS_VERSION, 0, 0, 0, 0, 0, NULL, 0                                                    \
	}

/**
 * Make an index that scans all rows.
 *
 * @param[out] out    the new index; the caller frees it with cairn_index_free()
 * @param      dim    dimensions of a row, 1 to 65536
 * @param      parts  n parts; their arrays must outlive the index
 * @param      removed NULL, or ids to leave out, each above the one before
 * @return 0; CAIRN_EINVALID naming the number or id at fault; CAIRN_ELIMIT beyond 2^32 rows; CAIRN_ENOMEM
 */
CAIRN_API int cairn_index_new_flat(cairn_index **out, size_t dim, const cairn_index_part *parts, size_t n,
				   const int64_t *removed, size_t removed_count);

/** Free an index; NULL is allowed. */
CAIRN_API void cairn_index_free(cairn_index *index);

CAIRN_API size_t cairn_index_dim(const cairn_index *index);

/** Number of rows, removed ones included. */
CAIRN_API size_t cairn_index_rows(const cairn_index *index);

/**
 * The k best images for each query; equal scores are ordered by ascending id. Results do not depend on the number of
 * threads, nor, unless images have rows in several parts and scores are equal, on how rows are divided into parts.
 *
 * Each call has threads of its own: who searches from many threads at once should ask for one in each. Besides the
 * ranking, 12 bytes a query and k whatever the number of images, a search needs some 64 MB at most, more where a single
 * query's shortlist takes more: depth * 16 bytes a thread, times the most rows that any image has.
 *
 * @param[out] out     a new ranking of `queries` rows and depth k; the caller frees it. Scores are inner products with
 *                     the half-precision rows
 * @param      vectors queries x dim float32, C order, finite
 * @param      k       1 to 2^31 - 1
 * @param      options NULL for the defaults
 * @return 0; CAIRN_EINVALID where a size is 0 or too large, a number is not finite, a recall is no share, ids do not
 *         ascend or the options are of another version; CAIRN_ENOMEM
 */
CAIRN_API int cairn_index_search(cairn_ranking **out, const cairn_index *index, const float *vectors, size_t queries,
				 size_t k, const cairn_index_options *options);

#ifdef __cplusplus
}
#endif
#endif

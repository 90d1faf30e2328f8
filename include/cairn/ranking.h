/*
 * cairn/ranking.h - the K best images for each of Q queries.
 *
 * What a search in an index finds. Rows are queries, columns are ranks, best first. Unused places at the end of a row
 * hold CAIRN_NO_IMAGE and a score of -INFINITY.
 *
 * Thread-safety: a ranking may be read from any number of threads while none changes it.
 */
#ifndef CAIRN_RANKING_H
#define CAIRN_RANKING_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Fills the places of a row for which there was no image. */
#define CAIRN_NO_IMAGE ((int64_t)-1)

typedef struct cairn_ranking cairn_ranking;

/**
 * Make an empty ranking.
 *
 * @param[out] out     the new ranking; the caller frees it with cairn_ranking_free()
 * @param      queries number of rows, >= 1
 * @param      depth   places a row, 1 to 2^31-1
 * @return 0; CAIRN_EINVALID where a size is out of range; CAIRN_ENOMEM
 */
CAIRN_API int cairn_ranking_new(cairn_ranking **out, size_t queries, size_t depth);

/** Free a ranking; NULL is allowed. */
CAIRN_API void cairn_ranking_free(cairn_ranking *ranking);

CAIRN_API size_t cairn_ranking_queries(const cairn_ranking *ranking);
CAIRN_API size_t cairn_ranking_depth(const cairn_ranking *ranking);

/** How many places of a row are used. */
CAIRN_API size_t cairn_ranking_count(const cairn_ranking *ranking, size_t query);

/** Borrowed arrays of cairn_ranking_depth() entries, valid until the ranking changes or is freed. */
CAIRN_API const int64_t *cairn_ranking_images(const cairn_ranking *ranking, size_t query);
CAIRN_API const float *cairn_ranking_scores(const cairn_ranking *ranking, size_t query);

/**
 * Set one place.
 *
 * @return 0; CAIRN_EINVALID where query or rank is out of range, the id is negative or the score is NaN
 */
CAIRN_API int cairn_ranking_set(cairn_ranking *ranking, size_t query, size_t rank, int64_t image, float score);

/* ---- after verification ---- */

/** Stands where an image was not verified. */
#define CAIRN_NO_INLIERS ((int32_t)-1)

/** How the verified images are put into order; docs/methods.md, "Re-ranking by inliers". */
typedef enum {
	CAIRN_ORDER_FUSED,  /**< score + boost * log(1 + inliers) where inliers reach the minimum; the default */
	CAIRN_ORDER_INLIERS /**< images that reach the minimum first, by inliers, then by score; the others by score
			       below them */
} cairn_order;

#ifdef __cplusplus
}
#endif
#endif

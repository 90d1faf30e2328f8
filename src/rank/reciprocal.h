/*
 * rank/reciprocal.h - re-ranking by the neighbours that images share: k-reciprocal encoding, among a query's first
 * images alone.
 *
 * Zhong, Zheng, Cao and Li, "Re-ranking person re-identification with k-reciprocal encoding", CVPR 2017;
 * docs/methods.md, "Reciprocal neighbours", says what it means to look at the first images alone.
 */
#ifndef CN_RANK_RECIPROCAL_H
#define CN_RANK_RECIPROCAL_H

#include "data/vectors.h"
#include "rank/list.h"

typedef struct {
	size_t most;  /**< images of a list that are re-ranked, and among which neighbours are looked for; >= 1 */
	size_t k1;    /**< neighbours that must be mutual, >= 1 */
	size_t k2;    /**< encodings averaged for one, its own included, >= 1; 1: no averaging */
	float lambda; /**< share of the descriptors' own distance in the final one, 0 to 1 */
} cn_reciprocal_options;

/** k1, k2 and lambda as published; `most` is cairn's. */
#define CN_RECIPROCAL_OPTIONS_INIT                                                                                     \
	{                                                                                                              \
		.most = 400, .k1 = 20, .k2 = 6, .lambda = 0.3f                                                         \
	}

/**
 * Re-rank the first images of each list; images behind them follow in their order.
 *
 * The result has the depth of the ranking and of each list the same images. Equal scores are in order of ascending id;
 * where equally near neighbours compete for a place, the query comes first, then smaller ids. A score is 1 - final
 * distance, 0 to 1. Scores of images that follow are lowered together until they are not above the last re-ranked
 * one's. Vectors are brought to unit length first. A list costs most^2 inner products.
 *
 * @param[out] out     the caller frees it with cairn_ranking_free()
 * @param      run     NULL: the calling thread alone
 * @param      queries a row of vectors->dim numbers for each of the ranking's queries, C order, finite
 * @param      vectors of all images of the ranking
 * @return 0; CAIRN_EINVALID where an option is out of range or a vector is not finite; CAIRN_ENOTFOUND naming an image
 *         without a vector, or whatever else vectors->get() fails with; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_rank_reciprocal(cairn_ranking **out, const cn_rank_run *run, const cairn_ranking *ranking, const float *queries,
		       const cn_vectors *vectors, const cn_reciprocal_options *options);

#endif

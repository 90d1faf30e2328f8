/*
 * rank/superglobal.h - re-ranking by descriptors that were refined with their neighbours among a query's first images.
 *
 * Shao, Chen, Karpur, Cui, Araujo and Cao, "Global features are all you need for image retrieval and reranking", ICCV
 * 2023; docs/methods.md, "Refined descriptors".
 */
#ifndef CN_RANK_SUPERGLOBAL_H
#define CN_RANK_SUPERGLOBAL_H

#include "data/vectors.h"
#include "rank/list.h"

typedef struct {
	size_t most;       /**< images of a list that are re-ranked, >= 1 */
	size_t neighbours; /**< that refine an image, and with the best image make the refined query; >= 0 */
	float weight;      /**< of a neighbour, times its similarity; >= 0. The image itself has 1 */
} cn_superglobal_options;

/** The published numbers. */
#define CN_SUPERGLOBAL_OPTIONS_INIT                                                                                    \
	{                                                                                                              \
		.most = 400, .neighbours = 9, .weight = 0.15f                                                          \
	}

/**
 * Re-rank the first images of each list; images behind them follow in their order.
 *
 * The result has the depth of the ranking and of each list the same images. Equal scores are in order of ascending id.
 * Scores are the means of an image's two similarities, with the query and with the refined query, neither of which is
 * a cosine. Scores of images that follow are lowered together until they are not above the last re-ranked one's. A
 * thread takes about 3 * most * dim floats.
 *
 * @param[out] out     the caller frees it with cairn_ranking_free()
 * @param      run     NULL: the calling thread alone
 * @param      queries a row of vectors->dim numbers for each of the ranking's queries, C order, finite; as the images'
 *                     vectors expected to have unit length, which is not checked
 * @param      vectors of all images of the ranking
 * @return 0; CAIRN_EINVALID where an option is out of range or a vector is not finite; CAIRN_ENOTFOUND naming an image
 *         without a vector, or whatever else vectors->get() fails with; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_rank_superglobal(cairn_ranking **out, const cn_rank_run *run, const cairn_ranking *ranking, const float *queries,
			const cn_vectors *vectors, const cn_superglobal_options *options);

#endif

/*
 * rank/explore.h - Explore-Exploit Graph Traversal (EGT): images are taken by walking the kNN graph from the query.
 *
 * Chang, Yu, Liu and Volkovs, "Explore-exploit graph traversal for image retrieval", CVPR 2019; docs/methods.md,
 * "Walking the graph".
 */
#ifndef CN_RANK_EXPLORE_H
#define CN_RANK_EXPLORE_H

#include "cairn/graph.h"
#include "rank/list.h"

typedef struct {
	size_t k;           /**< of how many neighbours of an image one hears, >= 1; of the query's list likewise */
	float threshold;    /**< what is above it is taken at once; +INFINITY: one by one */
	size_t depth;       /**< how many images are taken by walking, 1 to 2^31-1 */
	const int64_t *own; /**< NULL, or of each query the image that it is, which is not walked to; negative: none */
} cn_explore_options;

/** The depth is that of the published lists; the others depend on network and index, and are not tuned. */
#define CN_EXPLORE_OPTIONS_INIT                                                                                        \
	{                                                                                                              \
		.k = 100, .threshold = 0.5f, .depth = 100                                                              \
	}

/**
 * Walk from each query.
 *
 * The first k images of the query's list, and of each image that is taken its first k neighbours, become candidates;
 * a candidate's weight is the largest score of all edges that lead to it. Then the best candidate is taken, and all
 * others above the threshold, by weight, equal ones by ascending id; then the neighbours of those are looked at; until
 * `depth` images are taken or no candidate is left. Images of the query's list that were not taken follow in their
 * order.
 *
 * The result has max(options->depth, depth of the ranking) places. Its images are those of the list and those that
 * edges lead to; where all places are used, the last images of the list may be missing. An edge whose score is not a
 * number does not count. The score of an image that was taken is the least weight of those taken up to it. Scores of
 * those that follow are lowered together until they are not above the last of them.
 *
 * @param[out] out   the caller frees it with cairn_ranking_free()
 * @param      run   NULL: the calling thread alone
 * @param      lists the images of its lines ascend, or are NULL: line i is of image i. k of more places than there are:
 * all of them
 * @return 0; CAIRN_EINVALID where an option is out of range or the images do not ascend; CAIRN_ENOTFOUND naming an
 *         image that was taken and has no line; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_rank_explore(cairn_ranking **out, const cn_rank_run *run, const cairn_ranking *ranking,
		    const cairn_neighbours *lists, const cn_explore_options *options);

#endif

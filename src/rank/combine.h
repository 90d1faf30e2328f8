/*
 * rank/combine.h - weighted sums of a vector and its neighbours, which query expansion and augmentation are made of.
 *
 * docs/methods.md, "Query expansion". A combination belongs to one thread at a time.
 */
#ifndef CN_RANK_COMBINE_H
#define CN_RANK_COMBINE_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/rerank.h"
#include "data/vectors.h"

typedef struct {
	cairn_neighbour_weights rule;
	size_t neighbours; /**< n: >= 1 */
	double alpha;
} cn_weighting;

/** @param neighbours 0: the rule's own. @return 0; CAIRN_EINVALID naming what is out of range */
int cn_weighting_init(cn_weighting *out, cairn_neighbour_weights rule, size_t neighbours, double alpha);

/** One neighbour. */
typedef struct {
	int64_t image;
	uint32_t rank;    /**< from 1; 0: not among the nearest */
	int verified;     /**< 1: it shows the same for certain */
	float similarity; /**< of those with a rank */
	float weight;     /**< set by cn_combination_weigh(); NAN: follows from the vectors */
} cn_neighbour;

/** The neighbours of one vector after the other. */
typedef struct {
	cn_neighbour *items; /**< once weighed: by ascending image, each once, without those of weight 0 */
	size_t count, capacity;
	float *rows; /**< of some neighbours */
	float *sum;  /**< dim */
	size_t dim;
} cn_combination;

/** @param capacity the most neighbours that one vector has. @param dim 0 where nothing will be summed */
int cn_combination_init(cn_combination *out, size_t capacity, size_t dim);
void cn_combination_free(cn_combination *combination);

/** Forget the neighbours and take others: the first n that are images, and not `self`. */
void cn_combination_start(cn_combination *combination, const cn_weighting *weighting, const int64_t *images,
			  const float *similarities, size_t count, int64_t self);

/** Take verified images in addition, those with more inliers than `least`. @param images negative ids are none */
void cn_combination_add_verified(cn_combination *combination, const int64_t *images, const float *inliers, size_t count,
				 float least);

/** Give the neighbours their weights. @return 0; CAIRN_EINVALID naming an image whose weight is not finite */
int cn_combination_weigh(cn_combination *combination, const cn_weighting *weighting);

/**
 * L2(own + sum of w x) over the neighbours, once weighed, in the order of their ids; L2(own) where the sum vanishes.
 *
 * @param      own dim
 * @param[out] out dim; may be `own`
 * @return 0; CAIRN_ENOTFOUND naming an image without a vector; CAIRN_EINVALID where weights are too large
 */
int cn_combination_sum(cn_combination *combination, const cn_weighting *weighting, const cn_vectors *vectors,
		       const float *own, float *out);

#endif

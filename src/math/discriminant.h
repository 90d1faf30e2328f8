/*
 * math/discriminant.h - whitening learned from matching pairs of float32 rows: linear discriminant projections.
 *
 * Mikolajczyk and Matas, "Improving descriptors for fast tree matching by optimal linear projection", ICCV 2007; for
 * global descriptors ("Lw") Radenovic, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation",
 * TPAMI 2018. docs/methods.md, "Centring and whitening", has the formulas. Thread-safe.
 */
#ifndef CN_MATH_DISCRIMINANT_H
#define CN_MATH_DISCRIMINANT_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

typedef struct {
	size_t dim;        /**< input dimensions */
	size_t kept;       /**< rows of the projection, <= dim */
	float *mean;       /**< dim: of the first rows of the pairs */
	float *projection; /**< kept x dim, by descending variance behind it; each row's largest entry is positive */
	double ridge;      /**< what was added to the diagonal of the differences' moment, as a part of its mean */
} cn_discriminant;

/**
 * Learn it. Along directions in which no pair differs only the ridge bounds the projection: with fewer pairs than
 * dimensions there are such.
 *
 * @param[out] out   the caller frees it with cn_discriminant_free()
 * @param      rows  count x dim, count >= 2, finite
 * @param      pairs 2 x pair_count: of each the numbers of a query's row and a matching one; pair_count >= 1
 * @param      keep  rows of the projection, 1 to dim
 * @return 0; CAIRN_EINVALID where a size is out of range, a number is not finite or the rows of every pair are equal;
 *         CAIRN_EBACKEND; CAIRN_ENOMEM
 */
int cn_discriminant_learn(cn_discriminant *out, const float *rows, size_t count, size_t dim, const uint32_t *pairs,
			  size_t pair_count, size_t keep);
void cn_discriminant_free(cn_discriminant *discriminant);

#endif

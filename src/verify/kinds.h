/*
 * verify/kinds.h - what is known of a kind of local features: how its matches are filtered, and from how many inliers
 * on a verification is worth something.
 */
#ifndef CN_VERIFY_KINDS_H
#define CN_VERIFY_KINDS_H

#include <stdint.h>

typedef struct {
	const char *kind;     /**< NULL: all others */
	float ratio;          /**< of Lowe's test; 1: none */
	float min_similarity; /**< least cosine; -1: none */
	int32_t trust;        /**< fewer inliers than this happen by chance and count as none when ordering */
	float asmk_weight;    /**< of search by both: cosine + asmk_weight * ASMK similarity */
	float boost;          /**< of the fused order: score + boost * log(1 + inliers) */
} cn_kind;

/** Never NULL. */
const cn_kind *cn_kind_find(const char *kind);

#endif

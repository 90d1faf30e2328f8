/*
 * verify/ransac.h - the map that most point pairs agree on.
 */
#ifndef CN_VERIFY_RANSAC_H
#define CN_VERIFY_RANSAC_H

#include "verify/geometry.h"

typedef struct {
	cairn_geometry geometry;
	float radius;    /**< pixels of image b */
	uint32_t trials; /**< at most */
	uint64_t seed;
	int plain; /**< exactly `trials` trials of uniform samples, no optimisation: the published protocol */
} cn_ransac_options;

/**
 * RANSAC (Fischler and Bolles, CACM 1981) with local optimisation (Chum, Matas and Kittler, DAGM 2003), samples drawn
 * from the best matches first (Chum and Matas, CVPR 2005) and adaptive stopping at 99.9% confidence. docs/methods.md,
 * "Verification".
 *
 * @param      pairs   the best match first
 * @param      scratch room for pairs->count indices
 * @param[out] inliers ascending indices of the pairs that agree; room for pairs->count
 * @return how many agree; 0 where no model was found, and then `model` is all zero
 */
size_t cn_ransac(const cn_pairs *pairs, const cn_ransac_options *options, uint32_t *scratch, double model[9],
		 uint32_t *inliers);

#endif

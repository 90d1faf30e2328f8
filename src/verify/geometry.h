/*
 * verify/geometry.h - maps between two images: fitting them to point pairs and counting the pairs that agree.
 *
 * A model is 3 x 3, row by row, taking (x, y, 1) of image a to image b.
 */
#ifndef CN_VERIFY_GEOMETRY_H
#define CN_VERIFY_GEOMETRY_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/verify.h"

/** Point pairs, one array a coordinate; in pixels of two images of about the same size. */
typedef struct {
	const float *ax, *ay, *bx, *by;
	size_t count;
} cn_pairs;

/** Pairs that determine a model: 3 for affine maps, 4 for homographies. */
size_t cn_model_pairs(cairn_geometry geometry);

/**
 * Least-squares fit to the chosen pairs (exact for the least number of them).
 *
 * Affine: normal equations about the centroids. Homography: linear in eight unknowns in coordinates normalised as by
 * Hartley (TPAMI 1997).
 *
 * @return 1, or 0 where the pairs do not determine a model
 */
int cn_model_fit(cairn_geometry geometry, const cn_pairs *pairs, const uint32_t *chosen, size_t count, double model[9]);

/**
 * 1 if a photograph could show what the other shows under this map: it does not mirror, and near the point (x, y) of
 * image a it neither stretches one direction more than CN_MODEL_ANISOTROPY times another nor scales by more than
 * CN_MODEL_SCALE.
 */
int cn_model_is_plausible(cairn_geometry geometry, const double model[9], double x, double y);

#define CN_MODEL_ANISOTROPY 6.0
#define CN_MODEL_SCALE      12.0

/** How many pairs are mapped nearer than `radius` to their partner. */
size_t cn_model_count(cairn_geometry geometry, const double model[9], const cn_pairs *pairs, float radius);

/** Their indices, ascending. @param[out] inliers room for all pairs. @return how many */
size_t cn_model_inliers(cairn_geometry geometry, const double model[9], const cn_pairs *pairs, float radius,
			uint32_t *inliers);

#endif

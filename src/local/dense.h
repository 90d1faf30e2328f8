/*
 * local/dense.h - keypoints at the peaks of a heat map, with descriptors sampled from a map.
 *
 * DeTone, Malisiewicz and Rabinovich, "SuperPoint: Self-Supervised Interest Point Detection and Description", CVPR
 * Workshops 2018; docs/methods.md, "Detector networks".
 */
#ifndef CN_LOCAL_DENSE_H
#define CN_LOCAL_DENSE_H

#include "local/points.h"
#include "model/bundle.h"

/** A heat map, a number a pixel, and descriptors; both are of the same image. */
typedef struct {
	size_t width, height; /**< in pixels */
	const float *heat;    /**< height x width, finite */
	cn_map descriptors;
} cn_dense_maps;

/** Which pixels are keypoints. */
typedef struct {
	float threshold; /**< >= 0; they are above it */
	uint32_t radius; /**< none of the (2 radius + 1)^2 pixels around is larger, nor equal and before it in reading
			  * order
			  */
	uint32_t border; /**< and it is at least so many pixels from the edge */
	uint32_t max_points;
} cn_dense_rule;

/** Find keypoints. @param[out] points best first, of equals the first in reading order; the caller frees it with
 * cn_points_free() */
int cn_dense_decode(const cn_dense_maps *maps, const cn_dense_rule *rule, cn_points *points);

/**
 * Find keypoints in the outputs of a request that has been run.
 *
 * @param      width,height of the network's input
 * @param[out] points       best first, in its pixels; the caller frees it with cn_points_free()
 * @return 0; CAIRN_EFORMAT where the outputs have other shapes than model.json says; CAIRN_EBACKEND where they are not
 *         finite; CAIRN_ENOMEM
 */
int cn_dense_points(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height, uint32_t max_points,
		    cn_points *points);

#endif

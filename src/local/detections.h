/*
 * local/detections.h - keypoints that a network lists itself, each with a score and a descriptor.
 *
 * Tyszkiewicz, Fua and Trulls, "DISK: Learning local features with policy gradient", NeurIPS 2020; Zhao et al.,
 * "ALIKED: A Lighter Keypoint and Descriptor Extraction Network via Deformable Transformation", IEEE TIM 2023;
 * docs/methods.md, "Detector networks".
 */
#ifndef CN_LOCAL_DETECTIONS_H
#define CN_LOCAL_DETECTIONS_H

#include "local/points.h"
#include "model/bundle.h"

/** What a network lists. */
typedef struct {
	size_t count;
	uint32_t dim;
	cn_tensor places;         /**< count x 2 numbers, x and y; float32, int32 or int64 */
	const float *scores;      /**< count, finite */
	const float *descriptors; /**< count x dim, finite */
} cn_detections;

/** Which of them are kept. */
typedef struct {
	float threshold; /**< least score */
	int unit;        /**< places go from -1, the centre of the first pixel, to 1, that of the last */
	uint32_t max_points;
} cn_detections_rule;

/** Choose the best that lie inside the image. @param[out] points best first, of equals the first listed; the caller
 * frees it with cn_points_free() */
int cn_detections_choose(const cn_detections *from, const cn_detections_rule *rule, uint32_t width, uint32_t height,
			 cn_points *points);

/**
 * Take keypoints from the outputs of a request that has been run.
 *
 * @param      width,height of the network's input
 * @param[out] points       best first, in its pixels; the caller frees it with cn_points_free()
 * @return 0; CAIRN_EFORMAT where the outputs have other shapes than model.json says; CAIRN_EBACKEND where they are not
 *         finite; CAIRN_ENOMEM
 */
int cn_detections_points(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height,
			 uint32_t max_points, cn_points *points);

#endif

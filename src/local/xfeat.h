/*
 * local/xfeat.h - keypoints and descriptors from the dense outputs of an XFeat network.
 *
 * Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024; docs/methods.md, "XFeat".
 */
#ifndef CN_LOCAL_XFEAT_H
#define CN_LOCAL_XFEAT_H

#include "local/points.h"
#include "model/bundle.h"

/** The dense outputs for one image, each C order with the channel first; a cell is 8 x 8 pixels. */
typedef struct {
	size_t width, height; /* in cells */
	uint32_t dim;
	const float *descriptors; /* dim x height x width */
	const float *logits;      /* 65 x height x width: the cell's pixels in reading order, then "no keypoint" */
	const float *reliability; /* height x width, 0 to 1 */
} cn_xfeat_maps;

/**
 * Find keypoints in dense outputs.
 *
 * @param      threshold  least probability of a keypoint, > 0
 * @param      max_points keep this many of the best score
 * @param[out] points     best score first, ties in reading order; the caller frees it with cn_points_free()
 */
int cn_xfeat_decode(const cn_xfeat_maps *maps, float threshold, uint32_t max_points, cn_points *points);

/**
 * Find keypoints in the outputs of a request that has been run.
 *
 * @param      width,height of the network's input, multiples of 8
 * @param      max_points   keep this many of the best score
 * @param[out] points       best score first; the caller frees it with cn_points_free()
 * @return 0; CAIRN_EFORMAT where the outputs have other shapes than model.json says; CAIRN_EBACKEND where they are not
 *         finite; CAIRN_ENOMEM
 */
int cn_xfeat_points(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height, uint32_t max_points,
		    cn_points *points);

#endif

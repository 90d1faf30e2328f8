/*
 * local/network.h - points of an image by a local model, whatever its method.
 */
#ifndef CN_LOCAL_NETWORK_H
#define CN_LOCAL_NETWORK_H

#include "cairn/features.h"
#include "cairn/image.h"
#include "local/points.h"
#include "model/bundle.h"

/** CAIRN_EINVALID where options are of another version or out of range. */
int cn_check_extractor_options(const cairn_extractor_options *options);

/**
 * Resize, run and choose points; without the PCA, which is learned from these descriptors.
 *
 * @param      is_box       the image was cut out with a box
 * @param[out] width,height of the working image
 * @param[out] points       in its pixels, with unit descriptors of model->local.dim; the caller frees it with
 *                          cn_points_free()
 */
int cn_local_points(cairn_model *model, const cairn_image *image, int is_box, uint32_t max_points, uint32_t *width,
		    uint32_t *height, cn_points *points);

/** Replace descriptors by L2(P (x - mean)), where the bundle has a PCA. */
int cn_points_project(const cn_local_spec *spec, cn_points *points);

#endif

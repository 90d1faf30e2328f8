/*
 * local/boxes.h - boxes of an image by a detector network, as regions for aggregation (Teichmann, Araujo, Zhu and Sim,
 * "Detect-to-Retrieve", CVPR 2019; docs/methods.md, "Regions").
 */
#ifndef CN_LOCAL_BOXES_H
#define CN_LOCAL_BOXES_H

#include "data/boxes.h"
#include "model/bundle.h"

/**
 * Resize, run and choose: boxes of the classes that count whose score reaches the threshold, clipped to the image, none
 * that is empty then; where the bundle says so, none that a better one overlaps; the best.
 *
 * @param      model of kind detector, opened; may be used by several threads at once
 * @param[out] out   best first, of equals the first listed; the caller frees it with cn_boxes_free()
 * @return 0; CAIRN_EFORMAT where the outputs have other shapes than model.json says; CAIRN_EBACKEND where they are not
 *         finite; CAIRN_ENOMEM
 */
int cn_boxes_detect(cn_boxes *out, cairn_model *model, const cairn_image *image);

#endif

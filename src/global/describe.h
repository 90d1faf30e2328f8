/*
 * global/describe.h - one network's descriptor of one image, before networks are joined.
 */
#ifndef CN_GLOBAL_DESCRIBE_H
#define CN_GLOBAL_DESCRIBE_H

#include "cairn/descriptors.h"
#include "cairn/image.h"
#include "model/bundle.h"

/**
 * Resize, run and pool, or, for an ensemble, join what its members give: what whitening is learned from.
 *
 * @param      model global model, opened for use
 * @param      box   NULL for the whole image
 * @param[out] out   model->global.dim floats
 */
int cn_describe_pooled(cairn_model *model, const cairn_image *image, const cairn_box *box, float *out);

/**
 * Centre or whiten a pooled descriptor as the bundle says, and L2-normalise.
 *
 * @param      pooled model->global.dim floats; overwritten
 * @param[out] out    model->global.kept floats
 */
void cn_describe_whiten(const cairn_model *model, float *pooled, float *out);

#endif

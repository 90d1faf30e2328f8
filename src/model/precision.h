/*
 * model/precision.h - how near bf16 comes to f32 for a network, measured on made-up images.
 */
#ifndef CN_MODEL_PRECISION_H
#define CN_MODEL_PRECISION_H

#include "model/bundle.h"

/** Images that the check runs on. */
#define CN_PRECISION_INPUTS 6

/**
 * Run a network in f32 and in bf16 on the same images.
 *
 * Global models: cosine of the two pooled descriptors before whitening. Local models: mean cosine of the dense
 * descriptors.
 *
 * @param      model  read, not yet loaded; loaded in f32 afterwards
 * @param[out] out    of no images where the processor has no bf16
 */
int cn_precision_check(cairn_model *model, cairn_model_cost *out);

/** 1 where a model gives outputs that can be compared: keypoints that a network chose itself are not the same ones in
 * both precisions. */
int cn_precision_is_comparable(const cairn_model *model);

/**
 * The cosine for one image.
 *
 * @param wide,narrow one model, loaded in f32 and in bf16
 * @param rgb         height x width x 3 bytes, of the input's size
 */
int cn_precision_compare(cairn_model *wide, cairn_model *narrow, const uint8_t *rgb, uint32_t width, uint32_t height,
			 double *cosine);

/** Mean and least of some cosines. */
cairn_model_cost cn_precision_cost(const double *cosines, size_t count);

/** A made-up image: seeded noise of several octaves, width x height x 3 bytes. */
void cn_precision_image(uint64_t seed, uint32_t width, uint32_t height, uint8_t *rgb);

#endif

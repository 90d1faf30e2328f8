/*
 * model/zoo/zoo.h - networks built from weights, one file an architecture.
 *
 * To add one: a file here with a builder, its declaration below, and a line in the table of model/install.c.
 */
#ifndef CN_MODEL_ZOO_ZOO_H
#define CN_MODEL_ZOO_ZOO_H

#include "model/onnx_write.h"
#include "model/weights.h"

/** Adds input, operators and outputs to an empty graph. @return 0; CAIRN_EFORMAT where the weights are not those
 * expected */
typedef int cn_zoo_builder(cn_onnx_graph *graph, const cn_weights *weights);

/** EfficientNet-Lite0 (Tan and Le, 2019; the "Lite" variants drop squeeze-and-excitation and use ReLU6) without its
 *  classifier: "image" 1 x 3 x H x W, (pixel - 127) / 128 -> "features" 1 x 1280 x H/32 x W/32. */
cn_zoo_builder cn_zoo_efficientnet_lite0;

/** XFeat (Potje et al., CVPR 2024): "image" 1 x 1 x H x W grey -> "descriptors" 1 x 64 x H/8 x W/8 of unit norm,
 * "keypoints" 1 x 65 x H/8 x W/8 logits, "reliability" 1 x 1 x H/8 x W/8. H and W must be multiples of 32. */
cn_zoo_builder cn_zoo_xfeat;

/* ---- what architectures share ---- */

/** A convolution whose weights are looked up by name. */
typedef struct {
	const char *conv; /**< prefix: conv.weight, and conv.bias if there is one */
	const char *norm; /**< prefix of the batch normalisation behind it, folded in; NULL: none */
	float epsilon;    /**< of the batch normalisation */
	size_t inputs;    /**< channels that come in; checked */
	size_t stride;    /**< 0: 1 */
	int depthwise;    /**< one group a channel */
	int same;         /**< TensorFlow's SAME padding; otherwise (kernel - 1) / 2 on every side */
} cn_zoo_conv_spec;

/**
 * Add a convolution with its batch normalisation folded into weights and bias.
 *
 * @param outputs NULL, or set to the channels that come out
 * @return the value, or NULL with the graph's status set
 */
const char *cn_zoo_conv(cn_onnx_graph *graph, const cn_weights *weights, const char *x, const cn_zoo_conv_spec *spec,
			size_t *outputs);

#endif

/*
 * EfficientNet-Lite0: a stem, sixteen inverted bottlenecks (expand 1x1, depthwise, project 1x1), a head of 1280
 * channels.
 *
 * Weights carry the names of the PyTorch implementation that spells blocks "_blocks.N._depthwise_conv". Widths and
 * kernels are read from the weights; strides and skips are the architecture.
 */
#include <stdio.h>

#include "model/zoo/zoo.h"

#define EPSILON 1e-3f

static const size_t strides[16] = { 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1 };

struct builder {
	cn_onnx_graph *graph;
	const cn_weights *weights;
};

static const char *conv(const struct builder *b, const char *x, const char *name, const char *norm, size_t inputs,
			size_t stride, int depthwise, size_t *outputs)
{
	const cn_zoo_conv_spec spec = { .conv = name,
					.norm = norm,
					.epsilon = EPSILON,
					.inputs = inputs,
					.stride = stride,
					.depthwise = depthwise,
					.same = 1 };
	return cn_zoo_conv(b->graph, b->weights, x, &spec, outputs);
}

static const char *relu6(const struct builder *b, const char *x)
{
	return cn_onnx_clip(b->graph, x, 0, 6);
}

static const char *bottleneck(const struct builder *b, const char *x, size_t index, size_t *channels)
{
	char name[64], norm[64];
	size_t width = *channels, outputs = 0;
	const char *y = x;
	if (index > 0) {
		snprintf(name, sizeof(name), "_blocks.%zu._expand_conv", index);
		snprintf(norm, sizeof(norm), "_blocks.%zu._bn0", index);
		y = relu6(b, conv(b, y, name, norm, *channels, 1, 0, &width));
	}
	snprintf(name, sizeof(name), "_blocks.%zu._depthwise_conv", index);
	snprintf(norm, sizeof(norm), "_blocks.%zu._bn1", index);
	y = relu6(b, conv(b, y, name, norm, width, strides[index], 1, NULL));
	snprintf(name, sizeof(name), "_blocks.%zu._project_conv", index);
	snprintf(norm, sizeof(norm), "_blocks.%zu._bn2", index);
	y = conv(b, y, name, norm, width, 1, 0, &outputs);
	if (strides[index] == 1 && outputs == *channels)
		y = cn_onnx_op(b->graph, "Add", y, x);
	*channels = outputs;
	return y;
}

int cn_zoo_efficientnet_lite0(cn_onnx_graph *graph, const cn_weights *weights)
{
	const struct builder b = { graph, weights };
	size_t channels = 3;
	const char *x = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 3, -1, -1 });
	x = relu6(&b, conv(&b, x, "_conv_stem", "_bn0", 3, 2, 0, &channels));
	for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++)
		x = bottleneck(&b, x, i, &channels);
	x = relu6(&b, conv(&b, x, "_conv_head", "_bn1", channels, 1, 0, &channels));
	cn_onnx_graph_output(graph, x, "features", 4, (const int64_t[]){ 1, (int64_t)channels, -1, -1 });
	return cn_onnx_graph_status(graph);
}

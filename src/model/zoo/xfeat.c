/*
 * XFeat: a light pyramid for descriptors and reliability, and a separate head that finds keypoints in cells of 8 x 8
 * pixels.
 *
 * The image is grey and instance-normalised in the network. Every layer is convolution, batch normalisation without
 * scale and offset, ReLU. Maps of 1/16 and 1/32 are resized to 1/8 and added.
 */
#include <stdio.h>

#include "model/zoo/zoo.h"

#define EPSILON 1e-5f

struct builder {
	cn_onnx_graph *graph;
	const cn_weights *weights;
};

/* A layer of a block: "BLOCK.N.layer.0" is its convolution, "BLOCK.N.layer.1" its normalisation. */
static const char *layer(const struct builder *b, const char *x, const char *block, size_t index, size_t stride,
			 size_t *channels)
{
	char conv[64], norm[64];
	snprintf(conv, sizeof(conv), "%s.%zu.layer.0", block, index);
	snprintf(norm, sizeof(norm), "%s.%zu.layer.1", block, index);
	const cn_zoo_conv_spec spec = {
		.conv = conv, .norm = norm, .epsilon = EPSILON, .inputs = *channels, .stride = stride
	};
	return cn_onnx_op(b->graph, "Relu", cn_zoo_conv(b->graph, b->weights, x, &spec, channels), NULL);
}

/* `count` layers, the stride of the first given, the others 1. */
static const char *layers(const struct builder *b, const char *x, const char *block, size_t count, size_t stride,
			  size_t *channels)
{
	for (size_t i = 0; i < count; i++)
		x = layer(b, x, block, i, i == 0 ? stride : 1, channels);
	return x;
}

/* A plain convolution with bias. */
static const char *conv(const struct builder *b, const char *x, const char *name, size_t *channels)
{
	const cn_zoo_conv_spec spec = { .conv = name, .inputs = *channels };
	return cn_zoo_conv(b->graph, b->weights, x, &spec, channels);
}

/* Two strides of two, with a skip that averages 4 x 4 pixels. */
static const char *stem(const struct builder *b, const char *x, size_t *channels)
{
	size_t skipped = 1;
	const char *y = x;
	for (size_t i = 0; i < 4; i++)
		y = layer(b, y, "block1", i, i % 2 ? 2 : 1, channels);
	const char *skip = cn_onnx_op(b->graph, "AveragePool", x, NULL);
	cn_onnx_set_ints(b->graph, "kernel_shape", 2, (const int64_t[]){ 4, 4 });
	cn_onnx_set_ints(b->graph, "strides", 2, (const int64_t[]){ 4, 4 });
	return cn_onnx_op(b->graph, "Add", y, conv(b, skip, "skip1.1", &skipped));
}

/* Maps of 1/8, 1/16 and 1/32, summed at 1/8. */
static const char *pyramid(const struct builder *b, const char *x, size_t *channels)
{
	const char *eighth = layers(b, x, "block3", 3, 2, channels);
	size_t depth = *channels;
	const char *sixteenth = layers(b, eighth, "block4", 3, 2, &depth);
	const char *last = layers(b, sixteenth, "block5", 4, 2, &depth);
	const char *sum = cn_onnx_op(b->graph, "Add", eighth, cn_onnx_resize_like(b->graph, sixteenth, eighth));
	return cn_onnx_op(b->graph, "Add", sum, cn_onnx_resize_like(b->graph, last, eighth));
}

static void add_descriptors(const struct builder *b, const char *features, size_t channels)
{
	cn_onnx_graph_output(b->graph, cn_onnx_l2(b->graph, features, 1), "descriptors", 4,
			     (const int64_t[]){ 1, (int64_t)channels, -1, -1 });
}

static void add_reliability(const struct builder *b, const char *features, size_t channels)
{
	const char *x = layers(b, features, "heatmap_head", 2, 1, &channels);
	x = cn_onnx_op(b->graph, "Sigmoid", conv(b, x, "heatmap_head.2", &channels), NULL);
	cn_onnx_graph_output(b->graph, x, "reliability", 4, (const int64_t[]){ 1, 1, -1, -1 });
}

/* The 64 pixels of a cell, row by row, become its channels. */
static void add_keypoints(const struct builder *b, const char *image)
{
	size_t channels = 64;
	const char *x = cn_onnx_op(b->graph, "SpaceToDepth", image, NULL);
	cn_onnx_set_int(b->graph, "blocksize", 8);
	x = layers(b, x, "keypoint_head", 3, 1, &channels);
	x = conv(b, x, "keypoint_head.3", &channels);
	cn_onnx_graph_output(b->graph, x, "keypoints", 4, (const int64_t[]){ 1, (int64_t)channels, -1, -1 });
}

int cn_zoo_xfeat(cn_onnx_graph *graph, const cn_weights *weights)
{
	const struct builder b = { graph, weights };
	size_t channels = 1;
	const char *image = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 1, -1, -1 });
	image = cn_onnx_instance_norm(graph, image, EPSILON);
	const char *x = stem(&b, image, &channels);
	x = layers(&b, x, "block2", 2, 1, &channels);
	x = pyramid(&b, x, &channels);
	x = layers(&b, x, "block_fusion", 2, 1, &channels);
	x = conv(&b, x, "block_fusion.2", &channels);
	add_descriptors(&b, x, channels);
	add_reliability(&b, x, channels);
	add_keypoints(&b, image);
	return cn_onnx_graph_status(graph);
}

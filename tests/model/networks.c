#include "networks.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/onnx_write.h"
#include "support.h"

static cn_onnx_graph *start(const char **image, cn_tensor_type type, const int64_t shape[4])
{
	cn_onnx_graph *graph;
	assert_ok(cn_onnx_graph_new(&graph, "test"));
	*image = cn_onnx_graph_input(graph, "image", type, 4, shape);
	return graph;
}

static void finish(cn_onnx_graph *graph, const char *path)
{
	assert_ok(cn_onnx_graph_write(graph, path));
	cn_onnx_graph_free(graph);
}

void make_sums(const char *path)
{
	float weight[18];
	const char *x;
	for (int i = 0; i < 18; i++)
		weight[i] = i < 9 ? 1.0f : 10.0f;
	cn_onnx_graph *graph = start(&x, CN_TENSOR_F32, (const int64_t[]){ 1, 2, -1, -1 });
	const char *sum = cn_onnx_conv(graph, x,
				       &(cn_onnx_conv_spec){ .weight = weight,
							     .bias = (const float[]){ 0.5f },
							     .outputs = 1,
							     .inputs = 2,
							     .kernel = 3,
							     .pad = 1 });
	cn_onnx_graph_output(graph, sum, "sum", 4, (const int64_t[]){ 1, 1, -1, -1 });
	const char *half = cn_onnx_op(graph, "AveragePool", x, NULL);
	cn_onnx_set_ints(graph, "kernel_shape", 2, (const int64_t[]){ 2, 2 });
	cn_onnx_set_ints(graph, "strides", 2, (const int64_t[]){ 2, 2 });
	cn_onnx_graph_output(graph, half, "half", 4, (const int64_t[]){ 1, 2, -1, -1 });
	finish(graph, path);
}

float sum_at(const float *image, size_t height, size_t width, size_t y, size_t x)
{
	float sum = 0.5f;
	for (size_t c = 0; c < 2; c++)
		for (size_t v = y ? y - 1 : 0; v <= y + 1 && v < height; v++)
			for (size_t u = x ? x - 1 : 0; u <= x + 1 && u < width; u++)
				sum += (c ? 10.0f : 1.0f) * image[(c * height + v) * width + u];
	return sum;
}

void make_map(const char *path)
{
	float weight[12];
	const char *x;
	for (int i = 0; i < 12; i++)
		weight[i] = 0.1f * (float)(i + 1);
	cn_onnx_graph *graph = start(&x, CN_TENSOR_F32, (const int64_t[]){ 1, 3, -1, -1 });
	x = cn_onnx_conv(graph, x, &(cn_onnx_conv_spec){ .weight = weight, .outputs = 4, .inputs = 3, .kernel = 1 });
	cn_onnx_graph_output(graph, cn_onnx_op(graph, "Relu", x, NULL), "map", 4, (const int64_t[]){ 1, 4, -1, -1 });
	finish(graph, path);
}

void make_means(const char *path)
{
	const char *x;
	cn_onnx_graph *graph = start(&x, CN_TENSOR_U8, (const int64_t[]){ 1, -1, -1, 3 });
	x = cn_onnx_op(graph, "Cast", x, NULL);
	cn_onnx_set_int(graph, "to", 1);
	x = cn_onnx_op(graph, "ReduceMean", x, NULL);
	cn_onnx_set_ints(graph, "axes", 2, (const int64_t[]){ 1, 2 });
	cn_onnx_set_int(graph, "keepdims", 0);
	cn_onnx_graph_output(graph, x, "mean", 2, (const int64_t[]){ 1, 3 });
	finish(graph, path);
}

/* Random numbers of standard deviation 1 / root of `fan`; borrowed until the next call. */
static const float *random_numbers(size_t count, size_t fan, uint64_t *seed)
{
	static float numbers[65536];
	assert_true(count <= sizeof(numbers) / sizeof(numbers[0]));
	for (size_t i = 0; i < count; i++)
		numbers[i] = cn_test_normal(seed) / sqrtf((float)fan);
	return numbers;
}

static const char *random_conv(cn_onnx_graph *graph, const char *x, size_t inputs, size_t outputs, size_t kernel,
			       size_t stride, size_t pad, uint64_t *seed)
{
	size_t fan = inputs * kernel * kernel;
	return cn_onnx_conv(graph, x,
			    &(cn_onnx_conv_spec){ .weight = random_numbers(outputs * fan, fan, seed),
						  .outputs = outputs,
						  .inputs = inputs,
						  .kernel = kernel,
						  .stride = stride,
						  .pad = pad });
}

static void map_output(cn_onnx_graph *graph, const char *x, const char *name, int64_t channels)
{
	cn_onnx_graph_output(graph, x, name, 4, (const int64_t[]){ 1, channels, -1, -1 });
}

void make_attentive(const char *path, uint64_t seed)
{
	const char *x;
	cn_onnx_graph *graph = start(&x, CN_TENSOR_F32, (const int64_t[]){ 1, 3, -1, -1 });
	const char *map = cn_onnx_op(graph, "Relu", random_conv(graph, x, 3, 8, 6, 4, 1, &seed), NULL);
	map_output(graph, map, "map", 8);
	map_output(graph, cn_onnx_op(graph, "Softplus", random_conv(graph, map, 8, 1, 1, 1, 0, &seed), NULL),
		   "attention", 1);
	map_output(graph, random_conv(graph, map, 8, 1, 2, 2, 0, &seed), "narrow", 1);
	finish(graph, path);
}

static const char *cast(cn_onnx_graph *graph, const char *x, int64_t type)
{
	x = cn_onnx_op(graph, "Cast", x, NULL);
	cn_onnx_set_int(graph, "to", type);
	return x;
}

static const char *transpose(cn_onnx_graph *graph, const char *x, size_t rank, const int64_t *perm)
{
	x = cn_onnx_op(graph, "Transpose", x, NULL);
	cn_onnx_set_ints(graph, "perm", rank, perm);
	return x;
}

static const char *columns(cn_onnx_graph *graph, const char *x, size_t count, const int64_t *which)
{
	x = cn_onnx_op(graph, "Gather", x, cn_onnx_integers(graph, count, which));
	cn_onnx_set_int(graph, "axis", 1);
	return x;
}

static const char *listed(cn_onnx_graph *graph, const char *x)
{
	static const int64_t first = 0;
	return cn_onnx_op(graph, "Unsqueeze", x, cn_onnx_integers(graph, 1, &first));
}

void make_detector(const char *path, uint64_t seed)
{
	const char *x;
	cn_onnx_graph *graph = start(&x, CN_TENSOR_F32, (const int64_t[]){ 1, 3, -1, -1 });
	const char *heat = cn_onnx_op(graph, "Sigmoid", random_conv(graph, x, 3, 1, 5, 1, 2, &seed), NULL);
	map_output(graph, heat, "heat", 1);
	map_output(graph, random_conv(graph, x, 3, 65, 8, 8, 0, &seed), "cells", 65);
	map_output(graph, random_conv(graph, x, 3, 8, 4, 4, 0, &seed), "coarse", 8);
	const char *found = cn_onnx_op(graph, "Greater", heat, cn_onnx_float(graph, 0.8f));
	found = transpose(graph, cn_onnx_op(graph, "NonZero", found, NULL), 2, (const int64_t[]){ 1, 0 });
	const char *places = cast(graph, columns(graph, found, 2, (const int64_t[]){ 3, 2 }), 7);
	cn_onnx_graph_output(graph, listed(graph, places), "places", 3, (const int64_t[]){ 1, -1, 2 });
	const char *scores = cn_onnx_op(graph, "GatherND", heat, found);
	cn_onnx_graph_output(graph, listed(graph, scores), "scores", 2, (const int64_t[]){ 1, -1 });
	const char *pixels = transpose(graph, x, 4, (const int64_t[]){ 0, 2, 3, 1 });
	const char *there =
		cn_onnx_op(graph, "GatherND", pixels, columns(graph, found, 3, (const int64_t[]){ 0, 2, 3 }));
	cn_onnx_graph_output(graph, listed(graph, there), "descriptors", 3, (const int64_t[]){ 1, -1, 3 });
	static const int64_t channel = 1;
	const char *all = cn_onnx_op(graph, "Squeeze", heat, cn_onnx_integers(graph, 1, &channel));
	cn_onnx_graph_output(graph, all, "all_scores", 3, (const int64_t[]){ 1, -1, -1 });
	finish(graph, path);
}

static const char *rounded(cn_onnx_graph *graph, const char *x, float scale)
{
	static const int8_t zero = 0;
	const char *inputs[3] = { x, cn_onnx_float(graph, scale), cn_onnx_int8s(graph, 0, NULL, &zero) };
	inputs[0] = cn_onnx_op_n(graph, "QuantizeLinear", inputs, 3);
	return cn_onnx_op_n(graph, "DequantizeLinear", inputs, 3);
}

/* As exporters write it: without the kernel's shape, which is that of the weights. */
static const char *conv_of_int8(cn_onnx_graph *graph, const char *x, size_t inputs, size_t outputs, int64_t stride,
				uint64_t *seed)
{
	static int8_t weights[QUANTISED_CHANNELS * QUANTISED_CHANNELS * 9];
	float scales[QUANTISED_CHANNELS];
	for (size_t i = 0; i < outputs * inputs * 9; i++)
		weights[i] = (int8_t)((int)(cn_test_random(seed) % 255) - 127);
	for (size_t i = 0; i < outputs; i++)
		scales[i] = (float)(i + 1) / (float)outputs / 100 / sqrtf((float)inputs * 9);
	const char *weight = cn_onnx_op(graph, "DequantizeLinear",
					cn_onnx_int8s(graph, 4, (const size_t[]){ outputs, inputs, 3, 3 }, weights),
					cn_onnx_floats(graph, 1, &outputs, scales));
	cn_onnx_set_int(graph, "axis", 0);
	x = cn_onnx_op(graph, "Conv", x, weight);
	cn_onnx_set_ints(graph, "strides", 2, (const int64_t[]){ stride, stride });
	cn_onnx_set_ints(graph, "pads", 4, (const int64_t[]){ 1, 1, 1, 1 });
	return cn_onnx_op(graph, "Relu", x, NULL);
}

void make_quantised(const char *path, int is_quantised, uint64_t seed)
{
	const char *x;
	cn_onnx_graph *graph = start(&x, CN_TENSOR_F32, (const int64_t[]){ 1, 3, -1, -1 });
	x = is_quantised ? rounded(graph, x, 3.0f / 127) : x;
	x = conv_of_int8(graph, x, 3, 8, 2, &seed);
	x = is_quantised ? rounded(graph, x, 3.0f / 127) : x;
	map_output(graph, conv_of_int8(graph, x, 8, QUANTISED_CHANNELS, 1, &seed), "map", QUANTISED_CHANNELS);
	finish(graph, path);
}

static const char *linear(cn_onnx_graph *graph, const char *x, size_t inputs, size_t outputs, uint64_t *seed)
{
	return cn_onnx_op(graph, "MatMul", x,
			  cn_onnx_floats(graph, 2, (const size_t[]){ inputs, outputs },
					 random_numbers(inputs * outputs, inputs, seed)));
}

static const char *layer_norm(cn_onnx_graph *graph, const char *x, uint64_t *seed)
{
	static const size_t channels = VIT_CHANNELS;
	const char *inputs[3] = { x, NULL, NULL };
	inputs[1] = cn_onnx_floats(graph, 1, &channels, random_numbers(channels, 1, seed));
	inputs[2] = cn_onnx_floats(graph, 1, &channels, random_numbers(channels, 1, seed));
	return cn_onnx_op_n(graph, "LayerNormalization", inputs, 3);
}

static const char *self_attention(cn_onnx_graph *graph, const char *x, uint64_t *seed)
{
	const char *query = linear(graph, x, VIT_CHANNELS, VIT_CHANNELS, seed);
	const char *key = linear(graph, x, VIT_CHANNELS, VIT_CHANNELS, seed);
	const char *value = linear(graph, x, VIT_CHANNELS, VIT_CHANNELS, seed);
	const char *weight = cn_onnx_op(graph, "MatMul", query, transpose(graph, key, 3, (const int64_t[]){ 0, 2, 1 }));
	weight = cn_onnx_op(graph, "Mul", weight, cn_onnx_float(graph, 1 / sqrtf(VIT_CHANNELS)));
	weight = cn_onnx_op(graph, "Softmax", weight, NULL);
	cn_onnx_set_int(graph, "axis", -1);
	return linear(graph, cn_onnx_op(graph, "MatMul", weight, value), VIT_CHANNELS, VIT_CHANNELS, seed);
}

void make_vit(const char *path, uint64_t seed)
{
	const char *x;
	cn_onnx_graph *graph = start(&x, CN_TENSOR_F32, (const int64_t[]){ 1, 3, -1, -1 });
	x = random_conv(graph, x, 3, VIT_CHANNELS, VIT_PATCH, VIT_PATCH, 0, &seed);
	x = cn_onnx_op(graph, "Reshape", x, cn_onnx_integers(graph, 3, (const int64_t[]){ 1, VIT_CHANNELS, -1 }));
	x = transpose(graph, x, 3, (const int64_t[]){ 0, 2, 1 });
	const char *token = cn_onnx_floats(graph, 3, (const size_t[]){ 1, 1, VIT_CHANNELS },
					   random_numbers(VIT_CHANNELS, 1, &seed));
	x = cn_onnx_op(graph, "Concat", token, x);
	cn_onnx_set_int(graph, "axis", 1);
	x = cn_onnx_op(graph, "Add", x, self_attention(graph, layer_norm(graph, x, &seed), &seed));
	const char *hidden = linear(graph, layer_norm(graph, x, &seed), VIT_CHANNELS, 2 * VIT_CHANNELS, &seed);
	hidden = cn_onnx_op(graph, "Relu", hidden, NULL);
	x = cn_onnx_op(graph, "Add", x, linear(graph, hidden, 2 * VIT_CHANNELS, VIT_CHANNELS, &seed));
	cn_onnx_graph_output(graph, layer_norm(graph, x, &seed), "tokens", 3, (const int64_t[]){ 1, -1, VIT_CHANNELS });
	finish(graph, path);
}

const char *fixture(const char *name)
{
	const char *folder = getenv("CN_MODEL_FIXTURES");
	return cn_test_path(folder ? folder : "tests/model", name);
}

const char *new_home(void)
{
	setenv("CAIRN_HOME", cn_test_path(cn_test_folder(), "home"), 1);
	return getenv("CAIRN_HOME");
}

const char *package_folder(const char *file)
{
	static char found[4096];
	const char *packages = getenv("CAIRN_PACKAGES");
	DIR *folder = packages ? opendir(packages) : NULL;
	struct dirent *entry;
	int there = 0;
	while (folder && !there && (entry = readdir(folder))) {
		snprintf(found, sizeof(found), "%.2000s/%s", packages, entry->d_name);
		there = access(cn_test_path(found, file), R_OK) == 0;
	}
	if (folder)
		closedir(folder);
	if (there)
		return found;
	print_message("# skipped: no folder in CAIRN_PACKAGES (%s) holds %s\n", packages ? packages : "unset", file);
	return NULL;
}

#include "networks.h"

#include <dirent.h>
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

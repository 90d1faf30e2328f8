/*
 * Receptive fields: published values of known layouts, windows against a plain count of the pixels that a number
 * depends on, and operators of which nothing can be said.
 */
#include <stdlib.h>
#include <string.h>

#include "model/onnx_write.h"
#include "model/receptive_field.h"
#include "networks.h"
#include "support.h"
#include "util/file.h"
#include "util/memory.h"

static const float ones[49] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
				1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

static const char *conv(cn_onnx_graph *graph, const char *x, size_t kernel, size_t stride, size_t pad)
{
	return cn_onnx_conv(
		graph, x,
		&(cn_onnx_conv_spec){
			.weight = ones, .outputs = 1, .inputs = 1, .kernel = kernel, .stride = stride, .pad = pad });
}

/* @param auto_pad NULL: `pad` on every side */
static const char *max_pool(cn_onnx_graph *graph, const char *x, int64_t kernel, int64_t stride, int64_t pad,
			    const char *auto_pad)
{
	x = cn_onnx_op(graph, "MaxPool", x, NULL);
	cn_onnx_set_ints(graph, "kernel_shape", 2, (const int64_t[]){ kernel, kernel });
	cn_onnx_set_ints(graph, "strides", 2, (const int64_t[]){ stride, stride });
	if (auto_pad)
		cn_onnx_set_text(graph, "auto_pad", auto_pad);
	else
		cn_onnx_set_ints(graph, "pads", 4, (const int64_t[]){ pad, pad, pad, pad });
	return x;
}

/* A bottleneck block. @param shortcut a convolution goes beside it, as where channels change */
static const char *unit(cn_onnx_graph *graph, const char *x, size_t stride, int shortcut)
{
	const char *y = cn_onnx_op(graph, "Relu", conv(graph, x, 1, 1, 0), NULL);
	y = conv(graph, cn_onnx_op(graph, "Relu", conv(graph, y, 3, stride, 1), NULL), 1, 1, 0);
	if (shortcut || stride > 1)
		x = shortcut ? conv(graph, x, 1, stride, 0) : max_pool(graph, x, 1, (int64_t)stride, 0, NULL);
	return cn_onnx_op(graph, "Relu", cn_onnx_op(graph, "Add", y, x), NULL);
}

/* torchvision strides in the first unit of a layer, TF-slim in the last one of a block. */
static const char *resnet(cn_onnx_graph *graph, const char *x, size_t layers, int is_slim)
{
	static const size_t units[] = { 3, 4, 6, 3 };
	x = max_pool(graph, conv(graph, x, 7, 2, 3), 3, 2, 1, is_slim ? "SAME_UPPER" : NULL);
	for (size_t layer = 0; layer < layers; layer++)
		for (size_t i = 0; i < units[layer]; i++) {
			int strides = is_slim ? layer < 3 && i + 1 == units[layer] : layer > 0 && i == 0;
			x = unit(graph, x, strides ? 2 : 1, i == 0);
		}
	return x;
}

static const char *begin(cn_onnx_graph **graph)
{
	assert_ok(cn_onnx_graph_new(graph, "test"));
	return cn_onnx_graph_input(*graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 1, -1, -1 });
}

/* Gives the graph up. */
static int load(cn_field_graph **out, cn_onnx_graph *graph, const char *x, int height_at)
{
	const char *path = cn_test_path(cn_test_folder(), "model.onnx");
	cn_onnx_graph_output(graph, x, "map", 4, (const int64_t[]){ 1, 1, -1, -1 });
	assert_ok(cn_onnx_graph_write(graph, path));
	cn_onnx_graph_free(graph);
	return cn_field_graph_load(out, path, "map", height_at);
}

static void assert_field(const cn_field_graph *graph, uint32_t side, int64_t size, int64_t stride, int64_t pad)
{
	cn_receptive_field field;
	assert_ok(cn_field_graph_at(graph, side, side, &field));
	for (int a = 0; a < 2; a++) {
		assert_int_equal(field.size[a], size);
		assert_int_equal(field.stride[a], stride);
		assert_int_equal(field.pad[a], pad);
	}
}

static void resnets_have_the_published_values(void **state)
{
	(void)state;
	static const struct {
		size_t layers;
		int is_slim;
		uint32_t side;
		int64_t size, stride, pad;
	} cases[] = {
		{ 3, 0, 320, 267, 16, 133 }, { 4, 0, 320, 427, 32, 213 }, { 3, 1, 321, 291, 32, 145 },
		{ 4, 1, 321, 483, 32, 241 }, { 3, 1, 324, 291, 32, 143 }, { 4, 1, 324, 483, 32, 239 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_onnx_graph *graph;
		cn_field_graph *fields;
		const char *x = begin(&graph);
		x = resnet(graph, x, cases[i].layers, cases[i].is_slim);
		assert_ok(load(&fields, graph, x, 2));
		assert_field(fields, cases[i].side, cases[i].size, cases[i].stride, cases[i].pad);
		cn_field_graph_free(fields);
	}
}

/* Two kernels of 3, the first with stride 2; their shape is that of weights that are dequantised. */
static void quantised_networks_have_fields(void **state)
{
	(void)state;
	for (int is_quantised = 0; is_quantised < 2; is_quantised++) {
		const char *path = cn_test_path(cn_test_folder(), "quantised.onnx");
		cn_field_graph *fields;
		make_quantised(path, is_quantised, 1);
		assert_ok(cn_field_graph_load(&fields, path, "map", 2));
		assert_field(fields, 64, 7, 2, 3);
		cn_field_graph_free(fields);
	}
}

/* ---- windows against a plain count ---- */

struct window {
	int64_t kernel, stride, dilation, pad;
	const char *auto_pad; /* NULL: pad */
};

static int64_t padding_before(const struct window *window, int64_t side)
{
	if (!window->auto_pad || strcmp(window->auto_pad, "VALID") == 0)
		return window->auto_pad ? 0 : window->pad;
	int64_t out = (side + window->stride - 1) / window->stride;
	int64_t all = (out - 1) * window->stride + (window->kernel - 1) * window->dilation + 1 - side;
	all = all < 0 ? 0 : all;
	return strcmp(window->auto_pad, "SAME_UPPER") == 0 ? all / 2 : (all + 1) / 2;
}

/* The first (last: 1) pixel that number `at` of the last window depends on, window by window. */
static int64_t reaches(const struct window *windows, const int64_t *sides, size_t count, int64_t at, int last)
{
	for (size_t i = count; i-- > 0;)
		at = at * windows[i].stride - padding_before(&windows[i], sides[i]) +
		     (last ? (windows[i].kernel - 1) * windows[i].dilation : 0);
	return at;
}

static int64_t side_after(const struct window *window, int64_t side)
{
	int64_t kernel = (window->kernel - 1) * window->dilation + 1, pad = window->auto_pad ? 0 : window->pad;
	if (window->auto_pad && window->auto_pad[0] == 'S')
		return (side + window->stride - 1) / window->stride;
	return (side + 2 * pad - kernel) / window->stride + 1;
}

static void windows_reach_where_they_should(void **state)
{
	(void)state;
	static const char *const pads[] = { NULL, "SAME_UPPER", "SAME_LOWER", "VALID" };
	enum { COUNT = 4 };
	uint64_t random = 5;
	for (int i = 0; i < 200; i++) {
		struct window windows[COUNT];
		int64_t sides[COUNT + 1] = { 150 + (int64_t)(cn_test_random(&random) % 60) };
		cn_onnx_graph *graph;
		cn_field_graph *fields;
		cn_receptive_field field;
		const char *x = begin(&graph);
		for (size_t k = 0; k < COUNT; k++) {
			struct window *window = &windows[k];
			*window = (struct window){ 1 + (int64_t)(cn_test_random(&random) % 5),
						   1 + (int64_t)(cn_test_random(&random) % 3),
						   1 + (int64_t)(cn_test_random(&random) % 2),
						   (int64_t)(cn_test_random(&random) % 4),
						   pads[cn_test_random(&random) % 4] };
			x = max_pool(graph, x, window->kernel, window->stride, window->pad, window->auto_pad);
			cn_onnx_set_ints(graph, "dilations", 2,
					 (const int64_t[]){ window->dilation, window->dilation });
			sides[k + 1] = side_after(window, sides[k]);
		}
		assert_ok(load(&fields, graph, x, 2));
		assert_ok(cn_field_graph_at(fields, (uint32_t)sides[0], (uint32_t)sides[0], &field));
		for (int64_t at = 0; at < 3; at++) {
			int64_t first = field.stride[0] * at - field.pad[0];
			assert_int_equal(first, reaches(windows, sides, COUNT, at, 0));
			assert_int_equal(first + field.size[0] - 1, reaches(windows, sides, COUNT, at, 1));
		}
		cn_field_graph_free(fields);
	}
}

/* ---- other operators ---- */

static const char *transposed(cn_onnx_graph *graph, const char *x, const int64_t perm[4])
{
	x = cn_onnx_op(graph, "Transpose", x, NULL);
	cn_onnx_set_ints(graph, "perm", 4, perm);
	return x;
}

static void layouts_and_joins_are_followed(void **state)
{
	(void)state;
	cn_onnx_graph *graph;
	cn_field_graph *fields;
	const char *x = begin(&graph);
	/* As converters write networks whose channels come last, with padding of its own and features made unit. */
	x = transposed(graph, x, (const int64_t[]){ 0, 3, 1, 2 });
	x = cn_onnx_op(graph, "Pad", x, cn_onnx_integers(graph, 8, (const int64_t[]){ 0, 0, 2, 2, 0, 0, 5, 5 }));
	x = cn_onnx_op(graph, "Clip", conv(graph, x, 3, 2, 0), NULL);
	x = cn_onnx_l2(graph, x, 1);
	/* Two branches that look differently far, and a constant. */
	const char *narrow = cn_onnx_op(graph, "Mul", conv(graph, x, 1, 1, 0), cn_onnx_float(graph, 2));
	x = cn_onnx_op(graph, "Concat", conv(graph, x, 5, 1, 2), narrow);
	cn_onnx_set_int(graph, "axis", -3);
	assert_ok(load(&fields, graph, x, 1));
	assert_field(fields, 100, 11, 2, 6);
	cn_field_graph_free(fields);
}

static const char *flattened(cn_onnx_graph *graph, const char *x)
{
	return cn_onnx_op(graph, "Flatten", x, NULL);
}

static const char *whole_image(cn_onnx_graph *graph, const char *x)
{
	return cn_onnx_op(graph, "Mul", x, cn_onnx_op(graph, "GlobalAveragePool", x, NULL));
}

static const char *enlarged(cn_onnx_graph *graph, const char *x)
{
	return cn_onnx_resize_like(graph, conv(graph, x, 1, 2, 0), x);
}

static const char *conflicting(cn_onnx_graph *graph, const char *x)
{
	return cn_onnx_op(graph, "Add", conv(graph, x, 1, 2, 0), conv(graph, x, 1, 1, 0));
}

static const char *along_rows(cn_onnx_graph *graph, const char *x)
{
	x = cn_onnx_op(graph, "Softmax", x, NULL);
	cn_onnx_set_int(graph, "axis", 2);
	return x;
}

static const char *over_everything(cn_onnx_graph *graph, const char *x)
{
	return cn_onnx_instance_norm(graph, x, 1e-5f);
}

static const char *turned(cn_onnx_graph *graph, const char *x)
{
	return transposed(graph, x, (const int64_t[]){ 0, 2, 3, 1 });
}

static const char *mixed(cn_onnx_graph *graph, const char *x)
{
	return cn_onnx_op(graph, "Add", x, transposed(graph, x, (const int64_t[]){ 0, 2, 3, 1 }));
}

static const char *far(cn_onnx_graph *graph, const char *x)
{
	for (int i = 0; i < 4; i++)
		x = max_pool(graph, x, 1, 4096, 0, NULL);
	return x;
}

static const char *huge(cn_onnx_graph *graph, const char *x)
{
	return max_pool(graph, x, 1, INT64_MAX, 0, NULL);
}

static void what_cannot_be_told_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *(*add)(cn_onnx_graph *graph, const char *x);
		const char *part;
	} cases[] = {
		{ flattened, "Flatten" },
		{ whole_image, "GlobalAveragePool" },
		{ enlarged, "Resize" },
		{ conflicting, "joins maps of strides 2 x 2 and 1 x 1" },
		{ along_rows, "Softmax" },
		{ over_everything, "ReduceMean" },
		{ turned, "channels x height x width" },
		{ mixed, "Add" },
		{ far, "2^31" },
		{ huge, "MaxPool" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_onnx_graph *graph;
		cn_field_graph *fields;
		const char *x = begin(&graph);
		x = conv(graph, x, 3, 1, 1);
		x = cases[i].add(graph, x);
		assert_fails(load(&fields, graph, x, 2), CAIRN_EUNSUPPORTED, cases[i].part);
		assert_null(fields);
	}
}

/* What the output does not depend on may be anything. */
static void other_branches_do_not_matter(void **state)
{
	(void)state;
	cn_onnx_graph *graph;
	cn_field_graph *fields;
	const char *x = begin(&graph);
	x = conv(graph, x, 3, 2, 1);
	cn_onnx_graph_output(graph, flattened(graph, x), "vector", 2, (const int64_t[]){ 1, -1 });
	cn_onnx_graph_output(graph, conflicting(graph, x), "conflict", 4, (const int64_t[]){ 1, 1, -1, -1 });
	assert_ok(load(&fields, graph, cn_onnx_op(graph, "Relu", x, NULL), 2));
	assert_field(fields, 64, 3, 2, 1);
	cn_field_graph_free(fields);
	cn_field_graph_free(NULL);
}

static void unknown_outputs_are_refused(void **state)
{
	(void)state;
	cn_onnx_graph *graph;
	cn_field_graph *fields;
	const char *folder = cn_test_folder(), *x = begin(&graph);
	cn_onnx_graph_output(graph, conv(graph, x, 3, 1, 1), "map", 4, (const int64_t[]){ 1, 1, -1, -1 });
	assert_ok(cn_onnx_graph_write(graph, cn_test_path(folder, "m.onnx")));
	cn_onnx_graph_free(graph);
	assert_fails(cn_field_graph_load(&fields, cn_test_path(folder, "m.onnx"), "nap", 2), CAIRN_EFORMAT, "'nap'");
	assert_fails(cn_field_graph_load(&fields, cn_test_path(folder, "n.onnx"), "map", 2), CAIRN_ENOTFOUND, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantised_networks_have_fields),  cmocka_unit_test(resnets_have_the_published_values),
		cmocka_unit_test(windows_reach_where_they_should), cmocka_unit_test(layouts_and_joins_are_followed),
		cmocka_unit_test(what_cannot_be_told_is_named),    cmocka_unit_test(other_branches_do_not_matter),
		cmocka_unit_test(unknown_outputs_are_refused),
	};
	return cmocka_run_group_tests_name("model/receptive_field", tests, NULL, NULL);
}

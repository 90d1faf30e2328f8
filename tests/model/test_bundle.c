/* model.json: what is accepted, what is refused and how; input sizes and pixels; fingerprints. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/model.h"
#include "model/bundle.h"
#include "networks.h"
#include "support.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/npy.h"

#define INPUT                                                                                                          \
	"\"input\":{\"type\":\"f32\",\"layout\":\"NCHW\",\"channels\":\"RGB\",\"mean\":[127,127,127],\"std\":[128,"    \
	"128,128],"                                                                                                    \
	"\"longest\":512,\"multiple\":32}"
#define GLOBAL "\"global\":{\"output\":\"map\",\"pool\":\"gem\",\"p\":3,\"dim\":4}"
#define LOCAL                                                                                                          \
	"\"local\":{\"descriptors\":\"d\",\"keypoints\":\"k\",\"reliability\":\"r\",\"dim\":64,\"max_points\":1000,"   \
	"\"threshold\":0.05}"
#define HEAD "\"format\":1,\"name\":\"m\",\"network\":\"model.onnx\""

static int parse(cairn_model **out, const char *text)
{
	cairn_model *model = cn_alloc_zero(1, sizeof(*model));
	int status = cn_bundle_parse(model, text, strlen(text), "b/model.json");
	if (status < 0)
		cairn_model_free(model);
	else
		*out = model;
	return status;
}

static void everything_that_may_be_said(void **state)
{
	(void)state;
	cairn_model *model = NULL;
	assert_ok(parse(
		&model,
		"{\"format\":1,\"name\":\"a.b-c_9\",\"kind\":\"global\",\"network\":\"/x/y.onnx\",\"cache\":false,"
		"\"licence\":\"MIT\",\"input\":{\"type\":\"f32\",\"layout\":\"NHWC\",\"channels\":\"GREY\",\"mean\":[0."
		"5],"
		"\"std\":[2],\"longest\":640,\"box_longest\":320,\"multiple\":16,\"fixed\":[224,256]},"
		"\"global\":{\"output\":\"o\",\"pool\":\"none\",\"dim\":512,"
		"\"whitening\":{\"kind\":\"pcaw\",\"mean\":\"m.npy\",\"projection\":\"p.npy\"}},"
		"\"check\":{\"bf16_cosine\":0.9991,\"inputs\":6},\"source\":{\"package\":\"x==1\"}}"));
	assert_string_equal(model->name, "a.b-c_9");
	assert_string_equal(model->network_name, "/x/y.onnx");
	assert_int_equal(model->cache, 0);
	assert_int_equal(model->input.channels, CN_CHANNELS_GREY);
	assert_int_equal(model->input.layout, CN_LAYOUT_NHWC);
	assert_int_equal(model->input.box_longest, 320);
	assert_int_equal(model->input.fixed_width, 224);
	assert_int_equal(model->input.fixed_height, 256);
	assert_int_equal(model->global.pool, CN_POOL_NONE);
	assert_string_equal(model->global.projection_file, "p.npy");
	assert_true(model->bf16_cosine == 0.9991);
	cairn_model_free(model);
	assert_ok(parse(&model, "{" HEAD ",\"kind\":\"local\"," INPUT "," LOCAL "}"));
	assert_int_equal(model->is_local, 1);
	assert_int_equal(model->cache, 1);
	assert_true(isnan(model->bf16_cosine));
	assert_string_equal(model->local.keypoints, "k");
	assert_int_equal(model->local.max_points, 1000);
	cairn_model_free(model);
}

#define WITH_INPUT(text)  "{" HEAD ",\"kind\":\"global\",\"input\":{" text "}," GLOBAL "}"
#define F32_RGB           "\"type\":\"f32\",\"layout\":\"NCHW\",\"channels\":\"RGB\","
#define MEAN_STD          "\"mean\":[0,0,0],\"std\":[1,1,1],"
#define WITH_GLOBAL(text) "{" HEAD ",\"kind\":\"global\"," INPUT ",\"global\":{" text "}}"
#define WITH_END(text)    "{" HEAD ",\"kind\":\"global\"," INPUT "," GLOBAL "," text "}"

static void faults_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *text, *part;
	} cases[] = {
		{ "", "b/model.json:1" },
		{ "[]", "object" },
		{ "{}", "\"format\" is missing" },
		{ "{\"format\":2}", "\"format\" is 2" },
		{ "{\"format\":1,\"formats\":1}", "unknown member \"formats\"" },
		{ "{\"format\":1,\"name\":\"../x\"}", "cannot name a model" },
		{ "{" HEAD ",\"kind\":\"glocal\"," INPUT "," GLOBAL "}",
		  "\"glocal\"; known are \"global\", \"local\"" },
		{ "{" HEAD ",\"kind\":\"global\"," INPUT "," LOCAL "}", "no member \"local\"" },
		{ "{" HEAD ",\"kind\":\"local\"," INPUT "," LOCAL "," GLOBAL "}", "no member \"global\"" },
		{ "{" HEAD ",\"kind\":\"global\"," GLOBAL "}", "\"input\" is missing" },
		{ "{\"format\":1,\"name\":\"m\",\"network\":\"../m.onnx\",\"kind\":\"global\"," INPUT "," GLOBAL "}",
		  "\"../m.onnx\"" },
		{ WITH_INPUT(F32_RGB "\"mean\":[0],\"std\":[1,1,1],\"longest\":512,\"multiple\":32"),
		  "input: \"mean\" has 1 numbers" },
		{ WITH_INPUT(F32_RGB "\"mean\":[0,0,0],\"std\":[1,0,1],\"longest\":512,\"multiple\":32"), "positive" },
		{ WITH_INPUT(F32_RGB "\"mean\":[0,0,\"0\"],\"std\":[1,1,1],\"longest\":512,\"multiple\":32"),
		  "\"mean\" must hold" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":0,\"multiple\":32"), "\"longest\" is 0" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":0"), "\"multiple\" is 0" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"fixed\":[224]"), "[width, height]" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"fixed\":[224,-1]"),
		  "[width, height]" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"size\":1"),
		  "input: unknown member \"size\"" },
		{ WITH_INPUT("\"type\":\"u8\",\"layout\":\"NHWC\",\"channels\":\"RGB\"," MEAN_STD
			     "\"longest\":512,\"multiple\":32"),
		  "type \"f32\" only" },
		{ WITH_GLOBAL("\"output\":\"o\",\"pool\":\"gem\",\"dim\":4"), "\"p\" is missing" },
		{ WITH_GLOBAL("\"output\":\"o\",\"pool\":\"none\",\"p\":3,\"dim\":4"), "pool \"gem\" only" },
		{ WITH_GLOBAL("\"output\":\"o\",\"pool\":\"gem\",\"p\":-1,\"dim\":4"), "\"p\" is -1" },
		{ WITH_GLOBAL("\"output\":\"o\",\"pool\":\"none\",\"dim\":0"), "\"dim\" is 0" },
		{ WITH_GLOBAL("\"output\":\"o\",\"pool\":\"none\",\"dim\":4,\"whitening\":{\"kind\":\"pca\",\"mean\":"
			      "\"m.npy\"}"),
		  "global.whitening: member \"projection\"" },
		{ WITH_GLOBAL("\"output\":\"o\",\"pool\":\"none\",\"dim\":4,\"whitening\":{\"kind\":\"centre\","
			      "\"mean\":\"/etc/m\"}"),
		  "bundle's folder" },
		{ WITH_END("\"check\":{\"bf16_cosine\":2,\"inputs\":1}"), "no cosine" },
		{ WITH_END("\"source\":{\"package\":1}"), "source: \"package\" must be a text" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_model *model;
		int status = parse(&model, cases[i].text);
		assert_fails(status, status == CAIRN_EINVALID ? CAIRN_EINVALID : CAIRN_EFORMAT, cases[i].part);
	}
}

static void input_sizes(void **state)
{
	(void)state;
	static const struct {
		uint32_t width, height;
		int is_box;
		uint32_t out_width, out_height;
	} cases[] = {
		{ 1024, 768, 0, 512, 384 },  { 768, 1024, 0, 384, 512 },    { 1024, 683, 0, 512, 352 },
		{ 4000, 3000, 0, 512, 384 }, { 1024, 768, 1, 384, 288 },    { 300, 200, 0, 288, 192 },
		{ 1, 1, 0, 32, 32 },         { 10000, 10, 0, 512, 32 },     { 512, 512, 0, 512, 512 },
		{ 496, 495, 0, 512, 480 },   { 65535, 65535, 0, 512, 512 },
	};
	cn_input_spec spec = { .longest = 512, .box_longest = 384, .multiple = 32 };
	uint32_t width, height;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_input_size(&spec, cases[i].width, cases[i].height, cases[i].is_box, &width, &height);
		assert_int_equal(width, cases[i].out_width);
		assert_int_equal(height, cases[i].out_height);
	}
	spec.box_longest = 0;
	cn_input_size(&spec, 1024, 768, 1, &width, &height);
	assert_int_equal(width, 512);
	spec.fixed_width = 224;
	spec.fixed_height = 320;
	cn_input_size(&spec, 1024, 768, 0, &width, &height);
	assert_int_equal(width, 224);
	assert_int_equal(height, 320);
}

/* Two pixels: (10, 20, 40) and (0, 255, 3). */
static void pixels_become_numbers(void **state)
{
	(void)state;
	static const uint8_t rgb[] = { 10, 20, 40, 0, 255, 3 };
	static const struct {
		cn_layout layout;
		cn_channels channels;
		size_t shape[4], count;
		float values[6];
	} cases[] = {
		{ CN_LAYOUT_NCHW, CN_CHANNELS_RGB, { 1, 3, 1, 2 }, 6, { 0, -5, 4.75f, 63.5f, 2.5f, -2.125f } },
		{ CN_LAYOUT_NHWC, CN_CHANNELS_RGB, { 1, 1, 2, 3 }, 6, { 0, 4.75f, 2.5f, -5, 63.5f, -2.125f } },
		{ CN_LAYOUT_NCHW, CN_CHANNELS_BGR, { 1, 3, 1, 2 }, 6, { 15, -3.5f, 4.75f, 63.5f, -1.25f, -2.5f } },
		{ CN_LAYOUT_NHWC, CN_CHANNELS_BGR, { 1, 1, 2, 3 }, 6, { 15, 4.75f, -1.25f, -3.5f, 63.5f, -2.5f } },
		{ CN_LAYOUT_NCHW, CN_CHANNELS_GREY, { 1, 1, 1, 2 }, 2, { 6.6666667f, 38 } },
		{ CN_LAYOUT_NHWC, CN_CHANNELS_GREY, { 1, 1, 2, 1 }, 2, { 6.6666667f, 38 } },
	};
	static const struct {
		cn_layout layout;
		cn_channels channels;
		size_t count;
		uint8_t values[6];
	} bytes[] = {
		{ CN_LAYOUT_NHWC, CN_CHANNELS_RGB, 6, { 10, 20, 40, 0, 255, 3 } },
		{ CN_LAYOUT_NHWC, CN_CHANNELS_BGR, 6, { 40, 20, 10, 3, 255, 0 } },
		{ CN_LAYOUT_NCHW, CN_CHANNELS_RGB, 6, { 10, 0, 20, 255, 40, 3 } },
		{ CN_LAYOUT_NCHW, CN_CHANNELS_BGR, 6, { 40, 3, 20, 255, 10, 0 } },
		{ CN_LAYOUT_NCHW, CN_CHANNELS_GREY, 2, { 23, 86 } },
	};
	size_t shape[4];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_input_spec spec = { .layout = cases[i].layout,
				       .channels = cases[i].channels,
				       .mean = { 10, 1, 20 },
				       .std = { 2, 4, 8 } };
		float out[6];
		cn_input_shape(&spec, 2, 1, shape);
		assert_memory_equal(shape, cases[i].shape, sizeof(shape));
		cn_input_fill(&spec, rgb, 2, 1, out);
		for (size_t k = 0; k < cases[i].count; k++)
			assert_float_equal(out[k], cases[i].values[k], 1e-5);
	}
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		cn_input_spec spec = { .type = CN_TENSOR_U8, .layout = bytes[i].layout, .channels = bytes[i].channels };
		uint8_t out[6];
		cn_input_fill(&spec, rgb, 2, 1, out);
		assert_memory_equal(out, bytes[i].values, bytes[i].count);
	}
}

/* ---- fingerprints and whitening ---- */

static const char *make_bundle(const char *json)
{
	const char *folder = cn_test_folder();
	static const float mean[] = { 1, 2, 3, 4 }, projection[] = { 1, 0, 0, 0, 0, 1, 0, 0 };
	make_map(cn_test_path(folder, "model.onnx"));
	cn_test_write(cn_test_path(folder, "model.json"), json, strlen(json));
	assert_ok(cn_npy_write(cn_test_path(folder, "m.npy"), CN_NPY_F32, 1, (const size_t[]){ 4 }, mean));
	assert_ok(cn_npy_write(cn_test_path(folder, "p.npy"), CN_NPY_F32, 2, (const size_t[]){ 2, 4 }, projection));
	return folder;
}

static void fingerprint(const char *json, char out[33])
{
	cairn_model *model;
	assert_ok(cn_bundle_read(&model, make_bundle(json)));
	assert_int_equal(strlen(model->fingerprint), 32);
	memcpy(out, model->fingerprint, 33);
	cairn_model_free(model);
}

#define PCA ",\"whitening\":{\"kind\":\"pca\",\"mean\":\"m.npy\",\"projection\":\"p.npy\"}"

static void fingerprints_change_with_the_output_only(void **state)
{
	(void)state;
	static const char plain[] = "{" HEAD ",\"kind\":\"global\"," INPUT "," GLOBAL "}";
	static const struct {
		const char *json;
		int same;
	} cases[] = {
		{ "{" HEAD ",\"kind\":\"global\",\"licence\":\"MIT\",\"cache\":false," INPUT "," GLOBAL "}", 1 },
		{ "{" GLOBAL "," INPUT
		  ",\"kind\":\"global\",\"format\":1,\"name\":\"other\",\"network\":\"model.onnx\","
		  "\"check\":{\"bf16_cosine\":1,\"inputs\":1}}",
		  1 },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"gem\",\"p\":3.5,\"dim\":4"), 0 },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"gem\",\"p\":3,\"dim\":4" PCA), 0 },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32"), 0 },
	};
	char first[33], other[33];
	fingerprint(plain, first);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fingerprint(cases[i].json, other);
		assert_int_equal(strcmp(first, other) == 0, cases[i].same);
	}
	/* One bit of the network. */
	cairn_model *model;
	const char *folder = make_bundle(plain);
	size_t length;
	char *bytes;
	assert_ok(cn_file_read(cn_test_path(folder, "model.onnx"), 1 << 20, &bytes, &length));
	bytes[length - 1] ^= 1;
	cn_test_write(cn_test_path(folder, "model.onnx"), bytes, length);
	cn_free(bytes);
	assert_ok(cn_bundle_read(&model, folder));
	assert_string_not_equal(model->fingerprint, first);
	cairn_model_free(model);
}

static void whitening_must_fit(void **state)
{
	(void)state;
	static const char json[] = WITH_GLOBAL("\"output\":\"map\",\"pool\":\"gem\",\"p\":3,\"dim\":4" PCA);
	cairn_model *model;
	const char *folder = make_bundle(json);
	const float numbers[12] = { NAN };
	assert_ok(cn_bundle_read(&model, folder));
	assert_int_equal(model->global.kept, 2);
	assert_float_equal(model->global.mean[3], 4, 0);
	cairn_model_free(model);
	assert_ok(cn_npy_write(cn_test_path(folder, "m.npy"), CN_NPY_F32, 1, (const size_t[]){ 3 }, numbers));
	assert_fails(cn_bundle_read(&model, folder), CAIRN_EFORMAT, "m.npy");
	assert_ok(cn_npy_write(cn_test_path(folder, "m.npy"), CN_NPY_F32, 1, (const size_t[]){ 4 }, numbers));
	assert_fails(cn_bundle_read(&model, folder), CAIRN_EFORMAT, "not finite");
	folder = make_bundle(json);
	assert_ok(cn_npy_write(cn_test_path(folder, "p.npy"), CN_NPY_F32, 2, (const size_t[]){ 5, 4 },
			       (const float[20]){ 0 }));
	assert_fails(cn_bundle_read(&model, folder), CAIRN_EFORMAT, "5 rows");
	assert_int_equal(remove(cn_test_path(folder, "p.npy")), 0);
	assert_fails(cn_bundle_read(&model, folder), CAIRN_ENOTFOUND, "p.npy");
}

/* ---- the network must be what model.json says ---- */

static void networks_that_do_not_fit(void **state)
{
	(void)state;
	static const struct {
		const char *json, *part;
	} cases[] = {
		{ WITH_GLOBAL("\"output\":\"nap\",\"pool\":\"gem\",\"p\":3,\"dim\":4"), "no output 'nap'" },
		{ WITH_INPUT(
			  "\"type\":\"u8\",\"layout\":\"NCHW\",\"channels\":\"RGB\",\"longest\":512,\"multiple\":32"),
		  "takes f32" },
		{ WITH_INPUT("\"type\":\"f32\",\"layout\":\"NCHW\",\"channels\":\"GREY\",\"mean\":[0],\"std\":[1],"
			     "\"longest\":512,"
			     "\"multiple\":32"),
		  "layout and channels" },
	};
	new_home();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_model *model;
		assert_fails(cairn_model_open(&model, make_bundle(cases[i].json), NULL), CAIRN_EFORMAT, cases[i].part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_that_may_be_said),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(input_sizes),
		cmocka_unit_test(pixels_become_numbers),
		cmocka_unit_test(fingerprints_change_with_the_output_only),
		cmocka_unit_test(whitening_must_fit),
		cmocka_unit_test(networks_that_do_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

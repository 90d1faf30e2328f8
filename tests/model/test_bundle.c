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
#define LOCAL_SIZES      "\"descriptors\":\"d\",\"dim\":64,\"max_points\":1000"
#define WITH_LOCAL(text) "{" HEAD ",\"kind\":\"local\"," INPUT ",\"local\":{" text "}}"
#define HEAD             "\"format\":1,\"name\":\"m\",\"network\":\"model.onnx\""

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
		"\"check\":{\"bf16_cosine\":0.9991,\"inputs\":6,\"quantised\":true,\"photographs\":{"
		"\"bf16_cosine\":0.98,\"bf16_mean\":0.99,\"inputs\":20}},\"source\":{\"package\":\"x==1\"}}"));
	assert_string_equal(model->name, "a.b-c_9");
	assert_string_equal(model->network_name, "/x/y.onnx");
	assert_int_equal(model->cache, 0);
	assert_int_equal(model->input.channels, CN_CHANNELS_GREY);
	assert_int_equal(model->input.layout, CN_LAYOUT_NHWC);
	assert_int_equal(model->input.box_longest, 320);
	assert_int_equal(model->input.fixed_width, 224);
	assert_int_equal(model->input.fixed_height, 256);
	assert_int_equal(model->global.heads[0].pool, CN_POOL_NONE);
	assert_string_equal(model->global.projection_file, "p.npy");
	assert_true(model->bf16_cosine == 0.9991);
	assert_true(model->generated.images == 6 && isnan(model->generated.mean));
	assert_true(model->photographs.least == 0.98 && model->photographs.mean == 0.99);
	assert_int_equal(model->photographs.images, 20);
	assert_int_equal(model->is_quantised, 1);
	cairn_model_free(model);
	assert_ok(parse(&model,
			"{" HEAD ",\"kind\":\"global\",\"input\":{\"type\":\"u8\",\"layout\":\"NCHW\","
			"\"channels\":\"BGR\",\"longest\":640,\"multiple\":16,"
			"\"bins\":{\"ratios\":[0.75,1.5],\"sizes\":[[512,352],[448,448],[352,512]]}}," GLOBAL "}"));
	assert_int_equal(model->input.bin_count, 3);
	assert_true(model->input.bin_ratios[0] == 0.75f && model->input.bin_ratios[1] == 1.5f);
	assert_int_equal(model->input.bin_sizes[0][0], 512);
	assert_int_equal(model->input.bin_sizes[0][1], 352);
	assert_int_equal(model->input.bin_sizes[2][1], 512);
	cairn_model_free(model);
	assert_ok(parse(&model, "{" HEAD ",\"kind\":\"local\"," INPUT "," LOCAL "}"));
	assert_int_equal(model->is_local, 1);
	assert_int_equal(model->cache, 1);
	assert_true(isnan(model->bf16_cosine));
	assert_true(model->generated.images == 0 && model->photographs.images == 0 && !model->is_quantised);
	assert_string_equal(model->local.keypoints, "k");
	assert_int_equal(model->local.max_points, 1000);
	assert_int_equal(model->local.method, CN_LOCAL_XFEAT);
	cairn_model_free(model);
}

static void every_method_of_local_features(void **state)
{
	(void)state;
	cairn_model *model = NULL;
	assert_ok(
		parse(&model, WITH_LOCAL("\"method\":\"attentive\",\"attention\":{\"output\":\"a\"},\"threshold\":100,"
					 "\"iou\":0.5,\"scales\":[1,0.5],\"receptive_field\":{\"size\":291,"
					 "\"stride\":32,\"pad\":145},\"pca\":{\"mean\":\"m.npy\",\"projection\":"
					 "\"p.npy\"}," LOCAL_SIZES)));
	assert_int_equal(model->local.method, CN_LOCAL_ATTENTIVE);
	assert_string_equal(model->local.attention, "a");
	assert_int_equal(model->local.scale_count, 2);
	assert_int_equal(model->local.field.size[1], 291);
	assert_int_equal(model->local.field.pad[0], 145);
	assert_string_equal(model->local.projection_file, "p.npy");
	assert_float_equal(model->local.threshold, 100, 0);
	assert_int_equal(cn_local_needs_field(&model->local), 0);
	cairn_model_free(model);
	assert_ok(parse(&model, WITH_LOCAL("\"method\":\"attentive\",\"attention\":\"norm\"," LOCAL_SIZES)));
	assert_null(model->local.attention);
	assert_int_equal(model->local.scale_count, 7);
	assert_float_equal(model->local.scales[0], 0.25, 0);
	assert_float_equal(model->local.iou, 1, 0);
	assert_int_equal(cn_local_needs_field(&model->local), 1);
	assert_int_equal(cn_model_longest(model), 1024);
	cairn_model_free(model);
	assert_ok(parse(&model, WITH_LOCAL("\"method\":\"attentive\",\"attention\":\"norm\",\"tokens\":{\"prefix\":5,"
					   "\"patch\":14}," LOCAL_SIZES)));
	assert_int_equal(model->local.tokens.prefix, 5);
	assert_int_equal(model->local.tokens.patch, 14);
	assert_int_equal(cn_local_needs_field(&model->local), 0);
	cairn_model_free(model);
	assert_ok(
		parse(&model, WITH_LOCAL("\"method\":\"dense\",\"keypoints\":\"k\",\"threshold\":0.005," LOCAL_SIZES)));
	assert_int_equal(model->local.radius, 4);
	assert_int_equal(model->local.border, 4);
	assert_int_equal(model->local.kept, 64);
	cairn_model_free(model);
	assert_ok(parse(&model,
			WITH_LOCAL("\"method\":\"keypoints\",\"keypoints\":\"k\",\"scores\":\"s\",\"coordinates\":"
				   "\"unit\"," LOCAL_SIZES)));
	assert_int_equal(model->local.unit_coordinates, 1);
	assert_int_equal(cn_model_longest(model), 512);
	cairn_model_free(model);
}

#define BOXES               "\"outputs\":{\"boxes\":\"b\",\"scores\":\"s\"}"
#define FORM                ",\"format\":\"yxyx\",\"coordinates\":\"normalised\""
#define WITH_DETECTOR(text) "{" HEAD ",\"kind\":\"detector\"," INPUT ",\"detector\":{" text "}}"

static void detectors(void **state)
{
	(void)state;
	cairn_model *model = NULL;
	assert_ok(parse(&model, WITH_DETECTOR(BOXES FORM)));
	const cn_detector_spec *spec = &model->detector;
	assert_int_equal(model->is_detector, 1);
	assert_int_equal(model->is_local, 0);
	assert_string_equal(spec->boxes, "b");
	assert_string_equal(spec->scores, "s");
	assert_null(spec->classes);
	assert_int_equal(spec->format, CN_BOX_YXYX);
	assert_int_equal(spec->normalised, 1);
	assert_true(spec->threshold == 0.1f && spec->iou == 1);
	assert_int_equal(spec->max_boxes, 100);
	assert_int_equal(spec->class_count, 0);
	assert_int_equal(cn_model_longest(model), 512);
	cairn_model_free(model);
	assert_ok(parse(&model, WITH_DETECTOR("\"outputs\":{\"boxes\":\"b\",\"scores\":\"s\",\"classes\":\"c\"},"
					      "\"format\":\"cxcywh\",\"coordinates\":\"pixels\",\"threshold\":0.3,"
					      "\"iou\":0.5,\"max_boxes\":7,\"class_ids\":[3,65535]")));
	spec = &model->detector;
	assert_string_equal(spec->classes, "c");
	assert_int_equal(spec->format, CN_BOX_CXCYWH);
	assert_int_equal(spec->normalised, 0);
	assert_true(spec->threshold == 0.3f && spec->iou == 0.5f);
	assert_int_equal(spec->max_boxes, 7);
	assert_int_equal(spec->class_count, 2);
	assert_int_equal(spec->class_ids[1], 65535);
	cairn_model_free(model);
}

static void detectors_that_make_no_sense(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ WITH_DETECTOR("\"format\":\"xyxy\",\"coordinates\":\"pixels\""), "member \"outputs\" is missing" },
		{ WITH_DETECTOR("\"outputs\":{\"boxes\":\"b\"}" FORM), "outputs: member \"scores\" is missing" },
		{ WITH_DETECTOR("\"outputs\":{\"boxes\":\"b\",\"scores\":\"s\",\"masks\":\"m\"}" FORM), "\"masks\"" },
		{ WITH_DETECTOR("\"outputs\":{\"boxes\":\"b\",\"scores\":\"s\",\"classes\":3}" FORM),
		  "\"classes\" must be" },
		{ WITH_DETECTOR(BOXES ",\"coordinates\":\"pixels\""), "member \"format\" is missing" },
		{ WITH_DETECTOR(BOXES ",\"format\":\"xywh\",\"coordinates\":\"pixels\""), "\"format\"" },
		{ WITH_DETECTOR(BOXES ",\"format\":\"xyxy\",\"coordinates\":\"unit\""), "\"coordinates\"" },
		{ WITH_DETECTOR(BOXES FORM ",\"iou\":1.5"), "\"iou\"" },
		{ WITH_DETECTOR(BOXES FORM ",\"max_boxes\":0"), "\"max_boxes\"" },
		{ WITH_DETECTOR(BOXES FORM ",\"max_boxes\":1001"), "\"max_boxes\"" },
		{ WITH_DETECTOR(BOXES FORM ",\"threshold\":\"high\""), "\"threshold\"" },
		{ WITH_DETECTOR(BOXES FORM ",\"class_ids\":[]"), "has 0 numbers" },
		{ WITH_DETECTOR(BOXES FORM ",\"class_ids\":[1,-1]"), "number 1 of \"class_ids\"" },
		{ WITH_DETECTOR(BOXES FORM ",\"class_ids\":[65536]"), "number 0 of \"class_ids\"" },
		{ WITH_DETECTOR(BOXES FORM ",\"class_ids\":[0.5]"), "number 0 of \"class_ids\"" },
		{ "{" HEAD ",\"kind\":\"detector\"," INPUT "," GLOBAL "}",
		  "kind \"detector\" has no member \"global\"" },
		{ "{" HEAD ",\"kind\":\"global\"," INPUT "," GLOBAL ",\"detector\":{}}",
		  "kind \"global\" has no member \"detector\"" },
		{ "{" HEAD ",\"kind\":\"detector\"," INPUT "}", "member \"detector\" is missing" },
	};
	cairn_model *model;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_fails(parse(&model, cases[i].text), CAIRN_EFORMAT, cases[i].error);
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
		{ "{" HEAD ",\"kind\":\"global\",\"formats\":1}", "unknown member \"formats\"" },
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
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"bins\":{\"sizes\":[[8,8]]}"),
		  "input.bins: member \"ratios\" is missing" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[]}"),
		  "input.bins: member \"sizes\" is missing" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[],\"sizes\":[]}"),
		  "0 \"sizes\" and 0 \"ratios\"; there must be 1 to 16 sizes" },
		{ WITH_INPUT(F32_RGB MEAN_STD
			     "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[1],\"sizes\":[[8,8]]}"),
		  "1 \"sizes\" and 1 \"ratios\"" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[1,1,1,1,1,1,1,1,1,"
					      "1,1,1,1,1,1,1],\"sizes\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"),
		  "17 \"sizes\" and 16 \"ratios\"" },
		{ WITH_INPUT(F32_RGB MEAN_STD
			     "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[1],\"sizes\":[[8,8],[8]]}"),
		  "\"sizes\" must hold [width, height]" },
		{ WITH_INPUT(F32_RGB MEAN_STD
			     "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[1],\"sizes\":[[8,8],[8,0]]}"),
		  "\"sizes\" must hold [width, height]" },
		{ WITH_INPUT(F32_RGB MEAN_STD
			     "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[1],\"sizes\":[[8,8],[8,16385]]}"),
		  "from 1 to 16384" },
		{ WITH_INPUT(F32_RGB MEAN_STD
			     "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[1],\"sizes\":[[8,8],[8.5,8]]}"),
		  "\"sizes\" must hold" },
		{ WITH_INPUT(F32_RGB MEAN_STD
			     "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[0],\"sizes\":[[8,8],[8,8]]}"),
		  "\"ratios\" of height to width must be above 0 and ascend" },
		{ WITH_INPUT(
			  F32_RGB MEAN_STD
			  "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[1,1],\"sizes\":[[8,8],[8,8],[8,8]]}"),
		  "must be above 0 and ascend" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[1.5,1.2],"
					      "\"sizes\":[[8,8],[8,8],[8,8]]}"),
		  "must be above 0 and ascend" },
		{ WITH_INPUT(F32_RGB MEAN_STD
			     "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[\"1\"],\"sizes\":[[8,8],[8,8]]}"),
		  "must be above 0 and ascend" },
		{ WITH_INPUT(F32_RGB MEAN_STD
			     "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[],\"sizes\":[[8,8]],\"sides\":1}"),
		  "input.bins: unknown member \"sides\"" },
		{ WITH_INPUT(F32_RGB MEAN_STD "\"longest\":512,\"multiple\":32,\"bins\":[]"),
		  "\"bins\" must be an object" },
		{ WITH_INPUT(
			  F32_RGB MEAN_STD
			  "\"longest\":512,\"multiple\":32,\"bins\":{\"ratios\":[],\"sizes\":[[8,8]]},\"fixed\":[8,8]"),
		  "\"fixed\" and \"bins\" exclude each other" },
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
		{ WITH_GLOBAL("\"output\":\"o\",\"pool\":\"none\",\"dim\":4,\"tokens\":{\"prefix\":0,\"patch\":16}"),
		  "first token" },
		{ WITH_LOCAL("\"method\":\"sparse\"," LOCAL_SIZES), "\"sparse\"; known are \"xfeat\", \"attentive\"" },
		{ WITH_LOCAL("\"method\":\"dense\",\"scores\":\"s\"," LOCAL_SIZES), "unknown member \"scores\"" },
		{ WITH_LOCAL("\"method\":\"dense\",\"keypoints\":\"k\",\"threshold\":2," LOCAL_SIZES),
		  "\"threshold\" is 2" },
		{ WITH_LOCAL("\"method\":\"dense\",\"keypoints\":\"k\",\"threshold\":0,\"radius\":65," LOCAL_SIZES),
		  "\"radius\" is 65" },
		{ WITH_LOCAL("\"method\":\"keypoints\",\"keypoints\":\"k\",\"scores\":\"s\"," LOCAL_SIZES),
		  "\"coordinates\"" },
		{ WITH_LOCAL("\"method\":\"attentive\"," LOCAL_SIZES), "\"attention\"" },
		{ WITH_LOCAL("\"method\":\"attentive\",\"attention\":\"sum\"," LOCAL_SIZES),
		  "\"sum\"; known are \"norm\"" },
		{ WITH_LOCAL("\"method\":\"attentive\",\"attention\":{}," LOCAL_SIZES), "local.attention: member" },
		{ WITH_LOCAL("\"method\":\"attentive\",\"attention\":\"norm\",\"iou\":1.5," LOCAL_SIZES),
		  "\"iou\" is 1.5" },
		{ WITH_LOCAL("\"method\":\"attentive\",\"attention\":\"norm\",\"scales\":[]," LOCAL_SIZES),
		  "\"scales\" has 0" },
		{ WITH_LOCAL("\"method\":\"attentive\",\"attention\":\"norm\",\"scales\":[1,100]," LOCAL_SIZES),
		  "number 1 of \"scales\"" },
		{ WITH_LOCAL("\"method\":\"attentive\",\"attention\":\"norm\",\"tokens\":{\"prefix\":1,\"patch\":0}"
			     "," LOCAL_SIZES),
		  "local.tokens: \"patch\" is 0" },
		{ WITH_LOCAL("\"method\":\"attentive\",\"attention\":\"norm\",\"tokens\":{\"prefix\":1,\"patch\":8},"
			     "\"receptive_field\":{\"size\":3,\"stride\":1,\"pad\":1}," LOCAL_SIZES),
		  "exclude each other" },
		{ WITH_LOCAL(
			  "\"method\":\"attentive\",\"attention\":\"norm\",\"pca\":{\"mean\":\"m.npy\"}," LOCAL_SIZES),
		  "local.pca: member \"projection\"" },
		{ WITH_END("\"check\":{\"bf16_cosine\":2,\"inputs\":1}"), "no cosine" },
		{ WITH_END("\"check\":{\"bf16_cosine\":1}"), "check: member \"inputs\" is missing" },
		{ WITH_END("\"check\":{\"inputs\":1}"), "check: member \"bf16_cosine\" is missing" },
		{ WITH_END("\"check\":{\"quantised\":1}"), "\"quantised\" must be" },
		{ WITH_END("\"check\":{\"photographs\":{\"bf16_cosine\":1,\"inputs\":0}}"),
		  "check.photographs: \"inputs\" is 0" },
		{ WITH_END("\"check\":{\"photographs\":{\"bf16_cosine\":1,\"inputs\":1,\"bf16_mean\":-3}}"),
		  "\"bf16_mean\" is -3, which is no cosine" },
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
		cn_input_size(&spec, cases[i].width, cases[i].height, cases[i].is_box, 1, &width, &height);
		assert_int_equal(width, cases[i].out_width);
		assert_int_equal(height, cases[i].out_height);
	}
	spec.box_longest = 0;
	cn_input_size(&spec, 1024, 768, 1, 1, &width, &height);
	assert_int_equal(width, 512);
	spec.fixed_width = 224;
	spec.fixed_height = 320;
	cn_input_size(&spec, 1024, 768, 0, 1, &width, &height);
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

#define BINNED(text)                                                                                                   \
	WITH_INPUT(F32_RGB "\"mean\":[127,127,127],\"std\":[128,128,128],\"longest\":512,\"multiple\":32,"             \
			   "\"bins\":{" text "}")

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
		{ BINNED("\"ratios\":[],\"sizes\":[[512,512]]"), 0 },
		{ BINNED("\"ratios\":[1],\"sizes\":[[512,512],[512,512]]"), 0 },
	};
	char first[33], other[33];
	fingerprint(plain, first);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fingerprint(cases[i].json, other);
		assert_int_equal(strcmp(first, other) == 0, cases[i].same);
	}
	/* Each part of the bins. */
	static const char *const bins[] = {
		BINNED("\"ratios\":[],\"sizes\":[[512,512]]"),
		BINNED("\"ratios\":[],\"sizes\":[[512,256]]"),
		BINNED("\"ratios\":[],\"sizes\":[[256,512]]"),
		BINNED("\"ratios\":[1],\"sizes\":[[512,512],[512,512]]"),
		BINNED("\"ratios\":[2],\"sizes\":[[512,512],[512,512]]"),
	};
	char of_bins[5][33];
	for (size_t i = 0; i < 5; i++) {
		fingerprint(bins[i], of_bins[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(of_bins[i], of_bins[k]);
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

/* Layers and attention of the map of 4 channels; p.npy has 2 x 4 numbers, m.npy 4. */
static void heads_that_do_not_fit_the_network(void **state)
{
	(void)state;
	static const struct {
		const char *json, *part;
	} cases[] = {
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":4"), NULL },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":5"),
		  "'map' has 4 channels, of which 4 numbers are made; model.json says \"dim\" 5" },
		{ WITH_GLOBAL("\"output\":\"map\",\"dim\":8,\"heads\":[{\"pool\":\"mac\"},{\"pool\":\"spoc\"}]"),
		  NULL },
		{ WITH_GLOBAL("\"output\":\"map\",\"dim\":4,\"heads\":[{\"pool\":\"mac\"},{\"pool\":\"spoc\"}]"),
		  "of which 8 numbers are made; model.json says \"dim\" 4" },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"gem\",\"p\":[1,2,3],\"dim\":4"),
		  "\"p\" has 3 numbers, but 'map' has 4 channels" },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":2,\"layer\":{\"weight\":\"p.npy\"}"), NULL },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":4,\"layer\":{\"weight\":\"p.npy\"}"),
		  "of which 2 numbers are made" },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":2,\"layer\":{\"weight\":\"wide.npy\"}"),
		  "the layer wide.npy takes 5 numbers, but gets 4" },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"rmac\",\"dim\":2,\"regional\":{\"weight\":\"p.npy\"},"
			      "\"layer\":{\"weight\":\"p.npy\"}"),
		  "the layer p.npy takes 4 numbers, but gets 2" },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":2,\"layer\":{\"weight\":\"p.npy\","
			      "\"bias\":\"m.npy\"}"),
		  "m.npy" },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":2,\"layer\":{\"weight\":\"m.npy\"}"),
		  "m.npy" },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":2,\"layer\":{\"weight\":\"nan.npy\"}"),
		  "nan.npy: number 7 is not finite" },
		{ WITH_GLOBAL("\"output\":\"map\",\"pool\":\"mac\",\"dim\":4,\"attention\":{\"output\":\"where\","
			      "\"mode\":\"weight\"}"),
		  "no output 'where' (\"attention\" in model.json)" },
	};
	static const float numbers[10] = { 0 }, faulty[8] = { 0, 0, 0, 0, 0, 0, 0, NAN };
	new_home();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *folder = make_bundle(cases[i].json);
		cairn_model *model;
		assert_ok(cn_npy_write(cn_test_path(folder, "wide.npy"), CN_NPY_F32, 2, (const size_t[]){ 2, 5 },
				       numbers));
		assert_ok(
			cn_npy_write(cn_test_path(folder, "nan.npy"), CN_NPY_F32, 2, (const size_t[]){ 2, 4 }, faulty));
		int status = cairn_model_open(&model, folder, NULL);
		if (cases[i].part) {
			assert_fails(status, CAIRN_EFORMAT, cases[i].part);
			continue;
		}
		assert_ok(status);
		cairn_model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_that_may_be_said),
		cmocka_unit_test(every_method_of_local_features),
		cmocka_unit_test(detectors),
		cmocka_unit_test(detectors_that_make_no_sense),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(input_sizes),
		cmocka_unit_test(pixels_become_numbers),
		cmocka_unit_test(fingerprints_change_with_the_output_only),
		cmocka_unit_test(whitening_must_fit),
		cmocka_unit_test(networks_that_do_not_fit),
		cmocka_unit_test(heads_that_do_not_fit_the_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

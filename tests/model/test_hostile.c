/*
 * Bundles made to do harm, or by mistake: networks and descriptions of every kind of fault, as a global model, a local
 * one and a member of an ensemble. Each ends in a status and a text that names what is at fault.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/descriptors.h"
#include "cairn/features.h"
#include "cairn/model.h"
#include "model/bundle.h"
#include "model/onnx_write.h"
#include "networks.h"
#include "support.h"
#include "util/file.h"
#include "util/json.h"
#include "util/memory.h"

enum fault {
	NO_FAULT,
	FREE_SHAPES, /* nothing is said of any side; no fault either */
	NOT_ONNX,
	EMPTY,
	CUT,
	OTHER_NAMES,
	RANK_3,
	HUGE_OUTPUT,
	NAN_WEIGHTS,
	ZERO_CHANNELS,
};

enum { GLOBAL, LOCAL, ENSEMBLE, KINDS };

#define CHANNELS 16
#define HEAD                                                                                                           \
	"{\"format\":1,\"name\":\"m\",\"network\":\"model.onnx\",\"cache\":false,\"input\":{\"type\":\"f32\","         \
	"\"layout\":\"NCHW\",\"channels\":\"RGB\",\"mean\":[0,0,0],\"std\":[255,255,255],\"longest\":64,\"multiple\":" \
	"8},"

static const char *const descriptions[] = {
	[GLOBAL] = HEAD "\"kind\":\"global\",\"global\":{\"output\":\"map\",\"pool\":\"gem\",\"p\":3,\"dim\":16}}",
	[LOCAL] = HEAD "\"kind\":\"local\",\"local\":{\"method\":\"dense\",\"keypoints\":\"heat\",\"descriptors\":"
		       "\"map\",\"dim\":16,\"max_points\":50,\"threshold\":0}}",
};

/* ---- networks ---- */

static const char *with_fault(cn_onnx_graph *graph, const char *map, enum fault fault)
{
	static const int64_t first = 0, channels = 1, plane[] = { 1, CHANNELS, -1 },
			     huge[] = { 1, CHANNELS, 8000, 8000 };
	if (fault == RANK_3)
		return cn_onnx_op(graph, "Reshape", map, cn_onnx_integers(graph, 3, plane));
	if (fault == HUGE_OUTPUT)
		return cn_onnx_op(graph, "Expand", cn_onnx_op(graph, "GlobalAveragePool", map, NULL),
				  cn_onnx_integers(graph, 4, huge));
	if (fault != ZERO_CHANNELS)
		return map;
	const char *inputs[4] = { map, cn_onnx_integers(graph, 1, &first), NULL, NULL };
	inputs[2] = inputs[1];
	inputs[3] = cn_onnx_integers(graph, 1, &channels);
	return cn_onnx_op_n(graph, "Slice", inputs, 4);
}

static void write_graph(const char *path, enum fault fault)
{
	static const int64_t free_shape[] = { -1, -1, -1, -1 }, usual[] = { 1, 3, -1, -1 };
	float weight[CHANNELS * 3];
	uint64_t seed = 3;
	cn_onnx_graph *graph;
	for (size_t i = 0; i < CHANNELS * 3; i++)
		weight[i] = fault == NAN_WEIGHTS ? NAN : fabsf(cn_test_normal(&seed));
	assert_ok(cn_onnx_graph_new(&graph, "hostile"));
	const char *x =
		cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, fault == FREE_SHAPES ? free_shape : usual);
	const cn_onnx_conv_spec conv = { .weight = weight, .outputs = CHANNELS, .inputs = 3, .kernel = 1 };
	const cn_onnx_conv_spec heat = { .weight = weight, .outputs = 1, .inputs = 3, .kernel = 1 };
	const char *map = with_fault(graph, cn_onnx_conv(graph, x, &conv), fault);
	int renamed = fault == OTHER_NAMES;
	cn_onnx_graph_output(graph, map, renamed ? "other" : "map", fault == RANK_3 ? 3 : 4, free_shape);
	cn_onnx_graph_output(graph, cn_onnx_op(graph, "Sigmoid", cn_onnx_conv(graph, x, &heat), NULL),
			     renamed ? "others" : "heat", 4, free_shape);
	assert_ok(cn_onnx_graph_write(graph, path));
	cn_onnx_graph_free(graph);
}

static void write_network(const char *path, enum fault fault)
{
	char *bytes;
	size_t length;
	write_graph(path, fault);
	if (fault == NOT_ONNX)
		cn_test_write(path, "<html>404</html>", 16);
	if (fault == EMPTY)
		cn_test_write(path, "", 0);
	if (fault != CUT)
		return;
	assert_ok(cn_file_read(path, 1 << 20, &bytes, &length));
	cn_test_write(path, bytes, length / 2);
	cn_free(bytes);
}

/* ---- bundles ---- */

static void write_text(const char *folder, const char *text)
{
	cn_test_write(cn_test_path(folder, "model.json"), text, strlen(text));
}

static void write_bundle(char *folder, size_t size, int kind, enum fault fault)
{
	snprintf(folder, size, "%s", cn_test_folder());
	write_text(folder, descriptions[kind]);
	write_network(cn_test_path(folder, "model.onnx"), fault);
}

/* An ensemble of the bundle in the folder. */
static void write_ensemble(char *folder, size_t size)
{
	char text[4096];
	cairn_model *member;
	assert_ok(cn_bundle_read(&member, folder));
	snprintf(text, sizeof(text),
		 "{\"format\":1,\"name\":\"e\",\"kind\":\"ensemble\",\"members\":[{\"model\":\"%s\",\"weight\":1,"
		 "\"fingerprint\":\"%s\"}]}",
		 folder, member->fingerprint);
	cairn_model_free(member);
	snprintf(folder, size, "%s", cn_test_folder());
	write_text(folder, text);
}

static int describe(const char *folder, const cairn_image *image)
{
	const cairn_describer_model model = { folder, 1 };
	cairn_describer *describer;
	float out[CHANNELS];
	CN_TRY(cairn_describer_new(&describer, &model, 1, NULL));
	int status = cairn_describer_run(describer, image, NULL, out);
	cairn_describer_free(describer);
	return status;
}

static int extract(const char *folder, const cairn_image *image)
{
	cairn_extractor *extractor;
	cairn_features *features = NULL;
	CN_TRY(cairn_extractor_new(&extractor, folder, NULL));
	int status = cairn_extractor_run(extractor, image, NULL, &features);
	cairn_extractor_free(extractor);
	cairn_features_free(features);
	return status;
}

static int use(int kind, enum fault fault, const cairn_image *image)
{
	char folder[256];
	write_bundle(folder, sizeof(folder), kind == LOCAL ? LOCAL : GLOBAL, fault);
	if (kind == ENSEMBLE)
		write_ensemble(folder, sizeof(folder));
	return kind == LOCAL ? extract(folder, image) : describe(folder, image);
}

static void networks_of_every_fault(void **state)
{
	(void)state;
	static const struct {
		enum fault fault;
		int status;
		const char *text;
	} cases[] = {
		{ NO_FAULT, 0, NULL },
		{ FREE_SHAPES, 0, NULL },
		{ NOT_ONNX, CAIRN_EFORMAT, "model.onnx: " },
		{ EMPTY, CAIRN_EFORMAT, "model.onnx: " },
		{ CUT, CAIRN_EFORMAT, "model.onnx: " },
		{ OTHER_NAMES, CAIRN_EFORMAT, "has no output 'map'" },
		{ RANK_3, CAIRN_EFORMAT, "output 'map' is neither a vector" },
		{ HUGE_OUTPUT, CAIRN_ELIMIT, "more than 2^28 numbers" },
		{ NAN_WEIGHTS, CAIRN_EBACKEND, "not finite" },
		{ ZERO_CHANNELS, CAIRN_EFORMAT, "output 'map'" },
	};
	cairn_image *image;
	assert_ok(cairn_image_new(&image, 60, 40, NULL));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int kind = 0; kind < KINDS; kind++) {
			int status = use(kind, cases[i].fault, image);
			if (cases[i].status)
				assert_fails(status, cases[i].status, cases[i].text);
			else
				assert_ok(status);
		}
	cairn_image_free(image);
}

/* ---- model.json ---- */

static int parse(const json_t *root)
{
	char *text = json_dumps(root, JSON_ENCODE_ANY);
	cairn_model *model = cn_alloc_zero(1, sizeof(*model));
	int status = cn_bundle_parse(model, text, strlen(text), "b/model.json");
	cairn_model_free(model);
	free(text);
	return status;
}

/* Puts values of each other type in the place of each member, down through objects and lists. */
static size_t replace_members(json_t *root, json_t *object)
{
	const char *key;
	json_t *value;
	size_t tried = 0;
	void *next;
	json_object_foreach_safe(object, next, key, value)
	{
		json_t *const others[] = { json_null(),  json_true(),   json_string("x"),
					   json_array(), json_object(), json_real(-1e300) };
		json_incref(value);
		if (json_is_object(value))
			tried += replace_members(root, value);
		for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++)
			if (json_is_object(json_array_get(value, i)))
				tried += replace_members(root, json_array_get(value, i));
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			int alike = json_typeof(others[i]) == json_typeof(value) ||
				    (json_is_boolean(others[i]) && json_is_boolean(value));
			json_object_set(object, key, others[i]);
			int status = parse(root);
			if (!alike && status != CAIRN_EFORMAT && status != CAIRN_EINVALID)
				fail_msg("\"%s\" as a value of type %d: %d", key, (int)json_typeof(others[i]), status);
			if (!alike)
				assert_fails(status, status, key);
			json_decref(others[i]);
			tried++;
		}
		json_object_set_new(object, key, value);
	}
	return tried;
}

static void members_of_every_wrong_type(void **state)
{
	(void)state;
	static const char ensemble[] =
		"{\"format\":1,\"name\":\"e\",\"kind\":\"ensemble\",\"licence\":\"MIT\",\"members\":"
		"[{\"model\":\"m\",\"weight\":1,\"fingerprint\":\"f\"}],\"whitening\":{\"kind\":"
		"\"pca\",\"unit\":true,\"mean\":\"m.npy\",\"projection\":\"p.npy\"}}";
	const char *const texts[] = { descriptions[GLOBAL], descriptions[LOCAL], ensemble };
	for (size_t i = 0; i < KINDS; i++) {
		json_t *root = json_loads(texts[i], 0, NULL);
		assert_non_null(root);
		assert_ok(parse(root));
		assert_true(replace_members(root, root) > 50);
		assert_ok(parse(root));
		json_decref(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_of_every_fault),
		cmocka_unit_test(members_of_every_wrong_type),
	};
	return cmocka_run_group_tests_name("model/hostile", tests, NULL, NULL);
}

/* What is proposed for ONNX files that nothing is known of. */
#include <stdlib.h>
#include <string.h>

#include "cairn/model.h"
#include "model/bundle.h"
#include "model/onnx_write.h"
#include "networks.h"
#include "support.h"
#include "util/json.h"

#define MOST_OUTPUTS 3

/* What becomes of an output's convolution, whose kernel is its stride. */
enum { MAP, VECTOR, CELLS, RELIABILITY, HEAT, TOKENS, TOKENS_ALONE, TOKENS_FIXED, LIST, PLACES, UNIT_PLACES, STRANGE };

static const struct {
	size_t stride;
	const char *activation;
	int is_list;       /* 1 x positions x channels; of one channel 1 x positions */
	int64_t prefix;    /* tokens before them */
	int64_t positions; /* 0: any number */
} forms[] = {
	[MAP] = { 1, NULL, 0, 0, 0 },
	[VECTOR] = { 1, NULL, 0, 0, 0 },
	[CELLS] = { 8, NULL, 0, 0, 0 },
	[RELIABILITY] = { 8, "Sigmoid", 0, 0, 0 },
	[HEAT] = { 1, "Sigmoid", 0, 0, 0 },
	[TOKENS] = { 16, NULL, 1, 5, 0 },
	[TOKENS_ALONE] = { 14, NULL, 1, 0, 0 },
	[TOKENS_FIXED] = { 16, NULL, 1, 1, 14 * 14 },
	[LIST] = { 16, NULL, 1, 0, 0 },
	[PLACES] = { 16, "Exp", 1, 0, 0 },
	[UNIT_PLACES] = { 16, "Tanh", 1, 0, 0 },
	[STRANGE] = { 5, NULL, 1, 0, 0 },
};

/* A network of one convolution for each output, whose numbers are averaged where it is a vector. */
struct network {
	cn_tensor_type type;
	int channels_last;
	int64_t channels, height, width; /* of the input; -1: free */
	struct {
		const char *name;
		size_t channels;
		int form;
	} outputs[MOST_OUTPUTS];
};

static const char *first_channels(cn_onnx_graph *graph, const struct network *network, const char *x)
{
	if (network->type == CN_TENSOR_U8) {
		x = cn_onnx_op(graph, "Cast", x, NULL);
		cn_onnx_set_int(graph, "to", 1);
	}
	if (network->channels_last) {
		x = cn_onnx_op(graph, "Transpose", x, NULL);
		cn_onnx_set_ints(graph, "perm", 4, (const int64_t[]){ 0, 3, 1, 2 });
	}
	return x;
}

static const char *as_list(cn_onnx_graph *graph, const char *x, size_t channels, int64_t prefix, int64_t positions)
{
	static const float token[5 * 64] = { 1 };
	if (channels == 1)
		return cn_onnx_op(graph, "Reshape", x, cn_onnx_integers(graph, 2, (const int64_t[]){ 1, -1 }));
	const int64_t shape[] = { 1, (int64_t)channels, positions ? positions : -1 };
	x = cn_onnx_op(graph, "Reshape", x, cn_onnx_integers(graph, 3, shape));
	x = cn_onnx_op(graph, "Transpose", x, NULL);
	cn_onnx_set_ints(graph, "perm", 3, (const int64_t[]){ 0, 2, 1 });
	if (prefix == 0)
		return x;
	x = cn_onnx_op(graph, "Concat",
		       cn_onnx_floats(graph, 3, (const size_t[]){ 1, (size_t)prefix, channels }, token), x);
	cn_onnx_set_int(graph, "axis", 1);
	return x;
}

static const char *random_conv(cn_onnx_graph *graph, const char *x, size_t inputs, size_t outputs, size_t stride,
			       uint64_t seed)
{
	size_t count = outputs * inputs * stride * stride;
	float *weight = malloc(count * sizeof(*weight));
	for (size_t k = 0; k < count; k++)
		weight[k] = cn_test_normal(&seed) / (float)(stride * stride);
	x = cn_onnx_conv(
		graph, x,
		&(cn_onnx_conv_spec){
			.weight = weight, .outputs = outputs, .inputs = inputs, .kernel = stride, .stride = stride });
	free(weight);
	return x;
}

static void add_output(cn_onnx_graph *graph, const struct network *network, size_t i, const char *x)
{
	size_t channels = network->outputs[i].channels;
	int form = network->outputs[i].form;
	x = random_conv(graph, x, (size_t)network->channels, channels, forms[form].stride, i);
	if (forms[form].activation)
		x = cn_onnx_op(graph, forms[form].activation, x, NULL);
	if (form == VECTOR) {
		x = cn_onnx_op(graph, "GlobalAveragePool", x, NULL);
		x = cn_onnx_op(graph, "Flatten", x, NULL);
	}
	if (forms[form].is_list) {
		x = as_list(graph, x, channels, forms[form].prefix, forms[form].positions);
		cn_onnx_graph_output(graph, x, network->outputs[i].name, channels == 1 ? 2 : 3,
				     (const int64_t[]){ 1, -1, (int64_t)channels });
		return;
	}
	cn_onnx_graph_output(graph, x, network->outputs[i].name, form == VECTOR ? 2 : 4,
			     (const int64_t[]){ 1, (int64_t)channels, -1, -1 });
}

static const char *write_network(const struct network *network)
{
	const char *path = cn_test_path(cn_test_folder(), "network.onnx");
	const int64_t first[] = { 1, network->channels, network->height, network->width };
	const int64_t last[] = { 1, network->height, network->width, network->channels };
	cn_onnx_graph *graph;
	assert_ok(cn_onnx_graph_new(&graph, "network"));
	const char *x = cn_onnx_graph_input(graph, "image", network->type, 4, network->channels_last ? last : first);
	x = first_channels(graph, network, x);
	for (size_t i = 0; i < MOST_OUTPUTS && network->outputs[i].name; i++)
		add_output(graph, network, i, x);
	assert_ok(cn_onnx_graph_write(graph, path));
	cn_onnx_graph_free(graph);
	return path;
}

static void the_best_output_is_taken(void **state)
{
	static const struct {
		struct network network;
		const char *output, *pool, *input; /* input: a part of the JSON */
		int dim;
		const char *found;
	} cases[] = {
		{ { CN_TENSOR_F32, 0, 3, -1, -1, { { "features", 32, 0 }, { "embedding", 64, 1 } } },
		  "embedding",
		  "none",
		  "\"layout\": \"NCHW\"",
		  64,
		  "a vector as it is" },
		{ { CN_TENSOR_F32, 0, 3, -1, -1, { { "layer3", 32, 0 }, { "layer4", 48, 0 } } },
		  "layer4",
		  "gem",
		  "\"longest\": 1024",
		  48,
		  "pooled by GeM" },
		{ { CN_TENSOR_F32, 0, 3, -1, -1, { { "layer4", 48, 0 }, { "layer3", 32, 0 } } },
		  "layer4",
		  "gem",
		  "123.675",
		  48,
		  "guessed: mean and std" },
		{ { CN_TENSOR_F32, 0, 3, -1, -1, { { "features", 32, 0 }, { "logits", 100, 1 } } },
		  "features",
		  "gem",
		  "\"RGB\"",
		  32,
		  "output 'logits': float32 1 x 100" },
		{ { CN_TENSOR_F32, 0, 3, 48, 40, { { "output", 1000, 1 } } },
		  "output",
		  "none",
		  "\"fixed\": [\n",
		  1000,
		  "scores of 1000 classes" },
		{ { CN_TENSOR_U8, 1, 3, -1, -1, { { "out", 16, 1 } } },
		  "out",
		  "none",
		  "\"layout\": \"NHWC\"",
		  16,
		  "bytes, channels last, colour, of any size" },
		{ { CN_TENSOR_F32, 0, 1, -1, -1, { { "out", 16, 0 } } },
		  "out",
		  "gem",
		  "\"channels\": \"GREY\"",
		  16,
		  "grey" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_model_proposal proposal;
		json_t *root;
		assert_ok(cairn_model_propose(&proposal, write_network(&cases[i].network)));
		assert_non_null(strstr(proposal.json, cases[i].input));
		assert_non_null(strstr(proposal.found, cases[i].found));
		assert_ok(cn_json_parse(&root, proposal.json, strlen(proposal.json), "proposal"));
		const json_t *global = json_object_get(root, "global");
		assert_string_equal(json_string_value(json_object_get(global, "output")), cases[i].output);
		assert_string_equal(json_string_value(json_object_get(global, "pool")), cases[i].pool);
		assert_int_equal(json_integer_value(json_object_get(global, "dim")), cases[i].dim);
		json_decref(root);
		cairn_model_proposal_free(&proposal);
	}
}

#define ANY(...)                                                                                                       \
	{                                                                                                              \
		CN_TENSOR_F32, 0, 3, -1, -1,                                                                           \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}

/* A bundle of a network and what was proposed for it, for small images. */
static cairn_model *open_proposed(const char *onnx, const char *proposed)
{
	const char *folder = cn_test_folder();
	char json[4096];
	cairn_model *model;
	json_t *root;
	assert_ok(cn_json_parse(&root, proposed, strlen(proposed), "proposal"));
	json_object_set_new(root, "name", json_string("mine"));
	json_object_set_new(root, "network", json_string(onnx));
	json_object_set_new(root, "cache", json_false());
	json_object_set_new(json_object_get(root, "input"), "longest", json_integer(64));
	snprintf(json, sizeof(json), "%s/model.json", folder);
	assert_ok(cn_json_write(json, root));
	json_decref(root);
	assert_ok(cairn_model_open(&model, folder, NULL));
	return model;
}

/* What is proposed is what a bundle takes. */
static void other_kinds_are_recognised(void **state)
{
	(void)state;
	static const struct {
		struct network network;
		const char *kind, *json[3], *found;
	} cases[] = {
		{ ANY({ "hidden", 24, TOKENS }),
		  "global",
		  { "\"prefix\": 5", "\"patch\": 16", "\"pool\": \"none\"" },
		  "tokens of patches of 16 x 16 pixels behind 5 others" },
		{ ANY({ "hidden", 24, TOKENS_ALONE }, { "logits", 50, VECTOR }),
		  "global",
		  { "\"prefix\": 0", "\"pool\": \"spoc\"", "\"multiple\": 14" },
		  "behind 0 others: their mean" },
		{ ANY({ "hidden", 24, TOKENS_FIXED }),
		  "global",
		  { "\"prefix\": 1", "\"patch\": 16", "224,\n" },
		  "does not run on 256 x 192 pixels, but on 224 x 224" },
		{ ANY({ "semi", 65, CELLS }, { "desc", 32, CELLS }),
		  "local",
		  { "\"method\": \"dense\"", "\"keypoints\": \"semi\"", "\"threshold\": 0.005" },
		  "at the peaks of 'semi', logits of cells of 8 x 8 pixels" },
		{ ANY({ "heatmap", 1, HEAT }, { "desc", 32, CELLS }),
		  "local",
		  { "\"method\": \"dense\"", "\"keypoints\": \"heatmap\"", "\"dim\": 32" },
		  "'heatmap', a heat map, descriptors from the map 'desc'" },
		/* Of descriptors that are wider than the logits of cells, too. */
		{ ANY({ "a", 128, CELLS }, { "b", 65, CELLS }, { "c", 1, RELIABILITY }),
		  "local",
		  { "\"method\": \"xfeat\"", "\"reliability\": \"c\"", "\"descriptors\": \"a\"" },
		  "reliability from 'c'" },
		{ ANY({ "kpts", 2, PLACES }, { "conf", 1, LIST }, { "desc", 48, LIST }),
		  "local",
		  { "\"method\": \"keypoints\"", "\"coordinates\": \"pixels\"", "\"scores\": \"conf\"" },
		  "places 'kpts' in pixels" },
		{ ANY({ "desc", 48, LIST }, { "kpts", 2, UNIT_PLACES }, { "conf", 1, LIST }),
		  "local",
		  { "\"coordinates\": \"unit\"", "\"keypoints\": \"kpts\"", "\"dim\": 48" },
		  "places 'kpts' from -1 to 1" },
		/* A map that is called nothing of the kind is none of keypoints. */
		{ ANY({ "mask", 1, HEAT }, { "features", 32, CELLS }),
		  "global",
		  { "\"output\": \"features\"", "\"pool\": \"gem\"", "\"dim\": 32" },
		  "pooled by GeM" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[4096];
		cairn_model_proposal proposal;
		cairn_model *model;
		cairn_model_info info;
		snprintf(path, sizeof(path), "%s", write_network(&cases[i].network));
		assert_ok(cairn_model_propose(&proposal, path));
		for (size_t k = 0; k < 3; k++)
			if (!strstr(proposal.json, cases[i].json[k]))
				fail_msg("%zu: no %s in %s", i, cases[i].json[k], proposal.json);
		if (!strstr(proposal.found, cases[i].found))
			fail_msg("%zu: no %s in %s", i, cases[i].found, proposal.found);
		model = open_proposed(path, proposal.json);
		cairn_model_proposal_free(&proposal);
		cairn_model_get_info(model, &info);
		assert_string_equal(info.kind, cases[i].kind);
		cairn_model_free(model);
	}
}

/* Where two patches explain the number of tokens, it is the one with fewer others before them; where none does, the
 * tokens are of no use. */
static void tokens_need_a_grid(void **state)
{
	(void)state;
	static const struct network ambiguous = { CN_TENSOR_F32, 0, 3, 64, 64, { { "hidden", 24, TOKENS_ALONE } } };
	static const struct network strange = { CN_TENSOR_F32, 0, 3, 400, 400, { { "hidden", 24, STRANGE } } };
	cairn_model_proposal proposal;
	assert_ok(cairn_model_propose(&proposal, write_network(&ambiguous)));
	assert_non_null(strstr(proposal.json, "\"patch\": 16"));
	assert_non_null(strstr(proposal.json, "\"prefix\": 0"));
	cairn_model_proposal_free(&proposal);
	assert_fails(cairn_model_propose(&proposal, write_network(&strange)), CAIRN_EUNSUPPORTED,
		     "output 'hidden': float32 1 x 6400 x 24");
}

static void a_file_is_imported_without_a_model_json(void **state)
{
	static const struct network network = { CN_TENSOR_F32, 0, 3, -1, -1, { { "features", 32, 0 } } };
	cairn_model *model;
	(void)state;
	new_home();
	assert_ok(cairn_model_import("mine", write_network(&network), NULL, 0));
	assert_ok(cairn_model_open(&model, "mine", NULL));
	assert_int_equal(model->global.dim, 32);
	assert_int_equal(model->global.heads[0].pool, CN_POOL_GEM);
	cairn_model_free(model);
}

static void what_is_of_no_use_is_told(void **state)
{
	static const struct network narrow = { CN_TENSOR_F32, 0, 3, -1, -1, { { "out", 4, 1 }, { "scores", 20, 1 } } };
	static const struct network colours = { CN_TENSOR_F32, 0, 5, -1, -1, { { "out", 32, 1 } } };
	const char *text = cn_test_path(cn_test_folder(), "a.onnx");
	cairn_model_proposal proposal;
	(void)state;
	assert_fails(cairn_model_propose(&proposal, write_network(&narrow)), CAIRN_EUNSUPPORTED,
		     "output 'scores': float32 1 x 20");
	assert_null(proposal.json);
	assert_null(proposal.found);
	assert_fails(cairn_model_propose(&proposal, write_network(&colours)), CAIRN_EUNSUPPORTED, "5 channels");
	cn_test_write(text, "no network", 10);
	assert_fails(cairn_model_propose(&proposal, text), CAIRN_EFORMAT, "a.onnx");
	assert_fails(cairn_model_propose(&proposal, "none.onnx"), CAIRN_ENOTFOUND, "none.onnx");
	cairn_model_proposal_free(&proposal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_output_is_taken),  cmocka_unit_test(other_kinds_are_recognised),
		cmocka_unit_test(tokens_need_a_grid),        cmocka_unit_test(a_file_is_imported_without_a_model_json),
		cmocka_unit_test(what_is_of_no_use_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

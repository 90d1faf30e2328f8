/* What is proposed for ONNX files that nothing is known of. */
#include <stdlib.h>
#include <string.h>

#include "cairn/model.h"
#include "model/bundle.h"
#include "model/onnx_write.h"
#include "networks.h"
#include "support.h"
#include "util/json.h"

#define MOST_OUTPUTS 2

/* A network of one convolution for each output, whose numbers are averaged where it is a vector. */
struct network {
	cn_tensor_type type;
	int channels_last;
	int64_t channels, height, width; /* of the input; -1: free */
	struct {
		const char *name;
		size_t channels;
		int is_vector;
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

static void add_output(cn_onnx_graph *graph, const struct network *network, size_t i, const char *x)
{
	size_t channels = network->outputs[i].channels, inputs = (size_t)network->channels;
	float *weight = malloc(channels * inputs * sizeof(*weight));
	uint64_t seed = i;
	for (size_t k = 0; k < channels * inputs; k++)
		weight[k] = cn_test_normal(&seed);
	x = cn_onnx_conv(graph, x,
			 &(cn_onnx_conv_spec){ .weight = weight, .outputs = channels, .inputs = inputs, .kernel = 1 });
	free(weight);
	if (network->outputs[i].is_vector) {
		x = cn_onnx_op(graph, "GlobalAveragePool", x, NULL);
		x = cn_onnx_op(graph, "Flatten", x, NULL);
	}
	cn_onnx_graph_output(graph, x, network->outputs[i].name, network->outputs[i].is_vector ? 2 : 4,
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
		cmocka_unit_test(the_best_output_is_taken),
		cmocka_unit_test(a_file_is_imported_without_a_model_json),
		cmocka_unit_test(what_is_of_no_use_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

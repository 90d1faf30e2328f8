/* ONNX: what is written reads back; what is damaged or hostile is refused before the inference library sees it. */
#include <stdlib.h>
#include <string.h>

#include "model/onnx.pb-c.h"
#include "model/onnx_read.h"
#include "model/onnx_write.h"
#include "networks.h"
#include "support.h"
#include "torture.h"
#include "util/file.h"
#include "util/memory.h"

static char *sums(size_t *length)
{
	char *bytes;
	const char *path = cn_test_path(cn_test_folder(), "sums.onnx");
	make_sums(path);
	assert_ok(cn_file_read(path, 1 << 20, &bytes, length));
	return bytes;
}

static void what_was_written_reads_back(void **state)
{
	(void)state;
	size_t length;
	char *bytes = sums(&length);
	cn_onnx_info info;
	assert_ok(cn_onnx_parse(&info, bytes, length, "sums"));
	assert_string_equal(info.input.name, "image");
	assert_int_equal(info.input.type, CN_TENSOR_F32);
	assert_int_equal(info.input.rank, 4);
	assert_int_equal(info.input.shape[1], 2);
	assert_int_equal(info.input.shape[2], -1);
	assert_int_equal(info.output_count, 2);
	assert_non_null(cn_onnx_output(&info, "sum"));
	assert_non_null(cn_onnx_output(&info, "half"));
	assert_null(cn_onnx_output(&info, "image"));
	assert_int_equal(info.parameters, 18 + 1);
	assert_int_equal(info.nodes, 4);
	cn_onnx_info_free(&info);
	cn_free(bytes);
}

static void cut_short_or_changed_anywhere(void **state)
{
	(void)state;
	size_t length;
	char *bytes = sums(&length);
	for (size_t cut = 0; cut < length; cut++) {
		cn_onnx_info info;
		char *piece = cn_memdup(bytes, cut);
		if (cn_onnx_parse(&info, piece, cut, "cut") == 0)
			cn_onnx_info_free(&info);
		else
			assert_true(cairn_last_error()[0] != '\0');
		cn_free(piece);
	}
	for (size_t at = 0; at < length; at++)
		for (int bit = 0; bit < 8; bit++) {
			cn_onnx_info info;
			bytes[at] = (char)(bytes[at] ^ 1 << bit);
			if (cn_onnx_parse(&info, bytes, length, "changed") == 0)
				cn_onnx_info_free(&info);
			bytes[at] = (char)(bytes[at] ^ 1 << bit);
		}
	cn_free(bytes);
}

/* ---- one change at a time to a sound network ---- */

static void two_inputs(Onnx__ModelProto *model)
{
	model->graph->n_initializer = 0; /* the second input of Conv is no constant any more */
}

static void no_nodes(Onnx__ModelProto *model)
{
	model->graph->n_node = 0;
}

static void no_operator_set(Onnx__ModelProto *model)
{
	model->n_opset_import = 0;
}

static char unknown_name[] = "nowhere";

static void unknown_output(Onnx__ModelProto *model)
{
	model->graph->output[0]->name = unknown_name;
}

static void unknown_operand(Onnx__ModelProto *model)
{
	model->graph->node[0]->input[0] = unknown_name;
}

static void given_twice(Onnx__ModelProto *model)
{
	model->graph->node[1]->output[0] = model->graph->node[0]->output[0];
}

static void short_weights(Onnx__ModelProto *model)
{
	model->graph->initializer[0]->raw_data.len -= 4;
}

static void negative_weights(Onnx__ModelProto *model)
{
	model->graph->initializer[0]->dims[0] = -1;
}

static void huge_weights(Onnx__ModelProto *model)
{
	for (int i = 0; i < 4; i++)
		model->graph->initializer[0]->dims[i] = 1 << 20;
}

static void other_file(Onnx__ModelProto *model)
{
	model->graph->initializer[0]->has_data_location = 1;
	model->graph->initializer[0]->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

static void strings(Onnx__ModelProto *model)
{
	model->graph->initializer[0]->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
}

static void control_flow(Onnx__ModelProto *model)
{
	static Onnx__GraphProto inner = ONNX__GRAPH_PROTO__INIT;
	model->graph->node[0]->attribute[0]->g = &inner;
}

static void odd_input(Onnx__ModelProto *model)
{
	model->graph->input[0]->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64;
}

static void wide_input(Onnx__ModelProto *model)
{
	model->graph->input[0]->type->tensor_type->shape->dim[1]->dim_value = INT64_MAX;
}

static const struct {
	void (*change)(Onnx__ModelProto *);
	int code;
	const char *part;
} changes[] = {
	{ two_inputs, CAIRN_EFORMAT, "before anything gives it" },
	{ no_nodes, CAIRN_EFORMAT, "no operators" },
	{ no_operator_set, CAIRN_EFORMAT, "not an ONNX network" },
	{ unknown_output, CAIRN_EFORMAT, "nothing gives the output 'nowhere'" },
	{ unknown_operand, CAIRN_EFORMAT, "'nowhere' before" },
	{ given_twice, CAIRN_EFORMAT, "given twice" },
	{ short_weights, CAIRN_EFORMAT, "does not hold the 18 elements" },
	{ negative_weights, CAIRN_EFORMAT, "dimension of -1" },
	{ huge_weights, CAIRN_ELIMIT, "2^31" },
	{ other_file, CAIRN_EUNSUPPORTED, "another file" },
	{ strings, CAIRN_EUNSUPPORTED, "element type 8" },
	{ control_flow, CAIRN_EUNSUPPORTED, "control flow" },
	{ odd_input, CAIRN_EUNSUPPORTED, "element type 14" },
	{ wide_input, CAIRN_EFORMAT, "dimension of" },
};

static void faults_are_named(void **state)
{
	(void)state;
	size_t length;
	char *bytes = sums(&length);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		cn_onnx_info info;
		/* Unpacked once to be changed and once, untouched, to be compared with what is freed. */
		Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, length, (const uint8_t *)bytes);
		Onnx__ModelProto whole = *model;
		Onnx__GraphProto graph = *model->graph;
		char *output = graph.output[0]->name, *operand = graph.node[0]->input[0],
		     *second = graph.node[1]->output[0];
		changes[i].change(model);
		size_t size = onnx__model_proto__get_packed_size(model);
		uint8_t *packed = cn_alloc(size, 1);
		onnx__model_proto__pack(model, packed);
		assert_fails(cn_onnx_parse(&info, packed, size, "changed"), changes[i].code, changes[i].part);
		cn_free(packed);
		*model = whole;
		*model->graph = graph;
		graph.output[0]->name = output;
		graph.node[0]->input[0] = operand;
		graph.node[1]->output[0] = second;
		graph.node[0]->attribute[0]->g = NULL;
		onnx__model_proto__free_unpacked(model, NULL);
	}
	cn_free(bytes);
}

/* Messages in messages, each two bytes longer than the one inside it: graph in attribute in node in graph ... */
static void nesting_is_bounded(void **state)
{
	(void)state;
	enum { DEPTH = 19998, SIZE = DEPTH * 5 };
	static const uint8_t tags[] = { 0x0a, 0x2a, 0x32 }; /* graph.node, node.attribute, attribute.g */
	uint8_t *bytes = cn_alloc(SIZE, 1);
	size_t start = SIZE;
	for (size_t i = 0; i < DEPTH && start >= 5; i++) {
		size_t length = SIZE - start;
		uint8_t head[5];
		size_t used = 0;
		head[used++] = tags[2 - i % 3];
		do
			head[used++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
		while ((length >>= 7) > 0);
		start -= used;
		memcpy(bytes + start, head, used);
	}
	/* The outermost: model.graph. */
	cn_onnx_info info;
	uint8_t *file = cn_alloc(SIZE + 5, 1);
	size_t length = SIZE - start, used = 0;
	file[used++] = 0x3a;
	for (size_t left = length;; left >>= 7) {
		file[used++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
		if (left <= 0x7f)
			break;
	}
	memcpy(file + used, bytes + start, length);
	assert_fails(cn_onnx_parse(&info, file, used + length, "deep"), CAIRN_ELIMIT, "nested deeper");
	/* Millions of empty parts. */
	size_t many = 9u << 20;
	uint8_t *wide = cn_alloc(many, 1);
	for (size_t i = 0; i < many; i += 2) {
		wide[i] = 0x42; /* operator set */
		wide[i + 1] = 0;
	}
	assert_fails(cn_onnx_parse(&info, wide, many, "wide"), CAIRN_ELIMIT, "parts");
	cn_free(wide);
	cn_free(file);
	cn_free(bytes);
}

/* A builder may go on after a failure; the first one is what the graph reports. */
static void failures_are_remembered(void **state)
{
	(void)state;
	cn_onnx_graph *graph;
	const char *path = cn_test_path(cn_test_folder(), "never.onnx");
	assert_ok(cn_onnx_graph_new(&graph, "test"));
	const char *x = cn_onnx_op(graph, "Relu", NULL, NULL);
	assert_null(x);
	x = cn_onnx_clip(graph, cn_onnx_l2(graph, x, 1), 0, 6);
	cn_onnx_set_int(graph, "axis", 1);
	cn_onnx_graph_output(graph, x, "y", 0, NULL);
	assert_null(x);
	assert_int_equal(cn_onnx_graph_status(graph), CAIRN_EINVALID);
	assert_int_equal(cn_onnx_graph_write(graph, path), CAIRN_EINVALID);
	assert_false(cn_file_exists(path));
	cn_onnx_graph_free(graph);
}

static int build(void *path)
{
	cn_onnx_graph *graph;
	CN_TRY(cn_onnx_graph_new(&graph, "test"));
	const char *x = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 1, -1, -1 });
	const cn_onnx_conv_spec spec = {
		.weight = (const float[]){ 1 }, .outputs = 1, .inputs = 1, .kernel = 1, .same = 1
	};
	const char *y = cn_onnx_conv(graph, x, &spec);
	y = cn_onnx_resize_like(graph, cn_onnx_instance_norm(graph, y, 1e-5f), x);
	cn_onnx_graph_output(graph, y, "y", 4, (const int64_t[]){ 1, 1, -1, -1 });
	int status = cn_onnx_graph_write(graph, path);
	cn_onnx_graph_free(graph);
	return status;
}

static int read_back(void *path)
{
	cn_onnx_info info;
	CN_TRY(cn_onnx_load(&info, path));
	cn_onnx_info_free(&info);
	return 0;
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	char path[4096];
	snprintf(path, sizeof(path), "%s", cn_test_path(cn_test_folder(), "x.onnx"));
	assert_true(cn_torture(build, path) > 100);
	assert_ok(build(path));
	assert_true(cn_torture(read_back, path) > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_reads_back),
		cmocka_unit_test(cut_short_or_changed_anywhere),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(failures_are_remembered),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

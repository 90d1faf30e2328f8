/*
 * Receptive fields from an ONNX graph.
 *
 * A first pass makes steps of the operators on the way to an output, whose kinds are few: a window that slides, padding
 * among them, and maps that are joined number by number. What no step can say makes a fault, which matters only where
 * the output depends on it. The second pass, for an input of some size, walks along the steps.
 *
 * Shapes of the graph are not needed: a map has four dimensions, of which two are followed through transpositions.
 */
#include "model/receptive_field.h"

#include <string.h>

#include "model/name_set.h"
#include "model/onnx.pb-c.h"
#include "model/onnx_read.h"
#include "util/mapped.h"
#include "util/memory.h"
#include "util/text.h"

#define RANK         4
#define MOST_SETTING 32768 /* of kernels, strides and padding, so that products fit */
#define MOST_EXTENT  INT64_C(0x80000000)
#define EXAMPLE_SIDE 1024

enum kind { KIND_FAULT, KIND_JOIN, KIND_WINDOW };
enum same { SAME_NOT, SAME_UPPER, SAME_LOWER };

/* One output of one operator. */
struct step {
	enum kind kind;
	char *name;
	size_t first, count;                               /* in the graph's list of inputs */
	size_t output;                                     /* number of the value */
	int64_t kernel[2], stride[2], before[2], after[2]; /* of a window, its kernel with its dilation */
	enum same same;
	int rounds_up; /* the last window may be incomplete */
};

struct cn_field_graph {
	char *file;
	struct step *steps;
	size_t count;
	size_t *inputs; /* numbers of values */
	size_t values, input, output;
};

/* ---- the first pass ---- */

struct builder {
	const Onnx__GraphProto *graph;
	cn_field_graph *out;
	cn_name_set names;
	const Onnx__TensorProto **constants; /* of each value, or NULL */
	int (*at)[2];                        /* of each value: dimensions of its height and width; 0: has none */
	size_t links;
};

static const Onnx__AttributeProto *find_attribute(const Onnx__NodeProto *node, const char *name)
{
	for (size_t i = 0; i < node->n_attribute; i++)
		if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0)
			return node->attribute[i];
	return NULL;
}

static int64_t int_attribute(const Onnx__NodeProto *node, const char *name, int64_t otherwise)
{
	const Onnx__AttributeProto *attribute = find_attribute(node, name);
	return attribute && attribute->has_i ? attribute->i : otherwise;
}

static int is_within(const int64_t *values, size_t count, int64_t least)
{
	for (size_t i = 0; i < count; i++)
		if (values[i] < least || values[i] > MOST_SETTING)
			return 0;
	return 1;
}

/* Left as they are where there is no such attribute. 0 where it is not `count` numbers from `least` on. */
static int ints_attribute(const Onnx__NodeProto *node, const char *name, size_t count, int64_t least, int64_t *out)
{
	const Onnx__AttributeProto *attribute = find_attribute(node, name);
	if (!attribute || attribute->n_ints == 0)
		return 1;
	if (attribute->n_ints != count || !is_within(attribute->ints, count, least))
		return 0;
	memcpy(out, attribute->ints, count * sizeof(*out));
	return 1;
}

static const Onnx__TensorProto *constant_input(const struct builder *builder, const Onnx__NodeProto *node, size_t i)
{
	return i < node->n_input && node->input[i][0]
		       ? builder->constants[cn_name_set_number(&builder->names, node->input[i])]
		       : NULL;
}

/* The numbers of a list of int64; how many there are, or 0 where it is no such list or longer than `most`. */
static size_t constant_ints(const Onnx__TensorProto *tensor, size_t most, int64_t *out)
{
	if (!tensor || tensor->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__INT64 || tensor->n_dims != 1 ||
	    tensor->dims[0] > (int64_t)most)
		return 0;
	size_t count = (size_t)tensor->dims[0];
	if (count == 0)
		return 0;
	memcpy(out, tensor->has_raw_data ? (const void *)tensor->raw_data.data : tensor->int64_data,
	       count * sizeof(*out));
	return count;
}

static int is_one_of(const char *type, const char *const *types)
{
	for (size_t i = 0; types[i]; i++)
		if (strcmp(type, types[i]) == 0)
			return 1;
	return 0;
}

/* 1 where a dimension, counted from behind if negative, is neither height nor width. */
static int is_elsewhere(int64_t axis, const int at[2])
{
	axis = axis < 0 ? axis + RANK : axis;
	return axis >= 0 && axis < RANK && axis != at[0] && axis != at[1];
}

static int read_kernel(const struct builder *builder, const Onnx__NodeProto *node, struct step *step)
{
	static const char *const convolutions[] = { "Conv", "ConvInteger", "QLinearConv", NULL };
	if (find_attribute(node, "kernel_shape"))
		return ints_attribute(node, "kernel_shape", 2, 1, step->kernel);
	if (!is_one_of(node->op_type, convolutions))
		return 0;
	const Onnx__TensorProto *weight =
		constant_input(builder, node, strcmp(node->op_type, "QLinearConv") == 0 ? 3 : 1);
	if (!weight || weight->n_dims != RANK || !is_within(weight->dims + 2, 2, 1))
		return 0;
	memcpy(step->kernel, weight->dims + 2, sizeof(step->kernel));
	return 1;
}

static int read_auto_pad(const Onnx__NodeProto *node, struct step *step)
{
	static const char *const words[] = { "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID" };
	static const enum same kinds[] = { SAME_NOT, SAME_UPPER, SAME_LOWER, SAME_NOT };
	const Onnx__AttributeProto *attribute = find_attribute(node, "auto_pad");
	if (!attribute)
		return 1;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (attribute->s.len == strlen(words[i]) &&
		    memcmp(attribute->s.data, words[i], attribute->s.len) == 0) {
			step->same = kinds[i];
			return 1;
		}
	return 0;
}

static enum kind plan_window(const struct builder *builder, const Onnx__NodeProto *node, struct step *step,
			     const int at[2])
{
	int64_t dilation[2] = { 1, 1 }, pads[4] = { 0 };
	if (at[0] != 2 || at[1] != 3 || !read_kernel(builder, node, step) || !read_auto_pad(node, step) ||
	    !ints_attribute(node, "strides", 2, 1, step->stride) ||
	    !ints_attribute(node, "dilations", 2, 1, dilation) || !ints_attribute(node, "pads", 4, 0, pads))
		return KIND_FAULT;
	for (int a = 0; a < 2; a++) {
		step->kernel[a] = (step->kernel[a] - 1) * dilation[a] + 1;
		step->before[a] = pads[a];
		step->after[a] = pads[a + 2];
	}
	step->rounds_up = int_attribute(node, "ceil_mode", 0) == 1;
	return KIND_WINDOW;
}

static enum kind plan_padding(const struct builder *builder, const Onnx__NodeProto *node, struct step *step,
			      const int at[2])
{
	int64_t pads[2 * RANK];
	const Onnx__AttributeProto *attribute = find_attribute(node, "pads");
	if (attribute && attribute->n_ints == 2 * RANK)
		memcpy(pads, attribute->ints, sizeof(pads));
	else if (constant_ints(constant_input(builder, node, 1), 2 * RANK, pads) != 2 * RANK)
		return KIND_FAULT;
	/* A fourth input chooses the dimensions. */
	if (!is_within(pads, 2 * RANK, 0) || (node->n_input > 3 && node->input[3][0]))
		return KIND_FAULT;
	for (int a = 0; a < 2; a++) {
		step->before[a] = pads[at[a]];
		step->after[a] = pads[RANK + at[a]];
	}
	return KIND_WINDOW;
}

static enum kind plan_reduction(const struct builder *builder, const Onnx__NodeProto *node, const int at[2])
{
	int64_t axes[RANK];
	const Onnx__AttributeProto *attribute = find_attribute(node, "axes");
	size_t count = attribute ? attribute->n_ints : constant_ints(constant_input(builder, node, 1), RANK, axes);
	if (attribute && count <= RANK)
		memcpy(axes, attribute->ints, count * sizeof(*axes));
	int fine = count > 0 && count <= RANK && int_attribute(node, "keepdims", 1) == 1;
	for (size_t i = 0; fine && i < count; i++)
		fine = is_elsewhere(axes[i], at);
	return fine ? KIND_JOIN : KIND_FAULT;
}

static enum kind plan_transposition(const Onnx__NodeProto *node, int at[2])
{
	int64_t perm[RANK] = { 3, 2, 1, 0 };
	int found[2] = { -1, -1 };
	if (!ints_attribute(node, "perm", RANK, 0, perm))
		return KIND_FAULT;
	for (int a = 0; a < 2; a++)
		for (int i = 0; i < RANK; i++)
			if (perm[i] == at[a])
				found[a] = i;
	if (found[0] < 1 || found[1] < 1)
		return KIND_FAULT;
	memcpy(at, found, sizeof(found));
	return KIND_JOIN;
}

/* @param[in,out] at of the inputs, then of the output */
static enum kind plan_node(const struct builder *builder, const Onnx__NodeProto *node, struct step *step, int at[2])
{
	static const char *const windows[] = { "Conv",   "ConvInteger", "QLinearConv", "MaxPool",
					       "LpPool", "AveragePool", NULL };
	static const char *const reductions[] = { "ReduceL1",  "ReduceL2",  "ReduceSum",       "ReduceMean",
						  "ReduceMax", "ReduceMin", "ReduceSumSquare", NULL };
	static const char *const along_axis[] = { "Concat", "Split", "Softmax", "LogSoftmax", "LpNormalization", NULL };
	static const char *const each_number[] = { "Abs",         "Add",       "BatchNormalization",
						   "Cast",        "Ceil",      "Celu",
						   "Clip",        "Div",       "DequantizeLinear",
						   "Dropout",     "Elu",       "Erf",
						   "Exp",         "Floor",     "Gelu",
						   "HardSigmoid", "HardSwish", "Identity",
						   "LRN",         "LeakyRelu", "Log",
						   "Max",         "Mean",      "Min",
						   "Mish",        "Mul",       "Neg",
						   "PRelu",       "Pow",       "QuantizeLinear",
						   "Reciprocal",  "Relu",      "Round",
						   "Selu",        "Sigmoid",   "Softplus",
						   "Softsign",    "Sqrt",      "Sub",
						   "Sum",         "Tanh",      "ThresholdedRelu",
						   NULL };
	const char *type = node->op_type;
	if (is_one_of(type, windows))
		return plan_window(builder, node, step, at);
	if (is_one_of(type, each_number))
		return KIND_JOIN;
	if (is_one_of(type, reductions))
		return plan_reduction(builder, node, at);
	if (is_one_of(type, along_axis))
		return is_elsewhere(int_attribute(node, "axis", strcmp(type, "Split") == 0 ? 0 : -1), at) ? KIND_JOIN
													  : KIND_FAULT;
	if (strcmp(type, "Pad") == 0)
		return plan_padding(builder, node, step, at);
	return strcmp(type, "Transpose") == 0 ? plan_transposition(node, at) : KIND_FAULT;
}

/* Notes the inputs that depend on pixels. 0 where they are laid out differently. */
static int link_inputs(struct builder *builder, const Onnx__NodeProto *node, struct step *step, int at[2])
{
	int alike = 1;
	step->first = builder->links;
	for (size_t i = 0; i < node->n_input; i++) {
		if (!node->input[i][0])
			continue;
		size_t value = cn_name_set_number(&builder->names, node->input[i]);
		const int *place = builder->at[value];
		if (!place[0])
			continue;
		alike &= step->count == 0 || memcmp(at, place, 2 * sizeof(*at)) == 0;
		memcpy(at, place, 2 * sizeof(*at));
		builder->out->inputs[builder->links++] = value;
		step->count++;
	}
	return alike;
}

/* Takes over what is said of a step but for its name. */
static int add_step(struct builder *builder, const Onnx__NodeProto *node, const char *output, const struct step *plan,
		    const int at[2])
{
	struct step *step = &builder->out->steps[builder->out->count];
	*step = *plan;
	step->output = cn_name_set_number(&builder->names, output);
	memcpy(builder->at[step->output], at, 2 * sizeof(*at));
	step->name = cn_textf("%.100s '%.200s'", node->op_type, node->name && node->name[0] ? node->name : output);
	if (!step->name)
		return CAIRN_ENOMEM;
	builder->out->count++;
	return 0;
}

/* Outputs behind the first see what it sees. */
static int add_steps_of(struct builder *builder, const Onnx__NodeProto *node)
{
	struct step step = { .kernel = { 1, 1 }, .stride = { 1, 1 } };
	int at[2] = { 0 };
	int alike = link_inputs(builder, node, &step, at);
	/* What does not depend on pixels, or on the size of the image only, is a constant. */
	if (step.count == 0 || strcmp(node->op_type, "Shape") == 0 || strcmp(node->op_type, "Size") == 0)
		return 0;
	step.kind = alike ? plan_node(builder, node, &step, at) : KIND_FAULT;
	for (size_t k = 0; k < node->n_output; k++) {
		if (!node->output[k][0])
			continue;
		CN_TRY(add_step(builder, node, node->output[k], &step, at));
		if (k + 1 == node->n_output || step.kind == KIND_FAULT)
			continue;
		step = (struct step){ .kind = KIND_JOIN, .first = builder->links, .count = 1 };
		builder->out->inputs[builder->links++] = builder->out->steps[builder->out->count - 1].output;
	}
	return 0;
}

/* Weights of a quantised network come through operators that keep their shape. */
static void pass_constant(struct builder *builder, const Onnx__NodeProto *node)
{
	static const char *const types[] = { "QuantizeLinear", "DequantizeLinear", "Identity", NULL };
	const Onnx__TensorProto *constant = constant_input(builder, node, 0);
	if (constant && is_one_of(node->op_type, types) && node->n_output && node->output[0][0])
		builder->constants[cn_name_set_number(&builder->names, node->output[0])] = constant;
}

static int add_steps(struct builder *builder)
{
	const Onnx__GraphProto *graph = builder->graph;
	for (size_t i = 0; i < graph->n_node; i++) {
		const Onnx__NodeProto *node = graph->node[i];
		const Onnx__AttributeProto *value = find_attribute(node, "value");
		CN_TRY(add_steps_of(builder, node));
		pass_constant(builder, node);
		if (strcmp(node->op_type, "Constant") == 0 && value && node->n_output && node->output[0][0])
			builder->constants[cn_name_set_number(&builder->names, node->output[0])] = value->t;
	}
	return 0;
}

/* All names, of which the graph's own check has said that they are known before they are used. */
static int number_values(struct builder *builder, size_t *outputs, size_t *inputs)
{
	const Onnx__GraphProto *graph = builder->graph;
	for (size_t i = 0; i < graph->n_initializer; i++)
		CN_TRY(cn_name_set_add(&builder->names, graph->initializer[i]->name));
	for (size_t i = 0; i < graph->n_input; i++) {
		int added = cn_name_set_add(&builder->names, graph->input[i]->name);
		CN_TRY(added);
		if (added)
			builder->out->input = cn_name_set_number(&builder->names, graph->input[i]->name);
	}
	for (size_t i = 0; i < graph->n_node; i++) {
		const Onnx__NodeProto *node = graph->node[i];
		for (size_t k = 0; k < node->n_output; k++)
			if (node->output[k][0])
				CN_TRY(cn_name_set_add(&builder->names, node->output[k]));
		*outputs += node->n_output;
		*inputs += node->n_input + node->n_output;
	}
	return 0;
}

static int make_room(struct builder *builder)
{
	cn_field_graph *out = builder->out;
	size_t outputs = 0, inputs = 0;
	CN_TRY(number_values(builder, &outputs, &inputs));
	out->values = builder->names.count;
	CN_NEW(builder->constants, out->values, sizeof(*builder->constants));
	CN_NEW(builder->at, out->values, sizeof(*builder->at));
	CN_NEW(out->steps, outputs, sizeof(*out->steps));
	CN_NEW(out->inputs, inputs, sizeof(*out->inputs));
	for (size_t i = 0; i < builder->graph->n_initializer; i++)
		builder->constants[i] = builder->graph->initializer[i];
	return 0;
}

/* Drops the steps that the output does not depend on; of the others none may be a fault. */
static int prune(struct builder *builder, const char *output)
{
	cn_field_graph *out = builder->out;
	size_t kept = 0;
	uint8_t *needed;
	const struct step *fault = NULL;
	CN_NEW(needed, out->values, 1);
	needed[out->output] = 1;
	for (size_t i = out->count; i-- > 0;) {
		const struct step *step = &out->steps[i];
		for (size_t k = 0; needed[step->output] && k < step->count; k++)
			needed[out->inputs[step->first + k]] = 1;
	}
	for (size_t i = 0; i < out->count; i++) {
		struct step *step = &out->steps[i];
		if (!needed[step->output]) {
			cn_free(step->name);
			continue;
		}
		if (step->kind == KIND_FAULT && !fault)
			fault = &out->steps[kept];
		out->steps[kept++] = *step;
	}
	out->count = kept;
	cn_free(needed);
	if (!fault)
		return 0;
	return cn_fail(
		CAIRN_EUNSUPPORTED,
		"%s: which pixels '%s' depends on cannot be told: it goes through %s; give \"receptive_field\" in "
		"model.json",
		out->file, output, fault->name);
}

struct wanted {
	cn_field_graph *out;
	const char *output;
	int height_at;
};

static int build(struct builder *builder, const char *output, int height_at)
{
	cn_field_graph *out = builder->out;
	CN_TRY(make_room(builder));
	builder->at[out->input][0] = height_at;
	builder->at[out->input][1] = height_at + 1;
	CN_TRY(add_steps(builder));
	out->output = cn_name_set_number(&builder->names, output);
	if (out->output == out->values)
		return cn_fail(CAIRN_EFORMAT, "%s: there is no output '%s'", out->file, output);
	CN_TRY(prune(builder, output));
	const int *at = builder->at[out->output];
	if (at[0] != 2 || at[1] != 3)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: '%s' is not a map of 1 x channels x height x width", out->file,
			       output);
	return 0;
}

static int visit(const Onnx__GraphProto *graph, const char *file, void *context)
{
	const struct wanted *wanted = context;
	struct builder builder = { .graph = graph, .out = wanted->out };
	wanted->out->file = cn_strdup(file);
	int status = wanted->out->file ? build(&builder, wanted->output, wanted->height_at) : CAIRN_ENOMEM;
	cn_name_set_free(&builder.names);
	cn_free(builder.constants);
	cn_free(builder.at);
	return status;
}

/* ---- the second pass ---- */

struct extent {
	cn_receptive_field field;
	int64_t sides[2]; /* of the map, as far as they can be known */
};

static void slide(const struct step *step, struct extent *extent)
{
	cn_receptive_field *field = &extent->field;
	for (int a = 0; a < 2; a++) {
		int64_t side = extent->sides[a], kernel = step->kernel[a], stride = step->stride[a];
		int64_t before = step->before[a], room = side + before + step->after[a] - kernel;
		int64_t out = (room + (step->rounds_up ? stride - 1 : 0)) / stride + 1;
		if (step->same) {
			out = (side + stride - 1) / stride;
			int64_t all = (out - 1) * stride + kernel - side;
			before = all <= 0 ? 0 : step->same == SAME_UPPER ? all / 2 : all - all / 2;
		}
		/* The network itself refuses images that are too small. */
		extent->sides[a] = room < 0 && !step->same ? 1 : out;
		field->size[a] += (kernel - 1) * field->stride[a];
		field->pad[a] += before * field->stride[a];
		field->stride[a] *= stride;
	}
}

/* The least box around both. */
static void unite(struct extent *extent, const struct extent *other)
{
	cn_receptive_field *field = &extent->field;
	for (int a = 0; a < 2; a++) {
		int64_t pad = field->pad[a], end = field->size[a] - pad;
		int64_t other_pad = other->field.pad[a], other_end = other->field.size[a] - other_pad;
		field->pad[a] = pad > other_pad ? pad : other_pad;
		field->size[a] = field->pad[a] + (end > other_end ? end : other_end);
		if (extent->sides[a] < other->sides[a])
			extent->sides[a] = other->sides[a];
	}
}

static int run_step(const cn_field_graph *graph, const struct step *step, struct extent *extents)
{
	struct extent result = extents[graph->inputs[step->first]];
	for (size_t i = 1; i < step->count; i++) {
		const struct extent *other = &extents[graph->inputs[step->first + i]];
		const int64_t *a = result.field.stride, *b = other->field.stride;
		if (a[0] != b[0] || a[1] != b[1])
			return cn_fail(CAIRN_EUNSUPPORTED,
				       "%s: %s joins maps of strides %lld x %lld and %lld x %lld; give "
				       "\"receptive_field\" in model.json",
				       graph->file, step->name, (long long)a[0], (long long)a[1], (long long)b[0],
				       (long long)b[1]);
		unite(&result, other);
	}
	if (step->kind == KIND_WINDOW)
		slide(step, &result);
	for (int a = 0; a < 2; a++)
		if (result.field.size[a] > MOST_EXTENT || result.field.stride[a] > MOST_EXTENT ||
		    result.field.pad[a] > MOST_EXTENT || result.sides[a] > MOST_EXTENT)
			return cn_fail(CAIRN_EUNSUPPORTED, "%s: from %s on, numbers depend on more than 2^31 pixels",
				       graph->file, step->name);
	extents[step->output] = result;
	return 0;
}

int cn_field_graph_at(const cn_field_graph *graph, uint32_t height, uint32_t width, cn_receptive_field *out)
{
	struct extent *extents;
	int status = 0;
	CN_NEW(extents, graph->values, sizeof(*extents));
	extents[graph->input] = (struct extent){ { { 1, 1 }, { 1, 1 }, { 0, 0 } }, { height, width } };
	for (size_t i = 0; status == 0 && i < graph->count; i++)
		status = run_step(graph, &graph->steps[i], extents);
	*out = extents[graph->output].field;
	cn_free(extents);
	return status;
}

/* ---- the whole ---- */

int cn_field_graph_parse(cn_field_graph **out, const void *bytes, size_t length, const char *name, const char *output,
			 int height_at)
{
	cn_onnx_info info;
	cn_field_graph *graph;
	cn_receptive_field example;
	*out = NULL;
	CN_NEW(graph, 1, sizeof(*graph));
	struct wanted wanted = { graph, output, height_at };
	int status = cn_onnx_visit(&info, bytes, length, name, visit, &wanted);
	if (status == 0) {
		cn_onnx_info_free(&info);
		status = cn_field_graph_at(graph, EXAMPLE_SIDE, EXAMPLE_SIDE, &example);
	}
	if (status < 0) {
		cn_field_graph_free(graph);
		return status;
	}
	*out = graph;
	return 0;
}

int cn_field_graph_load(cn_field_graph **out, const char *path, const char *output, int height_at)
{
	cn_mapped file = { 0 };
	*out = NULL;
	CN_TRY(cn_mapped_open(&file, path));
	int status = cn_field_graph_parse(out, file.bytes, file.length, path, output, height_at);
	cn_mapped_close(&file);
	return status;
}

void cn_field_graph_free(cn_field_graph *graph)
{
	if (!graph)
		return;
	for (size_t i = 0; i < graph->count; i++)
		cn_free(graph->steps[i].name);
	cn_free(graph->steps);
	cn_free(graph->inputs);
	cn_free(graph->file);
	cn_free(graph);
}

/*
 * Networks built straight into the schema's own structures, then packed.
 *
 * All parts come from util/memory.h, so that the whole is freed by protobuf-c as if it had been read from a file.
 */
#include "model/onnx_write.h"

#include <string.h>

#include "model/onnx.pb-c.h"
#include "model/onnx_schema.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

#define OPERATOR_SET 17
#define IR_VERSION   8

struct cn_onnx_graph {
	Onnx__ModelProto *model;
	Onnx__GraphProto *graph; /* of the model */
	Onnx__NodeProto *last;
	size_t next; /* number in the next value's name */
	int status;
};

/* ---- parts ---- */

/* A zeroed message of a type, or NULL with the status set. */
static void *new_message(cn_onnx_graph *graph, const ProtobufCMessageDescriptor *type)
{
	if (graph->status < 0)
		return NULL;
	ProtobufCMessage *message = cn_alloc_zero(1, type->sizeof_message);
	if (message)
		protobuf_c_message_init(type, message);
	else
		graph->status = CAIRN_ENOMEM;
	return message;
}

static void free_message(void *message)
{
	if (message)
		protobuf_c_message_free_unpacked(message, &cn_onnx_allocator);
}

/* Appends to a repeated field whose memory doubles; takes the message over, also on failure. */
static int append(cn_onnx_graph *graph, void ***items, size_t *count, void *message)
{
	if (!message)
		return 0;
	if ((*count & (*count - 1)) == 0) {
		void **grown = cn_realloc(*items, *count ? *count * 2 : 1, sizeof(*grown));
		if (!grown) {
			graph->status = CAIRN_ENOMEM;
			free_message(message);
			return 0;
		}
		*items = grown;
	}
	(*items)[(*count)++] = message;
	return 1;
}

#define APPEND(graph, parent, field, message)                                                                          \
	append((graph), (void ***)&(parent)->field, &(parent)->n_##field, (message))

/* Text fields point to a shared empty text until they are set. */
static void set_text(cn_onnx_graph *graph, char **field, const char *text)
{
	char *copy = graph->status < 0 ? NULL : cn_strdup(text);
	if (copy)
		*field = copy;
	else
		graph->status = CAIRN_ENOMEM;
}

static void set_bytes(cn_onnx_graph *graph, ProtobufCBinaryData *field, const void *bytes, size_t length)
{
	field->data = graph->status < 0 ? NULL : cn_memdup(bytes, length);
	if (field->data)
		field->len = length;
	else
		graph->status = CAIRN_ENOMEM;
}

static void new_name(cn_onnx_graph *graph, const char *what, char *name, size_t size)
{
	snprintf(name, size, "%s_%zu", what, graph->next++);
}

/* ---- graph ---- */

int cn_onnx_graph_new(cn_onnx_graph **out, const char *name)
{
	cn_onnx_graph *graph;
	CN_NEW(graph, 1, sizeof(*graph));
	graph->model = new_message(graph, &onnx__model_proto__descriptor);
	if (graph->model) {
		graph->model->has_ir_version = 1;
		graph->model->ir_version = IR_VERSION;
		set_text(graph, &graph->model->producer_name, "cairn");
		graph->model->graph = new_message(graph, &onnx__graph_proto__descriptor);
		graph->graph = graph->model->graph;
	}
	if (graph->graph)
		set_text(graph, &graph->graph->name, name);
	Onnx__OperatorSetIdProto *set = new_message(graph, &onnx__operator_set_id_proto__descriptor);
	if (set) {
		set->has_version = 1;
		set->version = OPERATOR_SET;
		APPEND(graph, graph->model, opset_import, set);
	}
	if (graph->status < 0) {
		int status = graph->status;
		cn_onnx_graph_free(graph);
		return status;
	}
	*out = graph;
	return 0;
}

void cn_onnx_graph_free(cn_onnx_graph *graph)
{
	if (!graph)
		return;
	free_message(graph->model);
	cn_free(graph);
}

void cn_onnx_graph_fail(cn_onnx_graph *graph, int status)
{
	if (graph->status == 0 && status < 0)
		graph->status = status;
}

int cn_onnx_graph_status(const cn_onnx_graph *graph)
{
	return graph->status;
}

static int32_t data_type(cn_tensor_type type)
{
	static const int32_t types[] = {
		[CN_TENSOR_F32] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
		[CN_TENSOR_U8] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
		[CN_TENSOR_I32] = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
		[CN_TENSOR_I64] = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
	};
	return types[type];
}

static void add_dimension(cn_onnx_graph *graph, Onnx__TensorShapeProto *shape, size_t axis, int64_t size)
{
	char name[32];
	Onnx__TensorShapeProto__Dimension *dim = new_message(graph, &onnx__tensor_shape_proto__dimension__descriptor);
	if (!dim)
		return;
	if (size >= 0) {
		dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
		dim->dim_value = size;
	} else {
		new_name(graph, axis == 2 ? "height" : axis == 3 ? "width" : "dim", name, sizeof(name));
		char *copy = cn_strdup(name);
		if (copy) {
			dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
			dim->dim_param = copy;
		} else {
			graph->status = CAIRN_ENOMEM;
		}
	}
	APPEND(graph, shape, dim, dim);
}

/* Each part hangs on its parent before it is filled, so that the parent's end is its end too. */
static Onnx__ValueInfoProto *new_port(cn_onnx_graph *graph, const char *name, cn_tensor_type type, size_t rank,
				      const int64_t *shape)
{
	Onnx__ValueInfoProto *port = new_message(graph, &onnx__value_info_proto__descriptor);
	if (!port)
		return NULL;
	set_text(graph, &port->name, name);
	port->type = new_message(graph, &onnx__type_proto__descriptor);
	Onnx__TypeProto__Tensor *tensor = new_message(graph, &onnx__type_proto__tensor__descriptor);
	if (!tensor) {
		free_message(port);
		return NULL;
	}
	port->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	port->type->tensor_type = tensor;
	tensor->has_elem_type = 1;
	tensor->elem_type = data_type(type);
	tensor->shape = new_message(graph, &onnx__tensor_shape_proto__descriptor);
	for (size_t i = 0; tensor->shape && i < rank; i++)
		add_dimension(graph, tensor->shape, i, shape[i]);
	return port;
}

const char *cn_onnx_graph_input(cn_onnx_graph *graph, const char *name, cn_tensor_type type, size_t rank,
				const int64_t *shape)
{
	Onnx__ValueInfoProto *port = new_port(graph, name, type, rank, shape);
	return APPEND(graph, graph->graph, input, port) ? port->name : NULL;
}

void cn_onnx_graph_output(cn_onnx_graph *graph, const char *value, const char *name, size_t rank, const int64_t *shape)
{
	if (!cn_onnx_op(graph, "Identity", value, NULL))
		return;
	char **output = &graph->last->output[0];
	cn_free(*output);
	*output = NULL;
	graph->last->n_output = 0;
	set_text(graph, output, name);
	graph->last->n_output = *output != NULL;
	APPEND(graph, graph->graph, output, new_port(graph, name, CN_TENSOR_F32, rank, shape));
}

int cn_onnx_graph_write(cn_onnx_graph *graph, const char *path)
{
	if (graph->status < 0)
		return graph->status;
	size_t size = onnx__model_proto__get_packed_size(graph->model);
	uint8_t *bytes = cn_alloc(size, 1);
	if (!bytes)
		return CAIRN_ENOMEM;
	onnx__model_proto__pack(graph->model, bytes);
	int status = cn_file_write(path, bytes, size);
	cn_free(bytes);
	return status;
}

/* ---- constants ---- */

static const char *add_constant(cn_onnx_graph *graph, int32_t type, size_t rank, const size_t *shape, const void *data,
				size_t element)
{
	char name[32];
	Onnx__TensorProto *tensor = new_message(graph, &onnx__tensor_proto__descriptor);
	if (!tensor)
		return NULL;
	size_t bytes = element;
	new_name(graph, "constant", name, sizeof(name));
	set_text(graph, &tensor->name, name);
	tensor->has_data_type = 1;
	tensor->data_type = type;
	if (rank > 0)
		tensor->dims = cn_alloc(rank, sizeof(*tensor->dims));
	if (rank > 0 && !tensor->dims)
		cn_onnx_graph_fail(graph, CAIRN_ENOMEM);
	for (size_t i = 0; tensor->dims && i < rank; i++) {
		tensor->dims[tensor->n_dims++] = (int64_t)shape[i];
		cn_onnx_graph_fail(graph, cn_size_mul(bytes, shape[i], &bytes));
	}
	tensor->has_raw_data = 1;
	set_bytes(graph, &tensor->raw_data, data, bytes);
	if (graph->status < 0) {
		free_message(tensor);
		return NULL;
	}
	return APPEND(graph, graph->graph, initializer, tensor) ? tensor->name : NULL;
}

const char *cn_onnx_floats(cn_onnx_graph *graph, size_t rank, const size_t *shape, const float *data)
{
	return add_constant(graph, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, shape, data, sizeof(*data));
}

const char *cn_onnx_float(cn_onnx_graph *graph, float value)
{
	return cn_onnx_floats(graph, 0, NULL, &value);
}

const char *cn_onnx_integers(cn_onnx_graph *graph, size_t count, const int64_t *data)
{
	return add_constant(graph, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, &count, data, sizeof(*data));
}

const char *cn_onnx_int8s(cn_onnx_graph *graph, size_t rank, const size_t *shape, const int8_t *data)
{
	return add_constant(graph, ONNX__TENSOR_PROTO__DATA_TYPE__INT8, rank, shape, data, sizeof(*data));
}

/* ---- operators ---- */

/* A list of one output and `count` inputs, each in its own memory. */
static int set_names(cn_onnx_graph *graph, char ***field, size_t *n, const char *const *texts, size_t count)
{
	*field = cn_alloc_zero(count, sizeof(**field));
	if (!*field) {
		graph->status = CAIRN_ENOMEM;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		char *copy = cn_strdup(texts[i]);
		if (!copy) {
			graph->status = CAIRN_ENOMEM;
			return 0;
		}
		(*field)[(*n)++] = copy;
	}
	return 1;
}

const char *cn_onnx_op_n(cn_onnx_graph *graph, const char *type, const char *const *inputs, size_t count)
{
	char name[64];
	for (size_t i = 0; i < count && graph->status == 0; i++)
		if (!inputs[i])
			graph->status = cn_fail(CAIRN_EINVALID, "operator %s: input %zu is missing", type, i);
	Onnx__NodeProto *node = new_message(graph, &onnx__node_proto__descriptor);
	if (!node)
		return NULL;
	new_name(graph, type, name, sizeof(name));
	const char *output = name;
	set_text(graph, &node->op_type, type);
	if (graph->status < 0 || !set_names(graph, &node->input, &node->n_input, inputs, count) ||
	    !set_names(graph, &node->output, &node->n_output, &output, 1)) {
		free_message(node);
		return NULL;
	}
	if (!APPEND(graph, graph->graph, node, node))
		return NULL;
	graph->last = node;
	return node->output[0];
}

const char *cn_onnx_op(cn_onnx_graph *graph, const char *type, const char *a, const char *b)
{
	const char *inputs[] = { a, b };
	return cn_onnx_op_n(graph, type, inputs, b ? 2 : 1);
}

static Onnx__AttributeProto *add_attribute(cn_onnx_graph *graph, const char *name,
					   Onnx__AttributeProto__AttributeType type)
{
	Onnx__AttributeProto *attribute = new_message(graph, &onnx__attribute_proto__descriptor);
	if (!attribute)
		return NULL;
	set_text(graph, &attribute->name, name);
	attribute->has_type = 1;
	attribute->type = type;
	return APPEND(graph, graph->last, attribute, attribute) ? attribute : NULL;
}

void cn_onnx_set_int(cn_onnx_graph *graph, const char *name, int64_t value)
{
	Onnx__AttributeProto *attribute = add_attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
	if (attribute) {
		attribute->has_i = 1;
		attribute->i = value;
	}
}

void cn_onnx_set_ints(cn_onnx_graph *graph, const char *name, size_t count, const int64_t *values)
{
	Onnx__AttributeProto *attribute = add_attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
	if (!attribute)
		return;
	attribute->ints = cn_memdup(values, count * sizeof(*values));
	if (attribute->ints)
		attribute->n_ints = count;
	else
		graph->status = CAIRN_ENOMEM;
}

void cn_onnx_set_text(cn_onnx_graph *graph, const char *name, const char *value)
{
	Onnx__AttributeProto *attribute = add_attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
	if (!attribute)
		return;
	set_bytes(graph, &attribute->s, value, strlen(value));
	attribute->has_s = attribute->s.data != NULL;
}

/* ---- common ones ---- */

const char *cn_onnx_conv(cn_onnx_graph *graph, const char *x, const cn_onnx_conv_spec *spec)
{
	size_t groups = spec->groups ? spec->groups : 1;
	int64_t kernel = (int64_t)spec->kernel, stride = spec->stride ? (int64_t)spec->stride : 1,
		pad = (int64_t)spec->pad;
	const char *inputs[3] = { x, NULL, NULL };
	inputs[1] = cn_onnx_floats(graph, 4,
				   (const size_t[]){ spec->outputs, spec->inputs / groups, spec->kernel, spec->kernel },
				   spec->weight);
	if (spec->bias)
		inputs[2] = cn_onnx_floats(graph, 1, &spec->outputs, spec->bias);
	const char *y = cn_onnx_op_n(graph, "Conv", inputs, spec->bias ? 3 : 2);
	cn_onnx_set_ints(graph, "kernel_shape", 2, (const int64_t[]){ kernel, kernel });
	cn_onnx_set_ints(graph, "strides", 2, (const int64_t[]){ stride, stride });
	if (groups > 1)
		cn_onnx_set_int(graph, "group", (int64_t)groups);
	if (spec->same)
		cn_onnx_set_text(graph, "auto_pad", "SAME_UPPER");
	else
		cn_onnx_set_ints(graph, "pads", 4, (const int64_t[]){ pad, pad, pad, pad });
	return y;
}

const char *cn_onnx_clip(cn_onnx_graph *graph, const char *x, float least, float most)
{
	const char *inputs[] = { x, cn_onnx_float(graph, least), cn_onnx_float(graph, most) };
	return cn_onnx_op_n(graph, "Clip", inputs, 3);
}

static const char *reduce(cn_onnx_graph *graph, const char *type, const char *x, size_t count, const int64_t *axes)
{
	const char *y = cn_onnx_op(graph, type, x, NULL);
	cn_onnx_set_ints(graph, "axes", count, axes);
	cn_onnx_set_int(graph, "keepdims", 1);
	return y;
}

const char *cn_onnx_l2(cn_onnx_graph *graph, const char *x, int64_t axis)
{
	const char *norm = reduce(graph, "ReduceL2", x, 1, &axis);
	norm = cn_onnx_op(graph, "Max", norm, cn_onnx_float(graph, 1e-12f));
	return cn_onnx_op(graph, "Div", x, norm);
}

const char *cn_onnx_instance_norm(cn_onnx_graph *graph, const char *x, float epsilon)
{
	static const int64_t plane[] = { 2, 3 };
	const char *centred = cn_onnx_op(graph, "Sub", x, reduce(graph, "ReduceMean", x, 2, plane));
	const char *variance = reduce(graph, "ReduceMean", cn_onnx_op(graph, "Mul", centred, centred), 2, plane);
	const char *deviation =
		cn_onnx_op(graph, "Sqrt", cn_onnx_op(graph, "Add", variance, cn_onnx_float(graph, epsilon)), NULL);
	return cn_onnx_op(graph, "Div", centred, deviation);
}

const char *cn_onnx_resize_like(cn_onnx_graph *graph, const char *x, const char *like)
{
	static const int64_t zero = 0, two = 2, four = 4;
	const char *own = cn_onnx_op(graph, "Shape", x, NULL), *other = cn_onnx_op(graph, "Shape", like, NULL);
	const char *head[] = { own, cn_onnx_integers(graph, 1, &zero), cn_onnx_integers(graph, 1, &two) };
	const char *tail[] = { other, cn_onnx_integers(graph, 1, &two), cn_onnx_integers(graph, 1, &four) };
	const char *sizes = cn_onnx_op(graph, "Concat", cn_onnx_op_n(graph, "Slice", head, 3),
				       cn_onnx_op_n(graph, "Slice", tail, 3));
	cn_onnx_set_int(graph, "axis", 0);
	const char *inputs[] = { x, "", "", sizes };
	const char *y = cn_onnx_op_n(graph, "Resize", inputs, 4);
	cn_onnx_set_text(graph, "mode", "linear");
	cn_onnx_set_text(graph, "coordinate_transformation_mode", "half_pixel");
	return y;
}

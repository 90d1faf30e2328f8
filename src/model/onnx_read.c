/*
 * ONNX files, read and checked.
 *
 * protobuf-c allocates as it goes and recurses where messages nest, so a first pass walks the wire format along the
 * schema's descriptors, allocating nothing, and bounds depth and number of fields. What passes is unpacked and checked
 * as a graph.
 */
#include "model/onnx_read.h"

#include <string.h>

#include "model/name_set.h"
#include "model/onnx.pb-c.h"
#include "model/onnx_schema.h"
#include "util/mapped.h"
#include "util/memory.h"

#define MAX_DEPTH    32
#define MAX_FIELDS   (4u << 20)
#define MAX_ELEMENTS ((uint64_t)1 << 31)

/* ---- first pass: the wire format ---- */

struct wire {
	const uint8_t *at, *end;
};

static int read_varint(struct wire *wire, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (wire->at == wire->end)
			return 0;
		uint8_t byte = *wire->at++;
		*out |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return 1;
	}
	return 0;
}

static int skip_bytes(struct wire *wire, uint64_t length)
{
	if (length > (uint64_t)(wire->end - wire->at))
		return 0;
	wire->at += length;
	return 1;
}

/* Returns 1 if well-formed, 0 if not, or CAIRN_ELIMIT. */
static int walk(const ProtobufCMessageDescriptor *message, struct wire wire, unsigned depth, uint32_t *fields)
{
	if (depth > MAX_DEPTH)
		return CAIRN_ELIMIT;
	while (wire.at < wire.end) {
		uint64_t tag, length = 0;
		if (++*fields > MAX_FIELDS)
			return CAIRN_ELIMIT;
		if (!read_varint(&wire, &tag) || tag > UINT32_MAX)
			return 0;
		int fine = 0;
		switch (tag & 7) {
		case 0:
			fine = read_varint(&wire, &length);
			break;
		case 1:
			fine = skip_bytes(&wire, 8);
			break;
		case 2:
			fine = read_varint(&wire, &length) && skip_bytes(&wire, length);
			break;
		case 5:
			fine = skip_bytes(&wire, 4);
			break;
		default:
			break;
		}
		if (!fine)
			return 0;
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field(message, (unsigned)(tag >> 3));
		if ((tag & 7) != 2 || !field || field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		struct wire part = { wire.at - length, wire.at };
		int status = walk(field->descriptor, part, depth + 1, fields);
		if (status != 1)
			return status;
	}
	return 1;
}

/* ---- second pass: the graph ---- */

static int tensor_type(int32_t onnx, cn_tensor_type *out)
{
	switch (onnx) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
		*out = CN_TENSOR_F32;
		return 1;
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
		*out = CN_TENSOR_U8;
		return 1;
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
		*out = CN_TENSOR_I32;
		return 1;
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
		*out = CN_TENSOR_I64;
		return 1;
	default:
		return 0;
	}
}

static int read_shape(cn_onnx_port *port, const Onnx__TensorShapeProto *shape, const char *file)
{
	if (!shape)
		return 0;
	if (shape->n_dim > 8)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: '%s' has %zu dimensions; at most 8 are supported", file,
			       port->name, shape->n_dim);
	port->has_shape = 1;
	port->rank = shape->n_dim;
	for (size_t i = 0; i < shape->n_dim; i++) {
		const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
		int fixed = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
		if (fixed && (dim->dim_value < 0 || dim->dim_value > INT32_MAX))
			return cn_fail(CAIRN_EFORMAT, "%s: '%s' has a dimension of %lld", file, port->name,
				       (long long)dim->dim_value);
		port->shape[i] = fixed && dim->dim_value > 0 ? dim->dim_value : -1;
	}
	return 0;
}

static int read_port(cn_onnx_port *port, const Onnx__ValueInfoProto *value, const char *file)
{
	if (!value->name || !value->name[0])
		return cn_fail(CAIRN_EFORMAT, "%s: an input or output has no name", file);
	port->name = cn_strdup(value->name);
	if (!port->name)
		return CAIRN_ENOMEM;
	if (!value->type || value->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !value->type->tensor_type)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: '%s' is not a tensor", file, port->name);
	const Onnx__TypeProto__Tensor *tensor = value->type->tensor_type;
	if (!tensor_type(tensor->elem_type, &port->type))
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "%s: '%s' has element type %d; float32, uint8, int32 and int64 are supported", file,
			       port->name, (int)tensor->elem_type);
	return read_shape(port, tensor->shape, file);
}

/* Bytes of one element in raw_data; 0 where not supported. */
static size_t element_size(int32_t type)
{
	switch (type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
	case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
		return 1;
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
	case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
		return 2;
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
		return 4;
	case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
		return 8;
	default:
		return 0;
	}
}

/* How many elements the typed fields hold, where raw_data is not used. */
static size_t typed_count(const Onnx__TensorProto *tensor)
{
	switch (tensor->data_type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
		return tensor->n_float_data;
	case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
		return tensor->n_double_data;
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
		return tensor->n_int64_data;
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
		return tensor->n_uint64_data;
	default:
		return tensor->n_int32_data;
	}
}

static int check_tensor(const Onnx__TensorProto *tensor, const char *file, uint64_t *elements)
{
	const char *name = tensor->name ? tensor->name : "";
	size_t size = element_size(tensor->data_type);
	if (size == 0)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: the tensor '%s' has element type %d, which is not supported",
			       file, name, (int)tensor->data_type);
	if (tensor->n_external_data > 0 || tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "%s: the weights of '%s' lie in another file; save the network as one file", file, name);
	if (tensor->segment || tensor->n_dims > 8)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: the tensor '%s' is segmented or has more than 8 dimensions",
			       file, name);
	uint64_t count = 1;
	for (size_t i = 0; i < tensor->n_dims; i++) {
		if (tensor->dims[i] < 0 || (uint64_t)tensor->dims[i] > MAX_ELEMENTS)
			return cn_fail(CAIRN_EFORMAT, "%s: the tensor '%s' has a dimension of %lld", file, name,
				       (long long)tensor->dims[i]);
		count *= (uint64_t)tensor->dims[i];
		if (count > MAX_ELEMENTS)
			return cn_fail(CAIRN_ELIMIT, "%s: the tensor '%s' has more than 2^31 elements", file, name);
	}
	int fits = tensor->has_raw_data ? tensor->raw_data.len == count * size : typed_count(tensor) == count;
	if (!fits)
		return cn_fail(CAIRN_EFORMAT, "%s: the tensor '%s' does not hold the %llu elements of its shape", file,
			       name, (unsigned long long)count);
	*elements += count;
	return 0;
}

static int check_attribute(const Onnx__AttributeProto *attribute, const Onnx__NodeProto *node, const char *file)
{
	uint64_t ignored = 0;
	if (attribute->g || attribute->n_graphs > 0)
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "%s: the operator %s holds a graph of its own; control flow is not supported", file,
			       node->op_type);
	if (attribute->sparse_tensor || attribute->n_sparse_tensors > 0)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: the operator %s holds a sparse tensor", file, node->op_type);
	if (attribute->t)
		CN_TRY(check_tensor(attribute->t, file, &ignored));
	for (size_t i = 0; i < attribute->n_tensors; i++)
		CN_TRY(check_tensor(attribute->tensors[i], file, &ignored));
	return 0;
}

/* Inputs are known by then, outputs are new. */
static int check_node(const Onnx__NodeProto *node, cn_name_set *known, const char *file)
{
	if (!node->op_type || !node->op_type[0])
		return cn_fail(CAIRN_EFORMAT, "%s: an operator has no type", file);
	for (size_t i = 0; i < node->n_input; i++)
		if (node->input[i][0] && !cn_name_set_has(known, node->input[i]))
			return cn_fail(CAIRN_EFORMAT, "%s: the operator %s takes '%s' before anything gives it", file,
				       node->op_type, node->input[i]);
	for (size_t i = 0; i < node->n_output; i++) {
		if (!node->output[i][0])
			continue;
		int added = cn_name_set_add(known, node->output[i]);
		if (added < 0)
			return added;
		if (!added)
			return cn_fail(CAIRN_EFORMAT, "%s: '%s' is given twice", file, node->output[i]);
	}
	for (size_t i = 0; i < node->n_attribute; i++)
		CN_TRY(check_attribute(node->attribute[i], node, file));
	return 0;
}

static int check_initializers(cn_onnx_info *out, const Onnx__GraphProto *graph, cn_name_set *known, const char *file)
{
	for (size_t i = 0; i < graph->n_initializer; i++) {
		const Onnx__TensorProto *tensor = graph->initializer[i];
		if (!tensor->name || !tensor->name[0])
			return cn_fail(CAIRN_EFORMAT, "%s: an initializer has no name", file);
		CN_TRY(check_tensor(tensor, file, &out->parameters));
		int added = cn_name_set_add(known, tensor->name);
		if (added < 0)
			return added;
		if (!added)
			return cn_fail(CAIRN_EFORMAT, "%s: the initializer '%s' is there twice", file, tensor->name);
	}
	return 0;
}

/* Older files list initializers among the inputs too. */
static int find_input(cn_onnx_info *out, const Onnx__GraphProto *graph, cn_name_set *known, const char *file)
{
	for (size_t i = 0; i < graph->n_input; i++) {
		const char *name = graph->input[i]->name;
		if (name && cn_name_set_has(known, name))
			continue;
		if (out->input.name)
			return cn_fail(CAIRN_EUNSUPPORTED,
				       "%s: the network has several inputs ('%s', '%s'); one is supported", file,
				       out->input.name, name ? name : "");
		CN_TRY(read_port(&out->input, graph->input[i], file));
	}
	if (!out->input.name)
		return cn_fail(CAIRN_EFORMAT, "%s: the network has no input", file);
	int added = cn_name_set_add(known, out->input.name);
	return added < 0 ? added : 0;
}

static int is_quantising(const Onnx__NodeProto *node)
{
	static const char *const types[] = { "QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv",
					     "QLinearMatMul",  "ConvInteger",           "MatMulInteger" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(node->op_type, types[i]) == 0)
			return 1;
	return 0;
}

static int check_graph(cn_onnx_info *out, const Onnx__GraphProto *graph, cn_name_set *known, const char *file)
{
	if (graph->n_node == 0 || graph->n_output == 0)
		return cn_fail(CAIRN_EFORMAT, "%s: the network has no operators or no outputs", file);
	if (graph->n_sparse_initializer > 0)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: sparse weights are not supported", file);
	CN_TRY(check_initializers(out, graph, known, file));
	CN_TRY(find_input(out, graph, known, file));
	for (size_t i = 0; i < graph->n_node; i++) {
		CN_TRY(check_node(graph->node[i], known, file));
		out->is_quantised |= is_quantising(graph->node[i]);
	}
	out->nodes = graph->n_node;
	out->outputs = cn_alloc_zero(graph->n_output, sizeof(*out->outputs));
	if (!out->outputs)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < graph->n_output; i++) {
		CN_TRY(read_port(&out->outputs[out->output_count++], graph->output[i], file));
		if (!cn_name_set_has(known, graph->output[i]->name))
			return cn_fail(CAIRN_EFORMAT, "%s: nothing gives the output '%s'", file,
				       graph->output[i]->name);
	}
	return 0;
}

static int check_model(cn_onnx_info *out, const Onnx__ModelProto *model, const char *file)
{
	if (!model->graph || model->n_opset_import == 0)
		return cn_fail(CAIRN_EFORMAT, "%s: this is not an ONNX network (it has no graph or no operator set)",
			       file);
	if (model->n_functions > 0 || model->n_training_info > 0)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: functions and training graphs are not supported", file);
	cn_name_set known = { 0 };
	int status = check_graph(out, model->graph, &known, file);
	cn_name_set_free(&known);
	return status;
}

int cn_onnx_visit(cn_onnx_info *out, const void *bytes, size_t length, const char *name, cn_onnx_visitor *visitor,
		  void *context)
{
	memset(out, 0, sizeof(*out));
	if (length > CN_ONNX_MAX_BYTES)
		return cn_fail(CAIRN_ELIMIT, "%s: ONNX files above 2 GiB are not supported", name);
	/* Of an empty file there are no bytes to begin at. */
	const uint8_t *start = length ? bytes : (const uint8_t *)"";
	struct wire wire = { start, start + length };
	uint32_t fields = 0;
	int walked = length ? walk(&onnx__model_proto__descriptor, wire, 0, &fields) : 0;
	if (walked == CAIRN_ELIMIT)
		return cn_fail(CAIRN_ELIMIT, "%s: nested deeper than %d or more than %u parts", name, MAX_DEPTH,
			       MAX_FIELDS);
	if (walked != 1)
		return cn_fail(CAIRN_EFORMAT, "%s: this is not an ONNX file, or it was cut short", name);
	int short_of_memory = 0;
	ProtobufCAllocator allocator = cn_onnx_allocator;
	allocator.allocator_data = &short_of_memory;
	Onnx__ModelProto *model = onnx__model_proto__unpack(&allocator, length, bytes);
	if (!model)
		return short_of_memory ? CAIRN_ENOMEM : cn_fail(CAIRN_EFORMAT, "%s: this is not an ONNX file", name);
	int status = check_model(out, model, name);
	if (status == 0 && visitor)
		status = visitor(model->graph, name, context);
	onnx__model_proto__free_unpacked(model, &cn_onnx_allocator);
	if (status < 0)
		cn_onnx_info_free(out);
	return status;
}

int cn_onnx_parse(cn_onnx_info *out, const void *bytes, size_t length, const char *name)
{
	return cn_onnx_visit(out, bytes, length, name, NULL, NULL);
}

int cn_onnx_load(cn_onnx_info *out, const char *path)
{
	cn_mapped file = { 0 };
	memset(out, 0, sizeof(*out));
	CN_TRY(cn_mapped_open(&file, path));
	int status = cn_onnx_parse(out, file.bytes, file.length, path);
	cn_mapped_close(&file);
	return status;
}

void cn_onnx_info_free(cn_onnx_info *info)
{
	cn_free(info->input.name);
	for (size_t i = 0; i < info->output_count; i++)
		cn_free(info->outputs[i].name);
	cn_free(info->outputs);
	memset(info, 0, sizeof(*info));
}

const cn_onnx_port *cn_onnx_output(const cn_onnx_info *info, const char *name)
{
	for (size_t i = 0; i < info->output_count; i++)
		if (strcmp(info->outputs[i].name, name) == 0)
			return &info->outputs[i];
	return NULL;
}

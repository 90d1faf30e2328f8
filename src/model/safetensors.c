/*
 * safetensors: eight bytes of header length (little endian), the header as JSON, then the tensors' bytes, each at the
 * offsets that the header gives, counted from the header's end.
 */
#include "model/safetensors.h"

#include <string.h>

#include "util/json.h"

#define MAX_HEADER ((uint64_t)100 << 20)

static const struct {
	const char *name;
	cn_stored_type type;
} types[] = {
	{ "F32", CN_STORED_F32 }, { "F64", CN_STORED_F64 },   { "F16", CN_STORED_F16 }, { "BF16", CN_STORED_BF16 },
	{ "I64", CN_STORED_I64 }, { "I32", CN_STORED_I32 },   { "I16", CN_STORED_I16 }, { "I8", CN_STORED_I8 },
	{ "U8", CN_STORED_U8 },   { "BOOL", CN_STORED_BOOL },
};

static int read_type(const json_t *entry, const char *where, cn_stored_type *out)
{
	const char *text;
	CN_TRY(cn_json_get_text(entry, where, "dtype", &text));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, text) == 0) {
			*out = types[i].type;
			return 0;
		}
	return cn_fail(CAIRN_EUNSUPPORTED, "%s: element type \"%s\" is not supported", where, text);
}

static int read_shape(const json_t *entry, const char *where, cn_stored_tensor *tensor)
{
	const json_t *shape;
	CN_TRY(cn_json_get_array(entry, where, "shape", &shape));
	tensor->rank = json_array_size(shape);
	if (tensor->rank > CN_WEIGHTS_MAX_RANK)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: %zu dimensions; at most %d are supported", where, tensor->rank,
			       CN_WEIGHTS_MAX_RANK);
	size_t stride = 1;
	for (size_t i = tensor->rank; i-- > 0;) {
		const json_t *item = json_array_get(shape, i);
		json_int_t size = json_integer_value(item);
		if (!json_is_integer(item) || size < 0)
			return cn_fail(CAIRN_EFORMAT, "%s: \"shape\" must hold numbers of 0 or more", where);
		tensor->shape[i] = (size_t)size;
		tensor->strides[i] = stride;
		if (__builtin_mul_overflow(stride, size ? (size_t)size : 1, &stride))
			return cn_fail(CAIRN_EFORMAT, "%s: the shape is too large", where);
	}
	return 0;
}

static int read_entry(cn_weights *out, const char *name, const json_t *entry, const uint8_t *data, size_t length)
{
	static const char *const known[] = { "dtype", "shape", "data_offsets", NULL };
	char where[512];
	cn_stored_tensor tensor = { 0 };
	const json_t *offsets;
	snprintf(where, sizeof(where), "%.300s: %.200s", out->file, name);
	CN_TRY(cn_json_only(entry, where, known));
	CN_TRY(read_type(entry, where, &tensor.type));
	CN_TRY(read_shape(entry, where, &tensor));
	CN_TRY(cn_json_get_array(entry, where, "data_offsets", &offsets));
	const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
	json_int_t begin = json_integer_value(first), end = json_integer_value(second);
	if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second) || begin < 0 ||
	    end < begin || (uint64_t)end > length)
		return cn_fail(CAIRN_EFORMAT, "%s: \"data_offsets\" do not lie inside the file", where);
	size_t bytes = (size_t)(end - begin), size = cn_stored_size(tensor.type), count = 1;
	for (size_t i = 0; i < tensor.rank; i++)
		if (__builtin_mul_overflow(count, tensor.shape[i], &count))
			return cn_fail(CAIRN_EFORMAT, "%s: the shape is too large", where);
	if (bytes % size != 0 || bytes / size != count)
		return cn_fail(CAIRN_EFORMAT, "%s: %zu bytes are not what the shape needs", where, bytes);
	tensor.bytes = data + begin;
	tensor.elements = count;
	return cn_weights_add(out, name, strlen(name), &tensor);
}

int cn_safetensors_parse(cn_weights *out, const void *bytes, size_t length)
{
	const uint8_t *start = bytes;
	uint64_t header = 0;
	for (size_t i = 0; i < 8 && i < length; i++)
		header |= (uint64_t)start[i] << (8 * i);
	if (length < 8 || header > length - 8 || header > MAX_HEADER)
		return cn_fail(CAIRN_EFORMAT, "%s: the header of a safetensors file is cut short or too long",
			       out->file);
	json_t *root;
	const char *name;
	json_t *entry;
	CN_TRY(cn_json_parse(&root, (const char *)start + 8, (size_t)header, out->file));
	int status = json_is_object(root) ? 0 : cn_fail(CAIRN_EFORMAT, "%s: the header is not an object", out->file);
	json_object_foreach (root, name, entry) {
		if (status < 0 || strcmp(name, "__metadata__") == 0)
			continue;
		status = read_entry(out, name, entry, start + 8 + header, length - 8 - (size_t)header);
	}
	json_decref(root);
	return status;
}

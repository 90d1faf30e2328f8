/*
 * Checkpoints from anywhere: PyTorch's two forms, safetensors; and ONNX files behind an "o". An error with a text, or
 * tensors whose every number may be read.
 *
 * The checksums of a zip file and the header's length of a safetensors file would keep a fuzzer out, so they are put
 * right before the bytes are tried again.
 */
#include <string.h>

#include "cairn/error.h"
#include "model/checkpoint.h"
#include "model/onnx_read.h"
#include "model/receptive_field.h"
#include "model/weights.h"
#include "target.h"
#include "util/memory.h"

int fuzz_accepted;

static void check_weights(const cn_weights *weights)
{
	FUZZ_CHECK(weights->count > 0);
	for (size_t i = 0; i < weights->count; i++) {
		const cn_weight *weight = &weights->items[i];
		volatile uint8_t sum = 0;
		size_t count = 1, size = weight->numbers ? sizeof(float) : sizeof(int64_t);
		const uint8_t *bytes = weight->numbers ? (const void *)weight->numbers : weight->integers;
		FUZZ_CHECK(weight->rank <= CN_WEIGHTS_MAX_RANK && !weight->numbers == !!weight->integers);
		for (size_t d = 0; d < weight->rank; d++)
			count *= weight->shape[d];
		FUZZ_CHECK(count == weight->count);
		for (size_t at = 0; at < count * size; at++)
			sum = (uint8_t)(sum + bytes[at]);
		FUZZ_CHECK(cn_weights_find(weights, weight->name) == weight);
	}
}

static void read_checkpoint(const uint8_t *data, size_t size)
{
	cn_weights weights;
	if (cn_checkpoint_parse(&weights, data, size, "input") == 0) {
		fuzz_accepted = 1;
		check_weights(&weights);
		cn_weights_free(&weights);
	} else {
		FUZZ_CHECK(cairn_last_error()[0] && !weights.items);
	}
}

/* Whatever a graph is, it has a receptive field with numbers that fit, or an error. */
static void check_fields(const cn_onnx_info *info, const uint8_t *data, size_t size)
{
	for (int height_at = 1; height_at <= 2; height_at++) {
		cn_field_graph *graph;
		cn_receptive_field field;
		if (cn_field_graph_parse(&graph, data, size, "input", info->outputs[0].name, height_at) < 0) {
			FUZZ_CHECK(cairn_last_error()[0] && !graph);
			continue;
		}
		if (cn_field_graph_at(graph, 640, 1, &field) == 0)
			for (int a = 0; a < 2; a++)
				FUZZ_CHECK(field.size[a] >= 1 && field.stride[a] >= 1 && field.pad[a] >= 0);
		cn_field_graph_free(graph);
	}
}

static void read_onnx(const uint8_t *data, size_t size)
{
	cn_onnx_info info;
	if (cn_onnx_parse(&info, data, size, "input") == 0) {
		fuzz_accepted = 1;
		FUZZ_CHECK(info.input.name && info.output_count > 0 && cn_onnx_output(&info, info.outputs[0].name));
		check_fields(&info, data, size);
		cn_onnx_info_free(&info);
	} else {
		FUZZ_CHECK(cairn_last_error()[0] && !info.outputs);
	}
}

static uint32_t number_at(const uint8_t *bytes, size_t size)
{
	uint32_t value = 0;
	memcpy(&value, bytes, size);
	return value;
}

/* CRC-32 as zip files have it: polynomial 0xedb88320, reflected. */
static uint32_t crc32(const uint8_t *bytes, size_t size)
{
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* Every central entry gets the checksum of the bytes that its local header stands before. */
static void seal_zip(uint8_t *bytes, size_t size)
{
	enum { CENTRAL = 46, CRC_AT = 16, SIZE_AT = 20, OFFSET_AT = 42 };
	enum { LOCAL = 30, NAME_AT = 26, EXTRA_AT = 28 };
	for (size_t at = 0; at + CENTRAL <= size; at++) {
		if (memcmp(bytes + at, "PK\1\2", 4) != 0)
			continue;
		size_t length = number_at(bytes + at + SIZE_AT, 4), local = number_at(bytes + at + OFFSET_AT, 4);
		if (local + LOCAL > size)
			continue;
		size_t begin =
			local + LOCAL + number_at(bytes + local + NAME_AT, 2) + number_at(bytes + local + EXTRA_AT, 2);
		if (begin > size || length > size - begin)
			continue;
		uint32_t crc = crc32(bytes + begin, length);
		memcpy(bytes + at + CRC_AT, &crc, sizeof(crc));
	}
}

/* The header ends with the last brace. */
static void seal_safetensors(uint8_t *bytes, size_t size)
{
	const uint8_t *brace = memrchr(bytes + 8, '}', size - 8);
	uint64_t length = brace ? (uint64_t)(brace + 1 - (bytes + 8)) : 0;
	memcpy(bytes, &length, sizeof(length));
}

static void read_sealed(const uint8_t *data, size_t size)
{
	int is_zip = size > 4 && memcmp(data, "PK\3\4", 4) == 0, is_safetensors = !is_zip && size > 8 && data[8] == '{';
	if (!is_zip && !is_safetensors)
		return;
	uint8_t *bytes = cn_memdup(data, size);
	FUZZ_CHECK(bytes);
	(is_zip ? seal_zip : seal_safetensors)(bytes, size);
	read_checkpoint(bytes, size);
	cn_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_accepted = 0;
	if (size > 0 && data[0] == 'o') {
		read_onnx(data + 1, size - 1);
		return 0;
	}
	read_checkpoint(data, size);
	if (!fuzz_accepted)
		read_sealed(data, size);
	return 0;
}

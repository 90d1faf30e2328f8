/*
 * The allocator that protobuf-c is given, so that its memory is cairn's.
 */
#include "model/onnx_schema.h"

#include "util/memory.h"

static void *take(void *data, size_t size)
{
	int *short_of_memory = data;
	void *memory = cn_alloc(1, size);
	if (!memory && short_of_memory)
		*short_of_memory = 1;
	return memory;
}

static void give_back(void *data, void *pointer)
{
	(void)data;
	cn_free(pointer);
}

ProtobufCAllocator cn_onnx_allocator = { take, give_back, NULL };

/*
 * Named tensors: conversion from how they are stored, with every element's place checked against the storage.
 */
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

#include "math/half.h"
#include "util/memory.h"

#define MAX_TENSORS 65536
#define MAX_BYTES   ((uint64_t)4 << 30)
#define MAX_NAME    1024

size_t cn_stored_size(cn_stored_type type)
{
	static const size_t sizes[] = {
		[CN_STORED_F32] = 4, [CN_STORED_F64] = 8,  [CN_STORED_F16] = 2, [CN_STORED_BF16] = 2,
		[CN_STORED_I64] = 8, [CN_STORED_I32] = 4,  [CN_STORED_I16] = 2, [CN_STORED_I8] = 1,
		[CN_STORED_U8] = 1,  [CN_STORED_BOOL] = 1,
	};
	return sizes[type];
}

static int is_floating(cn_stored_type type)
{
	return type == CN_STORED_F32 || type == CN_STORED_F64 || type == CN_STORED_F16 || type == CN_STORED_BF16;
}

static float read_number(const uint8_t *at, cn_stored_type type)
{
	uint16_t half;
	uint32_t bits;
	double wide;
	float value;
	switch (type) {
	case CN_STORED_F64:
		memcpy(&wide, at, sizeof(wide));
		return (float)wide;
	case CN_STORED_F16:
		memcpy(&half, at, sizeof(half));
		return cn_half_to_float(half);
	case CN_STORED_BF16:
		memcpy(&half, at, sizeof(half));
		bits = (uint32_t)half << 16;
		memcpy(&value, &bits, sizeof(value));
		return value;
	default:
		memcpy(&value, at, sizeof(value));
		return value;
	}
}

static int64_t read_integer(const uint8_t *at, cn_stored_type type)
{
	int64_t wide;
	int32_t word;
	int16_t half;
	switch (type) {
	case CN_STORED_I64:
		memcpy(&wide, at, sizeof(wide));
		return wide;
	case CN_STORED_I32:
		memcpy(&word, at, sizeof(word));
		return word;
	case CN_STORED_I16:
		memcpy(&half, at, sizeof(half));
		return half;
	case CN_STORED_I8:
		return *at < 128 ? *at : *at - 256;
	default:
		return *at;
	}
}

/* Counts the elements and finds that the last one lies inside; offsets and strides are not negative. */
static int check_bounds(const cn_weights *weights, const char *name, const cn_stored_tensor *tensor, size_t *count)
{
	size_t last = tensor->offset;
	int fits = 1, empty = 0;
	*count = 1;
	for (size_t i = 0; i < tensor->rank; i++)
		empty |= tensor->shape[i] == 0;
	if (empty) {
		*count = 0;
		return 0;
	}
	for (size_t i = 0; i < tensor->rank && fits; i++) {
		size_t reach;
		fits = !__builtin_mul_overflow(*count, tensor->shape[i], count) &&
		       !__builtin_mul_overflow(tensor->shape[i] - 1, tensor->strides[i], &reach) &&
		       !__builtin_add_overflow(last, reach, &last);
	}
	if (!fits || last >= tensor->elements)
		return cn_fail(CAIRN_EFORMAT, "%s: the tensor '%.200s' reaches outside its storage of %zu elements",
			       weights->file, name, tensor->elements);
	if (*count > tensor->elements)
		return cn_fail(CAIRN_EFORMAT, "%s: the tensor '%.200s' has %zu elements, its storage only %zu",
			       weights->file, name, *count, tensor->elements);
	return 0;
}

/* Walks the elements in C order, whatever the strides. */
static void convert(const cn_stored_tensor *tensor, cn_weight *out)
{
	size_t size = cn_stored_size(tensor->type), at = tensor->offset, index[CN_WEIGHTS_MAX_RANK] = { 0 };
	for (size_t i = 0; i < out->count; i++) {
		const uint8_t *from = tensor->bytes + at * size;
		if (out->numbers)
			out->numbers[i] = read_number(from, tensor->type);
		else
			out->integers[i] = read_integer(from, tensor->type);
		for (size_t d = tensor->rank; d-- > 0;) {
			at += tensor->strides[d];
			if (++index[d] < tensor->shape[d])
				break;
			at -= tensor->strides[d] * tensor->shape[d];
			index[d] = 0;
		}
	}
}

static int grow(cn_weights *weights)
{
	if (weights->count < weights->capacity)
		return 0;
	if (weights->count >= MAX_TENSORS)
		return cn_fail(CAIRN_ELIMIT, "%s: more than %d tensors", weights->file, MAX_TENSORS);
	size_t capacity = weights->capacity ? weights->capacity * 2 : 64;
	cn_weight *items = cn_realloc(weights->items, capacity, sizeof(*items));
	if (!items)
		return CAIRN_ENOMEM;
	weights->items = items;
	weights->capacity = capacity;
	return 0;
}

int cn_weights_add(cn_weights *weights, const char *name, size_t name_length, const cn_stored_tensor *tensor)
{
	cn_weight weight = { .rank = tensor->rank };
	if (name_length < 1 || name_length > MAX_NAME || memchr(name, 0, name_length))
		return cn_fail(CAIRN_EFORMAT, "%s: a tensor's name has %zu bytes or a zero byte", weights->file,
			       name_length);
	CN_TRY(grow(weights));
	weight.name = cn_strndup(name, name_length);
	if (!weight.name)
		return CAIRN_ENOMEM;
	int status = 0;
	CN_GOTO(status, check_bounds(weights, weight.name, tensor, &weight.count));
	memcpy(weight.shape, tensor->shape, tensor->rank * sizeof(*weight.shape));
	size_t size = is_floating(tensor->type) ? sizeof(float) : sizeof(int64_t);
	weights->bytes += (uint64_t)weight.count * size;
	if (weights->bytes > MAX_BYTES || weights->bytes > weights->limit)
		CN_GOTO(status,
			cn_fail(CAIRN_ELIMIT, "%s: the tensors take more memory than a file of this size can need",
				weights->file));
	void *memory = cn_alloc(weight.count, size);
	if (!memory)
		CN_GOTO(status, CAIRN_ENOMEM);
	if (is_floating(tensor->type))
		weight.numbers = memory;
	else
		weight.integers = memory;
	convert(tensor, &weight);
	weights->items[weights->count++] = weight;
	return 0;
done:
	cn_free(weight.name);
	return status;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const cn_weight *)a)->name, ((const cn_weight *)b)->name);
}

int cn_weights_finish(cn_weights *weights)
{
	if (weights->count == 0)
		return cn_fail(CAIRN_EFORMAT, "%s: there are no tensors in it", weights->file);
	qsort(weights->items, weights->count, sizeof(*weights->items), by_name);
	for (size_t i = 1; i < weights->count; i++)
		if (strcmp(weights->items[i - 1].name, weights->items[i].name) == 0)
			return cn_fail(CAIRN_EFORMAT, "%s: the tensor '%.200s' is there twice", weights->file,
				       weights->items[i].name);
	return 0;
}

void cn_weights_free(cn_weights *weights)
{
	for (size_t i = 0; i < weights->count; i++) {
		cn_free(weights->items[i].name);
		cn_free(weights->items[i].numbers);
		cn_free(weights->items[i].integers);
	}
	cn_free(weights->items);
	cn_free(weights->file);
	memset(weights, 0, sizeof(*weights));
}

static int find_by_name(const void *name, const void *weight)
{
	return strcmp(name, ((const cn_weight *)weight)->name);
}

const cn_weight *cn_weights_find(const cn_weights *weights, const char *name)
{
	if (weights->count == 0)
		return NULL;
	return bsearch(name, weights->items, weights->count, sizeof(*weights->items), find_by_name);
}

int cn_weights_get(const cn_weights *weights, const char *name, size_t rank, const size_t *shape, const cn_weight **out)
{
	const cn_weight *weight = cn_weights_find(weights, name);
	if (!weight)
		return cn_fail(CAIRN_EFORMAT, "%s: there is no tensor '%s'; these are not the weights expected",
			       weights->file, name);
	if (!weight->numbers)
		return cn_fail(CAIRN_EFORMAT, "%s: the tensor '%s' does not hold floating-point numbers", weights->file,
			       name);
	if (weight->rank != rank)
		return cn_fail(CAIRN_EFORMAT, "%s: the tensor '%s' has %zu dimensions, not %zu", weights->file, name,
			       weight->rank, rank);
	for (size_t i = 0; i < rank; i++)
		if (shape[i] && weight->shape[i] != shape[i])
			return cn_fail(CAIRN_EFORMAT, "%s: dimension %zu of the tensor '%s' is %zu, not %zu",
				       weights->file, i, name, weight->shape[i], shape[i]);
	*out = weight;
	return 0;
}

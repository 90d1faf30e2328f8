/*
 * model/pickle.h - the small part of Python's pickle that a checkpoint of tensors needs. Nothing is ever executed.
 *
 * A pickle is a program for a stack machine that may call any function by name. This machine knows dictionaries, lists,
 * tuples, texts, numbers, storages and tensors, and the handful of names by which PyTorch makes them; any other name,
 * and any other instruction, is an error that says which.
 */
#ifndef CN_MODEL_PICKLE_H
#define CN_MODEL_PICKLE_H

#include <stddef.h>
#include <stdint.h>

#include "model/weights.h"

typedef enum {
	CN_PICKLE_NONE,
	CN_PICKLE_BOOL,
	CN_PICKLE_INTEGER,
	CN_PICKLE_LONG, /**< too long for 64 bits; `text` has its little-endian bytes */
	CN_PICKLE_FLOAT,
	CN_PICKLE_TEXT,
	CN_PICKLE_TUPLE,
	CN_PICKLE_LIST,
	CN_PICKLE_DICT, /**< items are key, value, key, value ... */
	CN_PICKLE_NAME, /**< of a function or class that is allowed */
	CN_PICKLE_STORAGE,
	CN_PICKLE_TENSOR
} cn_pickle_kind;

typedef struct {
	cn_pickle_kind kind;
	uint32_t count; /**< of items, or bytes of text */
	union {
		int64_t integer; /**< also the index of a name, storage or tensor */
		double number;
		const char *text; /**< borrowed from the input, no zero byte at its end */
		uint32_t *items;  /**< indices of values */
	};
} cn_pickle_value;

/** A block of numbers that tensors lie in. */
typedef struct {
	const char *key; /**< borrowed, key_length bytes */
	size_t key_length;
	cn_stored_type type;
	size_t elements;
	const uint8_t *bytes; /**< to be filled in by the reader of the container; NULL until then */
} cn_pickle_storage;

typedef struct {
	uint32_t storage;
	cn_stored_tensor layout; /**< bytes and elements not filled in */
} cn_pickle_tensor;

/** What pickles were read into; start zeroed, with `file` set. Values of earlier pickles stay. */
typedef struct {
	const char *file; /**< what errors call it; borrowed */
	cn_pickle_value *values;
	size_t value_count, value_capacity;
	cn_pickle_storage *storages;
	size_t storage_count, storage_capacity;
	cn_pickle_tensor *tensors;
	size_t tensor_count, tensor_capacity;
	size_t copied;   /**< items of dictionaries made of lists; bounded */
	size_t compared; /**< storages that were looked at to find one by its key; bounded */
} cn_pickle;

/**
 * Run one pickle.
 *
 * @param      bytes  must outlive `pickle`
 * @param[out] used   bytes up to and with its end
 * @param[out] result index of the value that it leaves
 * @return 0; CAIRN_EFORMAT; CAIRN_ELIMIT; CAIRN_ENOMEM
 */
int cn_pickle_read(cn_pickle *pickle, const uint8_t *bytes, size_t length, size_t *used, uint32_t *result);

void cn_pickle_free(cn_pickle *pickle);

/** 1 if the value is this text. */
int cn_pickle_is_text(const cn_pickle_value *value, const char *text);

/**
 * Add every tensor that a dictionary holds, by its key; those in dictionaries inside by "outer.inner". All storages
 * must have their bytes.
 */
int cn_pickle_collect(const cn_pickle *pickle, uint32_t root, cn_weights *out);

#endif

/*
 * model/weights.h - named tensors out of a checkpoint, whatever its format.
 */
#ifndef CN_MODEL_WEIGHTS_H
#define CN_MODEL_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

#define CN_WEIGHTS_MAX_RANK 8

/** How numbers are stored in a checkpoint. */
typedef enum {
	CN_STORED_F32,
	CN_STORED_F64,
	CN_STORED_F16,
	CN_STORED_BF16,
	CN_STORED_I64,
	CN_STORED_I32,
	CN_STORED_I16,
	CN_STORED_I8,
	CN_STORED_U8,
	CN_STORED_BOOL
} cn_stored_type;

size_t cn_stored_size(cn_stored_type type);

/** One tensor, contiguous, C order. Floating types were converted to float, integers and truth values to int64. */
typedef struct {
	char *name;
	size_t rank;
	size_t shape[CN_WEIGHTS_MAX_RANK];
	size_t count;
	float *numbers;    /**< NULL where the tensor holds integers */
	int64_t *integers; /**< NULL where it holds floats */
} cn_weight;

/** A checkpoint; start zeroed. */
typedef struct {
	char *file; /**< what errors call it */
	cn_weight *items;
	size_t count, capacity;
	uint64_t bytes; /**< that the tensors take */
	uint64_t limit; /**< CAIRN_ELIMIT above it */
} cn_weights;

/** A tensor as it lies in a checkpoint: where, of what type, with which strides. */
typedef struct {
	const uint8_t *bytes; /**< the storage; little endian, any alignment */
	size_t elements;      /**< of the storage */
	cn_stored_type type;
	size_t rank;
	size_t shape[CN_WEIGHTS_MAX_RANK];
	size_t strides[CN_WEIGHTS_MAX_RANK]; /**< in elements */
	size_t offset;                       /**< in elements */
} cn_stored_tensor;

/**
 * Convert a stored tensor and add it.
 *
 * @return 0; CAIRN_EFORMAT where it reaches outside its storage, holds more elements than it, or its name is there
 * already; CAIRN_ELIMIT
 */
int cn_weights_add(cn_weights *weights, const char *name, size_t name_length, const cn_stored_tensor *tensor);

/** Sort by name and refuse doubles; call once after the last cn_weights_add(). */
int cn_weights_finish(cn_weights *weights);

void cn_weights_free(cn_weights *weights); /**< harmless on a zeroed struct */

/** By name, or NULL. */
const cn_weight *cn_weights_find(const cn_weights *weights, const char *name);

/**
 * A tensor of floats by name, of this rank, and of this size in every dimension that is not 0 in `shape`.
 *
 * @return 0; CAIRN_EFORMAT naming file and tensor
 */
int cn_weights_get(const cn_weights *weights, const char *name, size_t rank, const size_t *shape,
		   const cn_weight **out);

#endif

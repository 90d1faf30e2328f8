/*
 * cairn/descriptors.h - global descriptors: one unit vector an image, by one network or several joined.
 *
 * Each network's output is pooled, centred or whitened as its bundle says and L2-normalised; the vectors of several
 * networks are multiplied by weight_i / sqrt(sum of weight^2) and concatenated, so that the whole is a unit vector and
 * the inner product of two descriptors is the weighted mean of the networks' cosines.
 *
 * Thread-safety: a describer may be used from several threads at once.
 */
#ifndef CAIRN_DESCRIPTORS_H
#define CAIRN_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_describer cairn_describer;

/** One network of a describer. */
typedef struct {
	const char *name; /**< installed bundle, or path of a bundle's folder */
	float weight;     /**< > 0 */
} cairn_describer_model;

/** How descriptors are made. */
typedef struct {
	uint32_t version;      /**< CAIRN_DESCRIBER_OPTIONS_VERSION */
	uint32_t threads;      /**< how many threads will call at once; 0: one for each core */
	const char *precision; /**< "auto", "f32" or "bf16"; NULL: auto */
} cairn_describer_options;

#define CAIRN_DESCRIBER_OPTIONS_VERSION 1
#define CAIRN_DESCRIBER_OPTIONS_INIT                                                                                   \
	{                                                                                                              \
		CAIRN_DESCRIBER_OPTIONS_VERSION, 0, NULL                                                               \
	}

/**
 * Open the networks of a descriptor.
 *
 * @param[out] out    the describer; the caller frees it with cairn_describer_free()
 * @param      models n of them, n >= 1; order matters
 * @return 0; CAIRN_EINVALID where a weight is not positive or a bundle is not a global one; errors of
 * cairn_model_open()
 */
CAIRN_API int cairn_describer_new(cairn_describer **out, const cairn_describer_model *models, size_t n,
				  const cairn_describer_options *options);

/** Free a describer; NULL is allowed. */
CAIRN_API void cairn_describer_free(cairn_describer *describer);

/** Dimensions of the whole descriptor. */
CAIRN_API size_t cairn_describer_dim(const cairn_describer *describer);

/** The longest side that any of its networks works on: decode with cairn_image_options.shrink_to at least this. */
CAIRN_API uint32_t cairn_describer_longest(const cairn_describer *describer);

/** The same of the shortest side, for cairn_image_options.shrink_shortest; 0 where no network has a fixed size or sizes
 * by aspect. */
CAIRN_API uint32_t cairn_describer_shortest(const cairn_describer *describer);

/**
 * Describe an image, or a part of it.
 *
 * @param      box NULL for the whole image; otherwise a part, in pixels of the full-size image
 * @param[out] out cairn_describer_dim() floats, unit norm (all zero only if the network's output is all zero)
 * @return 0; CAIRN_EINVALID where the box is outside; CAIRN_EBACKEND; CAIRN_ENOMEM
 */
CAIRN_API int cairn_describer_run(cairn_describer *describer, const cairn_image *image, const cairn_box *box,
				  float *out);

#ifdef __cplusplus
}
#endif
#endif

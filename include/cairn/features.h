/*
 * cairn/features.h - local features of one image: keypoints and compact descriptors, and what extracts them.
 *
 * A feature set belongs to one image and one kind ("xfeat", "rootsift", or the name of a local model). Coordinates are
 * in pixels of the full-size upright image, the centre of the top left pixel at (0, 0). Descriptors are unit vectors
 * kept as signed 8-bit codes with one factor for the whole set: value = code * cairn_features_code_scale().
 * docs/format.md says how they are stored and docs/results.md what the codes cost in matching accuracy.
 *
 * Thread-safety: a feature set never changes after it is made and may be read from any number of threads. An extractor
 * may be used from several threads at once.
 */
#ifndef CAIRN_FEATURES_H
#define CAIRN_FEATURES_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_features cairn_features;
typedef struct cairn_extractor cairn_extractor;

/** One keypoint. */
typedef struct {
	float x, y;  /**< pixels of the full-size image */
	float scale; /**< radius of the described patch in the same pixels; 0 where the kind has none */
	float angle; /**< direction in radians, counter-clockwise from +x with y downwards; 0 where the kind has none */
	float score; /**< the detector's confidence, larger is better; comparable within a kind only */
} cairn_keypoint;

/**
 * Make a feature set from arrays, which are copied; descriptors are L2-normalised and coded.
 *
 * @param[out] out         the new set; the caller frees it with cairn_features_free()
 * @param      kind        name of the kind, 1 to 63 bytes; sets of different kinds cannot be matched
 * @param      width,height size of the full-size image in pixels, >= 1
 * @param      count       number of keypoints, 0 allowed
 * @param      dim         dimensions of a descriptor, 1 to 1024
 * @param      keypoints   count keypoints
 * @param      descriptors count x dim floats, C order, any norm
 * @return 0; CAIRN_EINVALID where a size is out of range or a number is not finite; CAIRN_ENOMEM
 */
CAIRN_API int cairn_features_new(cairn_features **out, const char *kind, uint32_t width, uint32_t height, size_t count,
				 uint32_t dim, const cairn_keypoint *keypoints, const float *descriptors);

/** Free a feature set; NULL is allowed. */
CAIRN_API void cairn_features_free(cairn_features *features);

CAIRN_API const char *cairn_features_kind(const cairn_features *features);
CAIRN_API uint32_t cairn_features_width(const cairn_features *features);
CAIRN_API uint32_t cairn_features_height(const cairn_features *features);
CAIRN_API size_t cairn_features_count(const cairn_features *features);
CAIRN_API uint32_t cairn_features_dim(const cairn_features *features);
CAIRN_API float cairn_features_code_scale(const cairn_features *features);

/** Borrowed: count keypoints, best score first. */
CAIRN_API const cairn_keypoint *cairn_features_keypoints(const cairn_features *features);

/** Borrowed: count x dim signed codes, C order; multiply by the code scale for (nearly) unit vectors. */
CAIRN_API const int8_t *cairn_features_codes(const cairn_features *features);

/** How local features are extracted. */
typedef struct {
	uint32_t version;      /**< CAIRN_EXTRACTOR_OPTIONS_VERSION */
	uint32_t max_points;   /**< keep this many keypoints of the best score; 0: the kind's default (xfeat 1000,
				  rootsift 2000) */
	uint32_t longest;      /**< work on the image reduced to this longest side; 0: the kind's default (xfeat 640,
				  rootsift 1024) */
	uint32_t threads;      /**< how many threads will call at once; 0: one for each core */
	const char *precision; /**< "auto", "f32" or "bf16" for kinds that run a network; NULL: auto */
} cairn_extractor_options;

#define CAIRN_EXTRACTOR_OPTIONS_VERSION 1
#define CAIRN_EXTRACTOR_OPTIONS_INIT                                                                                   \
	{                                                                                                              \
		CAIRN_EXTRACTOR_OPTIONS_VERSION, 0, 0, 0, NULL                                                         \
	}

/**
 * Make an extractor.
 *
 * @param name "rootsift", the name of an installed local model such as "xfeat", or a path to a bundle folder
 * @return 0; CAIRN_ENOTFOUND where the model is not installed (the text says how to install it); CAIRN_EINVALID;
 *         CAIRN_EFORMAT where the bundle is faulty; CAIRN_EBACKEND; CAIRN_ENOMEM
 */
CAIRN_API int cairn_extractor_new(cairn_extractor **out, const char *name, const cairn_extractor_options *options);

/** Free an extractor; NULL is allowed. */
CAIRN_API void cairn_extractor_free(cairn_extractor *extractor);

/** The kind of the features it gives; borrowed. */
CAIRN_API const char *cairn_extractor_kind(const cairn_extractor *extractor);

/** The longest side it works on, in pixels: decode with cairn_image_options.shrink_to at least this. */
CAIRN_API uint32_t cairn_extractor_longest(const cairn_extractor *extractor);

/** The same of the shortest side, for cairn_image_options.shrink_shortest; 0 where the kind has no fixed size or sizes
 * by aspect. */
CAIRN_API uint32_t cairn_extractor_shortest(const cairn_extractor *extractor);

/**
 * Extract the features of an image, or of a part of it.
 *
 * @param[out] out   the new feature set; the caller frees it with cairn_features_free()
 * @param      image decoded image; it may have been reduced on loading
 * @param      box   NULL for the whole image; otherwise the part, in pixels of the full-size image: it is cut out
 * first, and the coordinates given are still those of the whole full-size image
 * @return 0 (an image without any feature gives an empty set); CAIRN_EINVALID; CAIRN_EBACKEND; CAIRN_ENOMEM
 */
CAIRN_API int cairn_extractor_run(cairn_extractor *extractor, const cairn_image *image, const cairn_box *box,
				  cairn_features **out);

/**
 * Learn a principal component analysis of a local model's descriptors from images and write it into a new bundle (or
 * the same one), which then gives fewer dimensions: L2(P (x - mean)) of unit descriptors x.
 *
 * Learned from a sample of at most 65536 descriptors of all images, the same for any number of threads.
 *
 * @param model    the local bundle to learn for; a PCA that it has already is ignored while learning
 * @param target   name of the bundle to write; may equal `model`, then collections made with it before no longer fit
 *                 and say so
 * @param dim      dimensions to keep, 1 to those of the network
 * @param replace  0: another bundle of that name is not overwritten (CAIRN_EEXISTS)
 * @param paths    image files; unreadable ones are passed over with a warning
 * @param options  NULL for the defaults
 * @param progress NULL, or told after each image
 * @return 0; CAIRN_EINVALID where the model is no local one, or dim is more than it has or than the descriptors span;
 *         CAIRN_ECANCELLED; errors of cairn_model_open()
 */
CAIRN_API int cairn_features_learn_pca(const char *model, const char *target, uint32_t dim, int replace,
				       const char *const *paths, size_t count, const cairn_extractor_options *options,
				       cairn_progress_cb progress, void *payload);

#ifdef __cplusplus
}
#endif
#endif

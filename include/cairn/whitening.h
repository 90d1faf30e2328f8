/*
 * cairn/whitening.h - centring and whitening of global descriptors, learned from images.
 *
 * What is learned is kept in a model's bundle and applied whenever it describes: L2(P (x - m)) of a pooled vector x,
 * brought to unit length before where the bundle says so (docs/methods.md, "Centring and whitening").
 */
#ifndef CAIRN_WHITENING_H
#define CAIRN_WHITENING_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/descriptors.h"
#include "cairn/error.h"
#include "cairn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Pairs of images that show the same, a query and its match each. */
typedef struct cairn_pairs cairn_pairs;

/**
 * Read pairs from a CSV file: two paths a line, absolute or relative to the file's folder. A first line
 * `query,positive` is a header. A pair that stands there twice counts twice.
 *
 * @param[out] out the caller frees it with cairn_pairs_free()
 * @return 0; CAIRN_ENOTFOUND where the file is missing, or an image in it; CAIRN_EFORMAT with "file:line: what" for
 *         more or less than two fields, an empty path, or an image that is paired with itself, and for a file without
 *         pairs; CAIRN_ENOMEM
 */
CAIRN_API int cairn_pairs_read(cairn_pairs **out, const char *file);

/**
 * Pair images that lie in the same folder, sub-folders apart.
 *
 * @param[out] out   the caller frees it with cairn_pairs_free()
 * @param      paths count of them; what is named twice counts once
 * @param      most  pairs of one folder, chosen at random where there are more; 0: all
 * @param      seed  of that choice, which depends on nothing else than the paths
 * @return 0; CAIRN_EINVALID where no folder has two of the images; CAIRN_ENOMEM
 */
CAIRN_API int cairn_pairs_in_folders(cairn_pairs **out, const char *const *paths, size_t count, uint32_t most,
				     uint64_t seed);

/** Free pairs; NULL is allowed. */
CAIRN_API void cairn_pairs_free(cairn_pairs *pairs);

CAIRN_API size_t cairn_pairs_count(const cairn_pairs *pairs);

/** How many different images are in the pairs. */
CAIRN_API size_t cairn_pairs_images(const cairn_pairs *pairs);

/** @param i below cairn_pairs_count() @param[out] query,positive paths, borrowed until the pairs are freed */
CAIRN_API void cairn_pairs_get(const cairn_pairs *pairs, size_t i, const char **query, const char **positive);

/** What cairn_whitening_learn() learns. */
typedef enum {
	CAIRN_WHITEN_CENTRE, /**< subtract the mean */
	CAIRN_WHITEN_PCA,    /**< subtract the mean, rotate onto the principal axes, keep the first `dim` */
	CAIRN_WHITEN_PCAW,   /**< as PCA, and divide each axis by its standard deviation to the power `power` */
	CAIRN_WHITEN_LW      /**< supervised, from pairs: make their differences white, then as PCA */
} cairn_whitening_kind;

/** How whitening is learned. */
typedef struct {
	uint32_t version; /**< CAIRN_WHITENING_OPTIONS_VERSION */
	cairn_whitening_kind kind;
	uint32_t dim;               /**< dimensions to keep; 0: all that the images span. 0 for CAIRN_WHITEN_CENTRE */
	double power;               /**< of CAIRN_WHITEN_PCAW: 1 whitens, 0 only rotates, 0.5 is halfway */
	int unit;                   /**< 1: vectors are brought to unit length first, 0: they are taken as they are; -1:
				     * 0 for CAIRN_WHITEN_CENTRE, otherwise 1 */
	const cairn_pairs *pairs;   /**< for CAIRN_WHITEN_LW, and only there */
	int replace;                /**< 0: another bundle of the target's name is not overwritten */
	uint32_t threads;           /**< 0: one for each core */
	const char *precision;      /**< as in cairn_model_options */
	cairn_progress_cb progress; /**< NULL, or told after each image */
	void *progress_payload;
} cairn_whitening_options;

#define CAIRN_WHITENING_OPTIONS_VERSION 1
#define CAIRN_WHITENING_OPTIONS_INIT                                                                                   \
	{                                                                                                              \
		CAIRN_WHITENING_OPTIONS_VERSION, CAIRN_WHITEN_PCAW, 0, 1, -1, NULL, 0, 0, NULL, NULL, NULL             \
	}

/**
 * Learn centring or whitening and write it into a new bundle, or the same one.
 *
 * Of several models an ensemble is made: their descriptors, each whitened as its bundle says and L2-normalised, are
 * multiplied by weight_i / sqrt(sum of weight^2) and concatenated, and that is whitened. The bundle names its members
 * and does not hold them: one that is changed or removed later makes the ensemble useless, which it says.
 *
 * Axes along which the images differ by less than 1e-5 of the largest variance are left out of PCA and PCAW, and n
 * images give at most n - 1 dimensions: there is nothing to learn about others. CAIRN_WHITEN_LW warns where there are
 * fewer pairs than dimensions.
 *
 * @param target  name of the bundle to write; may equal a single model's, then collections made with it before no
 *                longer fit and say so
 * @param models  n of them, 1 to 64. Whitening that a single one has already is ignored while learning, and that of an
 *                ensemble's as a whole; the weight of a single one means nothing
 * @param paths   image files; unreadable ones are passed over with a warning, pairs of them with them. None for
 *                CAIRN_WHITEN_LW, whose images are those of the pairs
 * @param options NULL for the defaults
 * @return 0; CAIRN_EINVALID where an option is out of range, `dim` is more than the models or the images give, all
 *         images give the same vector, a model is not a global one, is given twice or is the target of an ensemble, or
 *         one of several is an ensemble; CAIRN_EEXISTS; CAIRN_EFORMAT where fewer than 2 of the images can be read;
 *         CAIRN_ECANCELLED; errors of cairn_model_open()
 */
CAIRN_API int cairn_whitening_learn(const char *target, const cairn_describer_model *models, size_t n,
				    const char *const *paths, size_t count, const cairn_whitening_options *options);

#ifdef __cplusplus
}
#endif
#endif

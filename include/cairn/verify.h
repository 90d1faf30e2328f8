/*
 * cairn/verify.h - do two photographs show the same place? Matching of local features and geometric verification.
 *
 * Thread-safety: every function is a pure function of its arguments and may be called from any number of threads; a
 * cairn_verifier holds scratch memory and serves one thread at a time.
 */
#ifndef CAIRN_VERIFY_H
#define CAIRN_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/features.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Feature `a` of the first set and feature `b` of the second. */
typedef struct {
	uint32_t a, b;
	float similarity; /**< cosine of the two descriptors, -1 to 1 */
} cairn_match;

/** What kind of map takes points of the first image to points of the second. */
typedef enum { CAIRN_AFFINE, CAIRN_HOMOGRAPHY } cairn_geometry;

/** Which procedure verifies. */
typedef enum {
	CAIRN_VERIFY_MUTUAL, /**< mutual nearest neighbours, then RANSAC with local optimisation and adaptive stopping
			      */
	CAIRN_VERIFY_DELF /**< the published protocol: one-way neighbours closer than max_distance, affine RANSAC with
			   * exactly `trials` trials (DELF, Detect-to-Retrieve and DELG). T and R differ from paper to
			   * paper (a table in docs/methods.md, "Verification"): set max_distance, radius and
			   * reference_side 0, and in a search order by inliers with trust_inliers 0 */
} cairn_verify_protocol;

/** How two feature sets are compared. */
typedef struct {
	uint32_t version;               /**< CAIRN_VERIFY_OPTIONS_VERSION */
	cairn_verify_protocol protocol; /**< default CAIRN_VERIFY_MUTUAL */
	cairn_geometry geometry;        /**< default CAIRN_AFFINE; CAIRN_VERIFY_DELF knows no other */
	float ratio; /**< keep a match only if distance1 < ratio * distance2 (Lowe); 0: the kind's default; 1: off */
	float min_similarity; /**< keep a match only if the cosine is above; -1: off; NAN: the kind's default */
	float max_distance;   /**< CAIRN_VERIFY_DELF: Euclidean distance T of unit descriptors; default 0.8 */
	float radius;         /**< inliers are nearer than this many pixels of the second image, whose longest side is
			       *   counted as `reference_side` pixels; default 10 */
	float reference_side; /**< default 640; 0: count true pixels of the full-size image */
	uint32_t trials;      /**< most RANSAC trials; default 1000 */
	uint64_t seed;        /**< same seed, same result on every machine; default 0 */
} cairn_verify_options;

#define CAIRN_VERIFY_OPTIONS_VERSION 1

/** Fill in the defaults. */
CAIRN_API void cairn_verify_options_init(cairn_verify_options *options);

/** What verification found. */
typedef struct {
	uint32_t matches; /**< putative matches */
	uint32_t inliers; /**< matches that agree with the model; 0 where no model was found */
	double model[9]; /**< 3 x 3, row by row: (x, y, 1) of image a -> (x, y, w) of image b; last row 0 0 1 for affine
			    maps */
} cairn_verification;

typedef struct cairn_verifier cairn_verifier;

/** Make a verifier with its scratch memory. @param options NULL for the defaults; copied
 * @return 0; CAIRN_EINVALID where an option is out of range; CAIRN_ENOMEM */
CAIRN_API int cairn_verifier_new(cairn_verifier **out, const cairn_verify_options *options);

/** Free a verifier; NULL is allowed. */
CAIRN_API void cairn_verifier_free(cairn_verifier *verifier);

/**
 * Match two feature sets and verify the matches.
 *
 * @param[out] result   counts and model
 * @param[out] inliers  NULL, or set to a borrowed array of result->inliers matches, by index in `a`; valid until the
 * next call with this verifier
 * @return 0, also where nothing matches; CAIRN_EINVALID where the sets are of different kinds or dimensions;
 * CAIRN_ENOMEM
 */
CAIRN_API int cairn_verify(cairn_verifier *verifier, const cairn_features *a, const cairn_features *b,
			   cairn_verification *result, const cairn_match **inliers);

/**
 * Only match: mutual nearest neighbours under the verifier's ratio and similarity limits (or one-way under max_distance
 * for CAIRN_VERIFY_DELF).
 *
 * @param[out] matches borrowed, by index in `a`; valid until the next call with this verifier
 * @return the number of matches; CAIRN_EINVALID; CAIRN_ENOMEM
 */
CAIRN_API int cairn_verifier_match(cairn_verifier *verifier, const cairn_features *a, const cairn_features *b,
				   const cairn_match **matches);

#ifdef __cplusplus
}
#endif
#endif

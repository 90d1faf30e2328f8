/*
 * Verification of a pair: match, order the matches by similarity, RANSAC.
 */
#include "cairn/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"
#include "verify/kinds.h"
#include "verify/match.h"
#include "verify/ransac.h"

#define COMMON_SIDE 640.0f /* pixels; limits of the geometry are in these */

struct cairn_verifier {
	cairn_verify_options options;
	cn_match_scratch scratch;
	size_t capacity; /* of all below, in matches */
	cairn_match *matches, *found;
	uint32_t *inliers, *indices;
	float *coordinates; /* four arrays */
};

void cairn_verify_options_init(cairn_verify_options *options)
{
	*options = (cairn_verify_options){
		.version = CAIRN_VERIFY_OPTIONS_VERSION,
		.protocol = CAIRN_VERIFY_MUTUAL,
		.geometry = CAIRN_AFFINE,
		.min_similarity = NAN,
		.max_distance = 0.8f,
		.radius = 10,
		.reference_side = 640,
		.trials = 1000,
	};
}

static int check_options(const cairn_verify_options *options)
{
	if (options->version != CAIRN_VERIFY_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "verify options have version %u; this library knows %d",
			       options->version, CAIRN_VERIFY_OPTIONS_VERSION);
	if (options->protocol != CAIRN_VERIFY_MUTUAL && options->protocol != CAIRN_VERIFY_DELF)
		return cn_fail(CAIRN_EINVALID, "verification protocol %d is unknown", (int)options->protocol);
	if (options->geometry != CAIRN_AFFINE && options->geometry != CAIRN_HOMOGRAPHY)
		return cn_fail(CAIRN_EINVALID, "geometry %d is unknown", (int)options->geometry);
	if (options->protocol == CAIRN_VERIFY_DELF && options->geometry != CAIRN_AFFINE)
		return cn_fail(CAIRN_EINVALID, "protocol %d (DELF) has affine maps only, not geometry %d",
			       (int)options->protocol, (int)options->geometry);
	if (!(options->ratio >= 0 && options->ratio <= 1))
		return cn_fail(CAIRN_EINVALID, "ratio %g must be from 0 to 1", (double)options->ratio);
	if (!isnan(options->min_similarity) && !(options->min_similarity >= -1 && options->min_similarity <= 1))
		return cn_fail(CAIRN_EINVALID, "min_similarity %g must be from -1 to 1",
			       (double)options->min_similarity);
	if (!(options->max_distance > 0) || !(options->radius > 0) || !isfinite(options->radius))
		return cn_fail(CAIRN_EINVALID, "max_distance %g and radius %g must be positive",
			       (double)options->max_distance, (double)options->radius);
	if (!(options->reference_side >= 0) || !isfinite(options->reference_side))
		return cn_fail(CAIRN_EINVALID, "reference_side %g must be 0 or positive",
			       (double)options->reference_side);
	if (options->trials < 1 || options->trials > 10000000)
		return cn_fail(CAIRN_EINVALID, "%u trials: 1 to 10000000 are possible", options->trials);
	return 0;
}

int cairn_verifier_new(cairn_verifier **out, const cairn_verify_options *options)
{
	cairn_verifier *verifier;
	*out = NULL;
	if (options)
		CN_TRY(check_options(options));
	CN_NEW(verifier, 1, sizeof(*verifier));
	if (options)
		verifier->options = *options;
	else
		cairn_verify_options_init(&verifier->options);
	*out = verifier;
	return 0;
}

static void free_arrays(cairn_verifier *verifier)
{
	cn_free(verifier->matches);
	cn_free(verifier->found);
	cn_free(verifier->inliers);
	cn_free(verifier->indices);
	cn_free(verifier->coordinates);
	verifier->matches = verifier->found = NULL;
	verifier->inliers = verifier->indices = NULL;
	verifier->coordinates = NULL;
	verifier->capacity = 0;
}

void cairn_verifier_free(cairn_verifier *verifier)
{
	if (!verifier)
		return;
	free_arrays(verifier);
	cn_match_scratch_free(&verifier->scratch);
	cn_free(verifier);
}

static int reserve(cairn_verifier *verifier, size_t count)
{
	if (count <= verifier->capacity)
		return 0;
	free_arrays(verifier);
	verifier->matches = cn_alloc(count, sizeof(*verifier->matches));
	verifier->found = cn_alloc(count, sizeof(*verifier->found));
	verifier->inliers = cn_alloc(count, sizeof(*verifier->inliers));
	verifier->indices = cn_alloc(count, sizeof(*verifier->indices));
	verifier->coordinates = cn_alloc_aligned(count, 4 * sizeof(*verifier->coordinates));
	if (!verifier->matches || !verifier->found || !verifier->inliers || !verifier->indices ||
	    !verifier->coordinates) {
		free_arrays(verifier);
		return CAIRN_ENOMEM;
	}
	verifier->capacity = count;
	return 0;
}

static int check_sets(const cairn_features *a, const cairn_features *b)
{
	if (strcmp(cairn_features_kind(a), cairn_features_kind(b)) != 0 ||
	    cairn_features_dim(a) != cairn_features_dim(b))
		return cn_fail(
			CAIRN_EINVALID, "features of kind '%s' with %u dimensions cannot be matched with '%s' of %u",
			cairn_features_kind(a), cairn_features_dim(a), cairn_features_kind(b), cairn_features_dim(b));
	return 0;
}

int cairn_verifier_match(cairn_verifier *verifier, const cairn_features *a, const cairn_features *b,
			 const cairn_match **matches)
{
	const cairn_verify_options *options = &verifier->options;
	const cn_kind *kind = cn_kind_find(cairn_features_kind(a));
	CN_TRY(check_sets(a, b));
	CN_TRY(reserve(verifier, cairn_features_count(a)));
	*matches = verifier->matches;
	if (options->protocol == CAIRN_VERIFY_DELF)
		return cn_match_one_way(a, b, options->ratio > 0 ? options->ratio : 1, options->max_distance,
					&verifier->scratch, verifier->matches);
	return cn_match_mutual(a, b, options->ratio > 0 ? options->ratio : kind->ratio,
			       isnan(options->min_similarity) ? kind->min_similarity : options->min_similarity,
			       &verifier->scratch, verifier->matches);
}

/* Best similarity first; equal ones by their place, so that the order is the same everywhere. */
static int by_similarity(const void *left, const void *right)
{
	const cairn_match *a = left, *b = right;
	if (a->similarity != b->similarity)
		return a->similarity > b->similarity ? -1 : 1;
	return a->a < b->a ? -1 : a->a > b->a;
}

static int by_place(const void *left, const void *right)
{
	const cairn_match *a = left, *b = right;
	return a->a < b->a ? -1 : a->a > b->a;
}

/* ---- a common size: what is plausible must not depend on how many pixels the photographs have ---- */

static uint32_t longest_side(const cairn_features *features)
{
	uint32_t width = cairn_features_width(features), height = cairn_features_height(features);
	return width > height ? width : height;
}

static float to_common(const cairn_features *features)
{
	return COMMON_SIDE / (float)longest_side(features);
}

static float common_radius(const cairn_verify_options *options, const cairn_features *b)
{
	float reference = options->reference_side > 0 ? options->reference_side : (float)longest_side(b);
	return options->radius * (COMMON_SIDE / reference);
}

static cn_pairs gather(cairn_verifier *verifier, const cairn_features *a, const cairn_features *b, size_t count)
{
	const cairn_keypoint *points_a = cairn_features_keypoints(a), *points_b = cairn_features_keypoints(b);
	float *ax = verifier->coordinates, *ay = ax + count, *bx = ay + count, *by = bx + count;
	float scale_a = to_common(a), scale_b = to_common(b);
	for (size_t i = 0; i < count; i++) {
		const cairn_match *match = &verifier->matches[i];
		ax[i] = points_a[match->a].x * scale_a;
		ay[i] = points_a[match->a].y * scale_a;
		bx[i] = points_b[match->b].x * scale_b;
		by[i] = points_b[match->b].y * scale_b;
	}
	return (cn_pairs){ ax, ay, bx, by, count };
}

/* From the common size to the full sizes. */
static void enlarge(double model[9], double scale_a, double scale_b)
{
	for (int row = 0; row < 3; row++)
		for (int column = 0; column < 3; column++)
			model[3 * row + column] *= (column < 2 ? scale_a : 1) / (row < 2 ? scale_b : 1);
}

int cairn_verify(cairn_verifier *verifier, const cairn_features *a, const cairn_features *b, cairn_verification *result,
		 const cairn_match **inliers)
{
	const cairn_verify_options *options = &verifier->options;
	const cairn_match *matches;
	memset(result, 0, sizeof(*result));
	int count = cairn_verifier_match(verifier, a, b, &matches);
	CN_TRY(count);
	result->matches = (uint32_t)count;
	int plain = options->protocol == CAIRN_VERIFY_DELF;
	if (!plain && count > 1)
		qsort(verifier->matches, (size_t)count, sizeof(*verifier->matches), by_similarity);
	/* The published protocol asks for four putative matches. */
	if (count > (plain ? 3 : 0)) {
		const cn_ransac_options how = {
			.geometry = options->geometry,
			.radius = common_radius(options, b),
			.trials = options->trials,
			.seed = options->seed,
			.plain = plain,
		};
		cn_pairs pairs = gather(verifier, a, b, (size_t)count);
		result->inliers =
			(uint32_t)cn_ransac(&pairs, &how, verifier->indices, result->model, verifier->inliers);
		enlarge(result->model, (double)to_common(a), (double)to_common(b));
	}
	for (uint32_t i = 0; i < result->inliers; i++)
		verifier->found[i] = verifier->matches[verifier->inliers[i]];
	if (result->inliers > 1)
		qsort(verifier->found, result->inliers, sizeof(*verifier->found), by_place);
	if (inliers)
		*inliers = verifier->found;
	return 0;
}

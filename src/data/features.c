/*
 * A feature set: keypoints with the best score first, descriptors as signed 8-bit codes with one factor for the set.
 */
#include "data/features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

#define CODE_MAX 127.0

static int check_sizes(const char *kind, uint32_t width, uint32_t height, uint32_t dim)
{
	size_t length = kind ? strlen(kind) : 0;

	if (length < 1 || length > CN_FEATURES_KIND_MAX)
		return cn_fail(CAIRN_EINVALID, "the kind of a feature set has %zu bytes, but must have 1 to %d", length,
			       CN_FEATURES_KIND_MAX);
	if (width < 1 || height < 1)
		return cn_fail(CAIRN_EINVALID, "features of an image of %u x %u pixels", width, height);
	if (dim < 1 || dim > CN_FEATURES_DIM_MAX)
		return cn_fail(CAIRN_EINVALID, "descriptors of %u dimensions, but 1 to %d are possible", dim,
			       CN_FEATURES_DIM_MAX);
	return 0;
}

static int check_keypoints(size_t count, const cairn_keypoint *keypoints)
{
	for (size_t i = 0; i < count; i++) {
		const cairn_keypoint *k = &keypoints[i];

		if (!isfinite(k->x) || !isfinite(k->y) || !isfinite(k->scale) || !isfinite(k->angle) ||
		    !isfinite(k->score))
			return cn_fail(CAIRN_EINVALID, "keypoint %zu of %zu holds a number that is not finite", i,
				       count);
	}
	return 0;
}

/** A keypoint's place before sorting. */
typedef struct {
	float score;
	size_t place;
} ordered;

static int compare_ordered(const void *a, const void *b)
{
	const ordered *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

/* The places of the keypoints, best score first, those of equal score as they came. Caller frees. */
static int best_first(ordered **out, size_t count, const cairn_keypoint *keypoints)
{
	ordered *order = cn_alloc(count, sizeof(*order));

	*out = order;
	if (!order)
		return CAIRN_ENOMEM;
	int sorted = 1;
	for (size_t i = 0; i < count; i++) {
		order[i] = (ordered){ keypoints[i].score, i };
		sorted &= i == 0 || keypoints[i - 1].score >= keypoints[i].score;
	}
	if (!sorted)
		qsort(order, count, sizeof(*order), compare_ordered);
	return 0;
}

/* A set with room for its arrays, which are not filled yet. */
static int allocate(cairn_features **out, const char *kind, uint32_t width, uint32_t height, size_t count, uint32_t dim)
{
	cairn_features *set;
	size_t total;

	*out = NULL;
	CN_TRY(cn_size_mul(count, dim, &total));
	CN_NEW(set, 1, sizeof(*set));
	memcpy(set->kind, kind, strlen(kind) + 1);
	set->width = width;
	set->height = height;
	set->count = count;
	set->dim = dim;
	set->code_scale = 1;
	set->keypoints = cn_alloc(count, sizeof(*set->keypoints));
	set->codes = set->keypoints ? cn_alloc(total, 1) : NULL;
	if (!set->codes) {
		cairn_features_free(set);
		return CAIRN_ENOMEM;
	}
	*out = set;
	return 0;
}

/* The sum of squares and the largest |value|. Four sums beside each other, for the processor not to wait for one. */
static double sum_of_squares(const float *values, uint32_t dim, double *peak)
{
	double sums[4] = { 0 }, peaks[4] = { 0 };
	for (uint32_t j = 0; j < dim; j += 4)
		for (uint32_t k = 0; k < 4 && j + k < dim; k++) {
			double size = fabs((double)values[j + k]);

			sums[k] += size * size;
			peaks[k] = size > peaks[k] ? size : peaks[k];
		}
	*peak = fmax(fmax(peaks[0], peaks[1]), fmax(peaks[2], peaks[3]));
	return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* 1 / norm of each descriptor, 0 for a descriptor of zeros. @param[out] largest the largest |value| after normalisation
 */
static int measure(const float *descriptors, size_t count, uint32_t dim, double *scales, double *largest)
{
	*largest = 0;
	for (size_t i = 0; i < count; i++) {
		double peak, squares = sum_of_squares(descriptors + i * dim, dim, &peak);

		if (!isfinite(squares))
			return cn_fail(CAIRN_EINVALID, "descriptor %zu of %zu holds a number that is not finite", i,
				       count);
		scales[i] = squares > 0 ? 1 / sqrt(squares) : 0;
		*largest = peak * scales[i] > *largest ? peak * scales[i] : *largest;
	}
	return 0;
}

/* The largest |value| gives CODE_MAX, so that none is beyond. Adding and taking away 1.5 * 2^52 rounds to the nearest
 * number, in a way that compilers make vector code of. */
static void encode_one(const float *restrict values, uint32_t dim, double factor, int8_t *restrict code)
{
	const double rounding = 6755399441055744.0;
	for (uint32_t j = 0; j < dim; j++)
		code[j] = (int8_t)(int32_t)(((double)values[j] * factor + rounding) - rounding);
}

static void encode(cairn_features *set, const float *descriptors, const ordered *order, const double *scales,
		   double largest)
{
	double factor = largest > 0 ? CODE_MAX / largest : 0;

	set->code_scale = largest > 0 ? (float)(largest / CODE_MAX) : 1;
	for (size_t i = 0; i < set->count; i++)
		encode_one(descriptors + order[i].place * set->dim, set->dim, scales[order[i].place] * factor,
			   set->codes + i * set->dim);
}

int cairn_features_new(cairn_features **out, const char *kind, uint32_t width, uint32_t height, size_t count,
		       uint32_t dim, const cairn_keypoint *keypoints, const float *descriptors)
{
	cairn_features *set = NULL;
	ordered *order = NULL;
	double *scales = NULL, largest;
	int status;

	*out = NULL;
	CN_TRY(check_sizes(kind, width, height, dim));
	CN_TRY(check_keypoints(count, keypoints));
	CN_GOTO(status, allocate(&set, kind, width, height, count, dim));
	CN_GOTO(status, best_first(&order, count, keypoints));
	scales = cn_alloc(count, sizeof(*scales));
	if (!scales) {
		status = CAIRN_ENOMEM;
		goto done;
	}
	CN_GOTO(status, measure(descriptors, count, dim, scales, &largest));
	for (size_t i = 0; i < count; i++)
		set->keypoints[i] = keypoints[order[i].place];
	encode(set, descriptors, order, scales, largest);
	*out = set;
	set = NULL;
done:
	cn_free(scales);
	cn_free(order);
	cairn_features_free(set);
	return status;
}

int cn_features_from_codes(cairn_features **out, const char *kind, uint32_t width, uint32_t height, size_t count,
			   uint32_t dim, float code_scale, const cairn_keypoint *keypoints, const int8_t *codes)
{
	cairn_features *set = NULL;
	ordered *order = NULL;
	int status;

	*out = NULL;
	CN_TRY(check_sizes(kind, width, height, dim));
	CN_TRY(check_keypoints(count, keypoints));
	if (!isfinite(code_scale) || code_scale <= 0)
		return cn_fail(CAIRN_EINVALID, "the factor of a feature set's codes is %g, but must be positive",
			       code_scale);
	CN_GOTO(status, allocate(&set, kind, width, height, count, dim));
	CN_GOTO(status, best_first(&order, count, keypoints));
	set->code_scale = code_scale;
	for (size_t i = 0; i < count; i++) {
		set->keypoints[i] = keypoints[order[i].place];
		memcpy(set->codes + i * dim, codes + order[i].place * dim, dim);
	}
	*out = set;
	set = NULL;
done:
	cn_free(order);
	cairn_features_free(set);
	return status;
}

void cairn_features_free(cairn_features *features)
{
	if (!features)
		return;
	cn_free(features->keypoints);
	cn_free(features->codes);
	cn_free(features);
}

const char *cairn_features_kind(const cairn_features *features)
{
	return features->kind;
}

uint32_t cairn_features_width(const cairn_features *features)
{
	return features->width;
}

uint32_t cairn_features_height(const cairn_features *features)
{
	return features->height;
}

size_t cairn_features_count(const cairn_features *features)
{
	return features->count;
}

uint32_t cairn_features_dim(const cairn_features *features)
{
	return features->dim;
}

float cairn_features_code_scale(const cairn_features *features)
{
	return features->code_scale;
}

const cairn_keypoint *cairn_features_keypoints(const cairn_features *features)
{
	return features->keypoints;
}

const int8_t *cairn_features_codes(const cairn_features *features)
{
	return features->codes;
}

static int is_within(const cairn_keypoint *point, const cairn_box *box)
{
	return (double)point->x >= box->x0 && (double)point->x < box->x1 && (double)point->y >= box->y0 &&
	       (double)point->y < box->y1;
}

int cn_features_within(cairn_features **out, const cairn_features *features, const cairn_box *box)
{
	size_t count = 0, dim = features->dim;
	cairn_keypoint *points = cn_alloc(features->count, sizeof(*points));
	int8_t *codes = cn_alloc(features->count, dim);
	int status = points && codes ? 0 : CAIRN_ENOMEM;
	for (size_t i = 0; status == 0 && i < features->count; i++)
		if (is_within(&features->keypoints[i], box)) {
			points[count] = features->keypoints[i];
			memcpy(codes + count++ * dim, features->codes + i * dim, dim);
		}
	if (status == 0)
		status = cn_features_from_codes(out, features->kind, features->width, features->height, count,
						features->dim, features->code_scale, points, codes);
	cn_free(points);
	cn_free(codes);
	return status;
}

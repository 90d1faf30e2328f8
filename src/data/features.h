/*
 * data/features.h - the feature set behind cairn/features.h.
 */
#ifndef CN_DATA_FEATURES_H
#define CN_DATA_FEATURES_H

#include "cairn/features.h"

#define CN_FEATURES_KIND_MAX 63
#define CN_FEATURES_DIM_MAX  1024

struct cairn_features {
	char kind[CN_FEATURES_KIND_MAX + 1];
	uint32_t width, height;
	size_t count;
	uint32_t dim;
	float code_scale;
	cairn_keypoint *keypoints; /* count, best score first */
	int8_t *codes;             /* count x dim */
};

/** Make a set from codes that are coded already (read from disk); arrays are copied. Same checks as
 * cairn_features_new(). */
int cn_features_from_codes(cairn_features **out, const char *kind, uint32_t width, uint32_t height, size_t count,
			   uint32_t dim, float code_scale, const cairn_keypoint *keypoints, const int8_t *codes);

/** The features whose keypoints lie in a box, x0 and y0 inclusive, with the codes that they have. */
int cn_features_within(cairn_features **out, const cairn_features *features, const cairn_box *box);

#endif

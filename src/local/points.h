/*
 * local/points.h - what every extractor gives, in pixels of its working image, before it becomes a feature set.
 */
#ifndef CN_LOCAL_POINTS_H
#define CN_LOCAL_POINTS_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/features.h"

/** Keypoints and float descriptors; start zeroed. */
typedef struct {
	size_t count;
	uint32_t dim;
	cairn_keypoint *keypoints; /* count; the centre of the top left pixel is at (0, 0) */
	float *descriptors;        /* count x dim */
} cn_points;

void cn_points_free(cn_points *points);

/** Make room for count points. */
int cn_points_new(cn_points *points, size_t count, uint32_t dim);

#endif

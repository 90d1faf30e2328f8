/*
 * local/peaks.h - from peaks of a heat map to the best points, with descriptors sampled from a map.
 */
#ifndef CN_LOCAL_PEAKS_H
#define CN_LOCAL_PEAKS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "local/points.h"
#include "model/map.h"

typedef struct {
	float score; /* > 0 */
	uint32_t x, y;
} cn_peak;

/** A list of peaks in reading order; start zeroed, free the items. */
typedef struct {
	cn_peak *items;
	size_t count, room;
} cn_peaks;

/** Room for `more` items behind those that are there. */
int cn_peaks_make_room(cn_peaks *peaks, size_t more);

/**
 * Order peaks by score, those of equal score as they came, and describe the best.
 *
 * @param      descriptors   sampled bilinearly, then L2-normalised
 * @param      step_x,step_y pixels from one of the map's positions to the next
 * @param[out] points        the caller frees it with cn_points_free()
 */
int cn_peaks_describe(cn_peaks *peaks, uint32_t max_points, const cn_map *descriptors, float step_x, float step_y,
		      cn_points *points);

/** Four neighbouring positions of a map and their weights. */
typedef struct {
	size_t at[4];
	float weight[4];
} cn_corners;

/** Those around a place in pixels: position i is centred at (i + 1/2) step - 1/2; what is beyond the edge is the edge.
 */
static inline cn_corners cn_corners_at(size_t width, size_t height, float step_x, float step_y, float x, float y)
{
	float cx = (x + 0.5f) / step_x - 0.5f, cy = (y + 0.5f) / step_y - 0.5f;
	cx = fminf(fmaxf(cx, 0.0f), (float)(width - 1));
	cy = fminf(fmaxf(cy, 0.0f), (float)(height - 1));
	size_t x0 = (size_t)cx, y0 = (size_t)cy;
	size_t x1 = x0 + 1 < width ? x0 + 1 : x0, y1 = y0 + 1 < height ? y0 + 1 : y0;
	float fx = cx - (float)x0, fy = cy - (float)y0;
	return (cn_corners){
		.at = { y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1 },
		.weight = { (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy },
	};
}

static inline float cn_sample(const float *plane, const cn_corners *corners)
{
	float value = 0;
	for (int k = 0; k < 4; k++)
		value += corners->weight[k] * plane[corners->at[k]];
	return value;
}

#endif

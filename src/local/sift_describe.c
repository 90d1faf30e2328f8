/*
 * Orientations and descriptors, both from a patch of 16 x 16 samples.
 *
 * The patch is resampled from the blurred level the keypoint was found in, upright and of nine sigmas for orientations,
 * turned and of fifteen sigmas for descriptors. Patches of a fixed size make every weight a constant and every keypoint
 * cost the same; a step of the descriptor's patch is 15/16 sigma, which that level is blurred enough for.
 */
#include <math.h>
#include <string.h>

#include "local/sift.h"

#define BINS            36
#define PEAK            0.8f
#define ORIENT_SIGMAS   9.0f /* side of the patch: three times the window's 1.5 sigma, on both sides */
#define ORIENT_WINDOW   1.5f
#define DESCRIBE_SIGMAS 15.0f /* side of the patch: four cells of three sigmas, and half of one on both sides */
#define CLAMP           0.2f
#define TURN            6.2831853071795864769

static float clampf(float x, float high)
{
	return x < 0 ? 0 : x > high ? high : x;
}

/* Bilinear samples on a grid around the keypoint; what lies outside of the image is that at its edge. */
static void sample(float *samples, const cn_sift_octave *octave, const cn_sift_extremum *at, float step, float angle)
{
	const float *level = octave->levels[at->level].data;
	const float high_x = (float)(octave->width - 1), high_y = (float)(octave->height - 1);
	const float c = step * cosf(angle), s = step * sinf(angle), middle = 0.5f * (CN_SIFT_SAMPLES - 1);
	for (size_t i = 0; i < CN_SIFT_SAMPLES; i++) {
		float v = (float)i - middle;
		for (size_t j = 0; j < CN_SIFT_SAMPLES; j++) {
			float u = (float)j - middle;
			float x = clampf(at->x + u * c + v * s, high_x), y = clampf(at->y - u * s + v * c, high_y);
			size_t x0 = (size_t)x, y0 = (size_t)y;
			x0 -= x0 + 1 == octave->width;
			y0 -= y0 + 1 == octave->height;
			float fx = x - (float)x0, fy = y - (float)y0;
			const float *p = level + y0 * octave->stride + x0, *q = p + octave->stride;
			float above = p[0] + fx * (p[1] - p[0]), below = q[0] + fx * (q[1] - q[0]);
			samples[i * CN_SIFT_PITCH + j] = above + fy * (below - above);
		}
	}
}

/* The Gaussian window of the orientation patch along one axis; it is the same for every keypoint. */
static void orient_window(float window[CN_SIFT_PATCH])
{
	for (size_t i = 0; i < CN_SIFT_PATCH; i++) {
		float d = ((float)i - 0.5f * (CN_SIFT_PATCH - 1)) * (ORIENT_SIGMAS / CN_SIFT_PATCH / ORIENT_WINDOW);
		window[i] = expf(-0.5f * d * d);
	}
}

static void orient_histogram(float histogram[BINS], const float *angle, const float *size)
{
	float window[CN_SIFT_PATCH], raw[BINS + 1] = { 0 };
	orient_window(window);
	for (size_t i = 0; i < CN_SIFT_PATCH; i++)
		for (size_t j = 0; j < CN_SIFT_PATCH; j++) {
			size_t k = i * CN_SIFT_PATCH + j;
			raw[(size_t)(angle[k] + 0.5f)] += window[i] * window[j] * size[k];
		}
	raw[0] += raw[BINS];
	for (size_t b = 0; b < BINS; b++)
		histogram[b] = 0.375f * raw[b] + 0.25f * (raw[(b + BINS - 1) % BINS] + raw[(b + 1) % BINS]) +
			       0.0625f * (raw[(b + BINS - 2) % BINS] + raw[(b + 2) % BINS]);
}

size_t cn_sift_orient(float *angles, const cn_sift_octave *octave, const cn_sift_extremum *extremum)
{
	float samples[CN_SIFT_SAMPLES * CN_SIFT_PITCH], angle[CN_SIFT_PATCH * CN_SIFT_PATCH];
	float size[CN_SIFT_PATCH * CN_SIFT_PATCH], histogram[BINS], heights[CN_SIFT_ORIENTATIONS], most = 0;
	size_t count = 0;
	sample(samples, octave, extremum, extremum->sigma * (ORIENT_SIGMAS / CN_SIFT_PATCH), 0);
	cn_sift_kernels_get()->polar(angle, size, samples, BINS);
	orient_histogram(histogram, angle, size);
	for (size_t b = 0; b < BINS; b++)
		most = histogram[b] > most ? histogram[b] : most;
	for (size_t b = 0; b < BINS; b++) {
		float h = histogram[b], left = histogram[(b + BINS - 1) % BINS], right = histogram[(b + 1) % BINS];
		if (!(h > left && h > right && h >= PEAK * most))
			continue;
		float bin = (float)b + 0.5f * (left - right) / (left - 2 * h + right);
		if (count == CN_SIFT_ORIENTATIONS && h <= heights[count - 1])
			continue;
		size_t at = count < CN_SIFT_ORIENTATIONS ? count++ : count - 1;
		for (; at > 0 && heights[at - 1] < h; at--) {
			heights[at] = heights[at - 1];
			angles[at] = angles[at - 1];
		}
		heights[at] = h;
		angles[at] = (float)((bin < 0 ? (double)bin + BINS : (double)bin) * (TURN / BINS));
	}
	return count;
}

/* L2 norm 1, large values cut, L1 norm 1, root: L2 norm 1. */
static void normalise(float *values)
{
	float square = 0, sum = 0;
	for (size_t i = 0; i < CN_SIFT_DIM; i++)
		square += values[i] * values[i];
	float most = CLAMP * sqrtf(square);
	for (size_t i = 0; i < CN_SIFT_DIM; i++) {
		values[i] = values[i] > most ? most : values[i];
		sum += values[i];
	}
	float factor = sum > 0 ? 1 / sum : 0;
	for (size_t i = 0; i < CN_SIFT_DIM; i++)
		values[i] *= factor;
	cn_sift_kernels_get()->root(values);
}

void cn_sift_describe(float *out, const cn_sift_octave *octave, const cn_sift_extremum *extremum, float angle)
{
	float samples[CN_SIFT_SAMPLES * CN_SIFT_PITCH], angles[CN_SIFT_PATCH * CN_SIFT_PATCH];
	float size[CN_SIFT_PATCH * CN_SIFT_PATCH];
	const cn_sift_kernels *kernels = cn_sift_kernels_get();
	sample(samples, octave, extremum, extremum->sigma * (DESCRIBE_SIGMAS / CN_SIFT_PATCH), angle);
	kernels->polar(angles, size, samples, 8);
	kernels->spread(out, angles, size);
	normalise(out);
}

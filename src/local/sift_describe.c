/*
 * Orientations and descriptors, both from a patch of 32 x 32 samples.
 *
 * The patch is resampled from the blurred level the keypoint was found in, upright and of nine sigmas for orientations,
 * turned and of fifteen sigmas for descriptors. Patches of a fixed size make every weight a constant and every keypoint
 * cost the same; a step of the descriptor's patch is half a sigma.
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

#define AREA            (CN_SIFT_SAMPLES * CN_SIFT_SAMPLES)

/* A patch of `sigmas` on each side around the keypoint; room for what the gradients of the last row read beyond it. */
static void sample(float samples[AREA + CN_SIFT_LANES], const cn_sift_octave *octave, const cn_sift_extremum *at,
		   float sigmas, float angle)
{
	float step = at->sigma * (sigmas / CN_SIFT_GRADIENTS);
	cn_sift_grid grid = { octave->levels[at->level].data,
			      octave->width,
			      octave->height,
			      octave->stride,
			      at->x,
			      at->y,
			      step * cosf(angle),
			      step * sinf(angle) };
	cn_sift_kernels_get()->sample(samples, &grid);
	memset(samples + AREA, 0, CN_SIFT_LANES * sizeof(float));
}

/* The Gaussian window of the orientation patch along one axis; it is the same for every keypoint. */
static void orient_window(float window[CN_SIFT_GRADIENTS])
{
	for (size_t i = 0; i < CN_SIFT_GRADIENTS; i++) {
		float d = ((float)i - 0.5f * (CN_SIFT_GRADIENTS - 1)) *
			  (ORIENT_SIGMAS / CN_SIFT_GRADIENTS / ORIENT_WINDOW);
		window[i] = expf(-0.5f * d * d);
	}
}

static void orient_histogram(float histogram[BINS], const float *angle, const float *size)
{
	float window[CN_SIFT_GRADIENTS], raw[BINS + 1] = { 0 };
	orient_window(window);
	for (size_t i = 0; i < CN_SIFT_GRADIENTS; i++)
		for (size_t j = 0; j < CN_SIFT_GRADIENTS; j++) {
			size_t k = i * CN_SIFT_SAMPLES + j;
			raw[(size_t)(angle[k] + 0.5f)] += window[i] * window[j] * size[k];
		}
	raw[0] += raw[BINS];
	for (size_t b = 0; b < BINS; b++)
		histogram[b] = 0.375f * raw[b] + 0.25f * (raw[(b + BINS - 1) % BINS] + raw[(b + 1) % BINS]) +
			       0.0625f * (raw[(b + BINS - 2) % BINS] + raw[(b + 2) % BINS]);
}

size_t cn_sift_orient(float *angles, const cn_sift_octave *octave, const cn_sift_extremum *extremum)
{
	float samples[AREA + CN_SIFT_LANES], angle[AREA], size[AREA], histogram[BINS], heights[CN_SIFT_ORIENTATIONS],
		most = 0;
	size_t count = 0;
	sample(samples, octave, extremum, ORIENT_SIGMAS, 0);
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
	float samples[AREA + CN_SIFT_LANES], angles[AREA], size[AREA];
	const cn_sift_kernels *kernels = cn_sift_kernels_get();
	sample(samples, octave, extremum, DESCRIBE_SIGMAS, angle);
	kernels->polar(angles, size, samples, 8);
	kernels->spread(out, angles, size);
	normalise(out);
}

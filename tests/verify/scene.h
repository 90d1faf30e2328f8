/*
 * scene.h - point pairs under a known map, with outliers among them; for the tests of verification only.
 */
#ifndef CN_TESTS_SCENE_H
#define CN_TESTS_SCENE_H

#include <math.h>
#include <stdlib.h>

#include "support.h"
#include "verify/geometry.h"

/** What is in a scene. */
typedef struct {
	size_t count;
	double outliers; /**< share of the pairs that are random */
	double noise;    /**< standard deviation in pixels of image b */
	uint64_t seed;
} scene_shape;

/** Arrays are exactly as long as they must be, so that AddressSanitizer sees what is read beyond them. */
struct scene {
	cn_pairs pairs;
	float *numbers[4]; /* ax, ay, bx, by */
	int *is_true;
	size_t true_count;
};

#define SCENE_WIDTH  640.0
#define SCENE_HEIGHT 480.0

static inline void scene_map(const double m[9], double x, double y, double *u, double *v)
{
	double w = m[6] * x + m[7] * y + m[8];
	*u = (m[0] * x + m[1] * y + m[2]) / w;
	*v = (m[3] * x + m[4] * y + m[5]) / w;
}

static inline void scene_new(struct scene *out, const double map[9], const scene_shape *shape)
{
	uint64_t seed = shape->seed;
	*out = (struct scene){ .is_true = calloc(shape->count + 1, sizeof(int)) };
	for (int k = 0; k < 4; k++)
		out->numbers[k] = malloc(shape->count * sizeof(float));
	for (size_t i = 0; i < shape->count; i++) {
		double x = SCENE_WIDTH * (double)cn_test_uniform(&seed), u;
		double y = SCENE_HEIGHT * (double)cn_test_uniform(&seed), v;
		scene_map(map, x, y, &u, &v);
		u += shape->noise * (double)cn_test_normal(&seed);
		v += shape->noise * (double)cn_test_normal(&seed);
		out->is_true[i] = (double)cn_test_uniform(&seed) >= shape->outliers;
		out->true_count += (size_t)out->is_true[i];
		if (!out->is_true[i]) {
			u = SCENE_WIDTH * (double)cn_test_uniform(&seed);
			v = SCENE_HEIGHT * (double)cn_test_uniform(&seed);
		}
		out->numbers[0][i] = (float)x;
		out->numbers[1][i] = (float)y;
		out->numbers[2][i] = (float)u;
		out->numbers[3][i] = (float)v;
	}
	out->pairs = (cn_pairs){ out->numbers[0], out->numbers[1], out->numbers[2], out->numbers[3], shape->count };
}

static inline void scene_free(struct scene *old)
{
	for (int k = 0; k < 4; k++)
		free(old->numbers[k]);
	free(old->is_true);
}

/** How far the model takes a point of pair i from its partner, in double; infinite behind the camera. */
static inline double scene_residual(const cn_pairs *pairs, const double model[9], size_t i)
{
	double x = (double)pairs->ax[i], y = (double)pairs->ay[i], u, v;
	if (!(model[6] * x + model[7] * y + model[8] > 0))
		return INFINITY;
	scene_map(model, x, y, &u, &v);
	return hypot(u - (double)pairs->bx[i], v - (double)pairs->by[i]);
}

/** Pairs nearer than radius, by the definition. */
static inline size_t scene_count(const cn_pairs *pairs, const double model[9], double radius)
{
	size_t count = 0;
	for (size_t i = 0; i < pairs->count; i++)
		count += scene_residual(pairs, model, i) < radius;
	return count;
}

/** Largest distance of two maps over the corners of image a. */
static inline double scene_distance(const double one[9], const double other[9])
{
	double largest = 0;
	for (int corner = 0; corner < 4; corner++) {
		double x = corner & 1 ? SCENE_WIDTH : 0, y = corner & 2 ? SCENE_HEIGHT : 0, u, v, s, t;
		scene_map(one, x, y, &u, &v);
		scene_map(other, x, y, &s, &t);
		largest = fmax(largest, hypot(u - s, v - t));
	}
	return largest;
}

/** Maps that one photograph may stand in to another. */
static const double scene_affine[][9] = {
	{ 1, 0, 0, 0, 1, 0, 0, 0, 1 },
	{ 0.8, -0.3, 120, 0.25, 0.9, -30, 0, 0, 1 },
	{ -0.05, -0.7, 500, 0.75, 0.1, 20, 0, 0, 1 },
	{ 0.4, 0.05, 90, -0.02, 0.55, 100, 0, 0, 1 },
};
static const double scene_homography[][9] = {
	{ 1, 0, 0, 0, 1, 0, 0, 0, 1 },
	{ 0.9, -0.2, 60, 0.15, 0.8, 10, 0.0004, -0.0002, 1 },
	{ 0.6, 0.1, 40, -0.1, 0.9, 60, -0.0005, 0.0003, 1 },
};

#endif

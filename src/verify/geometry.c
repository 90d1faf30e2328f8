/*
 * Affine maps and homographies.
 */
#include "verify/geometry.h"

#include <math.h>
#include <string.h>

#include "math/dispatch.h"

size_t cn_model_pairs(cairn_geometry geometry)
{
	return geometry == CAIRN_HOMOGRAPHY ? 4 : 3;
}

/* Solves n equations in place by elimination with partial pivoting; rows of n + 1. 0 where they are (nearly) dependent.
 */
static int solve(double *rows, size_t n, double *solution)
{
	size_t width = n + 1;
	for (size_t c = 0; c < n; c++) {
		size_t pivot = c;
		for (size_t r = c + 1; r < n; r++)
			if (fabs(rows[r * width + c]) > fabs(rows[pivot * width + c]))
				pivot = r;
		if (!(fabs(rows[pivot * width + c]) > 1e-10))
			return 0;
		for (size_t k = c; k < width; k++) {
			double swap = rows[c * width + k];
			rows[c * width + k] = rows[pivot * width + k];
			rows[pivot * width + k] = swap;
		}
		for (size_t r = c + 1; r < n; r++) {
			double factor = rows[r * width + c] / rows[c * width + c];
			for (size_t k = c; k < width; k++)
				rows[r * width + k] -= factor * rows[c * width + k];
		}
	}
	for (size_t c = n; c-- > 0;) {
		double value = rows[c * width + n];
		for (size_t k = c + 1; k < n; k++)
			value -= rows[c * width + k] * solution[k];
		solution[c] = value / rows[c * width + c];
	}
	return 1;
}

/* ---- normalised coordinates ---- */

/* x' = (x - mean) * scale, so that the mean distance from the centre is sqrt(2). */
struct frame {
	double x, y, scale;
};

/* Square roots are rounded alike everywhere; hypot() is not. @return 0 where all points are one, or not finite */
static int frame_of(struct frame *frame, const float *x, const float *y, const uint32_t *chosen, size_t count)
{
	double distance = 0, share = 1 / (double)count;
	*frame = (struct frame){ 0, 0, 1 };
	for (size_t i = 0; i < count; i++) {
		frame->x += (double)x[chosen[i]];
		frame->y += (double)y[chosen[i]];
	}
	frame->x *= share;
	frame->y *= share;
	for (size_t i = 0; i < count; i++) {
		double dx = (double)x[chosen[i]] - frame->x, dy = (double)y[chosen[i]] - frame->y;
		distance += sqrt(dx * dx + dy * dy);
	}
	distance *= share;
	frame->scale = sqrt(2.0) / distance;
	return distance > 1e-9 && isfinite(distance);
}

/* From normalised coordinates back: T_b^-1 * model * T_a. */
static void denormalise(double model[9], const struct frame *a, const struct frame *b)
{
	double m[9];
	for (int r = 0; r < 3; r++) {
		m[3 * r] = model[3 * r] * a->scale;
		m[3 * r + 1] = model[3 * r + 1] * a->scale;
		m[3 * r + 2] = model[3 * r + 2] - m[3 * r] * a->x - m[3 * r + 1] * a->y;
	}
	for (int c = 0; c < 3; c++) {
		model[c] = m[c] / b->scale + m[6 + c] * b->x;
		model[3 + c] = m[3 + c] / b->scale + m[6 + c] * b->y;
		model[6 + c] = m[6 + c];
	}
}

/* ---- fitting ---- */

static int fit_affine(const cn_pairs *pairs, const uint32_t *chosen, size_t count, const struct frame *fa,
		      const struct frame *fb, double model[9])
{
	/* About the centroids the translation is zero and two unknowns a row are left. */
	double xx = 0, xy = 0, yy = 0, xu = 0, yu = 0, xv = 0, yv = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t k = chosen[i];
		double x = ((double)pairs->ax[k] - fa->x) * fa->scale, y = ((double)pairs->ay[k] - fa->y) * fa->scale;
		double u = ((double)pairs->bx[k] - fb->x) * fb->scale, v = ((double)pairs->by[k] - fb->y) * fb->scale;
		xx += x * x;
		xy += x * y;
		yy += y * y;
		xu += x * u;
		yu += y * u;
		xv += x * v;
		yv += y * v;
	}
	double determinant = xx * yy - xy * xy;
	/* The points of a lie on a line, to the precision of the sums. */
	if (!(determinant > 1e-10 * (xx + yy) * (xx + yy)))
		return 0;
	const double fitted[9] = { (xu * yy - yu * xy) / determinant,
				   (yu * xx - xu * xy) / determinant,
				   0,
				   (xv * yy - yv * xy) / determinant,
				   (yv * xx - xv * xy) / determinant,
				   0,
				   0,
				   0,
				   1 };
	memcpy(model, fitted, sizeof(fitted));
	return 1;
}

static int fit_homography(const cn_pairs *pairs, const uint32_t *chosen, size_t count, const struct frame *fa,
			  const struct frame *fb, double model[9])
{
	double normal[8 * 9] = { 0 };
	for (size_t i = 0; i < count; i++) {
		uint32_t k = chosen[i];
		double x = ((double)pairs->ax[k] - fa->x) * fa->scale, y = ((double)pairs->ay[k] - fa->y) * fa->scale;
		double u = ((double)pairs->bx[k] - fb->x) * fb->scale, v = ((double)pairs->by[k] - fb->y) * fb->scale;
		const double equations[2][9] = { { x, y, 1, 0, 0, 0, -u * x, -u * y, u },
						 { 0, 0, 0, x, y, 1, -v * x, -v * y, v } };
		for (int e = 0; e < 2; e++)
			for (int r = 0; r < 8; r++)
				for (int c = 0; c < 9; c++)
					normal[9 * r + c] += equations[e][r] * equations[e][c];
	}
	model[8] = 1;
	return solve(normal, 8, model);
}

int cn_model_fit(cairn_geometry geometry, const cn_pairs *pairs, const uint32_t *chosen, size_t count, double model[9])
{
	if (count < cn_model_pairs(geometry))
		return 0;
	struct frame fa, fb;
	if (!frame_of(&fa, pairs->ax, pairs->ay, chosen, count) || !frame_of(&fb, pairs->bx, pairs->by, chosen, count))
		return 0;
	int found = geometry == CAIRN_HOMOGRAPHY ? fit_homography(pairs, chosen, count, &fa, &fb, model)
						 : fit_affine(pairs, chosen, count, &fa, &fb, model);
	if (!found)
		return 0;
	denormalise(model, &fa, &fb);
	for (int i = 0; i < 9; i++)
		if (!isfinite(model[i]))
			return 0;
	return 1;
}

/* The derivative of the map at (x, y): 2 x 2. */
static int derivative(cairn_geometry geometry, const double m[9], double x, double y, double d[4])
{
	if (geometry != CAIRN_HOMOGRAPHY) {
		const double linear[4] = { m[0], m[1], m[3], m[4] };
		memcpy(d, linear, sizeof(linear));
		return 1;
	}
	double w = m[6] * x + m[7] * y + m[8];
	if (!(w > 1e-9))
		return 0;
	double u = (m[0] * x + m[1] * y + m[2]) / w, v = (m[3] * x + m[4] * y + m[5]) / w;
	d[0] = (m[0] - u * m[6]) / w;
	d[1] = (m[1] - u * m[7]) / w;
	d[2] = (m[3] - v * m[6]) / w;
	d[3] = (m[4] - v * m[7]) / w;
	return 1;
}

int cn_model_is_plausible(cairn_geometry geometry, const double model[9], double x, double y)
{
	double d[4];
	if (!derivative(geometry, model, x, y, d))
		return 0;
	double determinant = d[0] * d[3] - d[1] * d[2], squares = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + d[3] * d[3];
	if (!(determinant > 0))
		return 0;
	/* Singular values s1 >= s2: their squares sum to `squares`, their product is the determinant. */
	double root = sqrt(fmax(squares * squares - 4 * determinant * determinant, 0));
	double s1 = sqrt((squares + root) / 2), s2 = determinant / s1;
	return s1 < CN_MODEL_ANISOTROPY * s2 && s1 < CN_MODEL_SCALE && s2 * CN_MODEL_SCALE > 1;
}

/* ---- counting ---- */

/* One pair; written so that compilers make vector code of the loop around it: no branch, and 1 or 0 comes out. */
static inline __attribute__((always_inline)) int agrees(int homography, const float m[9], float ax, float ay, float bx,
							float by, float squared)
{
	float u = m[0] * ax + m[1] * ay + m[2], v = m[3] * ax + m[4] * ay + m[5];
	if (!homography)
		return (u - bx) * (u - bx) + (v - by) * (v - by) < squared;
	/* |(u, v) / w - b| < r without division; w is positive in front of the camera. */
	float w = m[6] * ax + m[7] * ay + m[8], x = u - w * bx, y = v - w * by;
	return (x * x + y * y < squared * w * w) & (w > 0);
}

static inline __attribute__((always_inline)) size_t count_all(int homography, const float m[9], const cn_pairs *pairs,
							      float squared)
{
	const float *ax = pairs->ax, *ay = pairs->ay, *bx = pairs->bx, *by = pairs->by;
	int count = 0;
	for (size_t i = 0; i < pairs->count; i++)
		count += agrees(homography, m, ax[i], ay[i], bx[i], by[i], squared);
	return (size_t)count;
}

typedef size_t (*count_form)(int, const float *, const cn_pairs *, float);

static size_t count_scalar(int homography, const float *m, const cn_pairs *pairs, float squared)
{
	return homography ? count_all(1, m, pairs, squared) : count_all(0, m, pairs, squared);
}

/* The same loops without fused multiply-add, so that every form counts the same. */
__attribute__((target("avx2"))) static size_t count_avx2(int homography, const float *m, const cn_pairs *pairs,
							 float squared)
{
	return homography ? count_all(1, m, pairs, squared) : count_all(0, m, pairs, squared);
}

static count_form choose_count(void)
{
	return cn_kernels_level() >= CN_KERNELS_AVX2 ? count_avx2 : count_scalar;
}

static void to_float(const double model[9], float m[9])
{
	for (int i = 0; i < 9; i++)
		m[i] = (float)model[i];
}

size_t cn_model_count(cairn_geometry geometry, const double model[9], const cn_pairs *pairs, float radius)
{
	float m[9];
	to_float(model, m);
	return choose_count()(geometry == CAIRN_HOMOGRAPHY, m, pairs, radius * radius);
}

size_t cn_model_inliers(cairn_geometry geometry, const double model[9], const cn_pairs *pairs, float radius,
			uint32_t *inliers)
{
	float m[9];
	size_t count = 0;
	to_float(model, m);
	for (size_t i = 0; i < pairs->count; i++) {
		inliers[count] = (uint32_t)i;
		count += (size_t)agrees(geometry == CAIRN_HOMOGRAPHY, m, pairs->ax[i], pairs->ay[i], pairs->bx[i],
					pairs->by[i], radius * radius);
	}
	return count;
}

/*
 * Extrema of the difference of Gaussians: found among 26 neighbours, moved to the top of the quadratic that fits, and
 * kept where the contrast is high and the curvature is not that of an edge.
 */
#include <math.h>

#include "local/sift.h"
#include "util/memory.h"

#define CONTRAST  0.04 /* least sum of contrast over the scales of an octave, white being 1 */
#define WHITE     255.0
#define THRESHOLD (CONTRAST / CN_SIFT_SCALES * WHITE)
#define EDGE      10.0 /* largest ratio of the principal curvatures */
#define STEPS     5    /* of refinement */

/* A sample and what the quadratic needs of its neighbours. */
struct fit {
	double gradient[3], offset[3]; /* x, y, scale */
	double xx, yy, ss, xy, xs, ys;
	double value;
};

struct place {
	size_t x, y, level;
};

static const float *dog_row(const cn_sift_scratch *scratch, const cn_sift_octave *octave, size_t i, size_t y)
{
	return scratch->dogs[i].data + (y & scratch->dogs[i].mask) * octave->stride;
}

/* Derivatives by differences. */
static void differentiate(struct fit *fit, const cn_sift_scratch *scratch, const cn_sift_octave *octave,
			  struct place at)
{
	const float *r[3][3];
	for (size_t s = 0; s < 3; s++)
		for (size_t i = 0; i < 3; i++)
			r[s][i] = dog_row(scratch, octave, at.level + s - 1, at.y + i - 1) + at.x;
	double value = r[1][1][0], twice = 2 * value;
	fit->value = value;
	fit->gradient[0] = 0.5 * ((double)r[1][1][1] - (double)r[1][1][-1]);
	fit->gradient[1] = 0.5 * ((double)r[1][2][0] - (double)r[1][0][0]);
	fit->gradient[2] = 0.5 * ((double)r[2][1][0] - (double)r[0][1][0]);
	fit->xx = (double)r[1][1][1] + (double)r[1][1][-1] - twice;
	fit->yy = (double)r[1][2][0] + (double)r[1][0][0] - twice;
	fit->ss = (double)r[2][1][0] + (double)r[0][1][0] - twice;
	fit->xy = 0.25 * ((double)r[1][2][1] - (double)r[1][2][-1] - (double)r[1][0][1] + (double)r[1][0][-1]);
	fit->xs = 0.25 * ((double)r[2][1][1] - (double)r[2][1][-1] - (double)r[0][1][1] + (double)r[0][1][-1]);
	fit->ys = 0.25 * ((double)r[2][2][0] - (double)r[2][0][0] - (double)r[0][2][0] + (double)r[0][0][0]);
}

/* Where the quadratic is flat: minus the inverse of the Hessian times the gradient. @return 0 where there is no such
 * place */
static int solve(struct fit *fit)
{
	double a = fit->yy * fit->ss - fit->ys * fit->ys, b = fit->xs * fit->ys - fit->xy * fit->ss;
	double c = fit->xy * fit->ys - fit->xs * fit->yy, d = fit->xx * fit->ss - fit->xs * fit->xs;
	double e = fit->xy * fit->xs - fit->xx * fit->ys, f = fit->xx * fit->yy - fit->xy * fit->xy;
	double det = fit->xx * a + fit->xy * b + fit->xs * c;
	const double *g = fit->gradient;
	if (!(fabs(det) > 1e-12))
		return 0;
	fit->offset[0] = -(a * g[0] + b * g[1] + c * g[2]) / det;
	fit->offset[1] = -(b * g[0] + d * g[1] + e * g[2]) / det;
	fit->offset[2] = -(c * g[0] + e * g[1] + f * g[2]) / det;
	return 1;
}

static int step(double offset)
{
	return offset > 0.5 ? 1 : offset < -0.5 ? -1 : 0;
}

/* Walks to the sample nearest to the top. @return 0 where there is none within reach */
static int walk(struct fit *fit, struct place *at, const cn_sift_scratch *scratch, const cn_sift_octave *octave)
{
	size_t from = at->y;
	for (int i = 0; i < STEPS; i++) {
		differentiate(fit, scratch, octave, *at);
		if (!solve(fit))
			return 0;
		int dx = step(fit->offset[0]), dy = step(fit->offset[1]), ds = step(fit->offset[2]);
		if (!dx && !dy && !ds)
			return 1;
		if (fabs(fit->offset[0]) > 4 || fabs(fit->offset[1]) > 4 || fabs(fit->offset[2]) > 4)
			return 0;
		at->x = (size_t)((ptrdiff_t)at->x + dx);
		at->y = (size_t)((ptrdiff_t)at->y + dy);
		at->level = (size_t)((ptrdiff_t)at->level + ds);
		if (at->x < CN_SIFT_BORDER || at->x + CN_SIFT_BORDER >= octave->width || at->y < CN_SIFT_BORDER ||
		    at->y + CN_SIFT_BORDER >= octave->height || at->level < 1 || at->level > CN_SIFT_SCALES ||
		    at->y + CN_SIFT_WALK < from || at->y > from + CN_SIFT_WALK)
			return 0;
	}
	return 0;
}

static int is_edge(const struct fit *fit)
{
	double trace = fit->xx + fit->yy, det = fit->xx * fit->yy - fit->xy * fit->xy;
	return !(det > 0 && trace * trace * EDGE < (EDGE + 1) * (EDGE + 1) * det);
}

static int append(cn_sift_scratch *scratch, const cn_sift_extremum *extremum)
{
	if (scratch->count == scratch->capacity) {
		size_t capacity = scratch->capacity ? 2 * scratch->capacity : 4096;
		cn_sift_extremum *larger = cn_realloc(scratch->extrema, capacity, sizeof(*larger));
		if (!larger)
			return CAIRN_ENOMEM;
		scratch->extrema = larger;
		scratch->capacity = capacity;
	}
	scratch->extrema[scratch->count++] = *extremum;
	return 0;
}

static int refine(cn_sift_scratch *scratch, size_t o, struct place at)
{
	struct fit fit;
	if (!walk(&fit, &at, scratch, &scratch->octaves[o]) || is_edge(&fit))
		return 0;
	double top = fit.value;
	for (size_t i = 0; i < 3; i++)
		top += 0.5 * fit.gradient[i] * fit.offset[i];
	if (!(fabs(top) >= THRESHOLD))
		return 0;
	cn_sift_extremum extremum = {
		.x = (float)((double)at.x + fit.offset[0]),
		.y = (float)((double)at.y + fit.offset[1]),
		.sigma = (float)(CN_SIFT_SIGMA * exp2(((double)at.level + fit.offset[2]) / CN_SIFT_SCALES)),
		.score = (float)(fabs(top) / WHITE),
		.octave = (uint32_t)o,
		.level = (uint32_t)at.level,
		.cell_x = (uint32_t)at.x,
		.cell_y = (uint32_t)at.y,
	};
	return append(scratch, &extremum);
}

int cn_sift_find(cn_sift_scratch *scratch, size_t o, size_t y)
{
	const cn_sift_octave *octave = &scratch->octaves[o];
	const cn_sift_kernels *kernels = cn_sift_kernels_get();
	for (size_t level = 1; level <= CN_SIFT_SCALES; level++) {
		const float *rows[9];
		for (size_t i = 0; i < 9; i++)
			rows[i] = dog_row(scratch, octave, level + i / 3 - 1, y + i % 3 - 1);
		size_t count = kernels->extrema(scratch->found, rows, CN_SIFT_BORDER, octave->width - CN_SIFT_BORDER,
						(float)(0.5 * THRESHOLD));
		for (size_t i = 0; i < count; i++)
			CN_TRY(refine(scratch, o, (struct place){ scratch->found[i], y, level }));
	}
	return 0;
}

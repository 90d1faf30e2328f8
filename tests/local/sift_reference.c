#include "sift_reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIGMA     1.6
#define SCALES    3
#define BORDER    4
#define THRESHOLD (0.04 / SCALES * 255)
#define GRID      30
#define MIDDLE    (0.5 * (GRID + 1))
#define BLUR      0.3 /* of an image as it comes */

static double at_mirrored(const double *pixels, ptrdiff_t i, size_t n, size_t step)
{
	ptrdiff_t last = (ptrdiff_t)n - 1;
	while (i < 0 || i > last)
		i = i < 0 ? -i : 2 * last - i;
	return pixels[(size_t)i * step];
}

/* A Gaussian cut off at three sigmas, along both axes. */
static double *blurred(const double *pixels, size_t width, size_t height, double sigma)
{
	ptrdiff_t radius = (ptrdiff_t)ceil(3 * sigma);
	double *half = calloc(width * height, sizeof(*half)), *whole = calloc(width * height, sizeof(*whole)), sum = 0;
	for (ptrdiff_t i = -radius; i <= radius; i++)
		sum += exp(-(double)(i * i) / (2 * sigma * sigma));
	for (ptrdiff_t i = -radius; i <= radius; i++) {
		double weight = exp(-(double)(i * i) / (2 * sigma * sigma)) / sum;
		for (size_t y = 0; y < height; y++)
			for (size_t x = 0; x < width; x++)
				half[y * width + x] +=
					weight * at_mirrored(pixels + x, (ptrdiff_t)y + i, height, width);
	}
	for (ptrdiff_t i = -radius; i <= radius; i++) {
		double weight = exp(-(double)(i * i) / (2 * sigma * sigma)) / sum;
		for (size_t y = 0; y < height; y++)
			for (size_t x = 0; x < width; x++)
				whole[y * width + x] +=
					weight * at_mirrored(half + y * width, (ptrdiff_t)x + i, width, 1);
	}
	free(half);
	return whole;
}

/* (2 width - 1) x (2 height - 1), linear between the pixels. */
static double *doubled(const float *grey, size_t width, size_t height)
{
	size_t out_width = 2 * width - 1, out_height = 2 * height - 1;
	double *out = malloc(out_width * out_height * sizeof(*out));
	for (size_t y = 0; y < out_height; y++)
		for (size_t x = 0; x < out_width; x++) {
			const float *a = grey + y / 2 * width, *b = grey + (y + 1) / 2 * width;
			out[y * out_width + x] = 0.25 * ((double)a[x / 2] + (double)a[(x + 1) / 2] + (double)b[x / 2] +
							 (double)b[(x + 1) / 2]);
		}
	return out;
}

static double *halved(const double *pixels, size_t width, size_t height)
{
	size_t out_width = (width + 1) / 2, out_height = (height + 1) / 2;
	double *out = malloc(out_width * out_height * sizeof(*out));
	for (size_t y = 0; y < out_height; y++)
		for (size_t x = 0; x < out_width; x++)
			out[y * out_width + x] = pixels[2 * y * width + 2 * x];
	return out;
}

static double dog(const struct reference_octave *octave, size_t level, size_t x, size_t y)
{
	size_t i = y * octave->width + x;
	return octave->levels[level + 1][i] - octave->levels[level][i];
}

static int is_extremum(const struct reference_octave *octave, size_t level, size_t x, size_t y)
{
	double value = dog(octave, level, x, y), sign = value < 0 ? -1 : 1;
	if (!(sign * value > 0.5 * THRESHOLD))
		return 0;
	for (size_t s = level - 1; s <= level + 1; s++)
		for (size_t v = y - 1; v <= y + 1; v++)
			for (size_t u = x - 1; u <= x + 1; u++)
				if (sign * dog(octave, s, u, v) > sign * value)
					return 0;
	return 1;
}

/* DoG at a step of (a, b) along the axes i and j (0: x, 1: y, 2: level) from `at`. */
static double beside(const struct reference_octave *octave, const size_t at[3], size_t i, int a, size_t j, int b)
{
	size_t p[3] = { at[0], at[1], at[2] };
	p[i] += (size_t)(ptrdiff_t)a;
	p[j] += (size_t)(ptrdiff_t)b;
	return dog(octave, p[2], p[0], p[1]);
}

/* Gradient and Hessian in x, y, level by differences. */
static void differentiate(double g[3], double h[3][3], const struct reference_octave *octave, const size_t at[3])
{
	for (size_t i = 0; i < 3; i++) {
		double up = beside(octave, at, i, 1, i, 0), down = beside(octave, at, i, -1, i, 0);
		g[i] = (up - down) / 2;
		h[i][i] = up + down - 2 * dog(octave, at[2], at[0], at[1]);
		for (size_t j = 0; j < i; j++)
			h[i][j] = h[j][i] = (beside(octave, at, i, 1, j, 1) - beside(octave, at, i, 1, j, -1) -
					     beside(octave, at, i, -1, j, 1) + beside(octave, at, i, -1, j, -1)) /
					    4;
	}
}

static double determinant(double h[3][3])
{
	return h[0][0] * (h[1][1] * h[2][2] - h[1][2] * h[2][1]) - h[0][1] * (h[1][0] * h[2][2] - h[1][2] * h[2][0]) +
	       h[0][2] * (h[1][0] * h[2][1] - h[1][1] * h[2][0]);
}

/* offset = -h^-1 g, by Cramer's rule. */
static int solve(double offset[3], const double g[3], double h[3][3])
{
	double whole = determinant(h);
	if (fabs(whole) < 1e-12)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		double replaced[3][3];
		memcpy(replaced, h, sizeof(replaced));
		for (size_t j = 0; j < 3; j++)
			replaced[j][i] = -g[j];
		offset[i] = determinant(replaced) / whole;
	}
	return 1;
}

static int is_inside(const struct reference_octave *octave, const size_t at[3], size_t from_y)
{
	return at[0] >= BORDER && at[0] + BORDER < octave->width && at[1] >= BORDER &&
	       at[1] + BORDER < octave->height && at[2] >= 1 && at[2] <= SCALES && at[1] + 2 >= from_y &&
	       at[1] <= from_y + 2;
}

static int refine(struct reference_extremum *out, const struct reference_octave *octave, size_t at[3])
{
	double g[3], h[3][3], offset[3];
	size_t from_y = at[1];
	for (int i = 0; i < 5; i++) {
		differentiate(g, h, octave, at);
		if (!solve(offset, g, h))
			return 0;
		if (fabs(offset[0]) <= 0.5 && fabs(offset[1]) <= 0.5 && fabs(offset[2]) <= 0.5) {
			double trace = h[0][0] + h[1][1], det = h[0][0] * h[1][1] - h[0][1] * h[0][1];
			double top = dog(octave, at[2], at[0], at[1]);
			for (size_t k = 0; k < 3; k++)
				top += 0.5 * g[k] * offset[k];
			out->level = at[2];
			out->x = (double)at[0] + offset[0];
			out->y = (double)at[1] + offset[1];
			out->sigma = SIGMA * pow(2, ((double)at[2] + offset[2]) / SCALES);
			out->score = fabs(top) / 255;
			return fabs(top) >= THRESHOLD && det > 0 && trace * trace / det < 11.0 * 11.0 / 10.0;
		}
		for (size_t k = 0; k < 3; k++) {
			if (fabs(offset[k]) > 4)
				return 0;
			at[k] += (size_t)(ptrdiff_t)((offset[k] > 0.5) - (offset[k] < -0.5));
		}
		if (!is_inside(octave, at, from_y))
			return 0;
	}
	return 0;
}

static void find_extrema(struct reference *reference, size_t o)
{
	const struct reference_octave *octave = &reference->octaves[o];
	for (size_t y = BORDER; y + BORDER < octave->height; y++)
		for (size_t level = 1; level <= SCALES; level++)
			for (size_t x = BORDER; x + BORDER < octave->width; x++) {
				struct reference_extremum extremum = { .octave = o };
				size_t at[3] = { x, y, level };
				if (!is_extremum(octave, level, x, y) || !refine(&extremum, octave, at))
					continue;
				reference->extrema = realloc(reference->extrema,
							     (reference->count + 1) * sizeof(*reference->extrema));
				reference->extrema[reference->count++] = extremum;
			}
}

void reference_new(struct reference *reference, const float *grey, size_t width, size_t height)
{
	memset(reference, 0, sizeof(*reference));
	double *pixels = doubled(grey, width, height), pixel = 0.5;
	width = 2 * width - 1;
	height = 2 * height - 1;
	while (width >= 12 && height >= 12) {
		size_t o = reference->octave_count++;
		struct reference_octave *octave = &reference->octaves[o];
		*octave = (struct reference_octave){ width, height, pixel, { pixels } };
		if (o == 0) {
			octave->levels[0] = blurred(pixels, width, height, sqrt(SIGMA * SIGMA - 4 * BLUR * BLUR));
			free(pixels);
		}
		for (size_t i = 1; i < REFERENCE_LEVELS; i++) {
			double before = SIGMA * pow(2, (double)(i - 1) / SCALES),
			       after = SIGMA * pow(2, (double)i / SCALES);
			octave->levels[i] =
				blurred(octave->levels[i - 1], width, height, sqrt(after * after - before * before));
		}
		find_extrema(reference, o);
		pixels = halved(octave->levels[SCALES], width, height);
		width = (width + 1) / 2;
		height = (height + 1) / 2;
		pixel *= 2;
	}
	free(pixels);
}

void reference_free(struct reference *reference)
{
	for (size_t o = 0; o < reference->octave_count; o++)
		for (size_t i = 0; i < REFERENCE_LEVELS; i++)
			free(reference->octaves[o].levels[i]);
	free(reference->extrema);
}

static double bilinear(const struct reference_octave *octave, size_t level, double x, double y)
{
	x = fmin(fmax(x, 0), (double)octave->width - 1);
	y = fmin(fmax(y, 0), (double)octave->height - 1);
	size_t x0 = (size_t)x, y0 = (size_t)y, x1 = x0 + 1 < octave->width ? x0 + 1 : x0;
	size_t y1 = y0 + 1 < octave->height ? y0 + 1 : y0;
	const double *p = octave->levels[level] + y0 * octave->width, *q = octave->levels[level] + y1 * octave->width;
	double fx = x - (double)x0, fy = y - (double)y0;
	return (1 - fy) * ((1 - fx) * p[x0] + fx * p[x1]) + fy * ((1 - fx) * q[x0] + fx * q[x1]);
}

/* Share of a sample at u, in cells from the keypoint, in the cell `c`, which is centred at c - 1.5. */
static double share(double u, size_t c)
{
	return fmax(0, 1 - fabs(u - ((double)c - 1.5))) * exp(-u * u / 8);
}

static void add_gradient(double *out, double gx, double gy, double u, double v)
{
	double turn = atan2(gy, gx) / (2 * acos(-1)), direction = 8 * (turn < 0 ? turn + 1 : turn);
	for (size_t r = 0; r < 4; r++)
		for (size_t c = 0; c < 4; c++)
			for (size_t b = 0; b < 8; b++) {
				double far = fabs(direction - (double)b);
				far = fmin(far, 8 - far);
				out[(r * 4 + c) * 8 + b] +=
					share(v, r) * share(u, c) * fmax(0, 1 - far) * hypot(gx, gy);
			}
}

static void normalise(double *out)
{
	double square = 0, sum = 0;
	for (size_t i = 0; i < 128; i++)
		square += out[i] * out[i];
	for (size_t i = 0; i < 128; i++) {
		out[i] = fmin(out[i], 0.2 * sqrt(square));
		sum += out[i];
	}
	for (size_t i = 0; i < 128; i++)
		out[i] = sum > 0 ? sqrt(out[i] / sum) : 0;
}

void reference_describe(double *out, const struct reference_octave *octave, size_t level, double x, double y,
			double sigma, double angle)
{
	double samples[GRID + 2][GRID + 2], step = 15 * sigma / GRID;
	memset(out, 0, 128 * sizeof(*out));
	for (size_t i = 0; i < GRID + 2; i++)
		for (size_t j = 0; j < GRID + 2; j++) {
			double u = step * ((double)j - MIDDLE), v = step * ((double)i - MIDDLE);
			samples[i][j] = bilinear(octave, level, x + u * cos(angle) + v * sin(angle),
						 y - u * sin(angle) + v * cos(angle));
		}
	for (size_t i = 1; i <= GRID; i++)
		for (size_t j = 1; j <= GRID; j++)
			add_gradient(out, samples[i][j + 1] - samples[i][j - 1], samples[i - 1][j] - samples[i + 1][j],
				     ((double)j - MIDDLE) * 5 / GRID, ((double)i - MIDDLE) * 5 / GRID);
	normalise(out);
}

/*
 * The kernels of SIFT: every form gives the same bytes, and what naive loops in double precision give.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "local/sift.h"
#include "math/dispatch.h"
#include "support.h"

enum { SIDE = CN_SIFT_SAMPLES, AREA = SIDE * SIDE, ROOM = AREA + CN_SIFT_LANES, LINE = 160, MARGIN = 32 };

static const cn_kernels levels[] = { CN_KERNELS_SCALAR, CN_KERNELS_AVX2, CN_KERNELS_AVX512 };
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static void fill(float *out, size_t count, float low, float high, uint64_t seed)
{
	for (size_t i = 0; i < count; i++)
		out[i] = low + (high - low) * cn_test_uniform(&seed);
}

/* `work` writes `count` floats; all forms must write the same. What the scalar form wrote stays in `out`. */
static void same_bytes(void (*work)(const cn_sift_kernels *kernels, const void *input, float *out), const void *input,
		       float *out, size_t count)
{
	float *other = calloc(count, sizeof(*other));
	for (size_t l = 0; l < LEVELS; l++) {
		if (cn_kernels_force(levels[l]) != levels[l])
			continue;
		work(cn_sift_kernels_get(), input, l ? other : out);
		if (l)
			assert_memory_equal(other, out, count * sizeof(*out));
	}
	cn_kernels_force(CN_KERNELS_BEST);
	free(other);
}

/* ---- blur and difference ---- */

struct blur_case {
	size_t radius, blocks;
	float kernel[17];
	float pixels[33][LINE + 2 * MARGIN];
};

static void run_columns(const cn_sift_kernels *kernels, const void *input, float *out)
{
	const struct blur_case *c = input;
	const float *rows[33];
	for (size_t i = 0; i < 33; i++)
		rows[i] = c->pixels[i];
	kernels->blur_columns(out, rows, c->kernel, c->radius, c->blocks);
}

static void run_line(const cn_sift_kernels *kernels, const void *input, float *out)
{
	const struct blur_case *c = input;
	kernels->blur_line(out, c->pixels[0] + MARGIN, c->kernel, c->radius, c->blocks);
}

static void run_subtract(const cn_sift_kernels *kernels, const void *input, float *out)
{
	const struct blur_case *c = input;
	kernels->subtract(out, c->pixels[0], c->pixels[1], c->blocks);
}

static void blurs_and_differences_are_those_of_plain_loops(void **state)
{
	(void)state;
	static const size_t radii[] = { 0, 1, 2, 5, 11, 16 }, blocks[] = { 1, 3, 4, 5, 9 };
	static struct blur_case c;
	float out[LINE];
	fill(c.pixels[0], sizeof(c.pixels) / sizeof(float), 0, 255, 1);
	fill(c.kernel, 17, 0, 0.2f, 2);
	for (size_t r = 0; r < 6; r++)
		for (size_t b = 0; b < 5; b++) {
			c.radius = radii[r];
			c.blocks = blocks[b];
			size_t count = c.blocks * CN_SIFT_LANES;
			same_bytes(run_columns, &c, out, count);
			for (size_t x = 0; x < count; x++) {
				double sum = (double)c.kernel[0] * (double)c.pixels[c.radius][x];
				for (size_t i = 1; i <= c.radius; i++)
					sum += (double)c.kernel[i] *
					       ((double)c.pixels[c.radius - i][x] + (double)c.pixels[c.radius + i][x]);
				assert_float_equal(out[x], sum, 1e-3);
			}
			same_bytes(run_line, &c, out, count);
			for (size_t x = 0; x < count; x++) {
				const float *p = c.pixels[0] + MARGIN + x;
				double sum = (double)c.kernel[0] * (double)*p;
				for (size_t i = 1; i <= c.radius; i++)
					sum += (double)c.kernel[i] * ((double)p[-(ptrdiff_t)i] + (double)p[i]);
				assert_float_equal(out[x], sum, 1e-3);
			}
			same_bytes(run_subtract, &c, out, count);
			for (size_t x = 0; x < count; x++)
				assert_true(out[x] == c.pixels[0][x] - c.pixels[1][x]);
		}
}

/* ---- extrema ---- */

struct extrema_case {
	float pixels[9][LINE];
	size_t begin, end;
	float threshold;
};

/* The count, then the columns. */
static void run_extrema(const cn_sift_kernels *kernels, const void *input, float *out)
{
	const struct extrema_case *c = input;
	const float *rows[9];
	uint32_t found[LINE];
	for (size_t i = 0; i < 9; i++)
		rows[i] = c->pixels[i];
	size_t count = kernels->extrema(found, rows, c->begin, c->end, c->threshold);
	memset(out, 0, (LINE + 1) * sizeof(*out));
	out[0] = (float)count;
	for (size_t i = 0; i < count; i++)
		out[1 + i] = (float)found[i];
}

static int is_extremum(const struct extrema_case *c, size_t x)
{
	float value = c->pixels[4][x], sign = value < 0 ? -1 : 1;
	if (!(sign * value > c->threshold))
		return 0;
	for (size_t row = 0; row < 9; row++)
		for (size_t k = x - 1; k <= x + 1; k++)
			if (sign * c->pixels[row][k] > sign * value)
				return 0;
	return 1;
}

static void extrema_are_those_of_plain_loops(void **state)
{
	(void)state;
	static struct extrema_case c;
	static const size_t ranges[][2] = { { 1, 159 }, { 4, 156 }, { 5, 5 }, { 7, 22 }, { 30, 31 } };
	float out[LINE + 1];
	size_t all = 0;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		fill(c.pixels[0], sizeof(c.pixels) / sizeof(float), -3, 3, seed);
		/* Whole numbers tie with their neighbours; smaller neighbours make the middle row rich in extrema. */
		for (size_t i = 0; i < 9; i++)
			for (size_t x = 0; x < LINE; x++)
				c.pixels[i][x] = i == 4 ? c.pixels[i][x]
							: (seed % 2 ? roundf(c.pixels[i][x] / 4) : c.pixels[i][x] / 4);
		c.threshold = seed % 3 ? 0.5f : 2;
		c.begin = ranges[seed % 5][0];
		c.end = ranges[seed % 5][1];
		same_bytes(run_extrema, &c, out, LINE + 1);
		size_t count = 0;
		for (size_t x = c.begin; x < c.end; x++)
			if (is_extremum(&c, x))
				assert_true(out[1 + count++] == (float)x);
		assert_true(out[0] == (float)count);
		all += count;
	}
	assert_true(all > 100);
}

/* ---- patches ---- */

static void run_sample(const cn_sift_kernels *kernels, const void *input, float *out)
{
	kernels->sample(out, input);
}

static double clamp(double x, size_t count)
{
	return fmin(fmax(x, 0), (double)count - 1);
}

static double sample_at(const cn_sift_grid *grid, double x, double y)
{
	x = clamp(x, grid->width);
	y = clamp(y, grid->height);
	size_t x0 = (size_t)fmin(floor(x), (double)grid->width - 2);
	size_t y0 = (size_t)fmin(floor(y), (double)grid->height - 2);
	const float *p = grid->data + y0 * grid->stride + x0, *q = p + grid->stride;
	double fx = x - (double)x0, fy = y - (double)y0;
	return (1 - fy) * ((1 - fx) * (double)p[0] + fx * (double)p[1]) +
	       fy * ((1 - fx) * (double)q[0] + fx * (double)q[1]);
}

static void samples_are_those_of_plain_loops(void **state)
{
	(void)state;
	static float pixels[60 * 80], out[AREA];
	static const float steps[][4] = {
		/* x, y, step, angle: inside, turned, over each edge, on the last sample, wholly outside */
		{ 30, 25, 0.7f, 0 },  { 30.3f, 25.8f, 1.1f, 1 }, { 1, 1, 2, 2.5f }, { 68.9f, 58, 1.5f, 4 },
		{ 69, 59, 0.01f, 0 }, { 35, 30, 40, 0.3f },      { 0, 59, 0, 0 },
	};
	fill(pixels, 60 * 80, 0, 255, 3);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		float c = steps[i][2] * cosf(steps[i][3]), s = steps[i][2] * sinf(steps[i][3]);
		cn_sift_grid grid = { pixels, 70, 60, 80, steps[i][0], steps[i][1], c, s };
		same_bytes(run_sample, &grid, out, AREA);
		for (size_t k = 0; k < AREA; k++) {
			double u = (double)(k % SIDE) - 15.5, v = (double)(k / SIDE) - 15.5;
			double x = (double)grid.x + u * (double)c + v * (double)s;
			double y = (double)grid.y - u * (double)s + v * (double)c;
			assert_float_equal(out[k], sample_at(&grid, x, y), 0.05);
		}
	}
}

/* Angles, then sizes, of the columns that count. */
static void run_polar(const cn_sift_kernels *kernels, const void *input, float *out)
{
	float angle[AREA], size[AREA];
	kernels->polar(angle, size, input, 8);
	for (size_t i = 0; i < CN_SIFT_GRADIENTS; i++)
		for (size_t j = 0; j < CN_SIFT_GRADIENTS; j++) {
			*out++ = angle[i * SIDE + j];
			*out++ = size[i * SIDE + j];
		}
}

static void gradients_are_those_of_plain_loops(void **state)
{
	(void)state;
	static float samples[ROOM], out[2 * AREA];
	for (uint64_t seed = 1; seed <= 6; seed++) {
		fill(samples, AREA, 0, 255, seed);
		/* Whole steps give gradients of every octant, along the axes and of length 0. */
		for (size_t k = 0; seed % 2 && k < AREA; k++)
			samples[k] = roundf(samples[k] / 128);
		same_bytes(run_polar, samples, out, 2 * CN_SIFT_GRADIENTS * CN_SIFT_GRADIENTS);
		const float *found = out;
		for (size_t i = 1; i <= CN_SIFT_GRADIENTS; i++)
			for (size_t j = 1; j <= CN_SIFT_GRADIENTS; j++, found += 2) {
				const float *p = samples + i * SIDE + j;
				double gx = (double)p[1] - (double)p[-1], gy = (double)p[-SIDE] - (double)p[SIDE];
				double turn = atan2(gy, gx) * 4 / acos(-1), far;
				assert_float_equal(found[1], hypot(gx, gy), 6e-6 * hypot(gx, gy));
				assert_true(found[0] >= 0 && found[0] <= 8);
				far = fabs(remainder((double)found[0] - turn, 8));
				assert_true(hypot(gx, gy) == 0 || far < 1e-3);
			}
	}
}

struct spread_case {
	float angle[AREA], size[AREA];
};

static void run_spread(const cn_sift_kernels *kernels, const void *input, float *out)
{
	const struct spread_case *c = input;
	kernels->spread(out, c->angle, c->size);
}

static double triangle(double far)
{
	return fmax(0, 1 - fabs(far));
}

/* What gradient i gives to a cell: a step is a sixth of a cell, centres are 0.5 and 1.5 cells off, the window is 2. */
static double share(size_t i, size_t cell)
{
	double u = ((double)i - 0.5 * (CN_SIFT_GRADIENTS - 1)) * 5 / CN_SIFT_GRADIENTS;
	return triangle(u - ((double)cell - 1.5)) * exp(-u * u / 8);
}

static void histograms_are_those_of_plain_loops(void **state)
{
	(void)state;
	static struct spread_case c;
	float out[CN_SIFT_DIM];
	for (uint64_t seed = 1; seed <= 4; seed++) {
		double wanted[CN_SIFT_DIM] = { 0 };
		fill(c.angle, AREA, 0, 8, seed);
		fill(c.size, AREA, 0, 100, seed + 10);
		for (size_t k = 0; k < AREA; k += 7)
			c.angle[k] = k % 2 ? 8 : 0;
		same_bytes(run_spread, &c, out, CN_SIFT_DIM);
		for (size_t i = 0; i < CN_SIFT_GRADIENTS; i++)
			for (size_t j = 0; j < CN_SIFT_GRADIENTS; j++)
				for (size_t d = 0; d < CN_SIFT_DIM; d++) {
					double far = fabs((double)c.angle[i * SIDE + j] - (double)(d % 8));
					wanted[d] += (double)c.size[i * SIDE + j] * share(i, d / 32) *
						     share(j, d / 8 % 4) * triangle(fmin(far, 8 - far));
				}
		for (size_t d = 0; d < CN_SIFT_DIM; d++)
			assert_float_equal(out[d], wanted[d], 1e-4 * wanted[d] + 1e-3);
	}
}

static void run_root(const cn_sift_kernels *kernels, const void *input, float *out)
{
	memcpy(out, input, CN_SIFT_DIM * sizeof(*out));
	kernels->root(out);
}

static void roots_are_near(void **state)
{
	(void)state;
	float values[CN_SIFT_DIM], out[CN_SIFT_DIM];
	fill(values, CN_SIFT_DIM, 0, 1, 9);
	for (size_t i = 0; i < 40; i++)
		values[i] *= powf(10, -(float)i / 2);
	values[100] = 0;
	same_bytes(run_root, values, out, CN_SIFT_DIM);
	for (size_t i = 0; i < CN_SIFT_DIM; i++)
		assert_true(fabs((double)out[i] - sqrt((double)values[i])) <= 5e-6 * sqrt((double)values[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blurs_and_differences_are_those_of_plain_loops),
		cmocka_unit_test(extrema_are_those_of_plain_loops),
		cmocka_unit_test(samples_are_those_of_plain_loops),
		cmocka_unit_test(gradients_are_those_of_plain_loops),
		cmocka_unit_test(histograms_are_those_of_plain_loops),
		cmocka_unit_test(roots_are_near),
	};
	return cmocka_run_group_tests_name("local/sift-kernels", tests, NULL, NULL);
}

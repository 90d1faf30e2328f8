#include "scenes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* Random values at every `cell` pixels, linear between them. */
static void add_patches(float *grey, size_t width, size_t height, size_t cell, float amplitude, uint64_t *seed)
{
	size_t columns = width / cell + 2, rows = height / cell + 2;
	float *values = malloc(columns * rows * sizeof(*values));
	for (size_t i = 0; i < columns * rows; i++)
		values[i] = amplitude * (2 * cn_test_uniform(seed) - 1);
	for (size_t y = 0; y < height; y++)
		for (size_t x = 0; x < width; x++) {
			const float *v = values + y / cell * columns + x / cell;
			float fx = (float)(x % cell) / (float)cell, fy = (float)(y % cell) / (float)cell;
			float above = v[0] + fx * (v[1] - v[0]);
			float below = v[columns] + fx * (v[columns + 1] - v[columns]);
			grey[y * width + x] += above + fy * (below - above);
		}
	free(values);
}

float *scene_texture(size_t width, size_t height, uint64_t seed)
{
	static const size_t cells[] = { 3, 6, 13, 29 };
	float *grey = calloc(width * height, sizeof(*grey));
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		add_patches(grey, width, height, cells[i], 60, &seed);
	for (size_t i = 0; i < width * height; i++)
		grey[i] = fminf(fmaxf(128 + grey[i], 0), 255);
	return grey;
}

float *scene_part(const float *grey, size_t stride, size_t x, size_t y, size_t width, size_t height)
{
	float *out = malloc(width * height * sizeof(*out));
	for (size_t row = 0; row < height; row++)
		memcpy(out + row * width, grey + (y + row) * stride + x, width * sizeof(*out));
	return out;
}

float *scene_turned(const float *grey, size_t width, size_t height)
{
	float *out = malloc(width * height * sizeof(*out));
	for (size_t y = 0; y < height; y++)
		for (size_t x = 0; x < width; x++)
			out[(width - 1 - x) * height + y] = grey[y * width + x];
	return out;
}

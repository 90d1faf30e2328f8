/*
 * Pooling of feature maps. Sums run in double so that they do not depend on how the compiler orders them.
 */
#include "global/pool.h"

#include <math.h>

#include "math/dispatch.h"
#include "math/power.h"

#define GEM_FLOOR 1e-6f
#define SOME      256 /* powers at once */

/* A comparison with NaN is false, so the floor must not be what the false branch gives. */
static inline float floored(float x)
{
	return x < GEM_FLOOR ? GEM_FLOOR : x;
}

CN_INLINE double mean_cube(const float *x, size_t n)
{
	double lanes[8] = { 0 };
	size_t i = 0;
	for (; i + 8 <= n; i += 8)
		for (size_t k = 0; k < 8; k++) {
			float v = floored(x[i + k]);
			lanes[k] += (double)(v * v * v);
		}
	double sum = 0;
	for (; i < n; i++) {
		float v = floored(x[i]);
		sum += (double)(v * v * v);
	}
	for (size_t k = 0; k < 8; k++)
		sum += lanes[k];
	return sum / (double)n;
}

/* Relative to the largest, so that no power is beyond the range of numbers. A comparison with NaN is false. */
static double generalised_mean(const float *x, size_t n, double p)
{
	double largest = 0, sum = 0, some[SOME];
	for (size_t i = 0; i < n; i++)
		largest = largest > (double)floored(x[i]) ? largest : (double)floored(x[i]);
	for (size_t i = 0; i < n; i += SOME) {
		size_t count = n - i < SOME ? n - i : SOME;
		for (size_t k = 0; k < count; k++)
			some[k] = (double)floored(x[i + k]) / largest;
		cn_powers(some, count, p, some);
		for (size_t k = 0; k < count; k++)
			sum += some[k];
	}
	return largest * pow(sum / (double)n, 1.0 / p);
}

/* The usual power, without pow(). */
CN_INLINE void mean_cubes_inlined(const float *map, size_t channels, size_t positions, float *vector)
{
	for (size_t c = 0; c < channels; c++)
		vector[c] = (float)cbrt(mean_cube(map + c * positions, positions));
}

CN_DEFINE_FORMS(mean_cubes, mean_cubes_inlined, (const float *map, size_t channels, size_t positions, float *vector),
		(map, channels, positions, vector))

void cn_pool_gem(const cn_map *map, float p, const float *powers, float *vector)
{
	size_t positions = cn_map_positions(map);
	if (!powers && p == 3.0f) {
		mean_cubes(map->data, map->channels, positions, vector);
		return;
	}
	for (size_t c = 0; c < map->channels; c++)
		vector[c] =
			(float)generalised_mean(map->data + c * positions, positions, (double)(powers ? powers[c] : p));
}

/* A comparison with NaN is false: once it is met, it stays. */
static inline float larger(float most, float x)
{
	return !(x <= most) && most == most ? x : most;
}

void cn_pool_region(const cn_map *map, const cn_region *region, float *vector)
{
	for (size_t c = 0; c < map->channels; c++) {
		const float *rows = map->data + (c * map->height + region->y) * map->width + region->x;
		float most = rows[0];
		for (size_t y = 0; y < region->side; y++, rows += map->width)
			for (size_t x = 0; x < region->side; x++)
				most = larger(most, rows[x]);
		vector[c] = most;
	}
}

void cn_pool_mac(const cn_map *map, float *vector)
{
	size_t positions = cn_map_positions(map);
	for (size_t c = 0; c < map->channels; c++) {
		const float *channel = map->data + c * positions;
		vector[c] = channel[0];
		for (size_t i = 1; i < positions; i++)
			vector[c] = larger(vector[c], channel[i]);
	}
}

void cn_pool_spoc(const cn_map *map, float *vector)
{
	size_t positions = cn_map_positions(map);
	for (size_t c = 0; c < map->channels; c++) {
		double sum = 0;
		for (size_t i = 0; i < positions; i++)
			sum += (double)map->data[c * positions + i];
		vector[c] = (float)(sum / (double)positions);
	}
}

/*
 * Pooling of feature maps. Sums run in double so that they do not depend on how the compiler orders them.
 */
#include "global/pool.h"

#include <math.h>

#include "math/dispatch.h"

#define GEM_FLOOR 1e-6f

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
	double largest = 0, sum = 0;
	for (size_t i = 0; i < n; i++)
		largest = largest > (double)floored(x[i]) ? largest : (double)floored(x[i]);
	for (size_t i = 0; i < n; i++)
		sum += pow((double)floored(x[i]) / largest, p);
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

void cn_pool_gem(const float *map, size_t channels, size_t positions, float p, float *vector)
{
	if (p == 3.0f) {
		mean_cubes(map, channels, positions, vector);
		return;
	}
	for (size_t c = 0; c < channels; c++)
		vector[c] = (float)generalised_mean(map + c * positions, positions, (double)p);
}

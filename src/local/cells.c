/*
 * Softmax of cells, densely over a row of them, so that compilers make vector code of it.
 */
#include "local/cells.h"

#include <stdint.h>
#include <string.h>

#include "math/dispatch.h"

/*
 * exp(x) for x <= 0 as 2^n * 2^f, |f| <= 0.5, with a polynomial of degree 6: relative error below 2e-7. Without
 * branches, so that compilers make vector code of the loop around it.
 */
static inline float exp_negative(float x)
{
	float y = (x < -80.0f ? -80.0f : x) * 1.44269504f;
	float n = (y + 12582912.0f) - 12582912.0f; /* to the nearest integer: 1.5 * 2^23 */
	float f = y - n;
	float p = 1.5403530e-4f;
	p = p * f + 1.3333558e-3f;
	p = p * f + 9.6181291e-3f;
	p = p * f + 5.5504109e-2f;
	p = p * f + 2.4022651e-1f;
	p = p * f + 6.9314718e-1f;
	p = p * f + 1.0f;
	union {
		int32_t i;
		float f;
	} power = { .i = ((int32_t)n + 127) << 23 };
	return p * power.f;
}

/* For one row of cells: `p` gets the probabilities of the 64 pixels of each cell, a plane of `width` after the other,
 * zero where they do not pass the threshold. `scratch` is 2 * width. */
CN_INLINE void probabilities_inlined(const float *restrict logits, size_t plane, size_t width, float threshold,
				     float *restrict p, float *restrict scratch)
{
	float *largest = scratch, *sum = scratch + width;
	memcpy(largest, logits, width * sizeof(*largest));
	memset(sum, 0, width * sizeof(*sum));
	for (size_t c = 1; c < CN_CELL_LOGITS; c++)
		for (size_t x = 0; x < width; x++)
			largest[x] = logits[c * plane + x] > largest[x] ? logits[c * plane + x] : largest[x];
	for (size_t c = 0; c < CN_CELL * CN_CELL; c++)
		for (size_t x = 0; x < width; x++) {
			p[c * width + x] = exp_negative(logits[c * plane + x] - largest[x]);
			sum[x] += p[c * width + x];
		}
	for (size_t x = 0; x < width; x++)
		sum[x] = 1.0f / (sum[x] + exp_negative(logits[CN_CELL * CN_CELL * plane + x] - largest[x]));
	for (size_t c = 0; c < CN_CELL * CN_CELL; c++)
		for (size_t x = 0; x < width; x++) {
			float value = p[c * width + x] * sum[x];
			p[c * width + x] = value > threshold ? value : 0.0f;
		}
}

/* CELL planes of `width` become one row of pixels. */
CN_INLINE void interleave_inlined(const float *restrict p, size_t width, float *restrict row)
{
	for (size_t x = 0; x < width; x++)
		for (size_t u = 0; u < CN_CELL; u++)
			row[x * CN_CELL + u] = p[u * width + x];
}

CN_DEFINE_FORMS(probabilities, probabilities_inlined,
		(const float *logits, size_t plane, size_t width, float threshold, float *p, float *scratch),
		(logits, plane, width, threshold, p, scratch))
CN_DEFINE_FORMS(interleave, interleave_inlined, (const float *p, size_t width, float *row), (p, width, row))

void cn_cells_probabilities(const float *logits, size_t plane, size_t width, float threshold, float *p, float *scratch)
{
	probabilities(logits, plane, width, threshold, p, scratch);
}

void cn_cells_interleave(const float *p, size_t width, float *row)
{
	interleave(p, width, row);
}

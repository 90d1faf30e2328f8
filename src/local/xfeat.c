/*
 * XFeat: sparse keypoints from dense outputs.
 *
 * The network gives, for each cell of 8 x 8 pixels, 65 logits: one a pixel and one for "no keypoint". The softmax over
 * them is the probability of a keypoint at that pixel. A pixel whose probability passes the threshold and is the
 * largest in its 5 x 5 neighbourhood becomes a keypoint; its score is the probability times the reliability map, and
 * the best are kept. Descriptors are sampled bilinearly from the map of one descriptor a cell.
 *
 * Most pixels are far below the threshold t, so no probability is computed for them: p > t is the same as
 * logit > log(t * sum of exp), one logarithm a cell. The sums are the only dense exponentials.
 */
#include "local/xfeat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/dot.h"
#include "util/memory.h"

#define CELL   8
#define LOGITS 65
#define NEAR   2 /* neighbourhood: 5 x 5 pixels */

/* Four passes: an even number leaves the sorted array where it was. */
#define RADIX_BITS 8
#define RADIX_MASK ((1u << RADIX_BITS) - 1)

struct candidate {
	float score;
	uint32_t x, y;
};

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

/* For one row of cells: the largest logit, and the sum of exp(logit - largest), over the 65 planes. */
static inline __attribute__((always_inline)) void softmax_row(const float *logits, size_t plane, size_t width,
							      float *largest, float *sum)
{
	for (size_t x = 0; x < width; x++) {
		largest[x] = logits[x];
		sum[x] = 0;
	}
	for (size_t c = 1; c < LOGITS; c++)
		for (size_t x = 0; x < width; x++)
			largest[x] = logits[c * plane + x] > largest[x] ? logits[c * plane + x] : largest[x];
	for (size_t c = 0; c < LOGITS; c++)
		for (size_t x = 0; x < width; x++)
			sum[x] += exp_negative(logits[c * plane + x] - largest[x]);
}

static void softmax_row_scalar(const float *logits, size_t plane, size_t width, float *largest, float *sum)
{
	softmax_row(logits, plane, width, largest, sum);
}

/* The same loops: no contraction into fused multiply-add is allowed, so all three give the same bits. */
__attribute__((target("avx2"))) static void softmax_row_avx2(const float *logits, size_t plane, size_t width,
							     float *largest, float *sum)
{
	softmax_row(logits, plane, width, largest, sum);
}

__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw"))) static void
softmax_row_avx512(const float *logits, size_t plane, size_t width, float *largest, float *sum)
{
	softmax_row(logits, plane, width, largest, sum);
}

typedef void (*softmax_row_form)(const float *, size_t, size_t, float *, float *);

static softmax_row_form choose_softmax_row(void)
{
	switch (cn_kernels_level()) {
	case CN_KERNELS_AVX512:
		return softmax_row_avx512;
	case CN_KERNELS_AVX2:
		return softmax_row_avx2;
	default:
		return softmax_row_scalar;
	}
}

/* Writes the probabilities above the threshold into `heat` (8 * height rows of 8 * width, zeroed) and counts them. */
static size_t fill_heat(const cn_xfeat_maps *maps, float threshold, float *heat, float *row_scratch)
{
	softmax_row_form row_form = choose_softmax_row();
	size_t plane = maps->width * maps->height, stride = maps->width * CELL, count = 0;
	float *largest = row_scratch, *sum = row_scratch + maps->width, *cut = sum + maps->width;
	for (size_t y = 0; y < maps->height; y++) {
		const float *row = maps->logits + y * maps->width;
		row_form(row, plane, maps->width, largest, sum);
		for (size_t x = 0; x < maps->width; x++)
			cut[x] = largest[x] + logf(threshold * sum[x]);
		for (size_t c = 0; c < CELL * CELL; c++) {
			float *line = heat + (y * CELL + c / CELL) * stride + c % CELL;
			const float *logit = row + c * plane;
			for (size_t x = 0; x < maps->width; x++)
				if (logit[x] > cut[x]) {
					line[x * CELL] = expf(logit[x] - largest[x]) / sum[x];
					count++;
				}
		}
	}
	return count;
}

/* Among equals the first in reading order wins, so that a plateau gives one keypoint. */
static int is_peak(const float *heat, size_t stride, size_t rows, size_t x, size_t y)
{
	float value = heat[y * stride + x];
	size_t x0 = x < NEAR ? 0 : x - NEAR, x1 = x + NEAR >= stride ? stride - 1 : x + NEAR;
	size_t y0 = y < NEAR ? 0 : y - NEAR, y1 = y + NEAR >= rows ? rows - 1 : y + NEAR;
	for (size_t v = y0; v <= y1; v++)
		for (size_t u = x0; u <= x1; u++) {
			float other = heat[v * stride + u];
			if (other > value || (other == value && v * stride + u < y * stride + x))
				return 0;
		}
	return 1;
}

/* Four neighbouring cells and their weights for a position in pixels; cells are centred, edges clamped. */
struct corners {
	size_t at[4];
	float weight[4];
};

static struct corners cell_corners(const cn_xfeat_maps *maps, float x, float y)
{
	float cx = (x + 0.5f) / CELL - 0.5f, cy = (y + 0.5f) / CELL - 0.5f;
	cx = fminf(fmaxf(cx, 0.0f), (float)(maps->width - 1));
	cy = fminf(fmaxf(cy, 0.0f), (float)(maps->height - 1));
	size_t x0 = (size_t)cx, y0 = (size_t)cy;
	size_t x1 = x0 + 1 < maps->width ? x0 + 1 : x0, y1 = y0 + 1 < maps->height ? y0 + 1 : y0;
	float fx = cx - (float)x0, fy = cy - (float)y0;
	return (struct corners){
		.at = { y0 * maps->width + x0, y0 * maps->width + x1, y1 * maps->width + x0, y1 * maps->width + x1 },
		.weight = { (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy },
	};
}

static float sample(const float *plane, const struct corners *corners)
{
	float value = 0;
	for (int k = 0; k < 4; k++)
		value += corners->weight[k] * plane[corners->at[k]];
	return value;
}

/* The order of positive scores, reversed, as that of unsigned integers. */
static uint32_t sort_key(const struct candidate *candidate)
{
	uint32_t bits;
	memcpy(&bits, &candidate->score, sizeof(bits));
	return ~bits;
}

/* Best score first. A radix sort keeps the order of equals, which is that of reading. */
static void sort_by_score(struct candidate *candidates, struct candidate *scratch, size_t count)
{
	for (unsigned shift = 0; shift < 32; shift += RADIX_BITS) {
		size_t start[1 << RADIX_BITS] = { 0 }, sum = 0;
		for (size_t i = 0; i < count; i++)
			start[sort_key(&candidates[i]) >> shift & RADIX_MASK]++;
		for (size_t digit = 0; digit <= RADIX_MASK; digit++) {
			size_t here = start[digit];
			start[digit] = sum;
			sum += here;
		}
		for (size_t i = 0; i < count; i++)
			scratch[start[sort_key(&candidates[i]) >> shift & RADIX_MASK]++] = candidates[i];
		struct candidate *sorted = scratch;
		scratch = candidates;
		candidates = sorted;
	}
}

static int is_zero(const float *cells)
{
	static const float zeros[CELL];
	return memcmp(cells, zeros, sizeof(zeros)) == 0;
}

/* The candidates among a row's pixels from x to x + CELL. */
static size_t peaks_of_cell(const cn_xfeat_maps *maps, const float *heat, size_t x, size_t y,
			    struct candidate *candidates)
{
	size_t stride = maps->width * CELL, rows = maps->height * CELL, count = 0;
	for (size_t end = x + CELL; x < end; x++) {
		float value = heat[y * stride + x];
		if (value <= 0 || !is_peak(heat, stride, rows, x, y))
			continue;
		struct corners corners = cell_corners(maps, (float)x, (float)y);
		float score = value * sample(maps->reliability, &corners);
		if (score > 0)
			candidates[count++] = (struct candidate){ score, (uint32_t)x, (uint32_t)y };
	}
	return count;
}

/* All candidates, in reading order. */
static size_t collect_peaks(const cn_xfeat_maps *maps, const float *heat, struct candidate *candidates)
{
	size_t stride = maps->width * CELL, rows = maps->height * CELL, count = 0;
	for (size_t y = 0; y < rows; y++)
		for (size_t x = 0; x < stride; x += CELL)
			if (!is_zero(&heat[y * stride + x]))
				count += peaks_of_cell(maps, heat, x, y, candidates + count);
	return count;
}

static void describe(const cn_xfeat_maps *maps, const struct candidate *candidates, cn_points *points)
{
	size_t plane = maps->width * maps->height;
	for (size_t i = 0; i < points->count; i++) {
		const struct candidate *from = &candidates[i];
		struct corners corners = cell_corners(maps, (float)from->x, (float)from->y);
		float *descriptor = points->descriptors + i * points->dim;
		for (size_t c = 0; c < points->dim; c++)
			descriptor[c] = sample(maps->descriptors + c * plane, &corners);
		cn_normalise(descriptor, points->dim);
		points->keypoints[i] =
			(cairn_keypoint){ .x = (float)from->x, .y = (float)from->y, .score = from->score };
	}
}

static int get_map(const cairn_model *model, cn_request *request, const char *name, size_t channels,
		   const cn_xfeat_maps *maps, const float **out)
{
	cn_tensor tensor;
	CN_TRY(cn_request_output(request, name, &tensor));
	if (tensor.type != CN_TENSOR_F32 || tensor.rank != 4 || tensor.shape[0] != 1 || tensor.shape[1] != channels ||
	    tensor.shape[2] != maps->height || tensor.shape[3] != maps->width)
		return cn_fail(CAIRN_EFORMAT, "model '%s': output '%s' is not float32 of 1 x %zu x %zu x %zu",
			       model->name, name, channels, maps->height, maps->width);
	if (!cn_all_finite(tensor.data, tensor.count))
		return cn_fail(CAIRN_EBACKEND,
			       "model '%s' gave numbers that are not finite; its weights may be damaged", model->name);
	*out = tensor.data;
	return 0;
}

int cn_xfeat_decode(const cn_xfeat_maps *maps, float threshold, uint32_t max_points, cn_points *points)
{
	float *heat = cn_alloc_zero(maps->width * CELL * maps->height * CELL, sizeof(*heat));
	float *rows = cn_alloc(3 * maps->width, sizeof(*rows));
	struct candidate *candidates = NULL;
	size_t above = 0;
	int status = heat && rows ? 0 : CAIRN_ENOMEM;
	if (status == 0) {
		above = fill_heat(maps, threshold, heat, rows);
		candidates = cn_alloc(2 * above, sizeof(*candidates)); /* the second half for sorting */
		status = candidates ? 0 : CAIRN_ENOMEM;
	}
	if (status == 0) {
		size_t count = collect_peaks(maps, heat, candidates);
		sort_by_score(candidates, candidates + above, count);
		status = cn_points_new(points, count < max_points ? count : max_points, maps->dim);
	}
	if (status == 0)
		describe(maps, candidates, points);
	cn_free(candidates);
	cn_free(rows);
	cn_free(heat);
	return status;
}

int cn_xfeat_points(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height, uint32_t max_points,
		    cn_points *points)
{
	const cn_local_spec *spec = &model->local;
	cn_xfeat_maps maps = { .width = width / CELL, .height = height / CELL, .dim = spec->dim };
	CN_TRY(get_map(model, request, spec->descriptors, spec->dim, &maps, &maps.descriptors));
	CN_TRY(get_map(model, request, spec->keypoints, LOGITS, &maps, &maps.logits));
	CN_TRY(get_map(model, request, spec->reliability, 1, &maps, &maps.reliability));
	return cn_xfeat_decode(&maps, spec->threshold, max_points, points);
}

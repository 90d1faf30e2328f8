/*
 * XFeat: sparse keypoints from dense outputs.
 *
 * The network gives, for each cell of 8 x 8 pixels, 65 logits: one a pixel and one for "no keypoint". The softmax over
 * them is the probability of a keypoint at that pixel. A pixel whose probability passes the threshold and is the
 * largest in its 5 x 5 neighbourhood becomes a keypoint; its score is the probability times the reliability map, and
 * the best are kept. Descriptors are sampled bilinearly from the map of one descriptor a cell.
 *
 * Cells are worked on a row at a time, so that what is written is still near when it is read, and densely, since the
 * vector unit does 16 pixels in the time of a branch that is guessed wrong.
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

/* For one row of cells: `p` gets the probabilities of the 64 pixels of each cell, a plane of `width` after the other,
 * zero where they do not pass the threshold. `scratch` is 2 * width. */
CN_INLINE void probabilities_inlined(const float *restrict logits, size_t plane, size_t width, float threshold,
				     float *restrict p, float *restrict scratch)
{
	float *largest = scratch, *sum = scratch + width;
	memcpy(largest, logits, width * sizeof(*largest));
	memset(sum, 0, width * sizeof(*sum));
	for (size_t c = 1; c < LOGITS; c++)
		for (size_t x = 0; x < width; x++)
			largest[x] = logits[c * plane + x] > largest[x] ? logits[c * plane + x] : largest[x];
	for (size_t c = 0; c < CELL * CELL; c++)
		for (size_t x = 0; x < width; x++) {
			p[c * width + x] = exp_negative(logits[c * plane + x] - largest[x]);
			sum[x] += p[c * width + x];
		}
	for (size_t x = 0; x < width; x++)
		sum[x] = 1.0f / (sum[x] + exp_negative(logits[CELL * CELL * plane + x] - largest[x]));
	for (size_t c = 0; c < CELL * CELL; c++)
		for (size_t x = 0; x < width; x++) {
			float value = p[c * width + x] * sum[x];
			p[c * width + x] = value > threshold ? value : 0.0f;
		}
}

/* CELL planes of `width` become one row of pixels. */
CN_INLINE void interleave_inlined(const float *restrict p, size_t width, float *restrict row)
{
	for (size_t x = 0; x < width; x++)
		for (size_t u = 0; u < CELL; u++)
			row[x * CELL + u] = p[u * width + x];
}

static inline float larger(float a, float b)
{
	return a > b ? a : b;
}

/* The largest of each pixel and its NEAR neighbours to the left and right. */
CN_INLINE void spread_inlined(const float *restrict row, size_t count, float *restrict out)
{
	for (size_t x = 0; x < count; x++) {
		const float *at = row + x;
		out[x] = larger(larger(larger(at[-2], at[-1]), larger(at[1], at[2])), at[0]);
	}
}

/* Which pixels are above zero and nowhere exceeded, given the spread rows of their neighbourhood. */
CN_INLINE void tops_inlined(const float *row, const float *const spread[2 * NEAR + 1], size_t count, uint8_t *tops)
{
	const float *a = spread[0], *b = spread[1], *c = spread[2], *d = spread[3], *e = spread[4];
	for (size_t x = 0; x < count; x++) {
		float most = larger(larger(larger(a[x], b[x]), larger(d[x], e[x])), c[x]);
		tops[x] = (row[x] > 0.0f) & (row[x] >= most);
	}
}

CN_DEFINE_FORMS(probabilities, probabilities_inlined,
		(const float *logits, size_t plane, size_t width, float threshold, float *p, float *scratch),
		(logits, plane, width, threshold, p, scratch))
CN_DEFINE_FORMS(interleave, interleave_inlined, (const float *p, size_t width, float *row), (p, width, row))
CN_DEFINE_FORMS(spread_row, spread_inlined, (const float *row, size_t count, float *out), (row, count, out))
CN_DEFINE_FORMS(find_tops, tops_inlined,
		(const float *row, const float *const spread[2 * NEAR + 1], size_t count, uint8_t *tops),
		(row, spread, count, tops))

/*
 * The probabilities of three rows of cells: a ring of rows of pixels, and of the same rows spread. NEAR zeros before
 * and behind each row stand for what lies beyond the edge.
 */
#define RING (3 * CELL)

struct heat {
	size_t width, stride; /* of a row of pixels; with its edges */
	float *rows, *spread; /* RING x stride */
	float *p, *scratch;   /* of probabilities() */
	uint8_t *tops;
};

static int heat_new(struct heat *heat, size_t width)
{
	heat->width = width * CELL;
	heat->stride = heat->width + 2 * NEAR;
	CN_NEW(heat->rows, RING * heat->stride, sizeof(*heat->rows));
	CN_NEW(heat->spread, RING * heat->stride, sizeof(*heat->spread));
	CN_NEW(heat->p, CELL * CELL * width, sizeof(*heat->p));
	CN_NEW(heat->scratch, 2 * width, sizeof(*heat->scratch));
	CN_NEW(heat->tops, heat->width, sizeof(*heat->tops));
	return 0;
}

static void heat_free(struct heat *heat)
{
	cn_free(heat->rows);
	cn_free(heat->spread);
	cn_free(heat->p);
	cn_free(heat->scratch);
	cn_free(heat->tops);
}

/* Row y of the image, in one of the two rings; the rows before the first are the ring's last. */
static float *ring_row(const struct heat *heat, float *ring, size_t y)
{
	return ring + y % RING * heat->stride + NEAR;
}

/* Row `band` of cells; beyond the last one, zeros. */
static void fill_band(struct heat *heat, const cn_xfeat_maps *maps, size_t band, float threshold)
{
	if (band < maps->height)
		probabilities(maps->logits + band * maps->width, maps->width * maps->height, maps->width, threshold,
			      heat->p, heat->scratch);
	else
		memset(heat->p, 0, CELL * CELL * maps->width * sizeof(*heat->p));
	for (size_t v = 0; v < CELL; v++) {
		float *row = ring_row(heat, heat->rows, band * CELL + v);
		interleave(heat->p + v * CELL * maps->width, maps->width, row);
		spread_row(row, heat->width, ring_row(heat, heat->spread, band * CELL + v));
	}
}

/* A pixel that is nowhere exceeded: 1 unless one before it, in reading order, is its equal. */
static int is_first(const struct heat *heat, size_t x, size_t y)
{
	float value = ring_row(heat, heat->rows, y)[x];
	for (size_t v = 0; v <= NEAR; v++) {
		const float *row = ring_row(heat, heat->rows, y + RING - v) + x;
		for (int u = -NEAR; u <= (v ? NEAR : -1); u++)
			if (row[u] >= value)
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

struct candidates {
	struct candidate *items;
	size_t count, room;
};

static int make_room(struct candidates *candidates, size_t more)
{
	if (candidates->count + more <= candidates->room)
		return 0;
	size_t room = 2 * (candidates->count + more);
	struct candidate *grown = cn_realloc(candidates->items, room, sizeof(*grown));
	if (!grown)
		return CAIRN_ENOMEM;
	candidates->items = grown;
	candidates->room = room;
	return 0;
}

static void add_candidate(struct candidates *candidates, const cn_xfeat_maps *maps, float value, size_t x, size_t y)
{
	struct corners corners = cell_corners(maps, (float)x, (float)y);
	float score = value * sample(maps->reliability, &corners);
	if (score > 0)
		candidates->items[candidates->count++] = (struct candidate){ score, (uint32_t)x, (uint32_t)y };
}

/* The candidates of a row of pixels; the NEAR rows behind it are filled. Few cells have any. */
static void peaks_of_row(struct heat *heat, const cn_xfeat_maps *maps, size_t y, struct candidates *candidates)
{
	static const uint8_t none[CELL];
	const float *row = ring_row(heat, heat->rows, y), *spread[2 * NEAR + 1];
	for (size_t v = 0; v <= 2 * NEAR; v++)
		spread[v] = ring_row(heat, heat->spread, y + RING + v - NEAR);
	find_tops(row, spread, heat->width, heat->tops);
	for (size_t x = 0; x < heat->width; x += CELL) {
		if (memcmp(heat->tops + x, none, sizeof(none)) == 0)
			continue;
		for (size_t u = x; u < x + CELL; u++)
			if (heat->tops[u] && is_first(heat, u, y))
				add_candidate(candidates, maps, row[u], u, y);
	}
}

/* All candidates, in reading order. */
static int collect_peaks(const cn_xfeat_maps *maps, float threshold, struct candidates *candidates)
{
	struct heat heat = { 0 };
	int status = heat_new(&heat, maps->width);
	for (size_t y = 0; status == 0 && y < maps->height * CELL; y++) {
		if (y == 0)
			fill_band(&heat, maps, 0, threshold);
		if (y % CELL == 0)
			fill_band(&heat, maps, y / CELL + 1, threshold);
		status = make_room(candidates, heat.width);
		if (status == 0)
			peaks_of_row(&heat, maps, y, candidates);
	}
	heat_free(&heat);
	return status;
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
	struct candidates candidates = { 0 };
	int status = collect_peaks(maps, threshold, &candidates);
	/* The second half is for sorting. */
	if (status == 0)
		status = make_room(&candidates, candidates.count);
	if (status == 0) {
		sort_by_score(candidates.items, candidates.items + candidates.count, candidates.count);
		status =
			cn_points_new(points, candidates.count < max_points ? candidates.count : max_points, maps->dim);
	}
	if (status == 0)
		describe(maps, candidates.items, points);
	cn_free(candidates.items);
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

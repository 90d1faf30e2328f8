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

#include <string.h>

#include "local/cells.h"
#include "local/outputs.h"
#include "local/peaks.h"
#include "math/dispatch.h"
#include "util/memory.h"

#define CELL CN_CELL
#define NEAR 2 /* neighbourhood: 5 x 5 pixels */

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
		cn_cells_probabilities(maps->logits + band * maps->width, maps->width * maps->height, maps->width,
				       threshold, heat->p, heat->scratch);
	else
		memset(heat->p, 0, CELL * CELL * maps->width * sizeof(*heat->p));
	for (size_t v = 0; v < CELL; v++) {
		float *row = ring_row(heat, heat->rows, band * CELL + v);
		cn_cells_interleave(heat->p + v * CELL * maps->width, maps->width, row);
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

static void add_candidate(cn_peaks *candidates, const cn_xfeat_maps *maps, float value, size_t x, size_t y)
{
	cn_corners corners = cn_corners_at(maps->width, maps->height, CELL, CELL, (float)x, (float)y);
	float score = value * cn_sample(maps->reliability, &corners);
	if (score > 0)
		candidates->items[candidates->count++] = (cn_peak){ score, (uint32_t)x, (uint32_t)y };
}

/* The candidates of a row of pixels; the NEAR rows behind it are filled. Few cells have any. */
static void peaks_of_row(struct heat *heat, const cn_xfeat_maps *maps, size_t y, cn_peaks *candidates)
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
static int collect_peaks(const cn_xfeat_maps *maps, float threshold, cn_peaks *candidates)
{
	struct heat heat = { 0 };
	int status = heat_new(&heat, maps->width);
	for (size_t y = 0; status == 0 && y < maps->height * CELL; y++) {
		if (y == 0)
			fill_band(&heat, maps, 0, threshold);
		if (y % CELL == 0)
			fill_band(&heat, maps, y / CELL + 1, threshold);
		status = cn_peaks_make_room(candidates, heat.width);
		if (status == 0)
			peaks_of_row(&heat, maps, y, candidates);
	}
	heat_free(&heat);
	return status;
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
	*out = tensor.data;
	return cn_local_check(model, tensor.data, tensor.count);
}

int cn_xfeat_decode(const cn_xfeat_maps *maps, float threshold, uint32_t max_points, cn_points *points)
{
	const cn_map descriptors = { maps->descriptors, maps->dim, maps->height, maps->width };
	cn_peaks candidates = { 0 };
	int status = collect_peaks(maps, threshold, &candidates);
	if (status == 0)
		status = cn_peaks_describe(&candidates, max_points, &descriptors, CELL, CELL, points);
	cn_free(candidates.items);
	return status;
}

int cn_xfeat_points(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height, uint32_t max_points,
		    cn_points *points)
{
	const cn_local_spec *spec = &model->local;
	cn_xfeat_maps maps = { .width = width / CELL, .height = height / CELL, .dim = spec->dim };
	CN_TRY(get_map(model, request, spec->descriptors, spec->dim, &maps, &maps.descriptors));
	CN_TRY(get_map(model, request, spec->keypoints, CN_CELL_LOGITS, &maps, &maps.logits));
	CN_TRY(get_map(model, request, spec->reliability, 1, &maps, &maps.reliability));
	return cn_xfeat_decode(&maps, spec->threshold, max_points, points);
}

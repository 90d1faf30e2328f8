/*
 * Dense detectors: probabilities of all pixels, their peaks, descriptors between positions.
 *
 * The largest number around each pixel is found along the rows first and then down the columns, a row at a time.
 */
#include "local/dense.h"

#include <string.h>

#include "local/cells.h"
#include "local/outputs.h"
#include "local/peaks.h"
#include "math/dispatch.h"
#include "util/memory.h"

CN_INLINE void raise_inlined(float *restrict row, const float *restrict other, size_t count)
{
	for (size_t i = 0; i < count; i++)
		row[i] = other[i] > row[i] ? other[i] : row[i];
}

CN_DEFINE_FORMS(raise_row, raise_inlined, (float *row, const float *other, size_t count), (row, other, count))

/* The largest of each number of a row and those up to `radius` beside it. */
static void spread_row(const float *row, size_t count, size_t radius, float *out)
{
	memcpy(out, row, count * sizeof(*out));
	for (size_t k = 1; k <= radius && k < count; k++) {
		raise_row(out, row + k, count - k);
		raise_row(out + k, row, count - k);
	}
}

/* The larger of a row of the heat map's spread and those up to `radius` above and below. */
static void spread_columns(const float *spread, const cn_dense_maps *maps, size_t y, size_t radius, float *out)
{
	size_t first = y > radius ? y - radius : 0, last = y + radius < maps->height ? y + radius : maps->height - 1;
	memcpy(out, spread + first * maps->width, maps->width * sizeof(*out));
	for (size_t v = first + 1; v <= last; v++)
		raise_row(out, spread + v * maps->width, maps->width);
}

/* A pixel that is nowhere exceeded: 1 unless one before it, in reading order, is its equal. */
static int is_first(const cn_dense_maps *maps, size_t x, size_t y, size_t radius)
{
	float value = maps->heat[y * maps->width + x];
	size_t left = x > radius ? x - radius : 0, right = x + radius < maps->width ? x + radius : maps->width - 1;
	for (size_t u = left; u < x; u++)
		if (maps->heat[y * maps->width + u] >= value)
			return 0;
	for (size_t v = y > radius ? y - radius : 0; v < y; v++)
		for (size_t u = left; u <= right; u++)
			if (maps->heat[v * maps->width + u] >= value)
				return 0;
	return 1;
}

/* @param spread height x width: of the rows. @param most width, scratch */
static int collect_peaks(const cn_dense_maps *maps, const cn_dense_rule *rule, const float *spread, float *most,
			 cn_peaks *peaks)
{
	size_t border = rule->border;
	for (size_t y = border; y + border < maps->height; y++) {
		const float *row = maps->heat + y * maps->width;
		spread_columns(spread, maps, y, rule->radius, most);
		CN_TRY(cn_peaks_make_room(peaks, maps->width));
		for (size_t x = border; x + border < maps->width; x++)
			if (row[x] > rule->threshold && row[x] >= most[x] && is_first(maps, x, y, rule->radius))
				peaks->items[peaks->count++] = (cn_peak){ row[x], (uint32_t)x, (uint32_t)y };
	}
	return 0;
}

int cn_dense_decode(const cn_dense_maps *maps, const cn_dense_rule *rule, cn_points *points)
{
	const cn_map *descriptors = &maps->descriptors;
	cn_peaks peaks = { 0 };
	size_t pixels = maps->width * maps->height;
	float *spread = cn_alloc_aligned(pixels + maps->width, sizeof(*spread));
	if (!spread)
		return CAIRN_ENOMEM;
	for (size_t y = 0; y < maps->height; y++)
		spread_row(maps->heat + y * maps->width, maps->width, rule->radius, spread + y * maps->width);
	int status = collect_peaks(maps, rule, spread, spread + pixels, &peaks);
	if (status == 0)
		status = cn_peaks_describe(&peaks, rule->max_points, descriptors,
					   (float)maps->width / (float)descriptors->width,
					   (float)maps->height / (float)descriptors->height, points);
	cn_free(peaks.items);
	cn_free(spread);
	return status;
}

/* ---- from the network's outputs ---- */

/* A heat map of logits of cells; what does not pass the threshold becomes 0. @param[out] out caller frees */
static int heat_of_cells(const cn_map *logits, float threshold, float **out)
{
	size_t width = logits->width, positions = cn_map_positions(logits), in_cell = CN_CELL * CN_CELL;
	float *heat = cn_alloc_aligned(positions, in_cell * sizeof(*heat));
	float *p = cn_alloc_aligned(width, (in_cell + 2) * sizeof(*p));
	for (size_t band = 0; heat && p && band < logits->height; band++) {
		cn_cells_probabilities(logits->data + band * width, positions, width, threshold, p,
				       p + in_cell * width);
		for (size_t v = 0; v < CN_CELL; v++)
			cn_cells_interleave(p + v * CN_CELL * width, width,
					    heat + (band * CN_CELL + v) * width * CN_CELL);
	}
	cn_free(p);
	if (heat && p) {
		*out = heat;
		return 0;
	}
	cn_free(heat);
	return CAIRN_ENOMEM;
}

/* @param[out] buffer holds what is borrowed; caller frees */
static int read_heat(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height,
		     cn_dense_maps *maps, float **buffer)
{
	const char *name = model->local.keypoints;
	cn_map map;
	CN_TRY(cn_local_map(model, request, name, 0, width, height, &map, buffer));
	size_t cell = map.channels == CN_CELL_LOGITS ? CN_CELL : 1;
	int fits = (map.channels == 1 || cell > 1) && map.width == width / cell && map.height == height / cell;
	if (!fits)
		return cn_fail(
			CAIRN_EFORMAT,
			"model '%s': output '%s' is %zu x %zu x %zu; of an input of %u x %u pixels a heat map is "
			"1 x %u x %u or 65 x %u x %u",
			model->name, name, map.channels, map.height, map.width, width, height, height, width,
			height / CN_CELL, width / CN_CELL);
	maps->width = map.width * cell;
	maps->height = map.height * cell;
	maps->heat = map.data;
	if (cell == 1)
		return 0;
	CN_TRY(heat_of_cells(&map, model->local.threshold, buffer));
	maps->heat = *buffer;
	return 0;
}

int cn_dense_points(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height, uint32_t max_points,
		    cn_points *points)
{
	const cn_local_spec *spec = &model->local;
	const cn_dense_rule rule = { spec->threshold, spec->radius, spec->border, max_points };
	cn_dense_maps maps = { 0 };
	float *heat = NULL, *buffer = NULL;
	int status = read_heat(model, request, width, height, &maps, &heat);
	if (status == 0)
		status = cn_local_map(model, request, spec->descriptors, spec->dim, width, height, &maps.descriptors,
				      &buffer);
	if (status == 0)
		status = cn_dense_decode(&maps, &rule, points);
	cn_free(heat);
	cn_free(buffer);
	return status;
}

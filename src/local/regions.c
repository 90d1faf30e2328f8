/*
 * Regions of a fixed grid, the squares of R-MAC laid over the image, or of a detector's boxes.
 */
#include "local/regions.h"

#include <string.h>

#include "data/features.h"
#include "math/regions.h"
#include "util/memory.h"

#define LEVELS  3
#define OVERLAP 0.4

int cn_regions_check(const char *name)
{
	if (strcmp(name, "grid") == 0 || strcmp(name, "boxes") == 0)
		return 0;
	return cn_fail(CAIRN_EINVALID, "regions '%s' are not known; there are 'grid', 'boxes' and 'none'", name);
}

static int add_region(cn_region_sets *out, const cairn_features *features, const cairn_box *box)
{
	cairn_features *part;
	CN_TRY(cn_features_within(&part, features, box));
	if (part->count)
		out->sets[out->count++] = part;
	else
		cairn_features_free(part);
	return 0;
}

static int add_grid(cn_region_sets *out, const cairn_features *features)
{
	cn_region *regions = cn_alloc(cn_regions_most(LEVELS), sizeof(*regions));
	if (!regions)
		return CAIRN_ENOMEM;
	size_t count = cn_regions(features->width, features->height, LEVELS, OVERLAP, regions);
	int status = 0;
	for (size_t i = 0; i < count && status == 0; i++) {
		const cn_region *region = &regions[i];
		const cairn_box box = { (double)region->x, (double)region->y, (double)(region->x + region->side),
					(double)(region->y + region->side) };
		status = add_region(out, features, &box);
	}
	cn_free(regions);
	return status;
}

/* Boxes end at edges of pixels, and a keypoint's place counts from the centre of the first. */
static int add_boxes(cn_region_sets *out, const cairn_features *features, const cn_boxes *boxes)
{
	for (size_t i = 0; i < boxes->count; i++) {
		const cairn_box *place = &boxes->items[i].place;
		const cairn_box box = { place->x0 - 0.5, place->y0 - 0.5, place->x1 - 0.5, place->y1 - 0.5 };
		CN_TRY(add_region(out, features, &box));
	}
	return 0;
}

int cn_region_sets_make(cn_region_sets *out, const cairn_features *features, const cn_boxes *boxes)
{
	out->count = 0;
	out->sets = cn_alloc_zero((boxes ? boxes->count : cn_regions_most(LEVELS)) + 1, sizeof(*out->sets));
	if (!out->sets)
		return CAIRN_ENOMEM;
	out->sets[out->count++] = features;
	return boxes ? add_boxes(out, features, boxes) : add_grid(out, features);
}

void cn_region_sets_free(cn_region_sets *sets)
{
	for (size_t i = 1; i < sets->count; i++)
		cairn_features_free((cairn_features *)(uintptr_t)sets->sets[i]);
	cn_free(sets->sets);
	*sets = (cn_region_sets){ 0 };
}

/*
 * Regions of a fixed grid: the squares of R-MAC, laid over the image.
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
	if (strcmp(name, "grid") == 0)
		return 0;
	return cn_fail(CAIRN_EINVALID, "regions '%s' are not known; there are 'grid' and 'none'", name);
}

static int add_region(cn_region_sets *out, const cairn_features *features, const cn_region *region)
{
	const cairn_box box = { (double)region->x, (double)region->y, (double)(region->x + region->side),
				(double)(region->y + region->side) };
	cairn_features *part;
	CN_TRY(cn_features_within(&part, features, &box));
	if (part->count)
		out->sets[out->count++] = part;
	else
		cairn_features_free(part);
	return 0;
}

int cn_region_sets_make(cn_region_sets *out, const cairn_features *features)
{
	size_t most = cn_regions_most(LEVELS);
	cn_region *regions = cn_alloc(most, sizeof(*regions));
	out->count = 0;
	out->sets = cn_alloc_zero(most + 1, sizeof(*out->sets));
	int status = regions && out->sets ? 0 : CAIRN_ENOMEM;
	if (status == 0) {
		size_t count = cn_regions(features->width, features->height, LEVELS, OVERLAP, regions);
		out->sets[out->count++] = features;
		for (size_t i = 0; i < count && status == 0; i++)
			status = add_region(out, features, &regions[i]);
	}
	cn_free(regions);
	return status;
}

void cn_region_sets_free(cn_region_sets *sets)
{
	for (size_t i = 1; i < sets->count; i++)
		cairn_features_free((cairn_features *)(uintptr_t)sets->sets[i]);
	cn_free(sets->sets);
	*sets = (cn_region_sets){ 0 };
}

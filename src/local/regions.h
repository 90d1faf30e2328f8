/*
 * local/regions.h - the features of parts of an image, for regional aggregation (Teichmann, Araujo, Zhu and Sim,
 * "Detect-to-Retrieve", CVPR 2019; docs/methods.md, "Regions").
 */
#ifndef CN_LOCAL_REGIONS_H
#define CN_LOCAL_REGIONS_H

#include <stddef.h>

#include "cairn/features.h"
#include "data/boxes.h"

/** CAIRN_EINVALID unless it names what regions can be: "grid", "boxes". */
int cn_regions_check(const char *name);

/** Sets that an image is aggregated from: itself, and its regions that have any features. */
typedef struct {
	const cairn_features **sets; /**< the first is the image's, borrowed */
	size_t count;
} cn_region_sets;

/** @param boxes of a detector; NULL: the squares of the grid. @return 0; CAIRN_ENOMEM; free `out` either way */
int cn_region_sets_make(cn_region_sets *out, const cairn_features *features, const cn_boxes *boxes);
void cn_region_sets_free(cn_region_sets *sets);

#endif

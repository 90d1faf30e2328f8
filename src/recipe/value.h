/*
 * recipe/value.h - what flows from stage to stage of a run.
 */
#ifndef CN_RECIPE_VALUE_H
#define CN_RECIPE_VALUE_H

#include "cairn/index.h"
#include "cairn/ranking.h"
#include "cairn/recipe.h"
#include "index/row_segment.h"

/** Which members are there depends on the type. Start zeroed. */
typedef struct {
	cairn_value_type type;

	/* CAIRN_VALUE_QUERIES */
	float *vectors; /**< count x dim, unit */
	size_t count, dim;

	/* CAIRN_VALUE_INDEX, and CAIRN_VALUE_TRAIN as it is searched */
	const cairn_index *index;
	cairn_index *owned;     /**< NULL where it is a collection's own */
	cn_row_segment segment; /**< what `owned` reads */

	/* CAIRN_VALUE_RANKING, CAIRN_VALUE_VERIFIED */
	cairn_ranking *ranking;
	int32_t *inliers; /**< queries x depth, CAIRN_NO_INLIERS where not verified; NULL where nothing was */
} cn_value;

void cn_value_free(cn_value *value); /**< harmless on a zeroed struct */

/** The inliers of one query; NULL where none are known. */
const int32_t *cn_value_inliers(const cn_value *value, size_t query);

/** Room for inliers of all places of value->ranking, all CAIRN_NO_INLIERS. */
int cn_value_make_inliers(cn_value *value);

#endif

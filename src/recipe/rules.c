/*
 * What the inputs and parameters of a stage must hold together.
 */
#include "recipe/rules.h"

#include "recipe/place.h"
#include "recipe/recipe.h"

static int check_given(const cn_stage *stage, const char *file, const char *input, size_t given)
{
	if (cn_stage_link(stage, input)->value == given)
		return 0;
	return cn_recipe_fail(CN_PLACE(file, stage->place, input),
			      "by asmk and by fused search with local features, which only the given '%s' has",
			      cn_given_name(given));
}

int cn_check_search(const cn_stage *stage, const char *file)
{
	if (cn_stage_chose(stage, "by", "global"))
		return 0;
	CN_TRY(check_given(stage, file, "queries", CN_GIVEN_QUERIES));
	return check_given(stage, file, "index", CN_GIVEN_INDEX);
}

int cn_check_verify(const cn_stage *stage, const char *file)
{
	static const char *const published[] = { "max_distance", "radius", "reference_side" };
	if (!cn_stage_chose(stage, "protocol", "delf"))
		return 0;
	if (!cn_stage_chose(stage, "geometry", "affine"))
		return cn_recipe_fail(CN_PLACE(file, stage->place, "geometry"), "protocol delf knows affine maps only");
	for (size_t i = 0; i < 3; i++)
		if (cn_stage_argument(stage, published[i])->is_default)
			return cn_recipe_fail(
				CN_PLACE(file, stage->place, published[i]),
				"must be given with protocol delf; published are max_distance 0.8, 0.9 or "
				"1 with radius 20, 10 or 20, and reference_side 0");
	return 0;
}

static int check_weights(const cn_stage *stage, const char *file)
{
	const cn_argument *weights = cn_stage_argument(stage, "weights");
	double sum = 0;
	if (!weights->is_set)
		return 0;
	if (weights->count != stage->link_count)
		return cn_recipe_fail(CN_PLACE(file, stage->place, "weights"), "there are %zu for %zu rankings",
				      weights->count, stage->link_count);
	for (size_t i = 0; i < weights->count; i++)
		sum += weights->reals[i];
	return sum > 0 ? 0 : cn_recipe_fail(CN_PLACE(file, stage->place, "weights"), "all are 0");
}

int cn_check_fuse(const cn_stage *stage, const char *file)
{
	CN_TRY(check_weights(stage, file));
	if (!cn_stage_chose(stage, "rule", "product") || !cn_stage_chose(stage, "normalise", "zscore"))
		return 0;
	return cn_recipe_fail(CN_PLACE(file, stage->place, "normalise"),
			      "zscore gives numbers below 0, which rule product cannot multiply");
}

int cn_check_cut(const cn_stage *stage, const char *file)
{
	int inliers = cn_stage_argument(stage, "min_inliers")->is_set;
	if (inliers && stage->output != CAIRN_VALUE_VERIFIED)
		return cn_recipe_fail(CN_PLACE(file, stage->place, "min_inliers"),
				      "the ranking has no inliers; take a verified one");
	if (!inliers && !cn_stage_argument(stage, "depth")->is_set && !cn_stage_argument(stage, "min_score")->is_set)
		return cn_recipe_fail(CN_PLACE(file, stage->place, NULL),
				      "nothing is cut; give depth, min_score or min_inliers");
	return 0;
}

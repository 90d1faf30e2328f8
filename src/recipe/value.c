/*
 * Values: they own what they hold.
 */
#include "recipe/value.h"

#include "util/memory.h"

void cn_value_free(cn_value *value)
{
	cn_free(value->vectors);
	cairn_index_free(value->owned);
	cn_row_segment_close(&value->segment);
	cairn_ranking_free(value->ranking);
	cn_free(value->inliers);
	*value = (cn_value){ 0 };
}

const int32_t *cn_value_inliers(const cn_value *value, size_t query)
{
	return value->inliers ? value->inliers + query * cairn_ranking_depth(value->ranking) : NULL;
}

int cn_value_make_inliers(cn_value *value)
{
	size_t count = cairn_ranking_queries(value->ranking) * cairn_ranking_depth(value->ranking);
	value->inliers = cn_alloc(count, sizeof(*value->inliers));
	if (!value->inliers)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < count; i++)
		value->inliers[i] = CAIRN_NO_INLIERS;
	return 0;
}

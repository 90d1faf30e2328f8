/*
 * Ordering by inliers. A few inliers happen by chance, so below a minimum they say nothing and the global score
 * decides.
 */
#include "rank/inliers.h"

#include <math.h>
#include <stdlib.h>

static int by_score(const void *left, const void *right)
{
	const cn_inlier_item *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

/* What an image is ordered by without them may be above any number of inliers. */
static int by_trust(const void *left, const void *right)
{
	const cn_inlier_item *a = left, *b = right;
	return a->trusted != b->trusted ? b->trusted - a->trusted : by_score(left, right);
}

void cn_order_by_inliers(cn_inlier_item *items, size_t count, const cn_inlier_options *options)
{
	for (size_t i = 0; i < count; i++) {
		cn_inlier_item *item = &items[i];
		item->place = i;
		item->trusted = item->inliers >= 1 && item->inliers >= options->trust;
		if (!item->trusted)
			continue;
		if (options->order == CAIRN_ORDER_INLIERS)
			item->score = 1.0f + (float)item->inliers;
		else
			item->score += options->boost * log1pf((float)item->inliers);
	}
	if (count > 1)
		qsort(items, count, sizeof(*items), options->order == CAIRN_ORDER_INLIERS ? by_trust : by_score);
}

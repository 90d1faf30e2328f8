/*
 * Memory of extracted points.
 */
#include "local/points.h"

#include <string.h>

#include "util/memory.h"

int cn_points_new(cn_points *points, size_t count, uint32_t dim)
{
	size_t cells;
	memset(points, 0, sizeof(*points));
	CN_TRY(cn_size_mul(count, dim, &cells));
	points->keypoints = cn_alloc_zero(count, sizeof(*points->keypoints));
	points->descriptors = cn_alloc_aligned(cells, sizeof(*points->descriptors));
	points->count = count;
	points->dim = dim;
	if (points->keypoints && points->descriptors)
		return 0;
	cn_points_free(points);
	return CAIRN_ENOMEM;
}

void cn_points_free(cn_points *points)
{
	cn_free(points->keypoints);
	cn_free(points->descriptors);
	memset(points, 0, sizeof(*points));
}

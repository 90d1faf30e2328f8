/*
 * rank/inliers.h - putting verified images into order.
 *
 * docs/methods.md, "Re-ranking by inliers".
 */
#ifndef CN_RANK_INLIERS_H
#define CN_RANK_INLIERS_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/ranking.h"

typedef struct {
	cairn_order order;
	int32_t trust; /**< fewer inliers than this count as none; below 1 the same as 1 */
	float boost;
} cn_inlier_options;

/** One image of a list. */
typedef struct {
	int64_t id;
	float score;     /**< in: similarity; out: what the order is by */
	int32_t inliers; /**< CAIRN_NO_INLIERS where not verified */
	int trusted;     /**< out: 1 where they reach the minimum */
	size_t place;    /**< out: where it stood before */
} cn_inlier_item;

/**
 * Order a list, in place: images that reach `trust` move up, all others keep their order and score.
 *
 * CAIRN_ORDER_FUSED adds the boost to the score of those that reach it. CAIRN_ORDER_INLIERS puts them first and gives
 * them the score 1 + inliers. Equal ones stand as they stood.
 */
void cn_order_by_inliers(cn_inlier_item *items, size_t count, const cn_inlier_options *options);

#endif

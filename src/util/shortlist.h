/*
 * util/shortlist.h - the best rows of one query while rows stream by.
 *
 * Rows that reach the threshold are put down; when the list is full, it is cut to the `keep` best and the threshold
 * rises to the worst of them. Cutting is rare, so a row costs a comparison, and a good one little more. Better means a
 * larger score, or the same score and a smaller row: what is kept does not depend on the order of arrival.
 */
#ifndef CN_UTIL_SHORTLIST_H
#define CN_UTIL_SHORTLIST_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

typedef struct {
	float score;
	uint32_t row;
} cn_scored_row;

typedef struct {
	cn_scored_row *items;
	size_t count, keep, capacity;
	float threshold; /**< scores below it are not kept; -INFINITY until the list was cut */
	int distinct;    /**< 1: a row that is offered several times is kept once, with its largest score */
} cn_shortlist;

/** @param keep >= 1 */
int cn_shortlist_init(cn_shortlist *list, size_t keep);

/** How many items a list needs room for. */
int cn_shortlist_capacity(size_t keep, size_t *capacity);

/** A list in memory of the caller's, who must not free the list. @param items cn_shortlist_capacity() of them */
void cn_shortlist_place(cn_shortlist *list, size_t keep, cn_scored_row *items, size_t capacity);

void cn_shortlist_free(cn_shortlist *list);
void cn_shortlist_clear(cn_shortlist *list);

/** Leave the `keep` best, in any order. */
void cn_shortlist_cut(cn_shortlist *list);

/** Let the threshold be the worst score where there are `keep` items, all different where that matters: after they were
 * put there from elsewhere. */
void cn_shortlist_tighten(cn_shortlist *list);

/** Offer a row. NaN is never kept. */
static inline void cn_shortlist_push(cn_shortlist *list, float score, uint32_t row)
{
	if (!(score >= list->threshold))
		return;
	if (list->count == list->capacity)
		cn_shortlist_cut(list);
	list->items[list->count++] = (cn_scored_row){ score, row };
}

#endif

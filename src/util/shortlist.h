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
#include <string.h>

#include "util/status.h"

typedef struct {
	float score;
	uint32_t row;
} cn_hit;

typedef struct {
	uint64_t *keys; /**< capacity; a larger key is better */
	size_t count, keep, capacity;
	float threshold; /**< scores below it are not kept; -INFINITY until the list was cut */
	int distinct;    /**< 1: a row that is offered several times is kept once, with its largest score */
} cn_shortlist;

/** @param keep >= 1 */
int cn_shortlist_init(cn_shortlist *list, size_t keep);

/** How many keys a list needs room for. */
int cn_shortlist_capacity(size_t keep, size_t *capacity);

/** An empty list in memory of the caller's, which is not to be freed by the list. @param keys cn_shortlist_capacity()
 */
void cn_shortlist_place(cn_shortlist *list, size_t keep, uint64_t *keys, size_t capacity);

void cn_shortlist_free(cn_shortlist *list);
void cn_shortlist_clear(cn_shortlist *list);

/** Leave the `keep` best, in any order. */
void cn_shortlist_cut(cn_shortlist *list);

/** Let the threshold be the worst score where there are `keep` keys: after they were put there from elsewhere. */
void cn_shortlist_tighten(cn_shortlist *list);

/** Leave the `keep` best, best first. */
void cn_shortlist_sort(cn_shortlist *list);

/* Scores as whole numbers of the same order, and behind them rows, the smaller the better. */
static inline uint64_t cn_hit_key(float score, uint32_t row)
{
	uint32_t bits;
	score += 0.0f; /* -0 is 0 */
	memcpy(&bits, &score, sizeof(bits));
	bits ^= bits >> 31 ? 0xffffffffu : 0x80000000u;
	return (uint64_t)bits << 32 | (uint32_t)~row;
}

static inline cn_hit cn_hit_of_key(uint64_t key)
{
	cn_hit hit = { .row = ~(uint32_t)key };
	uint32_t bits = (uint32_t)(key >> 32);
	bits ^= bits >> 31 ? 0x80000000u : 0xffffffffu;
	memcpy(&hit.score, &bits, sizeof(bits));
	return hit;
}

static inline cn_hit cn_shortlist_at(const cn_shortlist *list, size_t i)
{
	return cn_hit_of_key(list->keys[i]);
}

/** Offer a row. NaN is never kept. */
static inline void cn_shortlist_push(cn_shortlist *list, float score, uint32_t row)
{
	if (!(score >= list->threshold))
		return;
	if (list->count == list->capacity)
		cn_shortlist_cut(list);
	list->keys[list->count++] = cn_hit_key(score, row);
}

#endif

/*
 * Cutting a list to its best: quickselect that divides without branches, since which way a key goes cannot be guessed.
 */
#include "util/shortlist.h"

#include <math.h>
#include <stdlib.h>

#include "util/memory.h"

#define SLACK 64 /* least room beyond what is kept */

int cn_shortlist_init(cn_shortlist *list, size_t keep)
{
	size_t capacity, keys;
	*list = (cn_shortlist){ 0 };
	CN_TRY(cn_size_add(keep, keep < SLACK ? SLACK : keep, &capacity));
	CN_TRY(cn_size_mul(capacity, 2, &keys));
	list->keys = cn_alloc(keys, sizeof(*list->keys));
	if (!list->keys)
		return CAIRN_ENOMEM;
	list->keep = keep;
	list->capacity = capacity;
	list->threshold = -INFINITY;
	return 0;
}

void cn_shortlist_free(cn_shortlist *list)
{
	cn_free(list->keys);
	*list = (cn_shortlist){ 0 };
}

void cn_shortlist_clear(cn_shortlist *list)
{
	list->count = 0;
	list->threshold = -INFINITY;
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t low = a < b ? a : b, high = a < b ? b : a;
	return c < low ? low : c > high ? high : c;
}

/* Keys above the pivot to the front, the others behind them. @return how many are above */
static size_t divide(uint64_t *keys, size_t count, uint64_t pivot, uint64_t *scratch)
{
	size_t above = 0, rest = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t key = keys[i];
		size_t is_above = key > pivot;
		keys[above] = key;
		scratch[rest] = key;
		above += is_above;
		rest += 1 - is_above;
	}
	memcpy(keys + above, scratch, rest * sizeof(*keys));
	return above;
}

/* The `keep` largest to the front. */
static void select_largest(uint64_t *keys, size_t count, size_t keep, uint64_t *scratch)
{
	while (keep > 0 && keep < count) {
		uint64_t pivot = median(keys[0], keys[count / 2], keys[count - 1]);
		size_t above = divide(keys, count, pivot, scratch);
		if (above >= keep) {
			count = above;
			continue;
		}
		keys += above;
		count -= above;
		keep -= above;
		/* The pivot is the largest of the rest, and there may be more like it. */
		size_t equal = divide(keys, count, pivot - 1, scratch);
		if (equal >= keep)
			return;
		keys += equal;
		count -= equal;
		keep -= equal;
	}
}

void cn_shortlist_cut(cn_shortlist *list)
{
	if (list->count <= list->keep)
		return;
	select_largest(list->keys, list->count, list->keep, list->keys + list->capacity);
	list->count = list->keep;
	uint64_t least = list->keys[0];
	for (size_t i = 1; i < list->count; i++)
		least = list->keys[i] < least ? list->keys[i] : least;
	list->threshold = cn_hit_of_key(least).score;
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a < b) - (a > b);
}

void cn_shortlist_sort(cn_shortlist *list)
{
	cn_shortlist_cut(list);
	if (list->count > 1)
		qsort(list->keys, list->count, sizeof(*list->keys), compare);
}

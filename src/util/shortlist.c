/*
 * Cutting a list to its best: quickselect with a pivot from a sample, that divides without branches, since which way a
 * key goes cannot be guessed.
 */
#include "util/shortlist.h"

#include <math.h>
#include <stdlib.h>

#include "util/memory.h"

#define SLACK  64 /* least room beyond what is kept */
#define SAMPLE 15
#define FEW    64 /* of so few keys, three are sample enough */

int cn_shortlist_capacity(size_t keep, size_t *capacity)
{
	return cn_size_add(keep, keep < SLACK ? SLACK : keep, capacity);
}

void cn_shortlist_place(cn_shortlist *list, size_t keep, uint64_t *keys, size_t capacity)
{
	*list = (cn_shortlist){ .keys = keys, .keep = keep, .capacity = capacity, .threshold = -INFINITY };
}

int cn_shortlist_init(cn_shortlist *list, size_t keep)
{
	size_t capacity;
	*list = (cn_shortlist){ 0 };
	CN_TRY(cn_shortlist_capacity(keep, &capacity));
	uint64_t *keys = cn_alloc(capacity, sizeof(*keys));
	if (!keys)
		return CAIRN_ENOMEM;
	cn_shortlist_place(list, keep, keys, capacity);
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

/* ---- selecting ---- */

/* The place of a key that will probably come to stand near `keep`: the one of a sample that stands there in it. */
static size_t choose_pivot(const uint64_t *keys, size_t count, size_t keep)
{
	size_t many = count < FEW ? 3 : SAMPLE, places[SAMPLE];
	for (size_t i = 0; i < many; i++) {
		size_t place = i * (count - 1) / (many - 1), at = i;
		for (; at > 0 && keys[places[at - 1]] < keys[place]; at--)
			places[at] = places[at - 1];
		places[at] = place;
	}
	return places[keep * many / count];
}

/* Keys above the pivot to the front, then the pivot, then the others. @return how many are above */
static size_t divide(uint64_t *keys, size_t count, size_t pivot_place)
{
	uint64_t pivot = keys[pivot_place];
	size_t above = 0;
	keys[pivot_place] = keys[count - 1];
	for (size_t i = 0; i + 1 < count; i++) {
		uint64_t key = keys[i];
		keys[i] = keys[above];
		keys[above] = key;
		above += key > pivot;
	}
	keys[count - 1] = keys[above];
	keys[above] = pivot;
	return above;
}

/* The `keep` largest to the front. */
static void select_largest(uint64_t *keys, size_t count, size_t keep)
{
	while (keep > 0 && keep < count) {
		size_t above = divide(keys, count, choose_pivot(keys, count, keep));
		if (above >= keep) {
			count = above;
			continue;
		}
		keys += above + 1;
		count -= above + 1;
		keep -= above + 1;
	}
}

/* ---- cutting ---- */

static int by_row_best_first(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	if ((uint32_t)a != (uint32_t)b)
		return (uint32_t)a > (uint32_t)b ? -1 : 1;
	return (a < b) - (a > b);
}

static void leave_distinct(cn_shortlist *list)
{
	size_t count = 1;
	if (list->count < 2)
		return;
	qsort(list->keys, list->count, sizeof(*list->keys), by_row_best_first);
	for (size_t i = 1; i < list->count; i++)
		if ((uint32_t)list->keys[i] != (uint32_t)list->keys[count - 1])
			list->keys[count++] = list->keys[i];
	list->count = count;
}

void cn_shortlist_cut(cn_shortlist *list)
{
	if (list->distinct)
		leave_distinct(list);
	if (list->count > list->keep) {
		select_largest(list->keys, list->count, list->keep);
		list->count = list->keep;
	}
	cn_shortlist_tighten(list);
}

void cn_shortlist_tighten(cn_shortlist *list)
{
	if (list->count < list->keep)
		return;
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

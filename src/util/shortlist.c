/*
 * Cutting a list to its best: quickselect with the median of three, then a sort if order is wanted.
 */
#include "util/shortlist.h"

#include <math.h>
#include <stdlib.h>

#include "util/memory.h"

#define SLACK 64 /* least room beyond what is kept */

int cn_shortlist_capacity(size_t keep, size_t *capacity)
{
	return cn_size_add(keep, keep < SLACK ? SLACK : keep, capacity);
}

void cn_shortlist_place(cn_shortlist *list, size_t keep, cn_hit *items, size_t capacity)
{
	*list = (cn_shortlist){ .items = items, .keep = keep, .capacity = capacity, .threshold = -INFINITY };
}

int cn_shortlist_init(cn_shortlist *list, size_t keep)
{
	size_t capacity;
	*list = (cn_shortlist){ 0 };
	CN_TRY(cn_shortlist_capacity(keep, &capacity));
	cn_hit *items = cn_alloc(capacity, sizeof(*items));
	if (!items)
		return CAIRN_ENOMEM;
	cn_shortlist_place(list, keep, items, capacity);
	return 0;
}

void cn_shortlist_free(cn_shortlist *list)
{
	cn_free(list->items);
	*list = (cn_shortlist){ 0 };
}

void cn_shortlist_clear(cn_shortlist *list)
{
	list->count = 0;
	list->threshold = -INFINITY;
}

static inline int is_better(cn_hit a, cn_hit b)
{
	return a.score > b.score || (a.score == b.score && a.row < b.row);
}

static inline void swap(cn_hit *a, cn_hit *b)
{
	cn_hit keep = *a;
	*a = *b;
	*b = keep;
}

/* The median of three goes to `first`. */
static void choose_pivot(cn_hit *items, size_t first, size_t last)
{
	size_t middle = first + (last - first) / 2;
	if (is_better(items[middle], items[last]))
		swap(&items[middle], &items[last]);
	if (is_better(items[first], items[last]))
		swap(&items[first], &items[last]);
	if (is_better(items[middle], items[first]))
		swap(&items[middle], &items[first]);
}

/* Items before the returned place are better than it, those behind are not. */
static size_t divide(cn_hit *items, size_t first, size_t last)
{
	choose_pivot(items, first, last);
	cn_hit pivot = items[first];
	size_t place = first;
	for (size_t i = first + 1; i <= last; i++) {
		/* No branch: which way it goes cannot be guessed. */
		cn_hit item = items[i];
		int better = is_better(item, pivot);
		items[i] = items[place + 1];
		items[place + 1] = item;
		place += (size_t)better;
	}
	swap(&items[first], &items[place]);
	return place;
}

/* The `keep` best to the front. */
static void select_best(cn_hit *items, size_t count, size_t keep)
{
	size_t first = 0, last = count - 1;
	while (first < last) {
		size_t place = divide(items, first, last);
		if (place == keep)
			return;
		if (place < keep)
			first = place + 1;
		else
			last = place - 1;
	}
}

static int by_row_best_first(const void *left, const void *right)
{
	cn_hit a = *(const cn_hit *)left, b = *(const cn_hit *)right;
	if (a.row != b.row)
		return a.row < b.row ? -1 : 1;
	return (a.score < b.score) - (a.score > b.score);
}

static void leave_distinct(cn_shortlist *list)
{
	size_t count = 1;
	if (list->count < 2)
		return;
	qsort(list->items, list->count, sizeof(*list->items), by_row_best_first);
	for (size_t i = 1; i < list->count; i++)
		if (list->items[i].row != list->items[count - 1].row)
			list->items[count++] = list->items[i];
	list->count = count;
}

void cn_shortlist_cut(cn_shortlist *list)
{
	if (list->distinct)
		leave_distinct(list);
	if (list->count > list->keep) {
		select_best(list->items, list->count, list->keep);
		list->count = list->keep;
	}
	cn_shortlist_tighten(list);
}

void cn_shortlist_tighten(cn_shortlist *list)
{
	if (list->count < list->keep)
		return;
	float worst = list->items[0].score;
	for (size_t i = 1; i < list->count; i++)
		worst = list->items[i].score < worst ? list->items[i].score : worst;
	list->threshold = worst;
}

static int compare(const void *left, const void *right)
{
	cn_hit a = *(const cn_hit *)left, b = *(const cn_hit *)right;
	return is_better(a, b) ? -1 : is_better(b, a);
}

void cn_shortlist_sort(cn_shortlist *list)
{
	cn_shortlist_cut(list);
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare);
}

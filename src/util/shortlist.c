/*
 * Cutting a list to its best: quickselect.
 */
#include "util/shortlist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

#define SLACK 64  /* least room beyond what is kept */
#define CHUNK 512 /* keys divided at once */

int cn_shortlist_capacity(size_t keep, size_t *capacity)
{
	return cn_size_add(keep, keep < SLACK ? SLACK : keep, capacity);
}

void cn_shortlist_place(cn_shortlist *list, size_t keep, cn_scored_row *items, size_t capacity)
{
	*list = (cn_shortlist){ .items = items, .keep = keep, .capacity = capacity, .threshold = -INFINITY };
}

int cn_shortlist_init(cn_shortlist *list, size_t keep)
{
	size_t capacity;
	*list = (cn_shortlist){ 0 };
	CN_TRY(cn_shortlist_capacity(keep, &capacity));
	cn_scored_row *items = cn_alloc(capacity, sizeof(*items));
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

/* ---- which is better, in one comparison ---- */

/* Larger is better. Floats are ordered as numbers with a sign of their own; -0 counts as 0. */
static inline uint64_t key_of(cn_scored_row item)
{
	float score = item.score + 0.0f;
	uint32_t bits;
	memcpy(&bits, &score, sizeof(bits));
	bits ^= bits >> 31 ? 0xffffffffu : 0x80000000u;
	return (uint64_t)bits << 32 | ~item.row;
}

static inline cn_scored_row hit_of(uint64_t key)
{
	uint32_t bits = (uint32_t)(key >> 32);
	cn_scored_row item = { 0, ~(uint32_t)key };
	bits ^= bits >> 31 ? 0x80000000u : 0xffffffffu;
	memcpy(&item.score, &bits, sizeof(bits));
	return item;
}

/* Keys take the places of items while the best are selected. */
static inline uint64_t get(const cn_scored_row *items, size_t i)
{
	uint64_t key;
	memcpy(&key, &items[i], sizeof(key));
	return key;
}

static inline void put(cn_scored_row *items, size_t i, uint64_t key)
{
	memcpy(&items[i], &key, sizeof(key));
}

/* ---- selecting ---- */

/* The place of the median of the first, the middle and the last key. */
static size_t choose_pivot(const cn_scored_row *items, size_t first, size_t last)
{
	size_t middle = first + (last - first) / 2;
	uint64_t a = get(items, first), b = get(items, middle), c = get(items, last);
	if ((a < b) == (b < c))
		return middle;
	return (b < a) == (a < c) ? first : last;
}

/* Keys above the pivot to the front of at most CHUNK. No branch: which way a key goes cannot be guessed. @return how
 * many */
static size_t divide_chunk(cn_scored_row *items, size_t count, uint64_t pivot)
{
	uint64_t rest[CHUNK];
	size_t above = 0, below = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t key = get(items, i);
		put(items, above, key);
		rest[below] = key;
		above += key > pivot;
		below += key <= pivot;
	}
	memcpy(items + above, rest, below * sizeof(*rest));
	return above;
}

static void swap_items(cn_scored_row *a, cn_scored_row *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cn_scored_row kept = a[i];
		a[i] = b[i];
		b[i] = kept;
	}
}

/* Keys before the returned place are above that which stands there, those behind are not. */
static size_t divide(cn_scored_row *items, size_t first, size_t last, size_t pivot_place)
{
	uint64_t pivot = get(items, pivot_place);
	size_t place = first;
	put(items, pivot_place, get(items, last));
	for (size_t begin = first; begin < last; begin += CHUNK) {
		size_t above = divide_chunk(items + begin, last - begin < CHUNK ? last - begin : CHUNK, pivot);
		/* Those of the chunk change places with as many of the chunks before that are not above. */
		size_t moved = above < begin - place ? above : begin - place;
		swap_items(items + place, items + begin + above - moved, moved);
		place += above;
	}
	put(items, last, get(items, place));
	put(items, place, pivot);
	return place;
}

/* The `keep` best to the front. */
static void select_best(cn_scored_row *items, size_t count, size_t keep)
{
	size_t first = 0, last = count - 1;
	for (size_t i = 0; i < count; i++)
		put(items, i, key_of(items[i]));
	while (first < last) {
		size_t place = divide(items, first, last, choose_pivot(items, first, last));
		if (place == keep)
			break;
		if (place < keep)
			first = place + 1;
		else
			last = place - 1;
	}
	for (size_t i = 0; i < keep; i++)
		items[i] = hit_of(get(items, i));
}

static int by_row_best_first(const void *left, const void *right)
{
	cn_scored_row a = *(const cn_scored_row *)left, b = *(const cn_scored_row *)right;
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

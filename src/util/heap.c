/*
 * The k best of a stream: a binary heap of k items with the worst at its root, so that most items of a long stream are
 * turned away by one comparison.
 */
#include "util/heap.h"

#include <math.h>
#include <stdlib.h>

#include "util/memory.h"

static int better(cn_scored a, cn_scored b)
{
	return a.score > b.score || (a.score == b.score && a.id < b.id);
}

int cn_heap_init(cn_heap *heap, size_t capacity)
{
	heap->count = 0;
	heap->capacity = capacity;
	heap->items = cn_alloc(capacity, sizeof(*heap->items));
	if (!heap->items) {
		heap->capacity = 0;
		return CAIRN_ENOMEM;
	}
	return 0;
}

void cn_heap_free(cn_heap *heap)
{
	cn_free(heap->items);
	*heap = (cn_heap){ NULL, 0, 0 };
}

void cn_heap_clear(cn_heap *heap)
{
	heap->count = 0;
}

float cn_heap_threshold(const cn_heap *heap)
{
	if (heap->capacity == 0)
		return INFINITY;
	return heap->count < heap->capacity ? -INFINITY : heap->items[0].score;
}

static void sift_up(cn_scored *items, size_t at, cn_scored item)
{
	while (at > 0 && better(items[(at - 1) / 2], item)) {
		items[at] = items[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	items[at] = item;
}

static void sift_down(cn_scored *items, size_t count, cn_scored item)
{
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= count)
			break;
		if (child + 1 < count && better(items[child], items[child + 1]))
			child++;
		if (!better(item, items[child]))
			break;
		items[at] = items[child];
		at = child;
	}
	items[at] = item;
}

void cn_heap_push(cn_heap *heap, float score, int64_t id)
{
	cn_scored item = { score, id };

	if (isnan(score))
		return;
	if (heap->count < heap->capacity)
		sift_up(heap->items, heap->count++, item);
	else if (heap->capacity && better(item, heap->items[0]))
		sift_down(heap->items, heap->count, item);
}

void cn_heap_sort(cn_heap *heap)
{
	if (heap->count > 1)
		qsort(heap->items, heap->count, sizeof(*heap->items), cn_scored_compare);
}

int cn_scored_compare(const void *a, const void *b)
{
	const cn_scored *x = a, *y = b;
	int x_nan = isnan(x->score), y_nan = isnan(y->score);

	if (x_nan != y_nan)
		return x_nan - y_nan;
	if (!x_nan && x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

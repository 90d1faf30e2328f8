/*
 * util/heap.h - keep the k best of a stream of (score, id).
 *
 * Better means a larger score, or the same score and a smaller id, so the outcome does not depend on the order of
 * arrival.
 */
#ifndef CN_UTIL_HEAP_H
#define CN_UTIL_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

typedef struct {
	float score;
	int64_t id;
} cn_scored;

/** A bounded heap whose root is the worst kept item. */
typedef struct {
	cn_scored *items;
	size_t count, capacity;
} cn_heap;

int cn_heap_init(cn_heap *heap, size_t capacity);
void cn_heap_free(cn_heap *heap);
void cn_heap_clear(cn_heap *heap);

/** The score that a new item must at least reach to be kept: -INFINITY until the heap is full. */
float cn_heap_threshold(const cn_heap *heap);

/** Offer an item. NaN scores are never kept. */
void cn_heap_push(cn_heap *heap, float score, int64_t id);

/** Order the items best first, in place; the heap must be cleared before it is pushed to again. */
void cn_heap_sort(cn_heap *heap);

/** -1 if a is better, 1 if b is better, 0 if equal; for qsort(). */
int cn_scored_compare(const void *a, const void *b);

#endif

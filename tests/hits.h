/*
 * hits.h - the order of rows in a shortlist, for tests that sort everything.
 */
#ifndef CN_TESTS_HITS_H
#define CN_TESTS_HITS_H

#include <stdlib.h>

#include "util/shortlist.h"

/** For qsort(): larger scores first, then smaller rows. */
static inline int cn_test_best_first(const void *left, const void *right)
{
	const cn_scored_row *a = left, *b = right;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

/** Leave what a list keeps, best first. */
static inline void cn_test_sort_list(cn_shortlist *list)
{
	cn_shortlist_cut(list);
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), cn_test_best_first);
}

#endif

/*
 * hits.h - the order of rows in a shortlist, for tests that sort everything.
 */
#ifndef CN_TESTS_HITS_H
#define CN_TESTS_HITS_H

#include "util/shortlist.h"

/** For qsort(): larger scores first, then smaller rows. */
static inline int cn_test_best_first(const void *left, const void *right)
{
	const cn_hit *a = left, *b = right;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

#endif

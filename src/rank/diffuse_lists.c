/*
 * Neighbours in, rankings out.
 */
#include "rank/diffuse_lists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

#define GRAIN 1024

struct look {
	const cn_neighbours *lists;
	size_t among;
	int scores;
};

static int check_lines(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct look *look = context;
	size_t k = look->lists->k;
	(void)worker;
	for (size_t i = begin * k; i < end * k; i++) {
		int32_t id = look->lists->ids[i];
		if (id < 0)
			continue;
		if ((size_t)id >= look->among)
			return cn_fail(CAIRN_EINVALID, "neighbours: line %zu names number %d, of %zu", i / k, id,
				       look->among);
		if (look->scores && !isfinite(look->lists->scores[i]))
			return cn_fail(CAIRN_EINVALID, "neighbours: line %zu has the similarity %g", i / k,
				       (double)look->lists->scores[i]);
	}
	return 0;
}

int cn_neighbours_check(const cn_neighbours *lists, size_t among, int scores, cn_workers *pool)
{
	struct look look = { lists, among, scores };
	if (among > INT32_MAX)
		return cn_fail(CAIRN_ELIMIT, "neighbours among %zu; at most %d are possible", among, INT32_MAX);
	if (lists->k < 1)
		return cn_fail(CAIRN_EINVALID, "neighbours: lists of length 0");
	return cn_parallel_for(pool, lists->lines, GRAIN, check_lines, &look);
}

float cn_diffusion_weight(float similarity, float gamma)
{
	if (!(similarity > 0))
		return 0;
	return gamma == 3 ? similarity * similarity * similarity : powf(similarity, gamma);
}

int cn_diffusion_check_gamma(float gamma)
{
	if (gamma > 0 && isfinite(gamma))
		return 0;
	return cn_fail(CAIRN_EINVALID, "diffusion: gamma is %g; it must be above 0", (double)gamma);
}

int cn_shortlists_init(cn_shortlists *lists, unsigned count, size_t keep)
{
	memset(lists, 0, sizeof(*lists));
	CN_NEW(lists->items, count, sizeof(*lists->items));
	for (; lists->count < count; lists->count++) {
		int status = cn_shortlist_init(&lists->items[lists->count], keep);
		if (status < 0) {
			cn_shortlists_free(lists);
			return status;
		}
	}
	return 0;
}

void cn_shortlists_free(cn_shortlists *lists)
{
	for (unsigned i = 0; i < lists->count; i++)
		cn_shortlist_free(&lists->items[i]);
	cn_free(lists->items);
	memset(lists, 0, sizeof(*lists));
}

int cn_diffuse_check_ranking(const cairn_ranking *out, size_t queries)
{
	if (cairn_ranking_queries(out) == queries)
		return 0;
	return cn_fail(CAIRN_EINVALID, "a ranking for %zu queries, and %zu queries", cairn_ranking_queries(out),
		       queries);
}

/* ---- order ---- */

/* A number that ascends as the score descends. */
static inline uint32_t key_of(float score)
{
	uint32_t bits;
	memcpy(&bits, &score, sizeof(bits));
	return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

static int by_row(const void *left, const void *right)
{
	const cn_scored_row *a = left, *b = right;
	return a->row < b->row ? -1 : a->row > b->row;
}

/* Byte by byte, an even number of times, so that items end where they began. */
void cn_diffuse_sort(cn_scored_row *items, cn_scored_row *room, size_t count)
{
	for (unsigned shift = 0; shift < 32; shift += 8) {
		size_t starts[257] = { 0 };
		for (size_t i = 0; i < count; i++)
			starts[(key_of(items[i].score) >> shift & 255) + 1]++;
		for (size_t b = 0; b < 256; b++)
			starts[b + 1] += starts[b];
		for (size_t i = 0; i < count; i++)
			room[starts[key_of(items[i].score) >> shift & 255]++] = items[i];
		cn_scored_row *swap = items;
		items = room;
		room = swap;
	}
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first + 1; end < count && items[end].score == items[first].score;)
			end++;
		if (end - first > 1)
			qsort(items + first, end - first, sizeof(*items), by_row);
	}
}

int cn_diffuse_rank(cairn_ranking *out, size_t query, cn_shortlist *list, const int64_t *images)
{
	cn_shortlist_cut(list);
	/* A list has room for at least twice what it keeps. */
	cn_diffuse_sort(list->items, list->items + list->keep, list->count);
	for (size_t i = 0; i < list->count; i++) {
		uint32_t position = list->items[i].row;
		CN_TRY(cairn_ranking_set(out, query, i, images ? images[position] : (int64_t)position,
					 list->items[i].score));
	}
	cn_shortlist_clear(list);
	return 0;
}

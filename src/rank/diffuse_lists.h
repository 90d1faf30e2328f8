/*
 * rank/diffuse_lists.h - what the ways of diffusion share: lists of neighbours that go in, rankings that come out.
 */
#ifndef CN_RANK_DIFFUSE_LISTS_H
#define CN_RANK_DIFFUSE_LISTS_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/ranking.h"
#include "util/parallel.h"
#include "util/shortlist.h"

/** The nearest of N things for each line; the things have numbers from 0 to N - 1, their positions. Borrowed. */
typedef struct {
	size_t lines, k;
	const int32_t
		*ids; /**< lines x k, C order: positions, best first and each once; negative where there are fewer */
	const float *scores; /**< lines x k: similarities, finite where there is a position */
} cn_neighbours;

/** CAIRN_EINVALID, naming the line, where a position is not below `among` or a score is not finite. @param scores 0:
 * they are not looked at */
int cn_neighbours_check(const cn_neighbours *lists, size_t among, int scores, cn_workers *pool);

/** max(0, similarity)^gamma */
float cn_diffusion_weight(float similarity, float gamma);

/** CAIRN_EINVALID unless gamma is a number above 0. */
int cn_diffusion_check_gamma(float gamma);

/** One shortlist a thread, each for `keep` positions. */
typedef struct {
	cn_shortlist *items;
	unsigned count;
} cn_shortlists;

int cn_shortlists_init(cn_shortlists *lists, unsigned count, size_t keep);
void cn_shortlists_free(cn_shortlists *lists);

/** CAIRN_EINVALID unless the ranking has so many queries. */
int cn_diffuse_check_ranking(const cairn_ranking *out, size_t queries);

/** Positions of `count` that a query's places can hold, >= 1. */
static inline size_t cn_diffuse_depth(const cairn_ranking *out, size_t count)
{
	size_t depth = cairn_ranking_depth(out), most = count ? count : 1;
	return depth < most ? depth : most;
}

/** Whether a position is ranked: its value is above 0 and it is no query. @param images as cn_diffuse_rank() has it */
static inline int cn_is_ranked(const int64_t *images, size_t position, float value)
{
	return value > 0 && (!images || images[position] >= 0);
}

/** Order by descending score, equal ones by row. @param room for as many items; what it holds afterwards is undefined
 */
void cn_diffuse_sort(cn_scored_row *items, cn_scored_row *room, size_t count);

/**
 * Put what a shortlist holds into a ranking, best first, equal scores by ascending position.
 *
 * @param list   for cn_diffuse_depth() positions; is empty afterwards
 * @param images the image of each position, negative where it must not be found; NULL: the position itself
 */
int cn_diffuse_rank(cairn_ranking *out, size_t query, cn_shortlist *list, const int64_t *images);

#endif

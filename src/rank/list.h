/*
 * rank/list.h - the lists of a ranking, re-ranked one by one: what every method needs around its own rule.
 *
 * A method is a body that is given one query's list and changes it. What comes before and after is here: threads,
 * progress, places without an image, repetitions, and scores that must not rise.
 */
#ifndef CN_RANK_LIST_H
#define CN_RANK_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/ranking.h"
#include "util/heap.h"
#include "util/parallel.h"

/** With what a ranking is re-ranked; the result does not depend on it. */
typedef struct {
	cn_workers *pool;           /**< NULL: the calling thread alone; queries are shared out */
	cairn_progress_cb progress; /**< NULL, or told of queries; it can cancel */
	void *progress_payload;
} cn_rank_run;

/** One query's list. A body leaves its result in `items` and `count`. */
typedef struct {
	cn_scored *items; /**< count images, best first, none twice */
	cn_scored *spare; /**< as much memory; a body that builds a new list does it here, then cn_rank_list_take() */
	size_t count;
	size_t capacity; /**< of both: places of the ranking and of the result together */
	int64_t *ids;    /**< the images that were read, ascending; not changed by the body */
	size_t read;     /**< how many those are */
	uint8_t *seen;   /**< the reader's */
} cn_rank_list;

/**
 * Re-ranks a list.
 *
 * @param query  the row of the ranking
 * @param worker 0 to threads - 1, for scratch memory
 * @return 0 or a negative status, which ends the work
 */
typedef int (*cn_rank_body)(void *context, cn_rank_list *list, size_t query, unsigned worker);

typedef struct {
	const cn_rank_run *run; /**< NULL: without pool and progress */
	const cairn_ranking *ranking;
	size_t take;       /**< how many places of a row are read */
	size_t depth;      /**< places of a row of the result; what a list has more is cut off */
	const char *stage; /**< what progress calls it */
	cn_rank_body body;
	void *context;
} cn_rank_job;

/**
 * Run the body over all lists.
 *
 * Of a row's places those without an image are passed over, and of an image that stands there twice the first is
 * taken. An empty list goes to the body like any other. In the result no score is above the one before it: a larger
 * one becomes equal.
 *
 * @param[out] out a ranking of `depth` places; the caller frees it
 * @return 0; what the body failed with; CAIRN_EINVALID where the depth is out of range, or a score is not a number;
 *         CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_rank_lists(cairn_ranking **out, const cn_rank_job *job);

/** Threads that may run bodies at once. @param run NULL is allowed */
unsigned cn_rank_threads(const cn_rank_run *run);

/** Let `count` images of `spare` be the list. */
void cn_rank_list_take(cn_rank_list *list, size_t count);

/**
 * Lower the scores from place `from` on, all by the same number, so that the first of them is not above the place
 * before it; nothing where that is so already or there is none. For lists of two parts whose scores say different
 * things, of which the second stands behind the first whatever its scores are.
 */
void cn_scores_follow(cn_scored *items, size_t count, size_t from);

#endif

/*
 * index/graph_work.h - a graph that is being made: what its files share. Their course is in graph.c, with a picture of
 * it.
 *
 *   graph_work.c    which lists are in memory, what of them is written, how far the work is
 *   graph_step.c    multiplying a band of one block with another block
 *   graph_rank.c    scoring anew what a block's lists hold
 *   graph_output.c  the arrays that users get
 */
#ifndef CN_INDEX_GRAPH_WORK_H
#define CN_INDEX_GRAPH_WORK_H

#include "index/graph_folder.h"
#include "index/graph_plan.h"
#include "index/rescore.h"
#include "math/scan.h"
#include "util/parallel.h"
#include "util/progress.h"

/** Memory of one thread. */
typedef struct {
	cn_shortlist *lists; /**< a query of a band each */
	cn_scored_row *items;
	cn_scan_scratch scratch;
	float *vectors;  /**< of one image */
	cn_found *found; /**< as many as a list keeps */
} cn_graph_worker;

typedef struct {
	cn_image_rows images, others;
	const cn_image_rows *among;
	cn_graph_plan plan;
	cn_graph_folder folder;
	cn_graph_key key;
	cn_graph_mark *marks; /**< of all blocks, as they are in memory or else in files */
	cn_graph_state held[2];
	cn_workers *pool;
	cn_graph_worker *workers;
	/** Seconds: wanted between states; when they were written; least until then. */
	double interval, written, next_write;
	cn_progress progress;
	double done, total, resumed; /**< pairs of images */
	uint64_t told;
	uint64_t neighbours; /**< in all lines written */
	/* Of a step: */
	float *vectors; /**< of the queries */
	uint32_t *names;
	size_t query_count;
	cn_queries queries;
	cn_query_panels panels;
	cn_span band;
	cn_graph_state *own, *partner;
	int wants_own, wants_partner; /**< whose lists take part */
	size_t first_chunk;
	/* Of ranking: */
	size_t batch;
} cn_graph_work;

/* ---- graph_work.c ---- */

/** Memory for what was planned. @return 0; CAIRN_ENOMEM; CAIRN_ELIMIT. cn_graph_work_free() is needed after either */
int cn_graph_work_room(cn_graph_work *work);

/** Harmless at any stage, beginning with a struct that holds no blocks and no lock and is zero otherwise. */
void cn_graph_work_free(cn_graph_work *work);

/** Have a block's lists in held[place]; those that must make room are written first. @return 0; as of reading and
 * writing states */
int cn_graph_work_hold(cn_graph_work *work, size_t place, size_t block);

/** Lists that are held have changed, and are so far now. */
void cn_graph_work_mark(cn_graph_work *work, cn_graph_state *state, cn_graph_mark mark);

/** Write the states of held blocks that changed. */
int cn_graph_work_save(cn_graph_work *work);

/** After each piece of work: tell of it, and write states where it is time. @return 0; CAIRN_ECANCELLED; as of writing
 */
int cn_graph_work_advance(cn_graph_work *work, double pairs);

/** Work that an earlier run did. */
void cn_graph_work_pass(cn_graph_work *work, double pairs);

/** CAIRN_EDAMAGED naming the image. */
int cn_graph_fail_not_finite(const cn_image_rows *images, size_t image);

/* ---- graph_step.c ---- */

/** Pairs of images that the steps of a tile multiply. */
double cn_graph_tile_pairs(const cn_graph_work *work, size_t block, size_t partner);

/** Do the steps of a tile of which one of its blocks lacks the results. @return 0; CAIRN_ECANCELLED; CAIRN_ENOMEM; as
 * of reading and writing states */
int cn_graph_take_tile(cn_graph_work *work, size_t block, size_t partner);

/* ---- graph_rank.c ---- */

/** What ranking one image takes, in pairs. */
double cn_graph_rank_cost(const cn_graph_work *work);

/** Make the lists of a block final, whose tiles are all done: scored in half precision, the best k, best first. @return
 * as cn_graph_take_tile() */
int cn_graph_rank_block(cn_graph_work *work, size_t block);

/* ---- graph_output.c ---- */

/** Write the arrays from lists that are all final, put them into their places and delete the state. */
int cn_graph_output(cn_graph_work *work);

#endif

/*
 * index/graph_plan.h - how the making of a graph is cut into pieces.
 *
 *   block  images whose lists are in memory together; a tile is the product of one block with another, or with itself
 *   band   images of a block whose rows are the queries of one pass; a step is a band of one block times another block
 *   chunk  images of a block whose rows one thread takes at once; its rows lie next to each other
 *
 * Steps have numbers, in the order in which they are done: tile by tile on and above the diagonal, band by band.
 */
#ifndef CN_INDEX_GRAPH_PLAN_H
#define CN_INDEX_GRAPH_PLAN_H

#include "index/image_rows.h"

/** Images that follow each other. */
typedef struct {
	size_t first, count;
} cn_span;

/** Spans in order; those of block b are from[b] to from[b + 1] - 1. */
typedef struct {
	cn_span *items;
	size_t *from;
	size_t count;
} cn_spans;

typedef struct {
	size_t keep; /**< images on a list */
	size_t k;    /**< of which the best are wanted */
	int exact;
	int self; /**< neighbours are looked for among the images themselves */
	unsigned threads;
	uint64_t memory; /**< bytes */
} cn_graph_demand;

typedef struct {
	const cn_image_rows *images, *among;
	cn_graph_demand demand;
	size_t block_images, blocks; /**< every block but the last has as many images */
	size_t most_queries;         /**< rows in a band */
	cn_spans bands, chunks;      /**< chunks are of `among`, which is one block unless it is `images` */
	uint64_t *first_step;        /**< of each block's first tile, and of the end */
} cn_graph_plan;

/** How many rows a band may have, with the kernels in use. */
size_t cn_graph_plan_most_queries(const cn_image_rows *images, int exact);

/** The most images a block can have. @return 0; CAIRN_ELIMIT where there is too little memory for any work */
int cn_graph_plan_block(const cn_image_rows *images, const cn_image_rows *among, const cn_graph_demand *demand,
			size_t *block_images);

/** @param block_images at least 1 */
int cn_graph_plan_init(cn_graph_plan *out, const cn_image_rows *images, const cn_image_rows *among,
		       const cn_graph_demand *demand, size_t block_images);
void cn_graph_plan_free(cn_graph_plan *plan);

cn_span cn_graph_plan_images(const cn_graph_plan *plan, size_t block);

/** The blocks that a block is multiplied with: itself and those behind it, or the only one of `among`. */
cn_span cn_graph_plan_partners(const cn_graph_plan *plan, size_t block);

/** Number of the first step of a tile. */
uint64_t cn_graph_plan_step(const cn_graph_plan *plan, size_t block, size_t partner);

/** The first chunk of `partner` that a band is multiplied with. */
size_t cn_graph_plan_first_chunk(const cn_graph_plan *plan, size_t block, size_t partner, cn_span band);

#endif

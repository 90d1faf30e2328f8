/*
 * cairn/graph.h - the nearest neighbours of every image: the kNN graph.
 *
 * Similarity is that of cairn/index.h, between images: the inner product of the best pair of their rows. The graph is
 * written to files, since it is larger than memory where there are many images.
 */
#ifndef CAIRN_GRAPH_H
#define CAIRN_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/index.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CAIRN_GRAPH_MAX_K 65536

/** How a graph is made. */
typedef struct {
	uint32_t version; /**< CAIRN_GRAPH_OPTIONS_VERSION */
	uint32_t threads; /**< 0: one for each core */
	size_t depth;     /**< as in cairn_index_options */
	int exact;        /**< as in cairn_index_options */
	/** Bytes that may be taken, 0: 2 GiB. Where the lists of all images need more, they are kept in files and the
	 * work is done block by block. Rows are not counted: they are mapped, and the system takes back what is short.
	 */
	uint64_t memory;
	double checkpoint;          /**< seconds of work that a kill may cost; 0: 60 */
	cairn_progress_cb progress; /**< NULL: none. Told of images, as if each took the same time */
	void *progress_payload;
} cairn_graph_options;

#define CAIRN_GRAPH_OPTIONS_VERSION 1
#define CAIRN_GRAPH_OPTIONS_INIT                                                                                       \
	{                                                                                                              \
		CAIRN_GRAPH_OPTIONS_VERSION, 0, 0, 0, 0, 0, NULL, NULL                                                 \
	}

/** What was done. */
typedef struct {
	uint64_t images;     /**< lines written */
	uint64_t neighbours; /**< in all lines together */
	uint64_t blocks;     /**< 1 where all lists were in memory */
	double resumed;      /**< 0 to 1: the share of the work that earlier runs had done */
} cairn_graph_report;

/**
 * Write the k nearest images of every image, in order of the images' ids (docs/format.md, "Graphs"):
 *
 *     PREFIX.images.npy  int64, N: the image that each line is of
 *     PREFIX.ids.npy     int64, N x k: its neighbours, best first, equal scores by id; -1 where there are fewer
 *     PREFIX.scores.npy  float32, N x k: inner products of half-precision rows; -infinity where there are fewer
 *
 * They take the places of those before when all three are complete. Lists of an inverted file are not used: all rows
 * are compared. Each call has threads of its own.
 *
 * Removed images are left out. Results do not depend on threads, memory, or where earlier runs were interrupted: what
 * they did is in the folder PREFIX.work, and the next call with the same rows and k goes on from there, while one with
 * others starts anew. Pairs are found among 8-bit codes and scored in half precision (docs/methods.md, "kNN graph").
 *
 * @param images  whose neighbours are wanted. The ids of its parts must not overlap, and ascend from part to part
 * @param among   where they are looked for, likewise; NULL: in `images`, and no image is its own neighbour
 * @param k       1 to CAIRN_GRAPH_MAX_K
 * @param prefix  path; the folder it lies in must exist
 * @param options NULL for the defaults
 * @param report  NULL, or set where the graph was written
 * @return 0; CAIRN_ECANCELLED, after what was done was written to PREFIX.work; CAIRN_EINVALID where sizes do not fit or
 *         ids overlap; CAIRN_ELIMIT where `memory` is too little for anything; CAIRN_EBUSY, naming the process, where
 *         another call of this process or another is writing with the same prefix; CAIRN_ENOSPACE; CAIRN_EIO;
 *         CAIRN_EDAMAGED where a row holds a number that is not finite, or a file of PREFIX.work was changed
 *         meanwhile; CAIRN_ENOMEM
 *
 * Thread-safety: may run beside searches of the same indexes, and beside other calls with other prefixes.
 */
CAIRN_API int cairn_graph_write(const cairn_index *images, const cairn_index *among, size_t k, const char *prefix,
				const cairn_graph_options *options, cairn_graph_report *report);

/* ---- reading ---- */

/** The nearest neighbours of N images: arrays of the caller's, or those of a graph's files. Borrowed. */
typedef struct {
	const int64_t *images; /**< N: the image that each line is of */
	const int64_t *ids;    /**< N x k, C order: its neighbours, best first; a negative id is no image */
	const float *scores;   /**< N x k: their similarities */
	size_t count;          /**< N */
	size_t k;
} cairn_neighbours;

typedef struct cairn_graph cairn_graph;

/**
 * Map the files that cairn_graph_write() wrote.
 *
 * @param[out] out    the caller frees it with cairn_graph_free()
 * @param      prefix path, as it was given to cairn_graph_write()
 * @return 0; CAIRN_ENOTFOUND; CAIRN_EFORMAT naming the file whose type or shape does not fit; CAIRN_EIO; CAIRN_ENOMEM
 *
 * Thread-safety: a graph may be read from any number of threads. One that is written anew with the same prefix leaves
 * an open one as it was.
 */
CAIRN_API int cairn_graph_open(cairn_graph **out, const char *prefix);

/** Free a graph; NULL is allowed. */
CAIRN_API void cairn_graph_free(cairn_graph *graph);

/** Its lines, borrowed until it is freed. What ids and scores hold is not checked. */
CAIRN_API const cairn_neighbours *cairn_graph_neighbours(const cairn_graph *graph);

#ifdef __cplusplus
}
#endif
#endif

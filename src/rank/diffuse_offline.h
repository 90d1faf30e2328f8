/*
 * rank/diffuse_offline.h - diffusion from every image ahead of all queries, and searching with what it gives.
 *
 * Yang, Hinami, Matsui, Ly and Satoh, "Efficient image retrieval via decoupling diffusion into online and offline
 * processing", AAAI 2019; docs/methods.md, "Diffusion". Results do not depend on the number of threads.
 */
#ifndef CN_RANK_DIFFUSE_OFFLINE_H
#define CN_RANK_DIFFUSE_OFFLINE_H

#include "rank/diffuse.h"
#include "util/npy.h"

typedef struct {
	size_t truncation; /**< n: images that one image's diffusion may reach, itself counted; >= 1 */
	cn_solver_options solver;
	size_t block; /**< images whose rows are handed over at once; 0: 1024 */
} cn_offline_options;

/** Published constants. */
#define CN_OFFLINE_OPTIONS_INIT                                                                                        \
	{                                                                                                              \
		1000, CN_SOLVER_OPTIONS_INIT, 0                                                                        \
	}

/**
 * Rows first to first + count - 1 are complete. Called in order, in the thread of the caller of cn_diffuse_offline().
 *
 * @param ids    count x n, C order: the images that the diffusion from this one reaches, by descending value, equal
 *               values by position; -1 where there are fewer
 * @param values likewise, 0 where there are fewer
 * @return 0, or a negative status, which stops the work
 */
typedef int (*cn_offline_sink)(void *context, size_t first, size_t count, const int32_t *ids, const float *values);

/** Entries of a row: n, or N where that is less. */
size_t cn_offline_width(const cn_diffusion_graph *graph, const cn_offline_options *options);

/**
 * For every image from begin to end - 1 the solution f of (I - alpha S') f = e, where S' is S between the image and
 * those of its n - 1 nearest that are not itself, and e is 1 at the image. S is normalised over the whole graph before
 * it is cut.
 *
 * Rows do not depend on begin and end, so work can be done in pieces. Memory: block x n x 8 bytes, and a thread 4 bytes
 * for each image and 8 for each entry of the largest S'.
 *
 * @param lists of each image: line i is of position i; scores are not read and may be NULL
 * @param pool  NULL: in the calling thread alone
 * @param callback NULL, or told of images
 * @return 0; CAIRN_EINVALID where an option or range is out of range, or a list names a position that is not there;
 *         CAIRN_ECANCELLED; the sink's failure; CAIRN_ENOMEM
 */
int cn_diffuse_offline(const cn_diffusion_graph *graph, const cn_neighbours *lists, size_t begin, size_t end,
		       const cn_offline_options *options, cn_offline_sink sink, void *context, cn_workers *pool,
		       cairn_progress_cb callback, void *payload);

/** Of all images, written to PREFIX.ids.npy and PREFIX.values.npy (docs/format.md, "Diffusion"), which appear when all
 * is done. */
int cn_offline_write(const char *prefix, const cn_diffusion_graph *graph, const cn_neighbours *lists,
		     const cn_offline_options *options, cn_workers *pool, cairn_progress_cb callback, void *payload);

/** Rows of all images, in memory or mapped. */
typedef struct {
	size_t count, width;
	const int32_t *ids;  /**< count x width */
	const float *values; /**< count x width */
	cn_npy files[2];     /**< of mapped ones */
} cn_offline_rows;

/** Map the files of a prefix. CAIRN_EFORMAT where they do not fit each other or name an image that is not there. */
int cn_offline_open(cn_offline_rows *out, const char *prefix);
void cn_offline_close(cn_offline_rows *rows);

/** What searches need besides: a number an image for each thread, kept from search to search. Of one thread at a time.
 */
typedef struct {
	const cn_offline_rows *rows; /**< borrowed */
	cn_workers *pool;            /**< borrowed; NULL: the calling thread alone */
	float **sums;                /* a thread each: `count`, all 0 between queries */
	uint32_t **met;              /* a thread each: the images whose sums are not 0, most_met of them */
	unsigned threads;
	size_t most_met;
} cn_offline_searcher;

int cn_offline_searcher_init(cn_offline_searcher *out, const cn_offline_rows *rows, cn_workers *pool);
void cn_offline_searcher_free(cn_offline_searcher *searcher);

/**
 * Rank by f = sum over the query's kq nearest images j of max(0, s_j)^gamma row_j, which is the paper's search.
 *
 * @param out     as many queries as there are lines
 * @param queries a line each: the nearest images of the query
 * @param options `query_neighbours` and `gamma` are used
 * @param images  as in cn_diffuse()
 */
int cn_offline_search(cairn_ranking *out, cn_offline_searcher *searcher, const cn_neighbours *queries,
		      const cn_diffusion_options *options, const int64_t *images);

/** Rows brought to unit length, by column: entry (j, i) is what row i has for image j. 8 bytes an entry, in memory. */
typedef struct {
	const cn_offline_rows *rows; /**< borrowed */
	cn_sparse columns;
	float *scales; /**< 1 / length of each row; 0 for a row of zeros */
} cn_offline_index;

int cn_offline_index_new(cn_offline_index *out, const cn_offline_rows *rows);
void cn_offline_index_free(cn_offline_index *index);

/**
 * Rank by the cosine of rows, for queries that were in the graph from the start: what the authors' later program does.
 *
 * @param out       `count` queries
 * @param index     of the searcher's rows
 * @param positions count: where the queries are
 * @param images    as in cn_diffuse(); queries have negative numbers unless they are to be found as well
 */
int cn_offline_compare(cairn_ranking *out, cn_offline_searcher *searcher, const cn_offline_index *index,
		       const int32_t *positions, size_t count, const int64_t *images);

#endif

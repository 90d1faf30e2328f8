/*
 * index/index.h - what the ways of searching an index share.
 */
#ifndef CN_INDEX_INDEX_H
#define CN_INDEX_INDEX_H

#include "index/ivf.h"
#include "index/rescore.h"
#include "index/row_parts.h"
#include "math/scan.h"
#include "util/parallel.h"

/** Rows that a thread takes at once. */
typedef struct {
	uint32_t part;
	uint32_t begin, count; /* rows of the part */
} cn_chunk;

/** Of an inverted file, the lists that hold rows which may be found. */
typedef struct {
	float *share;  /**< a list each: of its rows; NULL: all rows may be found */
	uint64_t *any; /**< a bit a list: its share is above 0 */
	size_t count;  /**< lists of which it is */
} cn_live_lists;

struct cairn_index {
	cn_row_parts parts;
	cn_chunk *chunks;
	size_t chunk_count;
	uint64_t *live;                /**< NULL: all */
	size_t live_rows;              /**< how many of the rows count */
	const cairn_ivf *ivf;          /**< NULL: all rows are scanned; borrowed */
	const cairn_ivf_lists **lists; /**< by cn_row_part.given; borrowed */
	uint32_t *list_of_row;         /**< by the number of the row; of lists alone */
	cn_live_lists live_lists;
};

/** What one thread needs for a block of queries. */
typedef struct {
	cn_shortlist *shortlists; /**< one a query */
	cn_scan_scratch scratch;
	cn_query_panels panels;
	float *bases;    /**< room for a number a query */
	cn_found *found; /**< `keep` places */
} cn_search_worker;

/** A search, and the block of queries that it is at. */
typedef struct {
	const cairn_index *index;
	cn_workers *pool;
	int exact;
	const uint64_t *live; /**< NULL: all */
	size_t probes;        /**< lists a query, as if all of their rows counted; 0: all rows are scanned */
	size_t most_probes;   /**< lists a query at most */
	const cn_live_lists *live_lists;
	size_t keep;  /**< rows a query */
	size_t block; /**< queries at once */
	cn_search_worker *workers;
	unsigned worker_count;
	const float *vectors; /**< count x dim */
	size_t count;
	cn_queries queries; /**< the same, encoded */
} cn_search;

/** Fill in list_of_row from the lists. */
int cn_index_map_rows(cairn_index *index);

/** @param live a bit a row */
int cn_live_lists_init(cn_live_lists *out, const cairn_index *index, const uint64_t *live);
void cn_live_lists_free(cn_live_lists *lists);

/** How many lists a search probes; 0: it scans rows. @param live_rows how many of the rows may be found */
size_t cn_search_probes(const cairn_index *index, size_t k, const cairn_index_options *options, size_t live_rows);

/** Offer the rows to the workers' shortlists. */
int cn_flat_scan(cn_search *search);
int cn_ivf_scan(cn_search *search);

#endif

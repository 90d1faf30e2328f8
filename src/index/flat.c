/*
 * Search through all rows.
 *
 *   codes of all rows --scan--> a shortlist of rows a query --half-precision rows--> scores --> the k best images
 *
 * Threads take chunks of rows and keep shortlists of their own, which are joined at the end. The order of rows is total
 * (score, then place), so neither the order of the chunks nor the number of threads matters. Rows that do not count,
 * removed ones and those that a filter leaves out, are cleared in a bitmap and never read.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/index.h"
#include "index/flat.h"
#include "index/rescore.h"
#include "math/dot.h"
#include "math/scan.h"
#include "util/memory.h"
#include "util/parallel.h"

#define CHUNK 1024 /* rows a thread takes at once */
/* Places that a thread's shortlists have together; where k is large, fewer queries are taken at once. */
#define MOST_PLACES ((size_t)1 << 22)
#define DIM_MAX     65536 /* sums of products of codes must fit into 32 bits */

struct chunk {
	uint32_t part;
	uint32_t begin, count; /* rows of the part */
};

struct cairn_index {
	cn_row_parts parts;
	struct chunk *chunks;
	size_t chunk_count;
	uint64_t *live; /* NULL: all */
};

/* ---- making ---- */

static int cut_into_chunks(cairn_index *index)
{
	size_t chunks = 0;
	for (size_t p = 0; p < index->parts.count; p++)
		chunks += index->parts.items[p].data.count / CHUNK + 1;
	index->chunks = cn_alloc(chunks, sizeof(*index->chunks));
	if (!index->chunks)
		return CAIRN_ENOMEM;
	for (size_t p = 0; p < index->parts.count; p++) {
		size_t rows = index->parts.items[p].data.count;
		for (size_t begin = 0; begin < rows; begin += CHUNK)
			index->chunks[index->chunk_count++] =
				(struct chunk){ (uint32_t)p, (uint32_t)begin,
						(uint32_t)(rows - begin < CHUNK ? rows - begin : CHUNK) };
	}
	return 0;
}

int cairn_index_new_flat(cairn_index **out, size_t dim, const cairn_index_part *parts, size_t n, const int64_t *removed,
			 size_t removed_count)
{
	cairn_index *index;
	*out = NULL;
	if (dim < 1 || dim > DIM_MAX)
		return cn_fail(CAIRN_EINVALID, "an index of rows of %zu dimensions; 1 to %d are possible", dim,
			       DIM_MAX);
	CN_NEW(index, 1, sizeof(*index));
	int status = cn_row_parts_init(&index->parts, dim, parts, n);
	if (status == 0)
		status = cut_into_chunks(index);
	if (status == 0)
		status = cn_row_parts_without(&index->parts, removed, removed_count, &index->live);
	if (status < 0) {
		cairn_index_free(index);
		return status;
	}
	*out = index;
	return 0;
}

void cairn_index_free(cairn_index *index)
{
	if (!index)
		return;
	cn_row_parts_free(&index->parts);
	cn_free(index->chunks);
	cn_free(index->live);
	cn_free(index);
}

size_t cairn_index_dim(const cairn_index *index)
{
	return index->parts.dim;
}

size_t cairn_index_rows(const cairn_index *index)
{
	return index->parts.rows;
}

const cn_row_parts *cn_index_parts(const cairn_index *index)
{
	return &index->parts;
}

const uint64_t *cn_index_live(const cairn_index *index)
{
	return index->live;
}

/* ---- searching ---- */

struct found {
	float score;
	int64_t image;
};

/* What one thread needs for a block of queries. */
struct worker {
	cn_shortlist *lists;
	cn_scan_scratch scratch;
	struct found *found; /* `keep` places */
};

struct search {
	const cairn_index *index;
	int exact;
	const uint64_t *live;
	uint64_t *only; /* what is live of a filter, where there is one */
	size_t keep;    /* rows a query */
	size_t block;   /* queries at once */
	struct worker *workers;
	unsigned worker_count;
	/* Of the block: */
	const float *vectors;
	size_t count;
	cn_queries queries;
	cn_query_panels panels;
	cairn_ranking *ranking;
	size_t first_row;
};

static int is_all_dead(const uint64_t *live, size_t first, size_t count)
{
	for (size_t word = first / 64; word <= (first + count - 1) / 64; word++)
		if (live[word])
			return 0;
	return 1;
}

static int scan_chunk(const struct search *search, struct worker *worker, const struct chunk *chunk)
{
	const cn_row_part *part = &search->index->parts.items[chunk->part];
	size_t dim = search->index->parts.dim, first = part->first + chunk->begin;
	cn_rows rows = { .count = chunk->count, .first = (uint32_t)first, .live = search->live, .live_from = first };
	if (search->live && is_all_dead(search->live, first, chunk->count))
		return 0;
	if (search->exact) {
		rows.stored = CN_ROWS_F16;
		rows.rows = part->data.rows + chunk->begin * dim;
	} else {
		rows.stored = CN_ROWS_I8;
		rows.rows = part->data.codes + chunk->begin * dim;
		rows.scales = part->data.scales + chunk->begin;
	}
	return cn_scan_rows(&search->panels, &rows, NULL, worker->lists, &worker->scratch);
}

/* cn_loop_body over chunks. */
static int scan_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct search *search = context;
	for (size_t i = begin; i < end; i++)
		CN_TRY(scan_chunk(search, &search->workers[worker], &search->index->chunks[i]));
	return 0;
}

static int best_first(const void *left, const void *right)
{
	const struct found *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->image > b->image) - (a->image < b->image);
}

static int is_among(const int64_t *images, size_t count, int64_t image)
{
	for (size_t i = 0; i < count; i++)
		if (images[i] == image)
			return 1;
	return 0;
}

static int rank_query(const struct search *search, size_t query, struct found *found)
{
	const cn_row_parts *parts = &search->index->parts;
	cn_shortlist *first = &search->workers[0].lists[query];
	size_t row = search->first_row + query, depth = cairn_ranking_depth(search->ranking), rank = 0;
	for (unsigned w = 1; w < search->worker_count; w++) {
		const cn_shortlist *other = &search->workers[w].lists[query];
		for (size_t i = 0; i < other->count; i++)
			cn_shortlist_push(first, other->items[i].score, other->items[i].row);
	}
	cn_shortlist_cut(first);
	size_t count = cn_rescore(parts, search->vectors + query * parts->dim, 1, first->items, first->count);
	for (size_t i = 0; i < count; i++)
		found[i] = (struct found){ first->items[i].score, cn_row_parts_image(parts, first->items[i].row) };
	if (count > 1)
		qsort(found, count, sizeof(*found), best_first);
	const int64_t *images = cairn_ranking_images(search->ranking, row);
	for (size_t i = 0; i < count && rank < depth; i++)
		if (!parts->shared || !is_among(images, rank, found[i].image))
			CN_TRY(cairn_ranking_set(search->ranking, row, rank++, found[i].image, found[i].score));
	return 0;
}

/* cn_loop_body over the queries of the block. */
static int rank_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct search *search = context;
	for (size_t i = begin; i < end; i++)
		CN_TRY(rank_query(search, i, search->workers[worker].found));
	return 0;
}

static int search_block(struct search *search, cn_workers *pool)
{
	cn_number number = search->exact ? CN_NUMBER_F32 : CN_NUMBER_I8;
	CN_TRY(cn_queries_init(&search->queries, number, search->vectors, search->count, search->index->parts.dim));
	int status = cn_query_panels_pack(&search->panels, &search->queries, NULL, search->count);
	for (unsigned w = 0; w < search->worker_count; w++)
		for (size_t q = 0; q < search->count; q++)
			cn_shortlist_clear(&search->workers[w].lists[q]);
	if (status == 0)
		status = cn_parallel_for(pool, search->index->chunk_count, 1, scan_range, search);
	if (status == 0)
		status = cn_parallel_for(pool, search->count, 8, rank_range, search);
	cn_queries_free(&search->queries);
	return status;
}

/* ---- beginning and end of a search ---- */

static void free_search(struct search *search)
{
	for (unsigned w = 0; search->workers && w < search->worker_count; w++) {
		struct worker *worker = &search->workers[w];
		for (size_t q = 0; worker->lists && q < search->block; q++)
			cn_shortlist_free(&worker->lists[q]);
		cn_free(worker->lists);
		cn_free(worker->found);
		cn_scan_scratch_free(&worker->scratch);
	}
	cn_free(search->workers);
	cn_free(search->only);
	cn_query_panels_free(&search->panels);
	cairn_ranking_free(search->ranking);
}

static int make_workers(struct search *search, size_t queries)
{
	size_t best = cn_query_panels_best(search->exact ? CN_NUMBER_F32 : CN_NUMBER_I8, search->index->parts.dim);
	size_t most = MOST_PLACES / search->keep < 1 ? 1 : MOST_PLACES / search->keep;
	search->block = best < most ? best : most;
	search->block = queries < search->block ? queries : search->block;
	CN_NEW(search->workers, search->worker_count, sizeof(*search->workers));
	for (unsigned w = 0; w < search->worker_count; w++) {
		struct worker *worker = &search->workers[w];
		CN_NEW(worker->lists, search->block, sizeof(*worker->lists));
		CN_NEW(worker->found, search->keep, sizeof(*worker->found));
		for (size_t q = 0; q < search->block; q++)
			CN_TRY(cn_shortlist_init(&worker->lists[q], search->keep));
	}
	return 0;
}

/* How many rows to keep for k images. */
static size_t rows_to_keep(const cairn_index *index, size_t k, const cairn_index_options *options)
{
	size_t depth = cn_rescore_depth(k, options->depth, options->exact);
	size_t rows = index->parts.rows ? index->parts.rows : 1;
	return depth < rows / index->parts.rows_an_image ? depth * index->parts.rows_an_image : rows;
}

static int check_search(const cairn_index *index, const float *vectors, size_t queries, size_t k,
			const cairn_index_options *options)
{
	size_t dim = index->parts.dim;
	if (options->version != CAIRN_INDEX_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "index options of version %u, this library knows version %d",
			       options->version, CAIRN_INDEX_OPTIONS_VERSION);
	if (queries < 1 || k < 1)
		return cn_fail(CAIRN_EINVALID, "%zu queries for the best %zu images", queries, k);
	if (k > SIZE_MAX / 2)
		return cn_fail(CAIRN_EINVALID, "the best %zu images are more than there can be", k);
	for (size_t i = 0; i < queries; i++)
		if (!cn_all_finite(vectors + i * dim, dim))
			return cn_fail(CAIRN_EINVALID, "query %zu holds a number that is not finite", i);
	return 0;
}

static int prepare(struct search *search, size_t queries, size_t k, const cairn_index_options *options)
{
	const cairn_index *index = search->index;
	search->exact = options->exact;
	search->keep = rows_to_keep(index, k, options);
	search->live = index->live;
	if (options->only) {
		CN_TRY(cn_row_parts_only(&index->parts, options->only, options->only_count, index->live,
					 &search->only));
		search->live = search->only;
	}
	CN_TRY(cairn_ranking_new(&search->ranking, queries, k));
	return make_workers(search, queries);
}

int cairn_index_search(const cairn_index *index, const float *vectors, size_t queries, size_t k,
		       const cairn_index_options *options, cairn_ranking **out)
{
	static const cairn_index_options defaults = CAIRN_INDEX_OPTIONS_INIT;
	cn_workers *pool = NULL;
	struct search search = { .index = index };
	int status = 0;
	*out = NULL;
	if (!options)
		options = &defaults;
	CN_TRY(check_search(index, vectors, queries, k, options));
	/* Starting threads costs more than a small index takes. */
	CN_GOTO(status, cn_workers_new(&pool, index->chunk_count < 2 ? 1 : options->threads));
	search.worker_count = cn_workers_threads(pool);
	CN_GOTO(status, prepare(&search, queries, k, options));
	for (size_t q = 0; q < queries; q += search.block) {
		search.first_row = q;
		search.vectors = vectors + q * index->parts.dim;
		search.count = queries - q < search.block ? queries - q : search.block;
		CN_GOTO(status, search_block(&search, pool));
	}
	*out = search.ranking;
	search.ranking = NULL;
done:
	free_search(&search);
	cn_workers_free(pool);
	return status;
}

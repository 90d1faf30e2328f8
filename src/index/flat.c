/*
 * Exact search. Rows are divided into chunks that no image straddles; threads take chunks and keep the best images of
 * each query in heaps of their own, which are merged at the end. The order of images is total (score, then id), so
 * neither the order of the chunks nor the number of threads matters.
 *
 * Within a chunk, tiles of rows are multiplied with a block of queries while both are in the cache:
 *
 *              TILE rows
 *           +-----------+
 *   BLOCK   |  scores   |   BLOCK x TILE floats; read once by the heaps, then overwritten by the next tile
 *   queries +-----------+
 */
#include "cairn/index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/codes.h"
#include "math/dot.h"
#include "math/half.h"
#include "math/matrix.h"
#include "util/heap.h"
#include "util/memory.h"
#include "util/parallel.h"

#define BLOCK 64 /* queries at once */
#define KEPT                                                                                                           \
	((size_t)BLOCK                                                                                                 \
	 << 16)     /* most places that a thread's heaps have together; fewer queries at once where k is large */
#define TILE  256   /* rows at once */
#define CHUNK 16384 /* rows a thread takes at once, and a few more to finish an image */
#define FEW   4     /* below so many queries, inner products one by one are faster */

struct chunk {
	const uint16_t *rows;
	const int64_t *images;
	size_t count;
};

struct cairn_index {
	size_t dim, rows;
	struct chunk *chunks;
	size_t chunk_count;
	int64_t *removed;
	size_t removed_count;
	size_t spread; /* the most parts that one image has rows in, >= 1 */
};

/* ---- making ---- */

int cairn_index_encode(const float *rows, size_t count, size_t dim, uint16_t *halves, int8_t *codes, float *scales)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < dim; k++)
			if (!(fabsf(rows[i * dim + k]) <= CN_HALF_LARGEST))
				return cn_fail(CAIRN_EINVALID,
					       "row %zu holds %g, which is no half-precision number (up to 65504)", i,
					       (double)rows[i * dim + k]);
	cn_halves_from_floats(rows, count * dim, halves);
	cn_codes_encode(rows, count, dim, codes, scales);
	return 0;
}

static int check_part(const cairn_index_part *part, size_t number)
{
	for (size_t i = 0; i < part->count; i++)
		if (part->images[i] < 0 || (i && part->images[i] < part->images[i - 1]))
			return cn_fail(CAIRN_EINVALID,
				       "part %zu of the index: image id %lld of row %zu is negative or out of order",
				       number, (long long)part->images[i], i);
	return 0;
}

static void cut_part(cairn_index *index, const cairn_index_part *part)
{
	size_t begin = 0;
	while (begin < part->count) {
		size_t end = part->count - begin < CHUNK ? part->count : begin + CHUNK;
		while (end < part->count && part->images[end] == part->images[end - 1])
			end++;
		index->chunks[index->chunk_count++] =
			(struct chunk){ part->rows + begin * index->dim, part->images + begin, end - begin };
		begin = end;
	}
	index->rows += part->count;
}

static int by_first_id(const void *left, const void *right)
{
	const cairn_index_part *a = left, *b = right;
	return a->images[0] < b->images[0] ? -1 : a->images[0] > b->images[0];
}

static int by_id(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return a < b ? -1 : a > b;
}

/* Each image once for each part that it has rows in, in order. */
static size_t count_spread(const cairn_index_part *parts, size_t n, int64_t *ids)
{
	size_t count = 0, spread = 1, run = 1;
	for (size_t p = 0; p < n; p++)
		for (size_t i = 0; i < parts[p].count; i++)
			if (i == 0 || parts[p].images[i] != parts[p].images[i - 1])
				ids[count++] = parts[p].images[i];
	qsort(ids, count, sizeof(*ids), by_id);
	for (size_t i = 1; i < count; i++) {
		run = ids[i] == ids[i - 1] ? run + 1 : 1;
		spread = run > spread ? run : spread;
	}
	return spread;
}

/* An image may have rows in several parts. Segments of a collection follow one another, so that mostly a glance at
 * their ends tells that none has. */
static int find_spread(cairn_index *index, const cairn_index_part *parts, size_t n)
{
	cairn_index_part *sorted = cn_alloc(n, sizeof(*sorted));
	size_t count = 0;
	int apart = 1;
	if (!sorted)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (parts[i].count)
			sorted[count++] = parts[i];
	if (count > 1)
		qsort(sorted, count, sizeof(*sorted), by_first_id);
	for (size_t i = 1; i < count; i++)
		apart = apart && sorted[i].images[0] > sorted[i - 1].images[sorted[i - 1].count - 1];
	cn_free(sorted);
	index->spread = 1;
	if (apart)
		return 0;
	int64_t *ids = cn_alloc(index->rows, sizeof(*ids));
	if (!ids)
		return CAIRN_ENOMEM;
	index->spread = count_spread(parts, n, ids);
	cn_free(ids);
	return 0;
}

int cairn_index_new_flat(cairn_index **out, size_t dim, const cairn_index_part *parts, size_t n, const int64_t *removed,
			 size_t removed_count)
{
	cairn_index *index;
	size_t chunks = 0;
	*out = NULL;
	if (dim < 1)
		return cn_fail(CAIRN_EINVALID, "an index of rows without dimensions");
	for (size_t i = 0; i < n; i++) {
		CN_TRY(check_part(&parts[i], i));
		chunks += parts[i].count / CHUNK + 1;
	}
	for (size_t i = 1; i < removed_count; i++)
		if (removed[i] <= removed[i - 1])
			return cn_fail(CAIRN_EINVALID, "removed ids must ascend; %lld follows %lld",
				       (long long)removed[i], (long long)removed[i - 1]);
	CN_NEW(index, 1, sizeof(*index));
	index->dim = dim;
	index->chunks = cn_alloc(chunks, sizeof(*index->chunks));
	index->removed = cn_memdup(removed, removed_count * sizeof(*removed));
	index->removed_count = removed_count;
	if (!index->chunks || !index->removed) {
		cairn_index_free(index);
		return CAIRN_ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		cut_part(index, &parts[i]);
	int status = find_spread(index, parts, n);
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
	cn_free(index->chunks);
	cn_free(index->removed);
	cn_free(index);
}

size_t cairn_index_dim(const cairn_index *index)
{
	return index->dim;
}

size_t cairn_index_rows(const cairn_index *index)
{
	return index->rows;
}

/* ---- searching ---- */

/* What one thread needs for a block of queries. */
struct worker {
	cn_heap heaps[BLOCK];
	cn_scored best[BLOCK]; /* of the image whose rows are being read; id -1: none */
	float scores[BLOCK * TILE];
	float *tile; /* TILE x dim */
};

struct search {
	const cairn_index *index;
	const float *queries; /* of the block */
	size_t count;         /* <= block */
	size_t block;         /* queries at once, <= BLOCK */
	struct worker *workers;
	unsigned worker_count;
};

static int is_removed(const cairn_index *index, int64_t id)
{
	return index->removed_count && bsearch(&id, index->removed, index->removed_count, sizeof(id), by_id);
}

/* The image's rows have all been seen: its best one counts. */
static void offer(const cairn_index *index, struct worker *worker, size_t query)
{
	const cn_scored *best = &worker->best[query];
	cn_heap *heap = &worker->heaps[query];
	if (best->id >= 0 && best->score >= cn_heap_threshold(heap) && !is_removed(index, best->id))
		cn_heap_push(heap, best->score, best->id);
}

static void read_scores(const cairn_index *index, struct worker *worker, size_t query, const float *scores,
			const int64_t *images, size_t count)
{
	cn_scored *best = &worker->best[query];
	for (size_t i = 0; i < count; i++) {
		if (images[i] != best->id) {
			offer(index, worker, query);
			*best = (cn_scored){ scores[i], images[i] };
		} else if (scores[i] > best->score || isnan(best->score)) {
			best->score = scores[i];
		}
	}
}

static void search_chunk(const struct search *search, struct worker *worker, const struct chunk *chunk)
{
	size_t dim = search->index->dim;
	for (size_t q = 0; q < search->count; q++)
		worker->best[q] = (cn_scored){ -INFINITY, -1 };
	for (size_t begin = 0; begin < chunk->count; begin += TILE) {
		size_t count = chunk->count - begin < TILE ? chunk->count - begin : TILE;
		const float *rows = worker->tile;
		cn_halves_to_floats(chunk->rows + begin * dim, count * dim, worker->tile);
		if (search->count >= FEW)
			cn_matrix_abt(search->count, count, dim, search->queries, rows, worker->scores);
		else
			for (size_t q = 0; q < search->count; q++)
				cn_dot_rows(search->queries + q * dim, rows, count, dim, worker->scores + q * count);
		for (size_t q = 0; q < search->count; q++)
			read_scores(search->index, worker, q, worker->scores + q * count, chunk->images + begin, count);
	}
	for (size_t q = 0; q < search->count; q++)
		offer(search->index, worker, q);
}

static int search_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct search *search = context;
	for (size_t i = begin; i < end; i++)
		search_chunk(search, &search->workers[worker], &search->index->chunks[i]);
	return 0;
}

static int is_ranked(const cairn_ranking *ranking, size_t row, size_t count, int64_t id)
{
	const int64_t *images = cairn_ranking_images(ranking, row);
	for (size_t i = 0; i < count; i++)
		if (images[i] == id)
			return 1;
	return 0;
}

/* The best of one query from the heaps of all workers. Of an image with rows in several parts the best one counts. */
static int merge(const struct search *search, size_t query, cairn_ranking *ranking, size_t row)
{
	cn_heap *first = &search->workers[0].heaps[query];
	size_t rank = 0, depth = cairn_ranking_depth(ranking);
	for (unsigned w = 1; w < search->worker_count; w++) {
		const cn_heap *heap = &search->workers[w].heaps[query];
		for (size_t i = 0; i < heap->count; i++)
			cn_heap_push(first, heap->items[i].score, heap->items[i].id);
	}
	cn_heap_sort(first);
	for (size_t i = 0; i < first->count && rank < depth; i++) {
		const cn_scored *item = &first->items[i];
		if (search->index->spread > 1 && is_ranked(ranking, row, rank, item->id))
			continue;
		CN_TRY(cairn_ranking_set(ranking, row, rank++, item->id, item->score));
	}
	return 0;
}

static void free_workers(struct search *search)
{
	if (search->workers)
		for (unsigned w = 0; w < search->worker_count; w++) {
			cn_free(search->workers[w].tile);
			for (size_t q = 0; q < BLOCK; q++)
				cn_heap_free(&search->workers[w].heaps[q]);
		}
	cn_free(search->workers);
}

static int make_workers(struct search *search, size_t queries, size_t kept)
{
	size_t most = KEPT / kept < 1 ? 1 : KEPT / kept < BLOCK ? KEPT / kept : BLOCK;
	search->block = queries < most ? queries : most;
	CN_NEW(search->workers, search->worker_count, sizeof(*search->workers));
	for (unsigned w = 0; w < search->worker_count; w++) {
		CN_NEW(search->workers[w].tile, TILE * search->index->dim, sizeof(float));
		for (size_t q = 0; q < search->block; q++)
			CN_TRY(cn_heap_init(&search->workers[w].heaps[q], kept));
	}
	return 0;
}

static int search_block(struct search *search, cn_workers *pool, cairn_ranking *ranking, size_t first_row)
{
	for (unsigned w = 0; w < search->worker_count; w++)
		for (size_t q = 0; q < search->count; q++)
			cn_heap_clear(&search->workers[w].heaps[q]);
	CN_TRY(cn_parallel_for(pool, search->index->chunk_count, 1, search_range, search));
	for (size_t q = 0; q < search->count; q++)
		CN_TRY(merge(search, q, ranking, first_row + q));
	return 0;
}

static int check_query(const cairn_index *index, const float *vectors, size_t queries, size_t k)
{
	if (queries < 1 || k < 1)
		return cn_fail(CAIRN_EINVALID, "%zu queries for the best %zu images", queries, k);
	for (size_t i = 0; i < queries; i++)
		if (!cn_all_finite(vectors + i * index->dim, index->dim))
			return cn_fail(CAIRN_EINVALID, "query %zu holds a number that is not finite", i);
	return 0;
}

int cairn_index_search(const cairn_index *index, const float *vectors, size_t queries, size_t k,
		       const cairn_index_options *options, cairn_ranking **out)
{
	unsigned threads = options ? options->threads : 0;
	cn_workers *pool = NULL;
	cairn_ranking *ranking = NULL;
	struct search search = { .index = index };
	int status = 0;
	CN_TRY(check_query(index, vectors, queries, k));
	/* Starting threads costs more than a small index takes. */
	if (index->chunk_count < 2)
		threads = 1;
	/* An image takes as many places as it has parts, and there are no more images than rows. */
	size_t kept = index->rows ? index->rows : 1;
	kept = k < kept / index->spread ? k * index->spread : kept;
	CN_GOTO(status, cairn_ranking_new(&ranking, queries, k));
	CN_GOTO(status, cn_workers_new(&pool, threads));
	search.worker_count = cn_workers_threads(pool);
	CN_GOTO(status, make_workers(&search, queries, kept));
	for (size_t q = 0; q < queries; q += search.block) {
		search.queries = vectors + q * index->dim;
		search.count = queries - q < search.block ? queries - q : search.block;
		CN_GOTO(status, search_block(&search, pool, ranking, q));
	}
	*out = ranking;
	ranking = NULL;
done:
	free_workers(&search);
	cn_workers_free(pool);
	cairn_ranking_free(ranking);
	return status;
}

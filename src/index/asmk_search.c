/*
 * Search in ASMK files. Threads take pairs of a query and a block. The similarities of a block's images are summed
 * word after word, in ascending order, so that a sum is the same wherever its image stands; the best are kept in heaps
 * of the threads' own, which are merged at the end.
 */
#include <math.h>
#include <string.h>

#include "index/asmk_file.h"
#include "math/assign.h"
#include "math/code_products.h"
#include "math/codes.h"
#include "math/hamming.h"
#include "util/heap.h"
#include "util/ids.h"
#include "util/memory.h"
#include "util/parallel.h"

#define DEFAULT_ASSIGNMENTS 5
#define BATCH               32 /* queries at once */
/* Most places that a thread's heaps have together: where k is large, fewer queries are taken at once. */
#define KEPT  ((size_t)1 << 22)
#define CHUNK 512 /* postings at once */

_Static_assert(CN_FEATURES_DIM_MAX <= CN_HAMMING_MAX_WORDS * 64, "bits of every descriptor can be compared");
_Static_assert(CN_FEATURES_DIM_MAX <= CN_CODES_MAX_DIM, "bytes of every descriptor can be multiplied");

struct cairn_asmk_index {
	const cairn_codebook *codebook;
	cn_asmk_file *files;
	size_t count, images;
	uint64_t bytes;
	int64_t *removed;
	size_t removed_count;
};

/* ---- opening ---- */

int cairn_asmk_index_open(cairn_asmk_index **out, const cairn_codebook *codebook, const char *const *paths,
			  size_t count, const int64_t *removed, size_t removed_count)
{
	cairn_asmk_index *index;
	*out = NULL;
	if (count < 1)
		return cn_fail(CAIRN_EINVALID, "an index of no ASMK files");
	CN_TRY(cn_ids_ascend(removed, removed_count, "removed"));
	CN_NEW(index, 1, sizeof(*index));
	index->codebook = codebook;
	index->count = count;
	index->removed = cn_memdup(removed, removed_count * sizeof(*removed));
	index->removed_count = removed_count;
	int status = index->removed ? cn_asmk_files_open(&index->files, paths, count, codebook) : CAIRN_ENOMEM;
	if (status < 0) {
		cairn_asmk_index_free(index);
		return status;
	}
	for (size_t f = 0; f < count; f++) {
		index->images += index->files[f].header->images;
		index->bytes += index->files[f].header->length;
	}
	*out = index;
	return 0;
}

void cairn_asmk_index_free(cairn_asmk_index *index)
{
	if (!index)
		return;
	cn_asmk_files_close(index->files, index->count);
	cn_free(index->removed);
	cn_free(index);
}

size_t cairn_asmk_index_images(const cairn_asmk_index *index)
{
	return index->images;
}

uint64_t cairn_asmk_index_bytes(const cairn_asmk_index *index)
{
	return index->bytes;
}

/* ---- similarities of one word ---- */

struct place {
	const cn_asmk_file *file;
	const cn_asmk_block *block;
};

struct worker {
	float *sums; /* an image of the largest block, zero between blocks */
	cn_heap heaps[BATCH];
};

struct search {
	const cairn_asmk_index *index;
	cairn_asmk_search_options options;
	cn_workers *pool;
	struct place *places;        /* all blocks of all files */
	size_t place_count, largest; /* largest: the most images of a block */
	/* The similarity after sigma() of residuals that differ in so many bits, up to all of a code: a damaged file
	 * may have bits set behind the last dimension. */
	float *of_distance;
	struct worker *workers;
	cairn_asmk_aggregate *queries[BATCH];
	size_t batch, most; /* queries at once: now, at most */
	float *also_scores; /* of the batch */
};

/* sigma(u) of docs/methods.md, "ASMK". */
static inline float sigma(float u, float alpha, float threshold)
{
	if (!(u >= threshold))
		return 0;
	return alpha == 3.0f ? u * u * u : powf(u, alpha);
}

static inline uint16_t image_at(const cn_asmk_postings *postings, size_t i)
{
	uint16_t image;
	memcpy(&image, postings->images + i * sizeof(image), sizeof(image));
	return image;
}

static void add_bits(const struct search *search, const uint8_t *code, size_t code_size,
		     const cn_asmk_postings *postings, float *sums)
{
	uint64_t query[CN_HAMMING_MAX_WORDS];
	uint16_t distances[CHUNK];
	memcpy(query, code, code_size);
	for (size_t begin = 0; begin < postings->count; begin += CHUNK) {
		size_t count = postings->count - begin < CHUNK ? postings->count - begin : CHUNK;
		cn_hamming(query, postings->codes + begin * code_size, count, code_size / sizeof(*query), distances);
		for (size_t i = 0; i < count; i++)
			sums[image_at(postings, begin + i)] += search->of_distance[distances[i]];
	}
}

static void add_bytes(const struct search *search, const uint8_t *code, float scale, size_t code_size,
		      const cn_asmk_postings *postings, float *sums)
{
	const cairn_asmk_search_options *options = &search->options;
	int32_t products[CHUNK];
	for (size_t begin = 0; begin < postings->count; begin += CHUNK) {
		size_t count = postings->count - begin < CHUNK ? postings->count - begin : CHUNK;
		cn_code_products((const int8_t *)code, (const int8_t *)postings->codes + begin * code_size, count,
				 code_size, products);
		for (size_t i = 0; i < count; i++) {
			float other;
			memcpy(&other, postings->scales + (begin + i) * sizeof(other), sizeof(other));
			sums[image_at(postings, begin + i)] +=
				sigma((float)products[i] * scale * other, options->alpha, options->threshold);
		}
	}
}

/* ---- one query in one block ---- */

/* The first list from `begin` on whose word is not below. Words of a query are looked up in ascending order, so steps
 * grow from where the last one was. */
static size_t find_list(const cn_asmk_block *block, size_t begin, uint32_t word)
{
	size_t step = 1, end = begin;
	while (end < block->list_count && block->lists[end].word < word) {
		begin = end + 1;
		end = block->list_count - end > step ? end + step : block->list_count;
		step *= 2;
	}
	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;
		if (block->lists[middle].word < word)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

static int add_words(const struct search *search, const cairn_asmk_aggregate *query, const struct place *place,
		     float *sums)
{
	const cn_asmk_block *block = place->block;
	size_t at = 0;
	for (size_t w = 0; w < query->count; w++) {
		const uint8_t *code = query->codes + w * query->code_size;
		cn_asmk_postings postings;
		at = find_list(block, at, query->words[w]);
		if (at == block->list_count)
			break;
		if (block->lists[at].word != query->words[w])
			continue;
		CN_TRY(cn_asmk_file_list(place->file, block, at, &postings));
		if (query->binary)
			add_bits(search, code, query->code_size, &postings, sums);
		else
			add_bytes(search, code, query->scales[w], query->code_size, &postings, sums);
	}
	return 0;
}

static float root_factor(size_t words)
{
	return words ? 1 / sqrtf((float)words) : 0;
}

static float similarity(const cairn_asmk_aggregate *query, float query_factor, const cn_asmk_block *block, size_t image,
			const float *sums)
{
	return sums[image] * query_factor * (query->regional ? query_factor : root_factor(block->counts[image]));
}

/* A block's images are nobody else's, so threads write to different places. */
static void tell_scores(const struct search *search, const cairn_asmk_aggregate *query, const cn_asmk_block *block,
			const float *sums, float *scores)
{
	const cairn_asmk_search_options *options = &search->options;
	float factor = root_factor(query->count);
	size_t at = block->images ? cn_ids_find(options->also, options->also_count, block->ids[0]) : 0;
	for (size_t i = 0; i < block->images && at < options->also_count; i++) {
		while (at < options->also_count && options->also[at] < block->ids[i])
			at++;
		if (at < options->also_count && options->also[at] == block->ids[i] && sums[i] > 0)
			scores[at] = similarity(query, factor, block, i, sums);
	}
}

static void offer_images(const struct search *search, const cairn_asmk_aggregate *query, const struct place *place,
			 const float *sums, cn_heap *heap)
{
	const cairn_asmk_index *index = search->index;
	const cairn_asmk_search_options *options = &search->options;
	const cn_asmk_block *block = place->block;
	float factor = root_factor(query->count);
	for (size_t i = 0; i < block->images; i++) {
		if (!(sums[i] > 0))
			continue;
		float score = similarity(query, factor, block, i, sums);
		if (score >= cn_heap_threshold(heap) &&
		    !cn_ids_have(index->removed, index->removed_count, block->ids[i]) &&
		    (!options->only || cn_ids_have(options->only, options->only_count, block->ids[i])))
			cn_heap_push(heap, score, block->ids[i]);
	}
}

static int search_places(void *context, size_t begin, size_t end, unsigned number)
{
	const struct search *search = context;
	struct worker *worker = &search->workers[number];
	for (size_t i = begin; i < end; i++) {
		size_t q = i / search->place_count;
		const cairn_asmk_aggregate *query = search->queries[q];
		const struct place *place = &search->places[i % search->place_count];
		int status = add_words(search, query, place, worker->sums);
		if (status == 0)
			offer_images(search, query, place, worker->sums, &worker->heaps[q]);
		if (status == 0 && search->options.also)
			tell_scores(search, query, place->block, worker->sums,
				    search->also_scores + q * search->options.also_count);
		memset(worker->sums, 0, place->block->images * sizeof(*worker->sums));
		CN_TRY(status);
	}
	return 0;
}

/* ---- a batch of queries ---- */

struct aggregation {
	struct search *search;
	const cairn_features *const *queries;
	cn_workers *inner; /* for each query by itself */
};

static int aggregate_queries(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct aggregation *work = context;
	const cairn_asmk_index *index = work->search->index;
	const cairn_asmk_options options = { CAIRN_ASMK_OPTIONS_VERSION, index->files[0].binary,
					     index->files[0].regional };
	(void)worker;
	for (size_t i = begin; i < end; i++)
		CN_TRY(cn_asmk_aggregate(&work->search->queries[i], index->codebook, &work->queries[i], 1,
					 work->search->options.assignments, &options, work->inner));
	return 0;
}

static void free_batch(struct search *search)
{
	for (size_t i = 0; i < BATCH; i++) {
		cairn_asmk_aggregate_free(search->queries[i]);
		search->queries[i] = NULL;
	}
}

static int rank(const struct search *search, size_t query, cairn_ranking *ranking, size_t row)
{
	cn_heap *first = &search->workers[0].heaps[query];
	for (unsigned w = 1; w < cn_workers_threads(search->pool); w++) {
		const cn_heap *heap = &search->workers[w].heaps[query];
		for (size_t i = 0; i < heap->count; i++)
			cn_heap_push(first, heap->items[i].score, heap->items[i].id);
	}
	cn_heap_sort(first);
	for (size_t i = 0; i < first->count; i++)
		CN_TRY(cairn_ranking_set(ranking, row, i, first->items[i].id, first->items[i].score));
	return 0;
}

/* Where there are fewer queries than threads, the threads share the work on each; results are the same. */
static int search_batch(struct search *search, const cairn_features *const *queries, cairn_ranking *ranking, size_t row)
{
	int together = search->batch < cn_workers_threads(search->pool);
	struct aggregation work = { search, queries, together ? search->pool : NULL };
	CN_TRY(cn_parallel_for(together ? NULL : search->pool, search->batch, 1, aggregate_queries, &work));
	for (unsigned w = 0; w < cn_workers_threads(search->pool); w++)
		for (size_t q = 0; q < search->batch; q++)
			cn_heap_clear(&search->workers[w].heaps[q]);
	CN_TRY(cn_parallel_for(search->pool, search->batch * search->place_count, 1, search_places, search));
	for (size_t q = 0; q < search->batch; q++)
		CN_TRY(rank(search, q, ranking, row + q));
	return 0;
}

/* ---- the whole ---- */

static int make_places(struct search *search)
{
	const cairn_asmk_index *index = search->index;
	for (size_t f = 0; f < index->count; f++)
		search->place_count += index->files[f].header->blocks;
	CN_NEW(search->places, search->place_count, sizeof(*search->places));
	size_t n = 0;
	for (size_t f = 0; f < index->count; f++)
		for (size_t b = 0; b < index->files[f].header->blocks; b++)
			search->places[n++] = (struct place){ &index->files[f], &index->files[f].blocks[b] };
	for (size_t i = 0; i < n; i++)
		if (search->places[i].block->images > search->largest)
			search->largest = search->places[i].block->images;
	return 0;
}

static int make_table(struct search *search)
{
	size_t dim = search->index->codebook->dim;
	CN_NEW(search->of_distance, 8 * search->index->files[0].code_size + 1, sizeof(*search->of_distance));
	for (size_t h = 0; h <= dim; h++)
		search->of_distance[h] = sigma((float)(1 - 2 * (double)h / (double)dim), search->options.alpha,
					       search->options.threshold);
	return 0;
}

static void choose_batch(struct search *search, size_t queries, size_t kept)
{
	search->most = KEPT / kept < 1 ? 1 : KEPT / kept < BATCH ? KEPT / kept : BATCH;
	search->most = queries < search->most ? queries : search->most;
}

/* @param kept images a query */
static int make_workers(struct search *search, size_t kept)
{
	CN_NEW(search->workers, cn_workers_threads(search->pool), sizeof(*search->workers));
	for (unsigned w = 0; w < cn_workers_threads(search->pool); w++) {
		CN_NEW(search->workers[w].sums, search->largest, sizeof(float));
		for (size_t q = 0; q < search->most; q++)
			CN_TRY(cn_heap_init(&search->workers[w].heaps[q], kept));
	}
	return 0;
}

static void free_search(struct search *search)
{
	for (unsigned w = 0; search->workers && w < cn_workers_threads(search->pool); w++) {
		cn_free(search->workers[w].sums);
		for (size_t q = 0; q < BATCH; q++)
			cn_heap_free(&search->workers[w].heaps[q]);
	}
	cn_free(search->workers);
	cn_free(search->places);
	cn_free(search->of_distance);
	free_batch(search);
	cn_workers_free(search->pool);
}

static int check_options(const cairn_asmk_index *index, cairn_asmk_search_options *o,
			 const cairn_asmk_search_options *given)
{
	const cairn_asmk_search_options defaults = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	*o = given ? *given : defaults;
	if (o->version != CAIRN_ASMK_SEARCH_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "ASMK search options of version %u; this cairn knows version %d",
			       o->version, CAIRN_ASMK_SEARCH_OPTIONS_VERSION);
	if (!o->assignments)
		o->assignments = index->codebook->words < DEFAULT_ASSIGNMENTS ? (uint32_t)index->codebook->words
									      : DEFAULT_ASSIGNMENTS;
	if (o->assignments > CN_ASSIGN_MAX || o->assignments > index->codebook->words)
		return cn_fail(CAIRN_EINVALID, "%u assignments among %zu words; at most %d are possible",
			       o->assignments, index->codebook->words, CN_ASSIGN_MAX);
	if (!(o->alpha > 0 && o->alpha <= 100) || !(o->threshold >= 0 && o->threshold <= 1))
		return cn_fail(CAIRN_EINVALID, "ASMK with alpha %g and threshold %g; above 0 to 100, and 0 to 1",
			       (double)o->alpha, (double)o->threshold);
	CN_TRY(cn_ids_ascend(o->also, o->also_count, "image"));
	return cn_ids_ascend(o->only, o->only_count, "image");
}

static int check_queries(const cairn_asmk_index *index, const cairn_features *const *queries, size_t count, size_t k)
{
	const cn_asmk_header *header = index->files[0].header;
	if (count < 1 || k < 1)
		return cn_fail(CAIRN_EINVALID, "%zu queries for the best %zu images", count, k);
	for (size_t i = 0; i < count; i++)
		if (strcmp(queries[i]->kind, header->kind) != 0 || queries[i]->dim != header->dim)
			return cn_fail(CAIRN_EINVALID,
				       "query %zu has features of kind '%s' with %u dimensions, the index '%s' with %u",
				       i, queries[i]->kind, queries[i]->dim, header->kind, header->dim);
	return 0;
}

int cairn_asmk_index_search(cairn_ranking **out, const cairn_asmk_index *index, const cairn_features *const *queries,
			    size_t count, size_t k, const cairn_asmk_search_options *options)
{
	struct search search = { .index = index };
	cairn_ranking *ranking = NULL;
	size_t kept = index->images < k ? index->images : k;
	int status;
	kept = kept ? kept : 1;
	*out = NULL;
	CN_TRY(check_options(index, &search.options, options));
	CN_TRY(check_queries(index, queries, count, k));
	CN_GOTO(status, cn_workers_new(&search.pool, search.options.threads));
	CN_GOTO(status, make_places(&search));
	CN_GOTO(status, make_table(&search));
	choose_batch(&search, count, kept);
	CN_GOTO(status, make_workers(&search, kept));
	CN_GOTO(status, cairn_ranking_new(&ranking, count, k));
	if (search.options.also)
		memset(search.options.also_scores, 0, count * search.options.also_count * sizeof(float));
	for (size_t q = 0; q < count; q += search.batch) {
		search.batch = count - q < search.most ? count - q : search.most;
		search.also_scores =
			search.options.also ? search.options.also_scores + q * search.options.also_count : NULL;
		CN_GOTO(status, search_batch(&search, queries + q, ranking, q));
		free_batch(&search);
	}
	*out = ranking;
	ranking = NULL;
done:
	cairn_ranking_free(ranking);
	free_search(&search);
	return status;
}

/*
 * An index, and the course of a search.
 *
 *   rows --scan--> shortlists of rows, one a query and thread --half-precision rows--> scores --> the k best images
 *
 * The order of rows is total (score, then place), so neither the order in which threads take rows nor their number
 * matters. Rows that do not count, removed ones and those that a filter leaves out, are cleared in a bitmap and never
 * read.
 */
#include "index/index.h"

#include "math/codes.h"
#include "math/dot.h"
#include "util/memory.h"

#define CHUNK 1024 /* rows */
/* Places that all threads' shortlists, or the lists to probe, have together; where k or the probes are many, fewer
 * queries are taken at once. */
#define MOST_PLACES ((size_t)1 << 22)
#define SMALL       1e6 /* numbers multiplied */
/* Queries at once where lists are probed: enough for every list to be probed by many. */
#define IVF_BLOCK 16384

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
				(cn_chunk){ (uint32_t)p, (uint32_t)begin,
					    (uint32_t)(rows - begin < CHUNK ? rows - begin : CHUNK) };
	}
	return 0;
}

int cairn_index_new_flat(cairn_index **out, size_t dim, const cairn_index_part *parts, size_t n, const int64_t *removed,
			 size_t removed_count)
{
	cairn_index *index;
	*out = NULL;
	if (dim < 1 || dim > CN_CODES_MAX_DIM)
		return cn_fail(CAIRN_EINVALID, "an index of rows of %zu dimensions; 1 to %d are possible", dim,
			       CN_CODES_MAX_DIM);
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
	index->live_rows = cn_row_parts_live(&index->parts, index->live);
	*out = index;
	return 0;
}

/* Lists of another quantizer would be read beyond their ends. */
static int check_lists(const cairn_ivf *ivf, const cairn_index_part *parts, const cairn_ivf_lists *const *lists,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (lists[i]->rows != parts[i].count)
			return cn_fail(CAIRN_EINVALID, "part %zu of the index has %zu rows, its lists '%s' %zu", i,
				       parts[i].count, lists[i]->path, lists[i]->rows);
		if (lists[i]->quantizer != ivf->fingerprint || lists[i]->dim != ivf->dim ||
		    lists[i]->list_count != ivf->list_count)
			return cn_fail(CAIRN_EINVALID, "the lists '%s' of part %zu were written with another quantizer",
				       lists[i]->path, i);
	}
	return 0;
}

int cairn_index_new_ivf(cairn_index **out, const cairn_ivf *ivf, const cairn_index_part *parts,
			const cairn_ivf_lists *const *lists, size_t n, const int64_t *removed, size_t removed_count)
{
	*out = NULL;
	CN_TRY(check_lists(ivf, parts, lists, n));
	CN_TRY(cairn_index_new_flat(out, ivf->dim, parts, n, removed, removed_count));
	(*out)->lists = cn_memdup(lists, n * sizeof(*lists));
	(*out)->ivf = ivf;
	int status = (*out)->lists ? 0 : CAIRN_ENOMEM;
	if (status == 0)
		status = cn_index_map_rows(*out);
	if (status == 0 && (*out)->live)
		status = cn_live_lists_init(&(*out)->live_lists, *out, (*out)->live);
	if (status < 0) {
		cairn_index_free(*out);
		*out = NULL;
	}
	return status;
}

void cairn_index_free(cairn_index *index)
{
	if (!index)
		return;
	cn_row_parts_free(&index->parts);
	cn_free(index->chunks);
	cn_free(index->live);
	cn_free(index->lists);
	cn_free(index->list_of_row);
	cn_live_lists_free(&index->live_lists);
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

/* ---- a block of queries ---- */

/* What goes through the loop over queries. */
struct ranking_loop {
	const cn_search *search;
	cairn_ranking *ranking;
	size_t first; /* row of the ranking */
};

static int rank_query(const struct ranking_loop *loop, size_t query, cn_found *found)
{
	const cn_search *search = loop->search;
	cn_shortlist *list = &search->workers[0].shortlists[query];
	size_t depth = cairn_ranking_depth(loop->ranking), dim = search->index->parts.dim;
	for (unsigned w = 1; w < search->worker_count; w++) {
		const cn_shortlist *other = &search->workers[w].shortlists[query];
		for (size_t i = 0; i < other->count; i++)
			cn_shortlist_push(list, other->items[i].score, other->items[i].row);
	}
	size_t count = cn_rescore(&search->index->parts, search->vectors + query * dim, 1, list, found);
	for (size_t i = 0; i < count && i < depth; i++)
		CN_TRY(cairn_ranking_set(loop->ranking, loop->first + query, i, found[i].image, found[i].score));
	return 0;
}

/* cn_loop_body over the queries of the block. */
static int rank_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct ranking_loop *loop = context;
	for (size_t i = begin; i < end; i++)
		CN_TRY(rank_query(loop, i, loop->search->workers[worker].found));
	return 0;
}

static int search_block(cn_search *search, cairn_ranking *ranking, size_t first)
{
	struct ranking_loop loop = { search, ranking, first };
	cn_number number = search->exact ? CN_NUMBER_F32 : CN_NUMBER_I8;
	CN_TRY(cn_queries_init(&search->queries, number, search->vectors, search->count, search->index->parts.dim));
	for (unsigned w = 0; w < search->worker_count; w++)
		for (size_t q = 0; q < search->count; q++)
			cn_shortlist_clear(&search->workers[w].shortlists[q]);
	int status = search->probes ? cn_ivf_scan(search) : cn_flat_scan(search);
	if (status == 0)
		status = cn_parallel_for(search->pool, search->count, 8, rank_range, &loop);
	cn_queries_free(&search->queries);
	return status;
}

/* ---- beginning and end of a search ---- */

static void free_workers(cn_search *search)
{
	for (unsigned w = 0; search->workers && w < search->worker_count; w++) {
		cn_search_worker *worker = &search->workers[w];
		for (size_t q = 0; worker->shortlists && q < search->block; q++)
			cn_shortlist_free(&worker->shortlists[q]);
		cn_free(worker->shortlists);
		cn_free(worker->bases);
		cn_free(worker->found);
		cn_query_panels_free(&worker->panels);
		cn_scan_scratch_free(&worker->scratch);
	}
	cn_free(search->workers);
}

static void choose_block(cn_search *search, size_t queries)
{
	size_t best = search->probes ? IVF_BLOCK
				     : cn_query_panels_best(search->exact ? CN_NUMBER_F32 : CN_NUMBER_I8,
							    search->index->parts.dim);
	size_t shortlists = search->keep * search->worker_count;
	size_t places = shortlists > search->most_probes ? shortlists : search->most_probes;
	size_t most = places < MOST_PLACES ? MOST_PLACES / (places + 1) + 1 : 1;
	search->block = best < most ? best : most;
	search->block = queries < search->block ? queries : search->block;
}

static int make_workers(cn_search *search)
{
	CN_NEW(search->workers, search->worker_count, sizeof(*search->workers));
	for (unsigned w = 0; w < search->worker_count; w++) {
		cn_search_worker *worker = &search->workers[w];
		CN_NEW(worker->shortlists, search->block, sizeof(*worker->shortlists));
		CN_NEW(worker->bases, search->block, sizeof(*worker->bases));
		CN_NEW(worker->found, search->keep, sizeof(*worker->found));
		for (size_t q = 0; q < search->block; q++)
			CN_TRY(cn_shortlist_init(&worker->shortlists[q], search->keep));
	}
	return 0;
}

static int check_search(const cairn_index *index, const float *vectors, size_t queries, size_t k,
			const cairn_index_options *options)
{
	size_t dim = index->parts.dim;
	if (options->version != CAIRN_INDEX_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "index options of version %u, this library knows version %d",
			       options->version, CAIRN_INDEX_OPTIONS_VERSION);
	if (queries < 1 || k < 1 || k > SIZE_MAX / 2)
		return cn_fail(CAIRN_EINVALID, "%zu queries for the best %zu images", queries, k);
	if (!(options->recall >= 0 && options->recall <= 1))
		return cn_fail(CAIRN_EINVALID, "a recall of %g; it is a share from 0 to 1", options->recall);
	if (!options->only && options->only_count)
		return cn_fail(CAIRN_EINVALID, "%zu image ids at NULL", options->only_count);
	for (size_t i = 0; i < queries; i++)
		if (!cn_all_finite(vectors + i * dim, dim))
			return cn_fail(CAIRN_EINVALID, "query %zu holds a number that is not finite", i);
	return 0;
}

/* Waking threads takes longer than so little work. */
static int is_small(const cn_search *search, size_t queries)
{
	const cairn_index *index = search->index;
	double share = search->probes ? (double)search->probes / (double)index->ivf->list_count : 1;
	return share * (double)index->parts.rows * (double)index->parts.dim * (double)queries < SMALL;
}

static cn_scanned what_is_scanned(const cn_search *search)
{
	return search->exact ? CN_SCANNED_HALVES : search->probes ? CN_SCANNED_RESIDUALS : CN_SCANNED_CODES;
}

/* Where rows were left out, more lists make up for it, unless their number was given. */
static size_t most_probes(const cn_search *search, const cairn_index_options *options)
{
	if (!search->live_lists->share)
		return search->probes;
	size_t lists = search->live_lists->count;
	return options->probes && options->probes < lists ? options->probes : lists;
}

static int search_all(cn_search *search, const float *vectors, size_t queries, cairn_ranking *ranking)
{
	choose_block(search, queries);
	CN_TRY(make_workers(search));
	for (size_t q = 0; q < queries; q += search->block) {
		search->vectors = vectors + q * search->index->parts.dim;
		search->count = queries - q < search->block ? queries - q : search->block;
		CN_TRY(search_block(search, ranking, q));
	}
	return 0;
}

int cairn_index_search(cairn_ranking **out, const cairn_index *index, const float *vectors, size_t queries, size_t k,
		       const cairn_index_options *options)
{
	static const cairn_index_options defaults = CAIRN_INDEX_OPTIONS_INIT;
	uint64_t *only = NULL;
	cn_live_lists only_lists = { 0 };
	cn_search search = { .index = index, .live = index->live, .live_lists = &index->live_lists };
	int status = 0;
	*out = NULL;
	if (!options)
		options = &defaults;
	CN_TRY(check_search(index, vectors, queries, k, options));
	if (options->only) {
		CN_TRY(cn_row_parts_only(&index->parts, options->only, options->only_count, index->live, &only));
		search.live = only;
	}
	search.probes =
		cn_search_probes(index, k, options, only ? cn_row_parts_live(&index->parts, only) : index->live_rows);
	search.exact = options->exact || (!search.probes && !index->parts.has_codes);
	search.keep = cn_rows_to_keep(&index->parts, cn_images_to_keep(k, options->depth, what_is_scanned(&search)));
	CN_GOTO(status, cairn_ranking_new(out, queries, k));
	CN_GOTO(status, cn_workers_new(&search.pool, is_small(&search, queries) ? 1 : options->threads));
	search.worker_count = cn_workers_threads(search.pool);
	if (search.probes && only) {
		CN_GOTO(status, cn_live_lists_init(&only_lists, index, only));
		search.live_lists = &only_lists;
	}
	search.most_probes = most_probes(&search, options);
	status = search_all(&search, vectors, queries, *out);
done:
	if (status < 0) {
		cairn_ranking_free(*out);
		*out = NULL;
	}
	free_workers(&search);
	cn_workers_free(search.pool);
	cn_live_lists_free(&only_lists);
	cn_free(only);
	return status;
}

/*
 * Rows of the diffusion from every image: their files, and searching with them.
 */
#include <string.h>

#include "math/dot.h"
#include "rank/diffuse_offline.h"
#include "util/memory.h"
#include "util/text.h"

enum { IDS, VALUES };

static const char *const parts[] = { "ids", "values" };
static const cn_npy_type types[] = { CN_NPY_I32, CN_NPY_F32 };

static int path_of(cn_text *path, const char *prefix, int part)
{
	return cn_text_addf(path, "%s.%s.npy", prefix, parts[part]);
}

/* ---- writing ---- */

struct files {
	cn_atomic_file items[2];
	size_t width;
};

static int begin_file(struct files *files, int part, const char *prefix, size_t count)
{
	const size_t shape[] = { count, files->width };
	cn_text path = CN_TEXT_INIT;
	int status = path_of(&path, prefix, part);
	if (status == 0)
		status = cn_atomic_open(&files->items[part], path.data);
	if (status == 0)
		status = cn_npy_write_header(&files->items[part], types[part], 2, shape);
	cn_text_free(&path);
	return status;
}

static int write_rows(void *context, size_t first, size_t count, const int32_t *ids, const float *values)
{
	struct files *files = context;
	(void)first;
	CN_TRY(cn_atomic_write(&files->items[IDS], ids, count * files->width * sizeof(*ids)));
	return cn_atomic_write(&files->items[VALUES], values, count * files->width * sizeof(*values));
}

int cn_offline_write(const char *prefix, const cn_diffusion_graph *graph, const cn_neighbours *lists,
		     const cn_offline_options *options, cn_workers *pool, cairn_progress_cb callback, void *payload)
{
	struct files files = { .width = cn_offline_width(graph, options) };
	int status;
	CN_GOTO(status, begin_file(&files, IDS, prefix, graph->matrix.rows));
	CN_GOTO(status, begin_file(&files, VALUES, prefix, graph->matrix.rows));
	CN_GOTO(status, cn_diffuse_offline(graph, lists, 0, graph->matrix.rows, options, write_rows, &files, pool,
					   callback, payload));
	CN_GOTO(status, cn_atomic_commit(&files.items[IDS]));
	status = cn_atomic_commit(&files.items[VALUES]);
done:
	cn_atomic_abort(&files.items[IDS]);
	cn_atomic_abort(&files.items[VALUES]);
	return status;
}

/* ---- reading ---- */

static int open_file(cn_offline_rows *rows, int part, const char *prefix, const size_t *shape)
{
	cn_text path = CN_TEXT_INIT;
	int status = path_of(&path, prefix, part);
	if (status == 0)
		status = cn_npy_open(&rows->files[part], path.data);
	if (status == 0)
		status = cn_npy_expect(&rows->files[part], path.data, types[part], 2, shape);
	/* Numbers of other programs' files may lie anywhere. */
	if (status == 0 && (uintptr_t)rows->files[part].data % sizeof(float) != 0)
		status = cn_fail(CAIRN_EFORMAT, "%s: the numbers do not begin at a multiple of 4 bytes", path.data);
	cn_text_free(&path);
	return status;
}

static int check_rows(const cn_offline_rows *rows, const char *prefix)
{
	for (size_t i = 0; i < rows->count * rows->width; i++)
		if (rows->ids[i] >= 0 && (size_t)rows->ids[i] >= rows->count)
			return cn_fail(CAIRN_EFORMAT, "%s.ids.npy: row %zu names image %d, of %zu", prefix,
				       i / rows->width, rows->ids[i], rows->count);
	if (!cn_all_finite(rows->values, rows->count * rows->width))
		return cn_fail(CAIRN_EFORMAT, "%s.values.npy: a value is not finite", prefix);
	return 0;
}

static int open_rows(cn_offline_rows *out, const char *prefix)
{
	size_t shape[2] = { 0, 0 };
	CN_TRY(open_file(out, IDS, prefix, shape));
	memcpy(shape, out->files[IDS].shape, sizeof(shape));
	if (shape[0] < 1 || shape[1] < 1)
		return cn_fail(CAIRN_EFORMAT, "%s.ids.npy: %zu rows of %zu; there must be some", prefix, shape[0],
			       shape[1]);
	CN_TRY(open_file(out, VALUES, prefix, shape));
	out->count = shape[0];
	out->width = shape[1];
	out->ids = out->files[IDS].data;
	out->values = out->files[VALUES].data;
	return check_rows(out, prefix);
}

int cn_offline_open(cn_offline_rows *out, const char *prefix)
{
	memset(out, 0, sizeof(*out));
	int status = open_rows(out, prefix);
	if (status < 0)
		cn_offline_close(out);
	return status;
}

void cn_offline_close(cn_offline_rows *rows)
{
	cn_npy_close(&rows->files[IDS]);
	cn_npy_close(&rows->files[VALUES]);
	memset(rows, 0, sizeof(*rows));
}

/* ---- searching ---- */

static int make_sums(cn_offline_searcher *searcher, unsigned threads)
{
	CN_NEW(searcher->sums, threads, sizeof(*searcher->sums));
	CN_NEW(searcher->met, threads, sizeof(*searcher->met));
	for (; searcher->threads < threads; searcher->threads++)
		CN_NEW(searcher->sums[searcher->threads], searcher->rows->count, sizeof(float));
	return 0;
}

int cn_offline_searcher_init(cn_offline_searcher *out, const cn_offline_rows *rows, cn_workers *pool)
{
	*out = (cn_offline_searcher){ .rows = rows, .pool = pool };
	int status = make_sums(out, cn_workers_threads(pool));
	if (status < 0)
		cn_offline_searcher_free(out);
	return status;
}

/* Every entry of k rows may be met. */
static int make_room(cn_offline_searcher *searcher, size_t k)
{
	size_t most;
	CN_TRY(cn_size_mul(k, searcher->rows->width, &most));
	for (unsigned i = 0; most > searcher->most_met && i < searcher->threads; i++) {
		uint32_t *met = cn_realloc(searcher->met[i], most, sizeof(*met));
		if (!met)
			return CAIRN_ENOMEM;
		searcher->met[i] = met;
	}
	searcher->most_met = most > searcher->most_met ? most : searcher->most_met;
	return 0;
}

void cn_offline_searcher_free(cn_offline_searcher *searcher)
{
	for (unsigned i = 0; i < searcher->threads; i++) {
		cn_free(searcher->sums[i]);
		cn_free(searcher->met[i]);
	}
	cn_free(searcher->sums);
	cn_free(searcher->met);
	memset(searcher, 0, sizeof(*searcher));
}

/* Queries are shared by the threads. */
struct search {
	cairn_ranking *out;
	const int64_t *images;
	const cn_offline_rows *rows;
	float **sums; /* the searcher's, as the next */
	uint32_t **met;
	cn_shortlists lists;
	/* The paper's way: */
	const cn_neighbours *queries;
	size_t k;
	float gamma;
	/* By cosines: */
	const cn_offline_index *index;
	const int32_t *positions;
};

/* Offer a sum once and forget it. */
static inline void take_sum(const struct search *search, float *sums, size_t image, cn_shortlist *list)
{
	if (cn_is_ranked(search->images, image, sums[image]))
		cn_shortlist_push(list, sums[image], (uint32_t)image);
	sums[image] = 0;
}

/* @param count images met so far; whatever has the sum 0 counts as not met, and is harmless twice. @return with these
 */
static size_t add_row(const cn_offline_rows *rows, size_t row, float weight, float *restrict sums,
		      uint32_t *restrict met, size_t count)
{
	const int32_t *ids = rows->ids + row * rows->width;
	const float *values = rows->values + row * rows->width;
	for (size_t k = 0; k < rows->width && ids[k] >= 0; k++) {
		float sum = sums[ids[k]];
		met[count] = (uint32_t)ids[k];
		count += sum == 0;
		sums[ids[k]] = sum + weight * values[k];
	}
	return count;
}

static int search_some(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct search *search = context;
	float *sums = search->sums[worker];
	uint32_t *met = search->met[worker];
	cn_shortlist *list = &search->lists.items[worker];
	for (size_t q = begin; q < end; q++) {
		const int32_t *near = search->queries->ids + q * search->queries->k;
		const float *scores = search->queries->scores + q * search->queries->k;
		size_t count = 0;
		for (size_t i = 0; i < search->k; i++) {
			float weight = near[i] >= 0 ? cn_diffusion_weight(scores[i], search->gamma) : 0;
			if (weight > 0)
				count = add_row(search->rows, (size_t)near[i], weight, sums, met, count);
		}
		for (size_t i = 0; i < count; i++)
			take_sum(search, sums, met[i], list);
		CN_TRY(cn_diffuse_rank(search->out, q, list, search->images));
	}
	return 0;
}

static int compare_some(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct search *search = context;
	const cn_offline_rows *rows = search->rows;
	const cn_sparse *columns = &search->index->columns;
	float *sums = search->sums[worker];
	cn_shortlist *list = &search->lists.items[worker];
	for (size_t q = begin; q < end; q++) {
		size_t position = (size_t)search->positions[q], first = position * rows->width;
		for (size_t k = first; k < first + rows->width && rows->ids[k] >= 0; k++) {
			float weight = rows->values[k] * search->index->scales[position];
			for (uint64_t j = columns->starts[rows->ids[k]]; j < columns->starts[rows->ids[k] + 1]; j++)
				sums[columns->column[j]] += weight * columns->values[j];
		}
		for (size_t i = 0; i < rows->count; i++)
			take_sum(search, sums, i, list);
		CN_TRY(cn_diffuse_rank(search->out, q, list, search->images));
	}
	return 0;
}

static int run_search(struct search *search, const cn_offline_searcher *searcher, size_t queries, cn_loop_body body)
{
	CN_TRY(cn_shortlists_init(&search->lists, searcher->threads,
				  cn_diffuse_depth(search->out, search->rows->count)));
	int status = cn_parallel_for(searcher->pool, queries, 1, body, search);
	cn_shortlists_free(&search->lists);
	return status;
}

int cn_offline_search(cairn_ranking *out, cn_offline_searcher *searcher, const cn_neighbours *queries,
		      const cn_diffusion_options *options, const int64_t *images)
{
	struct search search = { .out = out,
				 .images = images,
				 .rows = searcher->rows,
				 .sums = searcher->sums,
				 .met = searcher->met,
				 .queries = queries,
				 .k = options->query_neighbours,
				 .gamma = options->gamma };
	if (options->query_neighbours < 1)
		return cn_fail(CAIRN_EINVALID, "diffusion: 0 neighbours a query; at least 1 is needed");
	CN_TRY(cn_diffusion_check_gamma(options->gamma));
	CN_TRY(cn_diffuse_check_ranking(out, queries->lines));
	CN_TRY(cn_neighbours_check(queries, searcher->rows->count, 1, searcher->pool));
	search.k = search.k < queries->k ? search.k : queries->k;
	CN_TRY(make_room(searcher, search.k));
	return run_search(&search, searcher, queries->lines, search_some);
}

/* ---- rows by column ---- */

static void fill_columns(cn_offline_index *index, uint64_t *next)
{
	const cn_offline_rows *rows = index->rows;
	for (size_t i = 0; i < rows->count; i++) {
		float length = cn_norm(rows->values + i * rows->width, rows->width);
		index->scales[i] = length > 0 ? 1 / length : 0;
		for (size_t k = i * rows->width; k < (i + 1) * rows->width && rows->ids[k] >= 0; k++) {
			uint64_t to = next[rows->ids[k]]++;
			index->columns.column[to] = (uint32_t)i;
			index->columns.values[to] = rows->values[k] * index->scales[i];
		}
	}
}

static int make_index(cn_offline_index *index)
{
	const cn_offline_rows *rows = index->rows;
	CN_TRY(cn_sparse_init(&index->columns, rows->count, rows->count));
	CN_NEW(index->scales, rows->count, sizeof(*index->scales));
	for (size_t i = 0; i < rows->count; i++)
		for (size_t k = i * rows->width; k < (i + 1) * rows->width && rows->ids[k] >= 0; k++)
			index->columns.starts[rows->ids[k] + 1]++;
	CN_TRY(cn_sparse_make_room(&index->columns));
	uint64_t *next = cn_memdup(index->columns.starts, rows->count * sizeof(*next));
	if (!next)
		return CAIRN_ENOMEM;
	fill_columns(index, next);
	cn_free(next);
	return 0;
}

int cn_offline_index_new(cn_offline_index *out, const cn_offline_rows *rows)
{
	memset(out, 0, sizeof(*out));
	out->rows = rows;
	int status = make_index(out);
	if (status < 0)
		cn_offline_index_free(out);
	return status;
}

void cn_offline_index_free(cn_offline_index *index)
{
	cn_sparse_free(&index->columns);
	cn_free(index->scales);
	memset(index, 0, sizeof(*index));
}

int cn_offline_compare(cairn_ranking *out, cn_offline_searcher *searcher, const cn_offline_index *index,
		       const int32_t *positions, size_t count, const int64_t *images)
{
	struct search search = { .out = out,
				 .images = images,
				 .rows = searcher->rows,
				 .sums = searcher->sums,
				 .index = index,
				 .positions = positions };
	CN_TRY(cn_diffuse_check_ranking(out, count));
	if (index->rows != searcher->rows)
		return cn_fail(CAIRN_EINVALID, "diffusion: the index is of other rows than the searcher");
	for (size_t i = 0; i < count; i++)
		if (positions[i] < 0 || (size_t)positions[i] >= search.rows->count)
			return cn_fail(CAIRN_EINVALID, "diffusion: query %zu is at position %d, of %zu", i,
				       positions[i], search.rows->count);
	return run_search(&search, searcher, count, compare_some);
}

/*
 * Search through all rows: threads take chunks of rows and keep shortlists of their own. Chunks in which no row counts
 * are passed over.
 */
#include "index/index.h"

struct flat {
	const cn_search *search;
	cn_query_panels panels;
};

static int is_all_dead(const uint64_t *live, size_t first, size_t count)
{
	for (size_t word = first / 64; word <= (first + count - 1) / 64; word++)
		if (live[word])
			return 0;
	return 1;
}

static int scan_chunk(const struct flat *flat, cn_search_worker *worker, const cn_chunk *chunk)
{
	const cn_search *search = flat->search;
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
	return cn_scan_rows(&flat->panels, &rows, NULL, worker->lists, &worker->scratch);
}

/* cn_loop_body over chunks. */
static int scan_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct flat *flat = context;
	for (size_t i = begin; i < end; i++)
		CN_TRY(scan_chunk(flat, &flat->search->workers[worker], &flat->search->index->chunks[i]));
	return 0;
}

int cn_flat_scan(cn_search *search)
{
	struct flat flat = { .search = search };
	int status = cn_query_panels_pack(&flat.panels, &search->queries, NULL, search->count);
	if (status == 0)
		status = cn_parallel_for(search->pool, search->index->chunk_count, 1, scan_range, &flat);
	cn_query_panels_free(&flat.panels);
	return status;
}

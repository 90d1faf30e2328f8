/*
 * Search through all rows: threads take chunks of rows and keep shortlists of their own. Chunks in which no row counts
 * are passed over.
 */
#include "index/index.h"

#include "util/bits.h"

struct flat {
	const cn_search *search;
	cn_query_panels panels;
};

static int is_all_dead(const uint64_t *live, size_t first, size_t count)
{
	for (size_t word = first / CN_BITS_WORD; word <= (first + count - 1) / CN_BITS_WORD; word++)
		if (live[word])
			return 0;
	return 1;
}

static int scan_chunk(const struct flat *flat, cn_search_worker *worker, const cn_chunk *chunk)
{
	const cn_search *search = flat->search;
	const cn_row_part *part = &search->index->parts.items[chunk->part];
	cn_rows rows = cn_row_part_rows(part, chunk->begin, chunk->count, search->index->parts.dim, search->exact);
	rows.live = search->live;
	rows.live_from = rows.first;
	if (rows.live && is_all_dead(rows.live, rows.first, rows.count))
		return 0;
	return cn_scan_rows(&flat->panels, &rows, NULL, worker->shortlists, &worker->scratch);
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

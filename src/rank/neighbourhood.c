/*
 * Products of all vectors with each other, made as a scan makes them: in float32, some queries at a time. A product
 * does not depend on what else is multiplied, so equal vectors have equal ones.
 */
#include "rank/neighbourhood.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dot.h"
#include "util/ids.h"
#include "util/memory.h"

#define MOST_LISTS (8 * CN_PANEL_MOST_QUERIES)

int cn_neighbourhood_init(cn_neighbourhood *out, size_t most, size_t dim, size_t nearest)
{
	size_t numbers, places, items;
	*out = (cn_neighbourhood){ .most = most, .dim = dim, .nearest = nearest < most ? nearest : most };
	out->batch = cn_query_panels_best(CN_NUMBER_F32, dim);
	out->batch = out->batch < MOST_LISTS ? out->batch : MOST_LISTS;
	CN_TRY(cn_shortlist_capacity(most + 1, &out->capacity));
	CN_TRY(cn_size_mul(most + 1, dim, &numbers));
	CN_TRY(cn_size_mul(most + 1, out->nearest, &places));
	CN_TRY(cn_size_mul(out->batch, out->capacity, &items));
	out->ids = cn_alloc(most, sizeof(*out->ids));
	out->vectors = cn_alloc(numbers, sizeof(*out->vectors));
	out->near = cn_alloc(places, sizeof(*out->near));
	out->least = cn_alloc(most + 1, sizeof(*out->least));
	out->rows = cn_alloc(most + 1, sizeof(*out->rows));
	out->lists = cn_alloc(most + 1, sizeof(*out->lists));
	out->items = cn_alloc(items, sizeof(*out->items));
	if (!out->ids || !out->vectors || !out->near || !out->least || !out->rows || !out->lists || !out->items)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i <= most; i++)
		out->rows[i] = (uint32_t)i;
	return 0;
}

void cn_neighbourhood_free(cn_neighbourhood *hood)
{
	cn_free(hood->ids);
	cn_free(hood->vectors);
	cn_free(hood->near);
	cn_free(hood->least);
	cn_free(hood->rows);
	cn_free(hood->lists);
	cn_free(hood->items);
	cn_query_panels_free(&hood->panels);
	cn_scan_scratch_free(&hood->scratch);
}

int cn_neighbourhood_fill(cn_neighbourhood *hood, const cn_rank_list *list, size_t query, const float *vector,
			  const cn_vectors *vectors)
{
	size_t dim = hood->dim;
	hood->count = list->count < hood->most ? list->count : hood->most;
	for (size_t i = 0; i < hood->count; i++)
		hood->ids[i] = list->items[i].id;
	cn_ids_sort(hood->ids, hood->count);
	memcpy(hood->vectors, vector, dim * sizeof(*vector));
	CN_TRY(vectors->get(vectors, hood->ids, hood->count, hood->vectors + dim));
	if (!cn_all_finite(hood->vectors, dim))
		return cn_fail(CAIRN_EINVALID, "the vector of query %zu holds a number that is not finite", query);
	for (size_t i = 0; i < hood->count; i++)
		if (!cn_all_finite(hood->vectors + (i + 1) * dim, dim))
			return cn_fail(CAIRN_EINVALID, "the vector of image %lld holds a number that is not finite",
				       (long long)hood->ids[i]);
	return 0;
}

static int best_first(const void *left, const void *right)
{
	const cn_scored_row *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

/* Of the list of all rows. Finite vectors may have products that are not. */
static int keep_nearest(cn_neighbourhood *hood, size_t row, size_t rows)
{
	cn_shortlist *list = &hood->lists[row];
	size_t others = 0;
	float least = INFINITY, most = -INFINITY;
	for (size_t i = 0; i < list->count; i++) {
		cn_scored_row item = list->items[i];
		least = item.score < least ? item.score : least;
		most = item.score > most ? item.score : most;
		if (item.row != row)
			list->items[others++] = item;
	}
	if (list->count != rows || isinf(least) || isinf(most))
		return cn_fail(CAIRN_EINVALID, "vectors are too long to be multiplied; they should have unit length");
	hood->least[row] = least;
	list->count = others;
	list->keep = hood->nearest;
	if (others == 0 || hood->nearest == 0)
		return 0;
	cn_shortlist_cut(list);
	qsort(list->items, list->count, sizeof(*list->items), best_first);
	memcpy(hood->near + row * hood->nearest, list->items, list->count * sizeof(*list->items));
	return 0;
}

static int search_batch(cn_neighbourhood *hood, const cn_queries *queries, const cn_rows *rows, size_t begin,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		cn_shortlist_place(&hood->lists[begin + i], rows->count, hood->items + i * hood->capacity,
				   hood->capacity);
	CN_TRY(cn_query_panels_pack(&hood->panels, queries, hood->rows + begin, count));
	CN_TRY(cn_scan_rows(&hood->panels, rows, NULL, hood->lists, &hood->scratch));
	for (size_t i = 0; i < count; i++)
		CN_TRY(keep_nearest(hood, begin + i, rows->count));
	return 0;
}

int cn_neighbourhood_search(cn_neighbourhood *hood, size_t first)
{
	size_t end = hood->count + 1;
	cn_queries queries;
	if (first >= end)
		return 0;
	const cn_rows rows = { .stored = CN_ROWS_F32,
			       .rows = hood->vectors + first * hood->dim,
			       .count = end - first,
			       .first = (uint32_t)first };
	CN_TRY(cn_queries_init(&queries, CN_NUMBER_F32, hood->vectors, end, hood->dim));
	int status = 0;
	for (size_t begin = first; status == 0 && begin < end; begin += hood->batch)
		status = search_batch(hood, &queries, &rows, begin,
				      end - begin < hood->batch ? end - begin : hood->batch);
	cn_queries_free(&queries);
	size_t others = rows.count - 1;
	return status < 0 ? status : (int)(others < hood->nearest ? others : hood->nearest);
}

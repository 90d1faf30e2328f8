/*
 * Which lists hold rows that may be found. A filter may leave whole lists empty, most of all one that is about what is
 * seen: then the nearest lists that hold something are probed, however far away they are.
 *
 * Each row's list is looked up, not each list's rows, so that counting costs as much as there are rows left.
 */
#include "index/index.h"

#include "util/bits.h"
#include "util/memory.h"

int cn_index_map_rows(cairn_index *index)
{
	const cn_row_parts *parts = &index->parts;
	CN_NEW(index->list_of_row, parts->numbers, sizeof(*index->list_of_row));
	for (size_t p = 0; p < parts->count; p++) {
		const cairn_ivf_lists *lists = index->lists[parts->items[p].given];
		uint32_t *list_of_row = index->list_of_row + parts->items[p].first;
		for (size_t list = 0; list < lists->list_count; list++)
			for (size_t i = lists->starts[list]; i < lists->starts[list + 1]; i++)
				list_of_row[lists->numbers[i]] = (uint32_t)list;
	}
	return 0;
}

static void count_live(const cairn_index *index, const uint64_t *live, uint32_t *counts)
{
	for (size_t first = 0; first < index->parts.numbers; first += CN_BITS_WORD)
		for (uint64_t left = live[first / CN_BITS_WORD]; left; left &= left - 1)
			counts[index->list_of_row[first + (size_t)__builtin_ctzll(left)]]++;
}

static size_t rows_of_list(const cairn_index *index, size_t list)
{
	size_t rows = 0;
	for (size_t p = 0; p < index->parts.count; p++) {
		const cairn_ivf_lists *lists = index->lists[index->parts.items[p].given];
		rows += lists->starts[list + 1] - lists->starts[list];
	}
	return rows;
}

int cn_live_lists_init(cn_live_lists *out, const cairn_index *index, const uint64_t *live)
{
	size_t lists = index->ivf->list_count;
	uint32_t *counts = cn_alloc_zero(lists, sizeof(*counts));
	*out = (cn_live_lists){ 0 };
	out->share = cn_alloc_zero(lists, sizeof(*out->share));
	out->any = cn_alloc_zero(lists / CN_BITS_WORD + 1, sizeof(*out->any));
	if (!counts || !out->share || !out->any) {
		cn_free(counts);
		cn_live_lists_free(out);
		return CAIRN_ENOMEM;
	}
	count_live(index, live, counts);
	for (size_t list = 0; list < lists; list++)
		if (counts[list]) {
			out->share[list] = (float)((double)counts[list] / (double)rows_of_list(index, list));
			cn_bit_set(out->any, list);
			out->count++;
		}
	cn_free(counts);
	return 0;
}

void cn_live_lists_free(cn_live_lists *lists)
{
	cn_free(lists->share);
	cn_free(lists->any);
	*lists = (cn_live_lists){ 0 };
}

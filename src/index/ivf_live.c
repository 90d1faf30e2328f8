/*
 * Which lists hold rows that may be found. A filter may leave whole lists empty, most of all one that is about what is
 * seen: then the nearest lists that hold something are probed, however far away they are.
 */
#include "index/index.h"

#include "util/bits.h"
#include "util/memory.h"

#define TASK 64 /* lists that a thread takes at once */

struct counting {
	const cairn_index *index;
	const uint64_t *live;
	cn_live_lists *out;
};

static size_t count_live(const cairn_ivf_lists *lists, size_t list, size_t first, const uint64_t *live)
{
	size_t count = 0;
	for (size_t i = lists->starts[list]; i < lists->starts[list + 1]; i++)
		count += (size_t)cn_bit(live, first + lists->numbers[i]);
	return count;
}

/* cn_loop_body over lists. */
static int count_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct counting *counting = context;
	const cairn_index *index = counting->index;
	(void)worker;
	for (size_t list = begin; list < end; list++) {
		size_t rows = 0, count = 0;
		for (size_t p = 0; p < index->parts.count; p++) {
			const cairn_ivf_lists *lists = index->lists[index->parts.items[p].given];
			rows += lists->starts[list + 1] - lists->starts[list];
			count += count_live(lists, list, index->parts.items[p].first, counting->live);
		}
		counting->out->share[list] = rows ? (float)((double)count / (double)rows) : 0;
	}
	return 0;
}

int cn_live_lists_init(cn_live_lists *out, const cairn_index *index, const uint64_t *live, cn_workers *pool)
{
	size_t lists = index->ivf->list_count;
	struct counting counting = { index, live, out };
	int status = CAIRN_ENOMEM;
	*out = (cn_live_lists){ 0 };
	out->share = cn_alloc(lists, sizeof(*out->share));
	out->any = cn_alloc_zero(lists / CN_BITS_WORD + 1, sizeof(*out->any));
	if (out->share && out->any)
		status = cn_parallel_for(pool, lists, TASK, count_range, &counting);
	if (status < 0) {
		cn_live_lists_free(out);
		return status;
	}
	for (size_t list = 0; list < lists; list++)
		if (out->share[list] > 0) {
			cn_bit_set(out->any, list);
			out->count++;
		}
	return 0;
}

void cn_live_lists_free(cn_live_lists *lists)
{
	cn_free(lists->share);
	cn_free(lists->any);
	*lists = (cn_live_lists){ 0 };
}

/*
 * Search in an inverted file.
 *
 *   queries --scan of centroids--> the lists to probe --sorted by list--> for each list, the queries that probe it
 *                                                                         scan of its rows --> shortlists
 *
 * Turned round like this, a list is read and packed once for all of its queries. A row's score is the query's product
 * with the centroid and with the codes of the row's difference from it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/index.h"
#include "math/dot.h"
#include "math/panel.h"
#include "util/memory.h"

/* Queries whose lists are chosen at once: packing the centroids costs less with more, while there are enough for all
 * threads. */
#define LEAST_TASK 64
#define MOST_TASK  1024
#define LINE       64 /* bytes */
#define FEW_PROBES 16 /* where there are 16 times as many lists as probes, these are sorted one by one */
#define ROWS_A_HIT 4  /* rows scanned for each image that is wanted, at least */

struct probe {
	uint32_t query, list;
	float base; /* the query's product with the centroid */
	float key;  /* what lists are ordered by */
};

struct ivf_search {
	cn_search *search;
	const cairn_ivf *ivf;
	size_t most;             /* lists a query */
	uint32_t *order;         /* 0, 1, 2 ... */
	cn_shortlist *centroids; /* one a query */
	struct probe *probed;    /* count x most, by query */
	uint32_t *probed_count;  /* of each query */
	uint32_t *visited;       /* lists that any query probes */
	size_t visited_count;
	size_t *starts;  /* visited + 1: of what follows */
	uint32_t *which; /* queries of each visited list */
	float *bases;    /* likewise */
};

/* ---- which lists ---- */

static int best_key_first(const void *left, const void *right)
{
	const struct probe *a = left, *b = right;
	if (a->key != b->key)
		return a->key > b->key ? -1 : 1;
	return (a->list > b->list) - (a->list < b->list);
}

/* Until as many rows are met as in lists of which nothing is left out. */
static size_t probes_needed(const struct ivf_search *ivf_search, const struct probe *best, size_t count)
{
	const float *share = ivf_search->search->live_lists->share;
	size_t most = count < ivf_search->most ? count : ivf_search->most, needed = 0;
	double met = 0;
	for (; needed < most && met < (double)ivf_search->search->probes; needed++)
		met += share ? (double)share[best[needed].list] : 1;
	return needed;
}

/* Of the centroids that are best by their codes, the best. */
static void choose_lists(const struct ivf_search *ivf_search, size_t query, struct probe *scratch)
{
	const cairn_ivf *ivf = ivf_search->ivf;
	cn_shortlist *list = &ivf_search->centroids[query];
	const float *vector = ivf_search->search->vectors + query * ivf->dim;
	cn_shortlist_cut(list);
	for (size_t i = 0; i < list->count; i++) {
		uint32_t centroid = list->items[i].row;
		float base = cn_dot(vector, ivf->centroids + centroid * ivf->dim, ivf->dim);
		/* Of the largest queries, sums of infinities of both signs: what is no number cannot be sorted. */
		base = isnan(base) ? -INFINITY : base;
		float key = base * ivf->weights[centroid];
		scratch[i] = (struct probe){ (uint32_t)query, centroid, base, isnan(key) ? -INFINITY : key };
	}
	qsort(scratch, list->count, sizeof(*scratch), best_key_first);
	size_t count = probes_needed(ivf_search, scratch, list->count);
	memcpy(ivf_search->probed + query * ivf_search->most, scratch, count * sizeof(*scratch));
	ivf_search->probed_count[query] = (uint32_t)count;
}

/* cn_loop_body over queries. */
static int choose_range(void *context, size_t begin, size_t end, unsigned number)
{
	const struct ivf_search *ivf_search = context;
	const cairn_ivf *ivf = ivf_search->ivf;
	cn_search_worker *worker = &ivf_search->search->workers[number];
	const cn_rows centroids = { .stored = CN_ROWS_I8,
				    .rows = ivf->codes,
				    .scales = ivf->scales,
				    .count = ivf->list_count,
				    .live = ivf_search->search->live_lists->any };
	struct probe *scratch = cn_alloc(ivf->list_count, sizeof(*scratch));
	if (!scratch)
		return CAIRN_ENOMEM;
	int status = cn_query_panels_pack(&worker->panels, &ivf_search->search->queries, ivf_search->order + begin,
					  end - begin);
	if (status == 0)
		status = cn_scan_rows(&worker->panels, &centroids, NULL, ivf_search->centroids, &worker->scratch);
	for (size_t i = begin; status == 0 && i < end; i++)
		choose_lists(ivf_search, i, scratch);
	cn_free(scratch);
	return status;
}

static int by_list(const void *left, const void *right)
{
	const struct probe *a = left, *b = right;
	if (a->list != b->list)
		return a->list < b->list ? -1 : 1;
	return (a->query > b->query) - (a->query < b->query);
}

/* Close up the probes, which lie by query. @return how many there are */
static size_t gather_probes(const struct ivf_search *ivf_search)
{
	size_t count = 0;
	for (size_t q = 0; q < ivf_search->search->count; q++) {
		size_t of_query = ivf_search->probed_count[q];
		memmove(ivf_search->probed + count, ivf_search->probed + q * ivf_search->most,
			of_query * sizeof(*ivf_search->probed));
		count += of_query;
	}
	return count;
}

/* A counting sort of many probes by list. */
static int sort_many(struct ivf_search *ivf_search, size_t count)
{
	size_t lists = ivf_search->ivf->list_count;
	size_t *places = cn_alloc_zero(lists + 1, sizeof(*places));
	struct probe *sorted = cn_alloc(count, sizeof(*sorted));
	for (size_t i = 0; places && sorted && i < count; i++)
		places[ivf_search->probed[i].list + 1]++;
	for (size_t l = 0; places && sorted && l < lists; l++)
		places[l + 1] += places[l];
	for (size_t i = 0; places && sorted && i < count; i++)
		sorted[places[ivf_search->probed[i].list]++] = ivf_search->probed[i];
	int status = places && sorted ? 0 : CAIRN_ENOMEM;
	cn_free(places);
	if (status < 0) {
		cn_free(sorted);
		return status;
	}
	cn_free(ivf_search->probed);
	ivf_search->probed = sorted;
	return 0;
}

/* From the lists of each query to the queries of each list. */
static int turn_round(struct ivf_search *ivf_search)
{
	size_t count = gather_probes(ivf_search);
	if (count * FEW_PROBES < ivf_search->ivf->list_count)
		qsort(ivf_search->probed, count, sizeof(*ivf_search->probed), by_list);
	else
		CN_TRY(sort_many(ivf_search, count));
	for (size_t i = 0; i < count; i++) {
		const struct probe *probe = &ivf_search->probed[i];
		size_t last = ivf_search->visited_count;
		ivf_search->which[i] = probe->query;
		ivf_search->bases[i] = probe->base;
		if (last && ivf_search->visited[last - 1] == probe->list)
			continue;
		ivf_search->visited[last] = probe->list;
		ivf_search->starts[last] = i;
		ivf_search->visited_count++;
	}
	ivf_search->starts[ivf_search->visited_count] = count;
	return 0;
}

/* ---- scanning them ---- */

/* For some of the queries that probe it: first, first + 1 ... of `which`. */
static int scan_list_for(const struct ivf_search *ivf_search, size_t list, size_t first, size_t queries,
			 cn_search_worker *worker)
{
	const cn_search *search = ivf_search->search;
	const cairn_index *index = search->index;
	CN_TRY(cn_query_panels_pack(&worker->panels, &search->queries, ivf_search->which + first, queries));
	for (size_t p = 0; p < index->parts.count; p++) {
		const cairn_ivf_lists *lists = index->lists[index->parts.items[p].given];
		size_t begin = lists->starts[list];
		const cn_rows rows = { .stored = CN_ROWS_I8,
				       .rows = lists->codes + begin * lists->dim,
				       .scales = lists->scales + begin,
				       .numbers = lists->numbers + begin,
				       .count = lists->starts[list + 1] - begin,
				       .first = (uint32_t)index->parts.items[p].first,
				       .live = search->live,
				       .live_from = index->parts.items[p].first };
		CN_TRY(cn_scan_rows(&worker->panels, &rows, ivf_search->bases + first, worker->shortlists,
				    &worker->scratch));
	}
	return 0;
}

/* The first codes of a list, while another is scanned; what follows is fetched as it is scanned. */
static void fetch_list(const struct ivf_search *ivf_search, size_t list)
{
	const cairn_index *index = ivf_search->search->index;
	for (size_t p = 0; p < index->parts.count; p++) {
		const cairn_ivf_lists *lists = index->lists[index->parts.items[p].given];
		const int8_t *codes = lists->codes + lists->starts[list] * lists->dim;
		size_t bytes = (lists->starts[list + 1] - lists->starts[list]) * lists->dim;
		for (size_t at = 0; at < bytes && at < CN_PANEL_AHEAD; at += LINE)
			__builtin_prefetch(codes + at, 0, 2);
	}
}

/* @param v which of the visited lists */
static int scan_list(const struct ivf_search *ivf_search, size_t v, cn_search_worker *worker)
{
	size_t list = ivf_search->visited[v], first = ivf_search->starts[v], end = ivf_search->starts[v + 1];
	size_t best = cn_query_panels_best(CN_NUMBER_I8, ivf_search->ivf->dim);
	for (; first < end; first += best)
		CN_TRY(scan_list_for(ivf_search, list, first, end - first < best ? end - first : best, worker));
	return 0;
}

/* cn_loop_body over the lists that are visited. */
static int scan_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct ivf_search *ivf_search = context;
	for (size_t i = begin; i < end; i++) {
		if (i + 1 < ivf_search->visited_count)
			fetch_list(ivf_search, ivf_search->visited[i + 1]);
		CN_TRY(scan_list(ivf_search, i, &ivf_search->search->workers[worker]));
	}
	return 0;
}

/* ---- both ---- */

static int allocate(struct ivf_search *ivf_search)
{
	size_t count = ivf_search->search->count, lists = ivf_search->ivf->list_count, probed;
	/* By their codes, centroids that are about equal may change places. */
	size_t keep = ivf_search->most + ivf_search->most / 8 + 4;
	CN_TRY(cn_size_mul(count, ivf_search->most, &probed));
	CN_NEW(ivf_search->order, count, sizeof(*ivf_search->order));
	CN_NEW(ivf_search->centroids, count, sizeof(*ivf_search->centroids));
	CN_NEW(ivf_search->probed, probed, sizeof(*ivf_search->probed));
	CN_NEW(ivf_search->probed_count, count, sizeof(*ivf_search->probed_count));
	CN_NEW(ivf_search->starts, (probed < lists ? probed : lists) + 1, sizeof(*ivf_search->starts));
	CN_NEW(ivf_search->which, probed, sizeof(*ivf_search->which));
	CN_NEW(ivf_search->bases, probed, sizeof(*ivf_search->bases));
	CN_NEW(ivf_search->visited, probed < lists ? probed : lists, sizeof(*ivf_search->visited));
	for (size_t i = 0; i < count; i++) {
		ivf_search->order[i] = (uint32_t)i;
		CN_TRY(cn_shortlist_init(&ivf_search->centroids[i], keep < lists ? keep : lists));
	}
	return 0;
}

static void release(struct ivf_search *ivf_search)
{
	for (size_t i = 0; ivf_search->centroids && i < ivf_search->search->count; i++)
		cn_shortlist_free(&ivf_search->centroids[i]);
	cn_free(ivf_search->order);
	cn_free(ivf_search->centroids);
	cn_free(ivf_search->probed);
	cn_free(ivf_search->probed_count);
	cn_free(ivf_search->starts);
	cn_free(ivf_search->which);
	cn_free(ivf_search->bases);
	cn_free(ivf_search->visited);
}

static size_t task_size(const cn_search *search)
{
	size_t share = search->count / (4 * (size_t)search->worker_count);
	return share < LEAST_TASK ? LEAST_TASK : share > MOST_TASK ? MOST_TASK : share;
}

int cn_ivf_scan(cn_search *search)
{
	struct ivf_search ivf_search = { .search = search, .ivf = search->index->ivf, .most = search->most_probes };
	int status = allocate(&ivf_search);
	if (status == 0)
		status = cn_parallel_for(search->pool, search->count, task_size(search), choose_range, &ivf_search);
	if (status == 0)
		status = turn_round(&ivf_search);
	if (status == 0)
		status = cn_parallel_for(search->pool, ivf_search.visited_count, 1, scan_range, &ivf_search);
	release(&ivf_search);
	return status;
}

/* ---- how many lists ---- */

/* Lists without enough rows cannot hold the k best. */
static size_t probes_for(const cairn_index *index, size_t k, double recall)
{
	const cairn_ivf *ivf = index->ivf;
	double least = ceil(ROWS_A_HIT * (double)k * (double)ivf->list_count / (double)index->parts.rows);
	if (least >= (double)ivf->list_count)
		return ivf->list_count;
	size_t probes = cairn_ivf_probes(ivf, k, recall);
	return probes > (size_t)least ? probes : (size_t)least;
}

/* The k best of a part of the rows, spread evenly, are as deep in the order of all as the k / part best. Lists of which
 * a part is left are counted as that part of a list. */
static size_t probes_for_part(const cairn_index *index, size_t k, double recall, double part)
{
	double depth = (double)k / part;
	size_t all = probes_for(index, k, recall);
	size_t deep = probes_for(index, depth < (double)index->parts.rows ? (size_t)depth : index->parts.rows, recall);
	size_t some = (size_t)ceil((double)deep * part);
	return all > some ? all : some;
}

/* Where the rows that count are no more than would be scanned, they are scanned themselves. */
size_t cn_search_probes(const cairn_index *index, size_t k, const cairn_index_options *options, size_t live_rows)
{
	const cairn_ivf *ivf = index->ivf;
	if (!ivf || options->exact || live_rows == 0)
		return 0;
	double left = (double)live_rows / (double)index->parts.rows;
	size_t probes = options->probes;
	if (!probes)
		probes = probes_for_part(index, k, options->recall > 0 ? options->recall : 0.95, left);
	probes = probes < ivf->list_count ? probes : ivf->list_count;
	return left < 1 && left <= (double)probes / (double)ivf->list_count ? 0 : probes;
}

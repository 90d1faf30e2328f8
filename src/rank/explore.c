/*
 * Explore-exploit traversal. Candidates are in a heap, an image once for each edge that led to it: the first time it
 * comes out is with its largest weight, and what comes out later is known by the set of images that were taken.
 */
#include "rank/explore.h"

#include <math.h>
#include <string.h>

#include "util/ids.h"
#include "util/memory.h"

/* Ids by open addressing; free places hold CAIRN_NO_IMAGE. */
typedef struct {
	int64_t *places;
	size_t mask; /* places - 1, a power of two less one; at least twice as many as there will be ids */
} id_set;

/* The best candidate is at the root. */
typedef struct {
	cn_scored *items;
	size_t count, capacity;
} candidates;

struct walk {
	id_set taken;
	candidates heap;
	cn_scored *path; /* depth: the images taken */
	size_t count;
};

struct work {
	const cairn_neighbours *lists;
	const cn_explore_options *options;
	size_t k;           /* of a line, that are looked at */
	struct walk *walks; /* a worker each */
};

/* ---- the images taken ---- */

static int id_set_init(id_set *set, size_t count)
{
	size_t places = 4;
	while (places < 2 * count)
		places *= 2;
	set->places = cn_alloc(places, sizeof(*set->places));
	set->mask = places - 1;
	return set->places ? 0 : CAIRN_ENOMEM;
}

static void id_set_clear(id_set *set)
{
	memset(set->places, 0xff, (set->mask + 1) * sizeof(*set->places));
}

/* Where the id is, or where it would be. */
static int64_t *id_set_place(const id_set *set, int64_t id)
{
	size_t at = ((uint64_t)id * 0x9e3779b97f4a7c15u >> 20) & set->mask;
	while (set->places[at] != id && set->places[at] != CAIRN_NO_IMAGE)
		at = (at + 1) & set->mask;
	return &set->places[at];
}

static int is_taken(const struct walk *walk, int64_t image)
{
	return *id_set_place(&walk->taken, image) == image;
}

/* ---- candidates ---- */

static int is_better(cn_scored a, cn_scored b)
{
	return cn_scored_compare(&a, &b) < 0;
}

static int grow(candidates *heap)
{
	size_t capacity = heap->capacity ? 2 * heap->capacity : 256;
	cn_scored *items = cn_realloc(heap->items, capacity, sizeof(*items));
	if (!items)
		return CAIRN_ENOMEM;
	heap->items = items;
	heap->capacity = capacity;
	return 0;
}

static int push(candidates *heap, cn_scored item)
{
	if (heap->count == heap->capacity)
		CN_TRY(grow(heap));
	size_t at = heap->count++;
	for (; at > 0 && is_better(item, heap->items[(at - 1) / 2]); at = (at - 1) / 2)
		heap->items[at] = heap->items[(at - 1) / 2];
	heap->items[at] = item;
	return 0;
}

static void drop_best(candidates *heap)
{
	cn_scored item = heap->items[--heap->count];
	size_t at = 0;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && is_better(heap->items[child + 1], heap->items[child]))
			child++;
		if (!is_better(heap->items[child], item))
			break;
		heap->items[at] = heap->items[child];
		at = child;
	}
	if (heap->count)
		heap->items[at] = item;
}

/* @return 0 where none is left */
static int best_candidate(struct walk *walk, cn_scored *best)
{
	while (walk->heap.count && is_taken(walk, walk->heap.items[0].id))
		drop_best(&walk->heap);
	if (walk->heap.count)
		*best = walk->heap.items[0];
	return walk->heap.count > 0;
}

/* ---- the walk ---- */

static int hear_of(struct walk *walk, int64_t image, float score)
{
	if (image < 0 || isnan(score) || is_taken(walk, image))
		return 0;
	return push(&walk->heap, (cn_scored){ score, image });
}

static int find_line(const cairn_neighbours *lists, int64_t image, size_t *line)
{
	*line = lists->images ? cn_ids_find(lists->images, lists->count, image) : (size_t)image;
	if (*line < lists->count && (!lists->images || lists->images[*line] == image))
		return 0;
	return cn_fail(CAIRN_ENOTFOUND,
		       "image %lld has no line among the %zu of the kNN graph; make the graph of the same images",
		       (long long)image, lists->count);
}

static int explore(const struct work *work, struct walk *walk, int64_t image)
{
	size_t line;
	CN_TRY(find_line(work->lists, image, &line));
	const int64_t *neighbours = work->lists->ids + line * work->lists->k;
	const float *scores = work->lists->scores + line * work->lists->k;
	for (size_t i = 0; i < work->k; i++)
		CN_TRY(hear_of(walk, neighbours[i], scores[i]));
	return 0;
}

/* Take the best candidate, and all others above the threshold. */
static void exploit(const struct work *work, struct walk *walk)
{
	size_t before = walk->count;
	cn_scored best;
	while (walk->count < work->options->depth && best_candidate(walk, &best) &&
	       (walk->count == before || best.score > work->options->threshold)) {
		*id_set_place(&walk->taken, best.id) = best.id;
		walk->path[walk->count++] = best;
	}
}

static int take_walk(const struct work *work, struct walk *walk, const cn_rank_list *list, size_t query)
{
	const int64_t *own = work->options->own;
	walk->count = walk->heap.count = 0;
	id_set_clear(&walk->taken);
	if (own && own[query] >= 0)
		*id_set_place(&walk->taken, own[query]) = own[query];
	for (size_t i = 0; i < list->count && i < work->options->k; i++)
		CN_TRY(hear_of(walk, list->items[i].id, list->items[i].score));
	for (size_t explored = 0;;) {
		exploit(work, walk);
		if (explored == walk->count || walk->count == work->options->depth)
			return 0;
		while (explored < walk->count)
			CN_TRY(explore(work, walk, walk->path[explored++].id));
	}
}

/* cn_rank_body. */
static int rerank(void *context, cn_rank_list *list, size_t query, unsigned worker)
{
	const struct work *work = context;
	struct walk *walk = &work->walks[worker];
	size_t count = 0;
	float least = INFINITY;
	CN_TRY(take_walk(work, walk, list, query));
	for (; count < walk->count; count++) {
		least = walk->path[count].score < least ? walk->path[count].score : least;
		list->spare[count] = (cn_scored){ least, walk->path[count].id };
	}
	for (size_t i = 0; i < list->count; i++)
		if (!is_taken(walk, list->items[i].id))
			list->spare[count++] = list->items[i];
	cn_rank_list_take(list, count);
	cn_scores_follow(list->items, count, walk->count);
	return 0;
}

static int check(const cairn_neighbours *lists, const cn_explore_options *options)
{
	if (options->k < 1 || options->depth < 1 || options->depth > INT32_MAX || isnan(options->threshold))
		return cn_fail(CAIRN_EINVALID,
			       "walking the graph with k %zu, depth %zu and threshold %g; k and depth are at least 1, "
			       "depth is at most %d",
			       options->k, options->depth, (double)options->threshold, INT32_MAX);
	return lists->images ? cn_ids_ascend(lists->images, lists->count, "graph") : 0;
}

static int init_walk(struct walk *walk, size_t depth)
{
	walk->path = cn_alloc(depth, sizeof(*walk->path));
	/* The query's own image is among those that are not taken again. */
	return walk->path ? id_set_init(&walk->taken, depth + 1) : CAIRN_ENOMEM;
}

static void free_walk(struct walk *walk)
{
	cn_free(walk->taken.places);
	cn_free(walk->heap.items);
	cn_free(walk->path);
}

int cn_rank_explore(cairn_ranking **out, const cn_rank_run *run, const cairn_ranking *ranking,
		    const cairn_neighbours *lists, const cn_explore_options *options)
{
	struct work work = { .lists = lists, .options = options };
	unsigned threads = cn_rank_threads(run);
	size_t depth = cairn_ranking_depth(ranking);
	int status;
	*out = NULL;
	CN_TRY(check(lists, options));
	work.k = options->k < lists->k ? options->k : lists->k;
	CN_NEW(work.walks, threads, sizeof(*work.walks));
	for (unsigned i = 0; i < threads; i++)
		CN_GOTO(status, init_walk(&work.walks[i], options->depth));
	status = cn_rank_lists(out, &(cn_rank_job){ .run = run,
						    .ranking = ranking,
						    .take = depth,
						    .depth = depth > options->depth ? depth : options->depth,
						    .stage = "walking the graph",
						    .body = rerank,
						    .context = &work });
done:
	for (unsigned i = 0; i < threads; i++)
		free_walk(&work.walks[i]);
	cn_free(work.walks);
	return status;
}

/*
 * The kNN graph.
 *
 *            block 0   block 1   block 2
 *          +---------+---------+---------+
 *   block 0| step 0 -|- - - -> |         |     a step multiplies a band of one block's images with another block; each
 *          | step 1 -|- - - -> |         |     pair of images is met once, and serves the lists of both
 *          +---------+---------+---------+
 *   block 1            ...
 *
 * The lists of two blocks are in memory at a time. A block's state is its lists and a mark: of the steps below it, all
 * that concern the block are in the lists. So states may be written at any time, each by itself; after a kill, a step
 * that one of its two blocks has is done for the other alone. What a list keeps does not depend on the order in which
 * pairs come, and so nothing depends on threads, blocks and interruptions.
 *
 * A block that has met all others is ranked: its lists are scored anew and become final.
 */
#include "cairn/graph.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "index/graph_folder.h"
#include "index/graph_plan.h"
#include "index/index.h"
#include "util/memory.h"
#include "util/npy.h"
#include "util/progress.h"

#define MEMORY     ((uint64_t)2 << 30)
#define CHECKPOINT 60.0 /* seconds */
#define SHARE      20.0 /* states are written in at most one part in so many of the time */
#define BATCH      1024 /* images ranked at once */
#define RANK_COST  32.0 /* what scoring an image anew takes, in pairs of a scan */

/* Memory of one thread. */
struct worker {
	cn_shortlist *lists; /* a query of a band each */
	cn_hit *items;
	cn_scan_scratch scratch;
	float *vectors;  /* of one image */
	cn_found *found; /* as many as a list keeps */
};

struct graph {
	cn_image_rows images, others;
	const cn_image_rows *among;
	cn_graph_plan plan;
	cn_graph_folder folder;
	cn_graph_key key;
	cn_graph_mark *marks; /* of all blocks, as they are in memory or else in files */
	cn_graph_state held[2];
	cn_workers *pool;
	struct worker *workers;
	double interval, written,
		next_write; /* seconds: wanted between states; when they were written; least until then */
	cn_progress progress;
	double done, total, resumed; /* pairs of images */
	uint64_t told;
	uint64_t neighbours;
	/* Of a step: */
	float *vectors; /* of the queries */
	uint32_t *names;
	size_t query_count;
	cn_queries queries;
	cn_query_panels panels;
	cn_span band;
	cn_graph_state *own, *partner;
	int wants_own, wants_partner; /* whose lists take part */
	size_t first_chunk;
	/* Of ranking: */
	size_t batch;
};

/* ---- states ---- */

static int write_state(struct graph *graph, cn_graph_state *state)
{
	if (state->block == SIZE_MAX || !state->is_changed)
		return 0;
	char *path = cn_graph_folder_state(&graph->folder, state->block);
	int status = path ? cn_graph_state_save(state, &graph->key, path) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

static int write_states(struct graph *graph)
{
	double begin = cn_seconds();
	CN_TRY(write_state(graph, &graph->held[0]));
	CN_TRY(write_state(graph, &graph->held[1]));
	graph->written = cn_seconds();
	double least = SHARE * (graph->written - begin);
	graph->next_write = graph->interval > least ? graph->interval : least;
	return 0;
}

static int load_state(struct graph *graph, cn_graph_state *state, size_t block)
{
	size_t count = cn_graph_plan_images(&graph->plan, block).count;
	if (!graph->marks[block].step) {
		cn_graph_state_start(state, &graph->key, block, count);
		return 0;
	}
	char *path = cn_graph_folder_state(&graph->folder, block);
	int status = path ? cn_graph_state_load(state, &graph->key, block, count, path) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

/* Have a block in memory. */
static int hold(struct graph *graph, size_t place, size_t block)
{
	cn_graph_state *state = &graph->held[place], *other = &graph->held[1 - place];
	if (other->block == block) {
		cn_graph_state swapped = *state;
		*state = *other;
		*other = swapped;
	}
	if (state->block == block)
		return 0;
	CN_TRY(write_state(graph, state));
	state->block = SIZE_MAX;
	return load_state(graph, state, block);
}

static void set_mark(struct graph *graph, cn_graph_state *state, cn_graph_mark mark)
{
	graph->marks[state->block] = state->mark = mark;
	state->is_changed = 1;
}

/* After each piece of work. */
static int advance(struct graph *graph, double pairs)
{
	graph->done += pairs;
	uint64_t images = (uint64_t)((double)graph->images.count * (graph->done / graph->total));
	uint64_t more = images > graph->told ? images - graph->told : 0;
	graph->told += more;
	if (cn_seconds() - graph->written >= graph->next_write)
		CN_TRY(write_states(graph));
	return cn_progress_add(&graph->progress, more, 0);
}

static void pass_over(struct graph *graph, double pairs)
{
	graph->resumed += pairs;
	graph->done += pairs;
}

/* ---- a step ---- */

static int make_queries(struct graph *graph)
{
	size_t dim = graph->images.parts->dim, count = 0;
	for (size_t i = 0; i < graph->band.count; i++) {
		size_t image = graph->band.first + i, rows = cn_image_rows_of(&graph->images, image);
		cn_image_rows_read(&graph->images, image, graph->vectors + count * dim);
		for (size_t r = 0; r < rows; r++)
			graph->names[count++] = (uint32_t)image;
	}
	graph->query_count = count;
	CN_TRY(cn_queries_init(&graph->queries, graph->plan.demand.exact ? CN_NUMBER_F32 : CN_NUMBER_I8, graph->vectors,
			       count, dim));
	return cn_query_panels_pack(&graph->panels, &graph->queries, NULL, count);
}

/* What a query's own list has reached; scores below it are of no use to threads. */
static float reached(struct graph *graph, size_t query)
{
	size_t first = graph->own->block * graph->plan.block_images;
	cn_shortlist *list = &graph->own->lists[graph->names[query] - first];
	cn_shortlist_cut(list);
	return list->threshold;
}

static void empty_lists(struct graph *graph)
{
	size_t capacity = graph->own->capacity;
	for (size_t q = 0; q < graph->query_count; q++) {
		float threshold = reached(graph, q);
		for (unsigned w = 0; w < cn_workers_threads(graph->pool); w++) {
			cn_shortlist *list = &graph->workers[w].lists[q];
			cn_shortlist_place(list, graph->key.keep, graph->workers[w].items + q * capacity, capacity);
			list->distinct = graph->own->distinct;
			list->threshold = threshold;
		}
	}
}

static int scan_chunk(struct graph *graph, struct worker *worker, cn_span chunk)
{
	const cn_image_rows *among = graph->among;
	const cn_row_part *part = cn_row_parts_find(among->parts, among->first[chunk.first]);
	size_t last = chunk.first + chunk.count - 1, first = among->first[chunk.first], begin = first - part->first;
	cn_rows rows = { .count = among->first[last] + cn_image_rows_of(among, last) - first,
			 .first = (uint32_t)first,
			 .names = among->image + first,
			 .live = among->live,
			 .live_from = first };
	if (graph->plan.demand.exact) {
		rows.stored = CN_ROWS_F16;
		rows.rows = part->data.rows + begin * among->parts->dim;
	} else {
		rows.stored = CN_ROWS_I8;
		rows.rows = part->data.codes + begin * among->parts->dim;
		rows.scales = part->data.scales + begin;
	}
	if (!graph->wants_partner)
		return cn_scan_rows(&graph->panels, &rows, NULL, worker->lists, &worker->scratch);
	const cn_row_lists row_lists = { graph->names, graph->partner->lists,
					 (uint32_t)(graph->partner->block * graph->plan.block_images) };
	return cn_scan_both(&graph->panels, &rows, graph->wants_own ? worker->lists : NULL, &row_lists,
			    &worker->scratch);
}

/* cn_loop_body over chunks from first_chunk on. */
static int scan_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct graph *graph = context;
	for (size_t i = begin; i < end; i++)
		CN_TRY(scan_chunk(graph, &graph->workers[worker], graph->plan.chunks.items[graph->first_chunk + i]));
	return 0;
}

/* What the threads found for one query, to the list of its image. */
static void join_query(struct graph *graph, size_t query, cn_shortlist *list)
{
	for (unsigned w = 0; w < cn_workers_threads(graph->pool); w++) {
		const cn_shortlist *found = &graph->workers[w].lists[query];
		for (size_t i = 0; i < found->count; i++)
			cn_shortlist_push(list, found->items[i].score, found->items[i].row);
	}
}

static size_t first_query(const struct graph *graph, size_t image)
{
	size_t low = 0, high = graph->query_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (graph->names[middle] < image)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* cn_loop_body over the band's images. */
static int join_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct graph *graph = context;
	size_t block_first = graph->own->block * graph->plan.block_images;
	(void)worker;
	for (size_t image = graph->band.first + begin; image < graph->band.first + end; image++)
		for (size_t q = first_query(graph, image); q < graph->query_count && graph->names[q] == image; q++)
			join_query(graph, q, &graph->own->lists[image - block_first]);
	return 0;
}

static int run_step(struct graph *graph, size_t chunks)
{
	int status = make_queries(graph);
	if (status == 0) {
		if (graph->wants_own)
			empty_lists(graph);
		status = cn_parallel_for(graph->pool, chunks, 1, scan_range, graph);
	}
	if (status == 0 && graph->wants_own)
		status = cn_parallel_for(graph->pool, graph->band.count, 16, join_range, graph);
	cn_queries_free(&graph->queries);
	return status;
}

/* ---- tiles ---- */

/* Images of the partner that a band is multiplied with, times its own. */
static double pairs_of(const struct graph *graph, size_t partner, size_t first_chunk, cn_span band)
{
	size_t end = graph->plan.chunks.from[partner + 1];
	const cn_span *chunks = graph->plan.chunks.items;
	if (first_chunk == end)
		return 0;
	size_t images = chunks[end - 1].first + chunks[end - 1].count - chunks[first_chunk].first;
	return (double)images * (double)band.count;
}

/* Lists that a step has changed are of no use if it failed in its midst. */
static int finish_step(struct graph *graph, uint64_t step, int status, double pairs)
{
	if (status < 0) {
		graph->own->block = graph->partner->block = SIZE_MAX;
		return status;
	}
	if (graph->wants_own)
		set_mark(graph, graph->own, (cn_graph_mark){ step + 1, 0 });
	if (graph->wants_partner && graph->partner != graph->own)
		set_mark(graph, graph->partner, (cn_graph_mark){ step + 1, 0 });
	return advance(graph, pairs);
}

/* Step `step`: a band of one block, and another block. */
static int take_step(struct graph *graph, size_t block, size_t partner, uint64_t step, cn_span band)
{
	int self = graph->plan.demand.self;
	graph->first_chunk = cn_graph_plan_first_chunk(&graph->plan, block, partner, band);
	graph->band = band;
	graph->wants_own = graph->marks[block].step <= step;
	graph->wants_partner = self && graph->marks[partner].step <= step;
	double pairs = pairs_of(graph, partner, graph->first_chunk, band);
	if (!graph->wants_own && !graph->wants_partner) {
		pass_over(graph, pairs);
		return 0;
	}
	CN_TRY(hold(graph, 0, block));
	if (self && block != partner)
		CN_TRY(hold(graph, 1, partner));
	graph->own = &graph->held[0];
	graph->partner = &graph->held[self && block != partner];
	int status = run_step(graph, graph->plan.chunks.from[partner + 1] - graph->first_chunk);
	return finish_step(graph, step, status, pairs);
}

static int take_tile(struct graph *graph, size_t block, size_t partner)
{
	const cn_spans *bands = &graph->plan.bands;
	uint64_t step = cn_graph_plan_step(&graph->plan, block, partner);
	for (size_t b = bands->from[block]; b < bands->from[block + 1]; b++)
		CN_TRY(take_step(graph, block, partner, step++, bands->items[b]));
	return 0;
}

/* ---- ranking ---- */

static void rank_image(struct graph *graph, struct worker *worker, size_t image, cn_shortlist *list)
{
	const cn_image_rows *among = graph->among;
	size_t k = graph->plan.demand.k;
	cn_shortlist_cut(list);
	for (size_t i = 0; i < list->count; i++)
		list->items[i].row = among->first[list->items[i].row];
	cn_image_rows_read(&graph->images, image, worker->vectors);
	size_t count =
		cn_rescore(among->parts, worker->vectors, cn_image_rows_of(&graph->images, image), list, worker->found);
	list->count = count < k ? count : k;
	for (size_t i = 0; i < list->count; i++)
		list->items[i] = (cn_hit){ worker->found[i].score, among->image[worker->found[i].row] };
}

/* cn_loop_body over the batch. */
static int rank_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct graph *graph = context;
	size_t first = graph->own->block * graph->plan.block_images;
	for (size_t i = graph->batch + begin; i < graph->batch + end; i++)
		rank_image(graph, &graph->workers[worker], first + i, &graph->own->lists[i]);
	return 0;
}

static double rank_cost(const struct graph *graph)
{
	return RANK_COST * graph->key.keep;
}

static int rank_block(struct graph *graph, size_t block)
{
	size_t count = cn_graph_plan_images(&graph->plan, block).count;
	pass_over(graph, (double)graph->marks[block].ranked * rank_cost(graph));
	if (graph->marks[block].ranked == count)
		return 0;
	CN_TRY(hold(graph, 0, block));
	graph->own = &graph->held[0];
	while (graph->own->mark.ranked < count) {
		graph->batch = graph->own->mark.ranked;
		size_t many = count - graph->batch < BATCH ? count - graph->batch : BATCH;
		CN_TRY(cn_parallel_for(graph->pool, many, 8, rank_range, graph));
		set_mark(graph, graph->own, (cn_graph_mark){ graph->own->mark.step, graph->batch + many });
		CN_TRY(advance(graph, (double)many * rank_cost(graph)));
	}
	return 0;
}

/* ---- what is written ---- */

typedef int (*write_line)(struct graph *graph, cn_atomic_file *file, const cn_shortlist *list, void *line);

static int write_ids(struct graph *graph, cn_atomic_file *file, const cn_shortlist *list, void *line)
{
	int64_t *ids = line;
	size_t k = graph->plan.demand.k;
	for (size_t i = 0; i < k; i++)
		ids[i] = i < list->count ? graph->among->ids[list->items[i].row] : -1;
	graph->neighbours += list->count;
	return cn_atomic_write(file, ids, k * sizeof(*ids));
}

static int write_scores(struct graph *graph, cn_atomic_file *file, const cn_shortlist *list, void *line)
{
	float *scores = line;
	size_t k = graph->plan.demand.k;
	for (size_t i = 0; i < k; i++)
		scores[i] = i < list->count ? list->items[i].score : -INFINITY;
	return cn_atomic_write(file, scores, k * sizeof(*scores));
}

static int write_lines(struct graph *graph, cn_atomic_file *file, cn_npy_type type, write_line write, void *line)
{
	size_t shape[] = { graph->images.count, graph->plan.demand.k };
	CN_TRY(cn_npy_write_header(file, type, 2, shape));
	for (size_t block = 0; block < graph->plan.blocks; block++) {
		CN_TRY(hold(graph, 0, block));
		for (size_t i = 0; i < graph->held[0].count; i++)
			CN_TRY(write(graph, file, &graph->held[0].lists[i], line));
	}
	return 0;
}

static int write_array(struct graph *graph, const char *kind, cn_npy_type type, write_line write)
{
	cn_atomic_file file = { NULL, NULL, NULL };
	char *path = cn_graph_folder_draft(&graph->folder, kind);
	void *line = cn_alloc(graph->plan.demand.k, cn_npy_type_size(type));
	int status = path && line ? cn_atomic_open(&file, path) : CAIRN_ENOMEM;
	if (status == 0)
		status = write_lines(graph, &file, type, write, line);
	if (status == 0)
		status = cn_atomic_commit(&file);
	cn_atomic_abort(&file);
	cn_free(line);
	cn_free(path);
	return status < 0 ? status : cn_graph_folder_publish(&graph->folder, kind);
}

static int write_images(struct graph *graph)
{
	char *path = cn_graph_folder_draft(&graph->folder, "images");
	int status = path ? cn_npy_write(path, CN_NPY_I64, 1, &graph->images.count, graph->images.ids) : CAIRN_ENOMEM;
	cn_free(path);
	return status < 0 ? status : cn_graph_folder_publish(&graph->folder, "images");
}

static int write_graph(struct graph *graph)
{
	CN_TRY(write_images(graph));
	CN_TRY(write_array(graph, "ids", CN_NPY_I64, write_ids));
	CN_TRY(write_array(graph, "scores", CN_NPY_F32, write_scores));
	return cn_graph_folder_clear(&graph->folder);
}

/* ---- beginning ---- */

static void hash_images(XXH3_state_t *state, const cn_image_rows *images, int exact)
{
	size_t dim = images->parts->dim;
	uint64_t sizes[] = { dim, images->count };
	XXH3_128bits_update(state, sizes, sizeof(sizes));
	if (images->count)
		XXH3_128bits_update(state, images->ids, images->count * sizeof(*images->ids));
	for (size_t p = 0; p < images->parts->count; p++) {
		const cairn_index_part *part = &images->parts->items[p].data;
		if (part->count && exact)
			XXH3_128bits_update(state, part->rows, part->count * dim * sizeof(*part->rows));
		if (part->count && !exact) {
			XXH3_128bits_update(state, part->codes, part->count * dim);
			XXH3_128bits_update(state, part->scales, part->count * sizeof(*part->scales));
		}
		if (part->count)
			XXH3_128bits_update(state, part->images, part->count * sizeof(*part->images));
	}
}

/* All that lists and the numbers of steps depend on; the latter differ between kernel levels. */
static int make_key(struct graph *graph)
{
	const cn_graph_demand *demand = &graph->plan.demand;
	uint64_t what[] = { demand->k, demand->keep, (uint64_t)demand->exact, (uint64_t)demand->self,
			    cn_graph_plan_most_queries(&graph->images, demand->exact) };
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t canonical;
	if (!state)
		return cn_fail(CAIRN_ENOMEM, "out of memory");
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, what, sizeof(what));
	hash_images(state, &graph->images, demand->exact);
	if (!demand->self)
		hash_images(state, graph->among, demand->exact);
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	memcpy(graph->key.fingerprint, canonical.digest, sizeof(graph->key.fingerprint));
	graph->key.keep = (uint32_t)demand->keep;
	graph->key.among = graph->among->count;
	return 0;
}

/* Memory for the work. */
static int make_room(struct graph *graph)
{
	const cn_graph_plan *plan = &graph->plan;
	size_t dim = graph->images.parts->dim, most = graph->images.parts->rows_an_image, queries, items, numbers;
	int distinct = most > 1 || graph->among->parts->rows_an_image > 1;
	CN_TRY(cn_size_mul(plan->block_images, most, &queries));
	queries = queries < plan->most_queries ? queries : plan->most_queries;
	for (size_t i = 0; i < 2 && i < plan->blocks; i++)
		if (i == 0 || plan->demand.self)
			CN_TRY(cn_graph_state_init(&graph->held[i], plan->block_images, graph->key.keep, distinct));
	CN_TRY(cn_shortlist_capacity(graph->key.keep, &items));
	CN_TRY(cn_size_mul(items, queries, &items));
	CN_TRY(cn_size_mul(queries, dim, &numbers));
	CN_NEW(graph->names, queries, sizeof(*graph->names));
	CN_NEW(graph->vectors, numbers, sizeof(*graph->vectors));
	CN_NEW(graph->workers, plan->demand.threads, sizeof(*graph->workers));
	for (unsigned w = 0; w < plan->demand.threads; w++) {
		struct worker *worker = &graph->workers[w];
		worker->lists = cn_alloc(queries, sizeof(*worker->lists));
		worker->items = cn_alloc(items, sizeof(*worker->items));
		worker->found = cn_alloc(graph->key.keep, sizeof(*worker->found));
		worker->vectors = cn_alloc(most, dim * sizeof(*worker->vectors));
		if (!worker->lists || !worker->items || !worker->found || !worker->vectors)
			return CAIRN_ENOMEM;
	}
	return 0;
}

static void free_graph(struct graph *graph)
{
	for (unsigned w = 0; graph->workers && w < graph->plan.demand.threads; w++) {
		cn_free(graph->workers[w].lists);
		cn_free(graph->workers[w].items);
		cn_free(graph->workers[w].found);
		cn_free(graph->workers[w].vectors);
		cn_scan_scratch_free(&graph->workers[w].scratch);
	}
	cn_free(graph->workers);
	cn_free(graph->names);
	cn_free(graph->vectors);
	cn_free(graph->marks);
	cn_query_panels_free(&graph->panels);
	cn_graph_state_free(&graph->held[0]);
	cn_graph_state_free(&graph->held[1]);
	cn_graph_plan_free(&graph->plan);
	cn_graph_folder_close(&graph->folder);
	cn_image_rows_free(&graph->images);
	cn_image_rows_free(&graph->others);
	cn_workers_free(graph->pool);
}

static double pairs_in_all(const struct graph *graph)
{
	double pairs = (double)graph->images.count * rank_cost(graph);
	for (size_t block = 0; block < graph->plan.blocks; block++) {
		cn_span partners = cn_graph_plan_partners(&graph->plan, block);
		for (size_t p = partners.first; p < partners.first + partners.count; p++)
			for (size_t b = graph->plan.bands.from[block]; b < graph->plan.bands.from[block + 1]; b++) {
				cn_span band = graph->plan.bands.items[b];
				size_t chunk = cn_graph_plan_first_chunk(&graph->plan, block, p, band);
				pairs += pairs_of(graph, p, chunk, band);
			}
	}
	return pairs;
}

/* ---- the whole ---- */

static int take_blocks(struct graph *graph)
{
	for (size_t block = 0; block < graph->plan.blocks; block++) {
		cn_span partners = cn_graph_plan_partners(&graph->plan, block);
		for (size_t p = partners.first; p < partners.first + partners.count; p++)
			CN_TRY(take_tile(graph, block, p));
		CN_TRY(rank_block(graph, block));
	}
	return 0;
}

static int make_graph(struct graph *graph, const cairn_graph_options *options)
{
	graph->total = pairs_in_all(graph);
	graph->interval = options->checkpoint > 0 ? options->checkpoint : CHECKPOINT;
	graph->next_write = graph->interval;
	graph->written = cn_seconds();
	cn_progress_start(&graph->progress, options->progress, options->progress_payload, "finding neighbours",
			  graph->images.count);
	int status = take_blocks(graph);
	if (status == CAIRN_ECANCELLED) {
		int written = write_states(graph);
		status = written < 0 ? written : cn_fail(CAIRN_ECANCELLED, "finding neighbours: cancelled");
	}
	if (status == 0)
		status = write_graph(graph);
	cn_progress_end(&graph->progress);
	return status;
}

static int plan_graph(struct graph *graph, const cairn_graph_options *options, size_t k)
{
	int self = graph->among == &graph->images;
	cn_graph_demand demand = {
		.k = k,
		.keep = cn_images_to_keep(k, options->depth, options->exact ? CN_SCANNED_HALVES : CN_SCANNED_CODES),
		.exact = options->exact || !graph->images.parts->has_codes || !graph->among->parts->has_codes,
		.self = self,
		.threads = cn_workers_threads(graph->pool),
		.memory = options->memory ? options->memory : MEMORY
	};
	size_t most = graph->among->count > 1 ? graph->among->count - (size_t)self : 1, block_images;
	demand.keep = demand.keep < most ? demand.keep : most;
	graph->plan.demand = demand;
	CN_TRY(cn_graph_plan_block(&graph->images, graph->among, &demand, &block_images));
	CN_TRY(make_key(graph));
	graph->key.block_images = block_images;
	CN_TRY(cn_graph_folder_adopt(&graph->folder, graph->images.count, &graph->key, &graph->marks));
	CN_TRY(cn_graph_plan_init(&graph->plan, &graph->images, graph->among, &demand, graph->key.block_images));
	return make_room(graph);
}

static int check_graph(const cairn_index *images, const cairn_index *among, size_t k,
		       const cairn_graph_options *options)
{
	if (options->version != CAIRN_GRAPH_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "graph options of version %u, this library knows version %d",
			       options->version, CAIRN_GRAPH_OPTIONS_VERSION);
	if (k < 1 || k > INT_MAX)
		return cn_fail(CAIRN_EINVALID, "the %zu nearest images; 1 to %d are possible", k, INT_MAX);
	if (among && cairn_index_dim(images) != cairn_index_dim(among))
		return cn_fail(CAIRN_EINVALID, "rows of %zu dimensions are looked for among rows of %zu",
			       cairn_index_dim(images), cairn_index_dim(among));
	return 0;
}

int cairn_graph_write(const cairn_index *images, const cairn_index *among, size_t k, const char *prefix,
		      const cairn_graph_options *options, cairn_graph_report *report)
{
	static const cairn_graph_options defaults = CAIRN_GRAPH_OPTIONS_INIT;
	struct graph graph = { .among = &graph.images, .held = { { .block = SIZE_MAX }, { .block = SIZE_MAX } } };
	int status;
	if (!options)
		options = &defaults;
	CN_TRY(check_graph(images, among, k, options));
	CN_GOTO(status, cn_image_rows_init(&graph.images, &images->parts, images->live));
	if (among) {
		CN_GOTO(status, cn_image_rows_init(&graph.others, &among->parts, among->live));
		graph.among = &graph.others;
	}
	CN_GOTO(status, cn_workers_new(&graph.pool, options->threads));
	CN_GOTO(status, cn_graph_folder_open(&graph.folder, prefix));
	CN_GOTO(status, plan_graph(&graph, options, k));
	CN_GOTO(status, make_graph(&graph, options));
	if (report)
		*report = (cairn_graph_report){ graph.images.count, graph.neighbours, graph.plan.blocks,
						graph.total > 0 ? graph.resumed / graph.total : 0 };
done:
	free_graph(&graph);
	return status;
}

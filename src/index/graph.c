/*
 * The kNN graph: what it is made of, and the course of the work; graph_work.h says which file does what.
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

#include <string.h>
#include <xxhash.h>

#include "index/graph_work.h"
#include "index/index.h"

#define MEMORY     ((uint64_t)2 << 30)
#define CHECKPOINT 60.0 /* seconds */

/* ---- what the work is of ---- */

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
static int make_key(cn_graph_work *work)
{
	const cn_graph_demand *demand = &work->plan.demand;
	uint64_t what[] = { demand->k, demand->keep, (uint64_t)demand->exact, (uint64_t)demand->self,
			    cn_graph_plan_most_queries(&work->images, demand->exact) };
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t canonical;
	if (!state)
		return cn_fail(CAIRN_ENOMEM, "out of memory");
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, what, sizeof(what));
	hash_images(state, &work->images, demand->exact);
	if (!demand->self)
		hash_images(state, work->among, demand->exact);
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	memcpy(work->key.fingerprint, canonical.digest, sizeof(work->key.fingerprint));
	work->key.keep = (uint32_t)demand->keep;
	work->key.among = work->among->count;
	return 0;
}

/* ---- the whole ---- */

static double pairs_in_all(const cn_graph_work *work)
{
	double pairs = (double)work->images.count * cn_graph_rank_cost(work);
	for (size_t block = 0; block < work->plan.blocks; block++) {
		cn_span partners = cn_graph_plan_partners(&work->plan, block);
		for (size_t p = partners.first; p < partners.first + partners.count; p++)
			pairs += cn_graph_tile_pairs(work, block, p);
	}
	return pairs;
}

static int take_blocks(cn_graph_work *work)
{
	for (size_t block = 0; block < work->plan.blocks; block++) {
		cn_span partners = cn_graph_plan_partners(&work->plan, block);
		for (size_t p = partners.first; p < partners.first + partners.count; p++)
			CN_TRY(cn_graph_take_tile(work, block, p));
		CN_TRY(cn_graph_rank_block(work, block));
	}
	return 0;
}

static int make_graph(cn_graph_work *work, const cairn_graph_options *options)
{
	work->total = pairs_in_all(work);
	work->interval = options->checkpoint > 0 ? options->checkpoint : CHECKPOINT;
	work->next_write = work->interval;
	work->written = cn_seconds();
	cn_progress_start(&work->progress, options->progress, options->progress_payload, "finding neighbours",
			  work->images.count);
	int status = take_blocks(work);
	if (status == CAIRN_ECANCELLED) {
		int written = cn_graph_work_save(work);
		status = written < 0 ? written : cn_fail(CAIRN_ECANCELLED, "finding neighbours: cancelled");
	}
	if (status == 0)
		status = cn_graph_output(work);
	cn_progress_end(&work->progress);
	return status;
}

static int plan_graph(cn_graph_work *work, const cairn_graph_options *options, size_t k)
{
	int self = work->among == &work->images;
	int exact = options->exact || !work->images.parts->has_codes || !work->among->parts->has_codes;
	cn_graph_demand demand = { .k = k,
				   .keep = cn_images_to_keep(k, options->depth,
							     exact ? CN_SCANNED_HALVES : CN_SCANNED_CODES),
				   .exact = exact,
				   .self = self,
				   .threads = cn_workers_threads(work->pool),
				   .memory = options->memory ? options->memory : MEMORY };
	size_t most = work->among->count > 1 ? work->among->count - (size_t)self : 1, block_images;
	demand.keep = demand.keep < most ? demand.keep : most;
	work->plan.demand = demand;
	CN_TRY(cn_graph_plan_block(&work->images, work->among, &demand, &block_images));
	CN_TRY(make_key(work));
	work->key.block_images = block_images;
	CN_TRY(cn_graph_folder_adopt(&work->folder, work->images.count, &work->key, &work->marks));
	CN_TRY(cn_graph_plan_init(&work->plan, &work->images, work->among, &demand, work->key.block_images));
	return cn_graph_work_room(work);
}

static int check_graph(const cairn_index *images, const cairn_index *among, size_t k,
		       const cairn_graph_options *options)
{
	if (options->version != CAIRN_GRAPH_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "graph options of version %u, this library knows version %d",
			       options->version, CAIRN_GRAPH_OPTIONS_VERSION);
	if (k < 1 || k > CAIRN_GRAPH_MAX_K)
		return cn_fail(CAIRN_EINVALID, "the %zu nearest images; 1 to %d are possible", k, CAIRN_GRAPH_MAX_K);
	if (among && cairn_index_dim(images) != cairn_index_dim(among))
		return cn_fail(CAIRN_EINVALID, "rows of %zu dimensions are looked for among rows of %zu",
			       cairn_index_dim(images), cairn_index_dim(among));
	return 0;
}

int cairn_graph_write(const cairn_index *images, const cairn_index *among, size_t k, const char *prefix,
		      const cairn_graph_options *options, cairn_graph_report *report)
{
	static const cairn_graph_options defaults = CAIRN_GRAPH_OPTIONS_INIT;
	cn_graph_work work = { .among = &work.images,
			       .folder = { .lock = -1 },
			       .held = { { .block = SIZE_MAX }, { .block = SIZE_MAX } } };
	int status;
	if (!options)
		options = &defaults;
	CN_TRY(check_graph(images, among, k, options));
	CN_GOTO(status, cn_image_rows_init(&work.images, &images->parts, images->live));
	if (among) {
		CN_GOTO(status, cn_image_rows_init(&work.others, &among->parts, among->live));
		work.among = &work.others;
	}
	CN_GOTO(status, cn_workers_new(&work.pool, options->threads));
	CN_GOTO(status, cn_graph_folder_open(&work.folder, prefix));
	CN_GOTO(status, plan_graph(&work, options, k));
	CN_GOTO(status, make_graph(&work, options));
	if (report)
		*report = (cairn_graph_report){ work.images.count, work.neighbours, work.plan.blocks,
						work.total > 0 ? work.resumed / work.total : 0 };
done:
	cn_graph_work_free(&work);
	return status;
}

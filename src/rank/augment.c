/*
 * Database-side augmentation, block by block: threads make the rows of a block, the caller's thread hands it on.
 */
#include "rank/augment.h"

#include <string.h>

#include "index/vectors.h"
#include "rank/combine.h"
#include "util/ids.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"

#define BLOCK_NUMBERS ((size_t)1 << 22) /* of a block's rows: 16 MB */
#define BLOCK_LINES   ((size_t)8192)
#define GRAIN         32 /* lines that a thread takes at once */

/* What goes through the loop over lines. */
typedef struct {
	const cn_vectors *vectors;
	const cairn_neighbours *neighbours;
	cn_weighting weighting;
	cn_workers *pool;
	cn_combination *workers; /* one a thread */
	unsigned worker_count;
	cn_progress progress;
	size_t block;    /* lines at once */
	size_t *lines;   /* of the block */
	int64_t *images; /* likewise */
	float *rows;
} augmentation;

/* ---- lines ---- */

/* The neighbours of a line, and what they count for. */
static int weigh_line(cn_combination *combination, const cn_weighting *weighting, const cairn_neighbours *neighbours,
		      size_t line)
{
	cn_combination_start(combination, weighting, neighbours->ids + line * neighbours->k,
			     neighbours->scores + line * neighbours->k, neighbours->k, neighbours->images[line]);
	return cn_combination_weigh(combination, weighting);
}

static int augment_line(const augmentation *work, size_t line, cn_combination *combination, float *row)
{
	CN_TRY(weigh_line(combination, &work->weighting, work->neighbours, line));
	CN_TRY(work->vectors->get(work->vectors, &work->neighbours->images[line], 1, row));
	return cn_combination_sum(combination, &work->weighting, work->vectors, row, row);
}

/* cn_loop_body over the lines of a block. */
static int augment_range(void *context, size_t begin, size_t end, unsigned worker)
{
	augmentation *work = context;
	for (size_t i = begin; i < end; i++) {
		int status =
			augment_line(work, work->lines[i], &work->workers[worker], work->rows + i * work->vectors->dim);
		if (status < 0)
			return cn_fail_context(status, "neighbours of image %lld", (long long)work->images[i]);
	}
	return cn_progress_add(&work->progress, end - begin, 0);
}

/* ---- blocks ---- */

/* Fill a block with the lines that are wanted. @param at the first to look at, and where the next block goes on */
static size_t choose_lines(augmentation *work, const uint8_t *only, size_t *at)
{
	size_t count = 0;
	for (; *at < work->neighbours->count && count < work->block; ++*at) {
		if (only && !only[*at])
			continue;
		work->lines[count] = *at;
		work->images[count++] = work->neighbours->images[*at];
	}
	return count;
}

static int augment_blocks(augmentation *work, const uint8_t *only, cairn_rows_cb take, void *payload)
{
	size_t at = 0, count;
	while ((count = choose_lines(work, only, &at)) > 0) {
		CN_TRY(cn_parallel_for(work->pool, count, GRAIN, augment_range, work));
		CN_TRY(take(work->images, work->rows, count, payload));
	}
	return 0;
}

static size_t lines_wanted(const cairn_neighbours *neighbours, const uint8_t *only)
{
	size_t count = 0;
	if (!only)
		return neighbours->count;
	for (size_t i = 0; i < neighbours->count; i++)
		count += only[i] != 0;
	return count;
}

/* ---- room ---- */

static int make_workers(augmentation *work, uint32_t threads, size_t dim)
{
	size_t k = work->neighbours->k, n = work->weighting.neighbours;
	CN_TRY(cn_workers_new(&work->pool, threads));
	CN_NEW(work->workers, cn_workers_threads(work->pool), sizeof(*work->workers));
	for (; work->worker_count < cn_workers_threads(work->pool); work->worker_count++)
		CN_TRY(cn_combination_init(&work->workers[work->worker_count], k < n ? k : n, dim));
	return 0;
}

static int make_block(augmentation *work, size_t wanted)
{
	size_t fit = BLOCK_NUMBERS / work->vectors->dim + 1;
	work->block = fit < BLOCK_LINES ? fit : BLOCK_LINES;
	work->block = work->block < wanted ? work->block : wanted;
	work->lines = cn_alloc(work->block, sizeof(*work->lines));
	work->images = cn_alloc(work->block, sizeof(*work->images));
	work->rows = cn_alloc(work->block * work->vectors->dim, sizeof(*work->rows));
	return work->lines && work->images && work->rows ? 0 : CAIRN_ENOMEM;
}

static void free_room(augmentation *work)
{
	while (work->worker_count > 0)
		cn_combination_free(&work->workers[--work->worker_count]);
	cn_free(work->workers);
	cn_workers_free(work->pool);
	cn_free(work->lines);
	cn_free(work->images);
	cn_free(work->rows);
}

/* ---- the whole ---- */

static int check_lines(const cairn_neighbours *neighbours)
{
	if (!neighbours->count || (neighbours->k && neighbours->images && neighbours->ids && neighbours->scores))
		return 0;
	return cn_fail(CAIRN_EINVALID, "%zu lines of %zu neighbours lack images, ids or scores", neighbours->count,
		       neighbours->k);
}

static int check_options(const cairn_augmentation_options *options, cn_weighting *weighting)
{
	if (options->version != CAIRN_AUGMENTATION_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "augmentation options of version %u, this library knows version %d",
			       options->version, CAIRN_AUGMENTATION_OPTIONS_VERSION);
	return cn_weighting_init(weighting, options->weights, options->neighbours, options->alpha);
}

int cn_augment(const cn_vectors *vectors, const cairn_neighbours *neighbours, cairn_rows_cb take, void *payload,
	       const cairn_augmentation_options *options)
{
	augmentation work = { .vectors = vectors, .neighbours = neighbours };
	int status;
	CN_TRY(check_options(options, &work.weighting));
	CN_TRY(check_lines(neighbours));
	size_t wanted = lines_wanted(neighbours, options->only);
	CN_GOTO(status, make_workers(&work, options->threads, vectors->dim));
	CN_GOTO(status, make_block(&work, wanted));
	cn_progress_start(&work.progress, options->progress, options->progress_payload, "augmenting images", wanted);
	status = augment_blocks(&work, options->only, take, payload);
	cn_progress_end(&work.progress);
done:
	free_room(&work);
	return status;
}

static const cairn_augmentation_options defaults = CAIRN_AUGMENTATION_OPTIONS_INIT;

int cairn_augment(const cairn_index *index, const cairn_neighbours *neighbours, cairn_rows_cb take, void *payload,
		  const cairn_augmentation_options *options)
{
	cn_vectors vectors = cn_vectors_of_index(index);
	return cn_augment(&vectors, neighbours, take, payload, options ? options : &defaults);
}

/* ---- what changes ---- */

static int same_weights(const cn_combination *a, const cn_combination *b)
{
	if (a->count != b->count)
		return 0;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].image != b->items[i].image || a->items[i].weight != b->items[i].weight)
			return 0;
	return 1;
}

/* @param then,today room for the neighbours of a line */
static int mark_changes(uint8_t *changed, const cairn_neighbours *before, const cairn_neighbours *now,
			const cn_weighting *weighting, cn_combination *then, cn_combination *today)
{
	size_t old = 0;
	for (size_t line = 0; line < now->count; line++) {
		while (old < before->count && before->images[old] < now->images[line])
			old++;
		changed[line] = 1;
		if (old == before->count || before->images[old] != now->images[line])
			continue;
		CN_TRY(weigh_line(then, weighting, before, old));
		CN_TRY(weigh_line(today, weighting, now, line));
		changed[line] = (uint8_t)!same_weights(then, today);
	}
	return 0;
}

int cairn_augmentation_changes(uint8_t *changed, const cairn_neighbours *before, const cairn_neighbours *now,
			       const cairn_augmentation_options *options)
{
	cn_combination then = { 0 }, today = { 0 };
	cn_weighting weighting;
	int status;
	CN_TRY(check_options(options ? options : &defaults, &weighting));
	CN_TRY(check_lines(before));
	CN_TRY(check_lines(now));
	CN_TRY(cn_ids_ascend(before->images, before->count, "image"));
	CN_TRY(cn_ids_ascend(now->images, now->count, "image"));
	CN_GOTO(status, cn_combination_init(&then, before->k, 0));
	CN_GOTO(status, cn_combination_init(&today, now->k, 0));
	status = mark_changes(changed, before, now, &weighting, &then, &today);
done:
	cn_combination_free(&then);
	cn_combination_free(&today);
	return status;
}

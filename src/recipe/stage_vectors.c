/*
 * The stages that make other descriptors: "expand" of the queries, "augment" of the index.
 */
#include <string.h>

#include "cairn/rerank.h"
#include "data/vectors.h"
#include "index/vectors.h"
#include "math/dot.h"
#include "math/half.h"
#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/memory.h"

static cairn_neighbour_weights weights_of(const cn_stage *stage)
{
	if (cn_stage_chose(stage, "rule", "alpha"))
		return CAIRN_WEIGHTS_ALPHA;
	return cn_stage_chose(stage, "rule", "rank_decay") ? CAIRN_WEIGHTS_DECAY : CAIRN_WEIGHTS_AVERAGE;
}

/* ---- expand ---- */

/* The first n of each list with their cosines: the scores of a list may be anything, as those of verified ones are. */
static int first_with_cosines(const cn_work *work, const cairn_ranking *ranking, size_t n, cairn_ranking **out)
{
	const cn_value *queries = cn_work_input(work, "queries");
	const cn_vectors vectors = cn_vectors_of_index(cn_work_input(work, "index")->index);
	size_t depth = n < cairn_ranking_depth(ranking) ? n : cairn_ranking_depth(ranking);
	float *row = cn_alloc_aligned(vectors.dim, sizeof(*row));
	int status = row ? cairn_ranking_new(out, queries->count, depth) : CAIRN_ENOMEM;
	for (size_t q = 0; q < queries->count && status == 0; q++) {
		const int64_t *images = cairn_ranking_images(ranking, q);
		for (size_t i = 0; i < depth && images[i] != CAIRN_NO_IMAGE && status == 0; i++) {
			status = vectors.get(&vectors, &images[i], 1, row);
			if (status == 0)
				status = cairn_ranking_set(
					*out, q, i, images[i],
					cn_dot(queries->vectors + q * queries->dim, row, queries->dim));
		}
	}
	cn_free(row);
	return status;
}

/* Verified images with their inliers as scores. */
static int inliers_as_ranking(const cn_value *verified, cairn_ranking **out)
{
	size_t queries = cairn_ranking_queries(verified->ranking), depth = cairn_ranking_depth(verified->ranking);
	CN_TRY(cairn_ranking_new(out, queries, depth));
	for (size_t q = 0; q < queries; q++) {
		const int64_t *images = cairn_ranking_images(verified->ranking, q);
		const int32_t *inliers = cn_value_inliers(verified, q);
		size_t kept = 0;
		for (size_t i = 0; i < cairn_ranking_count(verified->ranking, q); i++)
			if (inliers[i] >= 0)
				CN_TRY(cairn_ranking_set(*out, q, kept++, images[i], (float)inliers[i]));
	}
	return 0;
}

static int expand(const cn_work *work, const cairn_ranking *neighbours, const cairn_ranking *verified)
{
	const cn_value *queries = cn_work_input(work, "queries"), *index = cn_work_input(work, "index");
	cairn_expansion_options how = CAIRN_EXPANSION_OPTIONS_INIT;
	cairn_index_options search = CAIRN_INDEX_OPTIONS_INIT;
	cairn_ranking *found;
	how.weights = weights_of(work->stage);
	how.neighbours = cn_work_size(work, "n");
	how.alpha = cn_work_real(work, "alpha");
	how.inliers = (float)cn_work_size(work, "min_inliers");
	how.threads = work->run->threads;
	search.threads = work->run->threads;
	search.recall = 1;
	CN_TRY(cairn_expand_queries(work->out->vectors, index->index, queries->vectors, queries->count, neighbours,
				    verified, &how));
	for (size_t i = 1; i < cn_work_size(work, "times"); i++) {
		CN_TRY(cn_run_search_index(work, work->out->vectors, how.neighbours, &search, &found));
		int status = cairn_expand_queries(work->out->vectors, index->index, work->out->vectors, queries->count,
						  found, verified, &how);
		cairn_ranking_free(found);
		CN_TRY(status);
	}
	return 0;
}

int cn_run_expand(const cn_work *work)
{
	const cn_value *queries = cn_work_input(work, "queries"), *ranking = cn_work_input(work, "ranking");
	const cn_value *verified = cn_work_input(work, "verified");
	cairn_ranking *neighbours = NULL, *proven = NULL;
	int status = 0;
	work->out->count = queries->count;
	work->out->dim = queries->dim;
	CN_NEW(work->out->vectors, queries->count * queries->dim, sizeof(*work->out->vectors));
	CN_GOTO(status, first_with_cosines(work, ranking->ranking, cn_work_size(work, "n"), &neighbours));
	if (verified && cn_work_is_set(work, "min_inliers"))
		CN_GOTO(status, inliers_as_ranking(verified, &proven));
	status = expand(work, neighbours, proven);
done:
	cairn_ranking_free(neighbours);
	cairn_ranking_free(proven);
	return status;
}

/* ---- augment ---- */

typedef struct {
	cn_row_writer writer;
	uint16_t *halves; /* one row */
	size_t dim;
} writing;

static int write_rows(const int64_t *images, const float *rows, size_t count, void *payload)
{
	writing *out = payload;
	for (size_t i = 0; i < count; i++) {
		cn_halves_from_floats(rows + i * out->dim, out->dim, out->halves);
		CN_TRY(cn_row_writer_add(&out->writer, images[i], out->halves));
	}
	return 0;
}

static int augment(const cn_work *work, const cn_value *index, const cairn_neighbours *neighbours, writing *out)
{
	cairn_augmentation_options how = CAIRN_AUGMENTATION_OPTIONS_INIT;
	char *paths[CN_ROW_FILES];
	how.weights = weights_of(work->stage);
	how.neighbours = cn_work_size(work, "k");
	how.alpha = cn_work_real(work, "alpha");
	how.threads = work->run->threads;
	how.progress = work->run->progress;
	how.progress_payload = work->run->progress_payload;
	int status = cn_cache_index_paths(&work->run->cache, work->key, paths);
	if (status == 0)
		status = cn_row_writer_open(&out->writer, (const char *const *)paths, neighbours->count, out->dim);
	if (status == 0) {
		status = cairn_augment(index->index, neighbours, write_rows, out, &how);
		if (status == 0)
			status = cn_row_writer_commit(&out->writer);
		cn_row_writer_abort(&out->writer);
	}
	for (int i = 0; i < CN_ROW_FILES; i++)
		cn_free(paths[i]);
	return status;
}

int cn_run_augment(const cn_work *work)
{
	const cn_value *index = cn_work_input(work, "index");
	writing out = { .dim = cairn_index_dim(index->index) };
	cairn_graph *graph = NULL;
	int status = 0;
	CN_NEW(out.halves, out.dim, sizeof(*out.halves));
	CN_GOTO(status, cn_run_neighbours(work, "index", cn_work_size(work, "k"), &graph));
	CN_GOTO(status, augment(work, index, cairn_graph_neighbours(graph), &out));
	status = cn_cache_open_index(&work->run->cache, work->key, out.dim, work->out);
done:
	cairn_graph_free(graph);
	cn_free(out.halves);
	return status;
}

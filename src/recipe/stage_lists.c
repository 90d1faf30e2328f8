/*
 * The stages that make other lists of lists: "cut", "fuse", "explore", "reciprocal", "superglobal".
 */
#include <string.h>

#include "cairn/rerank.h"
#include "index/vectors.h"
#include "rank/explore.h"
#include "rank/reciprocal.h"
#include "rank/superglobal.h"
#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/memory.h"

/* ---- cut ---- */

static int stays(const cn_work *work, float score, int32_t inliers)
{
	if (cn_work_is_set(work, "min_score") && score < (float)cn_work_real(work, "min_score"))
		return 0;
	return !cn_work_is_set(work, "min_inliers") || inliers >= (int32_t)cn_work_size(work, "min_inliers");
}

static int cut_list(const cn_work *work, const cn_value *in, size_t query, size_t depth)
{
	const int64_t *images = cairn_ranking_images(in->ranking, query);
	const float *scores = cairn_ranking_scores(in->ranking, query);
	const int32_t *inliers = cn_value_inliers(in, query);
	cn_value *out = work->out;
	size_t kept = 0;
	for (size_t i = 0; i < cairn_ranking_count(in->ranking, query) && kept < depth; i++) {
		int32_t proven = inliers ? inliers[i] : CAIRN_NO_INLIERS;
		if (!stays(work, scores[i], proven))
			continue;
		if (out->inliers)
			out->inliers[query * depth + kept] = proven;
		CN_TRY(cairn_ranking_set(out->ranking, query, kept++, images[i], scores[i]));
	}
	return 0;
}

int cn_run_cut(const cn_work *work)
{
	const cn_value *in = cn_work_input(work, "ranking");
	size_t queries = cairn_ranking_queries(in->ranking), depth = cairn_ranking_depth(in->ranking);
	if (cn_work_is_set(work, "depth") && cn_work_size(work, "depth") < depth)
		depth = cn_work_size(work, "depth");
	CN_TRY(cairn_ranking_new(&work->out->ranking, queries, depth));
	if (in->inliers)
		CN_TRY(cn_value_make_inliers(work->out));
	int status = 0;
	for (size_t q = 0; q < queries && status == 0; q++)
		status = cut_list(work, in, q, depth);
	return status;
}

/* ---- fuse ---- */

static cairn_fusion_rule rule_of(const cn_stage *stage)
{
	if (cn_stage_chose(stage, "rule", "reciprocal"))
		return CAIRN_FUSE_RECIPROCAL_RANKS;
	return cn_stage_chose(stage, "rule", "product") ? CAIRN_FUSE_PRODUCT : CAIRN_FUSE_SUM;
}

static cairn_normalisation normalisation_of(const cn_stage *stage)
{
	if (cn_stage_chose(stage, "normalise", "minmax"))
		return CAIRN_NORMALISE_MIN_MAX;
	if (cn_stage_chose(stage, "normalise", "zscore"))
		return CAIRN_NORMALISE_Z_SCORE;
	return cn_stage_chose(stage, "normalise", "best") ? CAIRN_NORMALISE_BEST : CAIRN_NORMALISE_NONE;
}

int cn_run_fuse(const cn_work *work)
{
	const cn_value *values[CN_MOST_MANY];
	const cairn_ranking *rankings[CN_MOST_MANY];
	size_t n = cn_work_inputs(work, "rankings", values, CN_MOST_MANY), depth = 0;
	cairn_fusion_options how = CAIRN_FUSION_OPTIONS_INIT;
	for (size_t i = 0; i < n; i++) {
		rankings[i] = values[i]->ranking;
		depth += cairn_ranking_depth(rankings[i]);
	}
	if (cn_work_is_set(work, "depth"))
		depth = cn_work_size(work, "depth");
	how.rule = rule_of(work->stage);
	how.normalisation = normalisation_of(work->stage);
	how.missing = cn_stage_chose(work->stage, "missing", "zero") ? CAIRN_MISSING_ZERO : CAIRN_MISSING_LEAST;
	how.weights = cn_stage_argument(work->stage, "weights")->reals;
	how.threads = work->run->threads;
	return cairn_fuse(&work->out->ranking, rankings, n, depth, &how);
}

/* ---- re-ranking of single lists ---- */

/* What re-ranking runs with; the pool is freed with cn_workers_free(). */
static int start(const cn_work *work, cn_rank_run *out)
{
	*out = (cn_rank_run){ .progress = work->run->progress, .progress_payload = work->run->progress_payload };
	return cn_workers_new(&out->pool, work->run->threads);
}

int cn_run_explore(const cn_work *work)
{
	const cn_value *in = cn_work_input(work, "ranking");
	cn_explore_options how = {
		.k = cn_work_size(work, "k"),
		.threshold = (float)cn_work_real(work, "threshold"),
		.depth = cn_work_size(work, "depth"),
	};
	cairn_graph *graph = NULL;
	int64_t *own = NULL;
	cn_rank_run with;
	CN_TRY(start(work, &with));
	int status = 0;
	CN_GOTO(status, cn_run_neighbours(work, "index", how.k, &graph));
	CN_GOTO(status, cn_run_own_images(work->run, &own));
	how.own = own;
	status = cn_rank_explore(&work->out->ranking, &with, in->ranking, cairn_graph_neighbours(graph), &how);
done:
	cairn_graph_free(graph);
	cn_free(own);
	cn_workers_free(with.pool);
	return status;
}

int cn_run_reciprocal(const cn_work *work)
{
	const cn_value *in = cn_work_input(work, "ranking"), *queries = cn_work_input(work, "queries");
	const cn_vectors vectors = cn_vectors_of_index(cn_work_input(work, "index")->index);
	const cn_reciprocal_options how = {
		.most = cn_work_size(work, "depth"),
		.k1 = cn_work_size(work, "k1"),
		.k2 = cn_work_size(work, "k2"),
		.lambda = (float)cn_work_real(work, "lambda"),
	};
	cn_rank_run with;
	CN_TRY(start(work, &with));
	int status = cn_rank_reciprocal(&work->out->ranking, &with, in->ranking, queries->vectors, &vectors, &how);
	cn_workers_free(with.pool);
	return status;
}

int cn_run_superglobal(const cn_work *work)
{
	const cn_value *in = cn_work_input(work, "ranking"), *queries = cn_work_input(work, "queries");
	const cn_vectors vectors = cn_vectors_of_index(cn_work_input(work, "index")->index);
	const cn_superglobal_options how = {
		.most = cn_work_size(work, "depth"),
		.neighbours = cn_work_size(work, "neighbours"),
		.weight = (float)cn_work_real(work, "weight"),
	};
	cn_rank_run with;
	CN_TRY(start(work, &with));
	int status = cn_rank_superglobal(&work->out->ranking, &with, in->ranking, queries->vectors, &vectors, &how);
	cn_workers_free(with.pool);
	return status;
}

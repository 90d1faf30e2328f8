/*
 * The stage "verify": the first images of each list are matched with the query and put into order by inliers.
 */
#include <math.h>
#include <string.h>

#include "rank/inliers.h"
#include "recipe/pairs.h"
#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/ids.h"
#include "util/memory.h"
#include "verify/kinds.h"

/* ---- how pairs are verified ---- */

static void verification_of(const cn_stage *stage, cairn_verify_options *out)
{
	cairn_verify_options_init(out);
	out->protocol = cn_stage_chose(stage, "protocol", "delf") ? CAIRN_VERIFY_DELF : CAIRN_VERIFY_MUTUAL;
	out->geometry = cn_stage_chose(stage, "geometry", "homography") ? CAIRN_HOMOGRAPHY : CAIRN_AFFINE;
	out->max_distance = (float)cn_stage_argument(stage, "max_distance")->real;
	out->radius = (float)cn_stage_argument(stage, "radius")->real;
	out->reference_side = (float)cn_stage_argument(stage, "reference_side")->real;
	out->trials = (uint32_t)cn_stage_argument(stage, "trials")->integer;
	out->seed = (uint64_t)cn_stage_argument(stage, "seed")->integer;
}

/* All that the inliers of a pair depend on besides the two sets of features. */
static int describe_verification(const cairn_verify_options *options, const char *local, cn_text *out)
{
	const cn_kind *kind = cn_kind_find(local);
	return cn_text_addf(out, "%d %s %d %d %.9g %.9g %.9g %.9g %.9g %u %llu", CN_RUN_FORM, local,
			    (int)options->protocol, (int)options->geometry, (double)kind->ratio,
			    (double)kind->min_similarity, (double)options->max_distance, (double)options->radius,
			    (double)options->reference_side, options->trials, (unsigned long long)options->seed);
}

/* 1 or 0; negative where memory is short. */
static int is_same(const cairn_verify_options *a, const cairn_verify_options *b, const char *local)
{
	cn_text of_a = CN_TEXT_INIT, of_b = CN_TEXT_INIT;
	int status = describe_verification(a, local, &of_a);
	if (status == 0)
		status = describe_verification(b, local, &of_b);
	if (status == 0)
		status = strcmp(of_a.data, of_b.data) == 0;
	cn_text_free(&of_a);
	cn_text_free(&of_b);
	return status;
}

int cn_run_verify_as(cairn_run *run, size_t searcher, const cn_stage *stage)
{
	cairn_verify_options options;
	cairn_searcher *with;
	CN_TRY(cn_run_searcher(run, searcher, &with));
	verification_of(stage, &options);
	int same = is_same(&options, &with->options.verification, run->info.locals[searcher]);
	if (same != 0)
		return same < 0 ? same : 0;
	CN_TRY(cn_searcher_set_verification(with, &options));
	for (size_t i = 0; i < run->query_count; i++)
		if (run->queries[i].described[searcher])
			cn_pair_cache_free(&run->queries[i].described[searcher]->pairs);
	return 0;
}

int32_t cn_run_trust(const cairn_run *run, size_t searcher, const cn_stage *stage)
{
	const cn_argument *trust = cn_stage_argument(stage, "trust_inliers");
	return trust->is_set ? (int32_t)trust->integer : cn_kind_find(run->info.locals[searcher])->trust;
}

/* ---- one query ---- */

typedef struct {
	const cn_work *work;
	size_t searcher, depth;
	cn_pair_file pairs;
	cn_inlier_options order;
	int keeps_order;
	cn_inlier_item *items; /* room for a list */
	cn_candidates fresh;   /* those that must be verified; room for a list */
	int64_t *images;       /* theirs, with their inliers */
	int32_t *inliers;
} verifying;

/* How many places are looked at, so that `depth` of them count. */
static size_t places_to_verify(const verifying *verify, size_t query, const int64_t *images, size_t count)
{
	const cn_run_query *asked = &verify->work->run->queries[query];
	size_t counted = 0, places = 0;
	while (places < count && counted < verify->depth)
		counted += !cn_ids_have(asked->exclude, asked->exclude_count, images[places++]);
	return places;
}

static void take_known(verifying *verify, size_t query, size_t places)
{
	verify->fresh.count = 0;
	for (size_t i = 0; i < places; i++) {
		cn_inlier_item *item = &verify->items[i];
		item->inliers = cn_pair_file_find(&verify->pairs, query, item->id);
		if (item->inliers == CAIRN_NO_INLIERS)
			verify->fresh.items[verify->fresh.count++] = (cn_candidate){ .id = item->id };
	}
}

static int verify_fresh(verifying *verify, size_t query, size_t places)
{
	cairn_run *run = verify->work->run;
	cairn_query *opened;
	size_t count = verify->fresh.count;
	if (!count)
		return 0;
	CN_TRY(cn_run_open_query(run, query, verify->searcher, &opened));
	int status = cn_verify_best(opened, &verify->fresh, count);
	for (size_t i = 0; i < count && status == 0; i++) {
		verify->images[i] = verify->fresh.items[i].id;
		verify->inliers[i] = (int32_t)verify->fresh.items[i].pair->result.inliers;
	}
	cn_run_close_query(run, query, opened);
	CN_TRY(status);
	for (size_t i = 0, next = 0; i < places; i++)
		if (verify->items[i].inliers == CAIRN_NO_INLIERS)
			verify->items[i].inliers = verify->inliers[next++];
	return cn_pair_file_add(&verify->pairs, query, verify->images, verify->inliers, count);
}

static int keep_list(const verifying *verify, size_t query, size_t count)
{
	cn_value *out = verify->work->out;
	size_t depth = cairn_ranking_depth(out->ranking);
	for (size_t i = 0; i < count; i++) {
		CN_TRY(cairn_ranking_set(out->ranking, query, i, verify->items[i].id, verify->items[i].score));
		out->inliers[query * depth + i] = verify->items[i].inliers;
	}
	return 0;
}

static int verify_query(verifying *verify, const cn_value *in, size_t query)
{
	const int64_t *images = cairn_ranking_images(in->ranking, query);
	const float *scores = cairn_ranking_scores(in->ranking, query);
	size_t count = cairn_ranking_count(in->ranking, query);
	size_t places = places_to_verify(verify, query, images, count);
	for (size_t i = 0; i < count; i++)
		verify->items[i] = (cn_inlier_item){ images[i], scores[i], CAIRN_NO_INLIERS, 0, i };
	take_known(verify, query, places);
	CN_TRY(verify_fresh(verify, query, places));
	if (!verify->keeps_order)
		cn_order_by_inliers(verify->items, count, &verify->order);
	return keep_list(verify, query, count);
}

/* ---- all ---- */

static int name_pairs(const cn_work *work, size_t searcher, char **path)
{
	const cairn_run *run = work->run;
	cairn_verify_options options;
	cn_text text = CN_TEXT_INIT;
	*path = NULL;
	if (!run->keeps_queries)
		return 0;
	verification_of(work->stage, &options);
	int status = describe_verification(&options, run->info.locals[searcher], &text);
	if (status == 0)
		status = cn_text_add_bytes(&text, &run->made[CN_GIVEN_QUERIES].key, sizeof(cn_key));
	if (status == 0)
		status = cn_text_add_bytes(&text, &run->made[CN_GIVEN_INDEX].key, sizeof(cn_key));
	if (status == 0) {
		*path = cn_cache_path(&run->cache, cn_key_of(text.data, text.length), "pairs");
		status = *path ? 0 : CAIRN_ENOMEM;
	}
	cn_text_free(&text);
	return status;
}

static int start(verifying *verify, const cn_value *in)
{
	const cn_work *work = verify->work;
	size_t depth = cairn_ranking_depth(in->ranking);
	char *path;
	CN_TRY(cn_run_local_searcher(work->run, work->stage, &verify->searcher));
	CN_TRY(cn_run_verify_as(work->run, verify->searcher, work->stage));
	const cn_kind *kind = cn_kind_find(work->run->info.locals[verify->searcher]);
	verify->depth = cn_work_size(work, "depth");
	verify->keeps_order = cn_stage_chose(work->stage, "order", "keep");
	verify->order = (cn_inlier_options){
		.order = cn_stage_chose(work->stage, "order", "inliers") ? CAIRN_ORDER_INLIERS : CAIRN_ORDER_FUSED,
		.trust = cn_run_trust(work->run, verify->searcher, work->stage),
		.boost = cn_work_is_set(work, "boost") ? (float)cn_work_real(work, "boost") : kind->boost,
	};
	CN_NEW(verify->items, depth, sizeof(*verify->items));
	CN_NEW(verify->fresh.items, depth, sizeof(*verify->fresh.items));
	CN_NEW(verify->images, depth, sizeof(*verify->images));
	CN_NEW(verify->inliers, depth, sizeof(*verify->inliers));
	CN_TRY(name_pairs(work, verify->searcher, &path));
	int status = cn_pair_file_open(&verify->pairs, path);
	cn_free(path);
	return status;
}

int cn_run_verify(const cn_work *work)
{
	const cn_value *in = cn_work_input(work, "ranking");
	verifying verify = { .work = work, .pairs = { .file = -1 } };
	size_t queries = cairn_ranking_queries(in->ranking);
	int status = 0;
	CN_GOTO(status, start(&verify, in));
	CN_GOTO(status, cairn_ranking_new(&work->out->ranking, queries, cairn_ranking_depth(in->ranking)));
	CN_GOTO(status, cn_value_make_inliers(work->out));
	cn_work_start(work, queries);
	for (size_t q = 0; q < queries; q++) {
		CN_GOTO(status, verify_query(&verify, in, q));
		CN_GOTO(status, cn_progress_add(work->progress, 1, 0));
	}
done:
	cn_pair_file_close(&verify.pairs);
	cn_free(verify.items);
	cn_free(verify.fresh.items);
	cn_free(verify.images);
	cn_free(verify.inliers);
	return status;
}

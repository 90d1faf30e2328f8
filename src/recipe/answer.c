/*
 * What a stage found for a query, as a search's answer.
 */
#include <math.h>

#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/memory.h"

/* The stage whose inliers a stage's output has; NULL: it has none. */
static const cn_stage *verifying_stage(const cairn_run *run, const cn_stage *stage)
{
	while (stage->output == CAIRN_VALUE_VERIFIED && stage->type->run != cn_run_verify)
		stage = &run->recipe->stages[cn_stage_link(stage, stage->type->output_as)->value - CN_GIVEN_COUNT];
	return stage->output == CAIRN_VALUE_VERIFIED ? stage : NULL;
}

static void take_places(const cairn_run *run, const cn_value *value, size_t query, size_t k, cn_candidates *out)
{
	const int64_t *images = cairn_ranking_images(value->ranking, query);
	const float *scores = cairn_ranking_scores(value->ranking, query);
	const int32_t *inliers = cn_value_inliers(value, query);
	size_t count = cairn_ranking_count(value->ranking, query);
	for (size_t i = 0; i < count && out->count < k; i++)
		if (!cn_run_is_own(run, query, images[i]))
			out->items[out->count++] = (cn_candidate){
				.id = images[i],
				.similarity = NAN,
				.asmk = NAN,
				.score = scores[i],
				.inliers = inliers ? inliers[i] : CAIRN_NO_INLIERS,
			};
}

/* Matched points are not kept; they are found again where they are to be seen. */
static int find_matches(cairn_query *query, cn_candidates *candidates)
{
	cn_candidates verified = { .items = cn_alloc(candidates->count, sizeof(*verified.items)) };
	if (!verified.items)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < candidates->count; i++)
		if (candidates->items[i].inliers > 0)
			verified.items[verified.count++] = candidates->items[i];
	int status = cn_verify_best(query, &verified, verified.count);
	for (size_t i = 0, v = 0; i < candidates->count && status == 0; i++)
		if (candidates->items[i].inliers > 0)
			candidates->items[i].pair = verified.items[v++].pair;
	cn_free(verified.items);
	return status;
}

static void note_trusted(int32_t trust, cn_candidates *candidates)
{
	for (size_t i = 0; i < candidates->count; i++)
		candidates->items[i].trusted = candidates->items[i].inliers >= (trust < 1 ? 1 : trust);
}

/* Without matched points nothing of the query is looked at but what it is called. */
static int answer_plainly(cairn_answer **out, cairn_run *run, size_t searcher, size_t query,
			  const cn_candidates *candidates)
{
	const cn_run_query *asked = &run->queries[query];
	const cairn_query *described = asked->described[searcher];
	cairn_query bare = { .path = asked->path, .box = asked->box };
	CN_TRY(cn_run_searcher(run, searcher, &bare.searcher));
	if (described)
		bare.times = described->times;
	return cn_answer_new(out, &bare, CAIRN_BY_AUTO, candidates->items, candidates->count);
}

static int answer_with_matches(cairn_answer **out, cairn_run *run, const cn_stage *verifying, size_t searcher,
			       size_t query, cn_candidates *candidates)
{
	cairn_query *opened;
	CN_TRY(cn_run_open_query(run, query, searcher, &opened));
	int status = cn_run_verify_as(run, searcher, verifying);
	if (status == 0)
		status = find_matches(opened, candidates);
	if (status == 0)
		status = cn_answer_new(out, opened, CAIRN_BY_AUTO, candidates->items, candidates->count);
	cn_run_close_query(run, query, opened);
	return status;
}

static int answer(cairn_answer **out, cairn_run *run, size_t stage, size_t query, cn_candidates *candidates,
		  int matches)
{
	const cn_stage *verifying = verifying_stage(run, &run->recipe->stages[stage]);
	size_t searcher = cn_run_describing_searcher(run);
	if (verifying) {
		CN_TRY(cn_run_local_searcher(run, verifying, &searcher));
		note_trusted(cn_run_trust(run, searcher, verifying), candidates);
	}
	CN_TRY(verifying && matches ? answer_with_matches(out, run, verifying, searcher, query, candidates)
				    : answer_plainly(out, run, searcher, query, candidates));
	(*out)->stage = cn_strdup(run->recipe->stages[stage].name);
	if ((*out)->stage)
		return 0;
	cairn_answer_free(*out);
	*out = NULL;
	return CAIRN_ENOMEM;
}

static int expect_ranking(const cairn_run *run, size_t number, size_t query)
{
	if (number >= run->recipe->stage_count || query >= run->query_count)
		return cn_fail(CAIRN_EINVALID, "stage %zu, query %zu: there are %zu and %zu, counted from 0", number,
			       query, run->recipe->stage_count, run->query_count);
	const cn_stage *stage = &run->recipe->stages[number];
	if (stage->output != CAIRN_VALUE_RANKING && stage->output != CAIRN_VALUE_VERIFIED)
		return cn_fail(CAIRN_EINVALID, "stage '%s' gives no ranking", stage->name);
	if (!stage->is_used)
		return cn_fail(CAIRN_EINVALID, "stage '%s' does not run: '%s' does not depend on it", stage->name,
			       run->recipe->stages[run->recipe->output].name);
	return cn_run_expect_done(run);
}

int cairn_run_answer(cairn_answer **out, cairn_run *run, size_t stage, size_t query, size_t k, int matches)
{
	cn_candidates candidates = { 0 };
	*out = NULL;
	if (stage == SIZE_MAX)
		stage = run->recipe->output;
	CN_TRY(expect_ranking(run, stage, query));
	CN_TRY(cn_run_need(run, CN_GIVEN_COUNT + stage));
	const cn_value *value = &run->made[CN_GIVEN_COUNT + stage].value;
	size_t count = cairn_ranking_count(value->ranking, query);
	candidates.items = cn_alloc(count, sizeof(*candidates.items));
	if (!candidates.items)
		return CAIRN_ENOMEM;
	take_places(run, value, query, k, &candidates);
	int status = answer(out, run, stage, query, &candidates, matches);
	cn_free(candidates.items);
	return status;
}

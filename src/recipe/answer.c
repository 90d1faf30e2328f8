/*
 * What a stage found for a query, as a search's answer.
 */
#include <math.h>

#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/memory.h"
#include "verify/kinds.h"

/* Number of the last stage that verifies, of those that a stage is made of, itself included; SIZE_MAX: none. */
static size_t verifying_stage(const cairn_run *run, size_t stage)
{
	const cn_stage *stages = run->recipe->stages;
	/* Those that it is made of come before it, and are not told apart from others here: hits that have inliers got
	 * them from the last. */
	for (size_t i = stage + 1; i-- > 0;)
		if (stages[i].is_used && stages[i].type->run == cn_run_verify)
			return i;
	return SIZE_MAX;
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

static void note_trusted(const char *kind, cn_candidates *candidates)
{
	int32_t trust = cn_kind_find(kind)->trust;
	for (size_t i = 0; i < candidates->count; i++)
		candidates->items[i].trusted = candidates->items[i].inliers >= trust;
}

static int answer(cairn_answer **out, cairn_run *run, size_t stage, size_t query, cn_candidates *candidates,
		  int matches)
{
	size_t searcher = CN_SEARCHER_GLOBAL, verifying = verifying_stage(run, stage);
	cairn_query *opened;
	if (verifying != SIZE_MAX)
		CN_TRY(cn_run_local_searcher(run, &run->recipe->stages[verifying], &searcher));
	CN_TRY(cn_run_open_query(run, query, searcher, &opened));
	int status = 0;
	if (verifying != SIZE_MAX) {
		note_trusted(run->info.locals[searcher], candidates);
		if (matches)
			CN_GOTO(status, cn_run_verify_as(run, searcher, &run->recipe->stages[verifying]));
		if (matches)
			CN_GOTO(status, find_matches(opened, candidates));
	}
	CN_GOTO(status, cn_answer_new(out, opened, CAIRN_BY_AUTO, candidates->items, candidates->count));
	(*out)->stage = cn_strdup(run->recipe->stages[stage].name);
	if (!(*out)->stage) {
		cairn_answer_free(*out);
		*out = NULL;
		status = CAIRN_ENOMEM;
	}
done:
	cn_run_close_query(run, query, opened);
	return status;
}

int cairn_run_answer(cairn_answer **out, cairn_run *run, size_t stage, size_t query, size_t k, int matches)
{
	cn_candidates candidates = { 0 };
	*out = NULL;
	if (stage == SIZE_MAX)
		stage = run->recipe->output;
	if (stage >= run->recipe->stage_count || query >= run->query_count)
		return cn_fail(CAIRN_EINVALID, "stage %zu, query %zu: there are %zu and %zu, counted from 0", stage,
			       query, run->recipe->stage_count, run->query_count);
	cairn_value_type type = run->recipe->stages[stage].output;
	if (type != CAIRN_VALUE_RANKING && type != CAIRN_VALUE_VERIFIED)
		return cn_fail(CAIRN_EINVALID, "stage '%s' gives no ranking", run->recipe->stages[stage].name);
	if (!run->made[CN_GIVEN_COUNT + run->recipe->output].is_made)
		return cn_fail(CAIRN_EINVALID, "'%s' has not run", run->recipe->name);
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

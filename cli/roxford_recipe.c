/*
 * Ranking the queries by a recipe, and scoring each of its stages.
 */
#include <stdlib.h>
#include <string.h>

#include "roxford.h"
#include "say.h"
#include "text.h"

static int add_queries(struct evaluation *evaluation)
{
	int status = 0;
	for (size_t q = 0; q < cairn_roxford_queries(evaluation->truth) && status == 0; q++) {
		cairn_box box = cairn_roxford_query_box(evaluation->truth, q);
		status = cairn_run_add_photo(evaluation->run, evaluation->paths[q], &box);
	}
	return status;
}

/* The lists are those of the last stage that was scored, which is the output. */
static int score_stage(struct evaluation *evaluation, int protocol, struct roxford_stage *stage)
{
	size_t count = cairn_roxford_queries(evaluation->truth);
	int status = 0;
	for (size_t q = 0; q < count && status == 0; q++) {
		cairn_answer *answer;
		status = cairn_run_answer(&answer, evaluation->run, stage->number, q, SIZE_MAX, 0);
		if (status < 0)
			break;
		free(evaluation->protocols[protocol].lists[q]);
		roxford_keep_answer(evaluation, protocol, q, answer);
		cairn_answer_free(answer);
	}
	if (status == 0)
		status = roxford_score(evaluation, protocol);
	stage->scores[protocol] = evaluation->protocols[protocol].scores;
	return status;
}

/* What is verified depends on the protocol, everything before is done once. */
static int run_protocol(struct evaluation *evaluation, int protocol)
{
	size_t count = cairn_roxford_queries(evaluation->truth);
	int status = 0;
	for (size_t q = 0; q < count && status == 0; q++) {
		size_t junk = roxford_junk(evaluation, protocol, q);
		status = cairn_run_exclude(evaluation->run, q, evaluation->exclude, junk);
	}
	if (status == 0)
		status = cairn_run_execute(evaluation->run);
	for (size_t s = 0; s < evaluation->stage_count && status == 0; s++)
		status = score_stage(evaluation, protocol, &evaluation->stages[s]);
	return status;
}

int roxford_run(struct evaluation *evaluation)
{
	double start = seconds_now();
	int status = add_queries(evaluation);
	progress_start(&evaluation->progress, NULL);
	for (int p = 0; p < PROTOCOLS && status == 0; p++)
		status = run_protocol(evaluation, p);
	progress_end(&evaluation->progress);
	evaluation->seconds = seconds_now() - start;
	if (status < 0 && status != CAIRN_ECANCELLED)
		say_error("%s", cairn_last_error());
	return status;
}

/* The output, which may stand anywhere, comes last. */
static void list_stages(struct evaluation *evaluation)
{
	cairn_recipe_info about;
	cairn_recipe_stage stage;
	struct roxford_stage output = { 0 };
	size_t count = cairn_recipe_count(evaluation->recipe);
	cairn_recipe_get_info(evaluation->recipe, &about);
	evaluation->stages = need(count, sizeof(*evaluation->stages));
	for (size_t i = 0; i < count && cairn_recipe_get_stage(evaluation->recipe, i, &stage) == 0; i++) {
		if (!stage.is_used || (stage.output != CAIRN_VALUE_RANKING && stage.output != CAIRN_VALUE_VERIFIED))
			continue;
		if (strcmp(stage.name, about.output) == 0)
			output = (struct roxford_stage){ .number = i, .name = stage.name };
		else
			evaluation->stages[evaluation->stage_count++] =
				(struct roxford_stage){ .number = i, .name = stage.name };
	}
	if (output.name)
		evaluation->stages[evaluation->stage_count++] = output;
}

int roxford_make_run(struct evaluation *evaluation, const char *recipe, const cairn_run_options *options)
{
	int status = cairn_recipe_open(&evaluation->recipe, recipe);
	if (status < 0)
		return status;
	list_stages(evaluation);
	return cairn_run_new(&evaluation->run, evaluation->recipe, evaluation->collection, options);
}

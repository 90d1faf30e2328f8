/*
 * cairn eval roxford: revisited Oxford and Paris. Each query is described once and answered once a protocol, with the
 * protocol's junk taken out before the best are verified; pairs that were verified are remembered by the query.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "roxford.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *const protocol_names[PROTOCOLS] = { "easy", "medium", "hard" };

static struct search_arguments how = SEARCH_ARGUMENTS_INIT;
static const char *images_folder = ".", *format, *recipe_name, *cache_folder;
static struct texts roles;

/* ---- searches ---- */

static void tell_failure(const char *path)
{
	if (strstr(cairn_last_error(), path))
		say_error("%s", cairn_last_error());
	else
		say_error("query %s: %s", path, cairn_last_error());
}

static int answer_query(struct evaluation *evaluation, size_t q)
{
	cairn_box box = cairn_roxford_query_box(evaluation->truth, q);
	cairn_query *query = NULL;
	int status = cairn_query_open(&query, evaluation->searcher, evaluation->paths[q], &box);
	for (int p = 0; p < PROTOCOLS && status == 0; p++) {
		cairn_answer *answer;
		size_t junk = roxford_junk(evaluation, p, q);
		status = cairn_search(&answer, evaluation->searcher, query, evaluation->exclude, junk);
		if (status < 0)
			break;
		roxford_keep_answer(evaluation, p, q, answer);
		cairn_answer_free(answer);
	}
	if (status < 0 && status != CAIRN_ECANCELLED)
		tell_failure(evaluation->paths[q]);
	cairn_query_free(query);
	return status;
}

static void make_lists(struct evaluation *evaluation)
{
	size_t count = cairn_roxford_queries(evaluation->truth);
	for (int p = 0; p < PROTOCOLS; p++) {
		evaluation->protocols[p].lists = need(count, sizeof(int64_t *));
		evaluation->protocols[p].lengths = need(count, sizeof(size_t));
	}
}

static int answer_all(struct evaluation *evaluation)
{
	size_t count = cairn_roxford_queries(evaluation->truth);
	int status = 0;
	double start = seconds_now();
	progress_start(&evaluation->progress, NULL);
	for (size_t q = 0; q < count && status == 0; q++)
		status = progress_item(&evaluation->progress, "answering queries", q, count)
				 ? CAIRN_ECANCELLED
				 : answer_query(evaluation, q);
	progress_end(&evaluation->progress);
	evaluation->seconds = seconds_now() - start;
	return status;
}

/* ---- scores ---- */

/* A mean of nothing is none, not 0. */
static json_t *score_json(const cairn_roxford_scores *scores, double value)
{
	return scores->queries ? number_json(value) : json_null();
}

static json_t *scores_json(const cairn_roxford_scores *scores)
{
	json_t *object = json_object();
	set_member(object, "map", score_json(scores, scores->map));
	set_member(object, "mp1", score_json(scores, scores->mp1));
	set_member(object, "mp5", score_json(scores, scores->mp5));
	set_member(object, "mp10", score_json(scores, scores->mp10));
	set_member(object, "queries", json_integer((json_int_t)scores->queries));
	return object;
}

static json_t *stages_json(const struct evaluation *evaluation)
{
	json_t *list = json_array();
	for (size_t i = 0; i < evaluation->stage_count; i++) {
		json_t *object = json_object();
		set_member(object, "name", text_json(evaluation->stages[i].name));
		for (int p = 0; p < PROTOCOLS; p++)
			set_member(object, protocol_names[p], scores_json(&evaluation->stages[i].scores[p]));
		add_item(list, object);
	}
	return list;
}

static int print_as_json(const struct evaluation *evaluation)
{
	json_t *root = json_object();
	for (int p = 0; p < PROTOCOLS; p++)
		set_member(root, protocol_names[p], scores_json(&evaluation->protocols[p].scores));
	if (evaluation->run)
		set_member(root, "stages", stages_json(evaluation));
	set_member(root, "seconds", number_json(evaluation->seconds));
	return print_json(root);
}

static void print_stages(const struct evaluation *evaluation)
{
	printf("\n%-20s %6s %6s %6s\n", "mAP after", protocol_names[0], protocol_names[1], protocol_names[2]);
	for (size_t i = 0; i < evaluation->stage_count; i++) {
		const cairn_roxford_scores *scores = evaluation->stages[i].scores;
		printf("%-20s %6.2f %6.2f %6.2f\n", evaluation->stages[i].name, scores[0].map, scores[1].map,
		       scores[2].map);
	}
}

static int print(const struct evaluation *evaluation)
{
	if (is_json(format))
		return print_as_json(evaluation);
	printf("%-8s %6s %6s %6s %6s %8s\n", "", "mAP", "mP@1", "mP@5", "mP@10", "queries");
	for (int p = 0; p < PROTOCOLS; p++) {
		const cairn_roxford_scores *s = &evaluation->protocols[p].scores;
		if (s->queries)
			printf("%-8s %6.2f %6.2f %6.2f %6.2f %8zu\n", protocol_names[p], s->map, s->mp1, s->mp5,
			       s->mp10, s->queries);
		else
			printf("%-8s %6s %6s %6s %6s %8d\n", protocol_names[p], "-", "-", "-", "-", 0);
	}
	if (evaluation->run)
		print_stages(evaluation);
	return output_end(EXIT_DONE);
}

/* ---- the whole ---- */

static int make_run(struct evaluation *evaluation)
{
	cairn_run_options options = CAIRN_RUN_OPTIONS_INIT;
	cairn_recipe_role *models = read_roles(&roles);
	options.cache = cache_folder;
	options.roles = models;
	options.role_count = roles.count;
	options.threads = (uint32_t)how.threads;
	options.precision = how.precision;
	options.progress = progress_show;
	options.progress_payload = &evaluation->progress;
	int status = roxford_make_run(evaluation, recipe_name, &options);
	free_roles(models, &roles);
	return status;
}

static int make_searcher(struct evaluation *evaluation)
{
	cairn_search_options options;
	search_options(&options, &how);
	/* Whole lists are scored. */
	options.k = evaluation->image_count ? (uint32_t)evaluation->image_count : 1;
	options.progress = progress_show;
	options.progress_payload = &evaluation->progress;
	warn_of_recall(evaluation->collection, &how);
	return cairn_searcher_new(&evaluation->searcher, evaluation->collection, &options);
}

static void release(struct evaluation *evaluation)
{
	for (int p = 0; p < PROTOCOLS; p++) {
		for (size_t q = 0; evaluation->protocols[p].lists && q < cairn_roxford_queries(evaluation->truth); q++)
			free(evaluation->protocols[p].lists[q]);
		free(evaluation->protocols[p].lists);
		free(evaluation->protocols[p].lengths);
	}
	for (size_t q = 0; evaluation->paths && q < cairn_roxford_queries(evaluation->truth); q++)
		free(evaluation->paths[q]);
	free(evaluation->paths);
	free(evaluation->images);
	free(evaluation->exclude);
	cairn_searcher_free(evaluation->searcher);
	cairn_run_free(evaluation->run);
	free(evaluation->stages);
	cairn_recipe_free(evaluation->recipe);
	cairn_collection_free(evaluation->collection);
	cairn_roxford_free(evaluation->truth);
}

/* What went wrong with a query was told with it. */
static int evaluate(struct evaluation *evaluation)
{
	make_lists(evaluation);
	int status = evaluation->run ? roxford_run(evaluation) : answer_all(evaluation);
	if (status == CAIRN_ECANCELLED)
		say("interrupted: nothing was scored");
	/* What a query asks for stands in the ground truth, not on the command line. */
	if (status < 0)
		return status == CAIRN_EINVALID ? EXIT_INPUT : exit_code(status);
	for (int p = 0; p < PROTOCOLS && status == 0; p++)
		status = roxford_score(evaluation, p);
	return status < 0 ? say_failure(status) : print(evaluation);
}

static int check_options(const struct command *command)
{
	if (!recipe_name && (roles.count || cache_folder))
		return usage_error(command, "--%s goes with --recipe", roles.count ? "model" : "cache");
	return check_roles(command, &roles);
}

static int run(const struct arguments *arguments)
{
	struct evaluation evaluation = { 0 };
	int wrong = check_options(arguments->command);
	if (wrong)
		return wrong;
	interrupt_watch();
	int status = cairn_collection_open(&evaluation.collection, arguments->operands[0], 0);
	if (status == 0)
		status = cairn_roxford_open(&evaluation.truth, arguments->operands[1]);
	if (status == 0)
		status = roxford_read_images(&evaluation);
	if (status == 0)
		status = recipe_name ? make_run(&evaluation) : make_searcher(&evaluation);
	int code = status < 0 ? say_failure(status)
			      : roxford_find_queries(&evaluation, arguments->operands[1], images_folder);
	if (code == EXIT_DONE)
		code = evaluate(&evaluation);
	release(&evaluation);
	return code;
}

static const char *const usage[] = { "DIR GROUNDTRUTH.json --images FOLDER [options]", NULL };

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ "GROUNDTRUTH.json", COMPLETE_FILE, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_TEXT(0, "images", "FOLDER", &images_folder, COMPLETE_FOLDER,
		 "the folder of the query photographs, by their names (default: the working directory)"),
	OPT_TEXT(0, "recipe", "RECIPE", &recipe_name, COMPLETE_RECIPE,
		 "rank by a recipe; then of the options below only --precision, --threads and --format count"),
	OPT_LIST(0, "model", "ROLE=NAME", &roles, COMPLETE_NOTHING,
		 "let a model take a role of the recipe, such as local=rootsift"),
	OPT_TEXT(0, "cache", "FOLDER", &cache_folder, COMPLETE_FOLDER,
		 "keep what the recipe's stages give in this folder (default: what does not depend on queries, in the "
		 "collection's folder \"cache\")"),
	OPT_SEARCH(how),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output",
	  "One object: easy, medium and hard, each with map, mp1, mp5, mp10 (in per cent; null "
	  "where no query has a positive) and queries (how many have one); seconds. With --recipe also stages, a "
	  "list of objects with name, easy, medium and hard: the same after each stage." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn eval roxford oxford gnd_roxford5k.json --images oxford5k/jpg",
	  "scores with the default verification" },
	{ "cairn eval roxford oxford gnd.json --images jpg --verify 0 --format json",
	  "of the global descriptors alone" },
	{ NULL, NULL },
};

const struct command cmd_eval_roxford = {
	.name = "eval roxford",
	.summary = "revisited Oxford and Paris",
	.description = "Scores a collection on revisited Oxford or Paris: mean average precision and mean precision at "
		       "1, 5 and 10 under "
		       "the protocols easy, medium and hard.\n\n"
		       "The queries are FOLDER/NAME.jpg, cut to their boxes. Images of the collection belong to the "
		       "database by their "
		       "file names without extension; the queries' own photographs are left out, all others count as "
		       "distractors. Where "
		       "images are verified, a protocol's junk is left out first. scripts/gnd_to_json.py of the source "
		       "makes the ground "
		       "truth from the official gnd_roxford5k.pkl.",
	.usage = usage,
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};

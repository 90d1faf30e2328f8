/*
 * cairn search: which images of a collection show the place of this photograph?
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cairn/run.h"
#include "cairn/search.h"
#include "exit_code.h"
#include "filter.h"
#include "interrupt.h"
#include "options.h"
#include "progress.h"
#include "say.h"
#include "search_output.h"
#include "shared.h"
#include "text.h"

static struct search_arguments how = SEARCH_ARGUMENTS_INIT;
static struct filter_arguments wanted;
static struct texts ids;
static uint64_t k = 100, min_inliers;
static double min_score = -INFINITY;
static struct texts roles;
static const char *box_text, *format, *report, *recipe_name;

/* What is searched with: a photograph, or an image of the collection. */
struct query {
	const char *path; /* empty for an image of the collection */
	int64_t id;       /* 0 for a photograph */
};

/* One run of the command. */
struct search {
	cairn_searcher *searcher; /* this, */
	cairn_recipe *recipe;     /* or these */
	cairn_run *run;
	const cairn_box *box; /* NULL: whole photographs */
	struct query *queries;
	size_t count, answered;
	struct search_output output;
	struct progress progress;
	cairn_answer **answers; /* kept for the report */
	size_t answer_count;
	int warned;
	int code; /* of the first that could not be answered */
};

static int read_box(const struct command *command, cairn_box *box)
{
	double corner[4];
	char *copy = need_text("%s", box_text), *rest = copy;
	int good = 1;
	for (size_t i = 0; i < 4; i++) {
		const char *part = strsep(&rest, ",");
		good &= part && parse_real(part, -1e9, 1e9, &corner[i]);
	}
	good &= !rest;
	free(copy);
	if (!good)
		return usage_error(command, "--box takes four numbers x0,y0,x1,y1, not '%s'", box_text);
	*box = (cairn_box){ corner[0], corner[1], corner[2], corner[3] };
	if (box->x1 <= box->x0 || box->y1 <= box->y0)
		return usage_error(command, "--box %s is empty: x1 must be above x0 and y1 above y0", box_text);
	return 0;
}

/* ---- what is asked ---- */

static int check_arguments(const struct arguments *arguments)
{
	uint64_t id;
	if (arguments->count < 2 && !ids.count)
		return usage_error(arguments->command, "IMAGE or --id is missing");
	if (check_roles(arguments->command, &roles))
		return EXIT_USAGE;
	for (size_t i = 0; i < ids.count; i++)
		if (!parse_whole(ids.items[i], 1, INT64_MAX, &id))
			return usage_error(arguments->command,
					   "--id takes a whole number from 1 to %" PRId64 ", not '%s'", INT64_MAX,
					   ids.items[i]);
	if (recipe_name && is_filter_given(&wanted))
		return usage_error(arguments->command, "a recipe searches among all images; --label, --ids and --where "
						       "do not go with --recipe");
	if (roles.count && !recipe_name)
		return usage_error(arguments->command, "--model takes a role of a recipe; name one with --recipe");
	if (box_text && (arguments->count != 2 || ids.count))
		return usage_error(arguments->command,
				   "--box belongs to one photograph; give exactly one IMAGE with it");
	return 0;
}

/* Photographs first, then ids, whatever their order on the command line. */
static void take_questions(struct search *search, const struct arguments *arguments)
{
	search->queries = need(arguments->count + ids.count, sizeof(*search->queries));
	for (size_t i = 1; i < arguments->count; i++)
		search->queries[search->count++].path = arguments->operands[i];
	for (size_t i = 0; i < ids.count; i++) {
		struct query *query = &search->queries[search->count++];
		uint64_t id = 0;
		parse_whole(ids.items[i], 1, INT64_MAX, &id);
		*query = (struct query){ "", (int64_t)id };
	}
}

/* ---- answers ---- */

static void warn_of_verify(struct search *search, const cairn_answer *answer)
{
	if (how.verify != UNSET && cairn_answer_by(answer) == CAIRN_BY_AUTO && !search->warned)
		say_warning("--verify has no effect: without global descriptors and ASMK there are no best to choose, "
			    "and all images "
			    "are verified");
	search->warned = 1;
}

static int take_answer(struct search *search, cairn_answer *answer, int64_t id)
{
	warn_of_verify(search, answer);
	int code = search_output_answer(&search->output, answer, id);
	search->answered++;
	if (report)
		search->answers[search->answer_count++] = answer;
	else
		cairn_answer_free(answer);
	return code;
}

/* The others are still answered; the exit code tells of the first that could not be. */
static void take_failure(struct search *search, const struct query *query, int status)
{
	search_output_failure(&search->output, query->path, query->id, cairn_last_error());
	int code = say_failure(status);
	if (search->code == EXIT_DONE)
		search->code = code;
}

/* ---- by a recipe ---- */

/* Photographs that cannot be read are told, and the others are asked with. @param[out] asked which query of the run
 * each is; SIZE_MAX: none */
static void ask_all(struct search *search, size_t *asked)
{
	for (size_t i = 0; i < search->count; i++) {
		const struct query *query = &search->queries[i];
		int status = query->id ? cairn_run_add_id(search->run, query->id)
				       : cairn_run_add_photo(search->run, query->path, search->box);
		asked[i] = status == 0 ? cairn_run_queries(search->run) - 1 : SIZE_MAX;
		if (status < 0)
			take_failure(search, query, status);
	}
}

static int take_answers(struct search *search, const size_t *asked)
{
	int code = EXIT_DONE;
	for (size_t i = 0; i < search->count && code == EXIT_DONE; i++) {
		cairn_answer *answer;
		if (asked[i] == SIZE_MAX)
			continue;
		int status = cairn_run_answer(&answer, search->run, SIZE_MAX, asked[i], (size_t)k, report != NULL);
		code = status < 0 ? say_failure(status) : take_answer(search, answer, search->queries[i].id);
	}
	return code;
}

static int run_recipe(struct search *search)
{
	size_t *asked = need(search->count, sizeof(*asked));
	int code = EXIT_DONE, status = 0;
	ask_all(search, asked);
	progress_start(&search->progress, NULL);
	if (cairn_run_queries(search->run))
		status = cairn_run_execute(search->run);
	progress_end(&search->progress);
	if (status < 0)
		code = status == CAIRN_ECANCELLED ? EXIT_INTERRUPTED : say_failure(status);
	else
		code = take_answers(search, asked);
	free(asked);
	return code;
}

static int make_run(struct search *search, cairn_collection *collection)
{
	cairn_run_options options = CAIRN_RUN_OPTIONS_INIT;
	cairn_recipe_role *models = read_roles(&roles);
	options.roles = models;
	options.role_count = roles.count;
	options.threads = (uint32_t)how.threads;
	options.precision = how.precision;
	options.progress = progress_show;
	options.progress_payload = &search->progress;
	int status = cairn_recipe_open(&search->recipe, recipe_name);
	if (status == 0)
		status = cairn_run_new(&search->run, search->recipe, collection, &options);
	free_roles(models, &roles);
	return status < 0 ? say_failure(status) : EXIT_DONE;
}

/* ---- one by one ---- */

/* @return EXIT_DONE to go on with the next */
static int answer(struct search *search, const struct query *query)
{
	cairn_answer *answer;
	int status = query->id ? cairn_search_id(&answer, search->searcher, query->id)
			       : cairn_search_path(&answer, search->searcher, query->path, search->box);
	if (status == CAIRN_ECANCELLED)
		return EXIT_INTERRUPTED;
	if (status == 0)
		return take_answer(search, answer, query->id);
	take_failure(search, query, status);
	return EXIT_DONE;
}

static int answer_all(struct search *search)
{
	int code = EXIT_DONE;
	progress_start(&search->progress, NULL);
	for (size_t i = 0; i < search->count && code == EXIT_DONE; i++)
		code = progress_item(&search->progress, "answering queries", i, search->count)
			       ? EXIT_INTERRUPTED
			       : answer(search, &search->queries[i]);
	progress_end(&search->progress);
	return code;
}

static int write_report(struct search *search)
{
	cairn_report_options options = CAIRN_REPORT_OPTIONS_INIT;
	if (!search->answer_count) {
		say_warning("no query was answered; %s was not written", report);
		return EXIT_DONE;
	}
	options.progress = progress_show;
	options.progress_payload = &search->progress;
	/* Only the pointers themselves are const in the call. */
	const cairn_answer **answers = need(search->answer_count, sizeof(*answers));
	memcpy(answers, search->answers, search->answer_count * sizeof(*answers));
	progress_start(&search->progress, NULL);
	int status = cairn_report_write(report, answers, search->answer_count, &options);
	progress_end(&search->progress);
	free(answers);
	if (status == 0)
		say("report: %s", report);
	return status == CAIRN_ECANCELLED ? EXIT_INTERRUPTED : status < 0 ? say_failure(status) : EXIT_DONE;
}

static void say_interrupted(const struct search *search)
{
	say("interrupted: %zu of %zu quer%s answered%s%s%s", search->answered, search->count,
	    search->count == 1 ? "y was" : "ies were", report ? "; " : "", report ? report : "",
	    report ? " was not written" : "");
}

static int search_all(struct search *search)
{
	search_output_start(&search->output, format);
	int code = search->run ? run_recipe(search) : answer_all(search);
	if (code == EXIT_DONE || code == EXIT_INTERRUPTED) {
		int ended = search_output_end(&search->output, code == EXIT_INTERRUPTED);
		code = ended == EXIT_DONE ? code : ended;
	}
	if (report && code == EXIT_DONE)
		code = write_report(search);
	if (code == EXIT_INTERRUPTED)
		say_interrupted(search);
	return code == EXIT_DONE ? search->code : code;
}

static void release(struct search *search)
{
	for (size_t i = 0; i < search->answer_count; i++)
		cairn_answer_free(search->answers[i]);
	free(search->answers);
	free(search->queries);
	cairn_searcher_free(search->searcher);
	cairn_run_free(search->run);
	cairn_recipe_free(search->recipe);
}

static int make_searcher(struct search *search, cairn_collection *collection, const cairn_filter *filter)
{
	cairn_search_options options;
	search_options(&options, &how);
	options.k = (uint32_t)k;
	options.min_score = (float)min_score;
	options.min_inliers = (int32_t)min_inliers;
	cairn_filter watched = *filter;
	options.progress = watched.progress = progress_show;
	options.progress_payload = watched.progress_payload = &search->progress;
	if (is_filter_given(&wanted))
		options.filter = &watched;
	warn_of_recall(collection, &how);
	progress_start(&search->progress, NULL);
	int status = cairn_searcher_new(&search->searcher, collection, &options);
	progress_end(&search->progress);
	return status < 0 ? say_failure(status) : EXIT_DONE;
}

/* Otherwise nothing would be found and nothing tell why. */
static void warn_of_emptiness(cairn_collection *collection)
{
	cairn_collection_info info;
	if (cairn_collection_get_info(collection, &info) == 0 && !info.images)
		say_warning("%s has no images; 'cairn add' adds some", info.folder);
}

static int search(cairn_collection *collection, const struct arguments *arguments, const cairn_filter *filter,
		  const cairn_box *box)
{
	struct search search = { .box = box };
	int code = recipe_name ? make_run(&search, collection) : make_searcher(&search, collection, filter);
	if (code != EXIT_DONE)
		return code;
	warn_of_emptiness(collection);
	take_questions(&search, arguments);
	search.answers = need(search.count, sizeof(*search.answers));
	code = search_all(&search);
	release(&search);
	return code;
}

/* Told before the work that it would be too late after. */
static int check_report(void)
{
	if (!report)
		return 0;
	const char *slash = strrchr(report, '/');
	char *folder = slash && slash > report ? need_text("%.*s", (int)(slash - report), report)
					       : need_text(slash ? "/" : ".");
	int bad = access(folder, W_OK | X_OK) != 0;
	if (bad)
		say_error("--report %s cannot be written: %s: %s", report, folder, strerror(errno));
	free(folder);
	return bad ? EXIT_INPUT : check_overwriting("--report", report, ".html");
}

static int open_and_search(const struct arguments *arguments, const cairn_filter *filter, const cairn_box *box)
{
	cairn_collection *collection;
	int status = cairn_collection_open(&collection, arguments->operands[0], 0);
	if (status < 0)
		return say_failure(status);
	int code = search(collection, arguments, filter, box);
	cairn_collection_free(collection);
	return code;
}

static int run(const struct arguments *arguments)
{
	struct filter filter;
	cairn_box box;
	int code = check_arguments(arguments);
	if (!code && box_text)
		code = read_box(arguments->command, &box);
	if (!code)
		code = check_report();
	if (code)
		return code;
	code = read_filter(&wanted, &filter);
	/* From here on: reading ids from a terminal is ended by Ctrl-C at once. */
	interrupt_watch();
	if (code == EXIT_DONE)
		code = open_and_search(arguments, &filter.filter, box_text ? &box : NULL);
	free_filter(&filter);
	return code;
}

static const char *const usage[] = { "DIR IMAGE... [options]", "DIR --id ID [--id ID]... [options]", NULL };

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ "IMAGE", COMPLETE_FILE, 1, 1 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_LIST(0, "id", "ID", &ids, COMPLETE_NOTHING,
		 "search with an image of the collection, as often as wanted; it is left out of its own results"),
	OPT_WHOLE('k', "k", "N", &k, 1, INT32_MAX, "how many images are wanted at most (default 100)"),
	OPT_TEXT(0, "box", "X0,Y0,X1,Y1", &box_text, COMPLETE_NOTHING,
		 "search with a part of the photograph, in its pixels; X1 and Y1 are exclusive"),
	OPT_TEXT(0, "recipe", "RECIPE", &recipe_name, COMPLETE_RECIPE,
		 "search by a recipe ('cairn recipe list' names those there are); of the options below only "
		 "--precision, "
		 "--threads, --format and --report count then"),
	OPT_LIST(0, "model", "ROLE=NAME", &roles, COMPLETE_NOTHING,
		 "let a model take a role of the recipe, such as local=rootsift"),
	OPT_SEARCH(how),
	OPT_FILTER(wanted),
	OPT_REAL("min-score", "X", &min_score, -HUGE_VAL, HUGE_VAL, "leave out images with a lower score"),
	OPT_WHOLE(0, "min-inliers", "N", &min_inliers, 0, INT32_MAX,
		  "leave out images with fewer inliers, and those not verified"),
	OPT_CHOICE("format", "FORMAT", &format, search_formats, "text, json or csv (default text)"),
	OPT_TEXT(0, "report", "FILE.html", &report, COMPLETE_FILE,
		 "write a page with thumbnails and the matched points of the best"),
	OPT_END,
};

static const struct section sections[] = {
	{ "columns", "score is what the order is by; similarity the cosine of the global descriptors; inliers the "
		     "number of matched points "
		     "that agree on one geometric map between the two photographs, - where this was not verified." },
	FILTER_SECTION,
	{ "csv output", "A line of names, then one line a result, fields quoted as RFC 4180 says:\n\n"
			"  query,rank,id,path,score,inliers,label\n\n"
			"rank counts from 1 for each query. What is not known is empty." },
	{ "json output",
	  "One object with queries, a list in the order of the command line, photographs before ids, and interrupted: "
	  "true "
	  "where not all were answered because the command was stopped. Each query has query (the path), id (null for "
	  "a "
	  "file), "
	  "box ([x0, y0, x1, y1] or null), by (global, asmk, fused; null where all images were verified), seconds "
	  "(decode, describe, search, verify) and results, a list of objects "
	  "with rank, id, path, score, similarity, asmk, inliers, label, width and height; what is not known is null. "
	  "A "
	  "query "
	  "that failed has query, id and error instead." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn search my-photos holiday.jpg --report report.html", "and see the matched points" },
	{ "cairn search my-photos street.jpg --box 120,40,610,900 --format csv", "search with a part, for a program" },
	{ "cairn search my-photos --id 17 --min-inliers 20", "only what is proven" },
	{ "cairn search my-photos holiday.jpg --where \"width > 1000 AND label = 'x'\"", "only among some images" },
	{ NULL, NULL },
};

const struct command cmd_search = {
	.name = "search",
	.summary = "find the images that show the place of a photograph",
	.description = "Finds the images of a collection that show the place of a photograph: the nearest by global "
		       "descriptor, the best of "
		       "them verified by local features and put into order.\n\n"
		       "With several photographs, one that cannot be read is told and the others are answered; the "
		       "exit status is "
		       "then 2. After Ctrl-C (SIGINT or SIGTERM) what was answered is printed, and no report is "
		       "written.",
	.usage = usage,
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};

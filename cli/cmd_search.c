/*
 * cairn search: which images of a collection show the place of this photograph?
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/search.h"
#include "exit_code.h"
#include "options.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static struct search_arguments how = SEARCH_ARGUMENTS_INIT;
static struct texts ids;
static uint64_t k = 100, min_inliers;
static double min_score = -INFINITY;
static const char *box_text, *format, *report;

static const char *const formats[] = { "text", "json", "csv", NULL };

enum form { TEXT, JSON, CSV };

/* One run of the command. */
struct search {
	cairn_searcher *searcher;
	const cairn_box *box; /* NULL: whole photographs */
	enum form form;
	json_t *queries;        /* of JSON */
	cairn_answer **answers; /* kept for the report */
	size_t answer_count;
	int code;
};

static enum form chosen_form(void)
{
	return !format || strcmp(format, "text") == 0 ? TEXT : strcmp(format, "json") == 0 ? JSON : CSV;
}

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

/* ---- text ---- */

static const char *cell(char *out, size_t size, float value)
{
	if (isnan(value))
		return "-";
	snprintf(out, size, "%.3f", (double)value);
	return out;
}

static void print_hit(size_t rank, const cairn_hit *hit)
{
	char score[32], similarity[32], inliers[32] = "-";
	char *path = visible(hit->path), *label = visible(hit->label ? hit->label : "");
	if (hit->inliers != CAIRN_NO_INLIERS)
		snprintf(inliers, sizeof(inliers), "%" PRId32, hit->inliers);
	printf("%4zu  %7s  %10s  %7s  %6" PRId64 "  %s%s%s%s\n", rank + 1, cell(score, sizeof(score), hit->score),
	       cell(similarity, sizeof(similarity), hit->similarity), inliers, hit->id, path, *label ? "  [" : "",
	       label, *label ? "]" : "");
	free(path);
	free(label);
}

static void print_text(const cairn_answer *answer)
{
	cairn_answer_times times = cairn_answer_get_times(answer);
	size_t count = cairn_answer_count(answer);
	char *query = visible(cairn_answer_query(answer));
	cairn_hit hit;
	printf("%s: %zu found in %.2f s\n", query, count, times.decode + times.describe + times.search + times.verify);
	if (count)
		printf("%4s  %7s  %10s  %7s  %6s  %s\n", "rank", "score", "similarity", "inliers", "id", "path");
	for (size_t i = 0; i < count && cairn_answer_get(answer, i, &hit) == 0; i++)
		print_hit(i, &hit);
	putchar('\n');
	free(query);
}

/* ---- CSV ---- */

static void print_csv(const cairn_answer *answer)
{
	cairn_hit hit;
	for (size_t i = 0; i < cairn_answer_count(answer) && cairn_answer_get(answer, i, &hit) == 0; i++) {
		csv_field(stdout, cairn_answer_query(answer));
		printf(",%zu,%" PRId64 ",", i + 1, hit.id);
		csv_field(stdout, hit.path);
		putchar(',');
		if (!isnan(hit.score))
			printf("%.7g", (double)hit.score);
		putchar(',');
		if (hit.inliers != CAIRN_NO_INLIERS)
			printf("%" PRId32, hit.inliers);
		putchar(',');
		csv_field(stdout, hit.label);
		putchar('\n');
	}
}

/* ---- JSON ---- */

static json_t *hit_json(size_t rank, const cairn_hit *hit)
{
	json_t *object = json_object();
	set_member(object, "rank", json_integer((json_int_t)rank + 1));
	set_member(object, "id", json_integer(hit->id));
	set_path(object, "path", hit->path);
	set_member(object, "score", number_json(hit->score));
	set_member(object, "similarity", number_json(hit->similarity));
	set_member(object, "inliers", hit->inliers == CAIRN_NO_INLIERS ? json_null() : json_integer(hit->inliers));
	set_member(object, "label", text_json(hit->label));
	set_member(object, "width", json_integer(hit->width));
	set_member(object, "height", json_integer(hit->height));
	return object;
}

static json_t *query_json(const char *path, int64_t id)
{
	json_t *object = json_object();
	set_path(object, "query", path);
	set_member(object, "id", id ? json_integer(id) : json_null());
	return object;
}

static json_t *answer_json(const struct search *search, const cairn_answer *answer, int64_t id)
{
	json_t *object = query_json(cairn_answer_query(answer), id), *seconds = json_object(), *results = json_array();
	cairn_answer_times times = cairn_answer_get_times(answer);
	cairn_hit hit;
	set_member(object, "box", search->box ? box_json(*search->box) : json_null());
	set_member(seconds, "decode", number_json(times.decode));
	set_member(seconds, "describe", number_json(times.describe));
	set_member(seconds, "search", number_json(times.search));
	set_member(seconds, "verify", number_json(times.verify));
	set_member(object, "seconds", seconds);
	for (size_t i = 0; i < cairn_answer_count(answer) && cairn_answer_get(answer, i, &hit) == 0; i++)
		add_item(results, hit_json(i, &hit));
	set_member(object, "results", results);
	return object;
}

/* ---- searching ---- */

static void take_answer(struct search *search, cairn_answer *answer, int64_t id)
{
	if (search->form == JSON)
		add_item(search->queries, answer_json(search, answer, id));
	else if (search->form == CSV)
		print_csv(answer);
	else
		print_text(answer);
	if (report)
		search->answers[search->answer_count++] = answer;
	else
		cairn_answer_free(answer);
}

/* The others are still answered; the exit code tells of the first that could not be. */
static void take_failure(struct search *search, const char *path, int64_t id, int status)
{
	if (search->form == JSON) {
		json_t *object = query_json(path, id);
		set_member(object, "error", text_json(cairn_last_error()));
		add_item(search->queries, object);
	}
	int code = say_failure(status);
	if (search->code == EXIT_DONE)
		search->code = code;
}

static void search_paths(struct search *search, const struct arguments *arguments)
{
	for (size_t i = 1; i < arguments->count; i++) {
		cairn_answer *answer;
		int status = cairn_search_path(&answer, search->searcher, arguments->operands[i], search->box);
		if (status < 0)
			take_failure(search, arguments->operands[i], 0, status);
		else
			take_answer(search, answer, 0);
	}
}

static void search_ids(struct search *search)
{
	for (size_t i = 0; i < ids.count; i++) {
		cairn_answer *answer;
		uint64_t id = 0;
		parse_whole(ids.items[i], 1, INT64_MAX, &id);
		int status = cairn_search_id(&answer, search->searcher, (int64_t)id);
		if (status < 0)
			take_failure(search, "", (int64_t)id, status);
		else
			take_answer(search, answer, (int64_t)id);
	}
}

static void write_report(struct search *search)
{
	cairn_report_options options = CAIRN_REPORT_OPTIONS_INIT;
	if (!search->answer_count) {
		say_warning("no query was answered; %s was not written", report);
		return;
	}
	/* Only the pointers themselves are const in the call. */
	const cairn_answer **answers = need(search->answer_count, sizeof(*answers));
	memcpy(answers, search->answers, search->answer_count * sizeof(*answers));
	int status = cairn_report_write(report, answers, search->answer_count, &options);
	free(answers);
	if (status < 0)
		search->code = say_failure(status);
	else
		say("report: %s", report);
}

static int search_all(struct search *search, const struct arguments *arguments)
{
	search->answers = need(arguments->count + ids.count, sizeof(cairn_answer *));
	if (search->form == CSV)
		puts("query,rank,id,path,score,inliers,label");
	if (search->form == JSON)
		search->queries = json_array();
	search_paths(search, arguments);
	search_ids(search);
	if (search->form == JSON) {
		json_t *root = json_object();
		set_member(root, "queries", search->queries);
		print_json(root);
	}
	int code = output_end(EXIT_DONE);
	if (report && code == EXIT_DONE)
		write_report(search);
	for (size_t i = 0; i < search->answer_count; i++)
		cairn_answer_free(search->answers[i]);
	free(search->answers);
	return code == EXIT_DONE ? search->code : code;
}

static int search(cairn_collection *collection, const struct arguments *arguments, const cairn_box *box)
{
	struct search search = { .box = box, .form = chosen_form() };
	cairn_search_options options;
	search_options(&options, &how);
	options.k = (uint32_t)k;
	options.min_score = (float)min_score;
	options.min_inliers = (int32_t)min_inliers;
	int status = cairn_searcher_new(&search.searcher, collection, &options);
	if (status < 0)
		return say_failure(status);
	int code = search_all(&search, arguments);
	cairn_searcher_free(search.searcher);
	return code;
}

static int check_arguments(const struct arguments *arguments)
{
	uint64_t id;
	if (arguments->count < 2 && !ids.count)
		return usage_error(arguments->command, "IMAGE or --id is missing");
	for (size_t i = 0; i < ids.count; i++)
		if (!parse_whole(ids.items[i], 1, INT64_MAX, &id))
			return usage_error(arguments->command,
					   "--id takes a whole number from 1 to %" PRId64 ", not '%s'", INT64_MAX,
					   ids.items[i]);
	if (box_text && (arguments->count != 2 || ids.count))
		return usage_error(arguments->command,
				   "--box belongs to one photograph; give exactly one IMAGE with it");
	return 0;
}

static int run(const struct arguments *arguments)
{
	cairn_collection *collection;
	cairn_box box;
	int code = check_arguments(arguments);
	if (!code && box_text)
		code = read_box(arguments->command, &box);
	if (code)
		return code;
	int status = cairn_collection_open(&collection, arguments->operands[0], 0);
	if (status < 0)
		return say_failure(status);
	code = search(collection, arguments, box_text ? &box : NULL);
	cairn_collection_free(collection);
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
	OPT_SEARCH(how),
	OPT_REAL("min-score", "X", &min_score, -HUGE_VAL, HUGE_VAL, "leave out images with a lower score"),
	OPT_WHOLE(0, "min-inliers", "N", &min_inliers, 0, INT32_MAX,
		  "leave out images with fewer inliers, and those not verified"),
	OPT_CHOICE("format", "FORMAT", &format, formats, "text, json or csv (default text)"),
	OPT_TEXT(0, "report", "FILE.html", &report, COMPLETE_FILE,
		 "write a page with thumbnails and the matched points of the best"),
	OPT_END,
};

static const struct section sections[] = {
	{ "columns", "score is what the order is by; similarity the cosine of the global descriptors; inliers the "
		     "number of matched points "
		     "that agree on one geometric map between the two photographs, - where this was not verified." },
	{ "csv output", "A line of names, then one line a result, fields quoted as RFC 4180 says:\n\n"
			"  query,rank,id,path,score,inliers,label\n\n"
			"rank counts from 1 for each query. What is not known is empty." },
	{ "json output",
	  "One object with queries, a list in the order of the command line. Each has query (the path), id (null for a "
	  "file), "
	  "box ([x0, y0, x1, y1] or null), seconds (decode, describe, search, verify) and results, a list of objects "
	  "with rank, id, path, score, similarity, inliers, label, width and height; what is not known is null. A "
	  "query "
	  "that failed has query, id and error instead." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn search my-photos holiday.jpg --report report.html", "and see the matched points" },
	{ "cairn search my-photos street.jpg --box 120,40,610,900 --format csv", "search with a part, for a program" },
	{ "cairn search my-photos --id 17 --min-inliers 20", "only what is proven" },
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
		       "then 2.",
	.usage = usage,
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};

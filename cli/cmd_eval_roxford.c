/*
 * cairn eval roxford: revisited Oxford and Paris. Each query is described once and answered once a protocol, with the
 * protocol's junk taken out before the best are verified; pairs that were verified are remembered by the query.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/eval.h"
#include "cairn/run.h"
#include "cairn/search.h"
#include "exit_code.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

#define PROTOCOLS 3

static const char *const protocol_names[PROTOCOLS] = { "easy", "medium", "hard" };

static struct search_arguments how = SEARCH_ARGUMENTS_INIT;
static const char *images_folder = ".", *format, *recipe_name, *cache_folder;
static struct texts roles;

/* An image of the collection, ids ascending. */
struct image {
	int64_t id;
	int64_t position; /* in the ground truth's database; -1: a distractor */
	int is_query;     /* a query's own photograph, which is neither */
};

/* A stage of a recipe that gives a ranking. */
struct stage {
	size_t number; /* in the recipe */
	const char *name;
	cairn_roxford_scores scores[PROTOCOLS];
};

struct evaluation {
	cairn_roxford *truth;
	cairn_collection *collection;
	cairn_searcher *searcher; /* this, */
	cairn_recipe *recipe;     /* or these */
	cairn_run *run;
	struct stage *stages;
	size_t stage_count;
	struct image *images;
	size_t image_count, there; /* of the collection; database images among them */
	int64_t *exclude;          /* room for all images */
	char **paths;              /* of the query photographs */
	struct {
		int64_t **lists; /* one a query: positions, best first */
		size_t *lengths;
		cairn_roxford_scores scores;
	} protocols[PROTOCOLS];
	struct progress progress;
	double seconds;
};

/* ---- which images are which ---- */

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static char *stem_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path,
		   *extension = cairn_image_extension(base);
	return need_text("%.*s", (int)(extension ? (size_t)(extension - base) : strlen(base)), base);
}

static int is_query_name(const char **names, size_t count, const char *path)
{
	char *stem = stem_of(path);
	const char *key = stem;
	int found = bsearch(&key, names, count, sizeof(*names), compare_names) != NULL;
	free(stem);
	return found;
}

static const char **query_names(const cairn_roxford *truth)
{
	size_t count = cairn_roxford_queries(truth);
	const char **names = need(count, sizeof(*names));
	for (size_t q = 0; q < count; q++)
		names[q] = cairn_roxford_query_name(truth, q);
	qsort(names, count, sizeof(*names), compare_names);
	return names;
}

static void tell_matched(struct evaluation *evaluation)
{
	size_t database = cairn_roxford_images(evaluation->truth), there = 0, distractors = 0;
	uint8_t *seen = need(database, 1);
	for (size_t i = 0; i < evaluation->image_count; i++) {
		const struct image *image = &evaluation->images[i];
		distractors += image->position < 0 && !image->is_query;
		if (image->position >= 0 && seen[image->position])
			say_warning("two images of the collection are called '%s'; the better one counts",
				    cairn_roxford_image_name(evaluation->truth, (size_t)image->position));
		else if (image->position >= 0)
			there += seen[image->position] = 1;
	}
	free(seen);
	say("%zu of %zu database images are in the collection, with %zu distractors", there, database, distractors);
	size_t missing = database - there;
	if (there && missing)
		say_warning("%zu database image%s missing; positives among them count as not found", missing,
			    missing == 1 ? " is" : "s are");
	evaluation->there = there;
}

static int read_images(struct evaluation *evaluation)
{
	int64_t *ids;
	int status = cairn_collection_ids(evaluation->collection, &ids, &evaluation->image_count);
	if (status < 0)
		return status;
	const char **names = query_names(evaluation->truth);
	evaluation->images = need(evaluation->image_count, sizeof(*evaluation->images));
	evaluation->exclude = need(evaluation->image_count, sizeof(*evaluation->exclude));
	for (size_t i = 0; i < evaluation->image_count && status == 0; i++) {
		cairn_image_record record;
		struct image *image = &evaluation->images[i];
		status = cairn_collection_find_id(evaluation->collection, ids[i], &record);
		if (status < 0)
			break;
		image->id = ids[i];
		image->position = cairn_roxford_find(evaluation->truth, record.path);
		image->is_query = image->position < 0 &&
				  is_query_name(names, cairn_roxford_queries(evaluation->truth), record.path);
	}
	free(names);
	cairn_bytes_free(ids);
	if (status == 0)
		tell_matched(evaluation);
	return status;
}

/* What is missing is told before hours of work, not after. */
static int find_queries(struct evaluation *evaluation, const char *truth)
{
	size_t count = cairn_roxford_queries(evaluation->truth), missing = 0;
	const char *first = NULL;
	if (!count || !evaluation->there) {
		say_error("%s: %s", truth,
			  count ? "none of its database images is in the collection" : "there is no query in it");
		return EXIT_INPUT;
	}
	evaluation->paths = need(count, sizeof(*evaluation->paths));
	for (size_t q = 0; q < count; q++) {
		const char *name = cairn_roxford_query_name(evaluation->truth, q);
		evaluation->paths[q] = find_image_file(images_folder, name);
		first = first || evaluation->paths[q] ? first : name;
		missing += !evaluation->paths[q];
	}
	if (!missing)
		return EXIT_DONE;
	say_error("%zu of %zu query photographs cannot be found: there is no %s.jpg in %s; name their folder with "
		  "--images",
		  missing, count, first, images_folder);
	return EXIT_INPUT;
}

static int compare_image(const void *key, const void *item)
{
	int64_t id = *(const int64_t *)key, other = ((const struct image *)item)->id;
	return id < other ? -1 : id > other;
}

static const struct image *image_of(const struct evaluation *evaluation, int64_t id)
{
	return bsearch(&id, evaluation->images, evaluation->image_count, sizeof(*evaluation->images), compare_image);
}

/* Neither right nor wrong: what the protocol leaves out, and photographs of queries. */
static int does_not_count(const struct evaluation *evaluation, int protocol, size_t query, const struct image *image)
{
	return image->is_query ||
	       (image->position >= 0 && cairn_roxford_is_junk(evaluation->truth, (cairn_roxford_protocol)protocol,
							      query, (size_t)image->position));
}

/* ---- one query ---- */

static size_t junk_of(struct evaluation *evaluation, int protocol, size_t query)
{
	size_t count = 0;
	for (size_t i = 0; i < evaluation->image_count; i++) {
		if (does_not_count(evaluation, protocol, query, &evaluation->images[i]))
			evaluation->exclude[count++] = evaluation->images[i].id;
	}
	return count;
}

/* The answer as positions; of two files of one name the better. */
static void keep_answer(struct evaluation *evaluation, int protocol, size_t query, const cairn_answer *answer)
{
	size_t count = cairn_answer_count(answer), kept = 0;
	int64_t *list = need(count, sizeof(*list));
	uint8_t *seen = need(cairn_roxford_images(evaluation->truth), 1);
	cairn_hit hit;
	for (size_t i = 0; i < count && cairn_answer_get(answer, i, &hit) == 0; i++) {
		const struct image *image = image_of(evaluation, hit.id);
		int64_t position = image ? image->position : -1;
		/* A search was told to leave these out; a recipe ranks them with all others. */
		if (image && does_not_count(evaluation, protocol, query, image))
			continue;
		if (position >= 0 && seen[position]++)
			continue;
		list[kept++] = position;
	}
	free(seen);
	evaluation->protocols[protocol].lists[query] = list;
	evaluation->protocols[protocol].lengths[query] = kept;
}

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
		size_t junk = junk_of(evaluation, p, q);
		status = cairn_search(&answer, evaluation->searcher, query, evaluation->exclude, junk);
		if (status < 0)
			break;
		keep_answer(evaluation, p, q, answer);
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

static int score(struct evaluation *evaluation, int protocol)
{
	return cairn_roxford_score(evaluation->truth, (cairn_roxford_protocol)protocol,
				   (const int64_t *const *)evaluation->protocols[protocol].lists,
				   evaluation->protocols[protocol].lengths, &evaluation->protocols[protocol].scores);
}

/* ---- by a recipe ---- */

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
static int score_stage(struct evaluation *evaluation, int protocol, struct stage *stage)
{
	size_t count = cairn_roxford_queries(evaluation->truth);
	int status = 0;
	for (size_t q = 0; q < count && status == 0; q++) {
		cairn_answer *answer;
		status = cairn_run_answer(&answer, evaluation->run, stage->number, q, SIZE_MAX, 0);
		if (status < 0)
			break;
		free(evaluation->protocols[protocol].lists[q]);
		keep_answer(evaluation, protocol, q, answer);
		cairn_answer_free(answer);
	}
	if (status == 0)
		status = score(evaluation, protocol);
	stage->scores[protocol] = evaluation->protocols[protocol].scores;
	return status;
}

/* What is verified depends on the protocol, everything before is done once. */
static int run_protocol(struct evaluation *evaluation, int protocol)
{
	size_t count = cairn_roxford_queries(evaluation->truth);
	int status = 0;
	for (size_t q = 0; q < count && status == 0; q++) {
		size_t junk = junk_of(evaluation, protocol, q);
		status = cairn_run_exclude(evaluation->run, q, evaluation->exclude, junk);
	}
	if (status == 0)
		status = cairn_run_execute(evaluation->run);
	for (size_t s = 0; s < evaluation->stage_count && status == 0; s++)
		status = score_stage(evaluation, protocol, &evaluation->stages[s]);
	return status;
}

static int run_all(struct evaluation *evaluation)
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
	struct stage output = { 0 };
	size_t count = cairn_recipe_count(evaluation->recipe);
	cairn_recipe_get_info(evaluation->recipe, &about);
	evaluation->stages = need(count, sizeof(*evaluation->stages));
	for (size_t i = 0; i < count && cairn_recipe_get_stage(evaluation->recipe, i, &stage) == 0; i++) {
		if (!stage.is_used || (stage.output != CAIRN_VALUE_RANKING && stage.output != CAIRN_VALUE_VERIFIED))
			continue;
		if (strcmp(stage.name, about.output) == 0)
			output = (struct stage){ .number = i, .name = stage.name };
		else
			evaluation->stages[evaluation->stage_count++] =
				(struct stage){ .number = i, .name = stage.name };
	}
	if (output.name)
		evaluation->stages[evaluation->stage_count++] = output;
}

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
	int status = cairn_recipe_open(&evaluation->recipe, recipe_name);
	if (status == 0)
		list_stages(evaluation);
	if (status == 0)
		status = cairn_run_new(&evaluation->run, evaluation->recipe, evaluation->collection, &options);
	free_roles(models, &roles);
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
	int status = evaluation->run ? run_all(evaluation) : answer_all(evaluation);
	if (status == CAIRN_ECANCELLED)
		say("interrupted: nothing was scored");
	/* What a query asks for stands in the ground truth, not on the command line. */
	if (status < 0)
		return status == CAIRN_EINVALID ? EXIT_INPUT : exit_code(status);
	for (int p = 0; p < PROTOCOLS && status == 0; p++)
		status = score(evaluation, p);
	return status < 0 ? say_failure(status) : print(evaluation);
}

static int run(const struct arguments *arguments)
{
	struct evaluation evaluation = { 0 };
	int wrong = check_roles(arguments->command, &roles);
	if (wrong)
		return wrong;
	interrupt_watch();
	int status = cairn_collection_open(&evaluation.collection, arguments->operands[0], 0);
	if (status == 0)
		status = cairn_roxford_open(&evaluation.truth, arguments->operands[1]);
	if (status == 0)
		status = read_images(&evaluation);
	if (status == 0)
		status = recipe_name ? make_run(&evaluation) : make_searcher(&evaluation);
	int code = status < 0 ? say_failure(status) : find_queries(&evaluation, arguments->operands[1]);
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

/*
 * cairn run: a whole recipe on sets of images, cached stage by stage.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cairn/run.h"
#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static struct texts queries, roles;
static const char *index_folder, *train_folder, *out_folder, *memory, *precision, *format;
static uint64_t k = 100, threads, shown;

/* What a run holds open. */
struct running {
	cairn_recipe *recipe;
	cairn_collection *index, *train, *asked;
	cairn_recipe_role *models; /* roles.count; names are copies */
	cairn_run *run;
	struct progress progress;
	double seconds;
};

static int check_arguments(const struct command *command, uint64_t *bytes)
{
	*bytes = 0;
	if (!index_folder)
		return usage_error(command, "--index is missing: the collection that is searched");
	if (!queries.count)
		return usage_error(command, "--query is missing: a collection, photographs or folders");
	if (!out_folder)
		return usage_error(command, "-o is missing: the folder for what is found");
	if (memory && !parse_bytes(memory, 1, UINT64_MAX, bytes))
		return usage_error(command, "--memory takes a whole number of bytes such as 500M or 2G, not '%s'",
				   memory);
	return 0;
}

static int make_folder(const char *path)
{
	if (mkdir(path, 0777) == 0)
		return EXIT_DONE;
	struct stat info;
	if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
		return EXIT_DONE;
	say_error("cannot make the folder %s; the folder it lies in must be there", path);
	return EXIT_INPUT;
}

/* ---- the queries ---- */

static int is_collection(const char *path)
{
	char *catalogue = join_path(path, "catalogue.sqlite");
	struct stat info;
	int found = stat(catalogue, &info) == 0;
	free(catalogue);
	return found;
}

/* A collection that keeps what the index keeps. */
static int create_alike(const struct running *running, const char *folder)
{
	cairn_collection_info info;
	int status = cairn_collection_get_info(running->index, &info);
	if (status < 0)
		return status;
	const cairn_collection_options options = { .version = CAIRN_COLLECTION_OPTIONS_VERSION,
						   .models = info.models,
						   .model_count = info.model_count,
						   .locals = info.locals,
						   .local_count = info.local_count };
	return cairn_collection_create(folder, &options);
}

static void tell_unreadable(const char *path, int status, const char *message, void *payload)
{
	size_t *count = payload;
	(void)path;
	(void)status;
	say_warning("%s", message);
	++*count;
}

static int compare_texts(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* @param paths count, sorted */
static int remove_others(cairn_collection *asked, char **paths, size_t count)
{
	int64_t *ids;
	size_t all, others = 0;
	int status = cairn_collection_ids(asked, &ids, &all);
	if (status < 0)
		return status;
	for (size_t i = 0; i < all && status == 0; i++) {
		cairn_image_record record;
		status = cairn_collection_find_id(asked, ids[i], &record);
		if (status == 0 && (!count || !bsearch(&record.path, paths, count, sizeof(*paths), compare_texts)))
			ids[others++] = ids[i];
	}
	if (status == 0 && others)
		status = cairn_collection_remove(asked, ids, others);
	cairn_bytes_free(ids);
	return status;
}

/* Photographs that an earlier run asked with and this one does not. */
static int forget_others(const struct running *running)
{
	cairn_collection_info info;
	char **paths;
	size_t count;
	int status = cairn_collection_get_info(running->asked, &info);
	if (status < 0 || !info.images)
		return status;
	status = cairn_find_images(queries.items, queries.count, &paths, &count);
	if (status < 0)
		return status;
	if (count)
		qsort(paths, count, sizeof(*paths), compare_texts);
	status = remove_others(running->asked, paths, count);
	cairn_paths_free(paths, count);
	return status;
}

/* Photographs are described once, into a collection beside the results. */
static int describe_queries(struct running *running)
{
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	char *folder = join_path(out_folder, "queries");
	size_t unreadable = 0;
	options.threads = (uint32_t)threads;
	options.precision = precision;
	options.progress = progress_show;
	options.progress_payload = &running->progress;
	options.on_error = tell_unreadable;
	options.error_payload = &unreadable;
	int status = is_collection(folder) ? 0 : create_alike(running, folder);
	if (status == 0)
		status = cairn_collection_open(&running->asked, folder, 1);
	free(folder);
	if (status == 0)
		status = forget_others(running);
	if (status < 0)
		return status;
	progress_start(&running->progress, "stopping; what is done is being written");
	status = cairn_collection_add(running->asked, queries.items, queries.count, &options, NULL);
	progress_end(&running->progress);
	if (unreadable)
		say_warning("%zu %s", unreadable,
			    unreadable == 1 ? "photograph could not be read and is no query"
					    : "photographs could not be read and are no queries");
	return status;
}

static int open_queries(struct running *running)
{
	struct stat given, own;
	if (queries.count > 1 || !is_collection(queries.items[0]))
		return describe_queries(running);
	/* The index itself must be the same handle, so that images are not found by themselves. */
	if (stat(queries.items[0], &given) == 0 && stat(index_folder, &own) == 0 && given.st_ino == own.st_ino &&
	    given.st_dev == own.st_dev)
		return 0;
	return cairn_collection_open(&running->asked, queries.items[0], 0);
}

/* ---- running ---- */

static int start(struct running *running, const char *name, uint64_t bytes)
{
	cairn_run_options options = CAIRN_RUN_OPTIONS_INIT;
	char *cache = join_path(out_folder, "cache");
	options.cache = cache;
	options.roles = running->models;
	options.role_count = roles.count;
	options.threads = (uint32_t)threads;
	options.memory = bytes;
	options.precision = precision;
	options.progress = progress_show;
	options.progress_payload = &running->progress;
	int status = cairn_recipe_open(&running->recipe, name);
	if (status == 0)
		status = cairn_collection_open(&running->index, index_folder, 0);
	if (status == 0 && train_folder)
		status = cairn_collection_open(&running->train, train_folder, 0);
	options.train = running->train;
	if (status == 0)
		status = cairn_run_new(&running->run, running->recipe, running->index, &options);
	free(cache);
	if (status == 0)
		status = open_queries(running);
	return status == 0 ? cairn_run_add_collection(running->run, running->asked ? running->asked : running->index)
			   : status;
}

static int execute(struct running *running)
{
	double begin = seconds_now();
	progress_start(&running->progress, "stopping; what is done is being written");
	int status = cairn_run_execute(running->run);
	progress_end(&running->progress);
	running->seconds = seconds_now() - begin;
	if (status < 0)
		return status;
	char *ranking = join_path(out_folder, "ranking.csv");
	status = cairn_run_write_csv(running->run, ranking, (size_t)k);
	free(ranking);
	return status;
}

/* ---- the report ---- */

/* The rankings of some queries, stage by stage. @param[out] answers room for all */
static int gather(struct running *running, size_t count, cairn_answer **answers, size_t *gathered)
{
	cairn_recipe_stage stage;
	size_t all = cairn_run_queries(running->run);
	for (size_t i = 0; i < count; i++)
		for (size_t s = 0; s < cairn_recipe_count(running->recipe); s++) {
			if (cairn_recipe_get_stage(running->recipe, s, &stage) < 0 || !stage.is_used ||
			    (stage.output != CAIRN_VALUE_RANKING && stage.output != CAIRN_VALUE_VERIFIED))
				continue;
			int status = cairn_run_answer(&answers[*gathered], running->run, s, i * all / count, 8,
						      stage.output == CAIRN_VALUE_VERIFIED);
			if (status < 0)
				return status;
			++*gathered;
		}
	return 0;
}

static int write_report(struct running *running)
{
	cairn_report_options options = CAIRN_REPORT_OPTIONS_INIT;
	cairn_recipe_info about;
	size_t all = cairn_run_queries(running->run), count = shown < all ? (size_t)shown : all, gathered = 0;
	cairn_answer **answers = need(count * cairn_recipe_count(running->recipe), sizeof(*answers));
	char *path = join_path(out_folder, "report.html");
	cairn_recipe_get_info(running->recipe, &about);
	options.title = about.title;
	options.results = 8;
	options.drawings = 1;
	int status = gather(running, count, answers, &gathered);
	if (status == 0)
		status = cairn_report_write(path, (const cairn_answer *const *)answers, gathered, &options);
	for (size_t i = 0; i < gathered; i++)
		cairn_answer_free(answers[i]);
	free(answers);
	free(path);
	return status;
}

/* ---- what was done ---- */

static const char *came_from(const cairn_run_stage *stage)
{
	if (stage->is_cached)
		return "cache";
	return stage->seconds > 0 ? "made" : "not needed";
}

static json_t *stages_json(const struct running *running)
{
	json_t *list = json_array();
	cairn_run_stage stage;
	size_t count = cairn_recipe_count(running->recipe);
	for (size_t i = 0; i < count && cairn_run_get_stage(running->run, i, &stage) == 0; i++) {
		json_t *object = json_object();
		set_member(object, "name", text_json(stage.name));
		set_member(object, "stage", text_json(stage.method));
		set_member(object, "from", text_json(came_from(&stage)));
		set_member(object, "seconds", number_json(stage.seconds));
		set_member(object, "memory", json_integer((json_int_t)stage.memory));
		set_member(object, "key", text_json(stage.key));
		add_item(list, object);
	}
	return list;
}

static int print_as_json(const struct running *running)
{
	json_t *root = json_object();
	set_member(root, "queries", json_integer((json_int_t)cairn_run_queries(running->run)));
	set_member(root, "seconds", number_json(running->seconds));
	set_bytes(root, "folder", out_folder);
	set_member(root, "stages", stages_json(running));
	return print_json(root);
}

static int print_as_text(const struct running *running)
{
	cairn_run_stage stage;
	printf("%-20s %-12s %-10s %10s  %s\n", "name", "stage", "from", "seconds", "memory so far");
	for (size_t i = 0; i < cairn_recipe_count(running->recipe); i++) {
		char bytes[32] = "";
		if (cairn_run_get_stage(running->run, i, &stage) < 0)
			break;
		if (stage.memory)
			format_bytes(bytes, sizeof(bytes), (double)stage.memory);
		printf("%-20s %-12s %-10s %10.2f  %s\n", stage.name, stage.method, came_from(&stage), stage.seconds,
		       bytes);
	}
	char *folder = visible(out_folder);
	printf("%zu queries in %.1f s: %s/ranking.csv%s\n", cairn_run_queries(running->run), running->seconds, folder,
	       shown ? ", report.html" : "");
	free(folder);
	return output_end(EXIT_DONE);
}

static void close_all(struct running *running)
{
	cairn_run_free(running->run);
	cairn_collection_free(running->asked);
	cairn_collection_free(running->train);
	cairn_collection_free(running->index);
	cairn_recipe_free(running->recipe);
	free_roles(running->models, &roles);
}

static int run_recipe(const struct arguments *arguments, struct running *running)
{
	uint64_t bytes;
	int code = check_arguments(arguments->command, &bytes);
	if (!code)
		code = check_roles(arguments->command, &roles);
	if (!code)
		code = make_folder(out_folder);
	if (code)
		return code;
	running->models = read_roles(&roles);
	interrupt_watch();
	int status = start(running, arguments->operands[0], bytes);
	if (status == 0 && !cairn_run_queries(running->run)) {
		say_error("there are no queries: no photograph of --query could be read, or its collection is empty");
		return EXIT_INPUT;
	}
	if (status == 0)
		status = execute(running);
	if (status == 0 && shown)
		status = write_report(running);
	if (status == CAIRN_ECANCELLED) {
		say("interrupted: run the same command again to go on; %s keeps what was done", out_folder);
		return EXIT_INTERRUPTED;
	}
	if (status < 0)
		return say_failure(status);
	return is_json(format) ? print_as_json(running) : print_as_text(running);
}

static int run(const struct arguments *arguments)
{
	struct running running = { 0 };
	int code = run_recipe(arguments, &running);
	close_all(&running);
	return code;
}

static const char *const usage[] = { "RECIPE --query PATH --index DIR -o OUT [options]", NULL };

static const struct operand operands[] = {
	{ "RECIPE", COMPLETE_RECIPE, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_LIST(0, "query", "PATH", &queries, COMPLETE_FILE,
		 "what is asked: a collection made by the models of the index (which may be the index itself), or as "
		 "often as "
		 "wanted photographs, folders or @list.txt"),
	OPT_TEXT(0, "index", "DIR", &index_folder, COMPLETE_FOLDER, "the collection that is searched"),
	OPT_TEXT(0, "train", "DIR", &train_folder, COMPLETE_FOLDER,
		 "a collection of labelled images, for recipes that need one"),
	OPT_TEXT('o', "output", "OUT", &out_folder, COMPLETE_FOLDER,
		 "the folder for ranking.csv, report.html and what is kept of each stage"),
	OPT_LIST(0, "model", "ROLE=NAME", &roles, COMPLETE_NOTHING,
		 "let a model take a role of the recipe, such as local=rootsift"),
	OPT_WHOLE('k', "k", "N", &k, 1, INT32_MAX, "lines of ranking.csv for each query (default 100)"),
	OPT_WHOLE(0, "report", "N", &shown, 0, 10000,
		  "show N queries, spread over all, stage by stage in report.html (default 0: no report)"),
	OPT_TEXT(0, "memory", "SIZE", &memory, COMPLETE_NOTHING,
		 "take at most so much memory for a kNN graph, such as 500M or 8G (default 2G)"),
	OPT_PRECISION(&precision),
	OPT_THREADS(&threads),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "files", "OUT/ranking.csv: query,rank,id,path,score,inliers,label, as of 'cairn search --format csv'. "
		   "OUT/queries: the "
		   "collection of the photographs that are asked with. OUT/cache: outputs of stages, by a key of all "
		   "that they were made "
		   "of; it may be deleted at any time." },
	{ "json output", "One object: queries (how many), seconds, folder, and stages, in order of running: name, "
			 "stage, from (made, cache, "
			 "not needed), seconds (of the run that made it), memory (the most bytes that the process had "
			 "until its end), key." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn run superglobal --query asked/ --index my-photos -o out --report 10",
	  "all photographs of a folder, with a report of ten" },
	{ "cairn run nii-2018 --query queries --index index -o out", "a challenge's system, on two collections" },
	{ NULL, NULL },
};

const struct command cmd_run = {
	.name = "run",
	.summary = "run a recipe",
	.description = "Runs a recipe ('cairn recipe list' names those there are): each query is searched for in the "
		       "index by the "
		       "recipe's stages.\n\n"
		       "The output of every stage is kept in OUT/cache. After an interruption, also by a kill, the "
		       "same command goes "
		       "on where it stopped, with the same result; after a change of the recipe or of the images, only "
		       "what depends "
		       "on it is made again.",
	.usage = usage,
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};

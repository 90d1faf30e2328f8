/*
 * Running: which values are needed, which are there, and making the others.
 */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collection/identity.h"
#include "recipe/arguments.h"
#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/file.h"
#include "util/json.h"
#include "util/memory.h"
#include "verify/kinds.h"

/* ---- parameters and inputs of a stage ---- */

const cn_value *cn_work_input(const cn_work *work, const char *name)
{
	const cn_link *link = cn_stage_link(work->stage, name);
	return link ? &work->run->made[link->value].value : NULL;
}

size_t cn_work_inputs(const cn_work *work, const char *name, const cn_value **out, size_t most)
{
	size_t count = 0;
	for (size_t i = 0; i < work->stage->link_count; i++) {
		const cn_link *link = &work->stage->links[i];
		if (strcmp(link->input->name, name) == 0 && count < most)
			out[count++] = &work->run->made[link->value].value;
	}
	return count;
}

size_t cn_work_size(const cn_work *work, const char *name)
{
	const cn_argument *argument = cn_stage_argument(work->stage, name);
	return argument->is_set ? (size_t)argument->integer : 0;
}

double cn_work_real(const cn_work *work, const char *name)
{
	return cn_stage_argument(work->stage, name)->real;
}

int cn_work_is_set(const cn_work *work, const char *name)
{
	return cn_stage_argument(work->stage, name)->is_set;
}

void cn_work_start(const cn_work *work, uint64_t total)
{
	cn_progress_start(work->progress, work->run->progress, work->run->progress_payload, work->stage->name, total);
}

/* ---- keys ---- */

/* Numbers by all their bits: as people see them, two may be the same. */
static int add_argument(cn_text *text, const cn_parameter *parameter, const cn_argument *argument)
{
	CN_TRY(cn_text_addf(text, " %s=", parameter->name));
	if (parameter->kind == CN_REAL)
		return cn_text_add_bytes(text, &argument->real, sizeof(argument->real));
	if (parameter->kind == CN_REALS)
		return cn_text_add_bytes(text, argument->reals, argument->count * sizeof(*argument->reals));
	json_t *value = cn_argument_json(parameter, argument);
	int status = value ? cn_json_text(text, value, 0) : cn_fail(CAIRN_ENOMEM, "out of memory");
	json_decref(value);
	return status;
}

static int add_arguments(cn_text *text, const cn_stage *stage)
{
	for (size_t i = 0; i < stage->argument_count; i++)
		if (stage->arguments[i].is_set)
			CN_TRY(add_argument(text, &stage->type->parameters[i], &stage->arguments[i]));
	return 0;
}

static int add_key(cn_text *text, const char *name, cn_key key)
{
	char digits[CN_KEY_TEXT];
	cn_key_text(key, digits);
	return cn_text_addf(text, " %s:%s", name, digits);
}

/* What is verified depends on the images that do not count. */
static int add_excluded(cn_text *text, const cairn_run *run)
{
	cn_text all = CN_TEXT_INIT;
	int status = 0;
	for (size_t i = 0; i < run->query_count && status == 0; i++) {
		const cn_run_query *query = &run->queries[i];
		status = cn_text_add_bytes(&all, &query->exclude_count, sizeof(query->exclude_count));
		if (status == 0 && query->exclude_count)
			status =
				cn_text_add_bytes(&all, query->exclude, query->exclude_count * sizeof(*query->exclude));
	}
	if (status == 0)
		status = add_key(text, "excluded", cn_key_of(all.data, all.length));
	cn_text_free(&all);
	return status;
}

static int add_local(cn_text *text, const cairn_run *run, const cn_stage *stage)
{
	size_t number;
	CN_TRY(cn_run_local_searcher(run, stage, &number));
	const cn_kind *kind = cn_kind_find(run->info.locals[number]);
	/* What holds where the recipe does not say it. */
	return cn_text_addf(text, " features:%s %.9g %.9g %d %.9g %.9g", run->info.locals[number], (double)kind->ratio,
			    (double)kind->min_similarity, (int)kind->trust, (double)kind->asmk_weight,
			    (double)kind->boost);
}

/* The value's key: of all that it depends on. */
static int find_key(cairn_run *run, size_t value)
{
	cn_made *made = &run->made[value];
	cn_text text = CN_TEXT_INIT;
	int status = 0;
	if (value < CN_GIVEN_COUNT)
		return cn_run_given_key(run, value, &made->key);
	const cn_stage *stage = &run->recipe->stages[value - CN_GIVEN_COUNT];
	CN_GOTO(status, cn_text_addf(&text, "%d %s", CN_RUN_FORM, stage->type->name));
	CN_GOTO(status, add_arguments(&text, stage));
	for (size_t i = 0; i < stage->link_count; i++)
		CN_GOTO(status, add_key(&text, stage->links[i].input->name, run->made[stage->links[i].value].key));
	if (cn_stage_needs_local(stage))
		CN_GOTO(status, add_local(&text, run, stage));
	if (stage->type->run == cn_run_verify)
		CN_GOTO(status, add_excluded(&text, run));
	made->key = cn_key_of(text.data, text.length);
done:
	cn_text_free(&text);
	return status;
}

/* ---- which values depend on the queries ---- */

static void note_dependence(cairn_run *run)
{
	const cairn_recipe *recipe = run->recipe;
	run->made[CN_GIVEN_QUERIES].needs_queries = 1;
	for (size_t i = 0; i < recipe->stage_count; i++) {
		cn_made *made = &run->made[CN_GIVEN_COUNT + i];
		for (size_t k = 0; k < recipe->stages[i].link_count; k++)
			made->needs_queries |= run->made[recipe->stages[i].links[k].value].needs_queries;
	}
}

/* ---- making ---- */

static uint64_t most_memory(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_maxrss * 1024;
}

static int save(cairn_run *run, const cn_stage *stage, const cn_made *made)
{
	json_t *about = json_pack("{s:s, s:s, s:f, s:I}", "name", stage->name, "stage", stage->type->name, "seconds",
				  made->seconds, "memory", (json_int_t)made->memory);
	int status = about ? cn_cache_save(&run->cache, made->key, &made->value, about) : CAIRN_ENOMEM;
	json_decref(about);
	return status;
}

static int run_stage(cairn_run *run, size_t number)
{
	const cn_stage *stage = &run->recipe->stages[number];
	cn_made *made = &run->made[CN_GIVEN_COUNT + number];
	cn_progress progress = { 0 };
	const cn_work work = {
		.run = run, .stage = stage, .key = made->key, .out = &made->value, .progress = &progress
	};
	double start = cn_seconds();
	int status = stage->type->run(&work);
	if (progress.state.stage)
		cn_progress_end(&progress);
	if (status < 0)
		return cn_fail_context(status, "stage '%s'", stage->name);
	made->seconds = cn_seconds() - start;
	made->memory = most_memory();
	return run->keeps_queries || !made->needs_queries ? save(run, stage, made) : 0;
}

static int load(cairn_run *run, cn_made *made)
{
	json_t *about;
	if (made->needs_queries && !run->keeps_queries)
		return 0;
	made->value.dim = run->info.dim;
	CN_TRY(cn_cache_load(&run->cache, made->key, &made->value, &about));
	made->is_made = made->is_cached = about != NULL;
	if (about)
		made->seconds = json_number_value(json_object_get(about, "seconds"));
	json_decref(about);
	return 0;
}

/* A search by local features asks with what the collections keep, not with its inputs, which may not be there. */
static int reads_inputs(const cn_stage *stage)
{
	return stage->type->run != cn_run_search || !cn_stage_needs_local(stage);
}

static int make_stage(cairn_run *run, size_t number)
{
	const cn_stage *stage = &run->recipe->stages[number];
	for (size_t i = 0; i < stage->link_count && reads_inputs(stage); i++)
		CN_TRY(cn_run_need(run, stage->links[i].value));
	return run_stage(run, number);
}

/* The value is there, with all that it is made of only where it must be made. */
int cn_run_need(cairn_run *run, size_t value)
{
	cn_made *made = &run->made[value];
	if (made->is_made)
		return 0;
	made->value.type = cn_value_type_of(run->recipe, value);
	if (value >= CN_GIVEN_COUNT)
		CN_TRY(load(run, made));
	if (made->is_made)
		return 0;
	int status = value < CN_GIVEN_COUNT ? cn_run_give(run, value, &made->value)
					    : make_stage(run, value - CN_GIVEN_COUNT);
	made->is_made = status == 0;
	if (status < 0)
		cn_value_free(&made->value);
	return status;
}

static int is_needed(const cairn_run *run, size_t value)
{
	for (size_t i = 0; i < run->recipe->stage_count; i++)
		for (size_t k = 0; k < run->recipe->stages[i].link_count; k++)
			if (run->recipe->stages[i].is_used && run->recipe->stages[i].links[k].value == value)
				return 1;
	return 0;
}

static void forget(cn_made *made)
{
	cn_value_free(&made->value);
	made->is_made = made->is_cached = 0;
	made->seconds = 0;
	made->memory = 0;
}

/* Keys as everything is now; what was made under another is forgotten, and what a collection gives always, since it may
 * have been opened anew. */
static int refresh_keys(cairn_run *run)
{
	for (size_t value = 0; value < CN_GIVEN_COUNT + run->recipe->stage_count; value++) {
		cn_made *made = &run->made[value];
		const cn_key before = made->key;
		int used = value < CN_GIVEN_COUNT ? is_needed(run, value)
						  : run->recipe->stages[value - CN_GIVEN_COUNT].is_used;
		if (!used)
			continue;
		CN_TRY(find_key(run, value));
		if (!cn_key_equal(before, made->key) || value == CN_GIVEN_INDEX || value == CN_GIVEN_TRAIN)
			forget(made);
	}
	return 0;
}

int cairn_run_execute(cairn_run *run)
{
	if (!run->query_count)
		return cn_fail(CAIRN_EINVALID, "there are no queries to run '%s' with", run->recipe->name);
	run->is_done = 0;
	CN_TRY(cairn_collection_get_info(run->index, &run->info));
	CN_TRY(refresh_keys(run));
	CN_TRY(cn_run_need(run, CN_GIVEN_COUNT + run->recipe->output));
	run->is_done = 1;
	return 0;
}

int cn_run_expect_done(const cairn_run *run)
{
	if (run->is_done)
		return 0;
	return cn_fail(CAIRN_EINVALID, "'%s' has not run since its queries were given", run->recipe->name);
}

/* ---- preparing ---- */

static int copy_role(cn_role *out, const char *name, const char *model)
{
	out->name = cn_strdup(name);
	out->model = cn_strdup(model);
	return out->name && out->model ? 0 : CAIRN_ENOMEM;
}

static int change_role(cairn_run *run, const cairn_recipe_role *role)
{
	cn_role *own = NULL;
	for (size_t i = 0; i < run->role_count; i++)
		if (run->roles[i].name && strcmp(run->roles[i].name, role->name) == 0)
			own = &run->roles[i];
	/* A recipe that does not say which kind verifies takes the first of the index; another may be named. */
	if (!own && strcmp(role->name, "local") != 0)
		return cn_fail(CAIRN_EINVALID, "'%s' has no role '%s'; 'cairn recipe show %s' lists those it has",
			       run->recipe->name, role->name, run->recipe->name);
	if (!own)
		return copy_role(&run->roles[run->role_count++], role->name, role->model);
	cn_free(own->model);
	own->model = cn_strdup(role->model);
	return own->model ? 0 : CAIRN_ENOMEM;
}

static int copy_roles(cairn_run *run, const cairn_run_options *options)
{
	const cairn_recipe *recipe = run->recipe;
	CN_NEW(run->roles, recipe->role_count + 1, sizeof(*run->roles));
	for (size_t i = 0; i < recipe->role_count; i++)
		CN_TRY(copy_role(&run->roles[run->role_count++], recipe->roles[i].name, recipe->roles[i].model));
	for (size_t i = 0; i < options->role_count; i++)
		CN_TRY(change_role(run, &options->roles[i]));
	return 0;
}

static int open_cache(cairn_run *run, const char *folder)
{
	run->keeps_queries = folder != NULL;
	run->cache.folder = folder ? cn_strdup(folder) : cn_path_join(run->info.folder, "cache");
	return run->cache.folder ? cn_folder_make(run->cache.folder) : CAIRN_ENOMEM;
}

static int needs_descriptors(const cn_stage *stage)
{
	if (!reads_inputs(stage))
		return cn_stage_chose(stage, "by", "fused");
	for (size_t i = 0; i < stage->link_count; i++)
		if (stage->links[i].value < CN_GIVEN_COUNT)
			return 1;
	return 0;
}

static int expect_features(cairn_run *run, const cn_stage *stage)
{
	const cairn_asmk_index *asmk;
	size_t number;
	CN_TRY(cn_run_local_searcher(run, stage, &number));
	/* Among no images none is missing. */
	if (reads_inputs(stage) || !run->info.segments)
		return 0;
	int status = cairn_collection_asmk(&asmk, run->index, run->info.locals[number]);
	return status < 0 ? cn_fail_context(status, "stage '%s'", stage->name) : 0;
}

/* What is missing is told before the first stage runs, not after hours. */
static int expect_possible(cairn_run *run)
{
	for (size_t i = 0; i < run->recipe->stage_count; i++) {
		const cn_stage *stage = &run->recipe->stages[i];
		if (!stage->is_used)
			continue;
		if (needs_descriptors(stage) && !run->info.dim)
			return cn_fail(CAIRN_EINVALID,
				       "%s has no global descriptors, which the stage '%s' of '%s' needs; make it with "
				       "--model",
				       run->info.folder, stage->name, run->recipe->name);
		if (cn_stage_needs_local(stage))
			CN_TRY(expect_features(run, stage));
	}
	if (!cn_recipe_needs_train(run->recipe))
		return 0;
	if (!run->train)
		return cn_fail(CAIRN_EINVALID, "'%s' needs a labelled set; name its collection with --train",
			       run->recipe->name);
	return cn_collection_expect_alike(run->index, run->train, 1, NULL);
}

static int prepare(cairn_run *run, const cairn_run_options *options)
{
	if (options->version != CAIRN_RUN_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "run options have version %u; this library knows %d", options->version,
			       CAIRN_RUN_OPTIONS_VERSION);
	run->train = options->train;
	run->threads = options->threads;
	run->memory = options->memory;
	run->progress = options->progress;
	run->progress_payload = options->progress_payload;
	if (options->precision) {
		run->precision = cn_strdup(options->precision);
		if (!run->precision)
			return CAIRN_ENOMEM;
	}
	CN_TRY(cairn_collection_get_info(run->index, &run->info));
	CN_NEW(run->made, CN_GIVEN_COUNT + run->recipe->stage_count, sizeof(*run->made));
	note_dependence(run);
	CN_TRY(copy_roles(run, options));
	CN_TRY(expect_possible(run));
	return open_cache(run, options->cache);
}

int cairn_run_new(cairn_run **out, const cairn_recipe *recipe, cairn_collection *index,
		  const cairn_run_options *options)
{
	static const cairn_run_options plain = CAIRN_RUN_OPTIONS_INIT;
	cairn_run *run;
	*out = NULL;
	CN_NEW(run, 1, sizeof(*run));
	run->recipe = recipe;
	run->index = index;
	int status = prepare(run, options ? options : &plain);
	if (status < 0) {
		cairn_run_free(run);
		return status;
	}
	*out = run;
	return 0;
}

void cairn_run_free(cairn_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; run->made && i < CN_GIVEN_COUNT + run->recipe->stage_count; i++)
		cn_value_free(&run->made[i].value);
	cn_free(run->made);
	cn_run_free_queries(run);
	for (size_t i = 0; i < CN_RUN_SEARCHERS; i++)
		cairn_searcher_free(run->searchers[i]);
	for (size_t i = 0; i < run->role_count; i++) {
		cn_free(run->roles[i].name);
		cn_free(run->roles[i].model);
	}
	cn_free(run->roles);
	cn_free(run->cache.folder);
	cn_free(run->precision);
	cn_free(run);
}

/* ---- telling ---- */

int cairn_run_get_stage(const cairn_run *run, size_t i, cairn_run_stage *out)
{
	if (i >= run->recipe->stage_count)
		return cn_fail(CAIRN_EINVALID, "stage %zu: '%s' has %zu, counted from 0", i, run->recipe->name,
			       run->recipe->stage_count);
	const cn_stage *stage = &run->recipe->stages[i];
	const cn_made *made = &run->made[CN_GIVEN_COUNT + i];
	*out = (cairn_run_stage){
		.name = stage->name,
		.method = stage->type->name,
		.output = stage->output,
		.seconds = made->seconds,
		.is_cached = made->is_cached,
		.memory = made->memory,
	};
	cn_key_text(made->key, out->key);
	return 0;
}

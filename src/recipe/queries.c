/*
 * The queries of a run, and the searchers that open them.
 */
#include <string.h>

#include "collection/identity.h"
#include "recipe/run.h"
#include "util/ids.h"
#include "util/memory.h"

static void forget_descriptions(cn_run_query *query)
{
	for (size_t k = 0; k < CN_RUN_SEARCHERS; k++) {
		cairn_query_free(query->described[k]);
		query->described[k] = NULL;
	}
}

static void free_query(cn_run_query *query)
{
	forget_descriptions(query);
	cn_free(query->exclude);
	cn_free(query->path);
}

/* ---- adding ---- */

static int add_query(cairn_run *run, const cn_run_query *query)
{
	if (run->query_count == run->query_capacity) {
		size_t larger = run->query_capacity ? 2 * run->query_capacity : 16;
		cn_run_query *queries = cn_realloc(run->queries, larger, sizeof(*queries));
		if (!queries)
			return CAIRN_ENOMEM;
		run->queries = queries;
		run->query_capacity = larger;
	}
	run->queries[run->query_count++] = *query;
	run->is_done = 0;
	return 0;
}

int cairn_run_add_photo(cairn_run *run, const char *path, const cairn_box *box)
{
	cn_run_query query = { .path = cn_strdup(path), .has_box = box != NULL };
	if (!query.path)
		return CAIRN_ENOMEM;
	if (box)
		query.box = *box;
	int status = cn_key_of_file(&query.content, path);
	if (status == 0)
		status = add_query(run, &query);
	if (status < 0) {
		cn_free(query.path);
		return status;
	}
	cairn_query *opened;
	status = cn_run_open_query(run, run->query_count - 1, cn_run_describing_searcher(run), &opened);
	/* What cannot be described is no query. */
	if (status < 0)
		free_query(&run->queries[--run->query_count]);
	return status;
}

static int add_image(cairn_run *run, cairn_collection *from, int64_t id)
{
	cairn_image_record record;
	CN_TRY(cairn_collection_find_id(from, id, &record));
	cn_run_query query = { .path = cn_strdup(record.path), .id = id, .from = from };
	int status = query.path ? add_query(run, &query) : CAIRN_ENOMEM;
	if (status < 0)
		cn_free(query.path);
	return status;
}

int cairn_run_add_id(cairn_run *run, int64_t id)
{
	return add_image(run, run->index, id);
}

/* That the queries can be compared with the index by all that the stages look at. */
static int expect_alike(const cairn_run *run, cairn_collection *queries)
{
	size_t number;
	CN_TRY(cn_collection_expect_alike(run->index, queries, run->info.dim > 0, NULL));
	for (size_t i = 0; i < run->recipe->stage_count; i++) {
		const cn_stage *stage = &run->recipe->stages[i];
		if (!stage->is_used || !cn_stage_needs_local(stage))
			continue;
		CN_TRY(cn_run_local_searcher(run, stage, &number));
		CN_TRY(cn_collection_expect_alike(run->index, queries, 0, run->info.locals[number]));
	}
	return 0;
}

int cairn_run_add_collection(cairn_run *run, cairn_collection *queries)
{
	int64_t *ids;
	size_t count;
	CN_TRY(expect_alike(run, queries));
	CN_TRY(cairn_collection_ids(queries, &ids, &count));
	size_t before = run->query_count;
	int status = 0;
	for (size_t i = 0; i < count && status == 0; i++)
		status = add_image(run, queries, ids[i]);
	/* All of them or none. */
	while (status < 0 && run->query_count > before)
		free_query(&run->queries[--run->query_count]);
	cairn_bytes_free(ids);
	return status;
}

size_t cairn_run_queries(const cairn_run *run)
{
	return run->query_count;
}

const char *cairn_run_query_path(const cairn_run *run, size_t query)
{
	return query < run->query_count ? run->queries[query].path : NULL;
}

int cairn_run_exclude(cairn_run *run, size_t query, const int64_t *ids, size_t count)
{
	if (query >= run->query_count)
		return cn_fail(CAIRN_EINVALID, "query %zu: there are %zu, counted from 0", query, run->query_count);
	CN_TRY(cn_ids_ascend(ids, count, "left out"));
	int64_t *copy = cn_memdup(ids, count * sizeof(*ids));
	if (!copy)
		return CAIRN_ENOMEM;
	run->is_done = 0;
	cn_free(run->queries[query].exclude);
	run->queries[query].exclude = copy;
	run->queries[query].exclude_count = count;
	return 0;
}

int cn_run_is_own(const cairn_run *run, size_t query, int64_t image)
{
	const cn_run_query *asked = &run->queries[query];
	return asked->from == run->index && asked->id == image;
}

int cn_run_own_images(const cairn_run *run, int64_t **out)
{
	*out = cn_alloc(run->query_count, sizeof(**out));
	if (!*out)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < run->query_count; i++)
		(*out)[i] = run->queries[i].from == run->index ? run->queries[i].id : CAIRN_NO_IMAGE;
	return 0;
}

void cn_run_free_queries(cairn_run *run)
{
	for (size_t i = 0; i < run->query_count; i++)
		free_query(&run->queries[i]);
	cn_free(run->queries);
}

/* ---- searchers ---- */

static const char *model_of_role(const cairn_run *run, const char *role)
{
	for (size_t i = 0; i < run->role_count; i++)
		if (strcmp(run->roles[i].name, role) == 0)
			return run->roles[i].model;
	return NULL;
}

int cn_run_local_searcher(const cairn_run *run, const cn_stage *stage, size_t *number)
{
	const cairn_collection_info *info = &run->info;
	const cn_argument *role = cn_stage_argument(stage, "local");
	const char *kind = model_of_role(run, role->is_set ? role->text : "local");
	if (!info->local_count)
		return cn_fail(CAIRN_EINVALID,
			       "%s keeps no local features, which the stage '%s' of '%s' needs; make it with --local",
			       info->folder, stage->name, run->recipe->name);
	*number = 0;
	while (kind && *number < info->local_count && strcmp(info->locals[*number], kind) != 0)
		(*number)++;
	if (*number < info->local_count)
		return 0;
	return cn_fail(CAIRN_ENOTFOUND,
		       "%s keeps no local features of kind '%s', which the stage '%s' of '%s' asks for; let another "
		       "kind take its role with --model %s=KIND",
		       info->folder, kind, stage->name, run->recipe->name, role->is_set ? role->text : "local");
}

int cn_run_searcher(cairn_run *run, size_t number, cairn_searcher **out)
{
	cairn_search_options options;
	*out = run->searchers[number];
	if (*out)
		return 0;
	cairn_search_options_init(&options);
	options.by = run->info.dim ? CAIRN_BY_GLOBAL : CAIRN_BY_AUTO;
	options.k = INT32_MAX; /* answers are as long as whoever wants them says */
	options.threads = run->threads;
	options.precision = run->precision;
	if (number == CN_SEARCHER_GLOBAL)
		options.verify = 0;
	else
		options.local = run->info.locals[number];
	CN_TRY(cairn_searcher_new(&run->searchers[number], run->index, &options));
	*out = run->searchers[number];
	return 0;
}

int cn_run_open_query(cairn_run *run, size_t query, size_t searcher, cairn_query **out)
{
	cn_run_query *asked = &run->queries[query];
	cairn_searcher *with;
	*out = asked->described[searcher];
	if (*out)
		return 0;
	CN_TRY(cn_run_searcher(run, searcher, &with));
	if (asked->from == run->index)
		return cairn_query_from_id(out, with, asked->id);
	if (asked->from)
		return cairn_query_from_collection(out, with, asked->from, asked->id);
	CN_TRY(cairn_query_open(&asked->described[searcher], with, asked->path, asked->has_box ? &asked->box : NULL));
	*out = asked->described[searcher];
	return 0;
}

void cn_run_close_query(cairn_run *run, size_t query, cairn_query *opened)
{
	for (size_t i = 0; i < CN_RUN_SEARCHERS; i++)
		if (run->queries[query].described[i] == opened)
			return;
	cairn_query_free(opened);
}

/* ---- what the run gives ---- */

size_t cn_run_describing_searcher(const cairn_run *run)
{
	size_t number;
	for (size_t i = 0; i < run->recipe->stage_count; i++) {
		const cn_stage *stage = &run->recipe->stages[i];
		if (stage->is_used && cn_stage_needs_local(stage) && cn_run_local_searcher(run, stage, &number) == 0)
			return number;
	}
	return CN_SEARCHER_GLOBAL;
}

static int describe_query(cairn_run *run, size_t query, size_t searcher, float *out)
{
	const cn_run_query *asked = &run->queries[query];
	cairn_query *opened;
	if (asked->from)
		return cairn_collection_descriptor(asked->from, asked->id, out);
	CN_TRY(cn_run_open_query(run, query, searcher, &opened));
	memcpy(out, opened->descriptor, run->info.dim * sizeof(*out));
	cn_run_close_query(run, query, opened);
	return 0;
}

static int give_queries(cairn_run *run, cn_value *out)
{
	size_t searcher = cn_run_describing_searcher(run);
	cn_progress progress;
	out->count = run->query_count;
	out->dim = run->info.dim;
	CN_NEW(out->vectors, out->count * out->dim, sizeof(*out->vectors));
	cn_progress_start(&progress, run->progress, run->progress_payload, "queries", out->count);
	int status = 0;
	for (size_t i = 0; i < out->count && status == 0; i++) {
		status = describe_query(run, i, searcher, out->vectors + i * out->dim);
		if (status == 0)
			status = cn_progress_add(&progress, 1, 0);
	}
	cn_progress_end(&progress);
	return status;
}

int cn_run_give(cairn_run *run, size_t given, cn_value *out)
{
	switch (given) {
	case CN_GIVEN_QUERIES:
		return give_queries(run, out);
	case CN_GIVEN_INDEX:
		return cairn_collection_index(&out->index, run->index);
	default:
		return cairn_collection_index(&out->index, run->train);
	}
}

/* Photographs by their content, since whoever changes one asks another question, and by what they are described with.
 */
static int photo_key(const cairn_run *run, cn_run_query *query, cn_text *text)
{
	const char *precision = run->precision ? run->precision : "auto";
	cn_key key;
	CN_TRY(cn_key_of_file(&key, query->path));
	if (!cn_key_equal(key, query->content))
		forget_descriptions(query);
	query->content = key;
	CN_TRY(cn_text_add_bytes(text, &key, sizeof(key)));
	CN_TRY(cn_text_add_bytes(text, precision, strlen(precision) + 1));
	return cn_text_add_bytes(text, &query->box, sizeof(query->box));
}

/* Images of the index are left out of their own rankings, those of a copy of it are not. */
static int collection_key(const cairn_run *run, cairn_collection *from, cn_text *text)
{
	cn_key key;
	CN_TRY(cn_collection_key(from, &key));
	CN_TRY(cn_text_add(text, from == run->index ? "own " : "other "));
	return cn_text_add_bytes(text, &key, sizeof(key));
}

static int queries_key(const cairn_run *run, cn_key *out)
{
	const cairn_collection *from = NULL;
	cn_text text = CN_TEXT_INIT;
	int status = 0;
	for (size_t i = 0; i < run->query_count && status == 0; i++) {
		cn_run_query *query = &run->queries[i];
		if (query->from && query->from != from)
			CN_GOTO(status, collection_key(run, query->from, &text));
		from = query->from;
		status = from ? cn_text_add_bytes(&text, &query->id, sizeof(query->id)) : photo_key(run, query, &text);
	}
	if (status == 0)
		*out = cn_key_of(text.data, text.length);
done:
	cn_text_free(&text);
	return status;
}

int cn_run_given_key(cairn_run *run, size_t given, cn_key *out)
{
	switch (given) {
	case CN_GIVEN_QUERIES:
		return queries_key(run, out);
	case CN_GIVEN_INDEX:
		return cn_collection_key(run->index, out);
	default:
		return cn_collection_key(run->train, out);
	}
}

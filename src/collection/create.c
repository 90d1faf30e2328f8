/*
 * Making a collection. The catalogue is built under another name and renamed as the last step, so a folder either holds
 * a whole collection or only what a killed attempt left, which the next attempt clears away.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cairn/model.h"
#include "collection/handle.h"
#include "local/rootsift.h"
#include "util/file.h"
#include "util/lock.h"
#include "util/memory.h"

#define UNFINISHED_NAME CN_CATALOGUE_NAME ".new"

/* A bundle in a folder of its own is found again from any working directory only by its absolute path. */
static int keep_name(char **out, const char *name)
{
	if (strchr(name, '/'))
		return cn_path_absolute(out, name);
	*out = cn_strdup(name);
	return *out ? 0 : CAIRN_ENOMEM;
}

/* Name, kind, fingerprint and dimensions, from the bundle. */
static int look_at_model(cn_source *out, const char *name, const char *kind)
{
	cairn_model *model;
	cairn_model_info info;
	CN_TRY(keep_name(&out->name, name));
	CN_TRY(cairn_model_inspect(&model, out->name));
	cairn_model_get_info(model, &info);
	int status = 0;
	out->dim = info.dim;
	out->kind = cn_strdup(info.name);
	out->fingerprint = cn_strdup(info.fingerprint);
	if (!out->kind || !out->fingerprint)
		status = CAIRN_ENOMEM;
	else if (strcmp(strcmp(info.kind, "ensemble") == 0 ? "global" : info.kind, kind) != 0)
		status = cn_fail(CAIRN_EINVALID, "model '%s' is a %s model, a %s one is needed here", name, info.kind,
				 kind);
	else if (strlen(info.name) > 63)
		status = cn_fail(CAIRN_EINVALID, "model '%s': its name has more than 63 bytes", name);
	cairn_model_free(model);
	return status;
}

static int look_at_rootsift(cn_source *out)
{
	out->name = cn_strdup("rootsift");
	out->kind = cn_strdup("rootsift");
	out->fingerprint = cn_strdup(CN_ROOTSIFT_FINGERPRINT);
	out->dim = 128;
	return out->name && out->kind && out->fingerprint ? 0 : CAIRN_ENOMEM;
}

static int expect_new_kind(const cn_source *sources, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		if (strcmp(sources[i].kind, sources[count - 1].kind) == 0)
			return cn_fail(CAIRN_EINVALID, "'%s' is given twice", sources[i].kind);
	}
	return 0;
}

static int add_global(cn_sources *out, const cairn_describer_model *model)
{
	cn_source *source = &out->globals[out->global_count++];
	if (!(model->weight > 0) || !isfinite(model->weight))
		return cn_fail(CAIRN_EINVALID, "model '%s': the weight %g must be above 0", model->name,
			       (double)model->weight);
	source->weight = model->weight;
	CN_TRY(look_at_model(source, model->name, "global"));
	return expect_new_kind(out->globals, out->global_count);
}

static int add_local(cn_sources *out, const char *name)
{
	cn_source *source = &out->locals[out->local_count++];
	CN_TRY(strcmp(name, "rootsift") == 0 ? look_at_rootsift(source) : look_at_model(source, name, "local"));
	return expect_new_kind(out->locals, out->local_count);
}

/* `dim` is what each box has: its four sides. */
static int add_detector(cn_sources *out, const char *name)
{
	if (out->local_count == 0)
		return cn_fail(CAIRN_EINVALID,
			       "the boxes of detector '%s' are regions of local features, and none are kept: give a "
			       "kind of them as well",
			       name);
	CN_TRY(look_at_model(&out->detector, name, "detector"));
	out->detector.dim = 4;
	return 0;
}

static int look_at_sources(cn_sources *out, const cairn_collection_options *options)
{
	if (options->version != CAIRN_COLLECTION_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "collection options of version %u, this library knows %d",
			       options->version, CAIRN_COLLECTION_OPTIONS_VERSION);
	if (options->model_count == 0 && options->local_count == 0)
		return cn_fail(CAIRN_EINVALID, "a collection needs a global model or a kind of local features");
	if (options->model_count > CN_MAX_SOURCES || options->local_count > CN_MAX_SOURCES)
		return cn_fail(CAIRN_EINVALID, "%zu global and %zu local models, at most %d of each are possible",
			       options->model_count, options->local_count, CN_MAX_SOURCES);
	for (size_t i = 0; i < options->model_count; i++)
		CN_TRY(add_global(out, &options->models[i]));
	for (size_t i = 0; i < options->local_count; i++)
		CN_TRY(add_local(out, options->locals[i]));
	return options->detector ? add_detector(out, options->detector) : 0;
}

/* Is it something that a killed attempt to make a collection left? */
static int is_leftover(const char *folder, const char *name)
{
	char **names;
	size_t count = 1;
	if (strcmp(name, CN_LOCK_NAME) == 0 || strncmp(name, UNFINISHED_NAME, strlen(UNFINISHED_NAME)) == 0)
		return 1;
	if (strcmp(name, CN_SEGMENTS_NAME) != 0)
		return 0;
	char *segments = cn_path_join(folder, name);
	if (segments && cn_folder_list(segments, &names, &count) == 0)
		cn_names_free(names, count);
	cn_free(segments);
	return count == 0;
}

/* CAIRN_EEXISTS where the folder holds anything but leftovers. */
static int expect_empty(const char *folder)
{
	char **names;
	size_t count;
	int status = 0;
	CN_TRY(cn_folder_list(folder, &names, &count));
	for (size_t i = 0; i < count && status == 0; i++) {
		if (strcmp(names[i], CN_CATALOGUE_NAME) == 0)
			status = cn_fail(CAIRN_EEXISTS, "'%s' is a collection already", folder);
		else if (!is_leftover(folder, names[i]))
			status = cn_fail(CAIRN_EEXISTS,
					 "'%s' is not empty (it holds '%s'): name a new or an empty folder", folder,
					 names[i]);
	}
	cn_names_free(names, count);
	return status;
}

/* The unfinished catalogue and what SQLite kept beside it. */
static int clear_leftovers(const char *folder)
{
	static const char *const endings[] = { "", "-journal", "-wal", "-shm" };
	int status = 0;
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings) && status == 0; i++) {
		char *path = cn_textf("%s/%s%s", folder, UNFINISHED_NAME, endings[i]);
		if (!path)
			return CAIRN_ENOMEM;
		if (unlink(path) != 0 && errno != ENOENT)
			status = cn_fail_errno("cannot delete '%s'", path);
		cn_free(path);
	}
	return status;
}

static int sync_file(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	int status = file < 0 || fsync(file) != 0 ? cn_fail_errno("cannot sync '%s'", path) : 0;
	if (file >= 0)
		close(file);
	return status;
}

static int build(const char *folder, const cn_sources *sources)
{
	char *segments = cn_path_join(folder, CN_SEGMENTS_NAME);
	char *unfinished = cn_path_join(folder, UNFINISHED_NAME);
	char *catalogue = cn_path_join(folder, CN_CATALOGUE_NAME);
	int status;
	CN_GOTO(status, segments && unfinished && catalogue ? 0 : CAIRN_ENOMEM);
	CN_GOTO(status, cn_folder_make(segments));
	CN_GOTO(status, cn_catalogue_create(unfinished, sources));
	CN_GOTO(status, sync_file(unfinished));
	if (rename(unfinished, catalogue) != 0)
		status = cn_fail_errno("cannot rename '%s'", unfinished);
	if (status == 0)
		status = cn_folder_sync(folder);
done:
	cn_free(segments);
	cn_free(unfinished);
	cn_free(catalogue);
	return status;
}

int cairn_collection_create(const char *folder, const cairn_collection_options *options)
{
	cn_sources sources = { 0 };
	char *absolute = NULL;
	int lock = -1, status;
	CN_GOTO(status, cn_path_absolute(&absolute, folder));
	CN_GOTO(status, look_at_sources(&sources, options));
	CN_GOTO(status, cn_folder_make(absolute));
	CN_GOTO(status, expect_empty(absolute));
	CN_GOTO(status, cn_lock_take(&lock, absolute));
	/* Once more, now that nobody else can be making one. */
	CN_GOTO(status, expect_empty(absolute));
	CN_GOTO(status, clear_leftovers(absolute));
	CN_GOTO(status, build(absolute, &sources));
done:
	if (lock >= 0)
		close(lock);
	cn_sources_free(&sources);
	cn_free(absolute);
	return status;
}

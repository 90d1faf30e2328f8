/*
 * Opening a collection: what the catalogue says, the mapped segments.
 *
 * A reader stays in one read transaction from the moment it is opened or refreshed, so everything it asks the catalogue
 * later fits the segments that it mapped. The writer needs none: nobody else changes what it sees.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collection/handle.h"
#include "collection/structures.h"
#include "util/file.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/memory.h"

/* A compaction between reading the catalogue and mapping the files takes files away; then both are done again. */
#define ATTEMPTS 8

/* ---- segments ---- */

static void close_segment(cn_segment *segment)
{
	cn_row_segment_close(&segment->rows);
	for (size_t i = 0; i < CN_MAX_SOURCES; i++)
		cn_feature_segment_free(segment->features[i]);
	cn_box_segment_close(&segment->boxes);
	cn_segment_record_free(&segment->record);
}

static void free_snapshot(cn_snapshot *snapshot)
{
	cn_structures_close(snapshot);
	cairn_index_free(snapshot->index);
	cn_free(snapshot->parts);
	for (size_t i = 0; i < snapshot->segment_count; i++)
		close_segment(&snapshot->segments[i]);
	cn_free(snapshot->segments);
	cn_free(snapshot->removed);
	*snapshot = (cn_snapshot){ 0 };
}

static int map_segments(cairn_collection *collection, cn_snapshot *snapshot, int *vanished)
{
	*vanished = 0;
	for (size_t i = 0; i < snapshot->segment_count; i++) {
		int status = cn_segment_map(collection, &snapshot->segments[i]);
		if (status == CAIRN_ENOMEM)
			return status;
		*vanished |= status == CAIRN_ENOTFOUND;
	}
	return 0;
}

static int read_segments(cairn_collection *collection, cn_snapshot *snapshot)
{
	cn_segment_record *records;
	size_t count;
	CN_TRY(cn_catalogue_segments(collection->catalogue, &collection->sources, &records, &count));
	snapshot->segments = cn_alloc_zero(count, sizeof(*snapshot->segments));
	for (size_t i = 0; i < count; i++) {
		if (!snapshot->segments) {
			cn_segment_record_free(&records[i]);
			continue;
		}
		snapshot->segments[i].record = records[i];
		snapshot->segment_count = i + 1;
		snapshot->rows += records[i].rows;
		for (size_t k = 0; k < CN_FILES; k++)
			snapshot->bytes += records[i].files[k].size;
	}
	cn_free(records);
	return snapshot->segments ? 0 : CAIRN_ENOMEM;
}

/* A snapshot of what is committed now. */
static int read_snapshot(cairn_collection *collection, cn_snapshot *out, int *vanished)
{
	int status = 0;
	*out = (cn_snapshot){ 0 };
	if (!collection->writable) {
		cn_catalogue_release(collection->catalogue);
		CN_TRY(cn_catalogue_hold(collection->catalogue));
	}
	CN_GOTO(status, cn_catalogue_count(collection->catalogue, &out->counts));
	CN_GOTO(status, read_segments(collection, out));
	CN_GOTO(status, cn_structures_read(collection, out));
	CN_GOTO(status, cn_catalogue_ids(collection->catalogue, 1, INT64_MAX, 1, &out->removed, &out->removed_count));
	CN_GOTO(status, map_segments(collection, out, vanished));
done:
	if (status < 0)
		free_snapshot(out);
	return status;
}

static int reload(cairn_collection *collection)
{
	cn_snapshot fresh;
	int vanished = 1;
	collection->stale = 1;
	for (int i = 0; i < ATTEMPTS && vanished; i++) {
		if (i > 0)
			free_snapshot(&fresh);
		CN_TRY(read_snapshot(collection, &fresh, &vanished));
		/* Nothing vanishes from under the writer: what it misses is damage, to be told when it is asked for. */
		vanished = vanished && !collection->writable;
	}
	free_snapshot(&collection->now);
	collection->now = fresh;
	collection->generation++;
	collection->stale = 0;
	return 0;
}

int cn_collection_reload(cairn_collection *collection)
{
	pthread_mutex_lock(&collection->mutex);
	int status = reload(collection);
	pthread_mutex_unlock(&collection->mutex);
	return status;
}

uint64_t cn_collection_generation(cairn_collection *collection)
{
	pthread_mutex_lock(&collection->mutex);
	uint64_t generation = collection->generation;
	pthread_mutex_unlock(&collection->mutex);
	return generation;
}

int cn_collection_expect_fresh(cairn_collection *collection)
{
	return collection->stale ? reload(collection) : 0;
}

size_t cn_snapshot_segment(const cn_snapshot *snapshot, int64_t id)
{
	size_t begin = 0, end = snapshot->segment_count;
	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;
		if (snapshot->segments[middle].record.last < id)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin < snapshot->segment_count && snapshot->segments[begin].record.first <= id
		       ? begin
		       : snapshot->segment_count;
}

/* ---- stray files ---- */

static int note_name(cn_keymap *registered, const char *name)
{
	return name ? cn_keymap_put(registered, cn_key_of(name, strlen(name)), 0, NULL) : 0;
}

static int note_registered(cn_keymap *registered, const cn_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->segment_count; i++)
		for (size_t k = 0; k < CN_FILES; k++)
			CN_TRY(note_name(registered, snapshot->segments[i].record.files[k].name));
	for (size_t i = 0; i < CN_STRUCTURES; i++)
		CN_TRY(note_name(registered, snapshot->structures[i].file.name));
	return 0;
}

int cn_collection_strays(const cairn_collection *collection, char ***names, size_t *count)
{
	cn_keymap registered = { 0 };
	size_t kept = 0;
	int status = cn_folder_list(collection->segments, names, count);
	/* Then all that is registered is missing, which is told where it is asked for. */
	if (status == CAIRN_ENOTFOUND)
		return 0;
	CN_TRY(status);
	status = note_registered(&registered, &collection->now);
	for (size_t i = 0; i < *count; i++) {
		if (cn_keymap_get(&registered, cn_key_of((*names)[i], strlen((*names)[i]))))
			cn_free((*names)[i]);
		else
			(*names)[kept++] = (*names)[i];
	}
	*count = kept;
	cn_keymap_free(&registered);
	if (status < 0)
		cn_names_free(*names, *count);
	return status < 0 ? status : 0;
}

/* What a killed writer left. Files that cairn would not name so are somebody else's and stay; check tells of them. */
static int clear_strays(cairn_collection *collection)
{
	char **names;
	size_t count;
	CN_TRY(cn_collection_strays(collection, &names, &count));
	for (size_t i = 0; i < count; i++) {
		char *path = cn_segment_name_is_ours(names[i]) ? cn_collection_file(collection, names[i]) : NULL;
		if (path && unlink(path) == 0)
			cn_log(CAIRN_LOG_INFO, "deleted '%s', which an interrupted run left", path);
		cn_free(path);
	}
	cn_names_free(names, count);
	return 0;
}

/* ---- opening and closing ---- */

static int read_sources(cairn_collection *collection)
{
	CN_TRY(cn_catalogue_sources(collection->catalogue, &collection->sources));
	const cn_sources *sources = &collection->sources;
	for (size_t i = 0; i < sources->global_count; i++) {
		collection->models[i] = (cairn_describer_model){ sources->globals[i].name, sources->globals[i].weight };
		collection->dim += sources->globals[i].dim;
	}
	for (size_t i = 0; i < sources->local_count; i++)
		collection->locals[i] = sources->locals[i].kind;
	if (sources->global_count == 0 && sources->local_count == 0)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the catalogue names nothing that describes images",
			       collection->folder);
	return 0;
}

static int open_folder(cairn_collection *collection, const char *folder)
{
	struct stat info;
	CN_TRY(cn_path_absolute(&collection->folder, folder));
	collection->segments = cn_path_join(collection->folder, CN_SEGMENTS_NAME);
	char *catalogue = cn_path_join(collection->folder, CN_CATALOGUE_NAME);
	int status;
	CN_GOTO(status, collection->segments && catalogue ? 0 : CAIRN_ENOMEM);
	if (stat(catalogue, &info) != 0) {
		status = errno == ENOENT || errno == ENOTDIR
				 ? cn_fail(CAIRN_ENOTFOUND, "'%s' is no collection; 'cairn init' makes one", folder)
				 : cn_fail_errno("cannot open '%s'", catalogue);
		goto done;
	}
	if (collection->writable)
		CN_GOTO(status, cn_lock_take(&collection->lock, collection->folder));
	CN_GOTO(status, cn_catalogue_open(&collection->catalogue, catalogue, collection->writable));
	CN_GOTO(status, read_sources(collection));
	CN_GOTO(status, cn_collection_reload(collection));
	if (!collection->writable)
		goto done;
	CN_GOTO(status, cn_folder_make(collection->segments));
	CN_GOTO(status, clear_strays(collection));
done:
	cn_free(catalogue);
	return status;
}

int cairn_collection_open(cairn_collection **out, const char *folder, int writable)
{
	cairn_collection *collection;
	*out = NULL;
	CN_NEW(collection, 1, sizeof(*collection));
	collection->lock = -1;
	collection->writable = writable != 0;
	pthread_mutex_init(&collection->mutex, NULL);
	int status = open_folder(collection, folder);
	if (status < 0) {
		cairn_collection_free(collection);
		return status;
	}
	*out = collection;
	return 0;
}

void cairn_collection_free(cairn_collection *collection)
{
	if (!collection)
		return;
	free_snapshot(&collection->now);
	while (collection->texts) {
		cn_record_text *next = collection->texts->next;
		cn_text_free(&collection->texts->path);
		cn_text_free(&collection->texts->label);
		cn_free(collection->texts);
		collection->texts = next;
	}
	cn_catalogue_free(collection->catalogue);
	cn_sources_free(&collection->sources);
	if (collection->lock >= 0)
		close(collection->lock);
	pthread_mutex_destroy(&collection->mutex);
	cn_free(collection->segments);
	cn_free(collection->folder);
	cn_free(collection);
}

int cairn_collection_refresh(cairn_collection *collection)
{
	return cn_collection_reload(collection);
}

int cn_collection_expect_writable(const cairn_collection *collection)
{
	if (collection->writable)
		return 0;
	return cn_fail(CAIRN_EINVALID, "'%s' is open for reading only", collection->folder);
}

/* ---- telling about it ---- */

int cairn_collection_get_info(cairn_collection *collection, cairn_collection_info *info)
{
	struct stat catalogue;
	char *path = cn_path_join(collection->folder, CN_CATALOGUE_NAME);
	if (!path)
		return CAIRN_ENOMEM;
	int status = stat(path, &catalogue) != 0 ? cn_fail_errno("cannot look at '%s'", path) : 0;
	cn_free(path);
	CN_TRY(status);
	pthread_mutex_lock(&collection->mutex);
	status = cn_collection_expect_fresh(collection);
	const cn_snapshot *now = &collection->now;
	*info = (cairn_collection_info){
		.folder = collection->folder,
		.images = now->counts.images,
		.removed = now->counts.removed,
		.rows = now->rows,
		.labelled = now->counts.labelled,
		.segments = now->segment_count,
		.bytes = now->bytes + (uint64_t)catalogue.st_size,
		.dim = collection->dim,
		.models = collection->models,
		.model_count = collection->sources.global_count,
		.locals = collection->locals,
		.local_count = collection->sources.local_count,
		.detector = collection->sources.detector.kind,
		.structures = now->infos,
		.structure_count = now->info_count,
	};
	pthread_mutex_unlock(&collection->mutex);
	return status;
}

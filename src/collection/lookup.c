/*
 * Asking a collection: records, ids, the index, descriptors and features of single images.
 */
#include <string.h>

#include "collection/structures.h"
#include "math/half.h"
#include "util/ids.h"
#include "util/memory.h"

/* ---- records ---- */

/* Each thread has texts of its own, so that what one thread borrowed stays while others ask. */
static cn_record_text *texts_of_thread(cairn_collection *collection)
{
	pthread_t self = pthread_self();
	for (cn_record_text *text = collection->texts; text; text = text->next) {
		if (pthread_equal(text->thread, self))
			return text;
	}
	cn_record_text *text = cn_alloc_zero(1, sizeof(*text));
	if (text) {
		text->thread = self;
		text->next = collection->texts;
		collection->texts = text;
	}
	return text;
}

static int fill_record(cairn_collection *collection, const cn_image_entry *row, cairn_image_record *out)
{
	cn_record_text *text = texts_of_thread(collection);
	if (!text)
		return CAIRN_ENOMEM;
	text->path.length = text->label.length = 0;
	CN_TRY(cn_text_add(&text->path, row->path));
	CN_TRY(cn_text_add(&text->label, row->label ? row->label : ""));
	*out = (cairn_image_record){ 0 };
	out->id = row->id;
	out->path = text->path.data;
	out->label = row->label ? text->label.data : NULL;
	out->width = row->width;
	out->height = row->height;
	out->size = row->size;
	out->mtime_ns = row->mtime_ns;
	return 0;
}

static int find_id(cairn_collection *collection, int64_t id, cn_image_entry *row)
{
	CN_TRY(cn_catalogue_find_id(collection->catalogue, id, row));
	return row->id ? 0 : cn_fail(CAIRN_ENOTFOUND, "'%s' has no image %lld", collection->folder, (long long)id);
}

int cairn_collection_find_id(cairn_collection *collection, int64_t id, cairn_image_record *out)
{
	cn_image_entry row;
	pthread_mutex_lock(&collection->mutex);
	int status = find_id(collection, id, &row);
	if (status == 0)
		status = fill_record(collection, &row, out);
	pthread_mutex_unlock(&collection->mutex);
	return status;
}

int cairn_collection_find_path(cairn_collection *collection, const char *path, cairn_image_record *out)
{
	cn_image_entry row;
	char *absolute;
	CN_TRY(cn_path_absolute(&absolute, path));
	pthread_mutex_lock(&collection->mutex);
	int status = cn_catalogue_find_path(collection->catalogue, absolute, &row);
	if (status == 0 && !row.id)
		status = cn_fail(CAIRN_ENOTFOUND, "'%s' has no image of the path '%s'", collection->folder, absolute);
	if (status == 0)
		status = fill_record(collection, &row, out);
	pthread_mutex_unlock(&collection->mutex);
	cn_free(absolute);
	return status;
}

int cairn_collection_ids(cairn_collection *collection, int64_t **ids, size_t *count)
{
	pthread_mutex_lock(&collection->mutex);
	int status = cn_catalogue_ids(collection->catalogue, 1, INT64_MAX, 0, ids, count);
	pthread_mutex_unlock(&collection->mutex);
	return status;
}

/* ---- descriptors ---- */

static int expect_model(const cairn_collection *collection)
{
	if (collection->sources.global_count)
		return 0;
	return cn_fail(CAIRN_ENOTFOUND, "'%s' was made without a global model and has no descriptors",
		       collection->folder);
}

static int make_index(cairn_collection *collection)
{
	cn_snapshot *now = &collection->now;
	CN_TRY(expect_model(collection));
	CN_TRY(cn_snapshot_parts(collection));
	if (cn_structure_is_complete(now, CN_STRUCTURE_LISTS))
		return cn_structure_lists_index(collection);
	return cairn_index_new_flat(&now->index, collection->dim, now->parts, now->segment_count, now->removed,
				    now->removed_count);
}

int cairn_collection_index(const cairn_index **out, cairn_collection *collection)
{
	pthread_mutex_lock(&collection->mutex);
	int status = cn_collection_expect_fresh(collection);
	if (status == 0 && !collection->now.index)
		status = make_index(collection);
	*out = collection->now.index;
	pthread_mutex_unlock(&collection->mutex);
	return status;
}

/* The segment that must hold an image of the catalogue. */
static int find_segment(cairn_collection *collection, int64_t id, cn_segment **out)
{
	*out = NULL;
	CN_TRY(cn_collection_expect_fresh(collection));
	size_t at = cn_snapshot_segment(&collection->now, id);
	if (at == collection->now.segment_count)
		return cn_fail(CAIRN_EDAMAGED, "'%s': no segment holds image %lld; 'cairn check' tells what mends it",
			       collection->folder, (long long)id);
	*out = &collection->now.segments[at];
	return 0;
}

static int copy_descriptor(cairn_collection *collection, int64_t id, float *out)
{
	cn_image_entry row;
	cn_segment *segment;
	const cn_row_segment *rows;
	CN_TRY(expect_model(collection));
	CN_TRY(find_id(collection, id, &row));
	CN_TRY(find_segment(collection, id, &segment));
	CN_TRY(cn_segment_rows(collection, segment, &rows));
	size_t at = cn_ids_find(rows->images, rows->count, id);
	if (at == rows->count || rows->images[at] != id)
		return cn_fail(CAIRN_EDAMAGED, "'%s' has no row of image %lld; 'cairn check' tells what mends it",
			       segment->record.files[CN_FILE_IMAGES].name, (long long)id);
	cn_halves_to_floats(rows->rows + at * collection->dim, collection->dim, out);
	return 0;
}

int cairn_collection_descriptor(cairn_collection *collection, int64_t id, float *out)
{
	pthread_mutex_lock(&collection->mutex);
	int status = copy_descriptor(collection, id, out);
	pthread_mutex_unlock(&collection->mutex);
	return status;
}

/* ---- local features ---- */

int cn_collection_local(const cairn_collection *collection, const char *kind, size_t *out)
{
	for (*out = 0; *out < collection->sources.local_count; ++*out)
		if (strcmp(collection->locals[*out], kind) == 0)
			return 0;
	return cn_fail(CAIRN_ENOTFOUND, "'%s' keeps no local features of kind '%s'", collection->folder, kind);
}

static int find_features(cairn_collection *collection, int64_t id, const char *kind, cn_feature_segment **out)
{
	cn_image_entry row;
	cn_segment *segment;
	size_t local;
	CN_TRY(cn_collection_local(collection, kind, &local));
	CN_TRY(find_id(collection, id, &row));
	CN_TRY(find_segment(collection, id, &segment));
	return cn_segment_features(collection, segment, local, out);
}

int cairn_collection_features(cairn_collection *collection, int64_t id, const char *kind, cairn_features **out)
{
	cn_feature_segment *segment = NULL;
	*out = NULL;
	pthread_mutex_lock(&collection->mutex);
	int status = find_features(collection, id, kind, &segment);
	pthread_mutex_unlock(&collection->mutex);
	/* Reading and checking the block takes longer than finding it, and needs no lock: segments do not change. */
	return status < 0 ? status : cn_feature_segment_read(segment, id, out);
}

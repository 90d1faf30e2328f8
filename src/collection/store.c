/*
 * Writing a segment. Files are written under temporary names and get their names only when all is in them; what to
 * register (size, checksum of the whole file) is then read off the files themselves.
 */
#include "collection/store.h"

#include <unistd.h>

#include "collection/structures.h"
#include "util/log.h"
#include "util/memory.h"

struct cn_store {
	const cairn_collection *collection;
	int64_t segment;
	uint64_t rows;
	uint64_t images; /* so far */
	int64_t first, last;
	cn_row_writer row_writer;
	cn_feature_writer *features[CN_MAX_SOURCES];
	cn_box_writer boxes;
	char *paths[CN_FILES]; /* of the files; NULL where there is none */
};

static int make_path(cn_store *store, int file)
{
	char *name = cn_segment_file_name(&store->collection->sources, store->segment, file);
	if (!name)
		return CAIRN_ENOMEM;
	store->paths[file] = cn_collection_file(store->collection, name);
	cn_free(name);
	return store->paths[file] ? 0 : CAIRN_ENOMEM;
}

static int open_files(cn_store *store)
{
	const cn_sources *sources = &store->collection->sources;
	if (sources->global_count) {
		for (int i = 0; i < CN_ROW_FILES; i++)
			CN_TRY(make_path(store, i));
		/* The paths of descriptors come first. */
		CN_TRY(cn_row_writer_open(&store->row_writer, (const char *const *)store->paths, store->rows,
					  store->collection->dim));
	}
	for (size_t i = 0; i < sources->local_count; i++) {
		CN_TRY(make_path(store, CN_FILE_LOCAL + (int)i));
		CN_TRY(cn_feature_writer_new(&store->features[i], store->paths[CN_FILE_LOCAL + i],
					     sources->locals[i].kind, sources->locals[i].dim));
	}
	return sources->detector.name ? make_path(store, CN_FILE_BOXES) : 0;
}

int cn_store_new(cn_store **out, const cairn_collection *collection, int64_t segment, uint64_t rows)
{
	cn_store *store;
	CN_NEW(store, 1, sizeof(*store));
	store->collection = collection;
	store->segment = segment;
	store->rows = collection->sources.global_count ? rows : 0;
	int status = open_files(store);
	if (status < 0) {
		cn_store_discard(store);
		return status;
	}
	*out = store;
	return 0;
}

int cn_store_add(cn_store *store, int64_t id, const uint16_t *rows, size_t row_count,
		 const cairn_features *const *features, const cn_boxes *boxes)
{
	const cairn_collection *collection = store->collection;
	for (size_t i = 0; i < row_count && collection->sources.global_count; i++)
		CN_TRY(cn_row_writer_add(&store->row_writer, id, rows + i * collection->dim));
	for (size_t i = 0; i < collection->sources.local_count; i++)
		CN_TRY(cn_feature_writer_add(store->features[i], id, features[i]));
	if (collection->sources.detector.name)
		CN_TRY(cn_box_writer_add(&store->boxes, id, boxes));
	if (store->images++ == 0)
		store->first = id;
	store->last = id;
	return 0;
}

int cn_store_merge(cn_store *store, int structure, const char *const *paths, size_t count, const int64_t *removed,
		   size_t removed_count)
{
	int file = CN_FILE_DERIVED + structure;
	CN_TRY(make_path(store, file));
	int status = cn_structure_type_of(structure)->merge(store->paths[file], paths, count, removed, removed_count);
	if (status == 0)
		return 0;
	cn_free(store->paths[file]);
	store->paths[file] = NULL;
	if (status == CAIRN_ENOMEM || status == CAIRN_EIO || status == CAIRN_ENOSPACE)
		return status;
	cn_log(CAIRN_LOG_WARNING, "files that were made of segments were not joined, and are to be made again: %s",
	       cairn_last_error());
	return 0;
}

static int commit_files(cn_store *store)
{
	if (store->collection->sources.global_count)
		CN_TRY(cn_row_writer_commit(&store->row_writer));
	for (size_t i = 0; i < store->collection->sources.local_count; i++)
		CN_TRY(cn_feature_writer_commit(store->features[i]));
	return store->paths[CN_FILE_BOXES] ? cn_box_writer_commit(&store->boxes, store->paths[CN_FILE_BOXES]) : 0;
}

int cn_store_finish(cn_store *store, cn_segment_record *record)
{
	int status = 0;
	*record = (cn_segment_record){ .id = store->segment };
	CN_TRY(commit_files(store));
	record->first = store->first;
	record->last = store->last;
	record->images = store->images;
	record->rows = store->rows;
	for (int i = 0; i < CN_FILES && status == 0; i++) {
		if (!store->paths[i])
			continue;
		cn_segment_file *file = &record->files[i];
		status = cn_file_checksum(store->paths[i], &file->size, &file->crc);
		if (status == 0) {
			file->name = cn_segment_file_name(&store->collection->sources, store->segment, i);
			status = file->name ? 0 : CAIRN_ENOMEM;
		}
	}
	if (status < 0)
		cn_segment_record_free(record);
	return status;
}

void cn_store_free(cn_store *store)
{
	if (!store)
		return;
	cn_row_writer_abort(&store->row_writer);
	for (size_t i = 0; i < CN_MAX_SOURCES; i++)
		cn_feature_writer_free(store->features[i]);
	cn_box_writer_free(&store->boxes);
	for (size_t i = 0; i < CN_FILES; i++)
		cn_free(store->paths[i]);
	cn_free(store);
}

void cn_store_discard(cn_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < CN_FILES; i++) {
		if (store->paths[i])
			unlink(store->paths[i]);
	}
	cn_store_free(store);
}

/*
 * Compaction: the live images, in the order of their ids, in segments of a fixed number of images.
 *
 * That number depends on nothing but what the collection keeps of an image, and so the outcome depends on the live
 * images alone, not on how they were added. A segment that is as it would be written is left as it is, so compacting a
 * large collection after a small addition costs little. All new segments are registered, and all old ones dropped, in
 * one transaction; the old files are deleted after it. Readers that have them mapped keep them until they refresh.
 */
#include <unistd.h>

#include "collection/store.h"
#include "collection/structures.h"
#include "util/ids.h"
#include "util/memory.h"
#include "util/progress.h"

/* Segments of about this size, by the typical size of an image's features. */
#define SEGMENT_BYTES  ((uint64_t)1 << 30)
#define FEATURES_BYTES ((uint64_t)128 << 10)
#define LEAST_IMAGES   1024
#define MOST_IMAGES    ((uint64_t)1 << 20)

/* An image to be copied. */
struct item {
	cn_segment *from;
	int64_t id;
	size_t row, row_count;
};

struct compaction {
	cairn_collection *collection;
	cn_progress progress;
	size_t target;      /* images of a segment */
	struct item *items; /* of the segment being gathered; `target` of them fit */
	size_t item_count;
	uint64_t row_count;
	cn_store **written; /* segments */
	size_t written_count, written_capacity;
	char **obsolete; /* names of files */
	size_t obsolete_count, obsolete_capacity;
};

static size_t images_of_a_segment(const cairn_collection *collection)
{
	/* Each number of a row, and its code. */
	uint64_t image = (sizeof(uint16_t) + sizeof(int8_t)) * collection->dim +
			 FEATURES_BYTES * collection->sources.local_count;
	uint64_t images = SEGMENT_BYTES / image;
	return (size_t)(images < LEAST_IMAGES ? LEAST_IMAGES : images > MOST_IMAGES ? MOST_IMAGES : images);
}

/* ---- copying ---- */

static int read_boxes(cairn_collection *collection, const struct item *item, cn_boxes *out)
{
	const cn_box_segment *segment;
	CN_TRY(cn_segment_boxes(collection, item->from, &segment));
	return cn_box_segment_read(segment, item->id, out);
}

static int copy_item(struct compaction *compaction, cn_store *store, const struct item *item)
{
	cairn_collection *collection = compaction->collection;
	cairn_features *features[CN_MAX_SOURCES] = { NULL };
	cn_boxes boxes = { 0 };
	const cn_row_segment *rows;
	const uint16_t *row = NULL;
	int status = 0;
	if (collection->sources.global_count) {
		CN_TRY(cn_segment_rows(collection, item->from, &rows));
		row = rows->rows + item->row * collection->dim;
	}
	for (size_t i = 0; i < collection->sources.local_count && status == 0; i++) {
		cn_feature_segment *segment;
		status = cn_segment_features(collection, item->from, i, &segment);
		if (status == 0)
			status = cn_feature_segment_read(segment, item->id, &features[i]);
	}
	if (status == 0 && collection->sources.detector.name)
		status = read_boxes(collection, item, &boxes);
	if (status == 0)
		status = cn_store_add(store, item->id, row, item->row_count, (const cairn_features *const *)features,
				      &boxes);
	cn_boxes_free(&boxes);
	for (size_t i = 0; i < collection->sources.local_count; i++)
		cairn_features_free(features[i]);
	return status;
}

static int keep_store(struct compaction *compaction, cn_store *store)
{
	if (compaction->written_count == compaction->written_capacity) {
		size_t capacity = compaction->written_capacity ? 2 * compaction->written_capacity : 16;
		cn_store **larger = cn_realloc(compaction->written, capacity, sizeof(*larger));
		if (!larger) {
			cn_store_discard(store);
			return CAIRN_ENOMEM;
		}
		compaction->written = larger;
		compaction->written_capacity = capacity;
	}
	compaction->written[compaction->written_count++] = store;
	return 0;
}

/* The gathered images' segments: how many. @param[out] first of them; they follow each other */
static size_t gathered_segments(const struct compaction *compaction, cn_segment **first)
{
	*first = compaction->items[0].from;
	return (size_t)(compaction->items[compaction->item_count - 1].from - *first) + 1;
}

/* Ids that are in the segments and were not gathered. @param[out] out caller frees */
static int left_out(const struct compaction *compaction, size_t local, int64_t **out, size_t *count)
{
	cn_segment *segments;
	size_t segment_count = gathered_segments(compaction, &segments), capacity = 0, item = 0;
	for (size_t s = 0; s < segment_count; s++)
		capacity += segments[s].record.images;
	*count = 0;
	*out = cn_alloc(capacity, sizeof(**out));
	if (!*out)
		return CAIRN_ENOMEM;
	for (size_t s = 0; s < segment_count; s++) {
		cn_feature_segment *features;
		CN_TRY(cn_segment_features(compaction->collection, &segments[s], local, &features));
		for (size_t i = 0; i < cn_feature_segment_count(features) && *count < capacity; i++) {
			int64_t id = cn_feature_segment_image(features, i);
			if (item < compaction->item_count && compaction->items[item].id == id)
				item++;
			else
				(*out)[(*count)++] = id;
		}
	}
	return 0;
}

static int merge_files(const struct compaction *compaction, cn_store *store, int structure, const char **paths)
{
	cn_segment *segments;
	size_t count = gathered_segments(compaction, &segments), removed_count;
	int64_t *removed = NULL;
	for (size_t s = 0; s < count; s++) {
		const char *name = segments[s].record.files[CN_FILE_DERIVED + structure].name;
		if (!name)
			return 0;
		paths[s] = cn_collection_file(compaction->collection, name);
		if (!paths[s])
			return CAIRN_ENOMEM;
	}
	int status = left_out(compaction, cn_structure_local(structure), &removed, &removed_count);
	if (status == 0)
		status = cn_store_merge(store, structure, paths, count, removed, removed_count);
	cn_free(removed);
	return status;
}

/* Where all segments have files of it that can be joined, that is faster than making them of the features. */
static int merge_structure(const struct compaction *compaction, cn_store *store, int structure)
{
	cn_segment *segments;
	size_t count = gathered_segments(compaction, &segments);
	const char **paths = cn_alloc_zero(count, sizeof(*paths));
	int status = paths ? merge_files(compaction, store, structure, paths) : CAIRN_ENOMEM;
	for (size_t s = 0; paths && s < count; s++)
		cn_free((char *)(uintptr_t)paths[s]);
	cn_free(paths);
	return status;
}

/* Write the gathered images as a segment. */
static int flush(struct compaction *compaction)
{
	cairn_collection *collection = compaction->collection;
	cn_segment_record record;
	cn_store *store = NULL;
	int64_t id;
	if (compaction->item_count == 0)
		return 0;
	CN_TRY(cn_catalogue_new_segment(collection->catalogue, &id));
	CN_TRY(cn_store_new(&store, collection, id, compaction->row_count));
	CN_TRY(keep_store(compaction, store));
	for (size_t i = 0; i < compaction->item_count; i++) {
		CN_TRY(copy_item(compaction, store, &compaction->items[i]));
		CN_TRY(cn_progress_add(&compaction->progress, 1, 0));
	}
	for (int i = 0; i < CN_STRUCTURES; i++)
		if (cn_structure_is_possible(&collection->sources, i) && cn_structure_type_of(i)->merge)
			CN_TRY(merge_structure(compaction, store, i));
	CN_TRY(cn_store_finish(store, &record));
	int status = cn_catalogue_set_segment(collection->catalogue, &collection->sources, &record);
	cn_segment_record_free(&record);
	compaction->item_count = 0;
	compaction->row_count = 0;
	return status;
}

/* ---- gathering ---- */

static int gather_image(struct compaction *compaction, cn_segment *segment, const cn_row_segment *rows, size_t *row,
			int64_t id)
{
	struct item *item = &compaction->items[compaction->item_count];
	*item = (struct item){ segment, id, 0, 0 };
	if (rows) {
		while (*row < rows->count && rows->images[*row] < id)
			++*row;
		item->row = *row;
		while (*row < rows->count && rows->images[*row] == id)
			++*row;
		item->row_count = *row - item->row;
		if (item->row_count == 0)
			return cn_fail(CAIRN_EDAMAGED,
				       "'%s' has no row of image %lld; 'cairn check' tells what mends it",
				       segment->record.files[CN_FILE_IMAGES].name, (long long)id);
	}
	compaction->item_count++;
	compaction->row_count += item->row_count;
	return compaction->item_count == compaction->target ? flush(compaction) : 0;
}

/* What is copied gets a new checksum, so the old one must hold. Derived files are not copied, and merging checks what
 * it reads. */
static int compare_files(const struct compaction *compaction, const cn_segment_record *record)
{
	for (size_t i = 0; i < CN_FILE_DERIVED; i++) {
		if (!record->files[i].name)
			continue;
		int status = cn_segment_file_compare(compaction->collection, &record->files[i]);
		if (status == CAIRN_EDAMAGED)
			cn_fail_context(status, "'%s'", record->files[i].name);
		if (status == CAIRN_EDAMAGED || status == CAIRN_ENOTFOUND)
			return cn_fail_damaged();
		CN_TRY(status);
	}
	return 0;
}

/* What the catalogue no longer knows would be gone for good, and nothing would tell of it. */
static int expect_known(const cairn_collection *collection, const cn_segment_record *record)
{
	size_t known = 0;
	for (int removed = 0; removed < 2; removed++) {
		int64_t *ids;
		size_t count;
		CN_TRY(cn_catalogue_ids(collection->catalogue, record->first, record->last, removed, &ids, &count));
		cn_free(ids);
		known += count;
	}
	if (known == record->images)
		return 0;
	return cn_fail(CAIRN_EDAMAGED,
		       "'%s/catalogue.sqlite': segment %lld has %llu images, the catalogue knows %zu of them; nothing "
		       "was changed. 'cairn "
		       "check' tells more",
		       collection->folder, (long long)record->id, (unsigned long long)record->images, known);
}

static int gather_segment(struct compaction *compaction, cn_segment *segment)
{
	cairn_collection *collection = compaction->collection;
	const cn_row_segment *rows = NULL;
	int64_t *ids;
	size_t count, row = 0;
	int status = 0;
	CN_TRY(compare_files(compaction, &segment->record));
	if (collection->sources.global_count)
		CN_TRY(cn_segment_rows(collection, segment, &rows));
	CN_TRY(expect_known(collection, &segment->record));
	CN_TRY(cn_catalogue_ids(collection->catalogue, segment->record.first, segment->record.last, 0, &ids, &count));
	for (size_t i = 0; i < count && status == 0; i++)
		status = gather_image(compaction, segment, rows, &row, ids[i]);
	cn_free(ids);
	return status;
}

static int has_removed(const cn_snapshot *snapshot, const cn_segment_record *record)
{
	size_t at = cn_ids_find(snapshot->removed, snapshot->removed_count, record->first);
	return at < snapshot->removed_count && snapshot->removed[at] <= record->last;
}

/* Is it as compaction would write it, where a segment begins? */
static int may_stay(const struct compaction *compaction, size_t at)
{
	const cn_snapshot *now = &compaction->collection->now;
	const cn_segment_record *record = &now->segments[at].record;
	int is_last = at + 1 == now->segment_count;
	int fits = record->images == compaction->target || (is_last && record->images < compaction->target);
	return compaction->item_count == 0 && fits && !has_removed(now, record);
}

static int note_obsolete(struct compaction *compaction, const cn_segment_record *record)
{
	for (size_t i = 0; i < CN_FILES; i++) {
		if (!record->files[i].name)
			continue;
		if (compaction->obsolete_count == compaction->obsolete_capacity) {
			size_t capacity = compaction->obsolete_capacity ? 2 * compaction->obsolete_capacity : 64;
			char **larger = cn_realloc(compaction->obsolete, capacity, sizeof(*larger));
			if (!larger)
				return CAIRN_ENOMEM;
			compaction->obsolete = larger;
			compaction->obsolete_capacity = capacity;
		}
		char *path = cn_collection_file(compaction->collection, record->files[i].name);
		if (!path)
			return CAIRN_ENOMEM;
		compaction->obsolete[compaction->obsolete_count++] = path;
	}
	return 0;
}

static int rewrite(struct compaction *compaction)
{
	cn_catalogue *catalogue = compaction->collection->catalogue;
	cn_snapshot *now = &compaction->collection->now;
	for (size_t i = 0; i < now->segment_count; i++) {
		if (may_stay(compaction, i)) {
			CN_TRY(cn_progress_add(&compaction->progress, now->segments[i].record.images, 0));
			continue;
		}
		CN_TRY(gather_segment(compaction, &now->segments[i]));
		CN_TRY(note_obsolete(compaction, &now->segments[i].record));
		CN_TRY(cn_catalogue_drop_segment(catalogue, now->segments[i].record.id));
	}
	CN_TRY(flush(compaction));
	return cn_catalogue_forget_removed(catalogue);
}

static void clean_up(struct compaction *compaction, int failed)
{
	for (size_t i = 0; i < compaction->written_count; i++) {
		if (failed)
			cn_store_discard(compaction->written[i]);
		else
			cn_store_free(compaction->written[i]);
	}
	for (size_t i = 0; i < compaction->obsolete_count; i++)
		cn_free(compaction->obsolete[i]);
	cn_free(compaction->written);
	cn_free(compaction->obsolete);
	cn_free(compaction->items);
}

static int run(struct compaction *compaction)
{
	cn_catalogue *catalogue = compaction->collection->catalogue;
	CN_NEW(compaction->items, compaction->target, sizeof(*compaction->items));
	CN_TRY(cn_catalogue_begin(catalogue));
	int status = rewrite(compaction);
	if (status < 0)
		cn_catalogue_rollback(catalogue);
	return status;
}

int cn_collection_compact(cairn_collection *collection, size_t images, cairn_progress_cb progress, void *payload)
{
	CN_TRY(cn_collection_expect_writable(collection));
	CN_TRY(cn_collection_expect_fresh(collection));
	struct compaction compaction = { .collection = collection, .target = images };
	cn_progress_start(&compaction.progress, progress, payload, "compacting", collection->now.counts.images);
	int status = run(&compaction);
	cn_progress_end(&compaction.progress);
	if (status < 0) {
		clean_up(&compaction, 1);
		return status;
	}
	/* From here on the files stay, even if the commit fails halfway: the next writer sees whether it counts. */
	status = cn_catalogue_commit(collection->catalogue);
	if (status < 0)
		cn_catalogue_rollback(collection->catalogue);
	for (size_t i = 0; i < compaction.obsolete_count && status == 0; i++)
		unlink(compaction.obsolete[i]);
	clean_up(&compaction, 0);
	CN_TRY(status);
	cn_catalogue_checkpoint(collection->catalogue);
	CN_TRY(cn_collection_reload(collection));
	/* What could not be joined. A wish to stop now comes too late to leave the collection as it was. */
	status = cn_structures_complete(collection, 0, 0, progress, payload);
	return status == CAIRN_ECANCELLED ? 0 : status;
}

int cairn_collection_compact(cairn_collection *collection, cairn_progress_cb progress, void *payload)
{
	return cn_collection_compact(collection, images_of_a_segment(collection), progress, payload);
}

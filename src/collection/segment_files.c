/*
 * The files of a segment: their names, and as a handle sees them, mapped when the catalogue is read, looked into when
 * they are needed.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "collection/structures.h"
#include "util/log.h"
#include "util/memory.h"

char *cn_collection_file(const cairn_collection *collection, const char *name)
{
	return cn_path_join(collection->segments, name);
}

int cn_collection_delete(const cairn_collection *collection, const char *name)
{
	char *path = name ? cn_collection_file(collection, name) : NULL;
	int gone = path && (unlink(path) == 0 || errno == ENOENT);
	if (path && !gone)
		cn_log(CAIRN_LOG_WARNING, "cannot delete '%s': %s", path, strerror(errno));
	cn_free(path);
	return gone;
}

char *cn_segment_file_name(const cn_sources *sources, int64_t segment, int file)
{
	if (file < CN_ROW_FILES)
		return cn_textf("%08lld.%s.npy", (long long)segment, cn_row_file_roles[file]);
	if (file < CN_FILE_BOXES)
		return cn_textf("%08lld.%s.features", (long long)segment, sources->locals[file - CN_FILE_LOCAL].kind);
	if (file == CN_FILE_BOXES)
		return cn_textf("%08lld.boxes.npy", (long long)segment);
	int structure = file - CN_FILE_DERIVED;
	return cn_structure_file_name(sources, segment, structure, cn_structure_type_of(structure)->name);
}

int cn_segment_name_is_ours(const char *name)
{
	size_t digits = strspn(name, "0123456789");
	return (digits >= 8 && name[digits] == '.') || strncmp(name, ".cairn-", 7) == 0;
}

/* Do the ids fit what the catalogue says of the segment? */
static int check_rows(const cn_row_segment *rows, const cn_segment_record *record)
{
	const char *name = record->files[CN_FILE_IMAGES].name;
	if (rows->count != record->rows)
		return cn_fail(CAIRN_EDAMAGED, "'%s' has %zu rows, the catalogue says %llu", name, rows->count,
			       (unsigned long long)record->rows);
	if (rows->count && (rows->images[0] < record->first || rows->images[rows->count - 1] > record->last))
		return cn_fail(CAIRN_EDAMAGED,
			       "'%s' has images from %lld to %lld, the catalogue says from %lld to %lld", name,
			       (long long)rows->images[0], (long long)rows->images[rows->count - 1],
			       (long long)record->first, (long long)record->last);
	return 0;
}

static int map_rows(cairn_collection *collection, cn_segment *segment)
{
	const cn_segment_record *record = &segment->record;
	char *paths[CN_ROW_FILES];
	int status = 0;
	for (int i = 0; i < CN_ROW_FILES; i++) {
		paths[i] = cn_collection_file(collection, record->files[i].name);
		status = paths[i] ? status : CAIRN_ENOMEM;
	}
	if (status == 0)
		status = cn_row_segment_open(&segment->rows, (const char *const *)paths, collection->dim);
	if (status == 0) {
		status = check_rows(&segment->rows, record);
		if (status < 0)
			cn_row_segment_close(&segment->rows);
	}
	segment->rows_mapped = status == 0;
	for (int i = 0; i < CN_ROW_FILES; i++)
		cn_free(paths[i]);
	return status;
}

static int map_features(cairn_collection *collection, cn_segment *segment, size_t local)
{
	char *path = cn_collection_file(collection, segment->record.files[CN_FILE_LOCAL + local].name);
	if (!path)
		return CAIRN_ENOMEM;
	int status = cn_feature_segment_open(&segment->features[local], path);
	cn_free(path);
	CN_TRY(status);
	if (strcmp(cn_feature_segment_kind(segment->features[local]), collection->locals[local]) == 0)
		return 0;
	status = cn_fail(CAIRN_EDAMAGED, "'%s' holds features of kind '%s'",
			 segment->record.files[CN_FILE_LOCAL + local].name,
			 cn_feature_segment_kind(segment->features[local]));
	cn_feature_segment_free(segment->features[local]);
	segment->features[local] = NULL;
	return status;
}

static int map_boxes(cairn_collection *collection, cn_segment *segment)
{
	char *path = cn_collection_file(collection, segment->record.files[CN_FILE_BOXES].name);
	int status = path ? cn_box_segment_open(&segment->boxes, path) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

static int worse(int status, int worst)
{
	return status == CAIRN_ENOTFOUND || worst == 0 ? status : worst;
}

int cn_segment_map(cairn_collection *collection, cn_segment *segment)
{
	int worst = 0;
	if (collection->sources.global_count)
		worst = map_rows(collection, segment);
	for (size_t i = 0; i < collection->sources.local_count; i++) {
		int status = map_features(collection, segment, i);
		if (status == CAIRN_ENOMEM)
			return status;
		worst = worse(status, worst);
	}
	return collection->sources.detector.name ? worse(map_boxes(collection, segment), worst) : worst;
}

int cn_fail_damaged(void)
{
	char text[CN_ERROR_SIZE];
	cn_error_save(text, sizeof(text));
	return cn_fail(CAIRN_EDAMAGED, "%s; 'cairn check' tells what mends it", text);
}

/* Whatever is wrong with a file of a collection is damage, also that it is not there; but a file of a newer cairn is
 * none. */
static int as_damage(int status)
{
	if (status == 0 || status == CAIRN_ENOMEM || status == CAIRN_EIO || status == CAIRN_EUNSUPPORTED)
		return status;
	return cn_fail_damaged();
}

int cn_segment_rows(cairn_collection *collection, cn_segment *segment, const cn_row_segment **out)
{
	if (!segment->rows_mapped)
		CN_TRY(as_damage(map_rows(collection, segment)));
	*out = &segment->rows;
	return 0;
}

int cn_segment_part(cairn_collection *collection, cn_segment *segment, cairn_index_part *out)
{
	const cn_row_segment *rows;
	CN_TRY(cn_segment_rows(collection, segment, &rows));
	*out = (cairn_index_part){ rows->rows, rows->codes, rows->scales, rows->images, rows->count };
	return 0;
}

int cn_snapshot_parts(cairn_collection *collection)
{
	cn_snapshot *now = &collection->now;
	if (!now->parts)
		CN_NEW(now->parts, now->segment_count + 1, sizeof(*now->parts));
	for (size_t i = 0; i < now->segment_count; i++)
		CN_TRY(cn_segment_part(collection, &now->segments[i], &now->parts[i]));
	return 0;
}

int cn_segment_features(cairn_collection *collection, cn_segment *segment, size_t local, cn_feature_segment **out)
{
	if (!segment->features[local])
		CN_TRY(as_damage(map_features(collection, segment, local)));
	*out = segment->features[local];
	return 0;
}

int cn_segment_boxes(cairn_collection *collection, cn_segment *segment, const cn_box_segment **out)
{
	if (!segment->boxes.lines)
		CN_TRY(as_damage(map_boxes(collection, segment)));
	*out = &segment->boxes;
	return 0;
}

int cn_segment_file_compare(const cairn_collection *collection, const cn_segment_file *expected)
{
	uint64_t size;
	uint32_t crc;
	char *path = cn_collection_file(collection, expected->name);
	if (!path)
		return CAIRN_ENOMEM;
	int status = cn_file_checksum(path, &size, &crc);
	cn_free(path);
	CN_TRY(status);
	if (size != expected->size)
		return cn_fail(CAIRN_EDAMAGED, "has %llu bytes, was written with %llu", (unsigned long long)size,
			       (unsigned long long)expected->size);
	if (crc != expected->crc)
		return cn_fail(CAIRN_EDAMAGED, "has the checksum %08x, was written with %08x", crc, expected->crc);
	return 0;
}

/*
 * The catalogue's segments and their files. What is read is checked for sense, since names become paths and ranges
 * decide where an image is looked for.
 */
#include <string.h>

#include "collection/sql.h"
#include "collection/structures.h"
#include "util/memory.h"

void cn_segment_record_free(cn_segment_record *segment)
{
	for (size_t i = 0; i < CN_FILES; i++)
		cn_free(segment->files[i].name);
	*segment = (cn_segment_record){ 0 };
}

/* What the catalogue calls a file: "rows", "codes", "scales", "images", "features:KIND", "boxes", or the
 * role of a structure. Caller frees; NULL where memory is short. */
static char *role_of(const cn_sources *sources, int file)
{
	if (file < CN_ROW_FILES)
		return cn_strdup(cn_row_file_roles[file]);
	if (file < CN_FILE_BOXES)
		return cn_textf("features:%s", sources->locals[file - CN_FILE_LOCAL].kind);
	if (file == CN_FILE_BOXES)
		return cn_strdup("boxes");
	return cn_structure_role(sources, file - CN_FILE_DERIVED);
}

static int is_possible(const cn_sources *sources, int file)
{
	if (file >= CN_FILE_DERIVED)
		return cn_structure_is_possible(sources, file - CN_FILE_DERIVED);
	if (file == CN_FILE_BOXES)
		return sources->detector.name != NULL;
	return file < CN_ROW_FILES || (size_t)(file - CN_FILE_LOCAL) < sources->local_count;
}

/* @param[out] out the file that is called so, or -1 */
static int file_of(const cn_sources *sources, const char *role, int *out)
{
	*out = -1;
	for (int i = 0; role && i < CN_FILES && *out < 0; i++) {
		if (!is_possible(sources, i))
			continue;
		char *name = role_of(sources, i);
		if (!name)
			return CAIRN_ENOMEM;
		if (strcmp(role, name) == 0)
			*out = i;
		cn_free(name);
	}
	return 0;
}

/* Names become paths. */
static int is_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

static int read_files(cn_catalogue *catalogue, const cn_sources *sources, cn_segment_record *segment)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_FILES, &statement));
	sqlite3_bind_int64(statement, 1, segment->id);
	int result;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		int file;
		char *name = cn_sql_column_copy(statement, 1);
		if (!name || file_of(sources, (const char *)sqlite3_column_text(statement, 0), &file) < 0) {
			cn_free(name);
			break;
		}
		if (file < 0 || segment->files[file].name || !is_name(name)) {
			cn_free(name);
			sqlite3_reset(statement);
			return cn_fail(CAIRN_EDAMAGED, "'%s': a file of segment %lld makes no sense", catalogue->path,
				       (long long)segment->id);
		}
		segment->files[file] = (cn_segment_file){ name, (uint64_t)sqlite3_column_int64(statement, 2),
							  (uint32_t)sqlite3_column_int64(statement, 3) };
	}
	int short_of_memory = result == SQLITE_ROW;
	int status = cn_sql_finish(catalogue, statement, result, "reading the segments");
	return short_of_memory ? CAIRN_ENOMEM : status;
}

/* Does what the catalogue says of a segment hang together? */
static int check_segment(cn_catalogue *catalogue, const cn_sources *sources, const cn_segment_record *segment,
			 int64_t after)
{
	int complete = !sources->detector.name || segment->files[CN_FILE_BOXES].name;
	for (size_t i = 0; i < sources->local_count; i++)
		complete = complete && segment->files[CN_FILE_LOCAL + i].name;
	for (size_t i = 0; i < CN_ROW_FILES && sources->global_count; i++)
		complete = complete && segment->files[i].name;
	uint64_t span = (uint64_t)segment->last - (uint64_t)segment->first + 1;
	if (!complete || segment->first <= after || segment->last < segment->first || segment->images == 0 ||
	    segment->images > span || (sources->global_count ? segment->rows < segment->images : segment->rows != 0))
		return cn_fail(CAIRN_EDAMAGED, "'%s': the entry of segment %lld makes no sense", catalogue->path,
			       (long long)segment->id);
	return 0;
}

static int read_segment(cn_catalogue *catalogue, const cn_sources *sources, sqlite3_stmt *statement, int64_t after,
			cn_segment_record *out)
{
	*out = (cn_segment_record){ 0 };
	out->id = sqlite3_column_int64(statement, 0);
	out->first = sqlite3_column_int64(statement, 1);
	out->last = sqlite3_column_int64(statement, 2);
	out->images = (uint64_t)sqlite3_column_int64(statement, 3);
	out->rows = (uint64_t)sqlite3_column_int64(statement, 4);
	int status = read_files(catalogue, sources, out);
	if (status == 0)
		status = check_segment(catalogue, sources, out, after);
	if (status < 0)
		cn_segment_record_free(out);
	return status;
}

int cn_catalogue_segments(cn_catalogue *catalogue, const cn_sources *sources, cn_segment_record **out, size_t *count)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_SEGMENTS, &statement));
	cn_segment_record *segments = NULL;
	size_t used = 0, capacity = 0;
	int result, status = 0;
	while (status == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		if (used == capacity) {
			capacity = capacity ? 2 * capacity : 16;
			cn_segment_record *larger = cn_realloc(segments, capacity, sizeof(*segments));
			status = larger ? 0 : CAIRN_ENOMEM;
			segments = larger ? larger : segments;
		}
		if (status == 0)
			status = read_segment(catalogue, sources, statement, used ? segments[used - 1].last : 0,
					      &segments[used]);
		used += status == 0;
	}
	if (status < 0)
		sqlite3_reset(statement);
	else
		status = cn_sql_finish(catalogue, statement, result, "reading the segments");
	if (status == 0) {
		*out = segments;
		*count = used;
		return 0;
	}
	for (size_t i = 0; i < used; i++)
		cn_segment_record_free(&segments[i]);
	cn_free(segments);
	return status;
}

int cn_catalogue_new_segment(cn_catalogue *catalogue, int64_t *id)
{
	CN_TRY(cn_sql_run_plain(catalogue, CN_SQL_NEW_SEGMENT, "adding a segment"));
	*id = sqlite3_last_insert_rowid(catalogue->db);
	return 0;
}

/* A statement whose `at`-th place is for the role of a file. */
static int use_with_role(cn_catalogue *catalogue, cn_sql_statement how, const cn_sources *sources, int file, int at,
			 sqlite3_stmt **out)
{
	CN_TRY(cn_sql_use(catalogue, how, out));
	char *role = role_of(sources, file);
	if (!role)
		return CAIRN_ENOMEM;
	cn_sql_bind_text(*out, at, role);
	cn_free(role);
	return 0;
}

int cn_catalogue_set_file(cn_catalogue *catalogue, const cn_sources *sources, int64_t segment, int file,
			  const cn_segment_file *now)
{
	sqlite3_stmt *statement;
	CN_TRY(use_with_role(catalogue, CN_SQL_SET_FILE, sources, file, 2, &statement));
	sqlite3_bind_int64(statement, 1, segment);
	cn_sql_bind_text(statement, 3, now->name);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)now->size);
	sqlite3_bind_int64(statement, 5, now->crc);
	return cn_sql_run(catalogue, statement, "registering a file");
}

int cn_catalogue_set_segment(cn_catalogue *catalogue, const cn_sources *sources, const cn_segment_record *segment)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_SET_SEGMENT, &statement));
	sqlite3_bind_int64(statement, 1, segment->first);
	sqlite3_bind_int64(statement, 2, segment->last);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)segment->images);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)segment->rows);
	sqlite3_bind_int64(statement, 5, segment->id);
	CN_TRY(cn_sql_run(catalogue, statement, "registering a segment"));
	for (int i = 0; i < CN_FILES; i++) {
		if (segment->files[i].name)
			CN_TRY(cn_catalogue_set_file(catalogue, sources, segment->id, i, &segment->files[i]));
	}
	return 0;
}

int cn_catalogue_drop_segment(cn_catalogue *catalogue, int64_t id)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_DROP_SEGMENT, &statement));
	sqlite3_bind_int64(statement, 1, id);
	return cn_sql_run(catalogue, statement, "dropping a segment");
}

int cn_catalogue_new_number(cn_catalogue *catalogue, int64_t *number)
{
	CN_TRY(cn_catalogue_new_segment(catalogue, number));
	return cn_catalogue_drop_segment(catalogue, *number);
}

int cn_catalogue_drop_file(cn_catalogue *catalogue, const cn_sources *sources, int64_t segment, int file)
{
	sqlite3_stmt *statement;
	CN_TRY(use_with_role(catalogue, CN_SQL_DROP_FILE, sources, file, 2, &statement));
	sqlite3_bind_int64(statement, 1, segment);
	return cn_sql_run(catalogue, statement, "dropping a file");
}

/* ---- structures ---- */

static int read_structure(cn_catalogue *catalogue, const cn_sources *sources, sqlite3_stmt *statement,
			  cn_structure_record *out)
{
	int file;
	CN_TRY(file_of(sources, (const char *)sqlite3_column_text(statement, 0), &file));
	if (file < CN_FILE_DERIVED)
		return cn_fail(CAIRN_EDAMAGED, "'%s': an entry of its structures makes no sense", catalogue->path);
	cn_structure_record *record = &out[file - CN_FILE_DERIVED];
	*record = (cn_structure_record){
		.wanted = 1,
		.file.size = (uint64_t)sqlite3_column_int64(statement, 2),
		.file.crc = (uint32_t)sqlite3_column_int64(statement, 3),
		.units = (uint64_t)sqlite3_column_int64(statement, 4),
		.trained = (uint64_t)sqlite3_column_int64(statement, 5),
	};
	if (sqlite3_column_type(statement, 6) != SQLITE_NULL) {
		record->regions = cn_sql_column_copy(statement, 6);
		if (!record->regions)
			return CAIRN_ENOMEM;
	}
	if (sqlite3_column_type(statement, 1) == SQLITE_NULL)
		return 0;
	record->file.name = cn_sql_column_copy(statement, 1);
	if (!record->file.name)
		return CAIRN_ENOMEM;
	return is_name(record->file.name)
		       ? 0
		       : cn_fail(CAIRN_EDAMAGED, "'%s': a file of its structures makes no sense", catalogue->path);
}

int cn_catalogue_structures(cn_catalogue *catalogue, const cn_sources *sources, cn_structure_record *out)
{
	sqlite3_stmt *statement;
	for (size_t i = 0; i < CN_STRUCTURES; i++)
		out[i] = (cn_structure_record){ 0 };
	CN_TRY(cn_sql_use(catalogue, CN_SQL_STRUCTURES, &statement));
	int result, status = 0;
	while (status == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW)
		status = read_structure(catalogue, sources, statement, out);
	if (status < 0)
		sqlite3_reset(statement);
	else
		status = cn_sql_finish(catalogue, statement, result, "reading the structures");
	for (size_t i = 0; i < CN_STRUCTURES && status < 0; i++) {
		cn_free(out[i].file.name);
		cn_free(out[i].regions);
		out[i] = (cn_structure_record){ 0 };
	}
	return status;
}

int cn_catalogue_set_structure(cn_catalogue *catalogue, const cn_sources *sources, int structure,
			       const cn_structure_record *record)
{
	static const cn_structure_record not_made = { 0 };
	sqlite3_stmt *statement;
	int file = CN_FILE_DERIVED + structure;
	record = record ? record : &not_made;
	CN_TRY(use_with_role(catalogue, CN_SQL_DROP_FILES, sources, file, 1, &statement));
	CN_TRY(cn_sql_run(catalogue, statement, "dropping files"));
	CN_TRY(use_with_role(catalogue, CN_SQL_SET_STRUCTURE, sources, file, 1, &statement));
	cn_sql_bind_text(statement, 2, record->file.name);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)record->file.size);
	sqlite3_bind_int64(statement, 4, record->file.crc);
	sqlite3_bind_int64(statement, 5, (sqlite3_int64)record->units);
	sqlite3_bind_int64(statement, 6, (sqlite3_int64)record->trained);
	cn_sql_bind_text(statement, 7, record->regions);
	return cn_sql_run(catalogue, statement, "registering a structure");
}

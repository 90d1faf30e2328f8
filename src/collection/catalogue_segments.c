/*
 * The catalogue's segments and their files. What is read is checked for sense, since names become paths and ranges
 * decide where an image is looked for.
 */
#include <string.h>

#include "collection/sql.h"
#include "util/memory.h"

void cn_segment_record_free(cn_segment_record *segment)
{
	for (size_t i = 0; i < CN_FILES; i++)
		cn_free(segment->files[i].name);
	*segment = (cn_segment_record){ 0 };
}

/* "rows", "codes", "scales", "images", "features:KIND". Returns the file's index, or -1. */
static int file_of(const cn_sources *sources, const char *role)
{
	static const char features[] = "features:";
	for (int i = 0; role && i < CN_ROW_FILES; i++) {
		if (strcmp(role, cn_row_file_roles[i]) == 0)
			return i;
	}
	for (size_t i = 0; role && i < sources->local_count; i++) {
		if (strncmp(role, features, sizeof(features) - 1) == 0 &&
		    strcmp(role + sizeof(features) - 1, sources->locals[i].kind) == 0)
			return CN_FILE_LOCAL + (int)i;
	}
	return -1;
}

static int read_files(cn_catalogue *catalogue, const cn_sources *sources, cn_segment_record *segment)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_FILES, &statement));
	sqlite3_bind_int64(statement, 1, segment->id);
	int result;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		int file = file_of(sources, (const char *)sqlite3_column_text(statement, 0));
		char *name = cn_sql_column_copy(statement, 1);
		if (!name)
			break;
		if (file < 0 || segment->files[file].name || !*name || strchr(name, '/') || *name == '.') {
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
	int complete = 1;
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

/* With one of the two statements that take segment, role, name, size and checksum. */
static int put_file(cn_catalogue *catalogue, cn_sql_statement how, const cn_sources *sources, int64_t segment,
		    int index, const cn_segment_file *file)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, how, &statement));
	char *role = index < CN_ROW_FILES ? cn_strdup(cn_row_file_roles[index])
					  : cn_textf("features:%s", sources->locals[index - CN_FILE_LOCAL].kind);
	if (!role)
		return CAIRN_ENOMEM;
	sqlite3_bind_int64(statement, 1, segment);
	cn_sql_bind_text(statement, 2, role);
	cn_sql_bind_text(statement, 3, file->name);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)file->size);
	sqlite3_bind_int64(statement, 5, file->crc);
	cn_free(role);
	return cn_sql_run(catalogue, statement, "registering a file");
}

int cn_catalogue_set_file(cn_catalogue *catalogue, const cn_sources *sources, int64_t segment, int file,
			  const cn_segment_file *now)
{
	return put_file(catalogue, CN_SQL_SET_FILE, sources, segment, file, now);
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
			CN_TRY(put_file(catalogue, CN_SQL_ADD_FILE, sources, segment->id, i, &segment->files[i]));
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

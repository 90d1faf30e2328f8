/*
 * The catalogue's images.
 */
#include "collection/sql.h"
#include "util/ids.h"
#include "util/memory.h"

static int count_rows(cn_catalogue *catalogue, cn_sql_statement which, uint64_t *out)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, which, &statement));
	int result = sqlite3_step(statement);
	*out = result == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
	return cn_sql_finish(catalogue, statement, result, "counting images");
}

int cn_catalogue_count(cn_catalogue *catalogue, cn_catalogue_counts *out)
{
	CN_TRY(count_rows(catalogue, CN_SQL_COUNT_IMAGES, &out->images));
	CN_TRY(count_rows(catalogue, CN_SQL_COUNT_REMOVED, &out->removed));
	return count_rows(catalogue, CN_SQL_COUNT_LABELLED, &out->labelled);
}

int cn_catalogue_ids(cn_catalogue *catalogue, int64_t first, int64_t last, int removed, int64_t **ids, size_t *count)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, removed ? CN_SQL_REMOVED_IDS : CN_SQL_LIVE_IDS, &statement));
	sqlite3_bind_int64(statement, 1, first);
	sqlite3_bind_int64(statement, 2, last);
	int result;
	int status = cn_sql_gather(statement, ids, count, &result);
	int ended = cn_sql_finish(catalogue, statement, result, "reading the ids");
	return status < 0 ? status : ended;
}

static int add_name(cn_label_table *table, sqlite3_stmt *statement, size_t *capacity)
{
	if (table->name_count == *capacity) {
		size_t larger = *capacity ? 2 * *capacity : 64;
		char **names = cn_realloc(table->names, larger, sizeof(*names));
		if (!names)
			return CAIRN_ENOMEM;
		table->names = names;
		*capacity = larger;
	}
	char *name = cn_sql_column_copy(statement, 0);
	if (!name)
		return CAIRN_ENOMEM;
	table->names[table->name_count++] = name;
	return 0;
}

static int read_names(cn_catalogue *catalogue, cn_label_table *table)
{
	sqlite3_stmt *statement;
	size_t capacity = 0;
	int result, status = 0;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_LABELS, &statement));
	while (status == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW)
		status = add_name(table, statement, &capacity);
	int ended = cn_sql_finish(catalogue, statement, status < 0 ? SQLITE_DONE : result, "reading the labels");
	return status < 0 ? status : ended;
}

static void set_label(cn_label_table *table, sqlite3_stmt *statement)
{
	const char *name = (const char *)sqlite3_column_text(statement, 1);
	size_t at = cn_ids_find(table->ids, table->count, sqlite3_column_int64(statement, 0));
	if (name && at < table->count && table->ids[at] == sqlite3_column_int64(statement, 0))
		table->labels[at] = cn_label_table_number(table, name);
}

int cn_catalogue_labels(cn_catalogue *catalogue, cn_label_table *table)
{
	sqlite3_stmt *statement;
	int result;
	CN_TRY(read_names(catalogue, table));
	table->labels = cn_alloc(table->count, sizeof(*table->labels));
	if (!table->labels)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < table->count; i++)
		table->labels[i] = CN_NO_LABEL;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_LABELLED_IDS, &statement));
	while ((result = sqlite3_step(statement)) == SQLITE_ROW)
		set_label(table, statement);
	return cn_sql_finish(catalogue, statement, result, "reading the labels");
}

static int keep_text(cn_text *text, sqlite3_stmt *statement, int at)
{
	const void *bytes = sqlite3_column_blob(statement, at);
	text->length = 0;
	return cn_text_add_bytes(text, bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, at));
}

/* The single row that a FIND_ statement may give. */
static int find(cn_catalogue *catalogue, sqlite3_stmt *statement, cn_image_entry *out)
{
	*out = (cn_image_entry){ 0 };
	int result = sqlite3_step(statement), status = 0;
	if (result == SQLITE_ROW) {
		status = keep_text(&catalogue->image_path, statement, 1);
		if (status == 0)
			status = keep_text(&catalogue->image_label, statement, 7);
		out->path = catalogue->image_path.data;
		out->size = (uint64_t)sqlite3_column_int64(statement, 2);
		out->mtime_ns = sqlite3_column_int64(statement, 3);
		out->width = (uint32_t)sqlite3_column_int64(statement, 4);
		out->height = (uint32_t)sqlite3_column_int64(statement, 5);
		out->hash = cn_sql_column_key(statement, 6);
		out->label = sqlite3_column_type(statement, 7) == SQLITE_NULL ? NULL : catalogue->image_label.data;
		out->id = sqlite3_column_int64(statement, 0);
	}
	int ended = cn_sql_finish(catalogue, statement, result, "looking for an image");
	return status < 0 ? status : ended;
}

int cn_catalogue_find_id(cn_catalogue *catalogue, int64_t id, cn_image_entry *out)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_FIND_ID, &statement));
	sqlite3_bind_int64(statement, 1, id);
	return find(catalogue, statement, out);
}

int cn_catalogue_find_path(cn_catalogue *catalogue, const char *path, cn_image_entry *out)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_FIND_PATH, &statement));
	cn_sql_bind_bytes(statement, 1, path);
	return find(catalogue, statement, out);
}

int cn_catalogue_find_hash(cn_catalogue *catalogue, cn_key hash, cn_image_entry *out)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_FIND_HASH, &statement));
	cn_sql_bind_key(statement, 1, hash);
	return find(catalogue, statement, out);
}

int cn_catalogue_add_image(cn_catalogue *catalogue, const cn_image_entry *image, int64_t *id)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_ADD_IMAGE, &statement));
	cn_sql_bind_bytes(statement, 1, image->path);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)image->size);
	sqlite3_bind_int64(statement, 3, image->mtime_ns);
	sqlite3_bind_int64(statement, 4, image->width);
	sqlite3_bind_int64(statement, 5, image->height);
	cn_sql_bind_key(statement, 6, image->hash);
	cn_sql_bind_text(statement, 7, image->label);
	CN_TRY(cn_sql_run(catalogue, statement, "adding an image"));
	*id = sqlite3_last_insert_rowid(catalogue->db);
	return 0;
}

static int set_path(cn_catalogue *catalogue, cn_sql_statement how, int64_t id, const char *path, uint64_t size,
		    int64_t mtime_ns)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, how, &statement));
	cn_sql_bind_bytes(statement, 1, path);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)size);
	sqlite3_bind_int64(statement, 3, mtime_ns);
	sqlite3_bind_int64(statement, 4, id);
	return cn_sql_run(catalogue, statement, "changing a path");
}

int cn_catalogue_set_path(cn_catalogue *catalogue, int64_t id, const char *path, uint64_t size, int64_t mtime_ns)
{
	return set_path(catalogue, CN_SQL_SET_PATH, id, path, size, mtime_ns);
}

int cn_catalogue_restore(cn_catalogue *catalogue, int64_t id, const char *path, uint64_t size, int64_t mtime_ns)
{
	return set_path(catalogue, CN_SQL_RESTORE, id, path, size, mtime_ns);
}

int cn_catalogue_set_label(cn_catalogue *catalogue, int64_t id, const char *label)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_SET_LABEL, &statement));
	cn_sql_bind_text(statement, 1, label);
	sqlite3_bind_int64(statement, 2, id);
	return cn_sql_run(catalogue, statement, "changing a label");
}

int cn_catalogue_remove(cn_catalogue *catalogue, int64_t id, int *found)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_REMOVE, &statement));
	sqlite3_bind_int64(statement, 1, id);
	CN_TRY(cn_sql_run(catalogue, statement, "removing an image"));
	*found = sqlite3_changes(catalogue->db) > 0;
	return 0;
}

int cn_catalogue_forget_removed(cn_catalogue *catalogue)
{
	return cn_sql_run_plain(catalogue, CN_SQL_FORGET_REMOVED, "clearing removed images");
}

int cn_catalogue_forget_range(cn_catalogue *catalogue, int64_t first, int64_t last)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_FORGET_RANGE, &statement));
	sqlite3_bind_int64(statement, 1, first);
	sqlite3_bind_int64(statement, 2, last);
	return cn_sql_run(catalogue, statement, "dropping images");
}

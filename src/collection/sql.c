/*
 * Statements are prepared once and kept. Each is reset before the function that used it returns, because a statement
 * left in the middle holds a read transaction open and would keep the log from being emptied.
 */
#include "collection/sql.h"

#include <errno.h>
#include <string.h>

#include "util/memory.h"

/* clang-format off */
#define IMAGE_COLUMNS "SELECT id, path, size, mtime_ns, width, height, hash, label FROM images WHERE "

static const char *const statement_text[CN_SQL_STATEMENTS] = {
	[CN_SQL_BEGIN_READ] = "BEGIN",
	[CN_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[CN_SQL_COMMIT] = "COMMIT",
	[CN_SQL_SOURCES] = "SELECT role, name, kind, fingerprint, weight, dim FROM sources ORDER BY role, position",
	[CN_SQL_ADD_SOURCE] = "INSERT INTO sources(role, position, name, kind, fingerprint, weight, dim) VALUES(?, ?, ?, ?, ?, ?, ?)",
	[CN_SQL_SEGMENTS] = "SELECT id, first, last, images, rows FROM segments ORDER BY first, id",
	[CN_SQL_FILES] = "SELECT role, name, size, crc32c FROM files WHERE segment = ?",
	[CN_SQL_COUNT_IMAGES] = "SELECT count(*) FROM images INDEXED BY images_hash WHERE removed = 0",
	[CN_SQL_COUNT_REMOVED] = "SELECT count(*) FROM images INDEXED BY images_removed WHERE removed = 1",
	[CN_SQL_COUNT_LABELLED] = "SELECT count(*) FROM images INDEXED BY images_label WHERE removed = 0 AND label IS NOT NULL",
	[CN_SQL_LIVE_IDS] = "SELECT id FROM images WHERE removed = 0 AND id BETWEEN ? AND ? ORDER BY id",
	[CN_SQL_REMOVED_IDS] = "SELECT id FROM images INDEXED BY images_removed WHERE removed = 1 AND id BETWEEN ? AND ? ORDER BY id",
	[CN_SQL_IDS_OF_LABEL] = "SELECT id FROM images WHERE removed = 0 AND label = ? ORDER BY id",
	[CN_SQL_IDS_WITHOUT_LABEL] = "SELECT id FROM images WHERE removed = 0 AND label IS NULL ORDER BY id",
	[CN_SQL_LABELS] = "SELECT DISTINCT label FROM images INDEXED BY images_label WHERE removed = 0 AND label IS NOT NULL ORDER BY label",
	[CN_SQL_LABELLED_IDS] = "SELECT id, label FROM images INDEXED BY images_label WHERE removed = 0 AND label IS NOT NULL ORDER BY label, id",
	[CN_SQL_FIND_ID] = IMAGE_COLUMNS "id = ? AND removed = 0",
	[CN_SQL_FIND_PATH] = IMAGE_COLUMNS "path = ? AND removed = 0",
	[CN_SQL_FIND_HASH] = IMAGE_COLUMNS "hash = ? AND removed = 0 ORDER BY id LIMIT 1",
	[CN_SQL_ADD_IMAGE] = "INSERT INTO images(path, size, mtime_ns, width, height, hash, label) VALUES(?, ?, ?, ?, ?, ?, ?)",
	[CN_SQL_SET_PATH] = "UPDATE images SET path = ?, size = ?, mtime_ns = ? WHERE id = ?",
	[CN_SQL_SET_LABEL] = "UPDATE images SET label = ? WHERE id = ?",
	[CN_SQL_REMOVE] = "UPDATE images SET removed = 1 WHERE id = ? AND removed = 0",
	[CN_SQL_RESTORE] = "UPDATE images SET removed = 0, path = ?, size = ?, mtime_ns = ? WHERE id = ?",
	[CN_SQL_FORGET_REMOVED] = "DELETE FROM images WHERE removed = 1",
	[CN_SQL_FORGET_RANGE] = "DELETE FROM images WHERE id BETWEEN ? AND ?",
	[CN_SQL_NEW_SEGMENT] = "INSERT INTO segments DEFAULT VALUES",
	[CN_SQL_SET_SEGMENT] = "UPDATE segments SET first = ?, last = ?, images = ?, rows = ? WHERE id = ?",
	[CN_SQL_SET_FILE] = "INSERT INTO files(segment, role, name, size, crc32c) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(segment, role) DO UPDATE SET name = ?3, size = ?4, crc32c = ?5",
	[CN_SQL_DROP_SEGMENT] = "DELETE FROM segments WHERE id = ?",
	[CN_SQL_DROP_FILE] = "DELETE FROM files WHERE segment = ? AND role = ?",
	[CN_SQL_DROP_FILES] = "DELETE FROM files WHERE role = ?",
	[CN_SQL_STRUCTURES] = "SELECT role, name, size, crc32c, units, trained, regions FROM structures",
	[CN_SQL_SET_STRUCTURE] = "INSERT OR REPLACE INTO structures(role, name, size, crc32c, units, trained, regions) VALUES(?, ?, ?, ?, ?, ?, ?)",
	[CN_SQL_INTEGRITY] = "PRAGMA integrity_check(100)",
	[CN_SQL_FOREIGN_KEYS] = "PRAGMA foreign_key_check",
	[CN_SQL_SENSELESS] = "SELECT id FROM images WHERE typeof(path) <> 'blob' OR substr(path, 1, 1) <> x'2f' OR instr(path, x'00') "
		"OR typeof(size) <> 'integer' OR size < 0 OR typeof(mtime_ns) <> 'integer' OR typeof(width) <> 'integer' OR width < 1 "
		"OR typeof(height) <> 'integer' OR height < 1 OR typeof(label) NOT IN ('text', 'null') LIMIT 100",
};
/* clang-format on */

/* ---- errors ---- */

static int code_of(cn_catalogue *catalogue, int result)
{
	switch (result & 0xff) {
	case SQLITE_FULL:
		return CAIRN_ENOSPACE;
	case SQLITE_NOMEM:
		return CAIRN_ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return CAIRN_EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
	case SQLITE_SCHEMA:
		return CAIRN_EDAMAGED;
	case SQLITE_ERROR: /* the statements are fixed, so it is a table or column that they do not find */
		return CAIRN_EDAMAGED;
	case SQLITE_IOERR:
		if (sqlite3_system_errno(catalogue->db) == ENOSPC)
			return CAIRN_ENOSPACE;
		return result == SQLITE_IOERR_NOMEM ? CAIRN_ENOMEM : CAIRN_EIO;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return CAIRN_EIO;
	default:
		return CAIRN_EBACKEND;
	}
}

int cn_sql_fail(cn_catalogue *catalogue, int result, const char *doing)
{
	const char *text = catalogue->db ? sqlite3_errmsg(catalogue->db) : sqlite3_errstr(result);
	int code = code_of(catalogue, result);
	switch (code) {
	case CAIRN_ENOSPACE:
		return cn_fail(code, "'%s': no space is left, while %s", catalogue->path, doing);
	case CAIRN_EDAMAGED:
		return cn_fail(code,
			       "'%s': the catalogue is damaged (%s, while %s); restore it from a backup, or make the "
			       "collection anew",
			       catalogue->path, text, doing);
	case CAIRN_EBUSY:
		return cn_fail(code,
			       "'%s': another program is writing to it, while %s; wait until it is done, or end it",
			       catalogue->path, doing);
	default:
		return cn_fail(code, "'%s': %s, while %s", catalogue->path, text, doing);
	}
}

/* ---- statements ---- */

/* The prepared statement, clean. */
int cn_sql_use(cn_catalogue *catalogue, cn_sql_statement which, sqlite3_stmt **out)
{
	sqlite3_stmt **statement = &catalogue->statements[which];
	int result = SQLITE_OK;
	if (!*statement)
		result = sqlite3_prepare_v3(catalogue->db, statement_text[which], -1, SQLITE_PREPARE_PERSISTENT,
					    statement, NULL);
	*out = *statement;
	return result == SQLITE_OK ? 0 : cn_sql_fail(catalogue, result, "preparing a question to it");
}

/* Ends a statement; `result` is what sqlite3_step() gave last. */
int cn_sql_finish(cn_catalogue *catalogue, sqlite3_stmt *statement, int result, const char *doing)
{
	int status = result == SQLITE_DONE || result == SQLITE_ROW ? 0 : cn_sql_fail(catalogue, result, doing);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return status;
}

int cn_sql_gather(sqlite3_stmt *statement, int64_t **ids, size_t *count, int *result)
{
	size_t used = 0, capacity = 64;
	int64_t *list = cn_alloc(capacity, sizeof(*list));
	int status = list ? 0 : CAIRN_ENOMEM;
	*result = SQLITE_DONE;
	while (status == 0 && (*result = sqlite3_step(statement)) == SQLITE_ROW) {
		if (used == capacity) {
			capacity *= 2;
			int64_t *larger = cn_realloc(list, capacity, sizeof(*list));
			status = larger ? 0 : CAIRN_ENOMEM;
			list = larger ? larger : list;
		}
		if (status == 0)
			list[used++] = sqlite3_column_int64(statement, 0);
	}
	int is_whole = status == 0 && *result == SQLITE_DONE;
	if (!is_whole)
		cn_free(list);
	*ids = is_whole ? list : NULL;
	*count = is_whole ? used : 0;
	return status;
}

/* Steps a statement that gives no rows. */
int cn_sql_run(cn_catalogue *catalogue, sqlite3_stmt *statement, const char *doing)
{
	return cn_sql_finish(catalogue, statement, sqlite3_step(statement), doing);
}

int cn_sql_run_plain(cn_catalogue *catalogue, cn_sql_statement which, const char *doing)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, which, &statement));
	return cn_sql_run(catalogue, statement, doing);
}

void cn_sql_bind_bytes(sqlite3_stmt *statement, int at, const char *text)
{
	sqlite3_bind_blob64(statement, at, text, strlen(text), SQLITE_TRANSIENT);
}

void cn_sql_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	if (!text || !*text)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_text64(statement, at, text, strlen(text), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void cn_sql_bind_key(sqlite3_stmt *statement, int at, cn_key key)
{
	uint8_t bytes[16];
	for (int i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)(key.high >> (56 - 8 * i));
		bytes[8 + i] = (uint8_t)(key.low >> (56 - 8 * i));
	}
	sqlite3_bind_blob(statement, at, bytes, sizeof(bytes), SQLITE_TRANSIENT);
}

cn_key cn_sql_column_key(sqlite3_stmt *statement, int at)
{
	cn_key key = { 0, 0 };
	const uint8_t *bytes = sqlite3_column_blob(statement, at);
	if (!bytes || sqlite3_column_bytes(statement, at) != 16)
		return key;
	for (int i = 0; i < 8; i++) {
		key.high = key.high << 8 | bytes[i];
		key.low = key.low << 8 | bytes[8 + i];
	}
	return key;
}

char *cn_sql_column_copy(sqlite3_stmt *statement, int at)
{
	const void *bytes = sqlite3_column_blob(statement, at);
	return cn_strndup(bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, at));
}

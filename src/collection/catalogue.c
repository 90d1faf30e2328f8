/*
 * The catalogue: an SQLite database in write-ahead mode, so that readers keep the state they hold while one writer
 * commits.
 */
#include "collection/catalogue.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collection/sql.h"
#include "util/memory.h"

#define APPLICATION_ID  0x4341524e /* "CARN" */
#define BUSY_TIMEOUT_MS 10000

/* clang-format off */
#define SOURCES \
	"CREATE TABLE sources(" \
	"  role TEXT NOT NULL CHECK(role IN (%s))," \
	"  position INTEGER NOT NULL," \
	"  name TEXT NOT NULL," \
	"  kind TEXT NOT NULL," \
	"  fingerprint TEXT NOT NULL," \
	"  weight REAL NOT NULL," \
	"  dim INTEGER NOT NULL," \
	"  PRIMARY KEY(role, position)) WITHOUT ROWID;"
static const char schema[] =
	"CREATE TABLE segments("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  first INTEGER NOT NULL DEFAULT 0,"
	"  last INTEGER NOT NULL DEFAULT 0,"
	"  images INTEGER NOT NULL DEFAULT 0,"
	"  rows INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE files("
	"  segment INTEGER NOT NULL REFERENCES segments(id) ON DELETE CASCADE,"
	"  role TEXT NOT NULL,"
	"  name TEXT NOT NULL UNIQUE,"
	"  size INTEGER NOT NULL,"
	"  crc32c INTEGER NOT NULL,"
	"  PRIMARY KEY(segment, role)) WITHOUT ROWID;"
	"CREATE TABLE structures("
	"  role TEXT NOT NULL PRIMARY KEY,"
	"  name TEXT UNIQUE,"
	"  size INTEGER NOT NULL,"
	"  crc32c INTEGER NOT NULL,"
	"  units INTEGER NOT NULL,"
	"  trained INTEGER NOT NULL,"
	"  regions TEXT) WITHOUT ROWID;"
	"CREATE TABLE images("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  path BLOB NOT NULL,"
	"  size INTEGER NOT NULL,"
	"  mtime_ns INTEGER NOT NULL,"
	"  width INTEGER NOT NULL,"
	"  height INTEGER NOT NULL,"
	"  hash BLOB NOT NULL CHECK(length(hash) = 16),"
	"  label TEXT,"
	"  extra TEXT,"
	"  removed INTEGER NOT NULL DEFAULT 0);"
	"CREATE UNIQUE INDEX images_path ON images(path) WHERE removed = 0;"
	"CREATE INDEX images_hash ON images(hash) WHERE removed = 0;"
	"CREATE INDEX images_label ON images(label) WHERE removed = 0 AND label IS NOT NULL;"
	"CREATE INDEX images_removed ON images(id) WHERE removed = 1;";
/* clang-format on */

static int execute(cn_catalogue *catalogue, const char *sql, const char *doing)
{
	int result = sqlite3_exec(catalogue->db, sql, NULL, NULL, NULL);
	return result == SQLITE_OK ? 0 : cn_sql_fail(catalogue, result, doing);
}

static int pragma_number(cn_catalogue *catalogue, const char *sql, int64_t *out)
{
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(catalogue->db, sql, -1, &statement, NULL);
	if (result == SQLITE_OK) {
		result = sqlite3_step(statement);
		if (result == SQLITE_ROW) {
			*out = sqlite3_column_int64(statement, 0);
			result = SQLITE_OK;
		}
		sqlite3_finalize(statement);
	}
	return result == SQLITE_OK ? 0 : cn_sql_fail(catalogue, result, "reading its header");
}

/* ---- opening and closing ---- */

void cn_catalogue_free(cn_catalogue *catalogue)
{
	if (!catalogue)
		return;
	for (size_t i = 0; i < CN_SQL_STATEMENTS; i++)
		sqlite3_finalize(catalogue->statements[i]);
	sqlite3_close(catalogue->db);
	cn_text_free(&catalogue->image_path);
	cn_text_free(&catalogue->image_label);
	cn_free(catalogue->path);
	cn_free(catalogue);
}

/* As SQLite wants file names in a URI: everything but plain letters is escaped. */
static int add_uri(cn_text *uri, const char *path)
{
	CN_TRY(cn_text_add(uri, "file:"));
	for (const unsigned char *at = (const unsigned char *)path; *at; at++) {
		int plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
			    *at == '/' || *at == '.' || *at == '_' || *at == '-';
		if (plain)
			CN_TRY(cn_text_add_bytes(uri, at, 1));
		else
			CN_TRY(cn_text_addf(uri, "%%%02x", *at));
	}
	return 0;
}

/* A log next to the catalogue, with something in it? Then it must be read too, which needs shared memory. */
static int has_log(const char *path)
{
	struct stat info;
	char *log = cn_textf("%s-wal", path);
	int there = log && stat(log, &info) == 0 && info.st_size > 0;
	cn_free(log);
	return there;
}

static int folder_is_writable(const char *path)
{
	char *folder = cn_strndup(path, (size_t)(cn_path_base(path) - path));
	int writable = folder && access(*folder ? folder : ".", W_OK) == 0;
	cn_free(folder);
	return writable;
}

static int connect_to(cn_catalogue **out, const char *path, int flags)
{
	cn_catalogue *catalogue;
	CN_NEW(catalogue, 1, sizeof(*catalogue));
	cn_text uri = CN_TEXT_INIT;
	int status;
	catalogue->path = cn_strdup(path);
	CN_GOTO(status, catalogue->path ? 0 : CAIRN_ENOMEM);
	CN_GOTO(status, add_uri(&uri, path));
	/* Without a writable folder there is no place for shared memory, and nobody who could be writing. */
	if ((flags & SQLITE_OPEN_READONLY) && !folder_is_writable(path) && !has_log(path))
		CN_GOTO(status, cn_text_add(&uri, "?immutable=1"));
	int result = sqlite3_open_v2(uri.data, &catalogue->db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX, NULL);
	if (result != SQLITE_OK) {
		status = cn_sql_fail(catalogue, result, "opening it");
		goto done;
	}
	sqlite3_busy_timeout(catalogue->db, BUSY_TIMEOUT_MS);
	sqlite3_extended_result_codes(catalogue->db, 1);
	/* A name in double quotes that is no column would be taken for a text, and a mistyped one be seen by nobody. */
	sqlite3_db_config(catalogue->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	CN_GOTO(status,
		execute(catalogue, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF",
			"opening it"));
done:
	cn_text_free(&uri);
	if (status < 0)
		cn_catalogue_free(catalogue);
	else
		*out = catalogue;
	return status;
}

static int check_header(cn_catalogue *catalogue)
{
	int64_t application = 0, version = 0;
	CN_TRY(pragma_number(catalogue, "PRAGMA application_id", &application));
	CN_TRY(pragma_number(catalogue, "PRAGMA user_version", &version));
	if (application != APPLICATION_ID)
		return cn_fail(CAIRN_EDAMAGED,
			       "'%s' is not a catalogue of cairn, or its first page is damaged; restore it from a "
			       "backup, or make the collection anew",
			       catalogue->path);
	if (version != CN_CATALOGUE_VERSION && version != CN_CATALOGUE_VERSION_DETECTOR)
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "'%s' has format version %lld, this cairn knows versions %d and %d: %s", catalogue->path,
			       (long long)version, CN_CATALOGUE_VERSION, CN_CATALOGUE_VERSION_DETECTOR,
			       version > CN_CATALOGUE_VERSION ? "use a newer cairn"
							      : "make the collection anew with 'cairn init' and "
								"'cairn add'");
	return 0;
}

int cn_catalogue_open(cn_catalogue **out, const char *path, int writable)
{
	cn_catalogue *catalogue = NULL;
	CN_TRY(connect_to(&catalogue, path, writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY));
	int status = check_header(catalogue);
	if (status < 0) {
		cn_catalogue_free(catalogue);
		return status;
	}
	*out = catalogue;
	return 0;
}

static int add_source(cn_catalogue *catalogue, const char *role, size_t position, const cn_source *source)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_ADD_SOURCE, &statement));
	cn_sql_bind_text(statement, 1, role);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)position);
	cn_sql_bind_text(statement, 3, source->name);
	cn_sql_bind_text(statement, 4, source->kind);
	cn_sql_bind_text(statement, 5, source->fingerprint);
	sqlite3_bind_double(statement, 6, (double)source->weight);
	sqlite3_bind_int64(statement, 7, source->dim);
	return cn_sql_run(catalogue, statement, "writing what describes the images");
}

/* Without a detector the tables are as they were before there were any. */
static int make_tables(cn_catalogue *catalogue, int has_detector)
{
	char *tables = cn_textf(SOURCES, has_detector ? "'global', 'local', 'detector'" : "'global', 'local'");
	char *marks = cn_textf("PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
			       has_detector ? CN_CATALOGUE_VERSION_DETECTOR : CN_CATALOGUE_VERSION);
	int status = tables && marks ? execute(catalogue, tables, "making its tables") : CAIRN_ENOMEM;
	if (status == 0)
		status = execute(catalogue, schema, "making its tables");
	if (status == 0)
		status = execute(catalogue, marks, "making it");
	cn_free(tables);
	cn_free(marks);
	return status;
}

int cn_catalogue_create(const char *path, const cn_sources *sources)
{
	cn_catalogue *catalogue = NULL;
	int status;
	CN_TRY(connect_to(&catalogue, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
	CN_GOTO(status, execute(catalogue, "PRAGMA journal_mode = WAL", "making it"));
	CN_GOTO(status, cn_catalogue_begin(catalogue));
	CN_GOTO(status, make_tables(catalogue, sources->detector.name != NULL));
	for (size_t i = 0; i < sources->global_count; i++)
		CN_GOTO(status, add_source(catalogue, "global", i, &sources->globals[i]));
	for (size_t i = 0; i < sources->local_count; i++)
		CN_GOTO(status, add_source(catalogue, "local", i, &sources->locals[i]));
	if (sources->detector.name)
		CN_GOTO(status, add_source(catalogue, "detector", 0, &sources->detector));
	CN_GOTO(status, cn_catalogue_commit(catalogue));
	CN_GOTO(status, execute(catalogue, "PRAGMA wal_checkpoint(TRUNCATE)", "making it"));
done:
	cn_catalogue_free(catalogue);
	return status;
}

/* ---- transactions ---- */

int cn_catalogue_hold(cn_catalogue *catalogue)
{
	return cn_sql_run_plain(catalogue, CN_SQL_BEGIN_READ, "starting to read");
}

void cn_catalogue_release(cn_catalogue *catalogue)
{
	cn_catalogue_rollback(catalogue);
}

int cn_catalogue_begin(cn_catalogue *catalogue)
{
	return cn_sql_run_plain(catalogue, CN_SQL_BEGIN_WRITE, "starting a transaction");
}

int cn_catalogue_commit(cn_catalogue *catalogue)
{
	return cn_sql_run_plain(catalogue, CN_SQL_COMMIT, "committing");
}

void cn_catalogue_rollback(cn_catalogue *catalogue)
{
	if (!sqlite3_get_autocommit(catalogue->db))
		sqlite3_exec(catalogue->db, "ROLLBACK", NULL, NULL, NULL);
}

void cn_catalogue_checkpoint(cn_catalogue *catalogue)
{
	sqlite3_wal_checkpoint_v2(catalogue->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* ---- what describes the images ---- */

static void free_source(cn_source *source)
{
	cn_free(source->name);
	cn_free(source->kind);
	cn_free(source->fingerprint);
	*source = (cn_source){ 0 };
}

void cn_sources_free(cn_sources *sources)
{
	for (size_t i = 0; i < CN_MAX_SOURCES; i++) {
		free_source(&sources->globals[i]);
		free_source(&sources->locals[i]);
	}
	free_source(&sources->detector);
	sources->global_count = sources->local_count = 0;
}

/* Where a source of this role goes; NULL where there is no room. */
static cn_source *next_source(cn_sources *sources, const char *role)
{
	if (role && strcmp(role, "detector") == 0)
		return sources->detector.name ? NULL : &sources->detector;
	int is_local = role && strcmp(role, "local") == 0;
	size_t *count = is_local ? &sources->local_count : &sources->global_count;
	if (*count == CN_MAX_SOURCES)
		return NULL;
	return is_local ? &sources->locals[(*count)++] : &sources->globals[(*count)++];
}

/* One row of the sources. */
static int read_source(cn_catalogue *catalogue, sqlite3_stmt *statement, cn_sources *out)
{
	cn_source *source = next_source(out, (const char *)sqlite3_column_text(statement, 0));
	if (!source)
		return cn_fail(CAIRN_EDAMAGED, "'%s': more than %d models, or one detector", catalogue->path,
			       CN_MAX_SOURCES);
	source->name = cn_sql_column_copy(statement, 1);
	source->kind = cn_sql_column_copy(statement, 2);
	source->fingerprint = cn_sql_column_copy(statement, 3);
	source->weight = (float)sqlite3_column_double(statement, 4);
	int64_t dim = sqlite3_column_int64(statement, 5);
	if (!source->name || !source->kind || !source->fingerprint)
		return CAIRN_ENOMEM;
	if (dim < 1 || dim > 1 << 20 || strlen(source->kind) > 63 || strchr(source->kind, '/'))
		return cn_fail(CAIRN_EDAMAGED, "'%s': the entry of model '%s' makes no sense", catalogue->path,
			       source->name);
	source->dim = (uint32_t)dim;
	return 0;
}

int cn_catalogue_sources(cn_catalogue *catalogue, cn_sources *out)
{
	sqlite3_stmt *statement;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_SOURCES, &statement));
	int result, status = 0;
	*out = (cn_sources){ 0 };
	while ((result = sqlite3_step(statement)) == SQLITE_ROW && status == 0)
		status = read_source(catalogue, statement, out);
	if (status < 0)
		sqlite3_reset(statement);
	else
		status = cn_sql_finish(catalogue, statement, result, "reading what describes the images");
	if (status < 0)
		cn_sources_free(out);
	return status;
}

/* ---- checking ---- */

/* What no version of cairn has written. */
static int tell_senseless(cn_catalogue *catalogue, void (*told)(const char *fault, void *payload), void *payload)
{
	sqlite3_stmt *statement;
	int result;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_SENSELESS, &statement));
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		char text[100];
		snprintf(text, sizeof(text), "path, size, time, width, height or label of image %lld make no sense",
			 (long long)sqlite3_column_int64(statement, 0));
		told(text, payload);
	}
	return cn_sql_finish(catalogue, statement, result, "checking it");
}

int cn_catalogue_verify(cn_catalogue *catalogue, void (*told)(const char *fault, void *payload), void *payload)
{
	sqlite3_stmt *statement;
	int result;
	CN_TRY(cn_sql_use(catalogue, CN_SQL_INTEGRITY, &statement));
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);
		if (text && strcmp(text, "ok") != 0)
			told(text, payload);
	}
	CN_TRY(cn_sql_finish(catalogue, statement, result, "checking it"));
	CN_TRY(cn_sql_use(catalogue, CN_SQL_FOREIGN_KEYS, &statement));
	while ((result = sqlite3_step(statement)) == SQLITE_ROW)
		told("a file is registered for a segment that is not there", payload);
	CN_TRY(cn_sql_finish(catalogue, statement, result, "checking it"));
	return tell_senseless(catalogue, told, payload);
}

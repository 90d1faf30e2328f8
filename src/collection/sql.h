/*
 * collection/sql.h - the layer between the catalogue and SQLite: prepared statements, binding, failures as status
 * codes.
 *
 * Included by the files that make up the catalogue (catalogue.c, catalogue_*.c) and by nothing else.
 */
#ifndef CN_COLLECTION_SQL_H
#define CN_COLLECTION_SQL_H

#include <sqlite3.h>

#include "collection/catalogue.h"
#include "util/text.h"

/** The statements; their text is in sql.c. */
typedef enum {
	CN_SQL_BEGIN_READ,
	CN_SQL_BEGIN_WRITE,
	CN_SQL_COMMIT,
	CN_SQL_SOURCES,
	CN_SQL_ADD_SOURCE,
	CN_SQL_SEGMENTS,
	CN_SQL_FILES,
	CN_SQL_COUNT_IMAGES,
	CN_SQL_COUNT_REMOVED,
	CN_SQL_COUNT_LABELLED,
	CN_SQL_LIVE_IDS,
	CN_SQL_REMOVED_IDS,
	CN_SQL_IDS_OF_LABEL,
	CN_SQL_IDS_WITHOUT_LABEL,
	CN_SQL_LABELS,
	CN_SQL_LABELLED_IDS,
	CN_SQL_FIND_ID,
	CN_SQL_FIND_PATH,
	CN_SQL_FIND_HASH,
	CN_SQL_ADD_IMAGE,
	CN_SQL_SET_PATH,
	CN_SQL_SET_LABEL,
	CN_SQL_REMOVE,
	CN_SQL_RESTORE,
	CN_SQL_FORGET_REMOVED,
	CN_SQL_FORGET_RANGE,
	CN_SQL_NEW_SEGMENT,
	CN_SQL_SET_SEGMENT,
	CN_SQL_SET_FILE,
	CN_SQL_DROP_SEGMENT,
	CN_SQL_DROP_FILE,
	CN_SQL_DROP_FILES,
	CN_SQL_STRUCTURES,
	CN_SQL_SET_STRUCTURE,
	CN_SQL_INTEGRITY,
	CN_SQL_FOREIGN_KEYS,
	CN_SQL_SENSELESS,
	CN_SQL_STATEMENTS
} cn_sql_statement;

struct cn_catalogue {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *statements[CN_SQL_STATEMENTS];
	cn_text image_path, image_label; /* what cn_image_entry borrows */
};

/** Set the error text from SQLite's and return the code that fits. @param doing completes "..., while" */
int cn_sql_fail(cn_catalogue *catalogue, int result, const char *doing);

/** The prepared statement, clean; borrowed. */
int cn_sql_use(cn_catalogue *catalogue, cn_sql_statement which, sqlite3_stmt **out);

/** End a statement. @param result what sqlite3_step() gave last */
int cn_sql_finish(cn_catalogue *catalogue, sqlite3_stmt *statement, int result, const char *doing);

/**
 * Step through a statement whose rows begin with an id.
 *
 * @param[out] ids    caller frees; NULL where it was not stepped to its end
 * @param[out] result what sqlite3_step() gave last
 * @return 0 or CAIRN_ENOMEM
 */
int cn_sql_gather(sqlite3_stmt *statement, int64_t **ids, size_t *count, int *result);

/** Step and end a statement that gives no rows. */
int cn_sql_run(cn_catalogue *catalogue, sqlite3_stmt *statement, const char *doing);
int cn_sql_run_plain(cn_catalogue *catalogue, cn_sql_statement which, const char *doing);

void cn_sql_bind_bytes(sqlite3_stmt *statement, int at, const char *text); /**< as a BLOB */
void cn_sql_bind_text(sqlite3_stmt *statement, int at, const char *text);  /**< NULL where empty */
void cn_sql_bind_key(sqlite3_stmt *statement, int at, cn_key key);         /**< 16 bytes, the highest first */
cn_key cn_sql_column_key(sqlite3_stmt *statement, int at);

/** Caller frees with cn_free(); NULL where memory is short. */
char *cn_sql_column_copy(sqlite3_stmt *statement, int at);

#endif

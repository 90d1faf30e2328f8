/*
 * Images by label, and by a condition that a user writes.
 *
 * Such a condition is compiled by SQLite, and SQLite's own parser decides what it may be, in two steps. First it stands
 * bare behind WHERE, over a table of the documented columns that is no table of the database, while an authoriser
 * refuses to read any other, to select once more, and functions that are not on a list. No parenthesis is open there
 * that it could close. Then it stands in parentheses, where only an expression fits, and what passed the first step
 * cannot leave them. That second form alone is run.
 */
#include <string.h>

#include "collection/sql.h"
#include "util/memory.h"

#define STEPS_BETWEEN_CALLS 1000    /* instructions of SQLite's machine */
#define LONGEST_VALUE       1000000 /* bytes; replace() could otherwise fill the memory */
#define MOST_SHOWN          80      /* bytes of a condition in an error */

/* clang-format off */
static const char bare_before[] =
	"WITH catalogue(id, path, label, size, mtime_ns, width, height) AS (VALUES(1, '', '', 1, 1, 1, 1)) "
	"SELECT id FROM catalogue WHERE ";
static const char whole_before[] =
	"SELECT id FROM (SELECT id, CAST(path AS TEXT) AS path, label, size, mtime_ns, width, height "
	"FROM images WHERE removed = 0) AS catalogue WHERE (";
static const char whole_after[] = "\n) ORDER BY id"; /* the line break ends a comment */

#define SELECTS_OF_BARE 2

/* In the order of docs/format.md, "Filters". */
static const char *const functions[] = {
	"abs", "max", "min", "round", "sign",
	"coalesce", "ifnull", "iif", "nullif", "typeof",
	"glob", "hex", "instr", "length", "like", "lower", "ltrim", "replace", "rtrim", "substr", "substring", "trim", "unicode",
	"upper",
	"date", "datetime", "julianday", "strftime", "time", "unixepoch",
};
/* clang-format on */

struct condition {
	cn_catalogue *catalogue;
	const char *text;
	cn_progress *progress;
	int is_bare;         /* that form is being compiled */
	int selects;         /* met while compiling */
	const char *refused; /* why the authoriser refused it, where SQLite does not say so */
};

static int is_listed(const char *function)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (strcasecmp(functions[i], function) == 0)
			return 1;
	return 0;
}

static int authorise(void *context, int action, const char *first, const char *second, const char *database,
		     const char *view)
{
	struct condition *condition = context;
	(void)view;
	int allowed = 0;
	if (action == SQLITE_READ) {
		allowed = condition->is_bare ? !database : strcmp(first, "images") == 0;
	} else if (action == SQLITE_FUNCTION) {
		allowed = is_listed(second);
	} else if (action == SQLITE_SELECT) {
		allowed = !condition->is_bare || ++condition->selects <= SELECTS_OF_BARE;
		condition->refused = allowed ? NULL : "a SELECT inside of it is not allowed";
	}
	return allowed ? SQLITE_OK : SQLITE_DENY;
}

static int is_cancelled(void *context)
{
	struct condition *condition = context;
	return cn_progress_add(condition->progress, 0, 0) < 0;
}

/* ---- compiling and running ---- */

static int fail(const struct condition *condition, int result)
{
	sqlite3 *db = condition->catalogue->db;
	switch (result & 0xff) {
	case SQLITE_INTERRUPT:
		return cn_fail(CAIRN_ECANCELLED, "selecting images: cancelled");
	case SQLITE_ERROR:
	case SQLITE_AUTH:
	case SQLITE_TOOBIG:
		return cn_fail(CAIRN_EINVALID,
			       "the condition '%.*s%s': %s; it is one SQL expression over id, path, label, size, "
			       "mtime_ns, width and height, with texts in 'single quotes'",
			       MOST_SHOWN, condition->text, strlen(condition->text) > MOST_SHOWN ? "..." : "",
			       condition->refused ? condition->refused : sqlite3_errmsg(db));
	default:
		return cn_sql_fail(condition->catalogue, result, "selecting images");
	}
}

static int compile(struct condition *condition, const char *before, const char *after, sqlite3_stmt **out)
{
	char *sql = cn_textf("%s%s%s", before, condition->text, after);
	*out = NULL;
	if (!sql)
		return CAIRN_ENOMEM;
	int result = sqlite3_prepare_v2(condition->catalogue->db, sql, -1, out, NULL);
	cn_free(sql);
	return result == SQLITE_OK ? 0 : fail(condition, result);
}

static int check_bare(struct condition *condition)
{
	sqlite3_stmt *statement;
	condition->is_bare = 1;
	CN_TRY(compile(condition, bare_before, "", &statement));
	int parameters = sqlite3_bind_parameter_count(statement);
	sqlite3_finalize(statement);
	condition->refused = "parameters have no value here";
	return parameters ? fail(condition, SQLITE_ERROR) : 0;
}

static int run(struct condition *condition, int64_t **ids, size_t *count)
{
	sqlite3_stmt *statement;
	int result;
	CN_TRY(check_bare(condition));
	condition->is_bare = 0;
	condition->refused = NULL;
	CN_TRY(compile(condition, whole_before, whole_after, &statement));
	int status = cn_sql_gather(statement, ids, count, &result);
	if (status == 0 && result != SQLITE_DONE)
		status = fail(condition, result);
	sqlite3_finalize(statement);
	return status;
}

int cn_catalogue_ids_where(cn_catalogue *catalogue, const char *expression, cn_progress *progress, int64_t **ids,
			   size_t *count)
{
	struct condition condition = { .catalogue = catalogue, .text = expression, .progress = progress };
	int longest = sqlite3_limit(catalogue->db, SQLITE_LIMIT_LENGTH, LONGEST_VALUE);
	sqlite3_set_authorizer(catalogue->db, authorise, &condition);
	sqlite3_progress_handler(catalogue->db, STEPS_BETWEEN_CALLS, is_cancelled, &condition);
	int status = run(&condition, ids, count);
	sqlite3_progress_handler(catalogue->db, 0, NULL, NULL);
	sqlite3_set_authorizer(catalogue->db, NULL, NULL);
	sqlite3_limit(catalogue->db, SQLITE_LIMIT_LENGTH, longest);
	return status;
}

/* ---- labels ---- */

int cn_catalogue_ids_of_label(cn_catalogue *catalogue, const char *label, int64_t **ids, size_t *count)
{
	sqlite3_stmt *statement;
	int result;
	CN_TRY(cn_sql_use(catalogue, *label ? CN_SQL_IDS_OF_LABEL : CN_SQL_IDS_WITHOUT_LABEL, &statement));
	if (*label)
		cn_sql_bind_text(statement, 1, label);
	int status = cn_sql_gather(statement, ids, count, &result);
	int ended = cn_sql_finish(catalogue, statement, result, "selecting images");
	return status < 0 ? status : ended;
}

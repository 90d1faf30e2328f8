/*
 * Filters: what each part selects, what all of them have in common, conditions that are refused, and long ones that are
 * stopped. The catalogue is filled with SQL; no photograph is needed.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collection/handle.h"
#include "photos.h"
#include "torture.h"

/* Images 1 to 9, of which 5 is removed. */
static const char few[] =
	"INSERT INTO images(id, path, size, mtime_ns, width, height, hash, label, removed) VALUES"
	"(1, x'2f612f6f6e652e6a7067',   100, 1700000000000000000,  640, 480, zeroblob(16), 'tower', 0),"
	"(2, x'2f612f74776f2e6a7067',   200, 1700000000000000001, 1024, 768, zeroblob(16), 'tower of london', 0),"
	"(3, x'2f622f74687265652e706e67', 300, 1500000000000000000, 1024, 480, zeroblob(16), 'bridge', 0),"
	"(4, x'2f622f666f75722e706e67',   400, 1500000000000000000,  320, 480, zeroblob(16), NULL, 0),"
	"(5, x'2f622f666976652e706e67',   500, 1500000000000000000,  320, 480, zeroblob(16), 'tower', 1),"
	"(6, x'2f63ff2e6a7067',           600, 1500000000000000000,  320, 480, zeroblob(16), 'it''s; \"x\"', 0),"
	"(7, x'2f642f312e6a7067',         700, 1500000000000000000, 4000, 480, zeroblob(16), 'bridge', 0),"
	"(8, x'2f642f322e6a7067',         800, 1500000000000000000, 4000, 480, zeroblob(16), 'tower', 0),"
	"(9, x'2f642f332e6a7067', 5000000000, 1500000000000000000, 4000, 480, zeroblob(16), NULL, 0)";

static void execute(const char *folder, const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(cn_test_path(folder, "catalogue.sqlite"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static const char *make(const char *sql)
{
	const char *folder = collection_new();
	execute(folder, sql);
	return folder;
}

/* Ids as text: "1 2 8". */
static void assert_selects(cairn_collection *collection, const cairn_filter *filter, const char *expected)
{
	int64_t *ids;
	size_t count;
	char text[256] = "";
	assert_ok(cairn_collection_select(collection, filter, &ids, &count));
	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), i ? " %lld" : "%lld", (long long)ids[i]);
	cairn_bytes_free(ids);
	assert_string_equal(text, expected);
}

static void selects_what_all_parts_have_in_common(void **state)
{
	(void)state;
	static const char *const tower[] = { "tower" }, *const two[] = { "bridge", "tower", "bridge" };
	static const char *const odd[] = { "it's; \"x\"" }, *const none[] = { "" }, *const unknown[] = { "castle" };
	static const char *const some[] = { "", "castle", "tower of london" };
	static const int64_t mixed[] = { 9, 2, 5, 1, 2, 77, -3 }, stranger[] = { 0 };
	static const struct {
		const char *const *labels;
		size_t label_count;
		const int64_t *ids;
		size_t id_count;
		const char *where, *expected;
	} cases[] = {
		{ NULL, 0, NULL, 0, NULL, "1 2 3 4 6 7 8 9" },
		{ tower, 1, NULL, 0, NULL, "1 8" },
		{ two, 3, NULL, 0, NULL, "1 3 7 8" },
		{ odd, 1, NULL, 0, NULL, "6" },
		{ none, 1, NULL, 0, NULL, "4 9" },
		{ some, 3, NULL, 0, NULL, "2 4 9" },
		{ unknown, 1, NULL, 0, NULL, "" },
		{ tower, 0, NULL, 0, NULL, "" },
		{ NULL, 0, mixed, 7, NULL, "1 2 9" },
		{ NULL, 0, stranger, 1, NULL, "" },
		{ NULL, 0, mixed, 0, NULL, "" },
		{ NULL, 0, NULL, 0, "width > 1000", "2 3 7 8 9" },
		{ NULL, 0, NULL, 0, "width > 1000 AND label LIKE 'tower%'", "2 8" },
		{ NULL, 0, NULL, 0, "label IS NULL", "4 9" },
		{ NULL, 0, NULL, 0, "path = '/a/one.jpg' OR path GLOB '/b/*'", "1 3 4" },
		{ NULL, 0, NULL, 0, "typeof(path) = 'text' AND length(path) < 8 -- 'short'", "6" },
		{ NULL, 0, NULL, 0, "size >= 5000000000", "9" },
		{ NULL, 0, NULL, 0, "date(mtime_ns / 1000000000, 'unixepoch') = '2023-11-14'", "1 2" },
		{ NULL, 0, NULL, 0, "id IN (8, 5, 3) AND height * 2 < width", "3 8" },
		{ NULL, 0, NULL, 0, "catalogue.id % 4 = 0", "4 8" },
		{ NULL, 0, NULL, 0, "label = 'it''s; \"x\"'", "6" },
		{ NULL, 0, NULL, 0, "CASE WHEN id < 3 THEN 1 END", "1 2" },
		{ NULL, 0, NULL, 0, "'0'", "" },
		{ NULL, 0, NULL, 0, "1 OR 1", "1 2 3 4 6 7 8 9" },
		{ two, 3, mixed, 7, NULL, "1" },
		{ two, 3, NULL, 0, "width = 4000", "7 8" },
		{ NULL, 0, mixed, 7, "width = 4000", "9" },
		{ tower, 1, mixed, 7, "width < 4000", "1" },
	};
	for (int writable = 0; writable < 2; writable++) {
		cairn_collection *collection;
		assert_ok(cairn_collection_open(&collection, make(few), writable));
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			cairn_filter filter = CAIRN_FILTER_INIT;
			filter.labels = cases[i].labels;
			filter.label_count = cases[i].label_count;
			filter.ids = cases[i].ids;
			filter.id_count = cases[i].id_count;
			filter.where = &cases[i].where;
			filter.where_count = cases[i].where != NULL;
			assert_selects(collection, &filter, cases[i].expected);
		}
		assert_selects(collection, NULL, "1 2 3 4 6 7 8 9");
		cairn_collection_free(collection);
	}
}

static void refuses_what_is_no_condition(void **state)
{
	(void)state;
	static const struct {
		const char *where, *text;
	} cases[] = {
		{ "", "incomplete input" },
		{ "-- nothing", "incomplete input" },
		{ "width >", "incomplete input" },
		{ "1 /* open", "incomplete input" },
		{ "label = 'open", "unrecognized token" },
		{ "label = \"tower\"", "no such column: tower" },
		{ "hash = x''", "no such column: hash" },
		{ "removed = 1", "no such column: removed" },
		{ "extra IS NULL", "no such column: extra" },
		{ "rowid = 1", "no such column: rowid" },
		{ "images.id = 1", "no such column: images.id" },
		/* Out of the parentheses, and behind the condition. */
		{ "1) OR (1", "syntax error" },
		{ "1) OR removed = 1 --", "syntax error" },
		{ "1) UNION SELECT id FROM images WHERE (1", "syntax error" },
		{ "1; DROP TABLE images", "syntax error" },
		{ "1;", "syntax error" },
		{ "1 ORDER BY id", "syntax error" },
		{ "1 LIMIT 1", "syntax error" },
		{ "1 GROUP BY id", "syntax error" },
		{ "1 UNION SELECT 1", "SELECT" },
		{ "1, 2", "syntax error" },
		/* Other questions, and other tables. */
		{ "(SELECT 1)", "a SELECT inside of it is not allowed" },
		{ "EXISTS (SELECT 1)", "SELECT" },
		{ "id IN (VALUES (1), (2))", "SELECT" },
		{ "id IN (SELECT id FROM catalogue)", "SELECT" },
		{ "id IN (SELECT id FROM images)", "images.id is prohibited" },
		{ "id IN main.images", "images.id is prohibited" },
		{ "id IN (SELECT segment FROM files)", "files.segment is prohibited" },
		{ "(SELECT sql FROM sqlite_master) IS NULL", "sqlite_master" },
		{ "id = (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r)", NULL },
		{ "id IN (SELECT key FROM json_each('[1]'))", NULL },
		{ "id IN pragma_user_version", NULL },
		/* Statements. */
		{ "PRAGMA user_version", "syntax error" },
		{ "ATTACH '/tmp/x' AS y", "syntax error" },
		{ "DELETE FROM images", "syntax error" },
		/* Functions that reach out, depend on chance, or fill the memory. */
		{ "load_extension('x') IS NULL", "load_extension" },
		{ "random() > 0", "random" },
		{ "length(randomblob(1000000000)) > 0", "randomblob" },
		{ "length(zeroblob(1000000000)) > 0", "zeroblob" },
		{ "printf('%1000000000d', 1) > ''", "printf" },
		{ "readfile('/etc/passwd') IS NULL", "readfile" },
		{ "last_insert_rowid() = 0", "last_insert_rowid" },
		{ "count(*) > 1", "count" },
		{ "max(id) > 1", "max" },
		{ "row_number() OVER () = 1", "row_number" },
		{ "path REGEXP 'a'", "REGEXP" },
		{ "abs(-9223372036854775807 - id) > 0", "integer overflow" },
		/* Values of the user's must be written out. */
		{ "id = ?", "parameters have no value" },
		{ "id = ?1", "parameters have no value" },
		{ "id = :id", "parameters have no value" },
		{ "id = @id", "parameters have no value" },
	};
	const char *folder = make(few);
	for (int writable = 0; writable < 2; writable++) {
		cairn_collection *collection;
		assert_ok(cairn_collection_open(&collection, folder, writable));
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			cairn_filter filter = CAIRN_FILTER_INIT;
			int64_t *ids;
			size_t count;
			filter.where = &cases[i].where;
			filter.where_count = cases[i].where != NULL;
			int status = cairn_collection_select(collection, &filter, &ids, &count);
			assert_fails(status, CAIRN_EINVALID, cases[i].text);
			assert_fails(status, CAIRN_EINVALID, "it is one SQL expression over id, path");
			assert_null(ids);
		}
		/* The handle works as before. */
		assert_selects(collection, NULL, "1 2 3 4 6 7 8 9");
		if (writable)
			assert_ok(cairn_collection_remove(collection, (const int64_t[]){ 9 }, 1));
		cairn_collection_free(collection);
	}
}

static void bounds_the_length_of_values(void **state)
{
	(void)state;
	char where[1024] = "";
	const char *const conditions[] = { where };
	/* Each replace() would make it ten times longer. */
	for (int i = 0; i < 9; i++)
		strcat(where, "replace(");
	strcat(where, "path");
	for (int i = 0; i < 9; i++)
		strcat(where, ", '/', '//////////')");
	strcat(where, " = ''");
	cairn_collection *collection;
	cairn_filter filter = CAIRN_FILTER_INIT;
	int64_t *ids;
	size_t count;
	filter.where = conditions;
	filter.where_count = 1;
	assert_ok(cairn_collection_open(&collection, make(few), 0));
	assert_fails(cairn_collection_select(collection, &filter, &ids, &count), CAIRN_EINVALID, "too big");
	cairn_collection_free(collection);
}

static void refuses_what_is_no_filter(void **state)
{
	(void)state;
	static const char *const labels[] = { "tower", NULL };
	cairn_filter other = CAIRN_FILTER_INIT, broken = CAIRN_FILTER_INIT;
	cairn_collection *collection;
	int64_t *ids;
	size_t count;
	other.version = 9;
	broken.labels = labels;
	broken.label_count = 2;
	assert_ok(cairn_collection_open(&collection, make(few), 0));
	assert_fails(cairn_collection_select(collection, &other, &ids, &count), CAIRN_EINVALID, "version 9");
	assert_fails(cairn_collection_select(collection, &broken, &ids, &count), CAIRN_EINVALID, "label 1");
	cairn_collection_free(collection);
}

/* ---- warnings ---- */

static void note_warning(cairn_log_level level, const char *message, void *payload)
{
	char *text = payload;
	if (level == CAIRN_LOG_WARNING)
		snprintf(text + strlen(text), 1024 - strlen(text), "%s\n", message);
}

static void warns_of_what_no_image_has(void **state)
{
	(void)state;
	static const char *const labels[] = { "tower", "castle", "tower" };
	static const int64_t ids[] = { 1, 1, 5, 8, 99 };
	char text[1024] = "";
	cairn_filter filter = CAIRN_FILTER_INIT;
	cairn_collection *collection;
	filter.labels = labels;
	filter.label_count = 3;
	filter.ids = ids;
	filter.id_count = 5;
	cairn_set_log(note_warning, text);
	assert_ok(cairn_collection_open(&collection, make(few), 0));
	assert_selects(collection, &filter, "1 8");
	assert_non_null(strstr(text, "no image has the label 'castle'\n"));
	assert_non_null(strstr(text, "2 of 4 ids are of no image\n"));
	assert_null(strstr(text, "tower"));
	cairn_set_log(NULL, NULL);
	cairn_collection_free(collection);
}

/* ---- views and time ---- */

static void sees_what_its_handle_sees(void **state)
{
	(void)state;
	static const char *const labels[] = { "bridge" };
	const char *folder = make(few);
	cairn_collection *reader;
	cairn_filter by_label = CAIRN_FILTER_INIT, by_condition = CAIRN_FILTER_INIT;
	by_label.labels = labels;
	by_label.label_count = 1;
	by_condition.where = (const char *const[]){ "label = 'bridge'" };
	by_condition.where_count = 1;
	assert_ok(cairn_collection_open(&reader, folder, 0));
	execute(folder, "UPDATE images SET label = 'bridge' WHERE id = 1; UPDATE images SET removed = 1 WHERE id = 7");
	for (int round = 0; round < 2; round++) {
		assert_selects(reader, &by_label, round ? "1 3" : "3 7");
		assert_selects(reader, &by_condition, round ? "1 3" : "3 7");
		assert_ok(cairn_collection_refresh(reader));
	}
	cairn_collection_free(reader);
}

static int stop(const cairn_progress *progress, void *payload)
{
	assert_string_equal(progress->stage, "selecting images");
	return ++*(int *)payload == 1;
}

static void long_conditions_can_be_stopped(void **state)
{
	(void)state;
	static const char many[] = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3000) "
				   "INSERT INTO images(path, size, mtime_ns, width, height, hash) "
				   "SELECT CAST('/' || n AS BLOB), n, n, n, n, zeroblob(16) FROM r";
	cairn_collection *collection;
	cairn_filter filter = CAIRN_FILTER_INIT;
	int calls = 0;
	int64_t *ids;
	size_t count;
	filter.where = (const char *const[]){ "width % 7 = 3" };
	filter.where_count = 1;
	filter.progress = stop;
	filter.progress_payload = &calls;
	assert_ok(cairn_collection_open(&collection, make(many), 0));
	assert_fails(cairn_collection_select(collection, &filter, &ids, &count), CAIRN_ECANCELLED, "cancelled");
	assert_int_equal(calls, 1);
	assert_ok(cairn_collection_select(collection, &filter, &ids, &count));
	assert_true(calls > 1);
	assert_int_equal(count, 429);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(ids[i], 3 + 7 * (int64_t)i);
	cairn_bytes_free(ids);
	cairn_collection_free(collection);
}

static int select_once(void *context)
{
	static const char *const labels[] = { "tower", "bridge", "" };
	static const int64_t wanted[] = { 8, 3, 1 };
	static const char *const conditions[] = { "width > 100", "height > 0" };
	const cairn_filter filter = { CAIRN_FILTER_VERSION, labels, 3, wanted, 3, conditions, 2, NULL, NULL };
	int64_t *ids;
	size_t count;
	int status = cairn_collection_select(context, &filter, &ids, &count);
	if (status == 0)
		assert_int_equal(count, 3);
	cairn_bytes_free(ids);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, make(few), 0));
	assert_true(cn_torture(select_once, collection) >= 8);
	cairn_collection_free(collection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selects_what_all_parts_have_in_common),
		cmocka_unit_test(refuses_what_is_no_condition),
		cmocka_unit_test(bounds_the_length_of_values),
		cmocka_unit_test(refuses_what_is_no_filter),
		cmocka_unit_test(warns_of_what_no_image_has),
		cmocka_unit_test(sees_what_its_handle_sees),
		cmocka_unit_test(long_conditions_can_be_stopped),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

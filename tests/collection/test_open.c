/*
 * Making and opening: what is refused, one writer at a time, readers beside it, damaged and foreign catalogues.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "photos.h"
#include "util/file.h"

static const char *const rootsift[] = { "rootsift", "rootsift" };

static void refuses_to_make(void **state)
{
	(void)state;
	static const cairn_describer_model absent = { "no-such-model", 1 }, weightless = { "efficientnet-lite0", 0 };
	static const char *const unknown[] = { "no-such-kind" };
	static const struct {
		cairn_collection_options options;
		int status;
		const char *text;
	} cases[] = {
		{ { 1, NULL, 0, NULL, 0, NULL }, CAIRN_EINVALID, "needs a global model" },
		{ { 9, NULL, 0, rootsift, 1, NULL }, CAIRN_EINVALID, "version 9" },
		{ { 1, NULL, 0, rootsift, 2, NULL }, CAIRN_EINVALID, "twice" },
		{ { 1, &absent, 1, NULL, 0, NULL }, CAIRN_ENOTFOUND, "no-such-model" },
		{ { 1, &weightless, 1, NULL, 0, NULL }, CAIRN_EINVALID, "weight" },
		{ { 1, NULL, 0, unknown, 1, NULL }, CAIRN_ENOTFOUND, "no-such-kind" },
		{ { 1, NULL, 0, rootsift, 17, NULL }, CAIRN_EINVALID, "17 local" },
	};
	const char *folder = keep(cn_test_path(cn_test_folder(), "new"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_fails(cairn_collection_create(folder, &cases[i].options), cases[i].status, cases[i].text);
	assert_int_equal(file_size(folder), -1); /* nothing was made */
}

static void makes_only_in_empty_folders(void **state)
{
	(void)state;
	const cairn_collection_options options = { 1, NULL, 0, rootsift, 1, NULL };
	const char *folder = keep(cn_test_folder());
	cn_test_write(cn_test_path(folder, "letter.txt"), "dear", 4);
	assert_fails(cairn_collection_create(folder, &options), CAIRN_EEXISTS, "letter.txt");
	assert_int_equal(file_size(cn_test_path(folder, "lock")), -1);
	assert_fails(cairn_collection_create(cn_test_path(folder, "letter.txt"), &options), CAIRN_EIO, "letter.txt");
	assert_int_equal(unlink(cn_test_path(folder, "letter.txt")), 0);
	/* What a killed attempt leaves is no hindrance. */
	cn_test_write(cn_test_path(folder, "catalogue.sqlite.new"), "half", 4);
	cn_test_write(cn_test_path(folder, "catalogue.sqlite.new-wal"), "half", 4);
	cn_test_write(cn_test_path(folder, "lock"), "1", 1);
	assert_int_equal(mkdir(cn_test_path(folder, "segments"), 0700), 0);
	assert_ok(cairn_collection_create(folder, &options));
	assert_fails(cairn_collection_create(folder, &options), CAIRN_EEXISTS, "already");
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	char *text = collection_text(collection);
	assert_string_equal(text, "");
	free(text);
	cairn_collection_free(collection);
	cairn_collection_free(NULL);
}

static void opens_nothing_else(void **state)
{
	(void)state;
	cairn_collection *collection;
	const char *folder = keep(cn_test_folder());
	assert_fails(cairn_collection_open(&collection, folder, 0), CAIRN_ENOTFOUND, "cairn init");
	assert_fails(cairn_collection_open(&collection, "/no/such/folder", 0), CAIRN_ENOTFOUND, "/no/such/folder");
	assert_fails(cairn_collection_open(&collection, "/dev/null", 1), CAIRN_ENOTFOUND, "/dev/null");
}

static void execute(const char *catalogue, const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(catalogue, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void refuses_catalogues_that_make_no_sense(void **state)
{
	(void)state;
	static const struct {
		const char *sql;
		int status;
		const char *text;
	} cases[] = {
		{ "PRAGMA user_version = 1", CAIRN_EUNSUPPORTED,
		  "format version 1, this cairn knows versions 3 and 4: make the collection anew" },
		{ "PRAGMA user_version = 5", CAIRN_EUNSUPPORTED,
		  "format version 5, this cairn knows versions 3 and 4: use a newer cairn" },
		{ "PRAGMA application_id = 5", CAIRN_EDAMAGED, "not a catalogue" },
		{ "DROP TABLE sources", CAIRN_EDAMAGED, "no such table" },
		{ "DELETE FROM sources", CAIRN_EDAMAGED, "names nothing" },
		{ "UPDATE sources SET kind = '../x'", CAIRN_EDAMAGED, "makes no sense" },
		{ "UPDATE sources SET dim = -1", CAIRN_EDAMAGED, "makes no sense" },
		{ "UPDATE segments SET last = 0", CAIRN_EDAMAGED, "segment 1" },
		{ "UPDATE segments SET images = 9000000000", CAIRN_EDAMAGED, "segment 1" },
		{ "UPDATE files SET name = '../../etc/passwd'", CAIRN_EDAMAGED, "segment 1" },
		{ "UPDATE files SET role = 'features:surf'", CAIRN_EDAMAGED, "segment 1" },
		{ "DELETE FROM files", CAIRN_EDAMAGED, "segment 1" },
	};
	const char *photos = photo_folder(2, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *folder = collection_new();
		cairn_collection *collection;
		assert_ok(cairn_collection_open(&collection, folder, 1));
		collection_add(collection, photos, NULL);
		cairn_collection_free(collection);
		execute(cn_test_path(folder, "catalogue.sqlite"), cases[i].sql);
		for (int writable = 0; writable < 2; writable++)
			assert_fails(cairn_collection_open(&collection, folder, writable), cases[i].status,
				     cases[i].text);
	}
}

/* A catalogue cut short or overwritten anywhere gives an error, or a collection that can be asked. */
static void survives_damaged_catalogues(void **state)
{
	(void)state;
	const char *photos = photo_folder(3, 1), *folder = collection_new();
	const char *catalogue = keep(cn_test_path(folder, "catalogue.sqlite"));
	cairn_collection *collection;
	char *bytes;
	size_t length, refused = 0;
	assert_ok(cairn_collection_open(&collection, folder, 1));
	collection_add(collection, photos, NULL);
	cairn_collection_free(collection);
	assert_ok(cn_file_read(catalogue, 1 << 24, &bytes, &length));
	uint64_t seed = 5;
	for (int i = 0; i < 120; i++) {
		char *copy = malloc(length);
		memcpy(copy, bytes, length);
		size_t at = (size_t)(cn_test_random(&seed) % length), size = length;
		if (i % 3 == 0)
			size = at;
		else
			memset(copy + at, i % 3 == 1 ? 0xff : 0, length - at < 200 ? length - at : 200);
		cn_test_write(catalogue, copy, size);
		free(copy);
		int status = cairn_collection_open(&collection, folder, 0);
		if (status == 0) {
			int64_t *ids;
			size_t count;
			int faults = cairn_collection_check(collection, NULL);
			assert_true(faults >= 0 || cairn_last_error()[0]);
			if (cairn_collection_ids(collection, &ids, &count) == 0)
				cairn_bytes_free(ids);
			cairn_collection_free(collection);
		} else {
			refused++;
			assert_true(cairn_last_error()[0]);
		}
	}
	assert_true(refused > 20);
	cairn_bytes_free(bytes);
}

static void lets_one_write(void **state)
{
	(void)state;
	const char *folder = collection_new();
	cairn_collection *writer, *second, *reader;
	char holder[32];
	assert_ok(cairn_collection_open(&writer, folder, 1));
	snprintf(holder, sizeof(holder), "process %ld", (long)getpid());
	assert_fails(cairn_collection_open(&second, folder, 1), CAIRN_EBUSY, holder);
	assert_ok(cairn_collection_open(&reader, folder, 0));
	cairn_collection_free(writer);
	assert_ok(cairn_collection_open(&second, folder, 1));
	cairn_collection_free(second);
	cairn_collection_free(reader);
}

/* A reader keeps the state it has until it refreshes, also when the files are compacted away. */
static void readers_keep_what_they_see(void **state)
{
	(void)state;
	const char *folder = collection_new(), *photos = photo_folder(6, 1);
	cairn_collection *writer, *reader;
	assert_ok(cairn_collection_open(&writer, folder, 1));
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	options.batch = 2;
	collection_add(writer, photos, &options);
	assert_ok(cairn_collection_open(&reader, folder, 0));
	char *before = collection_text(reader);
	const int64_t gone[] = { 2, 5 };
	assert_ok(cairn_collection_remove(writer, gone, 2));
	assert_ok(cairn_collection_compact(writer, NULL, NULL));
	photo_save(cn_test_path(photos, "new.png"), 77);
	collection_add(writer, photos, NULL);
	char *still = collection_text(reader), *written = collection_text(writer);
	assert_string_equal(still, before);
	assert_string_not_equal(written, before);
	assert_ok(cairn_collection_refresh(reader));
	char *after = collection_text(reader);
	assert_string_equal(after, written);
	assert_int_equal(collection_faults(reader, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(reader);
	cairn_collection_free(writer);
	free(before);
	free(still);
	free(written);
	free(after);
}

struct reading {
	const char *folder;
	int stop; /* guarded by the mutex */
	pthread_mutex_t mutex;
	int reads;
};

static void *keep_reading(void *context)
{
	struct reading *reading = context;
	cairn_collection *reader;
	int stop = 0;
	if (cairn_collection_open(&reader, reading->folder, 0) < 0)
		return NULL;
	while (!stop) {
		int64_t *ids = NULL;
		size_t count = 0;
		int failed = cairn_collection_refresh(reader) < 0 || cairn_collection_ids(reader, &ids, &count) < 0;
		for (size_t i = 0; i < count && !failed; i++) {
			cairn_features *features;
			cairn_image_record record;
			failed = cairn_collection_find_id(reader, ids[i], &record) < 0 ||
				 cairn_collection_features(reader, ids[i], "rootsift", &features) < 0;
			if (!failed)
				cairn_features_free(features);
		}
		cairn_bytes_free(ids);
		pthread_mutex_lock(&reading->mutex);
		reading->reads += !failed;
		stop = reading->stop || failed;
		pthread_mutex_unlock(&reading->mutex);
		if (failed) {
			print_error("reader: %s\n", cairn_last_error());
			reading->reads = -1000000;
		}
	}
	cairn_collection_free(reader);
	return NULL;
}

static void reads_while_another_writes(void **state)
{
	(void)state;
	const char *photos = photo_folder(40, 1);
	struct reading reading = { .folder = collection_new(), .mutex = PTHREAD_MUTEX_INITIALIZER };
	pthread_t thread;
	cairn_collection *writer;
	assert_ok(cairn_collection_open(&writer, reading.folder, 1));
	assert_int_equal(pthread_create(&thread, NULL, keep_reading, &reading), 0);
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	options.batch = 3;
	collection_add(writer, photos, &options);
	for (int64_t id = 1; id < 10; id++) {
		assert_ok(cairn_collection_remove(writer, &id, 1));
		assert_ok(cairn_collection_compact(writer, NULL, NULL));
	}
	pthread_mutex_lock(&reading.mutex);
	reading.stop = 1;
	pthread_mutex_unlock(&reading.mutex);
	pthread_join(thread, NULL);
	assert_true(reading.reads > 0);
	assert_int_equal(collection_faults(writer, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(writer);
}

static void count_note(const char *file, const char *fault, cairn_fault_state state, void *payload)
{
	assert_true(file[0] && fault[0]);
	assert_int_equal(state, CAIRN_FAULT_NOTE);
	++*(int *)payload;
}

/* Files that belong to no segment are told, and are no faults. */
static void expect_notes(cairn_collection *collection, int expected)
{
	cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
	int count = 0;
	options.on_fault = count_note;
	options.fault_payload = &count;
	assert_int_equal(cairn_collection_check(collection, &options), 0);
	assert_int_equal(count, expected);
}

static void clears_what_a_killed_writer_left(void **state)
{
	(void)state;
	const char *folder = collection_new();
	cairn_collection *collection;
	static const char *const left[] = { "segments/00000007.rootsift.features", "segments/.cairn-123-4.tmp" };
	for (size_t i = 0; i < 2; i++)
		cn_test_write(cn_test_path(folder, left[i]), "x", 1);
	cn_test_write(cn_test_path(folder, "segments/mine.txt"), "x", 1);
	assert_ok(cairn_collection_open(&collection, folder, 0));
	expect_notes(collection, 3);
	cairn_collection_free(collection);
	assert_ok(cairn_collection_open(&collection, folder, 1));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(file_size(cn_test_path(folder, left[i])), -1);
	assert_int_equal(file_size(cn_test_path(folder, "segments/mine.txt")), 1);
	expect_notes(collection, 1);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_REPAIR), 0);
	assert_int_equal(file_size(cn_test_path(folder, "segments/mine.txt")), 1);
	cairn_collection_free(collection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_to_make),
		cmocka_unit_test(makes_only_in_empty_folders),
		cmocka_unit_test(opens_nothing_else),
		cmocka_unit_test(refuses_catalogues_that_make_no_sense),
		cmocka_unit_test(survives_damaged_catalogues),
		cmocka_unit_test(lets_one_write),
		cmocka_unit_test(readers_keep_what_they_see),
		cmocka_unit_test(reads_while_another_writes),
		cmocka_unit_test(clears_what_a_killed_writer_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

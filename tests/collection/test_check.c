/*
 * Checking and repairing: bytes flipped, files cut or gone, and what the catalogue says that is not so.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "photos.h"
#include "util/file.h"

enum { IMAGES = 6 };

/* A collection of three segments with two images each. */
static const char *make(void)
{
	const char *folder = collection_new(), *photos = photo_folder(IMAGES, 1);
	cairn_collection *collection;
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	options.batch = 2;
	assert_ok(cairn_collection_open(&collection, folder, 1));
	collection_add(collection, photos, &options);
	cairn_collection_free(collection);
	return folder;
}

struct told {
	const char *file; /* every fault must be told of this one */
	int counts[CAIRN_FAULT_DROPPED + 1];
};

static void note_fault(const char *file, const char *fault, cairn_fault_state state, void *payload)
{
	struct told *told = payload;
	assert_string_equal(file, told->file);
	assert_true(fault[0]);
	told->counts[state]++;
}

static int check_told(cairn_collection *collection, cairn_check_mode mode, struct told *told)
{
	cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
	options.mode = mode;
	options.on_fault = note_fault;
	options.fault_payload = told;
	return cairn_collection_check(collection, &options);
}

/* The check names the file, and nothing that reads the collection crashes. */
static void expect_found(const char *folder, const char *file)
{
	cairn_collection *collection;
	struct told told = { .file = file };
	assert_ok(cairn_collection_open(&collection, folder, 0));
	int faults = check_told(collection, CAIRN_CHECK_ONLY, &told);
	assert_true(faults >= 1);
	assert_int_equal(told.counts[CAIRN_FAULT_DROPPABLE], faults);
	for (int64_t id = 1; id <= IMAGES; id++) {
		cairn_features *features;
		if (cairn_collection_features(collection, id, "rootsift", &features) == 0)
			cairn_features_free(features);
		else
			assert_non_null(strstr(cairn_last_error(), file));
	}
	cairn_collection_free(collection);
}

static void finds_every_flipped_byte(void **state)
{
	(void)state;
	static const char name[] = "00000002.rootsift.features";
	const char *folder = make(), *path = keep(cn_test_path(cn_test_path(folder, "segments"), name));
	char *bytes;
	size_t length;
	assert_ok(cn_file_read(path, 1 << 24, &bytes, &length));
	/* Every byte of the head and the tail, and steps of a prime number between. */
	for (size_t at = 0; at < length; at += at < 64 || at + 64 > length ? 1 : 997) {
		bytes[at] = (char)(bytes[at] ^ (1 << (at % 8)));
		cn_test_write(path, bytes, length);
		expect_found(folder, name);
		bytes[at] = (char)(bytes[at] ^ (1 << (at % 8)));
	}
	for (size_t size = 0; size < length; size += size < 64 ? 7 : 2999) {
		cn_test_write(path, bytes, size);
		expect_found(folder, name);
	}
	cn_test_write(path, bytes, length);
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, folder, 0));
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
	assert_int_equal(unlink(path), 0);
	expect_found(folder, name);
	cairn_bytes_free(bytes);
}

struct dropped {
	int count, stop_at;
};

static int note_dropped(const cairn_image_record *image, void *payload)
{
	struct dropped *dropped = payload;
	assert_true(image->path[0] == '/');
	return ++dropped->count == dropped->stop_at;
}

static int drop(cairn_collection *collection, struct dropped *dropped)
{
	cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
	options.mode = CAIRN_CHECK_DROP;
	options.on_drop = note_dropped;
	options.drop_payload = dropped;
	return cairn_collection_check(collection, &options);
}

/* Of six images in three segments the second has damaged features. Its folder of photographs; caller frees. */
static char *open_damaged(cairn_collection **out, const char *name)
{
	const char *folder = make();
	cairn_image_record record;
	assert_ok(cairn_collection_open(out, folder, 1));
	assert_ok(cairn_collection_find_id(*out, 4, &record));
	char *photos = strdup(record.path);
	*strrchr(photos, '/') = '\0';
	cn_test_write(cn_test_path(cn_test_path(folder, "segments"), name), "rubbish", 7);
	return photos;
}

static void forgets_images_only_where_asked_to(void **state)
{
	(void)state;
	static const char name[] = "00000002.rootsift.features";
	cairn_collection *collection;
	cairn_image_record record;
	char *photos = open_damaged(&collection, name);
	struct told told = { .file = name };
	assert_int_equal(check_told(collection, CAIRN_CHECK_REPAIR, &told), 1);
	assert_int_equal(told.counts[CAIRN_FAULT_DROPPABLE], 1);
	assert_ok(cairn_collection_find_id(collection, 3, &record));
	struct dropped stopped = { .stop_at = 2 }, dropped = { 0 };
	assert_int_equal(drop(collection, &stopped), CAIRN_ECANCELLED);
	assert_ok(cairn_collection_find_id(collection, 3, &record));
	assert_int_equal(drop(collection, &dropped), 0);
	assert_int_equal(dropped.count, 2);
	assert_fails(cairn_collection_find_id(collection, 3, &record), CAIRN_ENOTFOUND, "3");
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_add_report report = collection_add(collection, photos, NULL);
	assert_int_equal(report.added, 2);
	assert_int_equal(report.unchanged, 4);
	assert_ok(cairn_collection_find_id(collection, IMAGES + 2, &record));
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
	free(photos);
}

/* A missing disk looks like this. */
static void forgets_nothing_where_all_files_are_missing(void **state)
{
	(void)state;
	const char *folder = make();
	cairn_collection *collection;
	cairn_collection_info info;
	struct dropped dropped = { 0 };
	for (int i = 1; i <= 3; i++) {
		char name[64];
		snprintf(name, sizeof(name), "segments/%08d.rootsift.features", i);
		assert_int_equal(unlink(cn_test_path(folder, name)), 0);
	}
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_fails(drop(collection, &dropped), CAIRN_ENOTFOUND, "mount");
	assert_int_equal(dropped.count, 0);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_REPAIR), 3);
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.images, IMAGES);
	cairn_collection_free(collection);
}

static void expect_text(const char *file, const char *fault, cairn_fault_state state, void *payload)
{
	(void)file, (void)state;
	assert_non_null(strstr(fault, payload));
}

static void finds_what_the_catalogue_has_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *sql, *text;
		int remaining; /* after dropping */
	} cases[] = {
		{ "DELETE FROM segments WHERE id = 3", "", 0 },
		{ "DELETE FROM images WHERE id = 2", "the catalogue knows 1", 0 },
		{ "UPDATE files SET crc32c = crc32c + 1 WHERE segment = 1", "checksum", 0 },
		{ "UPDATE files SET size = 5 WHERE segment = 1", "was written with 5", 0 },
		{ "PRAGMA foreign_keys = OFF; INSERT INTO files VALUES(99, 'rows', 'x', 1, 1)", "not there", 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *folder = make();
		sqlite3 *db;
		cairn_collection *collection;
		assert_int_equal(sqlite3_open(cn_test_path(folder, "catalogue.sqlite"), &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		assert_ok(cairn_collection_open(&collection, folder, 0));
		char *text = strdup(cases[i].text);
		cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
		options.on_fault = expect_text;
		options.fault_payload = text;
		assert_true(cairn_collection_check(collection, &options) > 0);
		free(text);
		cairn_collection_free(collection);
		assert_ok(cairn_collection_open(&collection, folder, 1));
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_DROP), cases[i].remaining);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), cases[i].remaining);
		cairn_collection_free(collection);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_flipped_byte),
		cmocka_unit_test(forgets_images_only_where_asked_to),
		cmocka_unit_test(forgets_nothing_where_all_files_are_missing),
		cmocka_unit_test(finds_what_the_catalogue_has_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

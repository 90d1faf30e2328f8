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
	int count, repaired;
};

static void note_fault(const char *file, const char *fault, int repaired, void *payload)
{
	struct told *told = payload;
	assert_string_equal(file, told->file);
	assert_true(fault[0]);
	told->count++;
	told->repaired += repaired;
}

/* The check names the file, and nothing that reads the collection crashes. */
static void expect_found(const char *folder, const char *file)
{
	cairn_collection *collection;
	struct told told = { file, 0, 0 };
	assert_ok(cairn_collection_open(&collection, folder, 0));
	assert_true(cairn_collection_check(collection, 0, note_fault, &told, NULL, NULL) >= 1);
	assert_true(told.count >= 1);
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
	assert_int_equal(collection_faults(collection, 0), 0);
	cairn_collection_free(collection);
	assert_int_equal(unlink(path), 0);
	expect_found(folder, name);
	cairn_bytes_free(bytes);
}

static void repairs_by_describing_anew(void **state)
{
	(void)state;
	static const char name[] = "00000002.rootsift.features";
	const char *folder = make(), *path = keep(cn_test_path(cn_test_path(folder, "segments"), name));
	cairn_collection *collection;
	cairn_image_record record;
	cn_test_write(path, "rubbish", 7);
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_ok(cairn_collection_find_id(collection, 3, &record));
	char *photos = strdup(record.path);
	*strrchr(photos, '/') = '\0';
	struct told told = { name, 0, 0 };
	assert_int_equal(cairn_collection_check(collection, 1, note_fault, &told, NULL, NULL), 0);
	assert_int_equal(told.repaired, told.count);
	assert_int_equal(file_size(path), -1);
	assert_fails(cairn_collection_find_id(collection, 3, &record), CAIRN_ENOTFOUND, "3");
	assert_int_equal(collection_faults(collection, 0), 0);
	cairn_add_report report = collection_add(collection, photos, NULL);
	assert_int_equal(report.added, 2);
	assert_int_equal(report.unchanged, 4);
	assert_ok(cairn_collection_find_id(collection, IMAGES + 2, &record));
	assert_int_equal(collection_faults(collection, 0), 0);
	cairn_collection_free(collection);
	free(photos);
}

static void expect_text(const char *file, const char *fault, int repaired, void *payload)
{
	(void)file, (void)repaired;
	assert_non_null(strstr(fault, payload));
}

static void finds_what_the_catalogue_has_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *sql, *text;
		int remaining; /* after repair */
	} cases[] = {
		{ "DELETE FROM segments WHERE id = 3", "no segment", 0 },
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
		assert_true(cairn_collection_check(collection, 0, expect_text, text, NULL, NULL) > 0);
		free(text);
		cairn_collection_free(collection);
		assert_ok(cairn_collection_open(&collection, folder, 1));
		assert_int_equal(collection_faults(collection, 1), cases[i].remaining);
		assert_int_equal(collection_faults(collection, 0), cases[i].remaining);
		cairn_collection_free(collection);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_flipped_byte),
		cmocka_unit_test(repairs_by_describing_anew),
		cmocka_unit_test(finds_what_the_catalogue_has_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

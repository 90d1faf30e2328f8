/*
 * Adding: what counts as new, unchanged, moved, updated, duplicate; labels; images that cannot be read; stopping.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "photos.h"

static void assert_report(cairn_add_report got, cairn_add_report wanted)
{
	assert_int_equal(got.added, wanted.added);
	assert_int_equal(got.unchanged, wanted.unchanged);
	assert_int_equal(got.moved, wanted.moved);
	assert_int_equal(got.updated, wanted.updated);
	assert_int_equal(got.duplicate, wanted.duplicate);
	assert_int_equal(got.relabelled, wanted.relabelled);
	assert_int_equal(got.failed, wanted.failed);
}

#define assert_add(collection, path, options, ...)                                                                     \
	assert_report(collection_add((collection), (path), (options)), (cairn_add_report){ __VA_ARGS__ })

static void copy_file(const char *from, const char *to)
{
	char command[1200];
	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

static int64_t id_of(cairn_collection *collection, const char *path)
{
	cairn_image_record record;
	assert_ok(cairn_collection_find_path(collection, path, &record));
	return record.id;
}

static void adds_and_skips(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const char *photos = photo_folder(5, 1);
	assert_add(collection, photos, NULL, .added = 5);
	assert_add(collection, photos, NULL, .unchanged = 5);
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.images, 5);
	assert_int_equal(info.segments, 1);
	assert_int_equal(info.dim, 0);
	assert_int_equal(info.local_count, 1);
	assert_string_equal(info.locals[0], "rootsift");
	for (int64_t id = 1; id <= 5; id++) {
		cairn_image_record record;
		cairn_features *features;
		assert_ok(cairn_collection_find_id(collection, id, &record));
		assert_int_equal(record.width, 120);
		assert_int_equal(record.height, 90);
		assert_int_equal(record.size, file_size(record.path));
		assert_null(record.label);
		assert_ok(cairn_collection_features(collection, id, "rootsift", &features));
		assert_true(cairn_features_count(features) > 0);
		assert_int_equal(cairn_features_width(features), 120);
		cairn_features_free(features);
	}
	assert_int_equal(id_of(collection, cn_test_path(photos, "000.png")), 1);
	assert_int_equal(id_of(collection, cn_test_path(photos, "004.png")), 5);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

static void follows_moves(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const char *photos = photo_folder(3, 1);
	assert_add(collection, photos, NULL, .added = 3);
	assert_int_equal(rename(cn_test_path(photos, "001.png"), cn_test_path(photos, "moved.png")), 0);
	assert_add(collection, photos, NULL, .unchanged = 2, .moved = 1);
	assert_int_equal(id_of(collection, cn_test_path(photos, "moved.png")), 2);
	cairn_image_record record;
	assert_fails(cairn_collection_find_path(collection, cn_test_path(photos, "001.png"), &record), CAIRN_ENOTFOUND,
		     "001.png");
	/* Two files change names: each keeps its image. */
	assert_int_equal(rename(cn_test_path(photos, "000.png"), cn_test_path(photos, "x")), 0);
	assert_int_equal(rename(cn_test_path(photos, "002.png"), cn_test_path(photos, "000.png")), 0);
	assert_int_equal(rename(cn_test_path(photos, "x"), cn_test_path(photos, "002.png")), 0);
	assert_add(collection, photos, NULL, .unchanged = 1, .moved = 2);
	assert_int_equal(id_of(collection, cn_test_path(photos, "000.png")), 3);
	assert_int_equal(id_of(collection, cn_test_path(photos, "002.png")), 1);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

/* Each file takes the name of the next one: the place of an image is taken before it is found under its new name. */
static void follows_numbers_that_shift(void **state)
{
	(void)state;
	static const char *const names[] = { "1.png", "2.png", "3.png", "4.png", "5.png" };
	for (uint32_t batch = 1; batch <= 4; batch += 3) {
		cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
		const char *photos = keep(cn_test_folder()), *labels = keep(cn_test_path(photos, "l.csv"));
		static const char table[] = "path,label\n1.png,one\n2.png,two\n3.png,three\n4.png,four\n";
		for (uint64_t i = 0; i < 4; i++)
			photo_save(cn_test_path(photos, names[i]), i + 1);
		cn_test_write(labels, table, strlen(table));
		options.batch = batch;
		options.labels = labels;
		cairn_collection *collection = collection_new_open();
		assert_add(collection, photos, &options, .added = 4);
		for (size_t i = 4; i-- > 0;)
			assert_int_equal(rename(cn_test_path(photos, names[i]), cn_test_path(photos, names[i + 1])), 0);
		photo_save(cn_test_path(photos, "1.png"), 9);
		options.labels = NULL;
		assert_add(collection, photos, &options, .updated = 1, .moved = 4);
		static const char *const wanted[] = { "one", "two", "three", "four" };
		for (size_t i = 0; i < 4; i++) {
			cairn_image_record record;
			assert_ok(cairn_collection_find_path(collection, cn_test_path(photos, names[i + 1]), &record));
			assert_int_equal(record.id, i + 1);
			assert_string_equal(record.label, wanted[i]);
		}
		assert_int_equal(id_of(collection, cn_test_path(photos, "1.png")), 5);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		cairn_collection_free(collection);
	}
}

static void notices_changes(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const char *photos = photo_folder(3, 1);
	cairn_add_options parent = CAIRN_ADD_OPTIONS_INIT;
	parent.label_from_parent = 1;
	assert_add(collection, photos, &parent, .added = 3);
	photo_save(cn_test_path(photos, "001.png"), 99);
	assert_add(collection, photos, NULL, .unchanged = 2, .updated = 1);
	cairn_image_record record;
	assert_ok(cairn_collection_find_path(collection, cn_test_path(photos, "001.png"), &record));
	assert_int_equal(record.id, 4);
	assert_non_null(record.label); /* kept */
	assert_fails(cairn_collection_find_id(collection, 2, &record), CAIRN_ENOTFOUND, "2");
	/* Touched, same content. */
	struct timespec times[2] = { { 1000, 0 }, { 1000, 5 } };
	assert_int_equal(utimensat(AT_FDCWD, cn_test_path(photos, "002.png"), times, 0), 0);
	assert_add(collection, photos, NULL, .unchanged = 3);
	assert_ok(cairn_collection_find_path(collection, cn_test_path(photos, "002.png"), &record));
	assert_int_equal(record.id, 3);
	assert_int_equal(record.mtime_ns, 1000000000005);
	cairn_collection_free(collection);
}

static void counts_duplicates(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const char *photos = photo_folder(2, 1);
	copy_file(cn_test_path(photos, "000.png"), cn_test_path(photos, "copy.png"));
	assert_add(collection, photos, NULL, .added = 2, .duplicate = 1);
	assert_add(collection, photos, NULL, .unchanged = 2, .duplicate = 1);
	/* The original goes: the copy takes its place. */
	assert_int_equal(unlink(cn_test_path(photos, "000.png")), 0);
	assert_add(collection, photos, NULL, .unchanged = 1, .moved = 1);
	assert_int_equal(id_of(collection, cn_test_path(photos, "copy.png")), 1);
	/* One image becomes a copy of another. */
	copy_file(cn_test_path(photos, "copy.png"), cn_test_path(photos, "001.png"));
	assert_add(collection, photos, NULL, .unchanged = 1, .duplicate = 1);
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.images, 1);
	assert_int_equal(info.removed, 1);
	cairn_collection_free(collection);
}

static int errors_told;

static void note_error(const char *path, int status, const char *message, void *payload)
{
	(void)payload;
	errors_told++;
	assert_true(status < 0);
	assert_non_null(strstr(message, strrchr(path, '/') + 1));
}

static void goes_on_after_unreadable_images(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const char *photos = photo_folder(3, 1);
	static const struct {
		const char *name, *content;
	} bad[] = {
		{ "000-empty.jpg", "" },
		{ "001-text.jpg", "this is no photograph" },
		{ "002-half.png", "\x89PNG\r\n\x1a\n" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cn_test_write(cn_test_path(photos, bad[i].name), bad[i].content, strlen(bad[i].content));
	assert_int_equal(symlink("/nowhere/at/all.jpg", cn_test_path(photos, "003-nowhere.jpg")), 0);
	/* The same bad content twice: neither comes in. */
	copy_file(cn_test_path(photos, "001-text.jpg"), cn_test_path(photos, "004-text.jpg"));
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	options.on_error = note_error;
	errors_told = 0;
	assert_add(collection, photos, &options, .added = 3, .failed = 5);
	assert_int_equal(errors_told, 5);
	/* Failures take no ids. */
	assert_int_equal(id_of(collection, cn_test_path(photos, "002.png")), 3);
	const char *fifo = keep(cn_test_path(photos, "pipe.jpg")), *paths[] = { fifo, "/no/such/file.jpg" };
	cairn_add_report report;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_ok(cairn_collection_add(collection, paths, 2, &options, &report));
	assert_report(report, (cairn_add_report){ .failed = 2 });
	cairn_collection_free(collection);
}

static void takes_labels(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const char *photos = photo_folder(4, 1), *csv = keep(cn_test_path(photos, "labels.csv"));
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	options.labels = csv;
	static const char first[] = "path,extra,label\n000.png,x,tower\n001.png,y,\"bridge, old\"\n";
	cn_test_write(csv, first, strlen(first));
	assert_add(collection, photos, &options, .added = 4);
	cairn_image_record record;
	assert_ok(cairn_collection_find_id(collection, 2, &record));
	assert_string_equal(record.label, "bridge, old");
	assert_ok(cairn_collection_find_id(collection, 3, &record));
	assert_null(record.label);
	static const char second[] = "image,label\n000.png,\n001.png,bridge\n002.png,gate\n";
	cn_test_write(csv, second, strlen(second));
	assert_add(collection, photos, &options, .unchanged = 4, .relabelled = 3);
	assert_ok(cairn_collection_find_id(collection, 1, &record));
	assert_null(record.label);
	assert_ok(cairn_collection_find_id(collection, 3, &record));
	assert_string_equal(record.label, "gate");
	/* The file goes before the folder's name. */
	options.label_from_parent = 1;
	assert_add(collection, photos, &options, .unchanged = 4, .relabelled = 1);
	assert_ok(cairn_collection_find_id(collection, 4, &record));
	assert_string_equal(record.label, strrchr(photos, '/') + 1);
	assert_ok(cairn_collection_find_id(collection, 3, &record));
	assert_string_equal(record.label, "gate");
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.labelled, 3);
	cairn_collection_free(collection);
}

static int stop_at_second_stage(const cairn_progress *progress, void *payload)
{
	(void)payload;
	return strcmp(progress->stage, "describing images") == 0 && progress->done >= 1;
}

static void stops_when_asked(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const char *photos = photo_folder(40, 1);
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	cairn_add_report report;
	options.progress = stop_at_second_stage;
	options.batch = 4;
	assert_fails(cairn_collection_add(collection, &photos, 1, &options, &report), CAIRN_ECANCELLED, NULL);
	assert_in_range(report.added, 1, 39);
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.images, report.added);
	assert_add(collection, photos, NULL, .added = 40 - report.added, .unchanged = report.added);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

static void refuses_wrong_use(void **state)
{
	(void)state;
	const char *folder = collection_new(), *photos = photo_folder(1, 1);
	cairn_collection *collection;
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	assert_ok(cairn_collection_open(&collection, folder, 0));
	assert_fails(cairn_collection_add(collection, &photos, 1, NULL, NULL), CAIRN_EINVALID, "reading only");
	assert_fails(cairn_collection_remove(collection, NULL, 0), CAIRN_EINVALID, "reading only");
	assert_fails(cairn_collection_compact(collection, NULL, NULL), CAIRN_EINVALID, "reading only");
	cairn_check_options check = CAIRN_CHECK_OPTIONS_INIT;
	check.mode = CAIRN_CHECK_REPAIR;
	assert_fails(cairn_collection_check(collection, &check), CAIRN_EINVALID, "reading only");
	cairn_collection_free(collection);
	assert_ok(cairn_collection_open(&collection, folder, 1));
	options.version = 7;
	assert_fails(cairn_collection_add(collection, &photos, 1, &options, NULL), CAIRN_EINVALID, "version 7");
	options.version = CAIRN_ADD_OPTIONS_VERSION;
	options.batch = 1u << 30;
	assert_fails(cairn_collection_add(collection, &photos, 1, &options, NULL), CAIRN_EINVALID, "batch");
	const cairn_index *index;
	cairn_features *features;
	assert_fails(cairn_collection_index(&index, collection), CAIRN_ENOTFOUND, "global model");
	assert_fails(cairn_collection_features(collection, 1, "rootsift", &features), CAIRN_ENOTFOUND, "no image 1");
	assert_fails(cairn_collection_features(collection, 1, "surf", &features), CAIRN_ENOTFOUND, "surf");
	cairn_collection_free(collection);
}

/* Whatever the batches and threads: the same ids and bytes. */
static void does_not_depend_on_batches_or_threads(void **state)
{
	(void)state;
	static const struct {
		uint32_t threads, batch;
	} cases[] = { { 1, 0 }, { 4, 0 }, { 4, 1 }, { 3, 7 }, { 2, 1000 } };
	const char *photos = photo_folder(30, 1);
	copy_file(cn_test_path(photos, "003.png"), cn_test_path(photos, "003-copy.png"));
	cn_test_write(cn_test_path(photos, "005-bad.png"), "bad", 3);
	char *expected = NULL;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_collection *collection = collection_new_open();
		cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
		options.threads = cases[i].threads;
		options.batch = cases[i].batch;
		assert_add(collection, photos, &options, .added = 30, .duplicate = 1, .failed = 1);
		char *text = collection_text(collection);
		if (expected)
			assert_string_equal(text, expected);
		else
			expected = strdup(text);
		free(text);
		cairn_collection_free(collection);
	}
	free(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_and_skips),
		cmocka_unit_test(follows_moves),
		cmocka_unit_test(follows_numbers_that_shift),
		cmocka_unit_test(notices_changes),
		cmocka_unit_test(counts_duplicates),
		cmocka_unit_test(goes_on_after_unreadable_images),
		cmocka_unit_test(takes_labels),
		cmocka_unit_test(stops_when_asked),
		cmocka_unit_test(refuses_wrong_use),
		cmocka_unit_test(does_not_depend_on_batches_or_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

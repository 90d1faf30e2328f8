/*
 * Collections with global models: rows, the index over them, several rows an image, damage, a model that changed. The
 * models are tiny networks made here.
 */
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cairn/model.h"
#include "collection/handle.h"
#include "photos.h"
#include "torture.h"
#include "util/file.h"

enum { DIM = 16, IMAGES = 9 };

static void finds_each_image_by_its_own_descriptor(void **state)
{
	(void)state;
	const char *photos = photo_folder(IMAGES, 1);
	const char *folder = collection_made(model_new("one", 1), model_new("two", 2), photos, 4);
	cairn_collection *collection;
	const cairn_index *index;
	cairn_ranking *ranking;
	cairn_collection_info info;
	float row[2 * DIM];
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.dim, 2 * DIM);
	assert_int_equal(info.rows, IMAGES);
	assert_int_equal(info.segments, 3);
	assert_int_equal(info.model_count, 2);
	for (int round = 0; round < 2; round++) {
		assert_ok(cairn_collection_index(&index, collection));
		for (int64_t id = 1; id <= IMAGES; id++) {
			if (round && id == 5)
				continue;
			assert_ok(cairn_collection_descriptor(collection, id, row));
			assert_ok(cairn_index_search(&ranking, index, row, 1, 3, NULL));
			assert_int_equal(cairn_ranking_images(ranking, 0)[0], id);
			/* Half-precision numbers have 11 bits. */
			assert_true(fabsf(cairn_ranking_scores(ranking, 0)[0] - 1) < 1e-3f);
			cairn_ranking_free(ranking);
		}
		const int64_t gone = 5;
		if (round == 0)
			assert_ok(cairn_collection_remove(collection, &gone, 1));
	}
	assert_fails(cairn_collection_descriptor(collection, 5, row), CAIRN_ENOTFOUND, "5");
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

static void outcome_does_not_depend_on_batches(void **state)
{
	(void)state;
	const char *photos = photo_folder(IMAGES, 1), *model = model_new("one", 1);
	char *expected = NULL;
	for (uint32_t batch = 1; batch <= 10; batch += 3) {
		const char *folder = collection_made(model, NULL, photos, batch);
		cairn_collection *collection;
		assert_ok(cairn_collection_open(&collection, folder, 1));
		char *added = collection_text(collection);
		assert_ok(cn_collection_compact(collection, 4, NULL, NULL));
		char *compacted = collection_text(collection);
		assert_string_equal(added, compacted);
		if (expected)
			assert_string_equal(compacted, expected);
		else
			expected = strdup(compacted);
		free(added);
		free(compacted);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		cairn_collection_free(collection);
	}
	free(expected);
}

static void an_image_may_own_several_rows(void **state)
{
	(void)state;
	const char *folder = collection_made(model_new("one", 1), NULL, photo_folder(3, 1), 2);
	cairn_collection *collection;
	cairn_collection_info info;
	const cairn_index *index;
	float rows[3][DIM] = { { 0 } }, row[DIM];
	int64_t id;
	for (int i = 0; i < 3; i++)
		rows[i][i] = 1;
	assert_ok(cairn_collection_open(&collection, folder, 1));
	id = collection_add_rows(collection, &rows[0][0], 3);
	for (int round = 0; round < 2; round++) {
		assert_ok(cairn_collection_get_info(collection, &info));
		assert_int_equal(info.rows, 6 - round);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		assert_ok(cairn_collection_index(&index, collection));
		for (int i = 0; i < 3; i++) {
			cairn_ranking *ranking;
			assert_ok(cairn_index_search(&ranking, index, rows[i], 1, 4, NULL));
			assert_int_equal(cairn_ranking_images(ranking, 0)[0], id);
			assert_int_not_equal(cairn_ranking_images(ranking, 0)[1], id);
			cairn_ranking_free(ranking);
		}
		assert_ok(cairn_collection_descriptor(collection, id, row));
		assert_memory_equal(row, rows[0], sizeof(row));
		const int64_t gone = 2;
		if (round == 0) {
			assert_ok(cairn_collection_remove(collection, &gone, 1));
			assert_ok(cairn_collection_compact(collection, NULL, NULL));
		}
	}
	cairn_collection_free(collection);
}

static void finds_damaged_rows(void **state)
{
	(void)state;
	static const char *const names[] = { "00000002.rows.npy", "00000002.codes.npy", "00000002.scales.npy",
					     "00000002.images.npy" };
	const char *folder = collection_made(model_new("one", 1), NULL, photo_folder(4, 1), 2);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *path = keep(cn_test_path(cn_test_path(folder, "segments"), names[i]));
		char *bytes;
		size_t length;
		assert_ok(cn_file_read(path, 1 << 20, &bytes, &length));
		for (size_t at = 0; at <= length; at++) {
			cairn_collection *collection;
			const cairn_index *index;
			float row[DIM];
			/* Every byte flipped; and, every fifth time, cut off there instead. */
			int cut = at % 5 == 0;
			if (!cut && at < length)
				bytes[at] = (char)(bytes[at] ^ 0x41);
			cn_test_write(path, bytes, cut ? at : length);
			if (!cut && at < length)
				bytes[at] = (char)(bytes[at] ^ 0x41);
			assert_ok(cairn_collection_open(&collection, folder, 0));
			int faults = cairn_collection_check(collection, NULL);
			assert_int_equal(faults > 0, at < length);
			if (cairn_collection_index(&index, collection) == 0) {
				cairn_ranking *ranking;
				const float query[DIM] = { 1 };
				assert_ok(cairn_index_search(&ranking, index, query, 1, 4, NULL));
				cairn_ranking_free(ranking);
			}
			if (cairn_collection_descriptor(collection, 4, row) < 0)
				assert_non_null(strstr(cairn_last_error(), "00000002"));
			cairn_collection_free(collection);
		}
		cn_test_write(path, bytes, length);
		cairn_bytes_free(bytes);
	}
}

static const char *segment_file(const char *folder, const char *name)
{
	return keep(cn_test_path(cn_test_path(folder, "segments"), name));
}

/* Change a file of the first segment from `at` on, and let the catalogue believe that it was written so. */
static void forge(const char *folder, const char *name, size_t at, const void *bytes, size_t length)
{
	const char *path = segment_file(folder, name);
	char sql[128];
	uint64_t size;
	uint32_t crc;
	sqlite3 *db;
	file_overwrite(path, at, bytes, length);
	assert_ok(cn_file_checksum(path, &size, &crc));
	snprintf(sql, sizeof(sql), "UPDATE files SET crc32c = %u WHERE name = '%s'", crc, name);
	assert_int_equal(sqlite3_open(cn_test_path(folder, "catalogue.sqlite"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

struct expected {
	const char *file, *text;
	int count, repaired;
};

static void expect_fault(const char *file, const char *fault, cairn_fault_state state, void *payload)
{
	struct expected *expected = payload;
	assert_string_equal(file, expected->file);
	assert_non_null(strstr(fault, expected->text));
	expected->count++;
	expected->repaired += state == CAIRN_FAULT_REPAIRED || state == CAIRN_FAULT_DROPPED;
}

/* With the right checksum, but not what a descriptor is. Codes and scales alone are made again. */
static void finds_what_no_checksum_tells(void **state)
{
	(void)state;
	enum { DATA = 128 }; /* of the header of each file */
	static const struct {
		const char *file;
		size_t at, length;
		const char *bytes, *text;
		int images_left;
	} cases[] = {
		{ "00000001.rows.npy", DATA, 2, "\x00\x7e", "row 0 has a number that is not finite", 1 },
		{ "00000001.rows.npy", DATA + 2 * DIM, 2, "\x00\xfc", "row 1 has a number that is not finite", 1 },
		{ "00000001.rows.npy", DATA, 2, "\x00\x45", "row 0 has the norm", 1 },
		{ "00000001.images.npy", DATA, 1, "\x02", "image 1 has no row", 1 },
		{ "00000001.codes.npy", DATA + DIM + 3, 1, "\x80", "of row 1 is not what the row gives", 3 },
		{ "00000001.scales.npy", DATA, 1, "\x55", "of row 0 is not what the row gives", 3 },
		{ "00000001.codes.npy", 20, 1, "?", "00000001.codes.npy", 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *folder = collection_made(model_new("one", 1), NULL, photo_folder(3, 1), 2);
		struct expected expected = { cases[i].file, cases[i].text, 0, 0 };
		cairn_collection *collection;
		cairn_collection_info info;
		if (strstr(cases[i].file, "images") || cases[i].at == 20)
			expected.file = "00000001.rows.npy";
		forge(folder, cases[i].file, cases[i].at, cases[i].bytes, cases[i].length);
		assert_ok(cairn_collection_open(&collection, folder, 1));
		cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
		options.on_fault = expect_fault;
		options.fault_payload = &expected;
		assert_int_equal(cairn_collection_check(collection, &options), 1);
		options.mode = CAIRN_CHECK_DROP;
		assert_int_equal(cairn_collection_check(collection, &options), 0);
		assert_int_equal(expected.count, 2);
		assert_int_equal(expected.repaired, 1);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		assert_ok(cairn_collection_get_info(collection, &info));
		assert_int_equal(info.images, cases[i].images_left);
		cairn_collection_free(collection);
	}
}

static void damage(const char *folder, const char *name)
{
	cn_test_write(segment_file(folder, name), "rubbish", 7);
}

static void rows_give_codes_again(void **state)
{
	(void)state;
	/* What is damaged of the first segment: '-' nothing, 'x' rubbish, 'g' gone. */
	static const struct {
		char codes, scales, rows, features;
		int images_left, segments_left;
	} cases[] = {
		{ 'x', '-', '-', '-', 4, 2 }, { '-', 'x', '-', '-', 4, 2 }, { 'x', 'g', '-', '-', 4, 2 },
		{ 'g', '-', '-', '-', 4, 2 }, { 'x', '-', 'x', '-', 2, 1 }, { '-', 'g', '-', 'x', 2, 1 },
		{ 'x', 'x', 'g', '-', 2, 1 }, { '-', '-', 'x', '-', 2, 1 },
	};
	static const char *const names[] = { "00000001.codes.npy", "00000001.scales.npy", "00000001.rows.npy",
					     "00000001.rootsift.features" };
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *folder = collection_made(model_new("one", 1), NULL, photo_folder(4, 1), 2);
		const char what[] = { cases[i].codes, cases[i].scales, cases[i].rows, cases[i].features };
		cairn_collection *collection;
		cairn_collection_info info;
		int damaged = 0;
		assert_ok(cairn_collection_open(&collection, folder, 1));
		char *before = collection_text(collection), *after;
		cairn_collection_free(collection);
		for (size_t k = 0; k < sizeof(what); k++) {
			damaged += what[k] != '-';
			if (what[k] == 'x')
				damage(folder, names[k]);
			else if (what[k] == 'g')
				assert_int_equal(unlink(segment_file(folder, names[k])), 0);
		}
		assert_ok(cairn_collection_open(&collection, folder, 1));
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), damaged);
		int is_lost = cases[i].images_left < 4;
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_REPAIR) > 0, is_lost);
		assert_ok(cairn_collection_get_info(collection, &info));
		assert_int_equal(info.images, 4);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_DROP), 0);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		assert_ok(cairn_collection_get_info(collection, &info));
		assert_int_equal(info.images, cases[i].images_left);
		assert_int_equal(info.segments, cases[i].segments_left);
		/* The old files are gone, and the number of the new ones is not given again. */
		assert_int_equal(file_size(segment_file(folder, names[0])), -1);
		if (cases[i].images_left == 4) {
			after = collection_text(collection);
			assert_string_equal(after, before);
			free(after);
			assert_true(file_size(segment_file(folder, "00000003.codes.npy")) > 0);
			const char *photos = photo_folder(1, 90);
			collection_add(collection, photos, NULL);
			assert_true(file_size(segment_file(folder, "00000004.codes.npy")) > 0);
			assert_ok(cn_collection_compact(collection, 3, NULL, NULL));
			assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		}
		free(before);
		cairn_collection_free(collection);
	}
}

/* A reader that has the damaged files mapped is not disturbed by the repair. */
static void repairs_under_readers(void **state)
{
	(void)state;
	const char *folder = collection_made(model_new("one", 1), NULL, photo_folder(4, 1), 2);
	const char value = 1;
	cairn_collection *reader, *writer;
	float row[DIM];
	forge(folder, "00000001.codes.npy", 128, &value, 1);
	assert_ok(cairn_collection_open(&reader, folder, 0));
	assert_ok(cairn_collection_open(&writer, folder, 1));
	assert_int_equal(collection_faults(writer, CAIRN_CHECK_REPAIR), 0);
	assert_ok(cairn_collection_descriptor(reader, 1, row));
	assert_ok(cairn_collection_refresh(reader));
	assert_int_equal(collection_faults(reader, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(writer);
	cairn_collection_free(reader);
}

static int repair(void *collection)
{
	cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
	options.mode = CAIRN_CHECK_REPAIR;
	return cairn_collection_check(collection, &options);
}

static void repairs_short_of_memory(void **state)
{
	(void)state;
	const char *folder = collection_made(model_new("one", 1), NULL, photo_folder(3, 1), 2);
	cairn_collection *collection;
	cairn_collection_info info;
	damage(folder, "00000001.scales.npy");
	damage(folder, "00000002.codes.npy");
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_true(cn_torture(repair, collection) > 20);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.images, 3);
	cairn_collection_free(collection);
}

static void refuses_a_model_that_changed(void **state)
{
	(void)state;
	const char *model = model_new("one", 1), *other = model_new("one", 2), *photos = photo_folder(2, 1);
	const char *folder = collection_made(model, NULL, photos, 0);
	cairn_collection *collection;
	char *bytes;
	size_t length;
	assert_ok(cn_file_read(cn_test_path(other, "model.onnx"), 1 << 20, &bytes, &length));
	cn_test_write(cn_test_path(model, "model.onnx"), bytes, length);
	cairn_bytes_free(bytes);
	assert_ok(cairn_collection_open(&collection, folder, 1));
	photo_save(cn_test_path(photos, "new.png"), 50);
	assert_fails(cairn_collection_add(collection, &photos, 1, NULL, NULL), CAIRN_ENOTFOUND,
		     "make a new collection");
	assert_int_equal(unlink(cn_test_path(model, "model.json")), 0);
	assert_fails(cairn_collection_add(collection, &photos, 1, NULL, NULL), CAIRN_ENOTFOUND, NULL);
	/* What is in can still be read. */
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

static int is_installed(const char *wanted)
{
	char **names;
	size_t count;
	int found = 0;
	assert_ok(cairn_model_list(&names, &count));
	for (size_t i = 0; i < count; i++)
		found |= strcmp(names[i], wanted) == 0;
	cairn_model_names_free(names, count);
	return found;
}

/* The models of a collection that is made without naming any. */
static void works_with_the_default_models(void **state)
{
	(void)state;
	static const cairn_describer_model model = { "efficientnet-lite0", 1 };
	static const char *const locals[] = { "xfeat" };
	const cairn_collection_options options = { CAIRN_COLLECTION_OPTIONS_VERSION, &model, 1, locals, 1, NULL };
	const char *folder = keep(cn_test_path(cn_test_folder(), "collection")), *photos = photo_folder(IMAGES, 1);
	cairn_collection *collection;
	cairn_add_options how = CAIRN_ADD_OPTIONS_INIT;
	if (!is_installed("efficientnet-lite0") || !is_installed("xfeat")) {
		print_message("# skipped: efficientnet-lite0 and xfeat are not installed\n");
		skip();
	}
	how.batch = 4;
	how.threads = 3;
	assert_ok(cairn_collection_create(folder, &options));
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_int_equal(collection_add(collection, photos, &how).added, IMAGES);
	char *added = collection_text(collection);
	assert_ok(cairn_collection_compact(collection, NULL, NULL));
	char *compacted = collection_text(collection);
	assert_string_equal(added, compacted);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_features *features;
	assert_ok(cairn_collection_features(collection, 1, "xfeat", &features));
	assert_int_equal(cairn_features_dim(features), 64);
	cairn_features_free(features);
	free(added);
	free(compacted);
	cairn_collection_free(collection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each_image_by_its_own_descriptor),
		cmocka_unit_test(outcome_does_not_depend_on_batches),
		cmocka_unit_test(an_image_may_own_several_rows),
		cmocka_unit_test(finds_damaged_rows),
		cmocka_unit_test(finds_what_no_checksum_tells),
		cmocka_unit_test(rows_give_codes_again),
		cmocka_unit_test(repairs_under_readers),
		cmocka_unit_test(repairs_short_of_memory),
		cmocka_unit_test(refuses_a_model_that_changed),
		cmocka_unit_test(works_with_the_default_models),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

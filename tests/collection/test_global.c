/*
 * Collections with global models: rows, the index over them, several rows an image, damage, a model that changed. The
 * models are tiny networks made here.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cairn/model.h"
#include "collection/handle.h"
#include "photos.h"
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
		assert_ok(cairn_collection_index(collection, &index));
		for (int64_t id = 1; id <= IMAGES; id++) {
			if (round && id == 5)
				continue;
			assert_ok(cairn_collection_descriptor(collection, id, row));
			assert_ok(cairn_index_search(index, row, 1, 3, 1, &ranking));
			assert_int_equal(cairn_ranking_images(ranking, 0)[0], id);
			assert_true(fabsf(cairn_ranking_scores(ranking, 0)[0] - 1) < 1e-4f);
			cairn_ranking_free(ranking);
		}
		const int64_t gone = 5;
		if (round == 0)
			assert_ok(cairn_collection_remove(collection, &gone, 1));
	}
	assert_fails(cairn_collection_descriptor(collection, 5, row), CAIRN_ENOTFOUND, "5");
	assert_int_equal(collection_faults(collection, 0), 0);
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
		assert_int_equal(collection_faults(collection, 0), 0);
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
		assert_int_equal(collection_faults(collection, 0), 0);
		assert_ok(cairn_collection_index(collection, &index));
		for (int i = 0; i < 3; i++) {
			cairn_ranking *ranking;
			assert_ok(cairn_index_search(index, rows[i], 1, 4, 1, &ranking));
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
	static const char *const names[] = { "00000002.rows.npy", "00000002.images.npy" };
	const char *folder = collection_made(model_new("one", 1), NULL, photo_folder(4, 1), 2);
	for (size_t i = 0; i < 2; i++) {
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
			int faults = cairn_collection_check(collection, 0, NULL, NULL, NULL, NULL);
			assert_int_equal(faults > 0, at < length);
			if (cairn_collection_index(collection, &index) == 0) {
				cairn_ranking *ranking;
				const float query[DIM] = { 1 };
				assert_ok(cairn_index_search(index, query, 1, 4, 1, &ranking));
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

/* With the right checksum, but not what a descriptor is. */
static void finds_rows_that_are_no_descriptors(void **state)
{
	(void)state;
	static const struct {
		float value;
		const char *text;
	} cases[] = { { NAN, "not finite" }, { INFINITY, "not finite" }, { 5, "norm" } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *folder = collection_made(model_new("one", 1), NULL, photo_folder(1, 1), 2);
		cairn_collection *collection;
		float rows[3][DIM] = { { 1 }, { 1 }, { cases[i].value } };
		int64_t id;
		assert_ok(cairn_collection_open(&collection, folder, 1));
		id = collection_add_rows(collection, &rows[0][0], 3);
		assert_int_equal(collection_faults(collection, 0), 1);
		assert_int_equal(collection_faults(collection, 1), 0);
		cairn_image_record record;
		assert_fails(cairn_collection_find_id(collection, id, &record), CAIRN_ENOTFOUND, NULL);
		cairn_collection_free(collection);
	}
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
	assert_int_equal(collection_faults(collection, 0), 0);
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
	const cairn_collection_options options = { CAIRN_COLLECTION_OPTIONS_VERSION, &model, 1, locals, 1 };
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
	assert_int_equal(collection_faults(collection, 0), 0);
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
		cmocka_unit_test(finds_rows_that_are_no_descriptors),
		cmocka_unit_test(refuses_a_model_that_changed),
		cmocka_unit_test(works_with_the_default_models),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

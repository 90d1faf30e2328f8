/*
 * Removing and compacting: ids stay, what remains does not depend on the way there.
 */
#include <stdlib.h>
#include <string.h>

#include "collection/handle.h"
#include "photos.h"
#include "util/file.h"

static void removes_all_or_nothing(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	collection_add(collection, photo_folder(4, 1), NULL);
	const int64_t unknown[] = { 1, 99 }, twice[] = { 2, 2 }, two[] = { 2, 3 };
	assert_fails(cairn_collection_remove(collection, unknown, 2), CAIRN_ENOTFOUND, "99");
	assert_fails(cairn_collection_remove(collection, twice, 2), CAIRN_ENOTFOUND, "2");
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.images, 4);
	assert_ok(cairn_collection_remove(collection, two, 2));
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.images, 2);
	assert_int_equal(info.removed, 2);
	cairn_features *features;
	assert_fails(cairn_collection_features(collection, 2, "rootsift", &features), CAIRN_ENOTFOUND, "2");
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

static void ids_are_never_reused(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const char *photos = photo_folder(3, 1);
	collection_add(collection, photos, NULL);
	const int64_t all[] = { 1, 2, 3 };
	assert_ok(cairn_collection_remove(collection, all, 3));
	assert_ok(cairn_collection_compact(collection, NULL, NULL));
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.images, 0);
	assert_int_equal(info.removed, 0);
	assert_int_equal(info.segments, 0);
	collection_add(collection, photos, NULL);
	int64_t *ids;
	size_t count;
	assert_ok(cairn_collection_ids(collection, &ids, &count));
	assert_int_equal(count, 3);
	assert_int_equal(ids[0], 4);
	cairn_bytes_free(ids);
	cairn_collection_free(collection);
}

/* The files of segments/ in order, one after the other. */
static char *all_bytes(const char *folder, size_t *length)
{
	char **names, *all = NULL;
	size_t count;
	const char *segments = keep(cn_test_path(folder, "segments"));
	*length = 0;
	assert_ok(cn_folder_list(segments, &names, &count));
	for (size_t i = 0; i < count; i++) {
		char *bytes;
		size_t more;
		assert_ok(cn_file_read(cn_test_path(segments, names[i]), 1 << 28, &bytes, &more));
		all = realloc(all, *length + more);
		memcpy(all + *length, bytes, more);
		*length += more;
		cairn_bytes_free(bytes);
	}
	cn_names_free(names, count);
	return all;
}

static void outcome_does_not_depend_on_the_way(void **state)
{
	(void)state;
	static const struct {
		uint32_t batch;
		size_t between; /* compact to this after half of the images; 0: not */
	} ways[] = { { 0, 0 }, { 1, 0 }, { 3, 0 }, { 5, 7 }, { 2, 4 }, { 4, 100 } };
	const char *photos = photo_folder(23, 1);
	const int64_t gone[] = { 1, 8, 9, 22 };
	char *expected = NULL, *expected_bytes = NULL;
	size_t expected_length = 0;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const char *folder = collection_new(), *half[12];
		cairn_collection *collection;
		cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
		options.batch = ways[i].batch;
		assert_ok(cairn_collection_open(&collection, folder, 1));
		for (size_t k = 0; k < 12; k++) {
			char name[16];
			snprintf(name, sizeof(name), "%03zu.png", k);
			half[k] = keep(cn_test_path(photos, name));
		}
		assert_ok(cairn_collection_add(collection, half, 12, &options, NULL));
		if (ways[i].between)
			assert_ok(cn_collection_compact(collection, ways[i].between, NULL, NULL));
		collection_add(collection, photos, &options);
		assert_ok(cairn_collection_remove(collection, gone, 4));
		char *before = collection_text(collection);
		assert_ok(cn_collection_compact(collection, 7, NULL, NULL));
		char *after = collection_text(collection);
		assert_string_equal(after, before);
		cairn_collection_info info;
		assert_ok(cairn_collection_get_info(collection, &info));
		assert_int_equal(info.segments, 3); /* 19 images */
		assert_int_equal(info.removed, 0);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		size_t length;
		char *bytes = all_bytes(folder, &length);
		if (!expected) {
			expected = strdup(after);
			expected_bytes = bytes;
			expected_length = length;
		} else {
			assert_string_equal(after, expected);
			assert_int_equal(length, expected_length);
			assert_memory_equal(bytes, expected_bytes, length);
			free(bytes);
		}
		/* What is as it should be stays as it is. */
		char *again = NULL;
		assert_ok(cn_collection_compact(collection, 7, NULL, NULL));
		again = all_bytes(folder, &length);
		assert_memory_equal(again, expected_bytes, length);
		free(again);
		free(before);
		free(after);
		cairn_collection_free(collection);
	}
	free(expected);
	free(expected_bytes);
}

static int stop(const cairn_progress *progress, void *payload)
{
	(void)progress, (void)payload;
	return 1;
}

static void stopped_compaction_changes_nothing(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	options.batch = 2;
	collection_add(collection, photo_folder(9, 1), &options);
	char *before = collection_text(collection);
	assert_fails(cairn_collection_compact(collection, stop, NULL), CAIRN_ECANCELLED, NULL);
	char *after = collection_text(collection);
	assert_string_equal(before, after);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	free(before);
	free(after);
	cairn_collection_free(collection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removes_all_or_nothing),
		cmocka_unit_test(ids_are_never_reused),
		cmocka_unit_test(outcome_does_not_depend_on_the_way),
		cmocka_unit_test(stopped_compaction_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

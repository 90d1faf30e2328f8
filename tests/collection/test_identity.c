/* What makes collections alike, keys of what they hold, labels by number. */
#include "collection/identity.h"

#include <string.h>

#include "photos.h"

enum { PHOTOS = 4 };

static const char *photos;

static cairn_collection *opened(const char *folder)
{
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, folder, 1));
	return collection;
}

/* Labels for 0.png, 1.png and so on; NULL: none. */
static void label(cairn_collection *collection, const char *const *labels)
{
	char csv[4096] = "path,label\n";
	const char *file = keep(cn_test_path(cn_test_folder(), "labels.csv"));
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	for (int i = 0; i < PHOTOS; i++)
		snprintf(csv + strlen(csv), sizeof(csv) - strlen(csv), "%s/%03d.png,%s\n", photos, i,
			 labels[i] ? labels[i] : "");
	cn_test_write(file, csv, strlen(csv));
	options.labels = file;
	collection_add(collection, photos, &options);
}

static void labels_get_numbers(void **state)
{
	static const char *const labels[PHOTOS] = { "tower", NULL, "bridge", "tower" };
	static const int32_t expected[PHOTOS] = { 1, CN_NO_LABEL, 0, 1 };
	cairn_collection *collection = collection_new_open();
	cn_label_table table;
	(void)state;
	label(collection, labels);
	assert_ok(cn_collection_labels(collection, &table));
	assert_int_equal(table.count, PHOTOS);
	assert_int_equal(table.name_count, 2);
	assert_string_equal(table.names[0], "bridge");
	for (int i = 0; i < PHOTOS; i++)
		assert_int_equal(cn_label_table_find(&table, table.ids[i]), expected[i]);
	assert_int_equal(cn_label_table_find(&table, 99), CN_NO_LABEL);
	assert_int_equal(cn_label_table_number(&table, "tower"), 1);
	assert_int_equal(cn_label_table_number(&table, "town"), CN_NO_LABEL);
	cn_label_table_free(&table);
	cairn_collection_free(collection);
}

static void no_image_has_no_label(void **state)
{
	cairn_collection *collection = collection_new_open();
	cn_label_table table;
	(void)state;
	assert_ok(cn_collection_labels(collection, &table));
	assert_int_equal(table.count + table.name_count, 0);
	assert_int_equal(cn_label_table_find(&table, 1), CN_NO_LABEL);
	assert_int_equal(cn_label_table_number(&table, ""), CN_NO_LABEL);
	cn_label_table_free(&table);
	cairn_collection_free(collection);
}

static cn_key key_of(cairn_collection *collection)
{
	cn_key key;
	assert_ok(cn_collection_key(collection, &key));
	return key;
}

static void assert_changed(cairn_collection *collection, cn_key *before)
{
	cn_key now = key_of(collection);
	assert_false(cn_key_equal(now, *before));
	*before = now;
}

static void the_key_changes_with_what_is_held(void **state)
{
	static const char *const none[PHOTOS] = { 0 }, *const some[PHOTOS] = { "tower" };
	static const char *const others[PHOTOS] = { NULL, "tower" };
	const int64_t second = 2;
	cairn_collection *collection = collection_new_open(), *reader;
	cn_key key = key_of(collection);
	cairn_collection_info info;
	(void)state;
	label(collection, none);
	assert_changed(collection, &key);
	label(collection, none);
	assert_true(cn_key_equal(key_of(collection), key));
	label(collection, some);
	assert_changed(collection, &key);
	label(collection, others);
	assert_changed(collection, &key);
	assert_ok(cairn_collection_remove(collection, &second, 1));
	assert_changed(collection, &key);
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_ok(cairn_collection_open(&reader, info.folder, 0));
	assert_true(cn_key_equal(key_of(reader), key));
	cairn_collection_free(reader);
	cairn_collection_free(collection);
}

static void models_must_be_the_same(void **state)
{
	const char *tiny = model_new("tiny", 3), *other = model_new("other", 4);
	static const struct {
		int models[2][2]; /* of two collections: 0 none, 1 tiny, 2 other */
		int global;
		const char *local, *fault;
	} cases[] = {
		{ { { 1, 0 }, { 1, 0 } }, 1, "rootsift", NULL },
		{ { { 1, 0 }, { 2, 0 } }, 0, "rootsift", NULL },
		{ { { 1, 2 }, { 1, 2 } }, 1, NULL, NULL },
		{ { { 1, 0 }, { 2, 0 } }, 1, NULL, "different models" },
		{ { { 1, 2 }, { 2, 1 } }, 1, NULL, "different models" },
		{ { { 1, 2 }, { 1, 0 } }, 1, NULL, "has 2 global models" },
		{ { { 1, 0 }, { 0, 0 } }, 1, NULL, "has 1 global models" },
		{ { { 1, 0 }, { 1, 0 } }, 1, "xfeat", "xfeat" },
	};
	const char *const names[] = { NULL, tiny, other };
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_collection *both[2];
		for (int k = 0; k < 2; k++)
			both[k] = opened(
				collection_made(names[cases[i].models[k][0]], names[cases[i].models[k][1]], photos, 0));
		int status = cn_collection_expect_alike(both[0], both[1], cases[i].global, cases[i].local);
		if (cases[i].fault)
			assert_fails(status, status, cases[i].fault);
		else
			assert_ok(status);
		cairn_collection_free(both[0]);
		cairn_collection_free(both[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_get_numbers),
		cmocka_unit_test(no_image_has_no_label),
		cmocka_unit_test(the_key_changes_with_what_is_held),
		cmocka_unit_test(models_must_be_the_same),
	};
	photos = keep(photo_folder(PHOTOS, 77));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

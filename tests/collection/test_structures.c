/*
 * Lists of descriptors in a collection: when an index uses them, that it finds what a scan finds, how damage shows.
 */
#include <string.h>

#include "collection/handle.h"
#include "photos.h"

enum { IMAGES = 24, LISTS = 4 };

/* Made once. */
static char photos[256], model[256];

static cairn_collection *open_made(uint32_t batch)
{
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, collection_made(model, NULL, photos, batch), 1));
	return collection;
}

static cairn_build_report build_lists(cairn_collection *collection, uint32_t lists)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	cairn_build_report report;
	options.ivf = 1;
	options.lists = lists;
	assert_ok(cairn_collection_build_index(collection, &options, &report));
	return report;
}

static cairn_ranking *rank(cairn_collection *collection, int64_t query, size_t probes)
{
	const cairn_index *index;
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	cairn_ranking *ranking;
	float descriptor[16];
	options.probes = probes;
	assert_ok(cairn_collection_index(&index, collection));
	assert_ok(cairn_collection_descriptor(collection, query, descriptor));
	assert_ok(cairn_index_search(&ranking, index, descriptor, 1, 5, &options));
	return ranking;
}

/* All lists probed find what a scan finds. */
static void assert_as_scanned(cairn_collection *collection, cairn_collection *scanned)
{
	int64_t *ids;
	size_t count;
	assert_ok(cairn_collection_ids(scanned, &ids, &count));
	for (size_t i = 0; i < count; i++) {
		cairn_ranking *a = rank(collection, ids[i], LISTS), *b = rank(scanned, ids[i], 0);
		assert_int_equal(cairn_ranking_count(a, 0), 5);
		assert_memory_equal(cairn_ranking_images(a, 0), cairn_ranking_images(b, 0), 5 * sizeof(int64_t));
		assert_memory_equal(cairn_ranking_scores(a, 0), cairn_ranking_scores(b, 0), 5 * sizeof(float));
		cairn_ranking_free(a);
		cairn_ranking_free(b);
	}
	cairn_bytes_free(ids);
}

static cairn_structure_info lists_of(cairn_collection *collection)
{
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.structure_count, 1);
	assert_null(info.structures[0].kind);
	return info.structures[0];
}

static void lists_find_what_a_scan_finds_through_all_changes(void **state)
{
	(void)state;
	const int64_t gone[] = { 3, 11 };
	cairn_collection *collection = open_made(7), *scanned = open_made(5);
	double drift;
	assert_fails(cairn_collection_drift(collection, &drift), CAIRN_ENOTFOUND, "cairn index --ivf");
	cairn_build_report report = build_lists(collection, LISTS);
	assert_int_equal(report.trained, 1);
	assert_int_equal(report.written, 4);
	assert_int_equal(lists_of(collection).units, LISTS);
	assert_int_equal(lists_of(collection).trained, IMAGES);
	assert_as_scanned(collection, scanned);
	assert_ok(cairn_collection_drift(collection, &drift));
	assert_float_equal(drift, 1, 0.2);
	/* What is added has its lists at once. */
	const char *more = photo_folder(4, 500);
	collection_add(collection, more, NULL);
	collection_add(scanned, more, NULL);
	assert_int_equal(lists_of(collection).covered, IMAGES + 4);
	assert_as_scanned(collection, scanned);
	assert_ok(cairn_collection_remove(collection, gone, 2));
	assert_ok(cairn_collection_remove(scanned, gone, 2));
	assert_as_scanned(collection, scanned);
	assert_ok(cn_collection_compact(collection, 9, NULL, NULL));
	assert_int_equal(lists_of(collection).covered, IMAGES + 2);
	assert_as_scanned(collection, scanned);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
	cairn_collection_free(scanned);
}

static void few_descriptors_wait(void **state)
{
	(void)state;
	cairn_collection *collection = open_made(0), *plain = collection_new_open();
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	cairn_build_report report = build_lists(collection, 0);
	assert_int_equal(report.postponed, 1);
	assert_int_equal(lists_of(collection).units, 0);
	options.ivf = 1;
	assert_fails(cairn_collection_build_index(plain, &options, NULL), CAIRN_EINVALID, "no global descriptors");
	options.lists = (1 << 20) + 1;
	assert_fails(cairn_collection_build_index(collection, &options, NULL), CAIRN_EINVALID, "1048577");
	options.lists = IMAGES + 1;
	assert_fails(cairn_collection_build_index(collection, &options, NULL), CAIRN_EINVALID,
		     "24 descriptors, too few for 25 lists");
	cairn_collection_free(collection);
	cairn_collection_free(plain);
}

static void damage_is_found_dropped_and_made_again(void **state)
{
	(void)state;
	for (int is_quantizer = 0; is_quantizer < 2; is_quantizer++) {
		cairn_collection *collection = open_made(7), *scanned = open_made(0);
		const cairn_index *index;
		build_lists(collection, LISTS);
		const cn_snapshot *now = &collection->now;
		const char *name = is_quantizer
					   ? now->structures[CN_STRUCTURE_LISTS].file.name
					   : now->segments[1].record.files[CN_FILE_DERIVED + CN_STRUCTURE_LISTS].name;
		file_overwrite(cn_test_path(collection->segments, name), 16, "\xff\xfe\xfd\xfc", 4);
		assert_ok(cairn_collection_refresh(collection));
		assert_fails(cairn_collection_index(&index, collection), CAIRN_EDAMAGED, "cairn check");
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 1);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_REPAIR), 0);
		/* Without, all rows are scanned. */
		assert_as_scanned(collection, scanned);
		cairn_build_report report = build_lists(collection, LISTS);
		assert_int_equal(report.trained, is_quantizer);
		assert_int_equal(report.written, is_quantizer ? 4 : 1);
		assert_as_scanned(collection, scanned);
		cairn_collection_free(collection);
		cairn_collection_free(scanned);
	}
}

static int set_up(void **state)
{
	(void)state;
	snprintf(photos, sizeof(photos), "%s", photo_folder(IMAGES, 1));
	snprintf(model, sizeof(model), "%s", model_new("tiny", 1));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_find_what_a_scan_finds_through_all_changes),
		cmocka_unit_test(few_descriptors_wait),
		cmocka_unit_test(damage_is_found_dropped_and_made_again),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}

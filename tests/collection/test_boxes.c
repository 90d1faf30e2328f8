/*
 * Boxes that a collection keeps: what add writes, what ASMK makes of them, through compaction, damage and mending.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "collection/handle.h"
#include "data/features.h"
#include "local/boxes.h"
#include "photos.h"

enum { IMAGES = 12, WORDS = 32, BATCH = 5, DIM = 128 };

/* Made once: they are only read. */
static char photos[256], detector[256];
static cairn_model *network;

static const char *const rootsift[] = { "rootsift" };

static cairn_collection *collection_with_boxes(void)
{
	const cairn_collection_options options = { CAIRN_COLLECTION_OPTIONS_VERSION, NULL, 0, rootsift, 1, detector };
	const char *folder = keep(cn_test_path(cn_test_folder(), "collection"));
	cairn_add_options how = CAIRN_ADD_OPTIONS_INIT;
	cairn_collection *collection;
	how.batch = BATCH;
	assert_ok(cairn_collection_create(folder, &options));
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_int_equal(collection_add(collection, photos, &how).added, IMAGES);
	return collection;
}

static void build_regions(cairn_collection *collection, const char *regions)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	options.asmk = "rootsift";
	options.words = collection->now.info_count ? 0 : WORDS;
	options.regions = regions;
	assert_ok(cairn_collection_build_index(collection, &options, NULL));
}

/* ---- naive references ---- */

static cn_boxes detected(const char *path)
{
	cairn_image_options how = CAIRN_IMAGE_OPTIONS_INIT;
	cairn_image *image;
	cn_boxes boxes;
	assert_ok(cairn_image_open(&image, path, &how));
	assert_ok(cn_boxes_detect(&boxes, network, image));
	cairn_image_free(image);
	return boxes;
}

/* The features whose pixel lies in the box; NULL where there are none. */
static cairn_features *part_of(const cairn_features *whole, const cairn_box *box)
{
	cairn_keypoint *points = calloc(whole->count + 1, sizeof(*points));
	int8_t *codes = calloc(whole->count + 1, DIM);
	cairn_features *part = NULL;
	size_t count = 0;
	for (size_t i = 0; i < whole->count; i++) {
		double x = (double)whole->keypoints[i].x + 0.5, y = (double)whole->keypoints[i].y + 0.5;
		if (x < box->x0 || x >= box->x1 || y < box->y0 || y >= box->y1)
			continue;
		points[count] = whole->keypoints[i];
		memcpy(codes + count++ * DIM, whole->codes + i * DIM, DIM);
	}
	if (count)
		assert_ok(cn_features_from_codes(&part, "rootsift", whole->width, whole->height, count, DIM,
						 whole->code_scale, points, codes));
	free(points);
	free(codes);
	return part;
}

/* The image and its boxes, into a file. @return how many sets of features there were */
static size_t write_image(cairn_asmk_writer *writer, cairn_collection *collection, const cairn_codebook *codebook,
			  int64_t id)
{
	cairn_asmk_options how = CAIRN_ASMK_OPTIONS_INIT;
	cairn_asmk_aggregate *aggregate;
	cairn_image_record record;
	const cairn_features *sets[8];
	cairn_features *whole, *parts[8];
	size_t count = 1;
	how.regional = 1;
	assert_ok(cairn_collection_find_id(collection, id, &record));
	cn_boxes boxes = detected(record.path);
	assert_ok(cairn_collection_features(collection, id, "rootsift", &whole));
	sets[0] = whole;
	for (size_t i = 0; i < boxes.count; i++) {
		parts[count] = part_of(whole, &boxes.items[i].place);
		sets[count] = parts[count];
		count += parts[count] != NULL;
	}
	assert_ok(cairn_asmk_aggregate_new(&aggregate, codebook, sets, count, &how));
	assert_ok(cairn_asmk_writer_add(writer, id, aggregate));
	cairn_asmk_aggregate_free(aggregate);
	for (size_t i = 1; i < count; i++)
		cairn_features_free(parts[i]);
	cairn_features_free(whole);
	cn_boxes_free(&boxes);
	return count;
}

/* The ASMK file of each segment is, byte for byte, the one made by hand. */
static void assert_as_by_hand(cairn_collection *collection)
{
	cairn_asmk_options how = CAIRN_ASMK_OPTIONS_INIT;
	const cn_snapshot *now = &collection->now;
	cairn_codebook *codebook;
	size_t sets = 0, images = 0;
	how.regional = 1;
	assert_ok(cairn_codebook_open(
		&codebook, cn_test_path(collection->segments, now->structures[CN_STRUCTURE_ASMK].file.name)));
	for (size_t s = 0; s < now->segment_count; s++) {
		const cn_segment_record *record = &now->segments[s].record;
		const cn_segment_file *file = &record->files[CN_FILE_DERIVED + CN_STRUCTURE_ASMK];
		const char *path = keep(cn_test_path(cn_test_folder(), "by-hand.asmk"));
		cairn_asmk_writer *writer;
		uint64_t size;
		uint32_t crc;
		assert_ok(cairn_asmk_writer_new(&writer, path, "rootsift", codebook, &how));
		for (size_t i = 0; i < cn_feature_segment_count(now->segments[s].features[0]); i++, images++)
			sets += write_image(writer, collection, codebook,
					    cn_feature_segment_image(now->segments[s].features[0], i));
		assert_ok(cairn_asmk_writer_commit(writer));
		cairn_asmk_writer_free(writer);
		assert_ok(cn_file_checksum(path, &size, &crc));
		assert_int_equal(size, file->size);
		assert_int_equal(crc, file->crc);
	}
	/* Not one would be in vain. */
	assert_true(sets > 2 * images);
	cairn_codebook_free(codebook);
}

static void assert_boxes_kept(cairn_collection *collection)
{
	int64_t *ids;
	size_t count;
	assert_ok(cairn_collection_ids(collection, &ids, &count));
	for (size_t i = 0; i < count; i++) {
		cn_segment *segment = &collection->now.segments[cn_snapshot_segment(&collection->now, ids[i])];
		const cn_box_segment *file;
		cairn_image_record record;
		cn_boxes kept;
		assert_ok(cairn_collection_find_id(collection, ids[i], &record));
		cn_boxes wanted = detected(record.path);
		assert_ok(cn_segment_boxes(collection, segment, &file));
		assert_ok(cn_box_segment_read(file, ids[i], &kept));
		assert_int_equal(wanted.count, 2);
		assert_int_equal(kept.count, 2);
		assert_memory_equal(kept.items, wanted.items, 2 * sizeof(*kept.items));
		assert_true(kept.items[0].score > kept.items[1].score && kept.items[0].place.x1 <= record.width);
		cn_boxes_free(&wanted);
		cn_boxes_free(&kept);
	}
	cairn_bytes_free(ids);
}

/* ---- tests ---- */

static void add_keeps_what_the_detector_finds(void **state)
{
	(void)state;
	cairn_collection *collection = collection_with_boxes();
	cairn_collection_info info;
	assert_int_equal(collection->now.segment_count, 3);
	assert_boxes_kept(collection);
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_string_equal(info.detector, "tiny-boxes");
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

static void boxes_are_regions_through_all_changes(void **state)
{
	(void)state;
	const int64_t gone[] = { 2, 8 };
	cairn_collection *collection = collection_with_boxes();
	build_regions(collection, "boxes");
	assert_as_by_hand(collection);
	assert_string_equal(collection->now.infos[0].regions, "boxes");
	build_regions(collection, "grid");
	assert_string_equal(collection->now.infos[0].regions, "grid");
	build_regions(collection, "boxes");
	assert_ok(cairn_collection_remove(collection, gone, 2));
	assert_ok(cn_collection_compact(collection, 7, NULL, NULL));
	assert_int_equal(collection->now.segment_count, 2);
	assert_boxes_kept(collection);
	assert_as_by_hand(collection);
	collection_add(collection, photo_folder(3, 900), NULL);
	assert_boxes_kept(collection);
	assert_as_by_hand(collection);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

/* A changed bit; a file that is whole, but holds what is no box; a missing file. */
static void damage_is_found_and_its_segment_dropped(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		cairn_collection *collection = collection_with_boxes();
		build_regions(collection, "boxes");
		const cn_segment_record *record = &collection->now.segments[1].record;
		cn_segment_file file = record->files[CN_FILE_BOXES];
		const char *path = keep(cn_test_path(collection->segments, file.name));
		const cn_box_line line = { how == 1 ? 6000 : 6, { { 1, 2, 3, 4 }, 0.5 } };
		if (how < 2)
			file_overwrite(path, (size_t)file_size(path) - sizeof(line), &line, sizeof(line));
		else
			assert_int_equal(remove(path), 0);
		if (how == 1) {
			assert_ok(cn_file_checksum(path, &file.size, &file.crc));
			assert_ok(cn_catalogue_begin(collection->catalogue));
			assert_ok(cn_catalogue_set_file(collection->catalogue, &collection->sources, record->id,
							CN_FILE_BOXES, &file));
			assert_ok(cn_catalogue_commit(collection->catalogue));
		}
		assert_ok(cairn_collection_refresh(collection));
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 1);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_REPAIR), 1);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_DROP), 0);
		assert_int_equal(collection_add(collection, photos, NULL).added, BATCH);
		assert_boxes_kept(collection);
		assert_as_by_hand(collection);
		cairn_collection_free(collection);
	}
}

static int64_t version_of(const char *folder)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_open(cn_test_path(folder, "catalogue.sqlite"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t version = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return version;
}

static void only_a_collection_with_a_detector_has_the_new_version(void **state)
{
	(void)state;
	cairn_collection *with = collection_with_boxes(), *without = collection_new_open();
	assert_int_equal(version_of(with->folder), 4);
	assert_int_equal(version_of(without->folder), 3);
	assert_null(without->sources.detector.name);
	cairn_collection_free(with);
	cairn_collection_free(without);
}

static void faults_are_told(void **state)
{
	(void)state;
	const char *folder = keep(cn_test_path(cn_test_folder(), "refused"));
	const char *described = model_new("tiny", 1), *own = keep(cn_test_path(cn_test_folder(), "own"));
	const cairn_describer_model model = { described, 1 };
	const struct {
		cairn_collection_options options;
		const char *text;
	} cases[] = {
		{ { 1, &model, 1, NULL, 0, detector }, "give a kind of them" },
		{ { 1, NULL, 0, rootsift, 1, described }, "is a global model, a detector one is needed" },
		{ { 1, NULL, 0, (const char *const[]){ detector }, 1, NULL },
		  "is a detector model, a local one is needed" },
		{ { 1, &(cairn_describer_model){ detector, 1 }, 1, NULL, 0, NULL }, "a global one is needed" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_fails(cairn_collection_create(folder, &cases[i].options), CAIRN_EINVALID, cases[i].text);
	cairn_collection *plain = collection_new_open(), *changed;
	cairn_build_options build = CAIRN_BUILD_OPTIONS_INIT;
	build.asmk = "rootsift";
	build.regions = "boxes";
	assert_fails(cairn_collection_build_index(plain, &build, NULL), CAIRN_EINVALID,
		     "keeps no boxes; 'cairn init --detector'");
	cairn_collection_free(plain);
	/* Another detector under the same name. */
	const cairn_collection_options options = { 1, NULL, 0, rootsift, 1, own };
	const float numbers[4] = { 0, 0, 1, 1 };
	model_write_boxes(own, "own");
	assert_ok(cairn_collection_create(folder, &options));
	assert_int_equal(rename(own, keep(cn_test_path(cn_test_folder(), "old"))), 0);
	model_write_detector(own, "own",
			     "\"outputs\": {\"boxes\": \"boxes\", \"scores\": \"scores\"}, \"format\": \"xyxy\", "
			     "\"coordinates\": \"normalised\"",
			     &(detector_listing){ .count = 1, .boxes = numbers, .scores = numbers });
	assert_ok(cairn_collection_open(&changed, folder, 1));
	assert_fails(cairn_collection_add(changed, &(const char *){ photos }, 1, NULL, NULL), CAIRN_ENOTFOUND,
		     "is not the one that the collection");
	cairn_collection_free(changed);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(photos, sizeof(photos), "%s", photo_folder(IMAGES, 1));
	snprintf(detector, sizeof(detector), "%s", cn_test_path(cn_test_folder(), "tiny-boxes"));
	model_write_boxes(detector, "tiny-boxes");
	assert_ok(cairn_model_open(&network, detector, NULL));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cairn_model_free(network);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_keeps_what_the_detector_finds),
		cmocka_unit_test(boxes_are_regions_through_all_changes),
		cmocka_unit_test(damage_is_found_and_its_segment_dropped),
		cmocka_unit_test(only_a_collection_with_a_detector_has_the_new_version),
		cmocka_unit_test(faults_are_told),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/*
 * What searches use beside descriptors and features: built in whatever steps, it answers the same; damaged or missing,
 * it is found out, dropped and made again.
 */
#include <stdlib.h>
#include <string.h>

#include "collection/handle.h"
#include "photos.h"

enum { IMAGES = 20, WORDS = 64, DEPTH = 8 };

/* Made once: they are only read. */
static char photos[256], codebook[256];

static cairn_build_options asmk_options(void)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	options.asmk = "rootsift";
	options.words = WORDS;
	return options;
}

static cairn_build_report build(cairn_collection *collection, const cairn_build_options *options)
{
	cairn_build_report report;
	assert_ok(cairn_collection_build_index(collection, options, &report));
	return report;
}

static void copy_codebook(cairn_collection *collection, const char *from)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	options.asmk = "rootsift";
	options.codebook = from;
	assert_int_equal(build(collection, &options).trained, 1);
}

static cairn_structure_info structure_of(cairn_collection *collection)
{
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.structure_count, 1);
	return info.structures[0];
}

/* The answers to a query of photographs of one place after the other, as text; caller frees. */
static char *answers(cairn_collection *collection)
{
	const cairn_asmk_index *index;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int64_t *ids;
	size_t count;
	assert_ok(cairn_collection_asmk(&index, collection, "rootsift"));
	assert_ok(cairn_collection_ids(collection, &ids, &count));
	for (size_t i = 0; i < count; i++) {
		cairn_features *features;
		cairn_ranking *ranking;
		assert_ok(cairn_collection_features(collection, ids[i], "rootsift", &features));
		const cairn_features *const queries[] = { features };
		assert_ok(cairn_asmk_index_search(&ranking, index, queries, 1, DEPTH, NULL));
		for (size_t k = 0; k < cairn_ranking_count(ranking, 0); k++)
			fprintf(out, "%lld %.9g ", (long long)cairn_ranking_images(ranking, 0)[k],
				(double)cairn_ranking_scores(ranking, 0)[k]);
		fputc('\n', out);
		cairn_ranking_free(ranking);
		cairn_features_free(features);
	}
	cairn_bytes_free(ids);
	fclose(out);
	return text;
}

static void assert_answers(cairn_collection *collection, const char *wanted)
{
	char *now = answers(collection);
	assert_string_equal(now, wanted);
	free(now);
}

/* `pieces` adds of as many photographs each. */
static void add_in_pieces(cairn_collection *collection, size_t pieces)
{
	for (size_t p = 0; p < pieces; p++) {
		static char texts[IMAGES][512];
		const char *paths[IMAGES];
		size_t each = IMAGES / pieces;
		for (size_t i = 0; i < each; i++) {
			snprintf(texts[i], sizeof(texts[i]), "%s/%03zu.png", photos, p * each + i);
			paths[i] = texts[i];
		}
		assert_ok(cairn_collection_add(collection, paths, each, NULL, NULL));
	}
}

/* With the codebook of all tests, and all photographs. */
static cairn_collection *collection_with_asmk(size_t pieces)
{
	cairn_collection *collection = collection_new_open();
	copy_codebook(collection, codebook);
	add_in_pieces(collection, pieces);
	return collection;
}

/* Name of the file of the codebook or of the first ASMK file. */
static const char *file_of(cairn_collection *collection, int is_codebook)
{
	const cn_snapshot *now = &collection->now;
	const char *name = is_codebook ? now->structures[CN_STRUCTURE_ASMK].file.name
				       : now->segments[0].record.files[CN_FILE_DERIVED + CN_STRUCTURE_ASMK].name;
	return keep(cn_test_path(collection->segments, name));
}

/* ---- the way there ---- */

static void trains_on_the_collection_and_finds_each_image(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	const cairn_build_options options = asmk_options();
	const cairn_asmk_index *index;
	add_in_pieces(collection, 4);
	assert_fails(cairn_collection_asmk(&index, collection, "rootsift"), CAIRN_ENOTFOUND, "cairn index --asmk");
	cairn_build_report report = build(collection, &options);
	assert_int_equal(report.trained, 1);
	assert_int_equal(report.written, 4);
	assert_int_equal(report.postponed, 0);
	cairn_structure_info info = structure_of(collection);
	assert_string_equal(info.kind, "rootsift");
	assert_int_equal(info.units, WORDS);
	assert_int_equal(info.trained, IMAGES);
	assert_int_equal(info.covered, IMAGES);
	assert_int_equal(info.total, IMAGES);
	assert_true(info.bytes > WORDS * 128 * 4);
	char *text = answers(collection), *line = text;
	for (long long id = 1; id <= IMAGES; id++, line = strchr(line, '\n') + 1)
		assert_int_equal(strtoll(line, NULL, 10), id);
	free(text);
	/* Nothing is left to do. */
	report = build(collection, NULL);
	assert_int_equal(report.trained + report.written + report.postponed, 0);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(collection);
}

static void answers_do_not_depend_on_the_way(void **state)
{
	(void)state;
	static const struct {
		size_t pieces, compacted;
	} ways[] = { { 10, 0 }, { 10, 7 }, { 4, 3 }, { 1, 6 }, { 20, 100 } };
	cairn_collection *once = collection_with_asmk(1);
	char *wanted = answers(once);
	cairn_collection_free(once);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		cairn_collection *collection = collection_with_asmk(ways[i].pieces);
		assert_answers(collection, wanted);
		if (ways[i].compacted) {
			assert_ok(cn_collection_compact(collection, ways[i].compacted, NULL, NULL));
			assert_int_equal(structure_of(collection).covered, IMAGES);
			assert_answers(collection, wanted);
		}
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		cairn_collection_free(collection);
	}
	free(wanted);
}

static void removed_images_are_not_found_before_and_after_compaction(void **state)
{
	(void)state;
	const int64_t gone[] = { 1, 6, 7, 20 };
	cairn_collection *collection = collection_with_asmk(5);
	assert_ok(cairn_collection_remove(collection, gone, 4));
	char *wanted = answers(collection);
	for (size_t i = 0; i < 4; i++) {
		char text[32];
		snprintf(text, sizeof(text), "\n%lld ", (long long)gone[i]);
		assert_null(strstr(wanted, text));
	}
	assert_ok(cn_collection_compact(collection, 7, NULL, NULL));
	assert_answers(collection, wanted);
	/* What was joined is what would be made of the features. */
	const cn_snapshot *now = &collection->now;
	uint32_t crc[3];
	assert_int_equal(now->segment_count, 3);
	for (size_t i = 0; i < 3; i++)
		crc[i] = now->segments[i].record.files[CN_FILE_DERIVED].crc;
	file_overwrite(file_of(collection, 1), 0, "damage", 6);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_REPAIR), 0);
	copy_codebook(collection, codebook);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(now->segments[i].record.files[CN_FILE_DERIVED].crc, crc[i]);
	free(wanted);
	cairn_collection_free(collection);
}

static void asked_for_beforehand_it_waits_for_enough_images(void **state)
{
	(void)state;
	cairn_collection *collection = collection_new_open();
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	const cairn_asmk_index *index;
	options.asmk = "rootsift";
	assert_int_equal(build(collection, &options).postponed, 1);
	assert_int_equal(structure_of(collection).units, 0);
	add_in_pieces(collection, 20 / 2);
	collection_add(collection, photo_folder(2, 900), NULL);
	assert_int_equal(structure_of(collection).units, 0);
	assert_fails(cairn_collection_asmk(&index, collection, "rootsift"), CAIRN_ENOTFOUND, "too few images");
	/* 20 descriptors for each of 256 words. */
	for (uint64_t seed = 1000; structure_of(collection).units == 0 && seed < 1010; seed++)
		collection_add(collection, photo_folder(20, seed * 100), NULL);
	assert_int_equal(structure_of(collection).units, 256);
	assert_ok(cairn_collection_asmk(&index, collection, "rootsift"));
	cairn_collection_free(collection);
}

static void training_again_replaces_all(void **state)
{
	(void)state;
	cairn_collection *collection = collection_with_asmk(4);
	cairn_build_options options = asmk_options();
	options.retrain = 1;
	options.words = 32;
	const char *before = file_of(collection, 1);
	cairn_build_report report = build(collection, &options);
	assert_int_equal(report.trained, 1);
	assert_int_equal(report.written, 4);
	assert_int_equal(structure_of(collection).units, 32);
	assert_int_equal(file_size(before), -1);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	char *text = answers(collection);
	assert_non_null(text);
	free(text);
	cairn_collection_free(collection);
}

static void copies_of_another_collection(void **state)
{
	(void)state;
	cairn_collection *origin = collection_with_asmk(1), *collection = collection_new_open();
	char *wanted = answers(origin);
	add_in_pieces(collection, 2);
	copy_codebook(collection, origin->folder);
	assert_answers(collection, wanted);
	/* Once more the same is nothing new. */
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	options.asmk = "rootsift";
	options.codebook = codebook;
	cairn_build_report report = build(collection, &options);
	assert_int_equal(report.trained + report.written, 0);
	free(wanted);
	cairn_collection_free(origin);
	cairn_collection_free(collection);
}

static int stop_writing(const cairn_progress *progress, void *payload)
{
	(void)payload;
	return strcmp(progress->stage, "writing ASMK files") == 0;
}

static void stopped_it_goes_on_where_it_was(void **state)
{
	(void)state;
	cairn_collection *calm = collection_with_asmk(1), *collection = collection_new_open();
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	char *wanted = answers(calm);
	add_in_pieces(collection, 4);
	options.asmk = "rootsift";
	options.codebook = codebook;
	options.progress = stop_writing;
	assert_fails(cairn_collection_build_index(collection, &options, NULL), CAIRN_ECANCELLED, NULL);
	assert_int_equal(structure_of(collection).units, WORDS);
	assert_true(structure_of(collection).covered < IMAGES);
	assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
	build(collection, NULL);
	assert_answers(collection, wanted);
	free(wanted);
	cairn_collection_free(calm);
	cairn_collection_free(collection);
}

/* ---- faults ---- */

static void damage_is_found_dropped_and_made_again(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		int is_codebook, is_gone;
		size_t at;
	} cases[] = {
		{ "header of an ASMK file", 0, 0, 20 },  { "postings of an ASMK file", 0, 0, 4000 },
		{ "missing ASMK file", 0, 1, 0 },        { "header of the codebook", 1, 0, 2 },
		{ "words of the codebook", 1, 0, 2000 }, { "missing codebook", 1, 1, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_collection *collection = collection_with_asmk(4);
		const cairn_asmk_index *index;
		char *wanted = answers(collection);
		const char *file = file_of(collection, cases[i].is_codebook);
		if (cases[i].is_gone)
			remove(file);
		else
			file_overwrite(file, cases[i].at, "\xff\xfe\xfd\xfc", 4);
		assert_ok(cairn_collection_refresh(collection));
		if (collection_faults(collection, CAIRN_CHECK_ONLY) != 1)
			fail_msg("%s was not found", cases[i].what);
		collection_faults(collection, CAIRN_CHECK_REPAIR);
		assert_int_equal(collection_faults(collection, CAIRN_CHECK_ONLY), 0);
		assert_fails(cairn_collection_asmk(&index, collection, "rootsift"), CAIRN_ENOTFOUND, "cairn index");
		/* The images are whole. */
		cairn_collection_info info;
		assert_ok(cairn_collection_get_info(collection, &info));
		assert_int_equal(info.images, IMAGES);
		if (cases[i].is_codebook)
			copy_codebook(collection, codebook);
		else
			assert_int_equal(build(collection, NULL).written, 1);
		assert_answers(collection, wanted);
		free(wanted);
		cairn_collection_free(collection);
	}
}

static void an_index_of_other_files_is_damage(void **state)
{
	(void)state;
	cairn_collection *collection = collection_with_asmk(4);
	const cairn_asmk_index *index;
	file_overwrite(file_of(collection, 0), 20, "\xff\xfe\xfd\xfc", 4);
	assert_ok(cairn_collection_refresh(collection));
	assert_fails(cairn_collection_asmk(&index, collection, "rootsift"), CAIRN_EDAMAGED, "cairn check");
	cairn_collection_free(collection);
}

static void faulty_options_are_refused(void **state)
{
	(void)state;
	const char *narrow = keep(cn_test_path(cn_test_folder(), "narrow.npy"));
	const float vectors[] = { 1, 2, 3, 4 };
	cairn_codebook *book;
	assert_ok(cairn_codebook_new(&book, vectors, 2, 2));
	assert_ok(cairn_codebook_save(book, narrow));
	cairn_codebook_free(book);
	cairn_collection *plain = collection_new_open();
	const struct {
		cairn_build_options options;
		int code;
		const char *text;
	} cases[] = {
		{ { .version = 99 }, CAIRN_EINVALID, "version 99" },
		{ { .version = 1, .asmk = "rootsift", .words = (1 << 20) + 1 }, CAIRN_EINVALID, "1048577" },
		{ { .version = 1, .asmk = "xfeat" }, CAIRN_ENOTFOUND, "xfeat" },
		{ { .version = 1, .codebook = codebook }, CAIRN_EINVALID, "one kind" },
		{ { .version = 1, .asmk = "rootsift", .codebook = codebook, .words = 4 },
		  CAIRN_EINVALID,
		  "not trained" },
		{ { .version = 1, .asmk = "rootsift", .codebook = "/nowhere.npy" }, CAIRN_ENOTFOUND, "/nowhere.npy" },
		{ { .version = 1, .asmk = "rootsift", .codebook = narrow }, CAIRN_EINVALID, "2 dimensions" },
		{ { .version = 1, .asmk = "rootsift", .codebook = plain->folder }, CAIRN_ENOTFOUND, "no codebook" },
		{ { .version = 1, .asmk = "rootsift", .codebook = "/" }, CAIRN_ENOTFOUND, "no collection" },
	};
	cairn_collection *collection = collection_new_open();
	add_in_pieces(collection, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_fails(cairn_collection_build_index(collection, &cases[i].options, NULL), cases[i].code,
			     cases[i].text);
	cairn_build_options many = asmk_options();
	many.words = 1 << 20;
	assert_fails(cairn_collection_build_index(collection, &many, NULL), CAIRN_EINVALID, "too few");
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.structure_count, 0);
	const char *folder = keep(collection->folder);
	cairn_collection_free(collection);
	assert_ok(cairn_collection_open(&collection, folder, 0));
	assert_fails(cairn_collection_build_index(collection, NULL, NULL), CAIRN_EINVALID, "reading only");
	cairn_collection_free(collection);
	cairn_collection_free(plain);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(photos, sizeof(photos), "%s", photo_folder(IMAGES, 1));
	snprintf(codebook, sizeof(codebook), "%s", cn_test_path(cn_test_folder(), "codebook.npy"));
	cairn_collection *collection = collection_new_open();
	const cairn_build_options options = asmk_options();
	cairn_codebook *book;
	add_in_pieces(collection, 1);
	build(collection, &options);
	assert_ok(cairn_codebook_open(&book, file_of(collection, 1)));
	assert_ok(cairn_codebook_save(book, codebook));
	cairn_codebook_free(book);
	cairn_collection_free(collection);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trains_on_the_collection_and_finds_each_image),
		cmocka_unit_test(answers_do_not_depend_on_the_way),
		cmocka_unit_test(removed_images_are_not_found_before_and_after_compaction),
		cmocka_unit_test(asked_for_beforehand_it_waits_for_enough_images),
		cmocka_unit_test(training_again_replaces_all),
		cmocka_unit_test(copies_of_another_collection),
		cmocka_unit_test(stopped_it_goes_on_where_it_was),
		cmocka_unit_test(damage_is_found_dropped_and_made_again),
		cmocka_unit_test(an_index_of_other_files_is_damage),
		cmocka_unit_test(faulty_options_are_refused),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}

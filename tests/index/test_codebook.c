/* Codebooks: files that NumPy can read, faults by name, training that depends on seed and order alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/asmk.h"
#include "support.h"
#include "torture.h"
#include "util/npy.h"

#define DIM 6

static cairn_features *make_features(const char *kind, size_t count, uint32_t dim, uint64_t seed)
{
	cairn_features *features;
	cairn_keypoint *points = calloc(count + 1, sizeof(*points));
	float *descriptors = malloc((count * dim + 1) * sizeof(*descriptors));
	for (size_t i = 0; i < count * dim; i++)
		descriptors[i] = cn_test_normal(&seed);
	assert_ok(cairn_features_new(&features, kind, 10, 10, count, dim, points, descriptors));
	free(points);
	free(descriptors);
	return features;
}

static void what_is_saved_is_loaded(void **state)
{
	const float vectors[] = { 1, 2, 3, -4, 5.5f, 6, 7, 8, 9, 0, 0, 0 };
	const char *path = cn_test_path(cn_test_folder(), "words.npy");
	const size_t shape[] = { 4, 3 };
	cairn_codebook *codebook;
	cn_npy array;
	(void)state;
	assert_ok(cairn_codebook_new(&codebook, vectors, 4, 3));
	assert_ok(cairn_codebook_save(codebook, path));
	cairn_codebook_free(codebook);
	assert_ok(cairn_codebook_open(&codebook, path));
	assert_int_equal(cairn_codebook_words(codebook), 4);
	assert_int_equal(cairn_codebook_dim(codebook), 3);
	assert_memory_equal(cairn_codebook_vectors(codebook), vectors, sizeof(vectors));
	cairn_codebook_free(codebook);
	cairn_codebook_free(NULL);
	assert_ok(cn_npy_open(&array, path));
	assert_ok(cn_npy_expect(&array, path, CN_NPY_F32, 2, shape));
	cn_npy_close(&array);
}

static void faulty_files_are_named(void **state)
{
	static const float good[] = { 1, 2, 3, 4 }, nan[] = { 1, 2, NAN, 4 }, large[] = { 1, -1e30f, 3, 4 },
			   equal[] = { 5, 1, 1, 1, 1, 1, 5, 1 };
	static const double doubles[] = { 1, 2, 3, 4 };
	static const struct {
		cn_npy_type type;
		size_t rank, shape[3];
		const void *data;
		const char *part;
	} cases[] = {
		{ CN_NPY_F64, 2, { 2, 2 }, doubles, "<f8, wanted <f4" },
		{ CN_NPY_F32, 1, { 4 }, good, "1 dimensions, wanted 2" },
		{ CN_NPY_F32, 3, { 2, 2, 1 }, good, "3 dimensions, wanted 2" },
		{ CN_NPY_F32, 2, { 0, 2 }, good, "0 words of 2 dimensions" },
		{ CN_NPY_F32, 2, { 2, 0 }, good, "2 words of 0 dimensions" },
		{ CN_NPY_F32, 2, { 2, 2 }, nan, "a number of word 1 is nan" },
		{ CN_NPY_F32, 2, { 2, 2 }, large, "a number of word 0 is -1e+30; they go from -65504 to 65504" },
		{ CN_NPY_F32, 2, { 4, 2 }, equal, "are equal" },
	};
	const char *path = cn_test_path(cn_test_folder(), "words.npy");
	cairn_codebook *codebook;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(cn_npy_write(path, cases[i].type, cases[i].rank, cases[i].shape, cases[i].data));
		assert_fails(cairn_codebook_open(&codebook, path), CAIRN_EFORMAT, cases[i].part);
		assert_non_null(strstr(cairn_last_error(), "words.npy"));
		assert_null(codebook);
	}
	cn_test_write(path, "no array", 8);
	assert_fails(cairn_codebook_open(&codebook, path), CAIRN_EFORMAT, "words.npy");
	assert_fails(cairn_codebook_open(&codebook, cn_test_path(cn_test_folder(), "none")), CAIRN_ENOTFOUND, "none");
	assert_fails(cairn_codebook_new(&codebook, equal, 4, 2), CAIRN_EINVALID, "words");
	assert_fails(cairn_codebook_new(&codebook, good, ((size_t)1 << 20) + 1, 1), CAIRN_EINVALID, "1048577 words");
	assert_fails(cairn_codebook_new(&codebook, good, 1, 1025), CAIRN_EINVALID, "1025 dimensions");
}

static cairn_codebook *train(const cairn_codebook_options *options, size_t images)
{
	cairn_codebook_trainer *trainer;
	cairn_codebook *codebook;
	assert_ok(cairn_codebook_trainer_new(&trainer, options));
	for (size_t i = 0; i < images; i++) {
		cairn_features *features = make_features("tiny", 20 + i % 7, DIM, i);
		assert_ok(cairn_codebook_trainer_add(trainer, features));
		cairn_features_free(features);
	}
	assert_ok(cairn_codebook_trainer_run(&codebook, trainer, NULL, NULL));
	assert_int_equal(cairn_codebook_words(codebook), options->words);
	assert_int_equal(cairn_codebook_dim(codebook), DIM);
	cairn_codebook_trainer_free(trainer);
	return codebook;
}

static int same(const cairn_codebook *a, const cairn_codebook *b)
{
	return memcmp(cairn_codebook_vectors(a), cairn_codebook_vectors(b),
		      cairn_codebook_words(a) * DIM * sizeof(float)) == 0;
}

static void training_depends_on_seed_and_images_alone(void **state)
{
	cairn_codebook_options options = CAIRN_CODEBOOK_OPTIONS_INIT;
	(void)state;
	options.words = 15;
	options.max_points = 9;
	cairn_codebook *wanted = train(&options, 100);
	for (unsigned threads = 1; threads <= 3; threads++) {
		options.threads = threads;
		cairn_codebook *found = train(&options, 100);
		assert_true(same(found, wanted));
		cairn_codebook_free(found);
	}
	cairn_codebook *other_images = train(&options, 99);
	options.seed = 1;
	cairn_codebook *other_seed = train(&options, 100);
	assert_false(same(other_images, wanted));
	assert_false(same(other_seed, wanted));
	cairn_codebook_free(wanted);
	cairn_codebook_free(other_images);
	cairn_codebook_free(other_seed);
}

/* As many descriptors as words: each becomes one, as the features give it. */
static void words_are_descriptors_where_there_are_no_more(void **state)
{
	cairn_codebook_options options = CAIRN_CODEBOOK_OPTIONS_INIT;
	(void)state;
	options.words = 20;
	cairn_codebook *codebook = train(&options, 1);
	cairn_features *features = make_features("tiny", 20, DIM, 0);
	for (size_t i = 0; i < 20; i++) {
		int found = 0;
		for (size_t w = 0; w < 20; w++) {
			int alike = 1;
			for (size_t j = 0; j < DIM; j++)
				alike &= cairn_codebook_vectors(codebook)[w * DIM + j] ==
					 (float)cairn_features_codes(features)[i * DIM + j] *
						 cairn_features_code_scale(features);
			found += alike;
		}
		assert_int_equal(found, 1);
	}
	cairn_features_free(features);
	cairn_codebook_free(codebook);
}

static int stop(const cairn_progress *progress, void *payload)
{
	(void)progress, (void)payload;
	return 1;
}

static void faults_are_reported(void **state)
{
	cairn_codebook_options options = CAIRN_CODEBOOK_OPTIONS_INIT;
	cairn_codebook_trainer *trainer;
	cairn_codebook *codebook;
	cairn_features *features = make_features("tiny", 5, DIM, 1), *other = make_features("other", 5, DIM, 1),
		       *longer = make_features("tiny", 5, DIM + 1, 1);
	(void)state;
	options.version = 9;
	assert_fails(cairn_codebook_trainer_new(&trainer, &options), CAIRN_EINVALID, "version 9");
	options.version = CAIRN_CODEBOOK_OPTIONS_VERSION;
	options.words = (1u << 20) + 1;
	assert_fails(cairn_codebook_trainer_new(&trainer, &options), CAIRN_EINVALID, "1048577 words");
	options.words = 1u << 20;
	options.max_points = 1u << 12;
	assert_fails(cairn_codebook_trainer_new(&trainer, &options), CAIRN_EINVALID, "4096 descriptors a word");
	options.words = 6;
	assert_ok(cairn_codebook_trainer_new(&trainer, &options));
	assert_fails(cairn_codebook_trainer_run(&codebook, trainer, NULL, NULL), CAIRN_EINVALID, "too few");
	assert_ok(cairn_codebook_trainer_add(trainer, features));
	assert_fails(cairn_codebook_trainer_add(trainer, other), CAIRN_EINVALID, "'other'");
	assert_fails(cairn_codebook_trainer_add(trainer, longer), CAIRN_EINVALID, "7 dimensions");
	assert_fails(cairn_codebook_trainer_run(&codebook, trainer, NULL, NULL), CAIRN_EINVALID, "6 words: 5");
	/* The same again is not six different ones. */
	assert_ok(cairn_codebook_trainer_add(trainer, features));
	assert_fails(cairn_codebook_trainer_run(&codebook, trainer, NULL, NULL), CAIRN_EINVALID, "distinct");
	assert_ok(cairn_codebook_trainer_add(trainer, longer));
	assert_ok(cairn_codebook_trainer_add(trainer, longer));
	assert_fails(cairn_codebook_trainer_run(&codebook, trainer, stop, NULL), CAIRN_ECANCELLED, "cancelled");
	assert_null(codebook);
	cairn_codebook_trainer_free(trainer);
	cairn_codebook_trainer_free(NULL);
	cairn_features_free(features);
	cairn_features_free(other);
	cairn_features_free(longer);
}

static int train_few(void *context)
{
	cairn_codebook_options options = CAIRN_CODEBOOK_OPTIONS_INIT;
	cairn_codebook_trainer *trainer = NULL;
	cairn_codebook *codebook = NULL, *loaded = NULL;
	const char *path = cn_test_path(cn_test_folder(), "words.npy");
	options.words = 3;
	options.threads = 1;
	int status = cairn_codebook_trainer_new(&trainer, &options);
	if (status == 0)
		status = cairn_codebook_trainer_add(trainer, context);
	if (status == 0)
		status = cairn_codebook_trainer_run(&codebook, trainer, NULL, NULL);
	if (status == 0)
		status = cairn_codebook_save(codebook, path);
	if (status == 0)
		status = cairn_codebook_open(&loaded, path);
	cairn_codebook_trainer_free(trainer);
	cairn_codebook_free(codebook);
	cairn_codebook_free(loaded);
	return status;
}

static void short_memory_is_reported(void **state)
{
	cairn_features *features = make_features("tiny", 30, DIM, 1);
	(void)state;
	assert_true(cn_torture(train_few, features) >= 15);
	cairn_features_free(features);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_is_loaded),
		cmocka_unit_test(faulty_files_are_named),
		cmocka_unit_test(training_depends_on_seed_and_images_alone),
		cmocka_unit_test(words_are_descriptors_where_there_are_no_more),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

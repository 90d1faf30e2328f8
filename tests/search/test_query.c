/*
 * Queries: a photograph, a part of one, an image of the collection; networks that are not, or no longer, those of the
 * collection.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../collection/photos.h"
#include "cairn/search.h"
#include "cairn/whitening.h"
#include "search/search.h"
#include "torture.h"
#include "util/file.h"

enum { DIM = 16, IMAGES = 3 };

static const char *photos;

/* A collection and a searcher in it; names of models may be NULL. */
struct scene {
	cairn_collection *collection;
	cairn_searcher *searcher;
	const char *photo;
};

static void set_up(struct scene *scene, const char *model, const cairn_search_options *options)
{
	cairn_search_options plain;
	cairn_search_options_init(&plain);
	plain.precision = "f32";
	plain.threads = 1;
	scene->photo = keep(cn_test_path(photos, "001.png"));
	assert_ok(cairn_collection_open(&scene->collection, collection_made(model, NULL, photos, 0), 0));
	assert_ok(cairn_searcher_new(&scene->searcher, scene->collection, options ? options : &plain));
}

static void tear_down(struct scene *scene)
{
	cairn_searcher_free(scene->searcher);
	cairn_collection_free(scene->collection);
}

static void describes_as_the_collection_does(void **state)
{
	(void)state;
	struct scene scene;
	cairn_query *by_path, *by_id;
	set_up(&scene, model_new("tiny", 3), NULL);
	assert_ok(cairn_query_open(&by_path, scene.searcher, scene.photo, NULL));
	assert_ok(cairn_query_from_id(&by_id, scene.searcher, 2));
	for (size_t i = 0; i < DIM; i++)
		assert_float_equal(by_path->descriptor[i], by_id->descriptor[i], 1.0f / 2048); /* kept as halves */
	size_t count = cairn_features_count(by_path->features);
	assert_true(count > 20);
	assert_int_equal(count, cairn_features_count(by_id->features));
	assert_memory_equal(cairn_features_codes(by_path->features), cairn_features_codes(by_id->features),
			    count * 128);
	assert_string_equal(by_path->path, scene.photo);
	assert_string_equal(by_id->path, scene.photo);
	assert_int_equal(by_path->id, 0);
	assert_int_equal(by_id->id, 2);
	cairn_query_free(by_path);
	cairn_query_free(by_id);
	tear_down(&scene);
}

static void an_image_of_another_collection(void **state)
{
	(void)state;
	struct scene scene;
	cairn_query *own, *others;
	cairn_collection *other;
	const char *model = model_new("tiny", 3);
	set_up(&scene, model, NULL);
	assert_ok(cairn_collection_open(&other, collection_made(model, NULL, photos, 0), 0));
	assert_ok(cairn_query_from_id(&own, scene.searcher, 2));
	assert_ok(cairn_query_from_collection(&others, scene.searcher, other, 2));
	assert_memory_equal(own->descriptor, others->descriptor, DIM * sizeof(float));
	assert_int_equal(cairn_features_count(own->features), cairn_features_count(others->features));
	/* It is none of the images that are searched, though it has the number of one. */
	assert_int_equal(others->id, 0);
	cairn_query_free(own);
	cairn_query_free(others);
	assert_fails(cairn_query_from_collection(&others, scene.searcher, other, 99), CAIRN_ENOTFOUND, "99");
	assert_null(others);
	cairn_collection_free(other);
	assert_ok(cairn_collection_open(&other, collection_made(model_new("other", 4), NULL, photos, 0), 0));
	assert_fails(cairn_query_from_collection(&others, scene.searcher, other, 2), CAIRN_EINVALID,
		     "different models");
	cairn_collection_free(other);
	tear_down(&scene);
}

static void describes_a_part(void **state)
{
	(void)state;
	const cairn_box box = { 20, 10, 100, 80 };
	struct scene scene;
	cairn_query *whole, *part;
	double cosine = 0;
	set_up(&scene, model_new("tiny", 3), NULL);
	assert_ok(cairn_query_open(&whole, scene.searcher, scene.photo, NULL));
	assert_ok(cairn_query_open(&part, scene.searcher, scene.photo, &box));
	for (size_t i = 0; i < DIM; i++)
		cosine += (double)whole->descriptor[i] * (double)part->descriptor[i];
	assert_true(cosine > 0.5 && cosine < 0.99999);
	assert_int_equal(cairn_features_width(part->features), 120);
	assert_int_equal(cairn_features_height(part->features), 90);
	assert_true(cairn_features_count(part->features) > 10);
	for (size_t i = 0; i < cairn_features_count(part->features); i++) {
		cairn_keypoint point = cairn_features_keypoints(part->features)[i];
		assert_true(point.x >= 19.5f && point.x <= 99.5f && point.y >= 9.5f && point.y <= 79.5f);
	}
	cairn_query_free(whole);
	cairn_query_free(part);
	tear_down(&scene);
}

static void refuses_what_is_no_query(void **state)
{
	(void)state;
	static const cairn_box boxes[] = { { 200, 10, 300, 50 }, { 50, 50, 20, 20 }, { 0, 0, 0, 0 }, { 0, 0, NAN, 9 } };
	const char *broken = keep(cn_test_path(cn_test_folder(), "broken.jpg"));
	struct scene scene;
	cairn_query *query;
	cairn_answer *answer;
	set_up(&scene, model_new("tiny", 3), NULL);
	for (size_t i = 0; i < sizeof(boxes) / sizeof(*boxes); i++)
		assert_fails(cairn_query_open(&query, scene.searcher, scene.photo, &boxes[i]), CAIRN_EINVALID, NULL);
	assert_fails(cairn_query_open(&query, scene.searcher, "/nowhere/photo.jpg", NULL), CAIRN_ENOTFOUND,
		     "/nowhere/photo.jpg");
	cn_test_write(broken, "no photograph", 13);
	assert_fails(cairn_search_path(&answer, scene.searcher, broken, NULL), CAIRN_EFORMAT, "broken.jpg");
	static const int64_t ids[] = { -1, 0, IMAGES + 1, INT64_MAX };
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		assert_fails(cairn_query_from_id(&query, scene.searcher, ids[i]), CAIRN_ENOTFOUND, NULL);
	/* The searcher is as good as before. */
	assert_ok(cairn_search_path(&answer, scene.searcher, scene.photo, NULL));
	assert_int_equal(cairn_answer_count(answer), IMAGES);
	cairn_answer_free(answer);
	tear_down(&scene);
}

/* A descriptor of another network, perhaps of another length, is not one to search with. */
static void refuses_a_model_that_changed(void **state)
{
	(void)state;
	const char *const paths[] = { keep(cn_test_path(photos, "000.png")), keep(cn_test_path(photos, "001.png")),
				      keep(cn_test_path(photos, "002.png")) };
	for (int kind = 0; kind < 3; kind++) {
		const char *model = kind == 2 ? keep(cn_test_path(model_home_new(), "tiny")) : model_new("tiny", 3);
		struct scene scene;
		cairn_answer *answer;
		char *bytes;
		size_t length;
		if (kind == 2)
			model_write(model, "tiny", 3);
		set_up(&scene, kind == 2 ? "tiny" : model, NULL);
		if (kind == 0) {
			assert_ok(cn_file_read(cn_test_path(model_new("tiny", 4), "model.onnx"), 1 << 20, &bytes,
					       &length));
			cn_test_write(cn_test_path(model, "model.onnx"), bytes, length);
			cairn_bytes_free(bytes);
		} else if (kind == 1) {
			assert_ok(cn_file_read(cn_test_path(model, "model.json"), 1 << 20, &bytes, &length));
			char *dim = strstr(bytes, "\"p\": 3");
			assert_non_null(dim);
			dim[5] = '4';
			cn_test_write(cn_test_path(model, "model.json"), bytes, length);
			cairn_bytes_free(bytes);
		} else {
			const cairn_describer_model tiny = { "tiny", 1 };
			assert_ok(cairn_whitening_learn("tiny", &tiny, 1, paths, 3, NULL));
		}
		assert_fails(cairn_search_path(&answer, scene.searcher, scene.photo, NULL), CAIRN_ENOTFOUND,
			     "make a new collection");
		/* Nothing is described anew for an image that is in. */
		assert_ok(cairn_search_id(&answer, scene.searcher, 1));
		assert_int_equal(cairn_answer_count(answer), IMAGES - 1);
		cairn_answer_free(answer);
		assert_int_equal(unlink(cn_test_path(model, "model.json")), 0);
		assert_fails(cairn_search_path(&answer, scene.searcher, scene.photo, NULL), CAIRN_ENOTFOUND, "tiny");
		tear_down(&scene);
	}
}

/* It is known by the name in its bundle, and opened by the path of its folder. */
static void opens_a_local_model_where_it_is(void **state)
{
	(void)state;
	const char *model = keep(cn_test_path(cn_test_folder(), "folder-of-corners"));
	const char *other = keep(cn_test_path(cn_test_folder(), "other"));
	const char *folder = keep(cn_test_path(cn_test_folder(), "collection"));
	const cairn_collection_options options = { CAIRN_COLLECTION_OPTIONS_VERSION, NULL, 0, &model, 1, NULL };
	struct scene scene = { .photo = keep(cn_test_path(photos, "001.png")) };
	cairn_answer *answer;
	cairn_hit hit;
	model_write_local(model, "corners", 5);
	assert_ok(cairn_collection_create(folder, &options));
	assert_ok(cairn_collection_open(&scene.collection, folder, 1));
	collection_add(scene.collection, photos, NULL);
	for (int i = 0; i < 2; i++) {
		cairn_search_options how;
		cairn_search_options_init(&how);
		how.local = i ? "corners" : NULL;
		assert_ok(cairn_searcher_new(&scene.searcher, scene.collection, &how));
		assert_ok(cairn_search_path(&answer, scene.searcher, scene.photo, NULL));
		assert_ok(cairn_answer_get(answer, 0, &hit));
		assert_int_equal(hit.id, 2);
		assert_true(hit.inliers > 20);
		cairn_answer_free(answer);
		cairn_searcher_free(scene.searcher);
	}
	/* Other weights under the same name give other features. */
	char *bytes;
	size_t length;
	model_write_local(other, "corners", 6);
	assert_ok(cn_file_read(cn_test_path(other, "model.onnx"), 1 << 20, &bytes, &length));
	cn_test_write(cn_test_path(model, "model.onnx"), bytes, length);
	cairn_bytes_free(bytes);
	assert_ok(cairn_searcher_new(&scene.searcher, scene.collection, NULL));
	assert_fails(cairn_search_path(&answer, scene.searcher, scene.photo, NULL), CAIRN_ENOTFOUND,
		     "make a new collection");
	tear_down(&scene);
}

static void options_are_copied(void **state)
{
	(void)state;
	char *precision = strdup("f32"), *local = strdup("rootsift"), *wrong = strdup("f99");
	cairn_search_options options;
	struct scene scene;
	cairn_query *query;
	cairn_search_options_init(&options);
	options.precision = precision;
	options.local = local;
	set_up(&scene, model_new("tiny", 3), &options);
	memset(precision, 'x', 3);
	memset(local, 'x', 8);
	free(precision);
	free(local);
	assert_ok(cairn_query_open(&query, scene.searcher, scene.photo, NULL));
	assert_non_null(query->features);
	cairn_query_free(query);
	tear_down(&scene);
	options.local = NULL;
	options.precision = wrong;
	set_up(&scene, model_new("tiny", 3), &options);
	assert_fails(cairn_query_open(&query, scene.searcher, scene.photo, NULL), CAIRN_EINVALID, "f99");
	tear_down(&scene);
	free(wrong);
}

/* Nothing is verified, so nothing is extracted. */
static void extracts_only_what_is_needed(void **state)
{
	(void)state;
	cairn_search_options options;
	struct scene scene;
	cairn_query *query;
	cairn_search_options_init(&options);
	options.verify = 0;
	set_up(&scene, model_new("tiny", 3), &options);
	assert_ok(cairn_query_open(&query, scene.searcher, scene.photo, NULL));
	assert_null(query->features);
	cairn_query_free(query);
	assert_ok(cairn_query_from_id(&query, scene.searcher, 1));
	assert_null(query->features);
	cairn_query_free(query);
	tear_down(&scene);
}

static int open_once(void *context)
{
	struct scene *scene = context;
	const cairn_box box = { 20, 10, 100, 80 };
	cairn_query *query;
	CN_TRY(cairn_query_open(&query, scene->searcher, scene->photo, &box));
	cairn_query_free(query);
	CN_TRY(cairn_query_from_id(&query, scene->searcher, 1));
	cairn_query_free(query);
	return 0;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	struct scene scene;
	set_up(&scene, NULL, NULL);
	assert_true(cn_torture(open_once, &scene) > 20);
	tear_down(&scene);
	set_up(&scene, model_new("tiny", 3), NULL);
	assert_true(cn_torture(open_once, &scene) > 40);
	tear_down(&scene);
}

static int make_photos(void **state)
{
	(void)state;
	photos = photo_folder(IMAGES, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(describes_as_the_collection_does),
		cmocka_unit_test(an_image_of_another_collection),
		cmocka_unit_test(describes_a_part),
		cmocka_unit_test(refuses_what_is_no_query),
		cmocka_unit_test(refuses_a_model_that_changed),
		cmocka_unit_test(opens_a_local_model_where_it_is),
		cmocka_unit_test(options_are_copied),
		cmocka_unit_test(extracts_only_what_is_needed),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("search/query", tests, make_photos, NULL);
}

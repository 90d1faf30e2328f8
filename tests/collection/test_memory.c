/*
 * Memory that runs short at every allocation in turn: an error, nothing lost, nothing leaked.
 */
#include <stdlib.h>
#include <string.h>

#include "photos.h"
#include "util/memory.h"

struct scene {
	const char *folder, *photos;
	cairn_collection *collection; /* open for writing, or NULL */
};

static int create(struct scene *scene)
{
	static const char *const locals[] = { "rootsift" };
	const cairn_collection_options options = { CAIRN_COLLECTION_OPTIONS_VERSION, NULL, 0, locals, 1, NULL };
	int status = cairn_collection_create(scene->folder, &options);
	return status == CAIRN_EEXISTS ? 0 : status;
}

static int add(struct scene *scene)
{
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	options.threads = 1;
	options.batch = 2;
	options.label_from_parent = 1;
	return cairn_collection_add(scene->collection, &scene->photos, 1, &options, NULL);
}

static int look(struct scene *scene)
{
	cairn_collection *reader;
	cairn_image_record record;
	cairn_features *features;
	int64_t *ids;
	size_t count;
	int status = cairn_collection_open(&reader, scene->folder, 0);
	if (status < 0)
		return status;
	status = cairn_collection_ids(reader, &ids, &count);
	if (status == 0)
		cairn_bytes_free(ids);
	if (status == 0)
		status = cairn_collection_find_id(reader, 1, &record);
	if (status == 0)
		status = cairn_collection_features(reader, 1, "rootsift", &features);
	if (status == 0)
		cairn_features_free(features);
	if (status == 0)
		status = cairn_collection_check(reader, NULL);
	cairn_collection_free(reader);
	return status;
}

static int compact(struct scene *scene)
{
	return cairn_collection_compact(scene->collection, NULL, NULL);
}

/* Let each allocation fail in turn until the work succeeds; it must leave a collection without faults every time. */
static void starve(struct scene *scene, int (*work)(struct scene *))
{
	int status = CAIRN_ENOMEM;
	for (long n = 0; status < 0; n++) {
		cn_memory_fail_at(n);
		status = work(scene);
		cn_memory_fail_at(-1);
		assert_true(n < 20000);
		if (status < 0) {
			assert_int_equal(status, CAIRN_ENOMEM);
			assert_true(cairn_last_error()[0]);
			if (scene->collection)
				assert_int_equal(cairn_collection_check(scene->collection, NULL), 0);
		}
	}
}

static void memory_runs_short_everywhere(void **state)
{
	(void)state;
	struct scene scene = { keep(cn_test_path(cn_test_folder(), "collection")), photo_folder(3, 1), NULL };
	starve(&scene, create);
	assert_ok(cairn_collection_open(&scene.collection, scene.folder, 1));
	starve(&scene, add);
	starve(&scene, look);
	const int64_t gone = 2;
	assert_ok(cairn_collection_remove(scene.collection, &gone, 1));
	starve(&scene, compact);
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(scene.collection, &info));
	assert_int_equal(info.images, 2);
	assert_int_equal(info.segments, 1);
	assert_int_equal(info.labelled, 2);
	assert_int_equal(collection_faults(scene.collection, CAIRN_CHECK_ONLY), 0);
	cairn_collection_free(scene.collection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_runs_short_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

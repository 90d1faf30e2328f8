#include "runs.h"

#include <stdlib.h>
#include <string.h>

#include "util/file.h"
#include "util/memory.h"

/* Views of each place, moved by other steps than photo_views() does. */
static const char *other_views(int views, uint64_t seed, int right, int down)
{
	const char *folder = keep(cn_test_folder());
	for (int i = 0; i < PLACES * views; i++) {
		char name[64];
		snprintf(name, sizeof(name), "place-%d-%d.png", i / views, i % views);
		photo_save_moved(cn_test_path(folder, name), seed + (uint64_t)(i / views), right * (i % views + 1),
				 down * (i % views + 1));
	}
	return folder;
}

static void add_asmk(const char *folder)
{
	cairn_collection *collection = open_collection(folder, 1);
	cairn_build_options build = CAIRN_BUILD_OPTIONS_INIT;
	build.asmk = "rootsift";
	build.words = 32;
	build.threads = 1;
	assert_ok(cairn_collection_build_index(collection, &build, NULL));
	cairn_collection_free(collection);
}

static void add_labels(const char *folder, const char *photos)
{
	char csv[8192] = "path,label\n";
	const char *file = keep(cn_test_path(cn_test_folder(), "labels.csv"));
	cairn_collection *collection = open_collection(folder, 1);
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	for (int i = 0; i < 2 * PLACES; i++)
		snprintf(csv + strlen(csv), sizeof(csv) - strlen(csv), "%s/place-%d-%d.png,place-%d\n", photos, i / 2,
			 i % 2, i / 2);
	cn_test_write(file, csv, strlen(csv));
	options.labels = file;
	collection_add(collection, photos, &options);
	cairn_collection_free(collection);
}

void make_world(cn_test_world_folders *out)
{
	const char *train = keep(other_views(2, 1, -4, 3));
	out->model = keep(model_new("tiny", 3));
	out->photos = keep(photo_views(PLACES, VIEWS, 1));
	out->index = keep(collection_made(out->model, NULL, out->photos, 4));
	out->asked = keep(collection_made(out->model, NULL, keep(other_views(1, 1, 7, 2)), 4));
	out->train = keep(collection_made(out->model, NULL, train, 4));
	add_asmk(out->index);
	add_labels(out->train, train);
}

cairn_collection *open_collection(const char *folder, int writable)
{
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, folder, writable));
	return collection;
}

cairn_run_options run_with(const char *cache)
{
	cairn_run_options options = CAIRN_RUN_OPTIONS_INIT;
	options.cache = cache;
	options.threads = 1;
	options.precision = "f32";
	return options;
}

void start_run(running *out, const char *text, cairn_collection *index, const cairn_run_options *options)
{
	assert_ok(parse_recipe(&out->recipe, text));
	assert_ok(cairn_run_new(&out->run, out->recipe, index, options));
}

void end_run(running *run)
{
	cairn_run_free(run->run);
	cairn_recipe_free(run->recipe);
}

static size_t number_of(const running *run, const char *name)
{
	for (size_t i = 0; i < run->recipe->stage_count; i++)
		if (strcmp(run->recipe->stages[i].name, name) == 0)
			return i;
	fail_msg("there is no stage %s", name);
	return 0;
}

const cn_value *value_of(const running *run, const char *stage)
{
	size_t value = CN_GIVEN_COUNT + number_of(run, stage);
	assert_ok(cn_run_need(run->run, value));
	return &run->run->made[value].value;
}

cairn_run_stage stage_of(const running *run, const char *stage)
{
	cairn_run_stage out;
	assert_ok(cairn_run_get_stage(run->run, number_of(run, stage), &out));
	return out;
}

const char *origins_of(const running *run)
{
	static char text[1024];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < run->recipe->stage_count; i++) {
		cairn_run_stage stage;
		assert_ok(cairn_run_get_stage(run->run, i, &stage));
		const char *from = stage.is_cached ? "cache" : stage.seconds > 0 ? "made" : "-";
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s:%s", i ? " " : "", stage.name, from);
	}
	return text;
}

char *bytes_of(const char *path, size_t *length)
{
	char *bytes;
	assert_ok(cn_file_read(path, 1 << 24, &bytes, length));
	return bytes;
}

char *csv_of(const running *run)
{
	const char *path = cn_test_path(cn_test_folder(), "ranking.csv");
	size_t length;
	assert_ok(cairn_run_write_csv(run->run, path, SIZE_MAX));
	return bytes_of(path, &length);
}

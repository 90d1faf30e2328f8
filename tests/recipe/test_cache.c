/* The cache: what is written is read again as it was, and what is damaged is taken as not there. */
#include "recipe/cache.h"

#include <string.h>
#include <unistd.h>

#include "../rank/lists.h"
#include "math/half.h"
#include "torture.h"
#include "util/file.h"

enum { QUERIES = 3, DEPTH = 4, DIM = 5, ROWS = 6 };

static const cn_key key = { 0x0123456789abcdefu, 42 };

/* ---- values of all types ---- */

static void make_queries(cn_value *out)
{
	uint64_t seed = 1;
	*out = (cn_value){ .type = CAIRN_VALUE_QUERIES, .count = QUERIES, .dim = DIM };
	out->vectors = cn_alloc(QUERIES * DIM, sizeof(*out->vectors));
	assert_non_null(out->vectors);
	for (size_t i = 0; i < QUERIES * DIM; i++)
		out->vectors[i] = cn_test_normal(&seed);
}

/* Its second list is empty, its third has room left. */
static void make_ranking(cn_value *out)
{
	static const int64_t images[] = { 9, 3, INT64_MAX, 0, -1, -1, -1, -1, 2, 1, -1, -1 };
	static const float scores[] = { INFINITY, 0.5f, 0.5f, -1, 0, 0, 0, 0, 1e-30f, -0.0f, 0, 0 };
	*out = (cn_value){ .type = CAIRN_VALUE_RANKING };
	out->ranking = cn_test_ranking(QUERIES, DEPTH, images, scores);
}

static void make_verified(cn_value *out)
{
	make_ranking(out);
	out->type = CAIRN_VALUE_VERIFIED;
	assert_ok(cn_value_make_inliers(out));
	out->inliers[0] = 17;
	out->inliers[1] = 0;
	out->inliers[2 * DEPTH] = INT32_MAX;
}

/* As a stage does: it writes the rows and opens what it wrote. */
static void make_index(const cn_cache *cache, cn_value *out)
{
	char *paths[CN_ROW_FILES];
	cn_row_writer writer;
	uint64_t seed = 3;
	*out = (cn_value){ .type = CAIRN_VALUE_INDEX };
	assert_ok(cn_cache_index_paths(cache, key, paths));
	assert_ok(cn_row_writer_open(&writer, (const char *const *)paths, ROWS, DIM));
	for (int64_t image = 1; image <= ROWS; image++) {
		float row[DIM];
		uint16_t halves[DIM];
		for (size_t i = 0; i < DIM; i++)
			row[i] = cn_test_normal(&seed);
		cn_halves_from_floats(row, DIM, halves);
		assert_ok(cn_row_writer_add(&writer, 10 * image, halves));
	}
	assert_ok(cn_row_writer_commit(&writer));
	for (int i = 0; i < CN_ROW_FILES; i++)
		cn_free(paths[i]);
	assert_ok(cn_cache_open_index(cache, key, DIM, out));
}

static void make_value(const cn_cache *cache, cairn_value_type type, cn_value *out)
{
	switch (type) {
	case CAIRN_VALUE_QUERIES:
		make_queries(out);
		break;
	case CAIRN_VALUE_INDEX:
		make_index(cache, out);
		break;
	case CAIRN_VALUE_VERIFIED:
		make_verified(out);
		break;
	default:
		make_ranking(out);
	}
}

static void assert_same_rankings(const cn_value *a, const cn_value *b)
{
	assert_int_equal(cairn_ranking_queries(b->ranking), QUERIES);
	assert_int_equal(cairn_ranking_depth(b->ranking), DEPTH);
	cn_test_same(a->ranking, b->ranking);
	assert_int_equal(a->inliers != NULL, b->inliers != NULL);
	for (size_t i = 0; i < QUERIES; i++) {
		assert_int_equal(cairn_ranking_count(a->ranking, i), cairn_ranking_count(b->ranking, i));
		assert_int_equal(cn_value_inliers(b, i) != NULL, b->inliers != NULL);
	}
	if (a->inliers)
		assert_memory_equal(a->inliers, b->inliers, QUERIES * DEPTH * sizeof(*a->inliers));
}

static void assert_same(const cn_value *a, const cn_value *b)
{
	assert_int_equal(a->type, b->type);
	if (a->type == CAIRN_VALUE_QUERIES) {
		assert_int_equal(b->count, QUERIES);
		assert_int_equal(b->dim, DIM);
		assert_memory_equal(a->vectors, b->vectors, QUERIES * DIM * sizeof(*a->vectors));
	} else if (a->type == CAIRN_VALUE_INDEX) {
		assert_int_equal(cairn_index_rows(b->index), ROWS);
		assert_memory_equal(a->segment.rows, b->segment.rows, ROWS * DIM * sizeof(*a->segment.rows));
		assert_memory_equal(a->segment.codes, b->segment.codes, ROWS * DIM);
		assert_memory_equal(a->segment.scales, b->segment.scales, ROWS * sizeof(*a->segment.scales));
		assert_memory_equal(a->segment.images, b->segment.images, ROWS * sizeof(*a->segment.images));
	} else {
		assert_same_rankings(a, b);
	}
}

static const struct {
	cairn_value_type type;
	const char *files[CN_ROW_FILES + 1]; /* beside the description */
} types[] = {
	{ CAIRN_VALUE_QUERIES, { "vectors.npy" } },
	{ CAIRN_VALUE_INDEX, { "rows.npy", "codes.npy", "scales.npy", "images.npy" } },
	{ CAIRN_VALUE_RANKING, { "ids.npy", "scores.npy" } },
	{ CAIRN_VALUE_VERIFIED, { "ids.npy", "scores.npy", "inliers.npy" } },
};

enum { TYPES = sizeof(types) / sizeof(*types) };

/* ---- a cache of its own ---- */

static char warning[512];
static int warnings;

static void note_warning(cairn_log_level level, const char *message, void *payload)
{
	(void)payload;
	if (level != CAIRN_LOG_WARNING)
		return;
	snprintf(warning, sizeof(warning), "%s", message);
	warnings++;
}

static cn_cache new_cache(void)
{
	warnings = 0;
	return (cn_cache){ cn_strdup(cn_test_folder()) };
}

static int save(const cn_cache *cache, const cn_value *value, const char *name)
{
	json_t *about = json_pack("{s:s}", "name", name);
	int status = cn_cache_save(cache, key, value, about);
	json_decref(about);
	return status;
}

static cn_value save_new(const cn_cache *cache, cairn_value_type type)
{
	cn_value value;
	make_value(cache, type, &value);
	assert_ok(save(cache, &value, "first"));
	return value;
}

/* @return whether it was there */
static int load(const cn_cache *cache, cairn_value_type type, cn_value *out)
{
	json_t *about;
	*out = (cn_value){ .type = type, .dim = DIM };
	assert_ok(cn_cache_load(cache, key, out, &about));
	int found = about != NULL;
	if (found)
		assert_string_equal(json_string_value(json_object_get(about, "name")), "first");
	json_decref(about);
	return found;
}

static void assert_not_there(const cn_cache *cache, cairn_value_type type)
{
	cn_value value;
	assert_false(load(cache, type, &value));
	assert_int_equal(value.type, type);
	assert_null(value.vectors);
	assert_null(value.ranking);
	assert_null(value.inliers);
	assert_null(value.owned);
}

static const char *path_of(const cn_cache *cache, const char *ending)
{
	char *path = cn_cache_path(cache, key, ending);
	const char *copy = cn_test_path(cache->folder, strrchr(path, '/') + 1);
	cn_free(path);
	return copy;
}

/* ---- tests ---- */

static void keys_are_names(void **state)
{
	const cn_cache cache = { (char *)(uintptr_t) "some/folder" };
	char text[CN_KEY_TEXT];
	(void)state;
	cn_key_text(key, text);
	assert_string_equal(text, "0123456789abcdef000000000000002a");
	char *path = cn_cache_path(&cache, key, "ids.npy");
	assert_string_equal(path, "some/folder/0123456789abcdef000000000000002a.ids.npy");
	cn_free(path);
}

static void values_are_read_as_they_were(void **state)
{
	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		cn_cache cache = new_cache();
		cn_value value, read;
		char **names;
		size_t count, files = 1;
		assert_not_there(&cache, types[t].type);
		value = save_new(&cache, types[t].type);
		while (files - 1 < CN_ROW_FILES && types[t].files[files - 1])
			assert_true(cn_file_exists(path_of(&cache, types[t].files[files++ - 1])));
		assert_ok(cn_folder_list(cache.folder, &names, &count));
		assert_int_equal(count, files);
		cn_names_free(names, count);
		assert_true(load(&cache, types[t].type, &read));
		assert_same(&value, &read);
		assert_int_equal(warnings, 0);
		cn_value_free(&value);
		cn_value_free(&read);
		cn_free(cache.folder);
	}
}

static void without_its_description_there_is_no_value(void **state)
{
	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		cn_cache cache = new_cache();
		cn_value value = save_new(&cache, types[t].type);
		assert_int_equal(unlink(path_of(&cache, "json")), 0);
		assert_not_there(&cache, types[t].type);
		assert_int_equal(warnings, 0);
		cn_value_free(&value);
		cn_free(cache.folder);
	}
}

enum { MISSING, SHORTER, EMPTY, OTHER_BYTE, LONGER, DAMAGES };

static void damage(const char *path, int how)
{
	char *bytes;
	size_t length;
	assert_ok(cn_file_read(path, 1 << 20, &bytes, &length));
	/* Not in place: a value may have it mapped. */
	assert_int_equal(unlink(path), 0);
	bytes[length - 3] ^= 0x20;
	if (how != MISSING)
		cn_test_write(path, bytes,
			      how == EMPTY     ? 0
			      : how == SHORTER ? length - 1
			      : how == LONGER  ? length + 1
					       : length);
	cn_free(bytes);
}

static void damaged_values_are_made_again(void **state)
{
	(void)state;
	for (size_t t = 0; t < TYPES; t++)
		for (size_t f = 0; f < CN_ROW_FILES && types[t].files[f]; f++)
			for (int how = 0; how < DAMAGES; how++) {
				cn_cache cache = new_cache();
				cn_value value = save_new(&cache, types[t].type), read;
				damage(path_of(&cache, types[t].files[f]), how);
				assert_not_there(&cache, types[t].type);
				assert_int_equal(warnings, 1);
				assert_non_null(strstr(warning, "made again"));
				assert_non_null(strstr(warning, types[t].files[f]));
				cn_value_free(&value);
				value = save_new(&cache, types[t].type);
				assert_true(load(&cache, types[t].type, &read));
				assert_same(&value, &read);
				assert_int_equal(warnings, 1);
				cn_value_free(&value);
				cn_value_free(&read);
				cn_free(cache.folder);
			}
}

/* Descriptions that are no JSON, or do not say what they must, or say what is not so. */
static void damaged_descriptions_are_made_again(void **state)
{
	static const char *const descriptions[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"files\": {}}",
		"{\"files\": [1]}",
		"{\"files\": [{\"ending\": \"ids.npy\", \"size\": 1}]}",
		"{\"files\": [{\"ending\": \"ids.npy\", \"size\": -1, \"crc32c\": 0}]}",
		"{\"files\": [{\"ending\": \"ids.npy\", \"size\": 1, \"crc32c\": 5}]}",
		"{\"files\": [{\"ending\": \"other\", \"size\": 1, \"crc32c\": 5}]}",
	};
	(void)state;
	for (size_t d = 0; d < sizeof(descriptions) / sizeof(*descriptions); d++) {
		cn_cache cache = new_cache();
		cn_value value = save_new(&cache, CAIRN_VALUE_VERIFIED);
		cn_test_write(path_of(&cache, "json"), descriptions[d], strlen(descriptions[d]));
		assert_not_there(&cache, CAIRN_VALUE_VERIFIED);
		assert_int_equal(warnings, 1);
		cn_value_free(&value);
		cn_free(cache.folder);
	}
}

/* Whole files that do not belong together. */
static void other_shapes_are_made_again(void **state)
{
	cn_cache cache = new_cache();
	cn_value value, other;
	static const int64_t image = 7;
	static const float score = 1;
	(void)state;
	make_verified(&value);
	other = (cn_value){ .type = CAIRN_VALUE_RANKING, .ranking = cn_test_ranking(1, 1, &image, &score) };
	assert_ok(save(&cache, &value, "first"));
	assert_ok(save(&cache, &other, "first"));
	/* The inliers of before are still there, but not of this ranking. */
	assert_not_there(&cache, CAIRN_VALUE_VERIFIED);
	assert_int_equal(warnings, 1);
	assert_not_there(&cache, CAIRN_VALUE_QUERIES);
	assert_not_there(&cache, CAIRN_VALUE_INDEX);
	assert_int_equal(warnings, 3);
	cn_value_free(&value);
	cn_value_free(&other);
	cn_free(cache.folder);
}

static void other_files_are_looked_after_too(void **state)
{
	static const char *const endings[] = { "graph.ids.npy", "graph.scores.npy" };
	cn_cache cache = new_cache();
	json_t *about;
	(void)state;
	cn_test_write(path_of(&cache, endings[0]), "some", 4);
	json_t *told = json_pack("{s:s}", "stage", "graph");
	assert_fails(cn_cache_note(&cache, key, endings, 2, told), CAIRN_ENOTFOUND, "graph.scores.npy");
	assert_ok(cn_cache_look(&cache, key, &about));
	assert_null(about);
	cn_test_write(path_of(&cache, endings[1]), "more", 4);
	assert_ok(cn_cache_note(&cache, key, endings, 2, told));
	json_decref(told);
	assert_ok(cn_cache_look(&cache, key, &about));
	assert_string_equal(json_string_value(json_object_get(about, "stage")), "graph");
	json_decref(about);
	assert_int_equal(warnings, 0);
	cn_test_write(path_of(&cache, endings[1]), "less", 4);
	assert_ok(cn_cache_look(&cache, key, &about));
	assert_null(about);
	assert_int_equal(warnings, 1);
	cn_free(cache.folder);
}

static void faults_are_reported(void **state)
{
	cn_cache cache = { cn_strdup(cn_test_path(cn_test_folder(), "missing")) };
	cn_value value;
	(void)state;
	make_ranking(&value);
	assert_true(save(&cache, &value, "first") < 0);
	assert_not_there(&cache, CAIRN_VALUE_RANKING);
	cn_value_free(&value);
	cn_free(cache.folder);
}

struct work {
	cn_cache cache;
	cn_value value;
};

static int save_again(void *context)
{
	const struct work *work = context;
	return save(&work->cache, &work->value, "first");
}

static int load_again(void *context)
{
	const struct work *work = context;
	cn_value value = { .type = work->value.type, .dim = DIM };
	json_t *about;
	CN_TRY(cn_cache_load(&work->cache, key, &value, &about));
	/* It is there, so that all that may go wrong is told. */
	assert_non_null(about);
	json_decref(about);
	assert_same(&work->value, &value);
	cn_value_free(&value);
	return 0;
}

static void memory_may_run_out(void **state)
{
	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		struct work work = { .cache = new_cache() };
		work.value = save_new(&work.cache, types[t].type);
		assert_true(cn_torture(save_again, &work) >= 4);
		assert_true(cn_torture(load_again, &work) >= 4);
		assert_int_equal(warnings, 0);
		cn_value_free(&work.value);
		cn_free(work.cache.folder);
	}
}

static int listen(void **state)
{
	(void)state;
	cairn_set_log(note_warning, NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_names),
		cmocka_unit_test(values_are_read_as_they_were),
		cmocka_unit_test(without_its_description_there_is_no_value),
		cmocka_unit_test(damaged_values_are_made_again),
		cmocka_unit_test(damaged_descriptions_are_made_again),
		cmocka_unit_test(other_shapes_are_made_again),
		cmocka_unit_test(other_files_are_looked_after_too),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, listen, NULL);
}

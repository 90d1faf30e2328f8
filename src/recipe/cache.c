/*
 * The cache: every value is a few .npy files and a description that is written last.
 */
#include "recipe/cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/file.h"
#include "util/log.h"
#include "util/memory.h"

void cn_key_text(cn_key key, char text[CN_KEY_TEXT])
{
	snprintf(text, CN_KEY_TEXT, "%016" PRIx64 "%016" PRIx64, key.high, key.low);
}

char *cn_cache_path(const cn_cache *cache, cn_key key, const char *ending)
{
	char name[CN_KEY_TEXT + 64], digits[CN_KEY_TEXT];
	cn_key_text(key, digits);
	snprintf(name, sizeof(name), "%s.%s", digits, ending);
	return cn_path_join(cache->folder, name);
}

/* ---- what a value is in files ---- */

/* One array of a value. */
typedef struct {
	const char *ending;
	cn_npy_type type;
	size_t rank, shape[2];
	const void *data;
} array;

#define MOST_ARRAYS 4

/* The arrays of queries and rankings. @return how many */
static size_t arrays_of(const cn_value *value, array *out)
{
	if (value->type == CAIRN_VALUE_QUERIES) {
		out[0] = (array){ "vectors.npy", CN_NPY_F32, 2, { value->count, value->dim }, value->vectors };
		return 1;
	}
	size_t queries = cairn_ranking_queries(value->ranking), depth = cairn_ranking_depth(value->ranking);
	out[0] = (array){ "ids.npy", CN_NPY_I64, 2, { queries, depth }, cairn_ranking_images(value->ranking, 0) };
	out[1] = (array){ "scores.npy", CN_NPY_F32, 2, { queries, depth }, cairn_ranking_scores(value->ranking, 0) };
	out[2] = (array){ "inliers.npy", CN_NPY_I32, 2, { queries, depth }, value->inliers };
	return value->inliers ? 3 : 2;
}

static void row_endings(const char *endings[CN_ROW_FILES])
{
	static const char *const all[CN_ROW_FILES] = {
		[CN_FILE_ROWS] = "rows.npy",
		[CN_FILE_CODES] = "codes.npy",
		[CN_FILE_SCALES] = "scales.npy",
		[CN_FILE_IMAGES] = "images.npy",
	};
	memcpy(endings, all, sizeof(all));
}

/* The endings of a value's files. @return how many */
static size_t endings_of(const cn_value *value, const char *endings[MOST_ARRAYS])
{
	array arrays[MOST_ARRAYS];
	if (value->type == CAIRN_VALUE_INDEX) {
		row_endings(endings);
		return CN_ROW_FILES;
	}
	size_t count = arrays_of(value, arrays);
	for (size_t i = 0; i < count; i++)
		endings[i] = arrays[i].ending;
	return count;
}

/* ---- writing ---- */

static int write_arrays(const cn_cache *cache, cn_key key, const cn_value *value)
{
	array arrays[MOST_ARRAYS];
	size_t count = arrays_of(value, arrays);
	for (size_t i = 0; i < count; i++) {
		char *path = cn_cache_path(cache, key, arrays[i].ending);
		int status = path ? cn_npy_write(path, arrays[i].type, arrays[i].rank, arrays[i].shape, arrays[i].data)
				  : CAIRN_ENOMEM;
		cn_free(path);
		CN_TRY(status);
	}
	return 0;
}

static int add_file(const cn_cache *cache, cn_key key, const char *ending, json_t *files)
{
	char *path = cn_cache_path(cache, key, ending);
	uint64_t size;
	uint32_t crc;
	int status = path ? cn_file_checksum(path, &size, &crc) : CAIRN_ENOMEM;
	cn_free(path);
	CN_TRY(status);
	json_t *file =
		json_pack("{s:s, s:I, s:I}", "ending", ending, "size", (json_int_t)size, "crc32c", (json_int_t)crc);
	return json_array_append_new(files, file) == 0 ? 0 : CAIRN_ENOMEM;
}

int cn_cache_note(const cn_cache *cache, cn_key key, const char *const *endings, size_t count, json_t *about)
{
	json_t *files = json_array();
	if (json_object_set_new(about, "files", files) != 0)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < count; i++)
		CN_TRY(add_file(cache, key, endings[i], files));
	char *path = cn_cache_path(cache, key, "json");
	int status = path ? cn_json_write(path, about) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

int cn_cache_save(const cn_cache *cache, cn_key key, const cn_value *value, json_t *about)
{
	const char *endings[MOST_ARRAYS];
	/* The files of an index were written by the stage that made it, row by row. */
	if (value->type != CAIRN_VALUE_INDEX)
		CN_TRY(write_arrays(cache, key, value));
	return cn_cache_note(cache, key, endings, endings_of(value, endings), about);
}

/* ---- reading ---- */

static int compare_file(const cn_cache *cache, cn_key key, const json_t *file, const char *where)
{
	const char *ending;
	int64_t size, crc;
	uint64_t size_now;
	uint32_t crc_now;
	CN_TRY(cn_json_get_text(file, where, "ending", &ending));
	CN_TRY(cn_json_get_integer(file, where, "size", 0, INT64_MAX, &size));
	CN_TRY(cn_json_get_integer(file, where, "crc32c", 0, UINT32_MAX, &crc));
	char *path = cn_cache_path(cache, key, ending);
	int status = path ? cn_file_checksum(path, &size_now, &crc_now) : CAIRN_ENOMEM;
	cn_free(path);
	CN_TRY(status);
	if (size_now == (uint64_t)size && crc_now == (uint32_t)crc)
		return 0;
	return cn_fail(CAIRN_EDAMAGED, "%s: '%s' has other bytes than were written", where, ending);
}

static int compare_files(const cn_cache *cache, cn_key key, const json_t *about, const char *where)
{
	const json_t *files, *file;
	size_t i;
	CN_TRY(cn_json_get_array(about, where, "files", &files));
	json_array_foreach (files, i, file)
		CN_TRY(compare_file(cache, key, file, where));
	return 0;
}

static int open_array(const cn_cache *cache, cn_key key, const char *ending, cn_npy_type type, const size_t *shape,
		      cn_npy *out)
{
	char *path = cn_cache_path(cache, key, ending);
	int status = path ? cn_npy_open(out, path) : CAIRN_ENOMEM;
	if (status == 0) {
		status = cn_npy_expect(out, path, type, 2, shape);
		if (status < 0)
			cn_npy_close(out);
	}
	cn_free(path);
	return status;
}

static int read_queries(const cn_cache *cache, cn_key key, cn_value *value)
{
	static const size_t any[2] = { 0, 0 };
	cn_npy file;
	CN_TRY(open_array(cache, key, "vectors.npy", CN_NPY_F32, any, &file));
	value->count = file.shape[0];
	value->dim = file.shape[1];
	value->vectors = cn_memdup(file.data, file.count * sizeof(*value->vectors));
	cn_npy_close(&file);
	return value->vectors ? 0 : CAIRN_ENOMEM;
}

static int fill_ranking(cn_value *value, const int64_t *ids, const float *scores)
{
	size_t queries = cairn_ranking_queries(value->ranking), depth = cairn_ranking_depth(value->ranking);
	for (size_t q = 0; q < queries; q++, ids += depth, scores += depth)
		for (size_t i = 0; i < depth && ids[i] != CAIRN_NO_IMAGE; i++)
			CN_TRY(cairn_ranking_set(value->ranking, q, i, ids[i], scores[i]));
	return 0;
}

static int read_inliers(const cn_cache *cache, cn_key key, const size_t *shape, cn_value *value)
{
	cn_npy file;
	CN_TRY(open_array(cache, key, "inliers.npy", CN_NPY_I32, shape, &file));
	value->inliers = cn_memdup(file.data, file.count * sizeof(*value->inliers));
	cn_npy_close(&file);
	return value->inliers ? 0 : CAIRN_ENOMEM;
}

static int read_ranking(const cn_cache *cache, cn_key key, cn_value *value)
{
	static const size_t any[2] = { 0, 0 };
	cn_npy ids, scores = { 0 };
	CN_TRY(open_array(cache, key, "ids.npy", CN_NPY_I64, any, &ids));
	int status = open_array(cache, key, "scores.npy", CN_NPY_F32, ids.shape, &scores);
	if (status == 0)
		status = cairn_ranking_new(&value->ranking, ids.shape[0], ids.shape[1]);
	if (status == 0)
		status = fill_ranking(value, ids.data, scores.data);
	if (status == 0 && value->type == CAIRN_VALUE_VERIFIED)
		status = read_inliers(cache, key, ids.shape, value);
	cn_npy_close(&scores);
	cn_npy_close(&ids);
	return status;
}

int cn_cache_index_paths(const cn_cache *cache, cn_key key, char *paths[CN_ROW_FILES])
{
	const char *endings[CN_ROW_FILES];
	int status = 0;
	row_endings(endings);
	for (int i = 0; i < CN_ROW_FILES; i++) {
		paths[i] = cn_cache_path(cache, key, endings[i]);
		status = paths[i] ? status : CAIRN_ENOMEM;
	}
	return status;
}

int cn_cache_open_index(const cn_cache *cache, cn_key key, size_t dim, cn_value *value)
{
	char *paths[CN_ROW_FILES];
	int status = 0;
	CN_GOTO(status, cn_cache_index_paths(cache, key, paths));
	CN_GOTO(status, cn_row_segment_open(&value->segment, (const char *const *)paths, dim));
	const cairn_index_part part = { value->segment.rows, value->segment.codes, value->segment.scales,
					value->segment.images, value->segment.count };
	status = cairn_index_new_flat(&value->owned, dim, &part, 1, NULL, 0);
	value->index = value->owned;
done:
	for (int i = 0; i < CN_ROW_FILES; i++)
		cn_free(paths[i]);
	return status;
}

static int read_value(const cn_cache *cache, cn_key key, cn_value *value)
{
	switch (value->type) {
	case CAIRN_VALUE_QUERIES:
		return read_queries(cache, key, value);
	case CAIRN_VALUE_INDEX:
		return cn_cache_open_index(cache, key, value->dim, value);
	default:
		return read_ranking(cache, key, value);
	}
}

/* What cannot be read is taken as not there. */
static int give_up(int status, json_t **about)
{
	json_decref(*about);
	*about = NULL;
	if (status == CAIRN_ENOMEM)
		return status;
	cn_log(CAIRN_LOG_WARNING, "%s; it is made again", cairn_last_error());
	return 0;
}

int cn_cache_look(const cn_cache *cache, cn_key key, json_t **about)
{
	char *path = cn_cache_path(cache, key, "json");
	*about = NULL;
	if (!path)
		return CAIRN_ENOMEM;
	int status = cn_file_exists(path) ? cn_json_read(about, path) : 0;
	if (status == 0 && *about)
		status = compare_files(cache, key, *about, path);
	cn_free(path);
	return status < 0 ? give_up(status, about) : 0;
}

int cn_cache_load(const cn_cache *cache, cn_key key, cn_value *value, json_t **about)
{
	const cn_value empty = { .type = value->type, .dim = value->dim };
	CN_TRY(cn_cache_look(cache, key, about));
	int status = *about ? read_value(cache, key, value) : 0;
	if (status == 0)
		return 0;
	cn_value_free(value);
	*value = empty;
	return give_up(status, about);
}

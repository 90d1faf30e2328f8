/*
 * Pairs come as two paths each; every path that is mentioned becomes an image, once.
 */
#include "global/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "util/csv.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/random.h"
#include "util/text.h"

struct mention {
	const char *path;
	uint32_t place;
};

/* Two paths a pair, 2 x count of them. */
struct mentions {
	const char **paths;
	size_t count, capacity; /* paths */
};

static int add_pair(struct mentions *mentions, const char *query, const char *positive)
{
	if (mentions->count + 2 > UINT32_MAX)
		return cn_fail(CAIRN_ELIMIT, "more than %u pairs of images", UINT32_MAX / 2);
	if (mentions->count + 2 > mentions->capacity) {
		size_t capacity = mentions->capacity ? 2 * mentions->capacity : 64;
		const char **paths = cn_realloc(mentions->paths, capacity, sizeof(*paths));
		if (!paths)
			return CAIRN_ENOMEM;
		mentions->paths = paths;
		mentions->capacity = capacity;
	}
	mentions->paths[mentions->count++] = query;
	mentions->paths[mentions->count++] = positive;
	return 0;
}

static int compare_mentions(const void *a, const void *b)
{
	return strcmp(((const struct mention *)a)->path, ((const struct mention *)b)->path);
}

/* @param sorted as many as `mentions` has, by path */
static int number_images(cairn_pairs *pairs, const struct mention *sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || strcmp(sorted[i].path, sorted[i - 1].path) != 0) {
			char *path = cn_strdup(sorted[i].path);
			if (!path)
				return CAIRN_ENOMEM;
			pairs->paths[pairs->image_count++] = path;
		}
		pairs->pairs[sorted[i].place] = (uint32_t)(pairs->image_count - 1);
	}
	return 0;
}

static int make_pairs(cairn_pairs **out, const struct mentions *mentions)
{
	size_t count = mentions->count;
	cairn_pairs *pairs;
	CN_NEW(pairs, 1, sizeof(*pairs));
	struct mention *sorted = cn_alloc(count, sizeof(*sorted));
	pairs->paths = cn_alloc_zero(count, sizeof(*pairs->paths));
	pairs->pairs = cn_alloc(count, sizeof(*pairs->pairs));
	pairs->count = count / 2;
	int status = sorted && pairs->paths && pairs->pairs ? 0 : CAIRN_ENOMEM;
	if (status == 0) {
		for (size_t i = 0; i < count; i++)
			sorted[i] = (struct mention){ mentions->paths[i], (uint32_t)i };
		qsort(sorted, count, sizeof(*sorted), compare_mentions);
		status = number_images(pairs, sorted, count);
	}
	cn_free(sorted);
	if (status < 0) {
		cairn_pairs_free(pairs);
		return status;
	}
	*out = pairs;
	return 0;
}

/* ---- from a file ---- */

struct reading {
	const char *file;
	char *folder; /* that it lies in; empty: the working directory */
	cn_csv *csv;
	struct mentions mentions; /* owns its paths */
};

/* Absolute, so that an image has one name. @param[out] out caller frees */
static int resolve(char **out, const struct reading *reading, const char *path)
{
	if (!*path)
		return cn_fail(CAIRN_EFORMAT, "%s:%zu: a path is empty", reading->file, cn_csv_line(reading->csv));
	char *joined = path[0] == '/' || !*reading->folder ? cn_strdup(path) : cn_path_join(reading->folder, path);
	int status = joined ? cn_path_absolute(out, joined) : CAIRN_ENOMEM;
	cn_free(joined);
	CN_TRY(status);
	if (cn_file_exists(*out))
		return 0;
	status = cn_fail(CAIRN_ENOTFOUND, "%s:%zu: there is no image '%s' (%s)", reading->file,
			 cn_csv_line(reading->csv), path, *out);
	cn_free(*out);
	*out = NULL;
	return status;
}

static int read_pair(struct reading *reading, const char *const *fields)
{
	char *query = NULL, *positive = NULL;
	int status = 0;
	CN_GOTO(status, resolve(&query, reading, fields[0]));
	CN_GOTO(status, resolve(&positive, reading, fields[1]));
	if (strcmp(query, positive) == 0)
		CN_GOTO(status, cn_fail(CAIRN_EFORMAT, "%s:%zu: '%s' is paired with itself", reading->file,
					cn_csv_line(reading->csv), fields[0]));
	CN_GOTO(status, add_pair(&reading->mentions, query, positive));
	return 0;
done:
	cn_free(query);
	cn_free(positive);
	return status;
}

static int read_pairs(struct reading *reading)
{
	const char *const *fields;
	int count, first = 1;
	while ((count = cn_csv_next(reading->csv, &fields)) > 0) {
		if (count != 2)
			return cn_fail(CAIRN_EFORMAT, "%s:%zu: %d fields, but a pair is two paths", reading->file,
				       cn_csv_line(reading->csv), count);
		int is_header = first && strcmp(fields[0], "query") == 0 && strcmp(fields[1], "positive") == 0;
		if (!is_header)
			CN_TRY(read_pair(reading, fields));
		first = 0;
	}
	CN_TRY(count);
	if (reading->mentions.count == 0)
		return cn_fail(CAIRN_EFORMAT, "%s: no pair is in it; each line must have two paths", reading->file);
	return 0;
}

int cairn_pairs_read(cairn_pairs **out, const char *file)
{
	struct reading reading = { .file = file };
	int status = 0;
	*out = NULL;
	CN_GOTO(status, cn_csv_open(&reading.csv, file));
	reading.folder = cn_strndup(file, (size_t)(cn_path_base(file) - file));
	if (!reading.folder)
		CN_GOTO(status, CAIRN_ENOMEM);
	CN_GOTO(status, read_pairs(&reading));
	status = make_pairs(out, &reading.mentions);
done:
	for (size_t i = 0; i < reading.mentions.count; i++)
		cn_free((char *)(uintptr_t)reading.mentions.paths[i]);
	cn_free(reading.mentions.paths);
	cn_free(reading.folder);
	cn_csv_free(reading.csv);
	return status;
}

/* ---- from folders ---- */

static size_t folder_length(const char *path)
{
	return (size_t)(cn_path_base(path) - path);
}

static int same_folder(const char *a, const char *b)
{
	size_t length = folder_length(a);
	return length == folder_length(b) && memcmp(a, b, length) == 0;
}

/* By folder, then by name. */
static int compare_places(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t x_length = folder_length(x), y_length = folder_length(y);
	int order = memcmp(x, y, x_length < y_length ? x_length : y_length);
	if (order == 0 && x_length != y_length)
		order = x_length < y_length ? -1 : 1;
	return order ? order : strcmp(x + x_length, y + y_length);
}

/* All pairs of a folder's images, or `most` of them. */
static int pair_folder(struct mentions *mentions, const char *const *paths, size_t count, size_t most, uint64_t *random)
{
	size_t begin = mentions->count;
	cn_reservoir reservoir = cn_reservoir_start(most ? most : SIZE_MAX, cn_random(random));
	for (size_t a = 0; a < count; a++)
		for (size_t b = a + 1; b < count; b++) {
			size_t place = cn_reservoir_next(&reservoir), at = begin + 2 * place;
			if (place == reservoir.capacity)
				continue;
			if (at == mentions->count) {
				CN_TRY(add_pair(mentions, paths[a], paths[b]));
			} else {
				mentions->paths[at] = paths[a];
				mentions->paths[at + 1] = paths[b];
			}
		}
	return 0;
}

/* @param sorted by folder; what is there twice is left out @return how many are left */
static size_t drop_repeated(const char **sorted, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || strcmp(sorted[i], sorted[kept - 1]) != 0)
			sorted[kept++] = sorted[i];
	return kept;
}

static int pair_folders(struct mentions *mentions, const char *const *sorted, size_t count, size_t most, uint64_t seed)
{
	for (size_t begin = 0, end; begin < count; begin = end) {
		for (end = begin + 1; end < count && same_folder(sorted[begin], sorted[end]);)
			end++;
		CN_TRY(pair_folder(mentions, sorted + begin, end - begin, most, &seed));
	}
	if (mentions->count == 0)
		return cn_fail(CAIRN_EINVALID,
			       "no folder holds two of the %zu images, so none match: images of a place must lie in a "
			       "folder of their own",
			       count);
	return 0;
}

int cairn_pairs_in_folders(cairn_pairs **out, const char *const *paths, size_t count, uint32_t most, uint64_t seed)
{
	struct mentions mentions = { 0 };
	*out = NULL;
	const char **sorted = cn_alloc(count, sizeof(*sorted));
	if (!sorted)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = paths[i];
	qsort(sorted, count, sizeof(*sorted), compare_places);
	int status = pair_folders(&mentions, sorted, drop_repeated(sorted, count), most, seed);
	if (status == 0)
		status = make_pairs(out, &mentions);
	cn_free(mentions.paths);
	cn_free(sorted);
	return status;
}

/* ---- both ---- */

void cairn_pairs_free(cairn_pairs *pairs)
{
	if (!pairs)
		return;
	for (size_t i = 0; pairs->paths && i < pairs->image_count; i++)
		cn_free(pairs->paths[i]);
	cn_free(pairs->paths);
	cn_free(pairs->pairs);
	cn_free(pairs);
}

size_t cairn_pairs_count(const cairn_pairs *pairs)
{
	return pairs->count;
}

size_t cairn_pairs_images(const cairn_pairs *pairs)
{
	return pairs->image_count;
}

void cairn_pairs_get(const cairn_pairs *pairs, size_t i, const char **query, const char **positive)
{
	*query = pairs->paths[pairs->pairs[2 * i]];
	*positive = pairs->paths[pairs->pairs[2 * i + 1]];
}

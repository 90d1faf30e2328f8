/*
 * Finding images. Folders are known by device and inode, so that links that lead in a circle end, and a folder that can
 * be reached in two ways gives its images once.
 */
#include "collection/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cairn/collection.h"
#include "cairn/image.h"
#include "collection/keymap.h"
#include "util/file.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/text.h"

#define LIST_MAX_BYTES ((uint64_t)1 << 32)

struct scan {
	cn_path_list *out;
	cn_scan_error_cb on_error;
	void *payload;
	cn_progress *progress;
	cn_keymap folders; /* (device, inode) of those searched */
};

void cn_path_list_free(cn_path_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		cn_free(list->paths[i]);
	cn_free(list->paths);
	*list = (cn_path_list){ 0 };
}

/* Takes the path over, also on failure. */
static int append(cn_path_list *list, char *path)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;
		char **larger = cn_realloc(list->paths, capacity, sizeof(*larger));
		if (!larger) {
			cn_free(path);
			return CAIRN_ENOMEM;
		}
		list->paths = larger;
		list->capacity = capacity;
	}
	list->paths[list->count++] = path;
	return 0;
}

/* Tells of the failure that is in the error text; only what would stop everything is returned. */
static int tell(struct scan *scan, const char *path, int status)
{
	if (status == CAIRN_ENOMEM || status == CAIRN_ECANCELLED)
		return status;
	scan->on_error(path, status, cairn_last_error(), scan->payload);
	return cn_progress_add(scan->progress, 0, 1);
}

static int search_folder(struct scan *scan, const char *folder, const struct stat *info);

/* A name found in a folder; takes the path over. */
static int visit(struct scan *scan, char *path)
{
	struct stat info;
	int status = 0;
	if (stat(path, &info) != 0) {
		/* A link that leads nowhere, or something that vanished, matters only where an image was expected; but
		 * behind a path that is too long there may be a whole folder. */
		if (cairn_image_extension(path) || errno == ENAMETOOLONG)
			status = tell(scan, path, cn_fail_errno("cannot open '%s'", path));
	} else if (S_ISDIR(info.st_mode)) {
		status = search_folder(scan, path, &info);
	} else if (cairn_image_extension(path) && S_ISREG(info.st_mode)) {
		CN_TRY(append(scan->out, path));
		return cn_progress_add(scan->progress, 1, 0);
	} else if (cairn_image_extension(path)) {
		status = tell(scan, path, cn_fail(CAIRN_EFORMAT, "'%s' is not a regular file, no image", path));
	}
	cn_free(path);
	return status;
}

static int search_folder(struct scan *scan, const char *folder, const struct stat *info)
{
	int fresh = cn_keymap_put(&scan->folders, (cn_key){ (uint64_t)info->st_dev, (uint64_t)info->st_ino }, 0, NULL);
	if (fresh <= 0)
		return fresh;
	char **names;
	size_t count;
	int status = cn_folder_list(folder, &names, &count);
	if (status < 0)
		return tell(scan, folder, status);
	for (size_t i = 0; i < count && status == 0; i++) {
		char *path = cn_path_join(folder, names[i]);
		status = path ? visit(scan, path) : CAIRN_ENOMEM;
	}
	cn_names_free(names, count);
	return status;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A path that the user named; takes it over. */
static int add_named(struct scan *scan, char *path)
{
	struct stat info;
	if (stat(path, &info) != 0) {
		int status = tell(scan, path, cn_fail_errno("cannot open '%s'", path));
		cn_free(path);
		return status;
	}
	if (!S_ISDIR(info.st_mode)) {
		CN_TRY(append(scan->out, path));
		return cn_progress_add(scan->progress, 1, 0);
	}
	size_t before = scan->out->count;
	int status = search_folder(scan, path, &info);
	cn_free(path);
	/* Names are in order within each folder, but "a.jpg" comes before "a/b.jpg" only in the order of whole paths.
	 */
	if (scan->out->count > before)
		qsort(scan->out->paths + before, scan->out->count - before, sizeof(char *), compare_paths);
	return status;
}

int cn_scan_resolve(char **out, const char *file, const char *path)
{
	char *folder, *joined = NULL;
	struct stat info;
	if (*path == '/')
		return cn_path_absolute(out, path);
	CN_TRY(cn_path_absolute(&folder, file));
	folder[cn_path_base(folder) - folder] = '\0';
	joined = cn_path_join(folder, path);
	cn_free(folder);
	if (!joined)
		return CAIRN_ENOMEM;
	int status = cn_path_absolute(out, lstat(joined, &info) == 0 ? joined : path);
	cn_free(joined);
	return status;
}

/* Of a byte order mark, which some editors put before a text. */
static size_t mark_length(const char *text, size_t length)
{
	return length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static int add_list(struct scan *scan, const char *list)
{
	char *text;
	size_t length;
	int status = cn_file_read(list, LIST_MAX_BYTES, &text, &length);
	if (status == 0 && memchr(text, '\0', length)) {
		cn_free(text);
		status = cn_fail(CAIRN_EFORMAT, "%s: holds a NUL byte; it should be a text with a path a line", list);
	}
	if (status < 0)
		return tell(scan, list,
			    cn_fail_context(status, "'@%s' names a list (a file of that name is written './@%s')", list,
					    list));
	for (char *line = text + mark_length(text, length), *next; line < text + length && status == 0; line = next) {
		char *end = memchr(line, '\n', (size_t)(text + length - line));
		next = end ? end + 1 : text + length;
		end = end ? end : next;
		if (end > line && end[-1] == '\r')
			end--;
		*end = '\0';
		char *path;
		if (!*line)
			continue;
		status = cn_scan_resolve(&path, list, line);
		if (status == 0)
			status = add_named(scan, path);
	}
	cn_free(text);
	return status;
}

/* Leaves the first of each path. */
static int drop_repeated(cn_path_list *list)
{
	cn_keymap seen = { 0 };
	size_t kept = 0;
	int status = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (status >= 0)
			status = cn_keymap_put(&seen, cn_key_of(list->paths[i], strlen(list->paths[i])), 0, NULL);
		if (status == 1)
			list->paths[kept++] = list->paths[i];
		else
			cn_free(list->paths[i]);
	}
	list->count = kept;
	cn_keymap_free(&seen);
	return status < 0 ? status : 0;
}

int cn_scan(cn_path_list *out, const char *const *paths, size_t count, cn_scan_error_cb on_error, void *payload,
	    cn_progress *progress)
{
	struct scan scan = { out, on_error, payload, progress, { 0 } };
	int status = 0;
	*out = (cn_path_list){ 0 };
	for (size_t i = 0; i < count && status == 0; i++) {
		char *path;
		if (paths[i][0] == '@') {
			status = add_list(&scan, paths[i] + 1);
		} else {
			status = cn_path_absolute(&path, paths[i]);
			if (status == 0)
				status = add_named(&scan, path);
		}
	}
	cn_keymap_free(&scan.folders);
	if (status == 0)
		status = drop_repeated(out);
	if (status < 0)
		cn_path_list_free(out);
	return status;
}

static void warn(const char *path, int status, const char *message, void *payload)
{
	(void)path, (void)status, (void)payload;
	cn_log(CAIRN_LOG_WARNING, "passed over: %s", message);
}

int cairn_find_images(const char *const *paths, size_t count, char ***out, size_t *found)
{
	cn_path_list list;
	cn_progress progress;
	*out = NULL;
	cn_progress_start(&progress, NULL, NULL, "finding images", 0);
	int status = cn_scan(&list, paths, count, warn, NULL, &progress);
	cn_progress_end(&progress);
	CN_TRY(status);
	*out = list.paths;
	*found = list.count;
	return 0;
}

void cairn_paths_free(char **paths, size_t count)
{
	cn_path_list list = { .paths = paths, .count = count };
	cn_path_list_free(&list);
}

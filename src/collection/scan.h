/*
 * collection/scan.h - from what the user names (files, folders, lists) to absolute paths of image files.
 */
#ifndef CN_COLLECTION_SCAN_H
#define CN_COLLECTION_SCAN_H

#include <stddef.h>

#include "util/progress.h"

/** Absolute paths in the order in which images are added, each once. */
typedef struct {
	char **paths;
	size_t count, capacity;
} cn_path_list;

void cn_path_list_free(cn_path_list *list);

/** Told of a path that cannot be read. */
typedef void (*cn_scan_error_cb)(const char *path, int status, const char *message, void *payload);

/**
 * Expand paths.
 *
 * A file is taken whatever its name. A folder is searched with all below it for names that end like an image's (jpg,
 * jpeg, png, webp, tif, tiff, gif, heic, heif, avif; either case), in byte order of the paths; symbolic links are
 * followed, and a folder that is reached twice is searched once. "@list.txt" stands for the paths in it, one a line,
 * relative to the list's folder where that exists and otherwise to the working directory.
 *
 * @param progress counts the images found
 * @return 0, also where some paths cannot be read (told to on_error); CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_scan(cn_path_list *out, const char *const *paths, size_t count, cn_scan_error_cb on_error, void *payload,
	    cn_progress *progress);

/**
 * A path out of a file (a list, a CSV) made absolute: relative to the folder of that file where something of that name
 * is there, otherwise to the working directory.
 *
 * @param file the file it stands in
 */
int cn_scan_resolve(char **out, const char *file, const char *path);

#endif

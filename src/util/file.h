/*
 * util/file.h - files and folders: whole-file reading, atomic writing, listing.
 */
#ifndef CN_UTIL_FILE_H
#define CN_UTIL_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/status.h"

/** Read a whole file. @param limit CAIRN_ELIMIT above it. @param[out] bytes NUL added behind; caller frees */
int cn_file_read(const char *path, uint64_t limit, char **bytes, size_t *length);

/**
 * A file being written under a temporary name, ".cairn-PID-N.tmp", in the same folder. A link is followed; a device or
 * pipe is written to directly.
 */
typedef struct {
	FILE *stream;
	char *path, *temporary;
} cn_atomic_file;

int cn_atomic_open(cn_atomic_file *file, const char *path);

/** Flush, fsync, rename into place, fsync the folder; on failure the temporary file is gone and the old one untouched.
 */
int cn_atomic_commit(cn_atomic_file *file);

/** Give up; harmless after a commit. */
void cn_atomic_abort(cn_atomic_file *file);

/** fwrite() that fails with the path in the text. */
int cn_atomic_write(cn_atomic_file *file, const void *bytes, size_t length);

/** Write a whole file atomically. */
int cn_file_write(const char *path, const void *bytes, size_t length);

int cn_folder_make(const char *path); /**< with its parents; 0 if it is there */
int cn_folder_sync(const char *path);
int cn_parent_sync(const char *path);   /**< the folder that a file is in */
int cn_folder_remove(const char *path); /**< with all it holds; 0 if it is not there */

/** Names in a folder ("." and ".." left out), in byte order. Free with cn_names_free(). */
int cn_folder_list(const char *path, char ***names, size_t *count);
void cn_names_free(char **names, size_t count);

int cn_file_exists(const char *path); /**< 1 or 0 */

/** Size and CRC-32C of a whole file. */
int cn_file_checksum(const char *path, uint64_t *size, uint32_t *crc);

#endif

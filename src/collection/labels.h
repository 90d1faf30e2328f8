/*
 * collection/labels.h - the CSV file that says which image has which label.
 */
#ifndef CN_COLLECTION_LABELS_H
#define CN_COLLECTION_LABELS_H

#include <stddef.h>

#include "collection/keymap.h"
#include "util/text.h"

/** Labels by absolute path; start zeroed. */
typedef struct {
	cn_keymap rows; /* hash of the path: index into offsets */
	cn_text text;   /* labels, each with its NUL */
	size_t *offsets, *lines;
	unsigned char *used; /* 1 where it was found */
	size_t count, capacity;
} cn_labels;

/**
 * Read a CSV file with a header that names a column "path" or "image" and a column "label"; other columns are passed
 * over. Relative paths are taken from the folder of the CSV file where the image is there, otherwise from the working
 * directory.
 *
 * @return 0; CAIRN_ENOTFOUND; CAIRN_EFORMAT with "file:line: what" for a missing header or column, a record of another
 *         length than the header, an empty path, or a path that has two different labels; CAIRN_ENOMEM
 */
int cn_labels_read(cn_labels *out, const char *file);
void cn_labels_free(cn_labels *labels);

/** Borrowed; NULL where the file has no such path; empty where it gives it no label. @param path absolute */
const char *cn_labels_find(cn_labels *labels, const char *path);

/** How many were never found. */
size_t cn_labels_unused(const cn_labels *labels);

/** Name of the folder that holds the file, copied into `out`. @return 0; CAIRN_ENOMEM */
int cn_label_of_parent(cn_text *out, const char *path);

#endif

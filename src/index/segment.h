/*
 * index/segment.h - descriptor segments: two .npy files, rows (float32, count x dim) and the image id of each row
 * (int64, ascending). docs/format.md, "Descriptor segments".
 */
#ifndef CN_INDEX_SEGMENT_H
#define CN_INDEX_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "util/npy.h"

/** A mapped segment. */
typedef struct {
	cn_npy rows_file, images_file;
	const float *rows;     /**< count x dim */
	const int64_t *images; /**< count, ascending, >= 1 */
	size_t count, dim;
} cn_row_segment;

/**
 * Map a segment and check shapes, types and the order of the ids; values are not read.
 *
 * @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED naming the file; CAIRN_ENOMEM
 */
int cn_row_segment_open(cn_row_segment *out, const char *rows_path, const char *images_path, size_t dim);
void cn_row_segment_close(cn_row_segment *segment); /**< harmless on a zeroed struct */

/** A segment being written; both files get their names in cn_row_writer_commit(). */
typedef struct {
	cn_atomic_file rows_file, images_file;
	size_t count, dim, written;
	int64_t last;
} cn_row_writer;

int cn_row_writer_open(cn_row_writer *writer, const char *rows_path, const char *images_path, size_t count, size_t dim);

/** Append one row. @param image not below the one before */
int cn_row_writer_add(cn_row_writer *writer, int64_t image, const float *row);

/** Sync and rename; CAIRN_EINVALID unless exactly `count` rows were added. */
int cn_row_writer_commit(cn_row_writer *writer);
void cn_row_writer_abort(cn_row_writer *writer); /**< harmless after a commit */

/** Size and CRC-32C of a whole file, as the catalogue keeps them. */
int cn_file_checksum(const char *path, uint64_t *size, uint32_t *crc);

#endif

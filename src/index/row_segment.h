/*
 * index/row_segment.h - descriptor segments: four .npy files, rows (float16, count x dim), 8-bit codes of the rows
 * (int8, count x dim), their scales (float32, count) and the image id of each row (int64, ascending). docs/format.md,
 * "Descriptor segments".
 *
 * Codes and scales are a function of the half-precision rows and of nothing else (math/codes.h), so that they can be
 * checked, and made again, whenever the rows are whole.
 */
#ifndef CN_INDEX_ROW_SEGMENT_H
#define CN_INDEX_ROW_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "util/npy.h"

/** The files of a segment, in the order of all arrays of paths below. */
enum { CN_FILE_ROWS, CN_FILE_CODES, CN_FILE_SCALES, CN_FILE_IMAGES, CN_ROW_FILES };

/** What each holds: "rows", "codes", "scales", "images". */
extern const char *const cn_row_file_roles[CN_ROW_FILES];

/** A mapped segment. */
typedef struct {
	cn_npy files[CN_ROW_FILES];
	const uint16_t *rows;  /**< count x dim float16 */
	const int8_t *codes;   /**< count x dim */
	const float *scales;   /**< count */
	const int64_t *images; /**< count, ascending, >= 1 */
	size_t count, dim;
} cn_row_segment;

/**
 * Map a segment and check shapes, types and the order of the ids; other values are not read.
 *
 * @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED naming the file; CAIRN_ENOMEM
 */
int cn_row_segment_open(cn_row_segment *out, const char *const *paths, size_t dim);
void cn_row_segment_close(cn_row_segment *segment); /**< harmless on a zeroed struct */

/**
 * Compare a file with what the rows give.
 *
 * @param file CN_FILE_CODES or CN_FILE_SCALES
 * @return 0; CAIRN_EDAMAGED with the row that differs; CAIRN_ENOMEM
 */
int cn_row_segment_compare(const cn_row_segment *segment, int file);

/** A segment being written; the files get their names in cn_row_writer_commit(). */
typedef struct {
	cn_atomic_file files[CN_ROW_FILES];
	size_t count, dim, written;
	int64_t last;
	float *values; /* of the row in hand */
	int8_t *codes;
} cn_row_writer;

/** @param paths a file whose path is NULL is not written */
int cn_row_writer_open(cn_row_writer *writer, const char *const *paths, size_t count, size_t dim);

/** Append one row, and its codes. @param image not below the one before. @param row dim float16. CAIRN_EINVALID where
 * a number is not finite */
int cn_row_writer_add(cn_row_writer *writer, int64_t image, const uint16_t *row);

/** Sync and rename; CAIRN_EINVALID unless exactly `count` rows were added. */
int cn_row_writer_commit(cn_row_writer *writer);
void cn_row_writer_abort(cn_row_writer *writer); /**< harmless after a commit */

/**
 * Write codes and scales anew, of a segment whose rows are whole.
 *
 * @param paths of the rows, which are read, and of codes and scales, which are written
 * @return 0; CAIRN_EDAMAGED where there are not count x dim finite numbers; CAIRN_ENOTFOUND; CAIRN_EIO; CAIRN_ENOSPACE
 */
int cn_row_codes_write(const char *const *paths, size_t count, size_t dim);

#endif

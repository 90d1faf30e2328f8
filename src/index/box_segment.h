/*
 * index/box_segment.h - a file with the boxes of many images: a .npy file of float64, one line a box with image id, x0,
 * y0, x1, y1 and score. docs/format.md, "Boxes".
 *
 * Thread-safety: an open file may be read from any number of threads.
 */
#ifndef CN_INDEX_BOX_SEGMENT_H
#define CN_INDEX_BOX_SEGMENT_H

#include <stdint.h>

#include "data/boxes.h"
#include "util/npy.h"

/** A line of the file. */
typedef struct {
	double image;
	cn_found_box box;
} cn_box_line;

/** A mapped file. */
typedef struct {
	cn_npy file;
	const cn_box_line *lines; /**< count; what they hold is checked when they are read */
	size_t count;
} cn_box_segment;

/** Map a file; type and shape are checked. @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED naming the file */
int cn_box_segment_open(cn_box_segment *out, const char *path);

/** The same on bytes in memory, which are borrowed and aligned to 8. @param name what errors call it */
int cn_box_segment_parse(cn_box_segment *out, const void *bytes, size_t length, const char *name);
void cn_box_segment_close(cn_box_segment *segment); /**< harmless on a zeroed struct */

/** The image of line i. @return 0; CAIRN_EDAMAGED where the line makes no sense, or not behind the one before */
int cn_box_segment_line(const cn_box_segment *segment, size_t i, int64_t *image);

/** The boxes of an image; none is no error. @param[out] out caller frees. @return 0; CAIRN_EDAMAGED; CAIRN_ENOMEM */
int cn_box_segment_read(const cn_box_segment *segment, int64_t image, cn_boxes *out);

/** Lines that are gathered, to be written at once. */
typedef struct {
	cn_box_line *lines;
	size_t count, capacity;
} cn_box_writer;

/** @param image above the one before */
int cn_box_writer_add(cn_box_writer *writer, int64_t image, const cn_boxes *boxes);

/** Write the file, sync, rename. */
int cn_box_writer_commit(const cn_box_writer *writer, const char *path);
void cn_box_writer_free(cn_box_writer *writer); /**< harmless on a zeroed struct */

#endif

/*
 * index/feature_segment.h - a file with the local features of many images, of one kind.
 *
 * Every byte is covered by a checksum: header and table when the file is opened, each image's block when it is read.
 * Scale and score are kept as half-precision numbers, the angle in 65536ths of a turn, from 0 up to one turn.
 * Coordinates are 16-bit fixed point: steps of full width (height) / 65535, so that the error is at most 1/131070 of
 * the side: 0.005 pixels at 640, 0.05 at 6000. docs/format.md, "Feature segments", has the layout.
 *
 * Thread-safety: an open segment may be read from any number of threads.
 */
#ifndef CN_INDEX_FEATURE_SEGMENT_H
#define CN_INDEX_FEATURE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/features.h"

typedef struct cn_feature_segment cn_feature_segment;
typedef struct cn_feature_writer cn_feature_writer;

/** Begin a file. @param kind,dim of all sets that will be added */
int cn_feature_writer_new(cn_feature_writer **out, const char *path, const char *kind, uint32_t dim);

/** Append the features of an image. @param image above the one before */
int cn_feature_writer_add(cn_feature_writer *writer, int64_t image, const cairn_features *features);

/** Write table and header, sync, rename. */
int cn_feature_writer_commit(cn_feature_writer *writer);

/** Free; what was not committed is deleted. NULL is allowed. */
void cn_feature_writer_free(cn_feature_writer *writer);

/** Map a file; header and table are checked. @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED naming the file;
 * CAIRN_EUNSUPPORTED where a newer cairn wrote it */
int cn_feature_segment_open(cn_feature_segment **out, const char *path);

/** The same on bytes in memory, which are borrowed and aligned to 8. @param name what errors call it */
int cn_feature_segment_parse(cn_feature_segment **out, const void *bytes, size_t length, const char *name);
void cn_feature_segment_free(cn_feature_segment *segment); /**< NULL is allowed */

const char *cn_feature_segment_kind(const cn_feature_segment *segment);
size_t cn_feature_segment_count(const cn_feature_segment *segment);

/** Image id of entry i; ascending. */
int64_t cn_feature_segment_image(const cn_feature_segment *segment, size_t i);

/** The features of an image. @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED where its block fails its checksum */
int cn_feature_segment_read(const cn_feature_segment *segment, int64_t image, cairn_features **out);

#endif

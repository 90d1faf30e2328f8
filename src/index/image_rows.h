/*
 * index/image_rows.h - the images of numbered rows, in order of their ids.
 *
 * An image's place among those that count is its number; lists of images hold these, not ids, and so half the bytes.
 */
#ifndef CN_INDEX_IMAGE_ROWS_H
#define CN_INDEX_IMAGE_ROWS_H

#include "index/row_parts.h"

typedef struct {
	const cn_row_parts *parts; /**< borrowed */
	const uint64_t *live;      /**< borrowed: which rows count; NULL: all */
	size_t count;              /**< images that count */
	int64_t *ids;              /**< count, ascending */
	uint32_t *first;           /**< count: number of the first row of each */
	uint32_t *image;           /**< parts->numbers: the image of each row; 0 for rows that do not count */
} cn_image_rows;

/** @return 0; CAIRN_EINVALID where ids do not ascend from part to part; CAIRN_ENOMEM */
int cn_image_rows_init(cn_image_rows *out, const cn_row_parts *parts, const uint64_t *live);
void cn_image_rows_free(cn_image_rows *images);

/** How many rows an image has; they follow its first. */
size_t cn_image_rows_of(const cn_image_rows *images, size_t image);

/** The rows of an image as floats. @param[out] vectors cn_image_rows_of() x dim */
void cn_image_rows_read(const cn_image_rows *images, size_t image, float *vectors);

#endif

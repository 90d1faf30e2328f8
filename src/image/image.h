/*
 * image/image.h - what a cairn_image is inside, and the one gate to libvips.
 */
#ifndef CN_IMAGE_IMAGE_H
#define CN_IMAGE_IMAGE_H

#include "cairn/image.h"
#include "util/status.h"

/** Longest side that cairn_image_new() and cairn_image_resize() make. */
#define CN_IMAGE_MAX_SIDE (1u << 20)

struct cairn_image {
	uint32_t width, height;           /* of the pixels */
	uint32_t full_width, full_height; /* of the upright image they were made from */
	uint8_t *pixels;                  /* height x width x 3 */
};

/** As cairn_image_new() with the pixels left as they come. Full size = size. */
int cn_image_blank(cairn_image **out, uint32_t width, uint32_t height);

/** Exchange left and right, in place. */
void cn_image_flip(cairn_image *image);

/**
 * Start libvips once a process, with one thread an image and without its cache: cairn works on many images at a time
 * and seldom on the same one twice.
 */
int cn_vips_start(void);

/** Move what libvips said last, as one line, into `text`, which is empty if it said nothing; its buffer is shared by
 * all threads of the process. */
void cn_vips_error(char *text, size_t size);

#endif

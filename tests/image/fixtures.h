/*
 * tests/image/fixtures.h - image files of every kind, made in memory, with the pixels they must decode to.
 */
#ifndef CN_TESTS_IMAGE_FIXTURES_H
#define CN_TESTS_IMAGE_FIXTURES_H

#include <stddef.h>
#include <stdint.h>
#include <vips/vips.h>

#include "cairn/image.h"

/** Size of the picture in every file: four quadrants, each of one colour. */
#define PICTURE_WIDTH  96
#define PICTURE_HEIGHT 64

/** Colours of the quadrants: top left, top right, bottom left, bottom right. */
typedef struct {
	uint8_t colours[4][3];
} quadrants;

extern const quadrants COLOURS, OVER_WHITE, GREYS, GREYS_OVER_WHITE;

/** One kind of file. */
typedef struct {
	const char *name;
	VipsImage *(*make)(void);
	const char *suffix; /**< of vips_image_write_to_buffer(), with options */
	const quadrants *expected;
	int tolerance; /**< in grey levels, at the middle of a quadrant */
	int optional;  /**< not every libvips writes it */
} file_kind;

extern const file_kind FILE_KINDS[];
extern const size_t FILE_KIND_COUNT;

/** A file in memory. */
typedef struct {
	void *bytes;
	size_t length;
} file_bytes;

/** Start libvips as cairn does. */
void fixtures_start(void);

/** From now on all kinds of files show this image in 8-bit sRGB, not the picture of four quadrants; borrowed. */
void fixtures_draw(VipsImage *image);

/** @return 0 where this libvips cannot write it and it is optional; the caller frees with file_free() */
int file_make(file_bytes *file, const file_kind *kind);

/** Encode and unref an image; fails the test if that fails. */
void file_encode(file_bytes *file, VipsImage *image, const char *suffix);
void file_free(file_bytes *file);

/** The picture in 8-bit sRGB, width x height pixels. */
VipsImage *picture(int width, int height);

/** The middle of every quadrant has the expected colour. */
void assert_quadrants(const cairn_image *image, const quadrants *expected, int tolerance, const char *name);

#endif

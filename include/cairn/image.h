/*
 * cairn/image.h - photographs: decoding, exact resizing, cropping, drawing, saving.
 *
 * A cairn_image holds 8-bit sRGB pixels, three interleaved channels (R, G, B), row after row, top row first, no padding
 * between rows. Whatever the file was (JPEG, PNG, WebP, TIFF, GIF's first frame, HEIC where the system's libvips reads
 * it; CMYK, grey, 16-bit, with alpha, with an ICC profile, turned by EXIF), the image is upright sRGB over white.
 *
 * Thread-safety: an image may be read from any number of threads while none changes it. Different images are
 * independent.
 */
#ifndef CAIRN_IMAGE_H
#define CAIRN_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_image cairn_image;

/** A rectangle in pixels; x1 and y1 are exclusive. Fractions are allowed; cropping rounds outwards to whole pixels. */
typedef struct {
	double x0, y0, x1, y1;
} cairn_box;

/** Red, green, blue, 0 to 255. */
typedef struct {
	uint8_t r, g, b;
} cairn_colour;

/** How a file is decoded. */
typedef struct {
	uint32_t version;    /**< CAIRN_IMAGE_OPTIONS_VERSION */
	uint64_t max_pixels; /**< refuse files with more pixels than this (CAIRN_ELIMIT); default 400 million */
	uint64_t max_bytes;  /**< refuse files larger than this (CAIRN_ELIMIT); default 512 MiB */
	uint32_t
		shrink_to; /**< 0: full size. Otherwise the decoder may reduce the image while it decodes as long as its
			    *   longest side stays at least this many pixels: several times faster for camera JPEGs */
	int lenient; /**< not 0: of a truncated file give what can be read, with a warning; CAIRN_EFORMAT where that is
			nothing */
	uint32_t shrink_shortest; /**< where it reduces, the shortest side, too, stays at least this many pixels; 0: any
				   */
} cairn_image_options;

#define CAIRN_IMAGE_OPTIONS_VERSION 2
#define CAIRN_IMAGE_OPTIONS_INIT                                                                                       \
	{                                                                                                              \
		CAIRN_IMAGE_OPTIONS_VERSION, 400000000u, 536870912u, 0, 0, 0                                           \
	}

/**
 * Decode an image file.
 *
 * @param[out] out     the new image; the caller frees it with cairn_image_free()
 * @param      path    the file; any byte sequence the file system knows
 * @param      options NULL for the defaults
 * @return 0; CAIRN_ENOTFOUND, CAIRN_EIO; CAIRN_EFORMAT where the file is empty, truncated, damaged or no image;
 *         CAIRN_ELIMIT; CAIRN_ENOMEM
 */
CAIRN_API int cairn_image_open(cairn_image **out, const char *path, const cairn_image_options *options);

/**
 * Decode an image from memory.
 *
 * @param name what errors call it
 * @return as cairn_image_open()
 */
CAIRN_API int cairn_image_decode(cairn_image **out, const void *bytes, size_t length, const char *name,
				 const cairn_image_options *options);

/** The extensions of image files without their dot, in lower case; NULL behind the last. Folders are searched for them;
 * what a file is, its content alone decides. */
CAIRN_API const char *const *cairn_image_extensions(void);

/** Where the extension of an image file begins: its dot; NULL where the name has none of cairn_image_extensions(). */
CAIRN_API const char *cairn_image_extension(const char *path);

/**
 * Size of the upright image in a file, from the file's header alone: nothing is decoded.
 *
 * @param[out] width,height as cairn_image_full_width() and cairn_image_full_height() of the decoded image
 * @param      options      NULL for the defaults
 * @return as cairn_image_open(); damage behind the header is not seen
 */
CAIRN_API int cairn_image_size(const char *path, const cairn_image_options *options, uint32_t *width, uint32_t *height);

/**
 * Make an image from pixels, which are copied.
 *
 * @param pixels height x width x 3 bytes, RGB; NULL for a white image
 * @return 0; CAIRN_EINVALID where a side is 0 or above 2^20; CAIRN_ENOMEM
 */
CAIRN_API int cairn_image_new(cairn_image **out, uint32_t width, uint32_t height, const uint8_t *pixels);

/** Free an image; NULL is allowed. */
CAIRN_API void cairn_image_free(cairn_image *image);

CAIRN_API uint32_t cairn_image_width(const cairn_image *image);
CAIRN_API uint32_t cairn_image_height(const cairn_image *image);

/** Size of the upright image in the file, before any reduction; coordinates of features refer to it. */
CAIRN_API uint32_t cairn_image_full_width(const cairn_image *image);
CAIRN_API uint32_t cairn_image_full_height(const cairn_image *image);

/** Borrowed pixels: height x width x 3 bytes, RGB; valid until the image is drawn on or freed. */
CAIRN_API const uint8_t *cairn_image_pixels(const cairn_image *image);

/**
 * Resize to exactly width x height pixels.
 *
 * The rule, on which descriptors depend, for each axis by itself: on reduction, a target pixel is the average of the
 * source over the target pixel's extent, source pixels counting by the share of them that is inside; otherwise linear
 * interpolation at (i + 0.5) * source / target - 0.5 with edges clamped. Arithmetic is in floating point, with an error
 * of at most one grey level. docs/methods.md, "Resizing", derives it.
 *
 * @return 0; CAIRN_EINVALID where a side is 0 or above 2^20; CAIRN_ENOMEM
 */
CAIRN_API int cairn_image_resize(cairn_image **out, const cairn_image *image, uint32_t width, uint32_t height);

/**
 * Cut out a box, given in pixels of the full-size upright image (see cairn_image_full_width()), clamped to the image.
 *
 * @return 0; CAIRN_EINVALID where nothing of the box is inside, or a corner is not finite; CAIRN_ENOMEM
 */
CAIRN_API int cairn_image_crop(cairn_image **out, const cairn_image *image, cairn_box box);

/** Grey levels by Rec. 601: 0.299 R + 0.587 G + 0.114 B. @param[out] grey height x width floats, 0 to 255, caller's */
CAIRN_API void cairn_image_grey(const cairn_image *image, float *grey);

/** Draw in place, in pixels of this image, clipped to it; thickness in pixels, >= 1; smoothed edges. */
CAIRN_API void cairn_image_draw_line(cairn_image *image, double x0, double y0, double x1, double y1, double thickness,
				     cairn_colour colour);
CAIRN_API void cairn_image_draw_circle(cairn_image *image, double x, double y, double radius, double thickness,
				       cairn_colour colour);
CAIRN_API void cairn_image_draw_box(cairn_image *image, cairn_box box, double thickness, cairn_colour colour);

/** Copy `source` onto `image` with its top left corner at (x, y), clipped. */
CAIRN_API void cairn_image_paste(cairn_image *image, const cairn_image *source, int64_t x, int64_t y);

/**
 * Encode for storage or a page.
 *
 * @param[out] bytes   the file's content; the caller frees it with cairn_bytes_free()
 * @param      format  "jpeg" or "png"
 * @param      quality JPEG quality 1 to 100; ignored for PNG
 */
CAIRN_API int cairn_image_encode(const cairn_image *image, const char *format, int quality, uint8_t **bytes,
				 size_t *length);

/** Free what cairn_image_encode() and other functions return as bytes or text; NULL is allowed. */
CAIRN_API void cairn_bytes_free(void *bytes);

/** Save as JPEG (.jpg, .jpeg; quality 90) or PNG (.png), written to a temporary name first and renamed. */
CAIRN_API int cairn_image_save(const cairn_image *image, const char *path);

#ifdef __cplusplus
}
#endif
#endif

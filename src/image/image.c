/*
 * Images in memory: making, freeing, looking, cropping, grey levels, pasting.
 */
#include "image/image.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "util/memory.h"
#include "util/text.h"

const char *const *cairn_image_extensions(void)
{
	static const char *const extensions[] = { "jpg", "jpeg", "png",  "webp", "tif", "tiff",
						  "gif", "heic", "heif", "avif", NULL };
	return extensions;
}

const char *cairn_image_extension(const char *path)
{
	const char *dot = strrchr(cn_path_base(path), '.');
	for (const char *const *known = cairn_image_extensions(); dot && *known; known++)
		if (strcasecmp(dot + 1, *known) == 0)
			return dot;
	return NULL;
}

int cn_image_blank(cairn_image **out, uint32_t width, uint32_t height)
{
	cairn_image *image;
	size_t row;

	*out = NULL;
	CN_TRY(cn_size_mul(width, 3, &row));
	CN_NEW(image, 1, sizeof(*image));
	*image = (cairn_image){ width, height, width, height, NULL };
	image->pixels = cn_alloc_aligned(height, row);
	if (!image->pixels) {
		cn_free(image);
		return CAIRN_ENOMEM;
	}
	*out = image;
	return 0;
}

int cairn_image_new(cairn_image **out, uint32_t width, uint32_t height, const uint8_t *pixels)
{
	*out = NULL;
	if (width < 1 || height < 1 || width > CN_IMAGE_MAX_SIDE || height > CN_IMAGE_MAX_SIDE)
		return cn_fail(CAIRN_EINVALID, "an image of %u x %u pixels: each side must be 1 to %u", width, height,
			       CN_IMAGE_MAX_SIDE);
	CN_TRY(cn_image_blank(out, width, height));

	size_t size = (size_t)width * height * 3;

	if (pixels)
		memcpy((*out)->pixels, pixels, size);
	else
		memset((*out)->pixels, 255, size);
	return 0;
}

void cairn_image_free(cairn_image *image)
{
	if (!image)
		return;
	cn_free(image->pixels);
	cn_free(image);
}

uint32_t cairn_image_width(const cairn_image *image)
{
	return image->width;
}

uint32_t cairn_image_height(const cairn_image *image)
{
	return image->height;
}

uint32_t cairn_image_full_width(const cairn_image *image)
{
	return image->full_width;
}

uint32_t cairn_image_full_height(const cairn_image *image)
{
	return image->full_height;
}

const uint8_t *cairn_image_pixels(const cairn_image *image)
{
	return image->pixels;
}

/* One axis of a box: whole pixels [*begin, *end) of the decoded image, and how many full-size pixels those are. */
static int crop_axis(double from, double to, uint32_t size, uint32_t full, uint32_t *begin, uint32_t *end,
		     uint32_t *full_length)
{
	double scale = (double)size / full;

	if (!(from < to) || from >= full || to <= 0)
		return 0;
	*begin = (uint32_t)floor(fmax(from, 0) * scale);
	*end = (uint32_t)ceil(fmin(to, full) * scale);
	/* Rounding of the products can leave the image by one. */
	if (*end > size)
		*end = size;
	if (*begin >= *end)
		*begin = *end - 1;
	*full_length = (uint32_t)lround((*end - *begin) / scale);
	return 1;
}

int cairn_image_crop(cairn_image **out, const cairn_image *image, cairn_box box)
{
	uint32_t x0, x1, y0, y1, full_width, full_height;

	*out = NULL;
	if (!isfinite(box.x0) || !isfinite(box.y0) || !isfinite(box.x1) || !isfinite(box.y1))
		return cn_fail(CAIRN_EINVALID, "box %g,%g,%g,%g: a corner is not finite", box.x0, box.y0, box.x1,
			       box.y1);
	if (!crop_axis(box.x0, box.x1, image->width, image->full_width, &x0, &x1, &full_width) ||
	    !crop_axis(box.y0, box.y1, image->height, image->full_height, &y0, &y1, &full_height))
		return cn_fail(CAIRN_EINVALID,
			       "box %g,%g,%g,%g holds nothing of the image, which goes from 0,0 to %u,%u; a box is "
			       "x0,y0,x1,y1 with x0 < x1 and y0 < y1",
			       box.x0, box.y0, box.x1, box.y1, image->full_width, image->full_height);
	CN_TRY(cn_image_blank(out, x1 - x0, y1 - y0));
	(*out)->full_width = full_width;
	(*out)->full_height = full_height;
	for (uint32_t y = y0; y < y1; y++)
		memcpy((*out)->pixels + (size_t)(y - y0) * (x1 - x0) * 3,
		       image->pixels + ((size_t)y * image->width + x0) * 3, (size_t)(x1 - x0) * 3);
	return 0;
}

void cairn_image_grey(const cairn_image *image, float *grey)
{
	size_t count = (size_t)image->width * image->height;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *pixel = image->pixels + 3 * i;

		grey[i] = 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
	}
}

/* The part of [at, at + length) that lies in [0, size): where it begins in the source, and its length. */
static uint32_t clip_span(int64_t at, uint32_t length, uint32_t size, uint32_t *skip)
{
	*skip = 0;
	if (at >= (int64_t)size || at <= -(int64_t)length)
		return 0;
	if (at < 0)
		*skip = (uint32_t)-at;

	uint32_t left = length - *skip, room = size - (uint32_t)(at < 0 ? 0 : at);

	return left < room ? left : room;
}

void cairn_image_paste(cairn_image *image, const cairn_image *source, int64_t x, int64_t y)
{
	uint32_t skip_x, skip_y;
	uint32_t width = clip_span(x, source->width, image->width, &skip_x);
	uint32_t height = clip_span(y, source->height, image->height, &skip_y);

	if (!width)
		return;

	size_t left = (size_t)(x < 0 ? 0 : x), top = (size_t)(y < 0 ? 0 : y);

	for (uint32_t row = 0; row < height; row++)
		memmove(image->pixels + ((top + row) * image->width + left) * 3,
			source->pixels + ((size_t)(skip_y + row) * source->width + skip_x) * 3, (size_t)width * 3);
}

void cn_image_flip(cairn_image *image)
{
	for (uint32_t y = 0; y < image->height; y++) {
		uint8_t *left = image->pixels + (size_t)y * image->width * 3,
			*right = left + (size_t)(image->width - 1) * 3;
		for (; left < right; left += 3, right -= 3)
			for (size_t c = 0; c < 3; c++) {
				uint8_t kept = left[c];
				left[c] = right[c];
				right[c] = kept;
			}
	}
}

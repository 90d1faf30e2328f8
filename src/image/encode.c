/*
 * Encoding to JPEG and PNG, and saving.
 */
#include <string.h>
#include <strings.h>
#include <vips/vips.h>

#include "image/image.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

#define JPEG_MAX_SIDE 65535
#define SAVE_QUALITY  90

static int vips_encode(VipsImage *pixels, int jpeg, int quality, void **file, size_t *length)
{
	VipsImage *tagged = NULL;
	int failed = vips_copy(pixels, &tagged, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);

	if (!failed && jpeg)
		failed = vips_jpegsave_buffer(tagged, file, length, "Q", quality, "optimize_coding", TRUE, NULL);
	else if (!failed)
		failed = vips_pngsave_buffer(tagged, file, length, NULL);
	if (tagged)
		g_object_unref(tagged);
	return failed;
}

static int check_format(const cairn_image *image, const char *format, int quality, int *jpeg)
{
	*jpeg = strcmp(format, "jpeg") == 0;
	if (!*jpeg && strcmp(format, "png") != 0)
		return cn_fail(CAIRN_EINVALID, "image format '%s' is not known; use 'jpeg' or 'png'", format);
	if (*jpeg && (quality < 1 || quality > 100))
		return cn_fail(CAIRN_EINVALID, "JPEG quality %d: it must be 1 to 100", quality);
	if (*jpeg && (image->width > JPEG_MAX_SIDE || image->height > JPEG_MAX_SIDE))
		return cn_fail(CAIRN_EINVALID, "an image of %u x %u pixels: JPEG holds at most %d a side; use 'png'",
			       image->width, image->height, JPEG_MAX_SIDE);
	return 0;
}

int cairn_image_encode(const cairn_image *image, const char *format, int quality, uint8_t **bytes, size_t *length)
{
	void *file = NULL;
	size_t size = 0;
	int jpeg;

	*bytes = NULL;
	*length = 0;
	CN_TRY(check_format(image, format, quality, &jpeg));
	CN_TRY(cn_vips_start());

	VipsImage *pixels = vips_image_new_from_memory(image->pixels, 3 * (size_t)image->width * image->height,
						       (int)image->width, (int)image->height, 3, VIPS_FORMAT_UCHAR);
	int failed = !pixels || vips_encode(pixels, jpeg, quality, &file, &size);

	if (pixels)
		g_object_unref(pixels);
	if (failed) {
		char reason[512];

		cn_vips_error(reason, sizeof(reason));
		return cn_fail(CAIRN_EBACKEND, "encoding %u x %u pixels as %s: %s", image->width, image->height, format,
			       *reason ? reason : "no reason given");
	}
	/* Freed with cairn_bytes_free(), which knows nothing of GLib. */
	*bytes = cn_memdup(file, size);
	g_free(file);
	if (!*bytes)
		return CAIRN_ENOMEM;
	*length = size;
	return 0;
}

int cairn_image_save(const cairn_image *image, const char *path)
{
	const char *dot = strrchr(cn_path_base(path), '.'), *format = NULL;
	uint8_t *bytes;
	size_t length;

	if (dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0))
		format = "jpeg";
	else if (dot && strcasecmp(dot, ".png") == 0)
		format = "png";
	if (!format)
		return cn_fail(CAIRN_EINVALID, "%s: images are saved as .jpg, .jpeg or .png", path);
	CN_TRY(cairn_image_encode(image, format, SAVE_QUALITY, &bytes, &length));

	int status = cn_file_write(path, bytes, length);

	cairn_bytes_free(bytes);
	return status;
}

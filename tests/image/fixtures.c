#include "fixtures.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

const quadrants COLOURS = { { { 200, 60, 50 }, { 60, 150, 70 }, { 50, 80, 170 }, { 210, 190, 70 } } };
/* At alpha 128 of 255. */
const quadrants OVER_WHITE = { { { 227, 157, 152 }, { 157, 202, 162 }, { 152, 167, 212 }, { 232, 222, 162 } } };
const quadrants GREYS = { { { 40, 40, 40 }, { 90, 90, 90 }, { 150, 150, 150 }, { 220, 220, 220 } } };
const quadrants GREYS_OVER_WHITE = { { { 147, 147, 147 }, { 172, 172, 172 }, { 202, 202, 202 }, { 237, 237, 237 } } };

/* The step of libvips that is expected to work here. */
#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		if ((call) != 0)                                                                                       \
			fail_msg("%s: %s", #call, vips_error_buffer());                                                \
	} while (0)

void fixtures_start(void)
{
	cairn_image *image;
	uint8_t *bytes;
	size_t length;

	/* Encoding anything starts libvips, with the settings under which the library runs. */
	assert_ok(cairn_image_new(&image, 1, 1, NULL));
	assert_ok(cairn_image_encode(image, "png", 0, &bytes, &length));
	cairn_bytes_free(bytes);
	cairn_image_free(image);
}

static VipsImage *paint(int width, int height, const quadrants *colours, int bands)
{
	uint8_t *pixels = test_malloc((size_t)width * (size_t)height * (size_t)bands);
	VipsImage *borrowed, *image;

	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++) {
			int part = (y >= height / 2) * 2 + (x >= width / 2);

			memcpy(pixels + (y * width + x) * bands, colours->colours[part], (size_t)bands);
		}
	borrowed = vips_image_new_from_memory_copy(pixels, (size_t)(width * height * bands), width, height, bands,
						   VIPS_FORMAT_UCHAR);
	test_free(pixels);
	MUST(vips_copy(borrowed, &image, "interpretation",
		       bands == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, NULL));
	g_object_unref(borrowed);
	return image;
}

VipsImage *picture(int width, int height)
{
	return paint(width, height, &COLOURS, 3);
}

/* What is drawn in the files; NULL: the picture. */
static VipsImage *subject;

void fixtures_draw(VipsImage *image)
{
	subject = image;
}

static VipsImage *colour(void)
{
	return subject ? vips_image_copy_memory(subject) : picture(PICTURE_WIDTH, PICTURE_HEIGHT);
}

static VipsImage *grey(void)
{
	VipsImage *image;

	if (!subject)
		return paint(PICTURE_WIDTH, PICTURE_HEIGHT, &GREYS, 1);
	MUST(vips_colourspace(subject, &image, VIPS_INTERPRETATION_B_W, NULL));
	return image;
}

static VipsImage *with_alpha(VipsImage *image, double alpha)
{
	VipsImage *joined;

	MUST(vips_bandjoin_const1(image, &joined, alpha, NULL));
	g_object_unref(image);
	return joined;
}

static VipsImage *colour_alpha(void)
{
	return with_alpha(colour(), 128);
}

static VipsImage *grey_alpha(void)
{
	return with_alpha(grey(), 128);
}

/* 8-bit samples times 257, in the 16-bit colour space. */
static VipsImage *deepen(VipsImage *image)
{
	VipsImage *scaled, *cast, *tagged;

	MUST(vips_linear1(image, &scaled, 257, 0, NULL));
	MUST(vips_cast_ushort(scaled, &cast, NULL));
	MUST(vips_copy(cast, &tagged, "interpretation",
		       cast->Bands < 3 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16, NULL));
	g_object_unref(image);
	g_object_unref(scaled);
	g_object_unref(cast);
	return tagged;
}

static VipsImage *colour_16(void)
{
	return deepen(colour());
}

static VipsImage *grey_16(void)
{
	return deepen(grey());
}

static VipsImage *colour_alpha_16(void)
{
	return deepen(colour_alpha());
}

static VipsImage *through_profile(const char *profile)
{
	VipsImage *from = colour(), *to;

	MUST(vips_icc_transform(from, &to, profile, "input_profile", "srgb", NULL));
	g_object_unref(from);
	return to;
}

static VipsImage *display_p3(void)
{
	return through_profile("p3");
}

static VipsImage *srgb_with_profile(void)
{
	return through_profile("srgb");
}

static VipsImage *cmyk_with_profile(void)
{
	return through_profile("cmyk");
}

static VipsImage *cmyk_bare(void)
{
	VipsImage *from = through_profile("cmyk"), *to;

	MUST(vips_copy(from, &to, NULL));
	vips_image_remove(to, VIPS_META_ICC_NAME);
	g_object_unref(from);
	return to;
}

static VipsImage *lab(void)
{
	VipsImage *from = colour(), *to;

	MUST(vips_colourspace(from, &to, VIPS_INTERPRETATION_LAB, NULL));
	g_object_unref(from);
	return to;
}

/* An RGB profile on a grey picture: it cannot be applied. */
static VipsImage *grey_with_wrong_profile(void)
{
	VipsImage *from = grey(), *to;
	void *profile;
	size_t length;
	VipsBlob *blob;

	MUST(vips_profile_load("p3", &blob, NULL));
	profile = (void *)(uintptr_t)vips_blob_get(blob, &length);
	MUST(vips_copy(from, &to, NULL));
	vips_image_set_blob_copy(to, VIPS_META_ICC_NAME, profile, length);
	vips_area_unref(VIPS_AREA(blob));
	g_object_unref(from);
	return to;
}

/* The picture, and a grey one behind it. */
static VipsImage *two_pages(void)
{
	VipsImage *first = colour(), *second, *both, *pages;

	MUST(vips_invert(first, &second, NULL));
	MUST(vips_join(first, second, &both, VIPS_DIRECTION_VERTICAL, NULL));
	MUST(vips_copy(both, &pages, NULL));
	vips_image_set_int(pages, VIPS_META_PAGE_HEIGHT, first->Ysize);
	g_object_unref(first);
	g_object_unref(second);
	g_object_unref(both);
	return pages;
}

const file_kind FILE_KINDS[] = {
	{ "JPEG", colour, ".jpg[Q=95]", &COLOURS, 3, 0 },
	{ "progressive JPEG", colour, ".jpg[Q=95,interlace]", &COLOURS, 3, 0 },
	{ "JPEG without subsampling", colour, ".jpg[Q=100,subsample_mode=off]", &COLOURS, 2, 0 },
	{ "grey JPEG", grey, ".jpg[Q=95]", &GREYS, 2, 0 },
	{ "grey JPEG with a profile that does not fit", grey_with_wrong_profile, ".jpg[Q=95]", &GREYS, 2, 0 },
	/* Not all of the blue can be printed. */
	{ "CMYK JPEG with profile", cmyk_with_profile, ".jpg[Q=98]", &COLOURS, 20, 0 },
	{ "CMYK JPEG without profile", cmyk_bare, ".jpg[Q=98]", &COLOURS, 20, 0 },
	{ "Display P3 JPEG", display_p3, ".jpg[Q=98]", &COLOURS, 4, 0 },
	{ "PNG", colour, ".png", &COLOURS, 0, 0 },
	{ "PNG with sRGB profile", srgb_with_profile, ".png", &COLOURS, 1, 0 },
	{ "interlaced PNG", colour, ".png[interlace]", &COLOURS, 0, 0 },
	{ "grey PNG", grey, ".png", &GREYS, 0, 0 },
	{ "grey PNG with alpha", grey_alpha, ".png", &GREYS_OVER_WHITE, 1, 0 },
	{ "PNG with alpha", colour_alpha, ".png", &OVER_WHITE, 1, 0 },
	{ "palette PNG with alpha", colour_alpha, ".png[palette,bitdepth=4]", &OVER_WHITE, 2, 0 },
	{ "16-bit PNG", colour_16, ".png[bitdepth=16]", &COLOURS, 1, 0 },
	{ "16-bit grey PNG", grey_16, ".png[bitdepth=16]", &GREYS, 1, 0 },
	{ "16-bit PNG with alpha", colour_alpha_16, ".png[bitdepth=16]", &OVER_WHITE, 1, 0 },
	{ "Display P3 PNG", display_p3, ".png", &COLOURS, 2, 0 },
	{ "lossless WebP", colour, ".webp[lossless]", &COLOURS, 0, 0 },
	{ "lossy WebP", colour, ".webp[Q=95]", &COLOURS, 4, 0 },
	{ "WebP with alpha", colour_alpha, ".webp[lossless]", &OVER_WHITE, 1, 0 },
	{ "animated WebP", two_pages, ".webp[lossless]", &COLOURS, 0, 0 },
	{ "TIFF", colour, ".tif", &COLOURS, 0, 0 },
	{ "tiled TIFF, compressed", colour, ".tif[tile,compression=deflate]", &COLOURS, 0, 0 },
	{ "big TIFF", colour, ".tif[bigtiff]", &COLOURS, 0, 0 },
	{ "TIFF of two pages", two_pages, ".tif", &COLOURS, 0, 0 },
	{ "16-bit TIFF", colour_16, ".tif", &COLOURS, 1, 0 },
	{ "CMYK TIFF", cmyk_with_profile, ".tif", &COLOURS, 20, 0 },
	{ "Lab TIFF", lab, ".tif", &COLOURS, 3, 0 },
	{ "GIF", colour, ".gif", &COLOURS, 4, 1 },
	{ "animated GIF", two_pages, ".gif", &COLOURS, 4, 1 },
	{ "HEIC", colour, ".heic[Q=95]", &COLOURS, 6, 1 },
	{ "AVIF", colour, ".avif[Q=95]", &COLOURS, 6, 1 },
};
const size_t FILE_KIND_COUNT = sizeof(FILE_KINDS) / sizeof(FILE_KINDS[0]);

void file_encode(file_bytes *file, VipsImage *image, const char *suffix)
{
	MUST(vips_image_write_to_buffer(image, suffix, &file->bytes, &file->length, NULL));
	g_object_unref(image);
}

int file_make(file_bytes *file, const file_kind *kind)
{
	VipsImage *image = kind->make();
	int failed = vips_image_write_to_buffer(image, kind->suffix, &file->bytes, &file->length, NULL);

	g_object_unref(image);
	if (!failed)
		return 1;
	if (!kind->optional)
		fail_msg("%s: %s", kind->name, vips_error_buffer());
	print_message("# skipped: this libvips writes no %s\n", kind->name);
	vips_error_clear();
	return 0;
}

void file_free(file_bytes *file)
{
	g_free(file->bytes);
}

void assert_quadrants(const cairn_image *image, const quadrants *expected, int tolerance, const char *name)
{
	size_t width = cairn_image_width(image), height = cairn_image_height(image);

	for (size_t part = 0; part < 4; part++) {
		size_t x = width * (part % 2 ? 3 : 1) / 4, y = height * (part / 2 ? 3 : 1) / 4;
		const uint8_t *pixel = cairn_image_pixels(image) + (y * width + x) * 3;
		const uint8_t *want = expected->colours[part];

		for (int i = 0; i < 3; i++)
			if (abs(pixel[i] - want[i]) > tolerance)
				fail_msg("%s, quadrant %zu: %d %d %d, not %d %d %d", name, part, pixel[0], pixel[1],
					 pixel[2], want[0], want[1], want[2]);
	}
}

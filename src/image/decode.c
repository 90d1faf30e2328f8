/*
 * Decoding. The content decides the format, never the name, and only the loaders named here are ever called. Alpha,
 * profile and depth are a pipeline of libvips, read strip by strip in the calling thread; each strip goes upright into
 * its place.
 */
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <vips/vips.h>

#include "image/image.h"
#include "image/profile.h"
#include "util/file.h"
#include "util/log.h"
#include "util/memory.h"

/* Rows fetched at a time: many enough to hide the cost of asking, few enough to stay in the cache. */
#define STRIP      64
#define MAX_SHRINK 8

/* How a loader reduces while it decodes. */
enum reduction { BY_NOTHING, BY_FACTOR, BY_SCALE };

struct loader {
	const char *format, *operation;
	size_t offset, length; /* where the mark is, and how long */
	const char *mark;
	enum reduction reduction;
};

static const struct loader loaders[] = {
	{ "JPEG", "jpegload_buffer", 0, 3, "\xff\xd8\xff", BY_FACTOR },
	{ "PNG", "pngload_buffer", 0, 8, "\x89PNG\r\n\x1a\n", BY_NOTHING },
	{ "WebP", "webpload_buffer", 8, 4, "WEBP", BY_SCALE },
	{ "TIFF", "tiffload_buffer", 0, 4, "II*\0", BY_NOTHING },
	{ "TIFF", "tiffload_buffer", 0, 4, "MM\0*", BY_NOTHING },
	{ "TIFF", "tiffload_buffer", 0, 4, "II+\0", BY_NOTHING },
	{ "TIFF", "tiffload_buffer", 0, 4, "MM\0+", BY_NOTHING },
	{ "GIF", "gifload_buffer", 0, 4, "GIF8", BY_NOTHING },
	{ "HEIF", "heifload_buffer", 4, 6, "ftyphe", BY_NOTHING },
	{ "HEIF", "heifload_buffer", 4, 8, "ftypmif1", BY_NOTHING },
	{ "HEIF", "heifload_buffer", 4, 8, "ftypmsf1", BY_NOTHING },
	{ "AVIF", "heifload_buffer", 4, 8, "ftypavif", BY_NOTHING },
};

/* One file being decoded. */
struct job {
	const void *bytes;
	size_t length;
	const char *name;
	const cairn_image_options *options;
	const struct loader *loader;
	int lenient; /* give what can be read */
};

static int find_loader(struct job *job)
{
	for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]); i++) {
		const struct loader *loader = &loaders[i];

		if (job->length < loader->offset + loader->length ||
		    memcmp((const char *)job->bytes + loader->offset, loader->mark, loader->length) != 0)
			continue;
		if (!vips_type_find("VipsOperation", loader->operation))
			return cn_fail(
				CAIRN_EUNSUPPORTED,
				"%s: a %s file, which the installed libvips cannot read; convert it to JPEG or PNG",
				job->name, loader->format);
		job->loader = loader;
		return 0;
	}
	return cn_fail(CAIRN_EFORMAT, "%s: not an image in JPEG, PNG, WebP, TIFF, GIF, HEIF or AVIF format", job->name);
}

static int vips_failed(const struct job *job)
{
	char reason[512];

	cn_vips_error(reason, sizeof(reason));
	cn_fail(CAIRN_EFORMAT, "%s: this %s file is damaged or cut short%s%s", job->name, job->loader->format,
		*reason ? ": " : "", reason);
	return CAIRN_EFORMAT;
}

/* Opens the file; pixels are decoded when they are asked for. */
static int load(VipsImage **out, const struct job *job, int shrink)
{
	VipsBlob *blob = vips_blob_new(NULL, job->bytes, job->length);
	VipsOperation *operation = vips_operation_new(job->loader->operation);

	*out = NULL;
	g_object_set(operation, "buffer", blob, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
		     job->lenient ? VIPS_FAIL_ON_NONE : VIPS_FAIL_ON_TRUNCATED, NULL);
	if (shrink > 1 && job->loader->reduction == BY_FACTOR)
		g_object_set(operation, "shrink", shrink, NULL);
	else if (shrink > 1 && job->loader->reduction == BY_SCALE)
		g_object_set(operation, "scale", 1.0 / shrink, NULL);
	if (vips_object_build(VIPS_OBJECT(operation)) == 0)
		g_object_get(operation, "out", out, NULL);
	vips_object_unref_outputs(VIPS_OBJECT(operation));
	g_object_unref(operation);
	vips_area_unref(VIPS_AREA(blob));
	return *out ? 0 : vips_failed(job);
}

/* Ends a step of the pipeline: *image becomes what the step made, unless it failed. */
static int step(VipsImage **image, VipsImage *next, int failed)
{
	if (failed)
		return -1;
	g_object_unref(*image);
	*image = next;
	return 0;
}

static int is_16_bit(const VipsImage *image)
{
	return image->BandFmt == VIPS_FORMAT_USHORT || image->BandFmt == VIPS_FORMAT_SHORT;
}

static int flatten(VipsImage **image)
{
	VipsImage *next = NULL;
	double max = is_16_bit(*image) ? 65535 : 255;
	int is_ink = vips_image_guess_interpretation(*image) == VIPS_INTERPRETATION_CMYK;
	VipsArrayDouble *white = vips_array_double_newv(1, is_ink ? 0.0 : max);
	int failed = vips_flatten(*image, &next, "background", white, "max_alpha", max, NULL);

	vips_area_unref(VIPS_AREA(white));
	return step(image, next, failed);
}

/* Through the profile in the file or, for CMYK without one, through libvips' own. */
static int apply_profile(VipsImage **image, int cmyk)
{
	VipsImage *next = NULL;
	int failed = vips_icc_transform(*image, &next, "srgb", "embedded", TRUE, "intent", VIPS_INTENT_RELATIVE,
					cmyk ? "input_profile" : NULL, "cmyk", NULL);

	return step(image, next, failed);
}

static int convert(VipsImage **image, VipsInterpretation from)
{
	VipsImage *next = NULL;
	int failed = vips_colourspace(*image, &next, VIPS_INTERPRETATION_sRGB, "source_space", from, NULL);

	return step(image, next, failed);
}

static int keep_rgb(VipsImage **image)
{
	VipsImage *next = NULL;
	int failed = vips_extract_band(*image, &next, 0, "n", 3, NULL);

	return step(image, next, failed);
}

static int has_other_profile(const VipsImage *image)
{
	const void *profile;
	size_t length;

	if (!vips_image_get_typeof(image, VIPS_META_ICC_NAME))
		return 0;
	return vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &length) != 0 ||
	       !cn_profile_is_srgb(profile, length);
}

/* Whatever the pixels are, three bands of 8-bit sRGB after this. */
static int to_srgb(VipsImage **image)
{
	int cmyk = vips_image_guess_interpretation(*image) == VIPS_INTERPRETATION_CMYK;

	if (vips_image_hasalpha(*image) && flatten(image) != 0)
		return -1;
	/* A profile that does not fit the pixels is no reason to refuse a photograph: libvips' own rule follows. */
	if ((cmyk || has_other_profile(*image)) && apply_profile(image, cmyk) != 0)
		vips_error_clear();

	VipsInterpretation space = vips_image_guess_interpretation(*image);

	if ((space != VIPS_INTERPRETATION_sRGB || (*image)->BandFmt != VIPS_FORMAT_UCHAR || (*image)->Bands < 3) &&
	    convert(image, space) != 0)
		return -1;
	return (*image)->Bands > 3 ? keep_rgb(image) : 0;
}

static int reduce(VipsImage **image, int shrink)
{
	VipsImage *next = NULL;
	int failed = vips_shrink(*image, &next, shrink, shrink, "ceil", TRUE, NULL);

	return step(image, next, failed);
}

/* Measurements stored as numbers without a colour space have no true look. */
static int check_samples(const struct job *job, const VipsImage *image)
{
	VipsInterpretation space = vips_image_guess_interpretation(image);

	if (image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT ||
	    space == VIPS_INTERPRETATION_LAB || space == VIPS_INTERPRETATION_LABS || space == VIPS_INTERPRETATION_XYZ ||
	    space == VIPS_INTERPRETATION_scRGB)
		return 0;
	return cn_fail(CAIRN_EUNSUPPORTED,
		       "%s: a %s file with samples of type '%s'; convert it to 8 or 16 bits a sample", job->name,
		       job->loader->format, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, image->BandFmt));
}

static int check_size(const struct job *job, const VipsImage *image)
{
	uint64_t pixels = (uint64_t)image->Xsize * (uint64_t)image->Ysize;

	if (pixels <= job->options->max_pixels)
		return 0;
	return cn_fail(CAIRN_ELIMIT,
		       "%s: %d x %d pixels, more than the limit of %llu; reduce the image or raise the limit",
		       job->name, image->Xsize, image->Ysize, (unsigned long long)job->options->max_pixels);
}

/* The largest of 1, 2, 4, 8 that keeps the longest side at shrink_to and the shortest at shrink_shortest, which is at
 * least one pixel. */
static int choose_shrink(const VipsImage *image, const cairn_image_options *options)
{
	unsigned width = (unsigned)image->Xsize, height = (unsigned)image->Ysize;
	unsigned longest = width > height ? width : height, shortest = width > height ? height : width;
	unsigned least = options->shrink_shortest ? options->shrink_shortest : 1, shrink = 1;

	if (options->shrink_to == 0)
		return 1;
	while (shrink < MAX_SHRINK && longest / (2 * shrink) >= options->shrink_to && shortest / (2 * shrink) >= least)
		shrink *= 2;
	return (int)shrink;
}

/* The pixel (x, y) as stored goes to pixels[start + x * step_x + y * step_y] of the upright image. */
struct placement {
	ptrdiff_t start, step_x, step_y;
};

/* EXIF orientation (Exif 2.32, tag 274): 1 to 4 keep the axes, 5 to 8 swap them. */
static struct placement place(int orientation, ptrdiff_t width, ptrdiff_t height)
{
	ptrdiff_t last = width * height - 1;

	switch (orientation) {
	case 2:
		return (struct placement){ width - 1, -1, width };
	case 3:
		return (struct placement){ last, -1, -width };
	case 4:
		return (struct placement){ last - width + 1, 1, -width };
	case 5:
		return (struct placement){ 0, height, 1 };
	case 6:
		return (struct placement){ height - 1, height, -1 };
	case 7:
		return (struct placement){ last, -height, -1 };
	case 8:
		return (struct placement){ last - height + 1, -height, 1 };
	default:
		return (struct placement){ 0, 1, width };
	}
}

static void put_strip(uint8_t *pixels, const struct placement *to, VipsRegion *region)
{
	const VipsRect *strip = &region->valid;

	if (to->step_x == 1) {
		for (int y = strip->top; y < strip->top + strip->height; y++)
			memcpy(pixels + 3 * (to->start + y * to->step_y), VIPS_REGION_ADDR(region, 0, y),
			       3 * (size_t)strip->width);
		return;
	}
	for (int x = 0; x < strip->width; x++) {
		for (int y = strip->top; y < strip->top + strip->height; y++) {
			const uint8_t *from = VIPS_REGION_ADDR(region, x, y);
			uint8_t *pixel = pixels + 3 * (to->start + x * to->step_x + y * to->step_y);

			pixel[0] = from[0];
			pixel[1] = from[1];
			pixel[2] = from[2];
		}
	}
}

/* Runs the pipeline into `pixels`. @return the number of rows that could be read */
static int read_rows(uint8_t *pixels, const struct placement *to, VipsImage *image)
{
	VipsRegion *region = vips_image_pio_input(image) == 0 ? vips_region_new(image) : NULL;
	int done = 0;

	while (region && done < image->Ysize) {
		int rows = image->Ysize - done < STRIP ? image->Ysize - done : STRIP;
		VipsRect strip = { 0, done, image->Xsize, rows };

		if (vips_region_prepare(region, &strip) != 0)
			break;
		put_strip(pixels, to, region);
		done += rows;
	}
	if (region)
		g_object_unref(region);
	return done;
}

static int read_pixels(cairn_image **out, const struct job *job, VipsImage *source, int orientation)
{
	int width = source->Xsize, height = source->Ysize;
	struct placement to = place(orientation, width, height);

	CN_TRY(cn_image_blank(out, (uint32_t)(orientation >= 5 ? height : width),
			      (uint32_t)(orientation >= 5 ? width : height)));
	if (job->lenient)
		memset((*out)->pixels, 255, 3 * (size_t)width * (size_t)height);

	int done = read_rows((*out)->pixels, &to, source);

	if (done == height || (job->lenient && done > 0))
		return 0;

	int status = vips_failed(job);

	cairn_image_free(*out);
	*out = NULL;
	return status;
}

struct size {
	uint32_t width, height;
};

static struct size upright_size(VipsImage *image)
{
	uint32_t width = (uint32_t)image->Xsize, height = (uint32_t)image->Ysize;

	return vips_image_get_orientation(image) >= 5 ? (struct size){ height, width } : (struct size){ width, height };
}

/* `image` is the opened file; it may be replaced, and the caller unrefs what is there in the end. */
static int decode_opened(cairn_image **out, const struct job *job, VipsImage **image)
{
	struct size full = upright_size(*image);
	int orientation = vips_image_get_orientation(*image);
	int shrink = choose_shrink(*image, job->options);

	CN_TRY(check_samples(job, *image));
	if (shrink > 1 && job->loader->reduction != BY_NOTHING) {
		VipsImage *reduced = NULL;

		CN_TRY(load(&reduced, job, shrink));
		step(image, reduced, 0);
	}
	if (to_srgb(image) != 0)
		return vips_failed(job);
	if (shrink > 1 && job->loader->reduction == BY_NOTHING && reduce(image, shrink) != 0)
		return vips_failed(job);
	CN_TRY(read_pixels(out, job, *image, orientation));
	(*out)->full_width = full.width;
	(*out)->full_height = full.height;
	return 0;
}

/* @param[out] out NULL: only the size is wanted */
static int decode_once(cairn_image **out, struct size *size, const struct job *job)
{
	VipsImage *image = NULL;

	CN_TRY(load(&image, job, 1));
	*size = upright_size(image);

	int status = check_size(job, image);

	if (status == 0 && out)
		status = decode_opened(out, job, &image);
	g_object_unref(image);
	return status;
}

static int has_one_colour(const cairn_image *image)
{
	size_t length = 3 * (size_t)image->width * image->height;

	return memcmp(image->pixels, image->pixels + 3, length - 3) == 0;
}

/* Of a damaged file. Loaders give what they like for what they cannot read; if that is all, it is no photograph. */
static int decode_remains(cairn_image **out, struct size *size, struct job *job)
{
	job->lenient = 1;
	CN_TRY(decode_once(out, size, job));
	if (!out)
		return 0;
	if (has_one_colour(*out)) {
		cairn_image_free(*out);
		*out = NULL;
		return cn_fail(CAIRN_EFORMAT, "%s: this %s file is damaged or cut short, and nothing of it can be read",
			       job->name, job->loader->format);
	}
	cn_log(CAIRN_LOG_WARNING, "%s: damaged or cut short; what can be read of it is used", job->name);
	return 0;
}

/*
 * libvips keeps one error text for the whole process. So that the reason given for one file is never that of another
 * which failed in another thread meanwhile, a file that fails is decoded once more alone.
 */
static int decode(cairn_image **out, struct size *size, struct job *job)
{
	static pthread_rwlock_t gate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

	CN_TRY(find_loader(job));
	pthread_rwlock_rdlock(&gate);
	int status = decode_once(out, size, job);
	pthread_rwlock_unlock(&gate);
	if (status != CAIRN_EFORMAT)
		return status;
	pthread_rwlock_wrlock(&gate);
	vips_error_clear();
	status = job->options->lenient ? decode_remains(out, size, job) : decode_once(out, size, job);
	vips_error_clear();
	pthread_rwlock_unlock(&gate);
	return status;
}

static int check_options(const cairn_image_options **options)
{
	static const cairn_image_options defaults = CAIRN_IMAGE_OPTIONS_INIT;

	if (!*options)
		*options = &defaults;
	if ((*options)->version != CAIRN_IMAGE_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "image options have version %u; this library knows %d",
			       (*options)->version, CAIRN_IMAGE_OPTIONS_VERSION);
	return 0;
}

static int check_bytes(uint64_t length, const char *name, const cairn_image_options *options)
{
	if (length == 0)
		return cn_fail(CAIRN_EFORMAT, "%s: empty, no image", name);
	if (length > options->max_bytes)
		return cn_fail(CAIRN_ELIMIT, "%s: %llu bytes, more than the limit of %llu", name,
			       (unsigned long long)length, (unsigned long long)options->max_bytes);
	return 0;
}

static int decode_bytes(cairn_image **out, struct size *size, const void *bytes, size_t length, const char *name,
			const cairn_image_options *options)
{
	struct job job = { .bytes = bytes, .length = length, .name = name, .options = options };

	CN_TRY(check_bytes(length, name, options));
	CN_TRY(cn_vips_start());
	return decode(out, size, &job);
}

static int decode_file(cairn_image **out, struct size *size, const char *path, const cairn_image_options *options)
{
	struct stat info;
	char *bytes;
	size_t length;

	/* Looked at before it is opened: opening a pipe waits for its writer. */
	if (stat(path, &info) != 0)
		return cn_fail_errno("%s", path);
	if (!S_ISREG(info.st_mode))
		return cn_fail(CAIRN_EFORMAT, "%s: %s, no image", path,
			       S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
	CN_TRY(check_bytes((uint64_t)info.st_size, path, options));
	CN_TRY(cn_file_read(path, options->max_bytes, &bytes, &length));

	int status = decode_bytes(out, size, bytes, length, path, options);

	cn_free(bytes);
	return status;
}

int cairn_image_decode(cairn_image **out, const void *bytes, size_t length, const char *name,
		       const cairn_image_options *options)
{
	struct size size;

	*out = NULL;
	CN_TRY(check_options(&options));
	return decode_bytes(out, &size, bytes, length, name ? name : "image", options);
}

int cairn_image_open(cairn_image **out, const char *path, const cairn_image_options *options)
{
	struct size size;

	*out = NULL;
	CN_TRY(check_options(&options));
	return decode_file(out, &size, path, options);
}

int cairn_image_size(const char *path, const cairn_image_options *options, uint32_t *width, uint32_t *height)
{
	struct size size = { 0 };

	CN_TRY(check_options(&options));
	CN_TRY(decode_file(NULL, &size, path, options));
	*width = size.width;
	*height = size.height;
	return 0;
}

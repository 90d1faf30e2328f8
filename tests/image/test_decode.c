/*
 * Decoding: every kind of file gives the right pixels, every bad one a clear error.
 */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures.h"
#include "util/memory.h"

static int start(void **state)
{
	(void)state;
	fixtures_start();
	return 0;
}

static void kinds_have_their_pixels(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILE_KIND_COUNT; i++) {
		const file_kind *kind = &FILE_KINDS[i];
		cairn_image *image;
		file_bytes file;

		if (!file_make(&file, kind))
			continue;
		if (cairn_image_decode(&image, file.bytes, file.length, kind->name, NULL) != 0)
			fail_msg("%s", cairn_last_error());
		assert_int_equal(cairn_image_width(image), PICTURE_WIDTH);
		assert_int_equal(cairn_image_height(image), PICTURE_HEIGHT);
		assert_int_equal(cairn_image_full_width(image), PICTURE_WIDTH);
		assert_int_equal(cairn_image_full_height(image), PICTURE_HEIGHT);
		assert_quadrants(image, kind->expected, kind->tolerance, kind->name);
		cairn_image_free(image);
		file_free(&file);
	}
}

/* The pixels as stored, by libvips alone. */
static void stored_pixel(const file_bytes *file, int x, int y, double *pixel)
{
	VipsImage *image = vips_image_new_from_buffer(file->bytes, file->length, "", NULL);
	double *values;
	int count;

	assert_non_null(image);
	assert_int_equal(vips_getpoint(image, &values, &count, x, y, NULL), 0);
	for (int i = 0; i < 3; i++)
		pixel[i] = values[i];
	g_free(values);
	g_object_unref(image);
}

/* A guard for the cases above: without the profile they would fail. */
static void profile_matters(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILE_KIND_COUNT; i++) {
		const file_kind *kind = &FILE_KINDS[i];
		double stored[3];
		file_bytes file;

		if (strcmp(kind->name, "Display P3 PNG") != 0)
			continue;
		assert_true(file_make(&file, kind));
		stored_pixel(&file, 5, 5, stored);
		assert_true(COLOURS.colours[0][0] - stored[0] > 8);
		file_free(&file);
		return;
	}
	fail_msg("no Display P3 PNG among the kinds");
}

/* EXIF 2.32, tag 274: on which side of the scene the stored row 0 and column 0 are. */
static const struct {
	char row0, column0;
} SIDES[9] = { { 0, 0 },     { 'T', 'L' }, { 'T', 'R' }, { 'B', 'R' }, { 'B', 'L' },
	       { 'L', 'T' }, { 'R', 'T' }, { 'R', 'B' }, { 'L', 'B' } };

static int along(char side, int index, int length)
{
	return side == 'T' || side == 'L' ? index : length - 1 - index;
}

/* Stores an upright scene of width x height turned, as a camera does. */
static VipsImage *turn(const uint8_t *scene, int width, int height, int orientation)
{
	char row0 = SIDES[orientation].row0, column0 = SIDES[orientation].column0;
	int swapped = row0 == 'L' || row0 == 'R';
	int stored_width = swapped ? height : width, stored_height = swapped ? width : height;
	uint8_t *pixels = test_malloc((size_t)(width * height * 3));

	for (int y = 0; y < stored_height; y++)
		for (int x = 0; x < stored_width; x++) {
			int scene_x = swapped ? along(row0, y, width) : along(column0, x, width);
			int scene_y = swapped ? along(column0, x, height) : along(row0, y, height);

			memcpy(pixels + (y * stored_width + x) * 3, scene + (scene_y * width + scene_x) * 3, 3);
		}

	VipsImage *raw = vips_image_new_from_memory_copy(pixels, (size_t)(width * height * 3), stored_width,
							 stored_height, 3, VIPS_FORMAT_UCHAR);
	VipsImage *image;

	test_free(pixels);
	assert_int_equal(vips_copy(raw, &image, "interpretation", VIPS_INTERPRETATION_sRGB, NULL), 0);
	g_object_unref(raw);
	vips_image_set_int(image, VIPS_META_ORIENTATION, orientation);
	return image;
}

static void orientations_are_undone(void **state)
{
	enum { WIDTH = 83, HEIGHT = 150 };
	static const char *const formats[] = { ".tif", ".jpg[Q=100,subsample_mode=off]", ".webp[lossless]" };
	uint8_t *scene = test_malloc(WIDTH * HEIGHT * 3);

	(void)state;
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			memcpy(scene + (y * WIDTH + x) * 3,
			       ((uint8_t[]){ (uint8_t)(3 * x), (uint8_t)y, (uint8_t)(x + y) }), 3);
	for (size_t format = 0; format < 3; format++)
		for (int orientation = 1; orientation <= 8; orientation++) {
			int tolerance = format == 1 ? 4 : 0;
			cairn_image *image;
			file_bytes file;

			file_encode(&file, turn(scene, WIDTH, HEIGHT, orientation), formats[format]);
			assert_ok(cairn_image_decode(&image, file.bytes, file.length, "turned", NULL));
			assert_int_equal(cairn_image_width(image), WIDTH);
			assert_int_equal(cairn_image_height(image), HEIGHT);
			assert_int_equal(cairn_image_full_width(image), WIDTH);
			assert_int_equal(cairn_image_full_height(image), HEIGHT);
			for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
				if (abs(cairn_image_pixels(image)[i] - scene[i]) > tolerance)
					fail_msg("%s, orientation %d, byte %d: %d, not %d", formats[format],
						 orientation, i, cairn_image_pixels(image)[i], scene[i]);
			cairn_image_free(image);
			file_free(&file);
		}
	test_free(scene);
}

static void size_is_read_from_the_header(void **state)
{
	static const char *const formats[] = { ".tif", ".jpg", ".webp" };
	const char *path = cn_test_path(cn_test_folder(), "sized");
	uint8_t scene[30 * 40 * 3] = { 0 };
	uint32_t width, height;
	file_bytes file;

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		for (int orientation = 1; orientation <= 8; orientation++) {
			file_encode(&file, turn(scene, 30, 40, orientation), formats[i]);
			cn_test_write(path, file.bytes, file.length);
			assert_ok(cairn_image_size(path, NULL, &width, &height));
			assert_int_equal(width, 30);
			assert_int_equal(height, 40);
			file_free(&file);
		}
	file_encode(&file, picture(300, 200), ".jpg");
	cn_test_write(path, file.bytes, file.length / 2);
	assert_ok(cairn_image_size(path, NULL, &width, &height));
	assert_int_equal(width, 300);
	cairn_image_options few = CAIRN_IMAGE_OPTIONS_INIT;
	few.max_pixels = 59999;
	assert_fails(cairn_image_size(path, &few, &width, &height), CAIRN_ELIMIT, "300 x 200");
	cn_test_write(path, file.bytes, 20);
	assert_fails(cairn_image_size(path, NULL, &width, &height), CAIRN_EFORMAT, path);
	cn_test_write(path, "not an image", 12);
	assert_fails(cairn_image_size(path, NULL, &width, &height), CAIRN_EFORMAT, "not an image");
	file_free(&file);
}

static void shrinking_keeps_the_sides(void **state)
{
	static const struct {
		const char *suffix;
		uint32_t shrink_to, width, height;
		int orientation;
		uint32_t shrink_shortest;
	} cases[] = {
		{ ".jpg", 0, 1000, 800, 1, 0 },
		{ ".jpg", 1000, 1000, 800, 1, 0 },
		{ ".jpg", 501, 1000, 800, 1, 0 },
		{ ".jpg", 500, 500, 400, 1, 0 },
		{ ".jpg", 200, 250, 200, 1, 0 },
		{ ".jpg", 1, 125, 100, 1, 0 },
		{ ".jpg", 300, 400, 500, 6, 0 },
		{ ".webp", 300, 500, 400, 1, 0 },
		{ ".png", 130, 250, 200, 1, 0 },
		{ ".tif", 5000, 1000, 800, 1, 0 },
		{ ".tif", 90, 100, 125, 8, 0 },
		/* Both sides count where both are given. */
		{ ".jpg", 1, 250, 200, 1, 200 },
		{ ".jpg", 1, 500, 400, 1, 201 },
		{ ".jpg", 1, 1000, 800, 1, 401 },
		{ ".jpg", 1, 1000, 800, 1, 5000 },
		{ ".jpg", 500, 500, 400, 1, 1 },
		{ ".jpg", 1, 400, 500, 6, 400 },
		{ ".jpg", 0, 1000, 800, 1, 10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_image_options options = CAIRN_IMAGE_OPTIONS_INIT;
		VipsImage *scene = picture(1000, 800);
		int swapped = cases[i].orientation >= 5;
		cairn_image *image;
		file_bytes file;

		vips_image_set_int(scene, VIPS_META_ORIENTATION, cases[i].orientation);
		file_encode(&file, scene, cases[i].suffix);
		options.shrink_to = cases[i].shrink_to;
		options.shrink_shortest = cases[i].shrink_shortest;
		assert_ok(cairn_image_decode(&image, file.bytes, file.length, "large", &options));
		assert_int_equal(cairn_image_width(image), cases[i].width);
		assert_int_equal(cairn_image_height(image), cases[i].height);
		assert_int_equal(cairn_image_full_width(image), swapped ? 800 : 1000);
		assert_int_equal(cairn_image_full_height(image), swapped ? 1000 : 800);
		if (!swapped)
			assert_quadrants(image, &COLOURS, 6, cases[i].suffix);
		cairn_image_free(image);
		file_free(&file);
	}
}

static void thin_images_keep_a_pixel(void **state)
{
	static const int sizes[][2] = { { 1, 1 }, { 20000, 1 }, { 1, 20000 }, { 3, 9000 } };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (int jpeg = 0; jpeg < 2; jpeg++)
			for (uint32_t shrink_to = 0; shrink_to <= 640; shrink_to += 320) {
				cairn_image_options options = CAIRN_IMAGE_OPTIONS_INIT;
				cairn_image *image;
				file_bytes file;

				options.shrink_to = shrink_to;
				file_encode(&file, picture(sizes[i][0], sizes[i][1]), jpeg ? ".jpg" : ".png");
				assert_ok(cairn_image_decode(&image, file.bytes, file.length, "thin", &options));
				assert_int_equal(cairn_image_full_width(image), sizes[i][0]);
				assert_int_equal(cairn_image_full_height(image), sizes[i][1]);
				cairn_image_free(image);
				file_free(&file);
			}
}

static void cut_files_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILE_KIND_COUNT; i++) {
		const file_kind *kind = &FILE_KINDS[i];
		cairn_image *image;
		file_bytes file;

		if (!file_make(&file, kind))
			continue;
		/* Within the first page where there are two, and within the pixels where a profile follows. */
		size_t cut = file.length * 3 / 10 < 3000 ? file.length * 3 / 10 : 3000;
		assert_fails(cairn_image_decode(&image, file.bytes, cut, kind->name, NULL), CAIRN_EFORMAT, kind->name);
		assert_null(image);
		file_free(&file);
	}
}

/* So that the file is large enough to be read in several pieces. */
static VipsImage *noisy_picture(int width, int height)
{
	VipsImage *clean = picture(width, height), *noise, *sum, *image;

	assert_int_equal(vips_gaussnoise(&noise, width, height, "mean", 0.0, "sigma", 2.0, "seed", 1, NULL), 0);
	assert_int_equal(vips_add(clean, noise, &sum, NULL), 0);
	assert_int_equal(vips_cast_uchar(sum, &image, NULL), 0);
	g_object_unref(clean);
	g_object_unref(noise);
	g_object_unref(sum);
	return image;
}

static void lenient_gives_what_there_is(void **state)
{
	static const char *const suffixes[] = { ".jpg[Q=95]", ".png[compression=1]" };
	cairn_image_options lenient = CAIRN_IMAGE_OPTIONS_INIT;

	(void)state;
	lenient.lenient = 1;
	for (size_t i = 0; i < 2; i++) {
		cairn_image *image;
		file_bytes file;

		file_encode(&file, noisy_picture(640, 480), suffixes[i]);
		size_t cut = file.length * 3 / 4;
		assert_fails(cairn_image_decode(&image, file.bytes, cut, "cut", NULL), CAIRN_EFORMAT, "cut");
		assert_ok(cairn_image_decode(&image, file.bytes, cut, "cut", &lenient));
		assert_int_equal(cairn_image_width(image), 640);
		assert_int_equal(cairn_image_height(image), 480);
		const uint8_t *pixel = cairn_image_pixels(image) + (60 * 640 + 160) * 3;
		assert_in_range(pixel[0], COLOURS.colours[0][0] - 15, COLOURS.colours[0][0] + 15);
		assert_in_range(pixel[2], COLOURS.colours[0][2] - 15, COLOURS.colours[0][2] + 15);
		cairn_image_free(image);
		file_free(&file);
	}
}

static void count_warnings(cairn_log_level level, const char *message, void *payload)
{
	int *count = payload;

	*count += level == CAIRN_LOG_WARNING && strstr(message, "cut short") != NULL;
}

/* What is left is told of; where nothing is left, an image of one colour would be a lie. */
static void lenient_tells_of_damage(void **state)
{
	static const struct {
		const char *suffix;
		int length, percent, warnings, status;
	} cases[] = {
		{ ".png", 0, 100, 0, 0 },
		{ ".png", 0, 50, 1, 0 },
		{ ".png", 200, 0, 0, CAIRN_EFORMAT },
		{ ".jpg", 0, 100, 0, 0 },
		{ ".jpg", 0, 50, 1, 0 },
		{ ".jpg", 30, 0, 0, CAIRN_EFORMAT },
		{ ".webp", 0, 100, 0, 0 },
		{ ".webp", 100, 0, 0, CAIRN_EFORMAT },
	};
	cairn_image_options lenient = CAIRN_IMAGE_OPTIONS_INIT;

	(void)state;
	lenient.lenient = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_image *image;
		file_bytes file;
		int warnings = 0;

		file_encode(&file, noisy_picture(320, 240), cases[i].suffix);
		size_t length =
			cases[i].length ? (size_t)cases[i].length : file.length * (size_t)cases[i].percent / 100;
		cairn_set_log(count_warnings, &warnings);
		int status = cairn_image_decode(&image, file.bytes, length, "cut", &lenient);
		cairn_set_log(NULL, NULL);
		if (status != cases[i].status || warnings != cases[i].warnings)
			fail_msg("%s of %zu bytes: status %d, %d warnings", cases[i].suffix, length, status, warnings);
		cairn_image_free(image);
		file_free(&file);
	}
}

/* Decodes what may be anything: it must work, or fail with a status and a text. */
static void decode_anything(const void *bytes, size_t length, int lenient)
{
	cairn_image_options options = CAIRN_IMAGE_OPTIONS_INIT;
	cairn_image *image;

	options.max_pixels = 1000000;
	options.lenient = lenient;
	int status = cairn_image_decode(&image, bytes, length, "anything", &options);
	if (status < 0)
		assert_fails(status, status, "anything");
	else
		assert_non_null(cairn_image_pixels(image));
	cairn_image_free(image);
}

static void damage_never_crashes(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (size_t i = 0; i < FILE_KIND_COUNT; i++) {
		file_bytes file;

		if (!file_make(&file, &FILE_KINDS[i]))
			continue;
		uint8_t *copy = test_malloc(file.length);
		for (int round = 0; round < 30; round++) {
			memcpy(copy, file.bytes, file.length);
			for (int flips = 0; flips < 1 + round % 8; flips++)
				copy[cn_test_random(&random) % file.length] = (uint8_t)cn_test_random(&random);
			decode_anything(copy, file.length, round % 2);
			decode_anything(copy, cn_test_random(&random) % file.length, round % 2);
		}
		test_free(copy);
		file_free(&file);
	}
}

static void other_content_is_refused(void **state)
{
	static const struct {
		const char *name, *content, *part;
	} cases[] = {
		{ "text.jpg", "Dear diary, this is no photograph.", "not an image" },
		{ "drawing.png",
		  "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>",
		  "not an image" },
		{ "paper.jpg", "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj", "not an image" },
		{ "script.jpg", "push graphic-context\nviewbox 0 0 9 9\npop graphic-context", "not an image" },
		{ "floats.jpg", "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n0", "not an image" },
		{ "empty.jpg", "", "empty" },
		{ "mark.jpg", "\xff\xd8\xff", "damaged or cut short" },
		{ "mark.png", "\x89PNG\r\n\x1a\n", "damaged or cut short" },
		{ "riff.webp", "RIFF....WEBP", "damaged or cut short" },
		{ "one.gif", "G", "not an image" },
	};
	const char *folder = cn_test_folder();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = cn_test_path(folder, cases[i].name);
		cairn_image *image;

		cn_test_write(path, cases[i].content, strlen(cases[i].content));
		assert_fails(cairn_image_open(&image, path, NULL), CAIRN_EFORMAT, cases[i].part);
		assert_fails(cairn_image_open(&image, path, NULL), CAIRN_EFORMAT, path);
		assert_null(image);
	}
}

static void odd_files_are_refused(void **state)
{
	const char *folder = cn_test_folder(), *pipe = cn_test_path(folder, "pipe.jpg");
	cairn_image_options wrong = CAIRN_IMAGE_OPTIONS_INIT;
	cairn_image *image;

	(void)state;
	assert_int_equal(mkfifo(pipe, 0600), 0);
	/* Opening the pipe would wait for ever; the alarm ends the test then. */
	alarm(20);
	assert_fails(cairn_image_open(&image, pipe, NULL), CAIRN_EFORMAT, "not a regular file");
	alarm(0);
	assert_fails(cairn_image_open(&image, folder, NULL), CAIRN_EFORMAT, "a folder");
	assert_fails(cairn_image_open(&image, "/dev/zero", NULL), CAIRN_EFORMAT, "/dev/zero");
	assert_fails(cairn_image_open(&image, cn_test_path(folder, "absent.jpg"), NULL), CAIRN_ENOTFOUND, "absent.jpg");
	assert_fails(cairn_image_open(&image, "", NULL), CAIRN_ENOTFOUND, NULL);
	wrong.version = 99;
	assert_fails(cairn_image_open(&image, pipe, &wrong), CAIRN_EINVALID, "99");
}

static void names_do_not_matter(void **state)
{
	static const char *const names[] = {
		"plain.jpg",
		"a[1].jpg",
		"x[page=2,shrink=8].jpg",
		"with spaces.jpg",
		"caf\xc3\xa9 \xe6\x97\xa5.jpg",
		"wrong.tiff",
		"no ending",
		"not utf8 \xff\xfe.jpg",
		"-dash.jpg",
		"percent%20%s%n.jpg",
		"quote'\".jpg",
		"new\nline",
	};
	const char *folder = cn_test_folder();
	file_bytes file;

	(void)state;
	file_encode(&file, picture(PICTURE_WIDTH, PICTURE_HEIGHT), ".jpg[Q=95]");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = cn_test_path(folder, names[i]);
		cairn_image *image;

		cn_test_write(path, file.bytes, file.length);
		assert_ok(cairn_image_open(&image, path, NULL));
		assert_quadrants(image, &COLOURS, 3, names[i]);
		cairn_image_free(image);
	}
	file_free(&file);
}

static void limits_hold(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "limited.jpg");
	cairn_image_options options = CAIRN_IMAGE_OPTIONS_INIT;
	cairn_image *image;
	file_bytes file;

	(void)state;
	file_encode(&file, picture(PICTURE_WIDTH, PICTURE_HEIGHT), ".jpg");
	cn_test_write(path, file.bytes, file.length);
	options.max_pixels = PICTURE_WIDTH * PICTURE_HEIGHT;
	options.max_bytes = file.length;
	assert_ok(cairn_image_open(&image, path, &options));
	cairn_image_free(image);
	options.max_pixels--;
	assert_fails(cairn_image_open(&image, path, &options), CAIRN_ELIMIT, "6143");
	options.max_pixels++;
	options.max_bytes--;
	assert_fails(cairn_image_open(&image, path, &options), CAIRN_ELIMIT, path);
	assert_fails(cairn_image_decode(&image, file.bytes, file.length, "limited", &options), CAIRN_ELIMIT, "limited");

	/* A header that claims 65000 x 65000 pixels: SOF0 holds height and width behind length and precision. */
	uint8_t *start = memmem(file.bytes, file.length, "\xff\xc0", 2);
	assert_non_null(start);
	memcpy(start + 5, ((uint8_t[]){ 0xfd, 0xe8, 0xfd, 0xe8 }), 4);
	assert_fails(cairn_image_decode(&image, file.bytes, file.length, "bomb", NULL), CAIRN_ELIMIT, "65000 x 65000");
	assert_null(image);
	file_free(&file);
}

static void samples_without_meaning_are_refused(void **state)
{
	VipsImage *from = picture(8, 8), *band, *floats;
	cairn_image *image;
	file_bytes file;

	(void)state;
	assert_int_equal(vips_extract_band(from, &band, 0, NULL), 0);
	assert_int_equal(vips_cast_float(band, &floats, NULL), 0);
	g_object_unref(from);
	g_object_unref(band);
	file_encode(&file, floats, ".tif");
	assert_fails(cairn_image_decode(&image, file.bytes, file.length, "floats", NULL), CAIRN_EUNSUPPORTED, "float");
	file_free(&file);
}

static void every_allocation_may_fail(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "memory.jpg");
	int status = CAIRN_ENOMEM, failures = 0;
	file_bytes file;

	(void)state;
	file_encode(&file, picture(PICTURE_WIDTH, PICTURE_HEIGHT), ".jpg");
	cn_test_write(path, file.bytes, file.length);
	file_free(&file);
	for (long n = 0; status < 0; n++) {
		cairn_image *image;

		cn_memory_fail_at(n);
		status = cairn_image_open(&image, path, NULL);
		cn_memory_fail_at(-1);
		if (status < 0) {
			assert_fails(status, CAIRN_ENOMEM, NULL);
			assert_null(image);
			failures++;
		}
		cairn_image_free(image);
	}
	assert_in_range(failures, 3, 20);
}

/* Several threads decode good and bad files; each gets its own pixels and its own reason. */
#define THREADS 4
#define ROUNDS  60

struct shared {
	file_bytes files[3];
	char texts[3][1024];
};

static void *decode_many(void *argument)
{
	const struct shared *shared = argument;
	size_t wrong = 0;

	for (size_t i = 0; i < ROUNDS; i++) {
		const file_bytes *file = &shared->files[i % 3];
		cairn_image *image;
		int status = cairn_image_decode(&image, file->bytes, file->length, "shared", NULL);

		if (i % 3 == 0)
			wrong += status != 0 || cairn_image_pixels(image)[0] != COLOURS.colours[0][0];
		else
			wrong += status != CAIRN_EFORMAT || strcmp(cairn_last_error(), shared->texts[i % 3]) != 0;
		cairn_image_free(image);
	}
	return (void *)wrong;
}

static void threads_do_not_mix(void **state)
{
	struct shared shared;
	pthread_t threads[THREADS];
	cairn_image *image;

	(void)state;
	file_encode(&shared.files[0], picture(64, 64), ".png");
	file_encode(&shared.files[1], picture(64, 64), ".jpg");
	file_encode(&shared.files[2], picture(64, 64), ".webp");
	for (int i = 1; i < 3; i++) {
		shared.files[i].length /= 2;
		assert_fails(cairn_image_decode(&image, shared.files[i].bytes, shared.files[i].length, "shared", NULL),
			     CAIRN_EFORMAT, "shared");
		snprintf(shared.texts[i], sizeof(shared.texts[i]), "%s", cairn_last_error());
	}
	assert_string_not_equal(shared.texts[1], shared.texts[2]);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, decode_many, &shared), 0);
	for (int i = 0; i < THREADS; i++) {
		void *wrong;

		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	for (int i = 0; i < 3; i++)
		file_free(&shared.files[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_have_their_pixels),
		cmocka_unit_test(profile_matters),
		cmocka_unit_test(orientations_are_undone),
		cmocka_unit_test(size_is_read_from_the_header),
		cmocka_unit_test(shrinking_keeps_the_sides),
		cmocka_unit_test(thin_images_keep_a_pixel),
		cmocka_unit_test(cut_files_fail),
		cmocka_unit_test(lenient_gives_what_there_is),
		cmocka_unit_test(lenient_tells_of_damage),
		cmocka_unit_test(damage_never_crashes),
		cmocka_unit_test(other_content_is_refused),
		cmocka_unit_test(odd_files_are_refused),
		cmocka_unit_test(names_do_not_matter),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(samples_without_meaning_are_refused),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(threads_do_not_mix),
	};

	return cmocka_run_group_tests_name("image/decode", tests, start, NULL);
}

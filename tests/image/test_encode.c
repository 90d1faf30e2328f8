/*
 * Encoding and saving, read back by the decoder.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cairn/image.h"
#include "util/file.h"
#include "util/memory.h"

/* Smooth, so that JPEG keeps it well. */
static cairn_image *slope(void)
{
	uint8_t pixels[60 * 40 * 3];
	cairn_image *image;

	for (int i = 0; i < 60 * 40; i++) {
		pixels[3 * i] = (uint8_t)(4 * (i % 60));
		pixels[3 * i + 1] = (uint8_t)(5 * (i / 60));
		pixels[3 * i + 2] = (uint8_t)(i % 60 + i / 60);
	}
	assert_ok(cairn_image_new(&image, 60, 40, pixels));
	return image;
}

static int largest_difference(const cairn_image *a, const cairn_image *b)
{
	int largest = 0;

	assert_int_equal(cairn_image_width(a), cairn_image_width(b));
	assert_int_equal(cairn_image_height(a), cairn_image_height(b));
	for (size_t i = 0; i < (size_t)cairn_image_width(a) * cairn_image_height(a) * 3; i++) {
		int difference = abs(cairn_image_pixels(a)[i] - cairn_image_pixels(b)[i]);

		largest = difference > largest ? difference : largest;
	}
	return largest;
}

static void round_trips(void **state)
{
	static const struct {
		const char *format, *mark;
		int quality, tolerance;
	} cases[] = {
		{ "png", "\x89PNG", 0, 0 },
		{ "jpeg", "\xff\xd8\xff", 100, 6 },
		{ "jpeg", "\xff\xd8\xff", 90, 14 },
	};
	cairn_image *image = slope(), *back;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint8_t *bytes, *again;
		size_t length, same;

		assert_ok(cairn_image_encode(image, cases[i].format, cases[i].quality, &bytes, &length));
		assert_memory_equal(bytes, cases[i].mark, strlen(cases[i].mark));
		assert_ok(cairn_image_decode(&back, bytes, length, cases[i].format, NULL));
		assert_in_range(largest_difference(image, back), 0, cases[i].tolerance);
		assert_ok(cairn_image_encode(image, cases[i].format, cases[i].quality, &again, &same));
		assert_int_equal(length, same);
		assert_memory_equal(bytes, again, length);
		cairn_image_free(back);
		cairn_bytes_free(bytes);
		cairn_bytes_free(again);
	}
	cairn_image_free(image);
}

static void quality_matters(void **state)
{
	cairn_image *image = slope();
	size_t low, high;
	uint8_t *bytes;

	(void)state;
	assert_ok(cairn_image_encode(image, "jpeg", 30, &bytes, &low));
	cairn_bytes_free(bytes);
	assert_ok(cairn_image_encode(image, "jpeg", 95, &bytes, &high));
	cairn_bytes_free(bytes);
	assert_true(low < high);
	cairn_image_free(image);
}

static void wrong_arguments(void **state)
{
	cairn_image *image = slope(), *wide;
	uint8_t *bytes;
	size_t length;

	(void)state;
	assert_fails(cairn_image_encode(image, "bmp", 90, &bytes, &length), CAIRN_EINVALID, "'bmp'");
	assert_fails(cairn_image_encode(image, "jpeg", 0, &bytes, &length), CAIRN_EINVALID, "quality 0");
	assert_fails(cairn_image_encode(image, "jpeg", 101, &bytes, &length), CAIRN_EINVALID, "quality 101");
	assert_null(bytes);
	assert_ok(cairn_image_new(&wide, 70000, 1, NULL));
	assert_fails(cairn_image_encode(wide, "jpeg", 90, &bytes, &length), CAIRN_EINVALID, "65535");
	assert_ok(cairn_image_encode(wide, "png", 0, &bytes, &length));
	cairn_bytes_free(bytes);
	cairn_image_free(wide);
	cairn_image_free(image);
}

static void saving(void **state)
{
	static const struct {
		const char *name;
		int tolerance;
	} cases[] = {
		{ "a.png", 0 }, { "b.PNG", 0 }, { "c.jpg", 14 }, { "d.JPEG", 14 }, { "e [1]\xc3\xa9.jpg", 14 },
		{ "a.png", 0 },
	};
	const char *folder = cn_test_folder();
	cairn_image *image = slope(), *back;
	char **names;
	size_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(cairn_image_save(image, cn_test_path(folder, cases[i].name)));
		assert_ok(cairn_image_open(&back, cn_test_path(folder, cases[i].name), NULL));
		assert_in_range(largest_difference(image, back), 0, cases[i].tolerance);
		cairn_image_free(back);
	}
	assert_fails(cairn_image_save(image, cn_test_path(folder, "f.gif")), CAIRN_EINVALID, "f.gif");
	assert_fails(cairn_image_save(image, cn_test_path(folder, "png")), CAIRN_EINVALID, ".png");
	assert_fails(cairn_image_save(image, "/nowhere.d/a.png"), CAIRN_ENOTFOUND, "/nowhere.d");
	/* No temporary file stays behind. */
	assert_ok(cn_folder_list(folder, &names, &count));
	assert_int_equal(count, 5);
	cn_names_free(names, count);
	cairn_image_free(image);
}

static void every_allocation_may_fail(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "memory.png");
	cairn_image *image = slope(), *back;
	int status = CAIRN_ENOMEM, failures = -1;

	(void)state;
	for (long n = 0; status < 0; n++, failures++) {
		cn_memory_fail_at(n);
		status = cairn_image_save(image, path);
		cn_memory_fail_at(-1);
		/* Whole or not at all. */
		if (cn_file_exists(path)) {
			assert_ok(cairn_image_open(&back, path, NULL));
			assert_int_equal(largest_difference(image, back), 0);
			cairn_image_free(back);
		}
	}
	assert_in_range(failures, 2, 20);
	cairn_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(quality_matters),
		cmocka_unit_test(wrong_arguments),
		cmocka_unit_test(saving),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("image/encode", tests, NULL, NULL);
}

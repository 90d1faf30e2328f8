/*
 * Recognising sRGB among colour profiles.
 */
#include "support.h"

#include <string.h>
#include <vips/vips.h>

#include "image/image.h"
#include "image/profile.h"

/* A profile under construction. */
typedef struct {
	uint8_t bytes[2048];
	size_t length;
} profile;

static void put_u32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_fixed(uint8_t *to, double value)
{
	put_u32(to, (uint32_t)(int32_t)(value * 65536 + (value < 0 ? -0.5 : 0.5)));
}

static void add_tag(profile *made, size_t index, const char *name, const uint8_t *data, size_t size)
{
	uint8_t *entry = made->bytes + 132 + 12 * index;

	memcpy(entry, name, 4);
	put_u32(entry + 4, (uint32_t)made->length);
	put_u32(entry + 8, (uint32_t)size);
	memcpy(made->bytes + made->length, data, size);
	made->length += size;
}

/* How a made profile differs from sRGB. */
typedef struct {
	const char *name;
	double red_x, gamma, slope;
	const char *space;
	int type, expected;
} variant;

static void make(profile *made, const variant *how)
{
	static const char *const names[] = { "rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC" };
	const double primaries[3][3] = { { how->red_x, 0.2225, 0.0139 },
					 { 0.3851, 0.7169, 0.0971 },
					 { 0.1431, 0.0606, 0.7141 } };
	const double curve[5] = { how->gamma, 1 / 1.055, 0.055 / 1.055, how->slope, 0.04045 };

	memset(made, 0, sizeof(*made));
	memcpy(made->bytes + 16, how->space, 8);
	put_u32(made->bytes + 128, 6);
	made->length = 132 + 6 * 12;
	for (size_t i = 0; i < 6; i++) {
		uint8_t data[32] = { 0 };

		memcpy(data, i < 3 ? "XYZ " : "para", 4);
		data[9] = i < 3 ? 0 : (uint8_t)how->type;
		for (size_t k = 0; i < 3 && k < 3; k++)
			put_fixed(data + 8 + 4 * k, primaries[i][k]);
		for (size_t k = 0; i >= 3 && k < 5; k++)
			put_fixed(data + 12 + 4 * k, curve[k]);
		add_tag(made, i, names[i], data, i < 3 ? 20 : 32);
	}
}

static void formulas(void **state)
{
	static const variant cases[] = {
		{ "sRGB", 0.4360, 2.4, 1 / 12.92, "RGB XYZ ", 3, 1 },
		{ "sRGB, otherwise rounded", 0.4365, 2.399, 0.0774, "RGB XYZ ", 3, 1 },
		{ "other red", 0.5151, 2.4, 1 / 12.92, "RGB XYZ ", 3, 0 },
		{ "other gamma", 0.4360, 2.2, 1 / 12.92, "RGB XYZ ", 3, 0 },
		{ "dark part too steep", 0.4360, 2.4, 0.2, "RGB XYZ ", 3, 0 },
		{ "grey", 0.4360, 2.4, 1 / 12.92, "GRAYXYZ ", 3, 0 },
		{ "Lab inside", 0.4360, 2.4, 1 / 12.92, "RGB Lab ", 3, 0 },
		{ "another formula", 0.4360, 2.4, 1 / 12.92, "RGB XYZ ", 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		profile made;

		make(&made, &cases[i]);
		if (cn_profile_is_srgb(made.bytes, made.length) != cases[i].expected)
			fail_msg("%s", cases[i].name);
	}
}

static void profiles_of_libvips(void **state)
{
	static const struct {
		const char *name;
		int expected;
	} cases[] = { { "srgb", 1 }, { "p3", 0 }, { "cmyk", 0 } };

	(void)state;
	assert_ok(cn_vips_start());
	for (size_t i = 0; i < 3; i++) {
		VipsBlob *blob;
		size_t length;

		assert_int_equal(vips_profile_load(cases[i].name, &blob, NULL), 0);
		const uint8_t *bytes = vips_blob_get(blob, &length);
		assert_int_equal(cn_profile_is_srgb(bytes, length), cases[i].expected);
		vips_area_unref(VIPS_AREA(blob));
	}
}

/* What is cut or damaged is never read beyond its end; AddressSanitizer watches. */
static void damage_is_not_srgb(void **state)
{
	static const variant srgb = { "sRGB", 0.4360, 2.4, 1 / 12.92, "RGB XYZ ", 3, 1 };
	uint64_t random = 3;
	profile made;

	(void)state;
	make(&made, &srgb);
	for (size_t length = 0; length < made.length; length++) {
		uint8_t *copy = test_malloc(length + 1);

		memcpy(copy, made.bytes, length);
		assert_int_equal(cn_profile_is_srgb(copy, length), 0);
		test_free(copy);
	}
	for (int round = 0; round < 3000; round++) {
		uint8_t *copy = test_malloc(made.length);

		memcpy(copy, made.bytes, made.length);
		for (int i = 0; i < 4; i++)
			copy[128 + cn_test_random(&random) % 80] = (uint8_t)cn_test_random(&random);
		cn_profile_is_srgb(copy, made.length);
		test_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formulas),
		cmocka_unit_test(profiles_of_libvips),
		cmocka_unit_test(damage_is_not_srgb),
	};

	return cmocka_run_group_tests_name("image/profile", tests, NULL, NULL);
}

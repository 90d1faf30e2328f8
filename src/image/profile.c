/*
 * Recognises sRGB among ICC profiles (ICC.1:2022) of the kind "three primaries and three tone curves", by its numbers:
 * the primaries of IEC 61966-2-1 adapted to D50, and its tone curve given as a table or as a parametric curve.
 */
#include "image/profile.h"

#include <math.h>
#include <string.h>

#define HEADER_SIZE 128
#define ENTRY_SIZE  12
#define MOST_TAGS   100

/* Of the XYZ values of the primaries; profiles in use differ from each other by a third of it. */
#define PRIMARY_TOLERANCE 0.001
/* Of tone curves, in units of the encoded range: half a grey level. */
#define CURVE_TOLERANCE (0.5 / 255)
#define CURVE_SAMPLES   64

static uint32_t read_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static double read_fixed(const uint8_t *bytes)
{
	return (int32_t)read_u32(bytes) / 65536.0;
}

/* A tag's data of at least `least` bytes, or NULL. */
static const uint8_t *find_tag(const uint8_t *profile, size_t length, const char *name, size_t least, size_t *size)
{
	size_t count = read_u32(profile + HEADER_SIZE);

	if (count > MOST_TAGS || HEADER_SIZE + 4 + count * ENTRY_SIZE > length)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *entry = profile + HEADER_SIZE + 4 + i * ENTRY_SIZE;
		size_t offset = read_u32(entry + 4);

		*size = read_u32(entry + 8);
		if (memcmp(entry, name, 4) == 0)
			return *size >= least && offset <= length && *size <= length - offset ? profile + offset : NULL;
	}
	return NULL;
}

static int has_primary(const uint8_t *profile, size_t length, const char *name, const double expected[3])
{
	size_t size;
	const uint8_t *tag = find_tag(profile, length, name, 20, &size);

	if (!tag || memcmp(tag, "XYZ ", 4) != 0)
		return 0;
	for (size_t i = 0; i < 3; i++)
		if (fabs(read_fixed(tag + 8 + 4 * i) - expected[i]) > PRIMARY_TOLERANCE)
			return 0;
	return 1;
}

/* Light, 0 to 1, as encoded in sRGB. */
static double encode(double light)
{
	return light <= 0.0031308 ? 12.92 * light : 1.055 * pow(light, 1 / 2.4) - 0.055;
}

/* "curv" with a table: light at evenly spaced encoded values. */
static int is_srgb_table(const uint8_t *tag, size_t size)
{
	size_t count = read_u32(tag + 8);

	if (count < CURVE_SAMPLES || count > (size - 12) / 2)
		return 0;
	for (size_t i = 0; i <= CURVE_SAMPLES; i++) {
		size_t at = i * (count - 1) / CURVE_SAMPLES;
		const uint8_t *entry = tag + 12 + 2 * at;
		double light = (entry[0] << 8 | entry[1]) / 65535.0, value = (double)at / (double)(count - 1);

		if (fabs(encode(light) - value) > CURVE_TOLERANCE)
			return 0;
	}
	return 1;
}

/* "para" of type 3: light = (a x + b)^g from d on, c x below. */
static int is_srgb_formula(const uint8_t *tag, size_t size)
{
	double p[5];

	if (tag[8] != 0 || tag[9] != 3 || size < 12 + 4 * 5)
		return 0;
	for (size_t i = 0; i < 5; i++)
		p[i] = read_fixed(tag + 12 + 4 * i);
	for (size_t i = 0; i <= CURVE_SAMPLES; i++) {
		double x = (double)i / CURVE_SAMPLES, light = x >= p[4] ? pow(p[1] * x + p[2], p[0]) : p[3] * x;

		/* Written so that a light that is not a number fails. */
		if (!(fabs(encode(light) - x) <= CURVE_TOLERANCE))
			return 0;
	}
	return 1;
}

static int has_curve(const uint8_t *profile, size_t length, const char *name)
{
	size_t size;
	const uint8_t *tag = find_tag(profile, length, name, 12, &size);

	if (!tag)
		return 0;
	if (memcmp(tag, "curv", 4) == 0)
		return is_srgb_table(tag, size);
	return memcmp(tag, "para", 4) == 0 && is_srgb_formula(tag, size);
}

int cn_profile_is_srgb(const uint8_t *profile, size_t length)
{
	static const double red[] = { 0.4360, 0.2225, 0.0139 };
	static const double green[] = { 0.3851, 0.7169, 0.0971 };
	static const double blue[] = { 0.1431, 0.0606, 0.7141 };
	size_t size;

	if (length < HEADER_SIZE + 4 || memcmp(profile + 16, "RGB XYZ ", 8) != 0)
		return 0;
	/* A table for conversion goes before primaries and curves. */
	if (find_tag(profile, length, "A2B0", 0, &size) || find_tag(profile, length, "A2B1", 0, &size))
		return 0;
	return has_primary(profile, length, "rXYZ", red) && has_primary(profile, length, "gXYZ", green) &&
	       has_primary(profile, length, "bXYZ", blue) && has_curve(profile, length, "rTRC") &&
	       has_curve(profile, length, "gTRC") && has_curve(profile, length, "bTRC");
}

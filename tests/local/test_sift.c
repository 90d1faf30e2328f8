/*
 * The phases of SIFT against plain loops in double precision, and on images whose answer is known.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "local/sift.h"
#include "scenes.h"
#include "sift_reference.h"
#include "support.h"

#define PI 3.14159265358979323846

/* Narrow, low, odd, even; the least that has an octave (7), and what has room for rows of a ring only. */
static const struct {
	size_t width, height;
} sizes[] = { { 7, 7 }, { 8, 8 }, { 31, 9 }, { 9, 140 }, { 64, 48 }, { 97, 83 }, { 60, 150 } };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void check_levels(const cn_sift_scratch *scratch, const struct reference *reference)
{
	assert_int_equal(scratch->octave_count, reference->octave_count);
	for (size_t o = 0; o < scratch->octave_count; o++) {
		const cn_sift_octave *octave = &scratch->octaves[o];
		const struct reference_octave *wanted = &reference->octaves[o];
		assert_int_equal(octave->width, wanted->width);
		assert_int_equal(octave->height, wanted->height);
		assert_float_equal(octave->pixel, wanted->pixel, 0);
		for (size_t level = 1; level <= CN_SIFT_SCALES; level++)
			for (size_t y = 0; y < octave->height; y++)
				for (size_t x = 0; x < octave->width; x++)
					assert_float_equal(cn_sift_row(octave, level, y)[x],
							   wanted->levels[level][y * octave->width + x], 1e-3);
	}
}

static int is_found(const cn_sift_scratch *scratch, const struct reference_extremum *wanted)
{
	for (size_t i = 0; i < scratch->count; i++) {
		const cn_sift_extremum *got = &scratch->extrema[i];
		if (got->octave == wanted->octave && got->level == wanted->level &&
		    fabs((double)got->x - wanted->x) < 0.01 && fabs((double)got->y - wanted->y) < 0.01 &&
		    fabs((double)got->sigma / wanted->sigma - 1) < 0.01 &&
		    fabs((double)got->score - wanted->score) < 1e-4)
			return 1;
	}
	return 0;
}

/* Numbers that lie within rounding of a limit may fall to the other side of it: one in a hundred is let through. */
static void check_extrema(const cn_sift_scratch *scratch, const struct reference *reference)
{
	size_t missing = 0, slack = reference->count / 100;
	for (size_t i = 0; i < reference->count; i++)
		missing += !is_found(scratch, &reference->extrema[i]);
	assert_in_range(missing, 0, slack);
	assert_in_range(scratch->count, reference->count - slack, reference->count + slack);
}

/* One scratch for all sizes, upwards and downwards: what an image leaves behind must not show in the next. */
static void test_scale_space_and_extrema_are_those_of_plain_loops(void **state)
{
	(void)state;
	cn_sift_scratch scratch = { 0 };
	size_t count = 0;
	for (size_t i = 0; i < 2 * SIZES; i++) {
		size_t k = i < SIZES ? i : 2 * SIZES - 1 - i, width = sizes[k].width, height = sizes[k].height;
		struct reference reference;
		float *grey = scene_texture(width, height, i);
		reference_new(&reference, grey, width, height);
		assert_ok(cn_sift_detect(&scratch, grey, width, height));
		check_levels(&scratch, &reference);
		check_extrema(&scratch, &reference);
		count += scratch.count;
		reference_free(&reference);
		free(grey);
	}
	assert_true(count > 500);
	cn_sift_scratch_free(&scratch);
}

static void test_there_is_nothing_in_tiny_and_flat_images(void **state)
{
	(void)state;
	static const struct {
		size_t width, height;
	} cases[] = {
		{ 1, 1 }, { 2, 1 }, { 1, 2 }, { 6, 6 }, { 6, 1000 }, { 4000, 1 }, { 7, 7 }, { 8, 8 }, { 300, 7 }
	};
	cn_sift_scratch scratch = { 0 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = cases[i].width * cases[i].height;
		float *grey = malloc(count * sizeof(*grey));
		for (size_t k = 0; k < count; k++)
			grey[k] = 255;
		assert_ok(cn_sift_detect(&scratch, grey, cases[i].width, cases[i].height));
		assert_int_equal(scratch.count, 0);
		assert_int_equal(scratch.octave_count > 0, cases[i].width >= 7 && cases[i].height >= 7);
		free(grey);
	}
	cn_sift_scratch_free(&scratch);
}

/* An image above the limit of doubling has its first octave at full size. */
static void test_large_images_are_not_doubled(void **state)
{
	(void)state;
	cn_sift_scratch scratch = { 0 };
	size_t width = 16384, height = 257;
	float *grey = calloc(width * height, sizeof(*grey));
	for (size_t y = 0; y < height; y++)
		for (size_t x = 0; x < 40; x++)
			grey[y * width + x] =
				(float)(200 * exp(-(pow((double)x - 20, 2) + pow((double)y - 128, 2)) / (2 * 16)));
	assert_ok(cn_sift_detect(&scratch, grey, width, height));
	assert_int_equal(scratch.octaves[0].width, width);
	assert_float_equal(scratch.octaves[0].pixel, 1, 0);
	assert_int_equal(scratch.count, 1);
	const cn_sift_extremum *found = &scratch.extrema[0];
	assert_float_equal((double)found->x * scratch.octaves[found->octave].pixel, 20, 0.02);
	assert_float_equal((double)found->y * scratch.octaves[found->octave].pixel, 128, 0.02);
	cn_sift_scratch_free(&scratch);
	free(grey);
}

/* Two octaves may both have it. */
static const cn_sift_extremum *strongest(const cn_sift_scratch *scratch)
{
	const cn_sift_extremum *best = scratch->extrema;
	assert_in_range(scratch->count, 1, 2);
	for (size_t i = 1; i < scratch->count; i++)
		if (scratch->extrema[i].score > best->score)
			best = &scratch->extrema[i];
	return best;
}

/*
 * A blob of deviation s is blurred to sqrt(s^2 + t^2 - 0.09) at scale t, a blur of 0.3 being taken for granted.
 * The difference of scales t and k t is largest in the middle where k t^2 = s^2 - 0.09.
 */
static void test_blobs_are_found_at_their_place_and_scale(void **state)
{
	(void)state;
	static const struct {
		double x, y, deviation, height;
	} blobs[] = { { 60, 50, 2, 200 },      { 70.25, 41.5, 3, -150 }, { 50.5, 66.75, 4.4, 90 },
		      { 63.3, 59.2, 6, -200 }, { 64, 64, 9, 120 },       { 66.6, 61.1, 11, 200 } };
	enum { SIDE = 128 };
	cn_sift_scratch scratch = { 0 };
	float *grey = malloc(sizeof(float) * SIDE * SIDE);
	for (size_t b = 0; b < sizeof(blobs) / sizeof(blobs[0]); b++) {
		double s = blobs[b].deviation;
		for (size_t i = 0; i < SIDE * SIDE; i++) {
			double x = (double)(i % SIDE) - blobs[b].x, y = (double)(i / SIDE) - blobs[b].y;
			double base = blobs[b].height > 0 ? 20 : 230;
			grey[i] = (float)(base + blobs[b].height * exp(-(x * x + y * y) / (2 * s * s)));
		}
		assert_ok(cn_sift_detect(&scratch, grey, SIDE, SIDE));
		const cn_sift_extremum *found = strongest(&scratch);
		double pixel = scratch.octaves[found->octave].pixel;
		assert_float_equal((double)found->x * pixel, blobs[b].x, 0.01 * s);
		assert_float_equal((double)found->y * pixel, blobs[b].y, 0.01 * s);
		double wanted = sqrt((s * s - 0.09) / exp2(1.0 / 3));
		assert_float_equal((double)found->sigma * pixel / wanted, 1, 0.03);
	}
	free(grey);
	cn_sift_scratch_free(&scratch);
}

/* A slope that rises towards `angle`, counter-clockwise with y downwards. */
static float *slope(size_t side, double angle)
{
	float *grey = malloc(side * side * sizeof(*grey));
	for (size_t i = 0; i < side * side; i++) {
		double x = (double)(i % side) - (double)side / 2, y = (double)(i / side) - (double)side / 2;
		grey[i] = (float)(128 + x * cos(angle) - y * sin(angle));
	}
	return grey;
}

static const cn_sift_extremum middle = { .x = 63, .y = 64, .sigma = 2.1f, .octave = 0, .level = 1 };

/* Gradients are counted by tens of degrees, and all of them are alike here. */
static void test_the_orientation_is_that_of_the_gradient(void **state)
{
	(void)state;
	cn_sift_scratch scratch = { 0 };
	for (int degrees = 0; degrees < 360; degrees += 7) {
		double angle = degrees * PI / 180;
		float *grey = slope(64, angle), angles[CN_SIFT_ORIENTATIONS];
		assert_ok(cn_sift_detect(&scratch, grey, 64, 64));
		assert_int_equal(cn_sift_orient(angles, &scratch.octaves[0], &middle), 1);
		assert_true(angles[0] >= 0 && (double)angles[0] < 2 * PI);
		double off = remainder((double)angles[0] - angle, 2 * PI);
		assert_float_equal(off, 0, (degrees % 10 ? 5.01 : 0.5) * PI / 180);
		free(grey);
	}
	cn_sift_scratch_free(&scratch);
}

/* A ridge has two slopes against each other; a lower third one, below 0.8 of the highest, does not count. */
static void test_opposite_slopes_give_two_orientations(void **state)
{
	(void)state;
	cn_sift_scratch scratch = { 0 };
	float grey[64 * 64], angles[CN_SIFT_ORIENTATIONS];
	for (size_t i = 0; i < 64 * 64; i++)
		grey[i] = 200 - 3 * fabsf((float)(i % 64) - 31.6f);
	assert_ok(cn_sift_detect(&scratch, grey, 64, 64));
	assert_int_equal(cn_sift_orient(angles, &scratch.octaves[0], &middle), 2);
	assert_float_equal(fabs(cos((double)angles[0])), 1, 1e-3);
	assert_float_equal(cos((double)angles[0]), -cos((double)angles[1]), 1e-3);
	cn_sift_scratch_free(&scratch);
}

static void test_descriptors_are_those_of_plain_loops(void **state)
{
	(void)state;
	cn_sift_scratch scratch = { 0 };
	struct reference reference;
	size_t width = 120, height = 90;
	float *grey = scene_texture(width, height, 5);
	reference_new(&reference, grey, width, height);
	assert_ok(cn_sift_detect(&scratch, grey, width, height));
	assert_true(scratch.count > 100);
	for (size_t i = 0; i < scratch.count; i++) {
		const cn_sift_extremum *extremum = &scratch.extrema[i];
		float got[CN_SIFT_DIM], angle = (float)i * 0.1f;
		double wanted[CN_SIFT_DIM], square = 0;
		cn_sift_describe(got, &scratch.octaves[extremum->octave], extremum, angle);
		reference_describe(wanted, &reference.octaves[extremum->octave], extremum->level, (double)extremum->x,
				   (double)extremum->y, (double)extremum->sigma, (double)angle);
		for (size_t k = 0; k < CN_SIFT_DIM; k++) {
			assert_float_equal(got[k], wanted[k], 2e-3);
			square += (double)got[k] * (double)got[k];
		}
		assert_float_equal(square, 1, 2e-5);
	}
	reference_free(&reference);
	free(grey);
	cn_sift_scratch_free(&scratch);
}

static void test_the_descriptor_of_a_flat_patch_is_zero(void **state)
{
	(void)state;
	cn_sift_scratch scratch = { 0 };
	float grey[32 * 32] = { 0 }, out[CN_SIFT_DIM], zero[CN_SIFT_DIM] = { 0 };
	cn_sift_extremum edge = { .x = 61.9f, .y = 0.1f, .sigma = 3, .octave = 0, .level = 3 };
	assert_ok(cn_sift_detect(&scratch, grey, 32, 32));
	cn_sift_describe(out, &scratch.octaves[0], &edge, 1);
	assert_memory_equal(out, zero, sizeof(out));
	assert_int_equal(cn_sift_orient(out, &scratch.octaves[0], &edge), 0);
	cn_sift_scratch_free(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scale_space_and_extrema_are_those_of_plain_loops),
		cmocka_unit_test(test_there_is_nothing_in_tiny_and_flat_images),
		cmocka_unit_test(test_large_images_are_not_doubled),
		cmocka_unit_test(test_blobs_are_found_at_their_place_and_scale),
		cmocka_unit_test(test_the_orientation_is_that_of_the_gradient),
		cmocka_unit_test(test_opposite_slopes_give_two_orientations),
		cmocka_unit_test(test_descriptors_are_those_of_plain_loops),
		cmocka_unit_test(test_the_descriptor_of_a_flat_patch_is_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

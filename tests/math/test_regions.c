/*
 * Regions of R-MAC: by hand, and against the published formulas in loops.
 */
#include <math.h>
#include <stdlib.h>

#include "math/regions.h"
#include "support.h"

/* ---- by hand ---- */

static void regions_by_hand(void **state)
{
	(void)state;
	static const struct {
		size_t width, height;
		uint32_t levels;
		size_t count;
		cn_region regions[11];
	} cases[] = {
		{ 1, 1, 3, 1, { { 0, 0, 1 } } },
		{ 4, 4, 1, 1, { { 0, 0, 4 } } },
		/* The second level has sides of 2 * 4 / 3 = 2. */
		{ 4, 4, 2, 5, { { 0, 0, 4 }, { 0, 0, 2 }, { 2, 0, 2 }, { 0, 2, 2 }, { 2, 2, 2 } } },
		/* 2 * 3 / 3 = 2, that of the third level 2 * 3 / 4 = 1. */
		{ 3, 3, 2, 5, { { 0, 0, 3 }, { 0, 0, 2 }, { 1, 0, 2 }, { 0, 1, 2 }, { 1, 1, 2 } } },
		/* Two squares of 4 overlap by half, three by three quarters, which is farther from 0.4. */
		{ 6, 4, 1, 2, { { 0, 0, 4 }, { 2, 0, 4 } } },
		{ 4, 6, 1, 2, { { 0, 0, 4 }, { 0, 2, 4 } } },
		/* Three overlap by half, two not at all. */
		{ 8, 4, 1, 3, { { 0, 0, 4 }, { 2, 0, 4 }, { 4, 0, 4 } } },
		/* 0.2 for two and 0.6 for three are equally far from 0.4: two. */
		{ 9, 5, 1, 2, { { 0, 0, 5 }, { 4, 0, 5 } } },
		/* One more along the longer side on each level; places are rounded down. */
		{ 6,
		  4,
		  2,
		  8,
		  { { 0, 0, 4 },
		    { 2, 0, 4 },
		    { 0, 0, 2 },
		    { 2, 0, 2 },
		    { 4, 0, 2 },
		    { 0, 2, 2 },
		    { 2, 2, 2 },
		    { 4, 2, 2 } } },
		/* No more than seven however long it is: gaps are left. */
		{ 100,
		  1,
		  2,
		  7,
		  { { 0, 0, 1 }, { 16, 0, 1 }, { 33, 0, 1 }, { 49, 0, 1 }, { 66, 0, 1 }, { 82, 0, 1 }, { 99, 0, 1 } } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_region found[64];
		size_t count = cn_regions(cases[i].width, cases[i].height, cases[i].levels, 0.4, found);
		assert_int_equal(count, cases[i].count);
		assert_memory_equal(found, cases[i].regions, count * sizeof(*found));
	}
}

static void overlap_decides_how_many(void **state)
{
	(void)state;
	/* 12 x 4: two leave a gap (-1), three touch (0), ... five overlap by half, seven by 2/3. */
	static const struct {
		double overlap;
		size_t count;
	} cases[] = { { 0, 3 }, { 0.4, 4 }, { 0.5, 5 }, { 0.95, 7 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_region found[32];
		assert_int_equal(cn_regions(12, 4, 1, cases[i].overlap, found), cases[i].count);
	}
}

/* ---- the published formulas ---- */

enum { W = 0, H = 1 };

/* |((w^2 - w b) / w^2) - overlap| for so many steps along the longer side. */
static double off(double shorter, double longer, size_t steps, double overlap)
{
	double b = (longer - shorter) / (double)(steps - 1);
	return fabs((shorter * shorter - shorter * b) / (shorter * shorter) - overlap);
}

static size_t further_plainly(double shorter, double longer, double overlap)
{
	size_t best = 2;
	for (size_t steps = 3; steps <= 7; steps++)
		/* Exact ties go to the smaller number; they are nowhere near this margin otherwise. */
		if (off(shorter, longer, steps, overlap) < off(shorter, longer, best, overlap) - 1e-9)
			best = steps;
	return best - 1;
}

/* Where the k-th of n squares of a side begins: floor(wl2 + k b) - wl2 with wl2 = floor(side / 2 - 1). */
static size_t place_plainly(size_t length, size_t side, size_t n, size_t k)
{
	double middle = floor((double)side / 2 - 1), b = n > 1 ? (double)(length - side) / (double)(n - 1) : 0;
	/* Products such as 3 * (7 / 3) come out one too low without the margin. */
	return (size_t)(floor(middle + (double)k * b + 1e-9) - middle);
}

static size_t regions_plainly(size_t width, size_t height, size_t levels, double overlap, cn_region *out)
{
	size_t further[2] = { 0, 0 }, count = 0, w = width < height ? width : height;
	if (height < width)
		further[W] = further_plainly((double)height, (double)width, overlap);
	if (width < height)
		further[H] = further_plainly((double)width, (double)height, overlap);
	for (size_t l = 1; l <= levels; l++) {
		size_t side = (size_t)floor(2.0 * (double)w / (double)(l + 1));
		if (side == 0)
			continue;
		for (size_t y = 0; y < l + further[H]; y++)
			for (size_t x = 0; x < l + further[W]; x++)
				out[count++] = (cn_region){ place_plainly(width, side, l + further[W], x),
							    place_plainly(height, side, l + further[H], y), side };
	}
	return count;
}

static void regions_are_the_published_ones(void **state)
{
	(void)state;
	static const double overlaps[] = { 0, 0.25, 0.4, 0.95 };
	static const uint32_t levels[] = { 1, 2, 3, 4, 7, CN_MOST_LEVELS };
	size_t room = cn_regions_most(CN_MOST_LEVELS), most_of_three = 0;
	cn_region *found = malloc(room * sizeof(*found)), *expected = malloc(room * sizeof(*expected));
	for (size_t width = 1; width <= 40; width++)
		for (size_t height = 1; height <= 30; height++)
			for (size_t o = 0; o < 4; o++)
				for (size_t l = 0; l < 6; l++) {
					size_t count = cn_regions(width, height, levels[l], overlaps[o], found);
					assert_true(count >= 1 && count <= cn_regions_most(levels[l]));
					assert_int_equal(count, regions_plainly(width, height, levels[l], overlaps[o],
										expected));
					assert_memory_equal(found, expected, count * sizeof(*found));
					if (levels[l] == 3 && count > most_of_three)
						most_of_three = count;
				}
	/* The bound is reached. */
	assert_int_equal(most_of_three, cn_regions_most(3));
	free(found);
	free(expected);
}

/* Every region lies inside; at each level the first touches the near edges and the last the far ones. */
static void regions_lie_inside(void **state)
{
	(void)state;
	static const size_t long_sides[] = { 41, 64, 333, 100000 };
	cn_region *found = malloc(cn_regions_most(CN_MOST_LEVELS) * sizeof(*found));
	for (size_t i = 0; i < 40 * 34 * 2; i++) {
		size_t a = 1 + i % 40, k = i / 40 % 34, b = k < 30 ? k + 1 : long_sides[k - 30];
		size_t width = i < 40 * 34 ? a : b, height = i < 40 * 34 ? b : a;
		size_t count = cn_regions(width, height, CN_MOST_LEVELS, 0.4, found);
		for (size_t r = 0; r < count; r++) {
			assert_true(found[r].side >= 1);
			assert_true(found[r].x + found[r].side <= width);
			assert_true(found[r].y + found[r].side <= height);
			if (r == 0 || found[r].side != found[r - 1].side)
				assert_true(found[r].x == 0 && found[r].y == 0);
		}
		const cn_region *last = &found[count - 1];
		assert_true(count == 1 || (last->x + last->side == width && last->y + last->side == height));
	}
	free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions_by_hand),
		cmocka_unit_test(overlap_decides_how_many),
		cmocka_unit_test(regions_are_the_published_ones),
		cmocka_unit_test(regions_lie_inside),
	};
	return cmocka_run_group_tests_name("global/regions", tests, NULL, NULL);
}

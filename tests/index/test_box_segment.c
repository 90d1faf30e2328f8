/* Files of boxes: round trips to the last bit, what is refused, that damage is found. */
#include <math.h>
#include <string.h>

#include "index/box_segment.h"
#include "support.h"

#define SOUND                                                                                                          \
	{                                                                                                              \
		{ 1.5, 2, 30.25, 40 }, 0.9                                                                             \
	}

static const cn_found_box of_two[] = { { { 0, 0, 640, 480 }, 0.75 }, { { 0.1, 1.0 / 3, 7, 8 }, 0.75 }, SOUND },
			  of_seven[] = { { { 5, 6, 7, 8 }, -2 } };

/* Of images 2 (the first two, or a third out of order as well) and 7; image 5 has none. */
static const char *write_file(size_t of_first)
{
	const cn_boxes two = { (cn_found_box *)(uintptr_t)of_two, of_first }, none = { NULL, 0 },
		       seven = { (cn_found_box *)(uintptr_t)of_seven, 1 };
	cn_box_writer writer = { 0 };
	const char *path = cn_test_path(cn_test_folder(), "boxes.npy");
	assert_ok(cn_box_writer_add(&writer, 2, &two));
	assert_ok(cn_box_writer_add(&writer, 5, &none));
	assert_ok(cn_box_writer_add(&writer, 7, &seven));
	assert_fails(cn_box_writer_add(&writer, 7, &seven), CAIRN_EINVALID, "image 7 cannot be appended");
	assert_ok(cn_box_writer_commit(&writer, path));
	cn_box_writer_free(&writer);
	return path;
}

static void assert_boxes(const cn_box_segment *segment, int64_t image, const cn_found_box *wanted, size_t count)
{
	cn_boxes boxes;
	assert_ok(cn_box_segment_read(segment, image, &boxes));
	assert_int_equal(boxes.count, count);
	if (count)
		assert_memory_equal(boxes.items, wanted, count * sizeof(*wanted));
	cn_boxes_free(&boxes);
}

static void round_trip(void **state)
{
	(void)state;
	cn_box_segment segment;
	assert_ok(cn_box_segment_open(&segment, write_file(2)));
	assert_int_equal(segment.count, 3);
	assert_boxes(&segment, 2, of_two, 2);
	assert_boxes(&segment, 7, of_seven, 1);
	for (int64_t id = 1; id < 10; id++)
		if (id != 2 && id != 7)
			assert_boxes(&segment, id, NULL, 0);
	for (size_t i = 0; i < 3; i++) {
		int64_t image;
		assert_ok(cn_box_segment_line(&segment, i, &image));
		assert_int_equal(image, i < 2 ? 2 : 7);
	}
	cn_box_segment_close(&segment);
}

static void a_file_may_hold_no_boxes(void **state)
{
	(void)state;
	const cn_box_writer writer = { 0 };
	const char *path = cn_test_path(cn_test_folder(), "none.npy");
	cn_box_segment segment;
	assert_ok(cn_box_writer_commit(&writer, path));
	assert_ok(cn_box_segment_open(&segment, path));
	assert_non_null(segment.lines);
	assert_boxes(&segment, 1, NULL, 0);
	cn_box_segment_close(&segment);
}

static void lines_that_make_no_sense_are_damage(void **state)
{
	(void)state;
	static const cn_box_line cases[][2] = {
		{ { 2, SOUND }, { 1, SOUND } },
		{ { 2, SOUND }, { 2, { { 1, 2, 3, 4 }, 1 } } },
		{ { 1, SOUND }, { 0, SOUND } },
		{ { 1, SOUND }, { 1.5, SOUND } },
		{ { 1, SOUND }, { 1e300, SOUND } },
		{ { 1, SOUND }, { NAN, SOUND } },
		{ { 1, SOUND }, { 2, { { 1, 2, 3, 4 }, NAN } } },
		{ { 1, SOUND }, { 2, { { -1, 2, 3, 4 }, 0 } } },
		{ { 1, SOUND }, { 2, { { 1, 2, 1, 4 }, 0 } } },
		{ { 1, SOUND }, { 2, { { 1, 5, 3, 4 }, 0 } } },
		{ { 1, SOUND }, { 2, { { 1, 2, INFINITY, 4 }, 0 } } },
		{ { 1, SOUND }, { 2, { { NAN, 2, 3, 4 }, 0 } } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *path = cn_test_path(cn_test_folder(), "faulty.npy");
		cn_box_segment segment;
		int64_t image;
		assert_ok(cn_npy_write(path, CN_NPY_F64, 2, (const size_t[]){ 2, 6 }, cases[i]));
		assert_ok(cn_box_segment_open(&segment, path));
		assert_ok(cn_box_segment_line(&segment, 0, &image));
		assert_fails(cn_box_segment_line(&segment, 1, &image), CAIRN_EDAMAGED, "line 1 of the boxes");
		cn_box_segment_close(&segment);
	}
}

static void an_image_with_a_faulty_line_is_not_read(void **state)
{
	(void)state;
	cn_box_segment segment;
	cn_boxes boxes;
	assert_ok(cn_box_segment_open(&segment, write_file(3)));
	assert_fails(cn_box_segment_read(&segment, 2, &boxes), CAIRN_EDAMAGED, "line 2");
	assert_boxes(&segment, 7, of_seven, 1);
	cn_box_segment_close(&segment);
}

static void other_arrays_are_damage(void **state)
{
	(void)state;
	static const struct {
		cn_npy_type type;
		size_t rank, shape[2];
	} cases[] = { { CN_NPY_F32, 2, { 1, 6 } }, { CN_NPY_F64, 2, { 1, 5 } }, { CN_NPY_F64, 1, { 6, 0 } } };
	const double numbers[6] = { 0 };
	const char *path = cn_test_path(cn_test_folder(), "other.npy");
	cn_box_segment segment;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_ok(cn_npy_write(path, cases[i].type, cases[i].rank, cases[i].shape, numbers));
		assert_fails(cn_box_segment_open(&segment, path), CAIRN_EDAMAGED, "other.npy");
	}
	assert_fails(cn_box_segment_open(&segment, "/nowhere.npy"), CAIRN_ENOTFOUND, "/nowhere.npy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(a_file_may_hold_no_boxes),
		cmocka_unit_test(lines_that_make_no_sense_are_damage),
		cmocka_unit_test(an_image_with_a_faulty_line_is_not_read),
		cmocka_unit_test(other_arrays_are_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

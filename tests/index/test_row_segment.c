/* Descriptor segments: round trips, files that do not belong together, and codes that are not those of their rows. */
#include "index/row_segment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/codes.h"
#include "math/half.h"
#include "support.h"
#include "util/file.h"

/* Short names of the files, so that an error text tells which one it means. */
static const char *const names[CN_ROW_FILES] = { "r.npy", "c.npy", "s.npy", "i.npy" };

static const struct {
	size_t count, dim;
} sizes[] = { { 0, 4 }, { 1, 1 }, { 5, 3 }, { 300, 64 } };

/* Borrowed from the buffers of support.h. */
static void make_paths(const char *folder, const char **paths)
{
	for (int i = 0; i < CN_ROW_FILES; i++)
		paths[i] = cn_test_path(folder, names[i]);
}

static void write_segment(const char *const *paths, size_t count, size_t dim, uint16_t *rows, int64_t *images)
{
	cn_row_writer writer;
	uint64_t seed = count + dim;
	assert_ok(cn_row_writer_open(&writer, paths, count, dim));
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < dim; k++)
			rows[i * dim + k] = cn_half_from_float(cn_test_normal(&seed));
		images[i] = 1 + (int64_t)i / 2 * 7;
		assert_ok(cn_row_writer_add(&writer, images[i], rows + i * dim));
	}
	for (int i = 0; i < CN_ROW_FILES; i++)
		assert_false(cn_file_exists(paths[i]));
	assert_ok(cn_row_writer_commit(&writer));
	cn_row_writer_abort(&writer);
}

/* What the codes of half-precision rows must be. */
static void assert_codes(const cn_row_segment *segment)
{
	float *values = calloc(segment->dim + 1, sizeof(*values)), scale;
	int8_t *codes = calloc(segment->dim + 1, sizeof(*codes));
	for (size_t i = 0; i < segment->count; i++) {
		cn_halves_to_floats(segment->rows + i * segment->dim, segment->dim, values);
		cn_codes_encode(values, 1, segment->dim, codes, &scale);
		assert_memory_equal(segment->codes + i * segment->dim, codes, segment->dim);
		assert_memory_equal(&segment->scales[i], &scale, sizeof(scale));
	}
	free(values);
	free(codes);
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t count = sizes[i].count, dim = sizes[i].dim;
		const char *paths[CN_ROW_FILES];
		uint16_t *rows = calloc(count * dim + 1, sizeof(*rows));
		int64_t *images = calloc(count + 1, sizeof(*images));
		cn_row_segment segment;
		make_paths(cn_test_folder(), paths);
		write_segment(paths, count, dim, rows, images);
		assert_ok(cn_row_segment_open(&segment, paths, dim));
		assert_int_equal(segment.count, count);
		assert_int_equal(segment.dim, dim);
		if (count) {
			assert_memory_equal(segment.rows, rows, count * dim * sizeof(*rows));
			assert_memory_equal(segment.images, images, count * sizeof(*images));
		}
		assert_codes(&segment);
		assert_ok(cn_row_segment_compare(&segment, CN_FILE_CODES));
		assert_ok(cn_row_segment_compare(&segment, CN_FILE_SCALES));
		cn_row_segment_close(&segment);
		cn_row_segment_close(&segment);
		assert_fails(cn_row_segment_open(&segment, paths, dim + 1), CAIRN_EDAMAGED, "r.npy");
		free(rows);
		free(images);
	}
}

static void a_writer_that_is_not_filled_leaves_nothing(void **state)
{
	const char *folder = cn_test_folder(), *paths[CN_ROW_FILES];
	const uint16_t row[2] = { 0x3c00, 0x4000 }, infinite[2] = { 0x3c00, 0x7c00 }, no_number[2] = { 0x7e00, 0 };
	char **left;
	size_t count;
	cn_row_writer writer;
	(void)state;
	make_paths(folder, paths);
	assert_ok(cn_row_writer_open(&writer, paths, 2, 2));
	assert_ok(cn_row_writer_add(&writer, 5, row));
	assert_fails(cn_row_writer_add(&writer, 4, row), CAIRN_EINVALID, "image 4 after image 5");
	assert_fails(cn_row_writer_add(&writer, 5, infinite), CAIRN_EINVALID, "row 1 has a number that is not finite");
	assert_fails(cn_row_writer_add(&writer, 5, no_number), CAIRN_EINVALID, "row 1 has a number that is not finite");
	assert_fails(cn_row_writer_commit(&writer), CAIRN_EINVALID, "2 rows were promised and 1 written");
	assert_ok(cn_row_writer_open(&writer, paths, 1, 2));
	assert_fails(cn_row_writer_add(&writer, 0, row), CAIRN_EINVALID, "image 0");
	assert_ok(cn_row_writer_add(&writer, 1, row));
	assert_fails(cn_row_writer_add(&writer, 1, row), CAIRN_EINVALID, "row 1 of 1");
	cn_row_writer_abort(&writer);
	for (int i = 0; i < CN_ROW_FILES; i++) {
		const char *some[CN_ROW_FILES];
		memcpy(some, paths, sizeof(some));
		some[i] = cn_test_path(folder, "none/x.npy");
		assert_fails(cn_row_writer_open(&writer, some, 1, 2), CAIRN_ENOTFOUND, "none");
	}
	assert_ok(cn_folder_list(folder, &left, &count));
	assert_int_equal(count, 0);
	cn_names_free(left, count);
}

static void files_that_contradict_are_damage(void **state)
{
	static const int64_t good[4] = { 3, 3 }, descending[4] = { 4, 3 }, zero[4] = { 0, 3 };
	static const struct {
		int file; /* which is not what it should be */
		cn_npy_type type;
		size_t rank, shape[2];
		const void *data;
		const char *part;
	} cases[] = {
		{ CN_FILE_IMAGES, CN_NPY_I64, 1, { 2 }, descending, "i.npy': row 1 belongs to image 3" },
		{ CN_FILE_IMAGES, CN_NPY_I64, 1, { 2 }, zero, "i.npy': row 0 belongs to image 0" },
		{ CN_FILE_IMAGES, CN_NPY_I64, 1, { 1 }, good, "r.npy" },
		{ CN_FILE_IMAGES, CN_NPY_I64, 1, { 0 }, good, "r.npy' has 2 rows" },
		{ CN_FILE_IMAGES, CN_NPY_F64, 1, { 2 }, good, "i.npy" },
		{ CN_FILE_IMAGES, CN_NPY_I64, 2, { 2, 1 }, good, "i.npy" },
		{ CN_FILE_ROWS, CN_NPY_F16, 2, { 1, 4 }, good, "r.npy" },
		{ CN_FILE_ROWS, CN_NPY_F16, 1, { 4 }, good, "r.npy" },
		{ CN_FILE_ROWS, CN_NPY_F32, 2, { 2, 2 }, good, "r.npy" },
		{ CN_FILE_CODES, CN_NPY_I8, 2, { 3, 2 }, good, "c.npy" },
		{ CN_FILE_CODES, CN_NPY_I8, 1, { 4 }, good, "c.npy" },
		{ CN_FILE_CODES, CN_NPY_U8, 2, { 2, 2 }, good, "c.npy" },
		{ CN_FILE_SCALES, CN_NPY_F32, 1, { 3 }, good, "s.npy" },
		{ CN_FILE_SCALES, CN_NPY_F32, 2, { 2, 1 }, good, "s.npy" },
		{ CN_FILE_SCALES, CN_NPY_F64, 1, { 2 }, good, "s.npy" },
	};
	const char *folder = cn_test_folder(), *paths[CN_ROW_FILES];
	uint16_t rows[4];
	int64_t images[2];
	cn_row_segment segment;
	(void)state;
	make_paths(folder, paths);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_segment(paths, 2, 2, rows, images);
		assert_ok(cn_npy_write(paths[cases[i].file], cases[i].type, cases[i].rank, cases[i].shape,
				       cases[i].data));
		assert_fails(cn_row_segment_open(&segment, paths, 2), CAIRN_EDAMAGED, cases[i].part);
		assert_null(segment.rows);
		for (int k = 0; k < CN_ROW_FILES; k++)
			remove(paths[k]);
	}
	for (int i = 0; i < CN_ROW_FILES; i++) {
		write_segment(paths, 2, 2, rows, images);
		remove(paths[i]);
		assert_fails(cn_row_segment_open(&segment, paths, 2), CAIRN_ENOTFOUND, names[i]);
		for (int k = 0; k < CN_ROW_FILES; k++)
			remove(paths[k]);
	}
}

/* Cut short anywhere, a segment does not open. */
static void truncated_files_are_damage(void **state)
{
	const char *folder = cn_test_folder(), *paths[CN_ROW_FILES];
	uint16_t rows[6];
	int64_t images[2];
	(void)state;
	make_paths(folder, paths);
	for (int which = 0; which < CN_ROW_FILES; which++) {
		char *bytes;
		size_t length;
		cn_row_segment segment;
		write_segment(paths, 2, 3, rows, images);
		assert_ok(cn_file_read(paths[which], 1 << 20, &bytes, &length));
		for (size_t kept = 0; kept < length; kept++) {
			cn_test_write(paths[which], bytes, kept);
			assert_fails(cn_row_segment_open(&segment, paths, 3), CAIRN_EDAMAGED, names[which]);
		}
		free(bytes);
		for (int k = 0; k < CN_ROW_FILES; k++)
			remove(paths[k]);
	}
}

/* Any bit of codes and scales that differs is found; what the rows give anew has the same bytes. */
static void codes_are_checked_and_made_again(void **state)
{
	static const int files[] = { CN_FILE_CODES, CN_FILE_SCALES };
	enum { COUNT = 3, DIM = 5 };
	const char *folder = cn_test_folder(), *paths[CN_ROW_FILES];
	uint16_t rows[COUNT * DIM];
	int64_t images[COUNT];
	(void)state;
	make_paths(folder, paths);
	write_segment(paths, COUNT, DIM, rows, images);
	for (size_t f = 0; f < 2; f++) {
		char *bytes, *again;
		size_t length, again_length;
		assert_ok(cn_file_read(paths[files[f]], 1 << 20, &bytes, &length));
		size_t data = files[f] == CN_FILE_CODES ? COUNT * DIM : COUNT * sizeof(float);
		for (size_t bit = 8 * (length - data); bit < 8 * length; bit++) {
			cn_row_segment segment;
			bytes[bit / 8] ^= (char)(1 << bit % 8);
			cn_test_write(paths[files[f]], bytes, length);
			bytes[bit / 8] ^= (char)(1 << bit % 8);
			assert_ok(cn_row_segment_open(&segment, paths, DIM));
			assert_fails(cn_row_segment_compare(&segment, files[f]), CAIRN_EDAMAGED,
				     "is not what the row gives");
			assert_ok(cn_row_segment_compare(&segment, files[!f]));
			cn_row_segment_close(&segment);
		}
		assert_ok(cn_row_codes_write(paths, COUNT, DIM));
		assert_ok(cn_file_read(paths[files[f]], 1 << 20, &again, &again_length));
		assert_int_equal(again_length, length);
		assert_memory_equal(again, bytes, length);
		free(bytes);
		free(again);
	}
	assert_fails(cn_row_codes_write(paths, COUNT + 1, DIM), CAIRN_EDAMAGED, "r.npy");
	const uint16_t infinite[] = { 0, 0x7c00 };
	assert_ok(cn_npy_write(paths[CN_FILE_ROWS], CN_NPY_F16, 2, (const size_t[]){ 1, 2 }, infinite));
	assert_fails(cn_row_codes_write(paths, 1, 2), CAIRN_EDAMAGED, "not finite");
	remove(paths[CN_FILE_ROWS]);
	assert_fails(cn_row_codes_write(paths, 1, 2), CAIRN_ENOTFOUND, "r.npy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_writer_that_is_not_filled_leaves_nothing),
		cmocka_unit_test(files_that_contradict_are_damage),
		cmocka_unit_test(truncated_files_are_damage),
		cmocka_unit_test(codes_are_checked_and_made_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Descriptor segments: round trips, and pairs of files that do not belong together. */
#include <stdlib.h>
#include <string.h>

#include "index/segment.h"
#include "support.h"
#include "util/crc.h"
#include "util/file.h"

static const struct {
	size_t count, dim;
} sizes[] = { { 0, 4 }, { 1, 1 }, { 5, 3 }, { 300, 64 } };

static void write_segment(const char *rows_path, const char *images_path, size_t count, size_t dim, float *rows,
			  int64_t *images)
{
	cn_row_writer writer;
	uint64_t seed = count + dim;
	assert_ok(cn_row_writer_open(&writer, rows_path, images_path, count, dim));
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < dim; k++)
			rows[i * dim + k] = cn_test_normal(&seed);
		images[i] = 1 + (int64_t)i / 2 * 7;
		assert_ok(cn_row_writer_add(&writer, images[i], rows + i * dim));
	}
	assert_false(cn_file_exists(rows_path));
	assert_ok(cn_row_writer_commit(&writer));
	cn_row_writer_abort(&writer);
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t count = sizes[i].count, dim = sizes[i].dim;
		const char *folder = cn_test_folder();
		const char *rows_path = cn_test_path(folder, "a.descriptors.npy");
		const char *images_path = cn_test_path(folder, "a.rows.npy");
		float *rows = calloc(count * dim + 1, sizeof(*rows));
		int64_t *images = calloc(count + 1, sizeof(*images));
		cn_row_segment segment;
		write_segment(rows_path, images_path, count, dim, rows, images);
		assert_ok(cn_row_segment_open(&segment, rows_path, images_path, dim));
		assert_int_equal(segment.count, count);
		assert_int_equal(segment.dim, dim);
		if (count) {
			assert_memory_equal(segment.rows, rows, count * dim * sizeof(*rows));
			assert_memory_equal(segment.images, images, count * sizeof(*images));
		}
		cn_row_segment_close(&segment);
		cn_row_segment_close(&segment);
		assert_fails(cn_row_segment_open(&segment, rows_path, images_path, dim + 1), CAIRN_EDAMAGED,
			     "a.descriptors.npy");
		free(rows);
		free(images);
	}
}

static void a_writer_that_is_not_filled_leaves_nothing(void **state)
{
	const char *folder = cn_test_folder();
	const char *rows_path = cn_test_path(folder, "r.npy"), *images_path = cn_test_path(folder, "i.npy");
	const float row[2] = { 1, 2 };
	char **names;
	size_t count;
	cn_row_writer writer;
	(void)state;
	assert_ok(cn_row_writer_open(&writer, rows_path, images_path, 2, 2));
	assert_ok(cn_row_writer_add(&writer, 5, row));
	assert_fails(cn_row_writer_add(&writer, 4, row), CAIRN_EINVALID, "image 4 after image 5");
	assert_fails(cn_row_writer_commit(&writer), CAIRN_EINVALID, "2 rows were promised and 1 written");
	assert_ok(cn_row_writer_open(&writer, rows_path, images_path, 1, 2));
	assert_fails(cn_row_writer_add(&writer, 0, row), CAIRN_EINVALID, "image 0");
	assert_ok(cn_row_writer_add(&writer, 1, row));
	assert_fails(cn_row_writer_add(&writer, 1, row), CAIRN_EINVALID, "row 1 of 1");
	cn_row_writer_abort(&writer);
	assert_fails(cn_row_writer_open(&writer, cn_test_path(folder, "none/r.npy"), images_path, 1, 2),
		     CAIRN_ENOTFOUND, "none");
	assert_fails(cn_row_writer_open(&writer, rows_path, cn_test_path(folder, "none/i.npy"), 1, 2), CAIRN_ENOTFOUND,
		     "none");
	assert_ok(cn_folder_list(folder, &names, &count));
	assert_int_equal(count, 0);
	cn_names_free(names, count);
}

static void pairs_that_contradict_are_damage(void **state)
{
	static const float rows[4] = { 1, 2, 3, 4 };
	static const int64_t good[2] = { 3, 3 }, descending[2] = { 4, 3 }, zero[2] = { 0, 3 };
	static const struct {
		cn_npy_type rows_type, images_type;
		size_t rows_rank, images_rank;
		size_t rows_shape[2], images_shape[2];
		const int64_t *images;
		const char *part;
	} cases[] = {
		{ CN_NPY_F32, CN_NPY_I64, 2, 1, { 2, 2 }, { 2 }, descending, "i.npy': row 1 belongs to image 3" },
		{ CN_NPY_F32, CN_NPY_I64, 2, 1, { 2, 2 }, { 2 }, zero, "i.npy': row 0 belongs to image 0" },
		{ CN_NPY_F32, CN_NPY_I64, 2, 1, { 2, 2 }, { 1 }, good, "r.npy" },
		{ CN_NPY_F32, CN_NPY_I64, 2, 1, { 2, 2 }, { 0 }, good, "r.npy' has 2 rows" },
		{ CN_NPY_F32, CN_NPY_I64, 2, 1, { 1, 4 }, { 2 }, good, "r.npy" },
		{ CN_NPY_F32, CN_NPY_I64, 1, 1, { 4 }, { 2 }, good, "r.npy" },
		{ CN_NPY_I32, CN_NPY_I64, 2, 1, { 2, 2 }, { 2 }, good, "r.npy" },
		{ CN_NPY_F32, CN_NPY_F64, 2, 1, { 2, 2 }, { 2 }, good, "i.npy" },
		{ CN_NPY_F32, CN_NPY_I64, 2, 2, { 2, 2 }, { 2, 1 }, good, "i.npy" },
	};
	const char *folder = cn_test_folder();
	const char *rows_path = cn_test_path(folder, "r.npy"), *images_path = cn_test_path(folder, "i.npy");
	cn_row_segment segment;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(cn_npy_write(rows_path, cases[i].rows_type, cases[i].rows_rank, cases[i].rows_shape, rows));
		assert_ok(cn_npy_write(images_path, cases[i].images_type, cases[i].images_rank, cases[i].images_shape,
				       cases[i].images));
		assert_fails(cn_row_segment_open(&segment, rows_path, images_path, 2), CAIRN_EDAMAGED, cases[i].part);
		assert_null(segment.rows);
	}
	assert_fails(cn_row_segment_open(&segment, rows_path, cn_test_path(folder, "none.npy"), 2), CAIRN_ENOTFOUND,
		     "none.npy");
}

/* Cut short anywhere, a pair does not open. */
static void truncated_files_are_damage(void **state)
{
	const char *folder = cn_test_folder();
	const char *paths[2] = { cn_test_path(folder, "r.npy"), cn_test_path(folder, "i.npy") };
	float rows[6];
	int64_t images[2];
	(void)state;
	for (size_t which = 0; which < 2; which++) {
		char *bytes;
		size_t length;
		cn_row_segment segment;
		write_segment(paths[0], paths[1], 2, 3, rows, images);
		assert_ok(cn_file_read(paths[which], 1 << 20, &bytes, &length));
		for (size_t kept = 0; kept < length; kept++) {
			cn_test_write(paths[which], bytes, kept);
			assert_fails(cn_row_segment_open(&segment, paths[0], paths[1], 3), CAIRN_EDAMAGED,
				     which ? "i.npy" : "r.npy");
		}
		free(bytes);
		remove(paths[0]);
		remove(paths[1]);
	}
}

static void the_checksum_sees_every_byte(void **state)
{
	const char *folder = cn_test_folder();
	const char *path = cn_test_path(folder, "r.npy");
	float rows[6];
	int64_t images[2];
	uint64_t size;
	uint32_t crc, other;
	char *bytes;
	size_t length;
	(void)state;
	write_segment(path, cn_test_path(folder, "i.npy"), 2, 3, rows, images);
	assert_ok(cn_file_read(path, 1 << 20, &bytes, &length));
	assert_ok(cn_file_checksum(path, &size, &crc));
	assert_int_equal(size, length);
	assert_int_equal(crc, cn_crc32c(0, bytes, length));
	for (size_t i = 0; i < length; i++) {
		bytes[i] ^= (char)(1 << i % 8);
		cn_test_write(path, bytes, length);
		assert_ok(cn_file_checksum(path, &size, &other));
		assert_int_not_equal(other, crc);
		bytes[i] ^= (char)(1 << i % 8);
	}
	free(bytes);
	assert_fails(cn_file_checksum(cn_test_path(folder, "none"), &size, &crc), CAIRN_ENOTFOUND, "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_writer_that_is_not_filled_leaves_nothing),
		cmocka_unit_test(pairs_that_contradict_are_damage),
		cmocka_unit_test(truncated_files_are_damage),
		cmocka_unit_test(the_checksum_sees_every_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

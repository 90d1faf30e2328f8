/*
 * Descriptor segments. The files are plain .npy, so that NumPy maps them; their checksums are kept by the catalogue.
 */
#include "index/row_segment.h"

#include <string.h>

#include "index/encode.h"
#include "util/memory.h"

const char *const cn_row_file_roles[CN_ROW_FILES] = { "rows", "codes", "scales", "images" };

static const struct {
	cn_npy_type type;
	size_t rank;
} layout[CN_ROW_FILES] = {
	[CN_FILE_ROWS] = { CN_NPY_F16, 2 },
	[CN_FILE_CODES] = { CN_NPY_I8, 2 },
	[CN_FILE_SCALES] = { CN_NPY_F32, 1 },
	[CN_FILE_IMAGES] = { CN_NPY_I64, 1 },
};

/* ---- reading ---- */

/* A .npy file that is not what cairn writes is damage here, not a user's faulty file. */
static int map_file(cn_npy *array, int file, const char *path, size_t count, size_t dim)
{
	int status = cn_npy_open(array, path);
	if (status == 0) {
		status = cn_npy_expect(array, path, layout[file].type, layout[file].rank,
				       (const size_t[]){ count, dim });
		if (status == 0 && (uintptr_t)array->data % cn_npy_type_size(layout[file].type))
			status = cn_fail(CAIRN_EDAMAGED, "'%s': the data are not aligned as cairn writes them", path);
		if (status < 0)
			cn_npy_close(array);
	}
	return status == CAIRN_EFORMAT ? CAIRN_EDAMAGED : status;
}

static int check_ids(const cn_row_segment *segment, const char *path)
{
	int64_t last = 1;
	for (size_t i = 0; i < segment->count; i++) {
		if (segment->images[i] < last)
			return cn_fail(CAIRN_EDAMAGED, "'%s': row %zu belongs to image %lld, out of order", path, i,
				       (long long)segment->images[i]);
		last = segment->images[i];
	}
	return 0;
}

static int map_files(cn_row_segment *segment, const char *const *paths)
{
	CN_TRY(map_file(&segment->files[CN_FILE_IMAGES], CN_FILE_IMAGES, paths[CN_FILE_IMAGES], 0, 0));
	segment->count = segment->files[CN_FILE_IMAGES].count;
	for (int i = 0; i < CN_FILE_IMAGES; i++) {
		CN_TRY(map_file(&segment->files[i], i, paths[i], segment->count, segment->dim));
		/* To cn_npy_expect() a count of 0 means any. */
		if (segment->files[i].shape[0] != segment->count)
			return cn_fail(CAIRN_EDAMAGED, "'%s' has %zu rows, '%s' names the images of %zu", paths[i],
				       segment->files[i].shape[0], paths[CN_FILE_IMAGES], segment->count);
	}
	segment->rows = segment->files[CN_FILE_ROWS].data;
	segment->codes = segment->files[CN_FILE_CODES].data;
	segment->scales = segment->files[CN_FILE_SCALES].data;
	segment->images = segment->files[CN_FILE_IMAGES].data;
	return check_ids(segment, paths[CN_FILE_IMAGES]);
}

int cn_row_segment_open(cn_row_segment *out, const char *const *paths, size_t dim)
{
	memset(out, 0, sizeof(*out));
	out->dim = dim;
	int status = map_files(out, paths);
	if (status < 0)
		cn_row_segment_close(out);
	return status;
}

void cn_row_segment_close(cn_row_segment *segment)
{
	for (int i = 0; i < CN_ROW_FILES; i++)
		cn_npy_close(&segment->files[i]);
	memset(segment, 0, sizeof(*segment));
}

/* ---- codes ---- */

/* @param code of the failure */
static int fail_not_finite(int code, size_t row)
{
	return cn_fail(code, "row %zu has a number that is not finite", row);
}

static int compare_rows(const cn_row_segment *segment, int file, float *values, int8_t *codes)
{
	for (size_t i = 0; i < segment->count; i++) {
		size_t at = i * segment->dim;
		float scale;
		if (!cn_encode_half_row(segment->rows + at, segment->dim, values, codes, &scale))
			return fail_not_finite(CAIRN_EDAMAGED, i);
		int same = file == CN_FILE_CODES ? memcmp(segment->codes + at, codes, segment->dim) == 0
						 : memcmp(&segment->scales[i], &scale, sizeof(scale)) == 0;
		if (!same)
			return cn_fail(CAIRN_EDAMAGED, "what it holds of row %zu is not what the row gives", i);
	}
	return 0;
}

int cn_row_segment_compare(const cn_row_segment *segment, int file)
{
	float *values = cn_alloc_aligned(segment->dim, sizeof(*values));
	int8_t *codes = cn_alloc_aligned(segment->dim, sizeof(*codes));
	int status = values && codes ? compare_rows(segment, file, values, codes) : CAIRN_ENOMEM;
	cn_free(values);
	cn_free(codes);
	return status;
}

/* ---- writing ---- */

static int open_file(cn_row_writer *writer, int file, const char *path)
{
	CN_TRY(cn_atomic_open(&writer->files[file], path));
	return cn_npy_write_header(&writer->files[file], layout[file].type, layout[file].rank,
				   (const size_t[]){ writer->count, writer->dim });
}

int cn_row_writer_open(cn_row_writer *writer, const char *const *paths, size_t count, size_t dim)
{
	memset(writer, 0, sizeof(*writer));
	writer->count = count;
	writer->dim = dim;
	writer->last = 1;
	writer->values = cn_alloc_aligned(dim, sizeof(*writer->values));
	writer->codes = cn_alloc_aligned(dim, sizeof(*writer->codes));
	int status = writer->values && writer->codes ? 0 : CAIRN_ENOMEM;
	for (int i = 0; i < CN_ROW_FILES && status == 0; i++)
		status = paths[i] ? open_file(writer, i, paths[i]) : 0;
	if (status < 0)
		cn_row_writer_abort(writer);
	return status;
}

static int write_to(cn_row_writer *writer, int file, const void *bytes, size_t length)
{
	return writer->files[file].stream ? cn_atomic_write(&writer->files[file], bytes, length) : 0;
}

int cn_row_writer_add(cn_row_writer *writer, int64_t image, const uint16_t *row)
{
	float scale;
	if (writer->written == writer->count || image < writer->last)
		return cn_fail(CAIRN_EINVALID, "row %zu of %zu, of image %lld after image %lld", writer->written,
			       writer->count, (long long)image, (long long)writer->last);
	if (!cn_encode_half_row(row, writer->dim, writer->values, writer->codes, &scale))
		return fail_not_finite(CAIRN_EINVALID, writer->written);
	writer->last = image;
	writer->written++;
	CN_TRY(write_to(writer, CN_FILE_ROWS, row, writer->dim * sizeof(*row)));
	CN_TRY(write_to(writer, CN_FILE_CODES, writer->codes, writer->dim * sizeof(*writer->codes)));
	CN_TRY(write_to(writer, CN_FILE_SCALES, &scale, sizeof(scale)));
	return write_to(writer, CN_FILE_IMAGES, &image, sizeof(image));
}

int cn_row_writer_commit(cn_row_writer *writer)
{
	int status = 0;
	if (writer->written != writer->count)
		status = cn_fail(CAIRN_EINVALID, "%zu rows were promised and %zu written", writer->count,
				 writer->written);
	for (int i = 0; i < CN_ROW_FILES && status == 0; i++)
		status = writer->files[i].stream ? cn_atomic_commit(&writer->files[i]) : 0;
	cn_row_writer_abort(writer);
	return status;
}

void cn_row_writer_abort(cn_row_writer *writer)
{
	for (int i = 0; i < CN_ROW_FILES; i++)
		cn_atomic_abort(&writer->files[i]);
	cn_free(writer->values);
	cn_free(writer->codes);
	writer->values = NULL;
	writer->codes = NULL;
}

static int write_codes(cn_row_writer *writer, const cn_npy *rows)
{
	const uint16_t *row = rows->data;
	for (size_t i = 0; i < writer->count; i++)
		CN_TRY(cn_row_writer_add(writer, writer->last, row + i * writer->dim));
	return cn_row_writer_commit(writer);
}

int cn_row_codes_write(const char *const *paths, size_t count, size_t dim)
{
	const char *const written[CN_ROW_FILES] = {
		[CN_FILE_CODES] = paths[CN_FILE_CODES], [CN_FILE_SCALES] = paths[CN_FILE_SCALES]
	};
	cn_row_writer writer;
	cn_npy rows;
	CN_TRY(map_file(&rows, CN_FILE_ROWS, paths[CN_FILE_ROWS], count, dim));
	int status = cn_row_writer_open(&writer, written, count, dim);
	if (status == 0) {
		status = write_codes(&writer, &rows);
		cn_row_writer_abort(&writer);
	}
	cn_npy_close(&rows);
	return status == CAIRN_EINVALID ? CAIRN_EDAMAGED : status;
}

/*
 * Descriptor segments. The files are plain .npy, so that NumPy maps them; their checksums are kept by the catalogue.
 */
#include "index/segment.h"

#include <string.h>

#include "util/crc.h"
#include "util/mapped.h"

/* A .npy file that is not what cairn writes is damage here, not a user's faulty file. */
static int map_array(cn_npy *array, const char *path, cn_npy_type type, size_t rank, const size_t *shape)
{
	int status = cn_npy_open(array, path);
	if (status == 0) {
		status = cn_npy_expect(array, path, type, rank, shape);
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

int cn_row_segment_open(cn_row_segment *out, const char *rows_path, const char *images_path, size_t dim)
{
	memset(out, 0, sizeof(*out));
	CN_TRY(map_array(&out->images_file, images_path, CN_NPY_I64, 1, (const size_t[]){ 0 }));
	out->count = out->images_file.count;
	out->dim = dim;
	int status = map_array(&out->rows_file, rows_path, CN_NPY_F32, 2, (const size_t[]){ out->count, dim });
	if (status == 0 && out->rows_file.shape[0] != out->count)
		status = cn_fail(CAIRN_EDAMAGED, "'%s' has %zu rows, '%s' names the images of %zu", rows_path,
				 out->rows_file.shape[0], images_path, out->count);
	if (status == 0 &&
	    ((uintptr_t)out->rows_file.data % sizeof(float) || (uintptr_t)out->images_file.data % sizeof(int64_t)))
		status = cn_fail(CAIRN_EDAMAGED, "'%s': the data are not aligned as cairn writes them", rows_path);
	if (status == 0) {
		out->rows = out->rows_file.data;
		out->images = out->images_file.data;
		status = check_ids(out, images_path);
	}
	if (status < 0)
		cn_row_segment_close(out);
	return status;
}

void cn_row_segment_close(cn_row_segment *segment)
{
	cn_npy_close(&segment->rows_file);
	cn_npy_close(&segment->images_file);
	memset(segment, 0, sizeof(*segment));
}

int cn_row_writer_open(cn_row_writer *writer, const char *rows_path, const char *images_path, size_t count, size_t dim)
{
	memset(writer, 0, sizeof(*writer));
	writer->count = count;
	writer->dim = dim;
	writer->last = 1;
	int status;
	CN_TRY(cn_atomic_open(&writer->rows_file, rows_path));
	CN_GOTO(status, cn_atomic_open(&writer->images_file, images_path));
	CN_GOTO(status, cn_npy_write_header(&writer->rows_file, CN_NPY_F32, 2, (const size_t[]){ count, dim }));
	CN_GOTO(status, cn_npy_write_header(&writer->images_file, CN_NPY_I64, 1, (const size_t[]){ count }));
	return 0;
done:
	cn_row_writer_abort(writer);
	return status;
}

int cn_row_writer_add(cn_row_writer *writer, int64_t image, const float *row)
{
	if (writer->written == writer->count || image < writer->last)
		return cn_fail(CAIRN_EINVALID, "row %zu of %zu, of image %lld after image %lld", writer->written,
			       writer->count, (long long)image, (long long)writer->last);
	writer->last = image;
	writer->written++;
	CN_TRY(cn_atomic_write(&writer->images_file, &image, sizeof(image)));
	return cn_atomic_write(&writer->rows_file, row, writer->dim * sizeof(*row));
}

int cn_row_writer_commit(cn_row_writer *writer)
{
	int status;
	if (writer->written != writer->count)
		CN_GOTO(status, cn_fail(CAIRN_EINVALID, "%zu rows were promised and %zu written", writer->count,
					writer->written));
	CN_GOTO(status, cn_atomic_commit(&writer->rows_file));
	CN_GOTO(status, cn_atomic_commit(&writer->images_file));
	return 0;
done:
	cn_row_writer_abort(writer);
	return status;
}

void cn_row_writer_abort(cn_row_writer *writer)
{
	cn_atomic_abort(&writer->rows_file);
	cn_atomic_abort(&writer->images_file);
}

int cn_file_checksum(const char *path, uint64_t *size, uint32_t *crc)
{
	cn_mapped file;
	CN_TRY(cn_mapped_open(&file, path));
	*size = file.length;
	*crc = cn_crc32c(0, file.bytes, file.length);
	cn_mapped_close(&file);
	return 0;
}

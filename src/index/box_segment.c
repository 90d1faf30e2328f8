/*
 * Files of boxes. They are small beside features: some ten lines of 48 bytes an image.
 */
#include "index/box_segment.h"

#include <string.h>

#include "util/memory.h"

#define COLUMNS  (sizeof(cn_box_line) / sizeof(double))
#define MOST_IDS ((double)((int64_t)1 << 53)) /* up to it float64 holds every whole number */

/* ---- reading ---- */

/* A .npy file that is not what cairn writes is damage here. */
static int take(cn_box_segment *out, int status, const char *name)
{
	if (status == 0)
		status = cn_npy_expect(&out->file, name, CN_NPY_F64, 2, (const size_t[]){ 0, COLUMNS });
	if (status == 0 && (uintptr_t)out->file.data % sizeof(double))
		status = cn_fail(CAIRN_EDAMAGED, "'%s': the data are not aligned as cairn writes them", name);
	if (status < 0) {
		cn_box_segment_close(out);
		return status == CAIRN_EFORMAT ? CAIRN_EDAMAGED : status;
	}
	out->lines = out->file.data;
	out->count = out->file.shape[0];
	return 0;
}

int cn_box_segment_open(cn_box_segment *out, const char *path)
{
	memset(out, 0, sizeof(*out));
	return take(out, cn_npy_open(&out->file, path), path);
}

int cn_box_segment_parse(cn_box_segment *out, const void *bytes, size_t length, const char *name)
{
	memset(out, 0, sizeof(*out));
	return take(out, cn_npy_parse(&out->file, bytes, length, name), name);
}

void cn_box_segment_close(cn_box_segment *segment)
{
	cn_npy_close(&segment->file);
	memset(segment, 0, sizeof(*segment));
}

int cn_box_segment_line(const cn_box_segment *segment, size_t i, int64_t *image)
{
	const cn_box_line *line = &segment->lines[i], *before = i ? line - 1 : NULL;
	int is_id = line->image >= 1 && line->image <= MOST_IDS && (double)(int64_t)line->image == line->image;
	int follows = !before || before->image < line->image ||
		      (before->image == line->image && before->box.score >= line->box.score);
	if (!is_id || !follows || !cn_found_box_is_sound(&line->box))
		return cn_fail(CAIRN_EDAMAGED, "line %zu of the boxes makes no sense, or is out of order", i);
	*image = (int64_t)line->image;
	return 0;
}

/* The first line of an image, or where it would be. */
static size_t find(const cn_box_segment *segment, int64_t image)
{
	size_t begin = 0, end = segment->count;
	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;
		if (segment->lines[middle].image < (double)image)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

int cn_box_segment_read(const cn_box_segment *segment, int64_t image, cn_boxes *out)
{
	size_t first = find(segment, image), count = 0;
	*out = (cn_boxes){ 0 };
	while (first + count < segment->count && segment->lines[first + count].image == (double)image)
		count++;
	for (size_t i = first; i < first + count; i++) {
		int64_t same;
		CN_TRY(cn_box_segment_line(segment, i, &same));
	}
	CN_NEW(out->items, count, sizeof(*out->items));
	for (; out->count < count; out->count++)
		out->items[out->count] = segment->lines[first + out->count].box;
	return 0;
}

/* ---- writing ---- */

int cn_box_writer_add(cn_box_writer *writer, int64_t image, const cn_boxes *boxes)
{
	size_t needed = writer->count + boxes->count;
	if (writer->count && (double)image <= writer->lines[writer->count - 1].image)
		return cn_fail(CAIRN_EINVALID, "boxes of image %lld cannot be appended after those of %lld",
			       (long long)image, (long long)writer->lines[writer->count - 1].image);
	if (needed > writer->capacity) {
		size_t capacity = 2 * needed;
		cn_box_line *larger = cn_realloc(writer->lines, capacity, sizeof(*larger));
		if (!larger)
			return CAIRN_ENOMEM;
		writer->lines = larger;
		writer->capacity = capacity;
	}
	for (size_t i = 0; i < boxes->count; i++)
		writer->lines[writer->count++] = (cn_box_line){ (double)image, boxes->items[i] };
	return 0;
}

int cn_box_writer_commit(const cn_box_writer *writer, const char *path)
{
	return cn_npy_write(path, CN_NPY_F64, 2, (const size_t[]){ writer->count, COLUMNS }, writer->lines);
}

void cn_box_writer_free(cn_box_writer *writer)
{
	cn_free(writer->lines);
	*writer = (cn_box_writer){ 0 };
}

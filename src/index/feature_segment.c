/*
 * Feature segments.
 *
 *   +--------+---------+---------+-----+---------+-------------------+
 *   | header | block 0 | block 1 | ... | block n | table: n entries  |     blocks begin at multiples of 64 bytes
 *   +--------+---------+---------+-----+---------+-------------------+
 *
 *   block: x, y, scale, angle, score (each count x 16 bits, padded to 64 bytes together), codes (count x dim, padded to
 * 64)
 *
 * The table stands at the end so that a writer streams blocks without knowing their number; the header is written last,
 * so that a file without a valid header was never finished. Checksums: header over itself, header over table, table
 * over blocks.
 */
#include "index/feature_segment.h"

#include <math.h>
#include <string.h>

#include "data/features.h"
#include "math/half.h"
#include "util/crc.h"
#include "util/file.h"
#include "util/mapped.h"
#include "util/memory.h"

#define MAGIC   "CAIRNFEA"
#define VERSION 1
#define ALIGN   64
#define FIELDS  5 /* 16-bit arrays of a block */
#define TURN    6.28318530717958647692

/* All numbers little endian, as the only machines that run cairn store them. */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t dim;
	uint64_t count;
	uint64_t table;  /* offset */
	uint64_t length; /* of the file */
	char kind[64];   /* padded with zeros */
	uint32_t reserved[4];
	uint32_t table_crc;
	uint32_t header_crc; /* over all before it */
};

struct entry {
	int64_t image;
	uint64_t offset; /* of the block */
	uint32_t points;
	uint32_t width, height; /* of the full-size image */
	float code_scale;
	uint32_t crc; /* of the block */
	uint32_t reserved;
};

_Static_assert(sizeof(struct header) == 128, "the header has no holes");
_Static_assert(sizeof(struct entry) == 40, "a table entry has no holes");

static size_t padded(size_t length)
{
	return (length + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t fields_length(size_t points)
{
	return padded(points * FIELDS * sizeof(uint16_t));
}

static size_t block_length(size_t points, uint32_t dim)
{
	return fields_length(points) + padded(points * dim);
}

/* ---- numbers ---- */

/* Pixel centres of an image lie between -0.5 and side - 0.5. Points outside are moved to its edge. */
static uint16_t code_position(float x, uint32_t side)
{
	double step = round(((double)x + 0.5) / side * 65535.0);
	return (uint16_t)fmin(fmax(step, 0.0), 65535.0);
}

static float decode_position(uint16_t code, uint32_t side)
{
	return (float)((double)code * side / 65535.0 - 0.5);
}

static uint16_t code_angle(float angle)
{
	double turns = (double)angle / TURN;
	return (uint16_t)((uint32_t)round((turns - floor(turns)) * 65536.0) & 0xffff);
}

static float decode_angle(uint16_t code)
{
	return (float)((double)code / 65536.0 * TURN);
}

/* ---- writing ---- */

struct cn_feature_writer {
	cn_atomic_file file;
	struct header header;
	struct entry *table;
	size_t capacity;
	uint8_t *block; /* scratch */
	size_t block_capacity;
	int open;
	int broken; /* a block was written in part: what follows would not stand where the table says */
};

int cn_feature_writer_new(cn_feature_writer **out, const char *path, const char *kind, uint32_t dim)
{
	static const struct header empty;
	cn_feature_writer *writer;
	if (!kind[0] || strlen(kind) >= sizeof(empty.kind) || dim < 1 || dim > CN_FEATURES_DIM_MAX)
		return cn_fail(CAIRN_EINVALID,
			       "'%s': features of kind '%s' with %u dimensions; 1 to %zu bytes and 1 to %d dimensions "
			       "are possible",
			       path, kind, dim, sizeof(empty.kind) - 1, CN_FEATURES_DIM_MAX);
	CN_NEW(writer, 1, sizeof(*writer));
	memcpy(writer->header.magic, MAGIC, sizeof(writer->header.magic));
	writer->header.version = VERSION;
	writer->header.dim = dim;
	writer->header.length = sizeof(writer->header);
	memcpy(writer->header.kind, kind, strlen(kind));
	int status = cn_atomic_open(&writer->file, path);
	writer->open = status == 0;
	if (status == 0)
		status = cn_atomic_write(&writer->file, &empty, sizeof(empty));
	if (status < 0) {
		cn_feature_writer_free(writer);
		return status;
	}
	*out = writer;
	return 0;
}

static int grow_table(cn_feature_writer *writer)
{
	if (writer->header.count < writer->capacity)
		return 0;
	size_t capacity = writer->capacity ? 2 * writer->capacity : 256;
	struct entry *larger = cn_realloc(writer->table, capacity, sizeof(*larger));
	if (!larger)
		return CAIRN_ENOMEM;
	writer->table = larger;
	writer->capacity = capacity;
	return 0;
}

static int grow_block(cn_feature_writer *writer, size_t length)
{
	if (length <= writer->block_capacity)
		return 0;
	cn_free(writer->block);
	writer->block_capacity = 0;
	writer->block = cn_alloc_aligned(length, 1);
	if (!writer->block)
		return CAIRN_ENOMEM;
	writer->block_capacity = length;
	return 0;
}

static void fill_block(uint8_t *block, const cairn_features *features)
{
	size_t count = features->count;
	uint16_t *x = (uint16_t *)(void *)block, *y = x + count, *scale = y + count, *angle = scale + count,
		 *score = angle + count;
	memset(block, 0, block_length(count, features->dim));
	for (size_t i = 0; i < count; i++) {
		const cairn_keypoint *point = &features->keypoints[i];
		x[i] = code_position(point->x, features->width);
		y[i] = code_position(point->y, features->height);
		scale[i] = cn_half_from_float(point->scale);
		angle[i] = code_angle(point->angle);
		score[i] = cn_half_from_float(point->score);
	}
	memcpy(block + fields_length(count), features->codes, count * features->dim);
}

int cn_feature_writer_add(cn_feature_writer *writer, int64_t image, const cairn_features *features)
{
	struct header *header = &writer->header;
	if (features->dim != header->dim || strcmp(features->kind, header->kind) != 0)
		return cn_fail(CAIRN_EINVALID,
			       "image %lld: features of kind '%s' with %u dimensions among '%s' with %u",
			       (long long)image, features->kind, features->dim, header->kind, header->dim);
	if (features->count > UINT32_MAX || image < 1 ||
	    (header->count && image <= writer->table[header->count - 1].image))
		return cn_fail(CAIRN_EINVALID, "image %lld with %zu features cannot be appended", (long long)image,
			       features->count);
	size_t length = block_length(features->count, header->dim);
	CN_TRY(grow_table(writer));
	CN_TRY(grow_block(writer, length));
	/* Without keypoints there is no block, and perhaps no room for one. */
	if (features->count)
		fill_block(writer->block, features);
	writer->broken = cn_atomic_write(&writer->file, writer->block, length);
	CN_TRY(writer->broken);
	writer->table[header->count++] = (struct entry){
		.image = image,
		.offset = header->length,
		.points = (uint32_t)features->count,
		.width = features->width,
		.height = features->height,
		.code_scale = features->code_scale,
		.crc = cn_crc32c(0, writer->block, length),
	};
	header->length += length;
	return 0;
}

int cn_feature_writer_commit(cn_feature_writer *writer)
{
	struct header *header = &writer->header;
	size_t length = header->count * sizeof(*writer->table);
	if (writer->broken)
		return cn_fail(writer->broken, "'%s': an image before was not written", writer->file.path);
	header->table = header->length;
	header->length += length;
	header->table_crc = cn_crc32c(0, writer->table, length);
	header->header_crc = cn_crc32c(0, header, offsetof(struct header, header_crc));
	CN_TRY(cn_atomic_write(&writer->file, writer->table, length));
	if (fseek(writer->file.stream, 0, SEEK_SET) != 0)
		return cn_fail_errno("cannot go back to the beginning of '%s'", writer->file.path);
	CN_TRY(cn_atomic_write(&writer->file, header, sizeof(*header)));
	writer->open = 0;
	return cn_atomic_commit(&writer->file);
}

void cn_feature_writer_free(cn_feature_writer *writer)
{
	if (!writer)
		return;
	if (writer->open)
		cn_atomic_abort(&writer->file);
	cn_free(writer->table);
	cn_free(writer->block);
	cn_free(writer);
}

/* ---- reading ---- */

struct cn_feature_segment {
	cn_mapped file; /* zeroed where the bytes are borrowed */
	char *name;
	const uint8_t *bytes;
	const struct header *header;
	const struct entry *table;
};

static int check_header(const struct header *header, size_t length, const char *name)
{
	if (length < sizeof(*header) || memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0)
		return cn_fail(CAIRN_EDAMAGED, "'%s' (%zu bytes) is no feature segment", name, length);
	if (header->header_crc != cn_crc32c(0, header, offsetof(struct header, header_crc)))
		return cn_fail(CAIRN_EDAMAGED, "'%s': the header fails its checksum", name);
	if (header->version != VERSION)
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "'%s' is a feature segment of version %u, this cairn knows version %d", name,
			       header->version, VERSION);
	if (header->length != length)
		return cn_fail(CAIRN_EDAMAGED, "'%s' has %zu bytes, its header says %llu", name, length,
			       (unsigned long long)header->length);
	if (header->dim < 1 || header->dim > CN_FEATURES_DIM_MAX || !header->kind[0] ||
	    header->kind[sizeof(header->kind) - 1] || header->table < sizeof(*header) || header->table > length ||
	    header->table % ALIGN || (length - header->table) / sizeof(struct entry) != header->count ||
	    (length - header->table) % sizeof(struct entry))
		return cn_fail(CAIRN_EDAMAGED, "'%s': the header contradicts itself", name);
	return 0;
}

static int check_table(const cn_feature_segment *segment)
{
	const struct header *header = segment->header;
	uint64_t offset = sizeof(*header);
	int64_t last = 0;
	if (cn_crc32c(0, segment->table, header->count * sizeof(*segment->table)) != header->table_crc)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the table fails its checksum", segment->name);
	for (uint64_t i = 0; i < header->count; i++) {
		const struct entry *entry = &segment->table[i];
		if (entry->image <= last || entry->offset != offset || entry->width < 1 || entry->height < 1 ||
		    block_length(entry->points, header->dim) > header->table - offset)
			return cn_fail(CAIRN_EDAMAGED, "'%s': entry %llu of the table contradicts the others",
				       segment->name, (unsigned long long)i);
		last = entry->image;
		offset += block_length(entry->points, header->dim);
	}
	if (offset != header->table)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the blocks end at %llu, the table begins at %llu", segment->name,
			       (unsigned long long)offset, (unsigned long long)header->table);
	return 0;
}

int cn_feature_segment_parse(cn_feature_segment **out, const void *bytes, size_t length, const char *name)
{
	cn_feature_segment *segment;
	CN_TRY(check_header(bytes, length, name));
	CN_NEW(segment, 1, sizeof(*segment));
	segment->bytes = bytes;
	segment->header = bytes;
	segment->table = (const void *)(segment->bytes + segment->header->table);
	segment->name = cn_strdup(name);
	int status = segment->name ? check_table(segment) : CAIRN_ENOMEM;
	if (status < 0) {
		cn_feature_segment_free(segment);
		return status;
	}
	*out = segment;
	return 0;
}

int cn_feature_segment_open(cn_feature_segment **out, const char *path)
{
	cn_mapped file;
	CN_TRY(cn_mapped_open(&file, path));
	int status = cn_feature_segment_parse(out, file.bytes, file.length, path);
	if (status < 0)
		cn_mapped_close(&file);
	else
		(*out)->file = file;
	return status;
}

void cn_feature_segment_free(cn_feature_segment *segment)
{
	if (!segment)
		return;
	cn_mapped_close(&segment->file);
	cn_free(segment->name);
	cn_free(segment);
}

const char *cn_feature_segment_kind(const cn_feature_segment *segment)
{
	return segment->header->kind;
}

size_t cn_feature_segment_count(const cn_feature_segment *segment)
{
	return segment->header->count;
}

int64_t cn_feature_segment_image(const cn_feature_segment *segment, size_t i)
{
	return segment->table[i].image;
}

static const struct entry *find_entry(const cn_feature_segment *segment, int64_t image)
{
	size_t begin = 0, end = segment->header->count;
	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;
		if (segment->table[middle].image < image)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin < segment->header->count && segment->table[begin].image == image ? &segment->table[begin] : NULL;
}

static void read_points(const struct entry *entry, const uint8_t *block, cairn_keypoint *points)
{
	size_t count = entry->points;
	const uint16_t *x = (const void *)block, *y = x + count, *scale = y + count, *angle = scale + count,
		       *score = angle + count;
	for (size_t i = 0; i < count; i++)
		points[i] = (cairn_keypoint){
			.x = decode_position(x[i], entry->width),
			.y = decode_position(y[i], entry->height),
			.scale = cn_half_to_float(scale[i]),
			.angle = decode_angle(angle[i]),
			.score = cn_half_to_float(score[i]),
		};
}

/* Bytes that pass their checksum and still are no features were written by a faulty program. */
static int check_codes(const int8_t *codes, size_t count)
{
	int lowest = 0;
	for (size_t i = 0; i < count; i++)
		lowest = codes[i] < lowest ? codes[i] : lowest;
	return lowest < -127 ? cn_fail(CAIRN_EDAMAGED, "a code of -128") : 0;
}

static int decode_block(const cn_feature_segment *segment, const struct entry *entry, const uint8_t *block,
			cairn_features **out)
{
	const struct header *header = segment->header;
	const int8_t *codes = (const int8_t *)(block + fields_length(entry->points));
	cairn_keypoint *points;
	CN_TRY(check_codes(codes, (size_t)entry->points * header->dim));
	points = cn_alloc(entry->points, sizeof(*points));
	if (!points)
		return CAIRN_ENOMEM;
	read_points(entry, block, points);
	int status = cn_features_from_codes(out, header->kind, entry->width, entry->height, entry->points, header->dim,
					    entry->code_scale, points, codes);
	cn_free(points);
	return status == CAIRN_EINVALID ? CAIRN_EDAMAGED : status;
}

int cn_feature_segment_read(const cn_feature_segment *segment, int64_t image, cairn_features **out)
{
	const struct entry *entry = find_entry(segment, image);
	if (!entry)
		return cn_fail(CAIRN_ENOTFOUND, "'%s' has no features of image %lld", segment->name, (long long)image);
	const uint8_t *block = segment->bytes + entry->offset;
	if (cn_crc32c(0, block, block_length(entry->points, segment->header->dim)) != entry->crc)
		return cn_fail(
			CAIRN_EDAMAGED,
			"'%s': the features of image %lld fail their checksum; 'cairn check' tells what mends it",
			segment->name, (long long)image);
	int status = decode_block(segment, entry, block, out);
	if (status == CAIRN_EDAMAGED)
		return cn_fail_context(status, "'%s': the features of image %lld", segment->name, (long long)image);
	return status;
}

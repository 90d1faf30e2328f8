/* Feature segments: round trips within the stated precision; every truncation and every flipped byte is found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/feature_segment.h"
#include "support.h"
#include "util/crc.h"
#include "util/file.h"
#include "util/memory.h"

#define DIM    10
#define IMAGES 4
#define TURN   6.2831853f

/* Offsets of the format's specification, written down once more: a change of layout must not pass unseen. */
enum {
	HEADER = 128,
	VERSION_AT = 8,
	DIM_AT = 12,
	COUNT_AT = 16,
	TABLE_AT = 24,
	LENGTH_AT = 32,
	KIND_AT = 40,
	TABLE_CRC_AT = 120,
	HEADER_CRC_AT = 124,
	ENTRY = 40,
	ENTRY_OFFSET_AT = 8,
	ENTRY_POINTS_AT = 16,
	ENTRY_WIDTH_AT = 20,
	ENTRY_SCALE_AT = 28,
	ENTRY_CRC_AT = 32
};

static const struct {
	int64_t image;
	uint32_t width, height;
	size_t count;
} shapes[IMAGES] = { { 1, 640, 480, 5 }, { 2, 1, 1, 1 }, { 900, 6000, 4000, 0 }, { INT64_MAX, 65535, 3, 33 } };

static cairn_features *make_set(size_t number)
{
	cairn_features *set;
	cairn_keypoint points[64];
	float descriptors[64 * DIM];
	uint64_t seed = number;
	for (size_t i = 0; i < shapes[number].count; i++) {
		points[i].x = cn_test_uniform(&seed) * (float)shapes[number].width - 0.5f;
		points[i].y = cn_test_uniform(&seed) * (float)shapes[number].height - 0.5f;
		points[i].scale = i ? 40 * cn_test_uniform(&seed) : 0;
		points[i].angle = i ? TURN * (3 * cn_test_uniform(&seed) - 1.5f) : 0;
		points[i].score = i % 3 ? cn_test_uniform(&seed) : 1.5f;
	}
	for (size_t i = 0; i < 64 * DIM; i++)
		descriptors[i] = cn_test_normal(&seed);
	assert_ok(cairn_features_new(&set, "tiny", shapes[number].width, shapes[number].height, shapes[number].count,
				     DIM, points, descriptors));
	return set;
}

static const char *write_file(void)
{
	const char *path = cn_test_path(cn_test_folder(), "a.features");
	cn_feature_writer *writer;
	assert_ok(cn_feature_writer_new(&writer, path, "tiny", DIM));
	for (size_t i = 0; i < IMAGES; i++) {
		cairn_features *set = make_set(i);
		assert_ok(cn_feature_writer_add(writer, shapes[i].image, set));
		cairn_features_free(set);
	}
	assert_false(cn_file_exists(path));
	assert_ok(cn_feature_writer_commit(writer));
	cn_feature_writer_free(writer);
	return path;
}

static float turn_between(float a, float b)
{
	return fabsf(remainderf(a - b, TURN));
}

/* Scores may become equal by rounding, and are then ordered as before: places do not change. */
static void assert_near(const cairn_features *found, const cairn_features *wanted)
{
	size_t count = cairn_features_count(wanted);
	const cairn_keypoint *f = cairn_features_keypoints(found), *w = cairn_features_keypoints(wanted);
	assert_string_equal(cairn_features_kind(found), "tiny");
	assert_int_equal(cairn_features_width(found), cairn_features_width(wanted));
	assert_int_equal(cairn_features_height(found), cairn_features_height(wanted));
	assert_int_equal(cairn_features_dim(found), DIM);
	assert_int_equal(cairn_features_count(found), count);
	assert_true(cairn_features_code_scale(found) == cairn_features_code_scale(wanted));
	if (count)
		assert_memory_equal(cairn_features_codes(found), cairn_features_codes(wanted), count * DIM);
	for (size_t i = 0; i < count; i++) {
		/* Half a step, and a little for float32 itself. */
		float width = (float)cairn_features_width(wanted), height = (float)cairn_features_height(wanted);
		assert_true(fabsf(f[i].x - w[i].x) <= width / 131070 * 1.001f + width * 1e-7f);
		assert_true(fabsf(f[i].y - w[i].y) <= height / 131070 * 1.001f + height * 1e-7f);
		assert_true(fabsf(f[i].scale - w[i].scale) <= w[i].scale / 2048);
		assert_true(fabsf(f[i].score - w[i].score) <= w[i].score / 2048);
		assert_true(turn_between(f[i].angle, w[i].angle) <= TURN / 131072 * 1.01f);
		assert_true(f[i].angle >= 0 && f[i].angle < TURN);
	}
	/* What a kind does not have stays exactly 0. */
	for (size_t i = 0; i < count; i++)
		if (w[i].scale == 0)
			assert_true(f[i].scale == 0 && f[i].angle == 0);
}

static void what_is_written_is_read(void **state)
{
	cn_feature_segment *segment;
	cairn_features *found;
	(void)state;
	assert_ok(cn_feature_segment_open(&segment, write_file()));
	assert_string_equal(cn_feature_segment_kind(segment), "tiny");
	assert_int_equal(cn_feature_segment_count(segment), IMAGES);
	for (size_t i = IMAGES; i-- > 0;) {
		cairn_features *wanted = make_set(i);
		assert_int_equal(cn_feature_segment_image(segment, i), shapes[i].image);
		assert_ok(cn_feature_segment_read(segment, shapes[i].image, &found));
		assert_near(found, wanted);
		cairn_features_free(found);
		cairn_features_free(wanted);
	}
	assert_fails(cn_feature_segment_read(segment, 3, &found), CAIRN_ENOTFOUND, "image 3");
	assert_fails(cn_feature_segment_read(segment, -1, &found), CAIRN_ENOTFOUND, "image -1");
	cn_feature_segment_free(segment);
	cn_feature_segment_free(NULL);
}

/* Sky without anything in it may be all that there is. */
static void images_without_keypoints_may_come_first(void **state)
{
	(void)state;
	for (int64_t images = 1; images <= 2; images++) {
		const char *path = cn_test_path(cn_test_folder(), "a.features");
		cairn_features *empty = make_set(2), *found;
		cn_feature_writer *writer;
		cn_feature_segment *segment;
		assert_ok(cn_feature_writer_new(&writer, path, "tiny", DIM));
		for (int64_t image = 1; image <= images; image++)
			assert_ok(cn_feature_writer_add(writer, image, empty));
		assert_ok(cn_feature_writer_commit(writer));
		cn_feature_writer_free(writer);
		assert_ok(cn_feature_segment_open(&segment, path));
		assert_int_equal(cn_feature_segment_count(segment), images);
		assert_ok(cn_feature_segment_read(segment, images, &found));
		assert_near(found, empty);
		cairn_features_free(found);
		cairn_features_free(empty);
		cn_feature_segment_free(segment);
	}
}

static void points_outside_move_to_the_edge(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "a.features");
	const cairn_keypoint point = { -7, 1e9f, 1e9f, -1e-9f, -70000 };
	const float descriptor[DIM] = { 1 };
	cn_feature_writer *writer;
	cn_feature_segment *segment;
	cairn_features *set, *found;
	(void)state;
	assert_ok(cairn_features_new(&set, "tiny", 100, 50, 1, DIM, &point, descriptor));
	assert_ok(cn_feature_writer_new(&writer, path, "tiny", DIM));
	assert_ok(cn_feature_writer_add(writer, 1, set));
	assert_ok(cn_feature_writer_commit(writer));
	cn_feature_writer_free(writer);
	assert_ok(cn_feature_segment_open(&segment, path));
	assert_ok(cn_feature_segment_read(segment, 1, &found));
	assert_true(cairn_features_keypoints(found)->x == -0.5f);
	assert_true(cairn_features_keypoints(found)->y == 49.5f);
	assert_true(cairn_features_keypoints(found)->scale == 65504);
	assert_true(cairn_features_keypoints(found)->angle == 0);
	assert_true(cairn_features_keypoints(found)->score == -65504);
	cairn_features_free(set);
	cairn_features_free(found);
	cn_feature_segment_free(segment);
}

static void a_segment_without_images(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "a.features");
	cn_feature_writer *writer;
	cn_feature_segment *segment;
	cairn_features *found;
	(void)state;
	assert_ok(cn_feature_writer_new(&writer, path, "tiny", DIM));
	assert_ok(cn_feature_writer_commit(writer));
	cn_feature_writer_free(writer);
	assert_ok(cn_feature_segment_open(&segment, path));
	assert_int_equal(cn_feature_segment_count(segment), 0);
	assert_fails(cn_feature_segment_read(segment, 1, &found), CAIRN_ENOTFOUND, "image 1");
	cn_feature_segment_free(segment);
}

/* ---- damage ---- */

struct file {
	uint8_t *bytes; /* from malloc(), as aligned as that */
	size_t length;
	uint64_t table;
};

static struct file load(void)
{
	struct file file;
	char *bytes;
	assert_ok(cn_file_read(write_file(), 1 << 20, &bytes, &file.length));
	file.bytes = (uint8_t *)bytes;
	memcpy(&file.table, file.bytes + TABLE_AT, sizeof(file.table));
	assert_int_equal(file.table + IMAGES * ENTRY, file.length);
	return file;
}

/* Open and read everything; the first failure. */
static int read_all(const uint8_t *bytes, size_t length)
{
	cn_feature_segment *segment;
	int status = cn_feature_segment_parse(&segment, bytes, length, "memory");
	if (status < 0)
		return status;
	for (size_t i = 0; status == 0 && i < cn_feature_segment_count(segment); i++) {
		cairn_features *set = NULL;
		status = cn_feature_segment_read(segment, cn_feature_segment_image(segment, i), &set);
		cairn_features_free(set);
	}
	cn_feature_segment_free(segment);
	return status;
}

static void every_truncation_is_found(void **state)
{
	struct file file = load();
	const char *path = cn_test_path(cn_test_folder(), "cut.features");
	cn_feature_segment *segment;
	(void)state;
	for (size_t length = 0; length < file.length; length++) {
		uint8_t *bytes = malloc(length + !length);
		memcpy(bytes, file.bytes, length);
		assert_fails(read_all(bytes, length), CAIRN_EDAMAGED, "memory");
		free(bytes);
	}
	cn_test_write(path, NULL, 0);
	assert_fails(cn_feature_segment_open(&segment, path), CAIRN_EDAMAGED, "cut.features");
	assert_fails(cn_feature_segment_open(&segment, cn_test_path(path, "none")), CAIRN_EIO, "none");
	free(file.bytes);
}

static void every_flipped_byte_is_found(void **state)
{
	struct file file = load();
	(void)state;
	assert_ok(read_all(file.bytes, file.length));
	for (size_t i = 0; i < file.length; i++)
		for (unsigned flip = 1; flip < 256; flip = flip == 128 ? 255 : flip == 255 ? 256 : 2 * flip) {
			file.bytes[i] ^= (uint8_t)flip;
			int status = read_all(file.bytes, file.length);
			assert_fails(status, status == CAIRN_EUNSUPPORTED ? status : CAIRN_EDAMAGED, "memory");
			file.bytes[i] ^= (uint8_t)flip;
		}
	assert_ok(read_all(file.bytes, file.length));
	free(file.bytes);
}

static void a_damaged_block_is_named_and_others_are_read(void **state)
{
	struct file file = load();
	cn_feature_segment *segment;
	cairn_features *set;
	(void)state;
	file.bytes[file.table - 1] ^= 1;
	assert_ok(cn_feature_segment_parse(&segment, file.bytes, file.length, "memory"));
	assert_fails(cn_feature_segment_read(segment, INT64_MAX, &set), CAIRN_EDAMAGED, "image 9223372036854775807");
	assert_ok(cn_feature_segment_read(segment, 1, &set));
	cairn_features_free(set);
	cn_feature_segment_free(segment);
	free(file.bytes);
}

static void seal(struct file *file)
{
	uint64_t block, table;
	uint32_t crc;
	memcpy(&table, file->bytes + TABLE_AT, sizeof(table));
	/* The blocks stand one after another; of the first image's only the length matters here. */
	memcpy(&block, file->bytes + file->table + ENTRY + ENTRY_OFFSET_AT, sizeof(block));
	if (block > HEADER && block < file->length) {
		crc = cn_crc32c(0, file->bytes + HEADER, block - HEADER);
		memcpy(file->bytes + file->table + ENTRY_CRC_AT, &crc, sizeof(crc));
	}
	crc = cn_crc32c(0, file->bytes + file->table, file->length - file->table);
	memcpy(file->bytes + TABLE_CRC_AT, &crc, sizeof(crc));
	crc = cn_crc32c(0, file->bytes, HEADER_CRC_AT);
	memcpy(file->bytes + HEADER_CRC_AT, &crc, sizeof(crc));
}

/* Contradictions under valid checksums: what a faulty or hostile program could write. */
static void contradictions_are_found(void **state)
{
	enum { IN_HEADER, IN_TABLE, IN_BLOCK };
	static const struct {
		int where;
		size_t offset;
		uint64_t value;
		size_t size;
		int code;
		const char *part;
	} cases[] = {
		{ IN_HEADER, 0, 'X', 1, CAIRN_EDAMAGED, "no feature segment" },
		{ IN_HEADER, VERSION_AT, 2, 4, CAIRN_EUNSUPPORTED,
		  "feature segment of version 2, this cairn knows version 1" },
		{ IN_HEADER, VERSION_AT, 0, 4, CAIRN_EUNSUPPORTED, "version 0" },
		{ IN_HEADER, DIM_AT, 0, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, DIM_AT, 1025, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, DIM_AT, 1000, 4, CAIRN_EDAMAGED, "entry 0" },
		{ IN_HEADER, COUNT_AT, 3, 8, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, COUNT_AT, UINT64_MAX / ENTRY, 8, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, TABLE_AT, 64, 8, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, TABLE_AT, UINT64_MAX - 63, 8, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, LENGTH_AT, 1, 8, CAIRN_EDAMAGED, "its header says 1" },
		{ IN_HEADER, KIND_AT, 0, 1, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, KIND_AT + 63, 'x', 1, CAIRN_EDAMAGED, "header" },
		{ IN_TABLE, 0, 0, 8, CAIRN_EDAMAGED, "entry 0" },
		{ IN_TABLE, 0, 2, 8, CAIRN_EDAMAGED, "entry 1" },
		{ IN_TABLE, ENTRY_OFFSET_AT, 64, 8, CAIRN_EDAMAGED, "entry 0" },
		{ IN_TABLE, ENTRY_POINTS_AT, UINT32_MAX, 4, CAIRN_EDAMAGED, "entry 0" },
		{ IN_TABLE, ENTRY_POINTS_AT, 0, 4, CAIRN_EDAMAGED, "entry 1" },
		{ IN_TABLE, 3 * ENTRY + ENTRY_POINTS_AT, 0, 4, CAIRN_EDAMAGED, "the blocks end" },
		{ IN_TABLE, ENTRY_WIDTH_AT, 0, 4, CAIRN_EDAMAGED, "entry 0" },
		{ IN_TABLE, ENTRY_SCALE_AT, 0, 4, CAIRN_EDAMAGED, "image 1: the factor" },
		{ IN_TABLE, ENTRY_SCALE_AT, 0x7fc00000, 4, CAIRN_EDAMAGED, "image 1: the factor" },
		{ IN_BLOCK, 64, 0x80, 1, CAIRN_EDAMAGED, "image 1: a code of -128" },
		{ IN_BLOCK, 2 * 5 * 2, 0x7c00, 2, CAIRN_EDAMAGED, "image 1: keypoint" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct file file = load();
		size_t base = cases[i].where == IN_HEADER ? 0 : cases[i].where == IN_TABLE ? file.table : HEADER;
		memcpy(file.bytes + base + cases[i].offset, &cases[i].value, cases[i].size);
		seal(&file);
		assert_fails(read_all(file.bytes, file.length), cases[i].code, cases[i].part);
		free(file.bytes);
	}
}

/* ---- writing ---- */

static void a_writer_refuses_what_does_not_belong(void **state)
{
	const char *folder = cn_test_folder();
	const char *path = cn_test_path(folder, "a.features");
	char long_kind[65];
	char **names;
	size_t count;
	cn_feature_writer *writer;
	cairn_features *set = make_set(0), *other;
	(void)state;
	memset(long_kind, 'k', 64);
	long_kind[64] = '\0';
	assert_fails(cn_feature_writer_new(&writer, path, long_kind, DIM), CAIRN_EINVALID, "63");
	assert_fails(cn_feature_writer_new(&writer, path, "", DIM), CAIRN_EINVALID, "a.features");
	assert_fails(cn_feature_writer_new(&writer, path, "tiny", 0), CAIRN_EINVALID, "0 dimensions");
	assert_fails(cn_feature_writer_new(&writer, path, "tiny", 1025), CAIRN_EINVALID, "1025 dimensions");
	assert_fails(cn_feature_writer_new(&writer, cn_test_path(folder, "none/a"), "tiny", DIM), CAIRN_ENOTFOUND,
		     "none");
	assert_ok(cn_feature_writer_new(&writer, path, "tiny", DIM));
	assert_fails(cn_feature_writer_add(writer, 0, set), CAIRN_EINVALID, "image 0");
	assert_ok(cn_feature_writer_add(writer, 5, set));
	assert_fails(cn_feature_writer_add(writer, 5, set), CAIRN_EINVALID, "image 5");
	assert_ok(cairn_features_new(&other, "other", 9, 9, 0, DIM, NULL, NULL));
	assert_fails(cn_feature_writer_add(writer, 6, other), CAIRN_EINVALID, "'other'");
	cairn_features_free(other);
	assert_ok(cairn_features_new(&other, "tiny", 9, 9, 0, DIM + 1, NULL, NULL));
	assert_fails(cn_feature_writer_add(writer, 6, other), CAIRN_EINVALID, "11 dimensions");
	cairn_features_free(other);
	cairn_features_free(set);
	cn_feature_writer_free(writer);
	cn_feature_writer_free(NULL);
	assert_ok(cn_folder_list(folder, &names, &count));
	assert_int_equal(count, 0);
	cn_names_free(names, count);
}

/* Writing fails where the disk is full: /dev/full is one that always is. */
static void a_full_disk_is_reported(void **state)
{
	cn_feature_writer *writer;
	cairn_features *set = make_set(3);
	int status = 0;
	(void)state;
	assert_ok(cn_feature_writer_new(&writer, "/dev/full", "tiny", DIM));
	for (int64_t image = 1; status == 0 && image < 10000; image++)
		status = cn_feature_writer_add(writer, image, set);
	assert_fails(status, CAIRN_ENOSPACE, "/dev/full");
	assert_fails(cn_feature_writer_commit(writer), CAIRN_ENOSPACE, "/dev/full");
	cn_feature_writer_free(writer);
	cairn_features_free(set);
}

static void short_memory_is_reported(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "a.features");
	cairn_features *set = make_set(0);
	int status = CAIRN_ENOMEM;
	(void)state;
	for (long n = 0; status < 0; n++) {
		cn_feature_writer *writer = NULL;
		cn_feature_segment *segment = NULL;
		cairn_features *found = NULL;
		assert_in_range(n, 0, 100);
		cn_memory_fail_at(n);
		status = cn_feature_writer_new(&writer, path, "tiny", DIM);
		if (status == 0)
			status = cn_feature_writer_add(writer, 1, set);
		if (status == 0)
			status = cn_feature_writer_commit(writer);
		if (status == 0)
			status = cn_feature_segment_open(&segment, path);
		if (status == 0)
			status = cn_feature_segment_read(segment, 1, &found);
		assert_true(status == 0 || status == CAIRN_ENOMEM);
		cairn_features_free(found);
		cn_feature_segment_free(segment);
		cn_feature_writer_free(writer);
	}
	cn_memory_fail_at(-1);
	cairn_features_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(images_without_keypoints_may_come_first),
		cmocka_unit_test(points_outside_move_to_the_edge),
		cmocka_unit_test(a_segment_without_images),
		cmocka_unit_test(every_truncation_is_found),
		cmocka_unit_test(every_flipped_byte_is_found),
		cmocka_unit_test(a_damaged_block_is_named_and_others_are_read),
		cmocka_unit_test(contradictions_are_found),
		cmocka_unit_test(a_writer_refuses_what_does_not_belong),
		cmocka_unit_test(a_full_disk_is_reported),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

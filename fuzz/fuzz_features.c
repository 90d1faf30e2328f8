/*
 * Feature segments of arbitrary bytes: refused with a text, or opened, and then each image's features are refused with
 * a text or are numbers within the ranges of the format.
 *
 * Checksums would keep a fuzzer out, so they are put right before the bytes are tried again.
 */
#include <string.h>

#include "cairn/error.h"
#include "index/feature_segment.h"
#include "target.h"
#include "util/crc.h"
#include "util/memory.h"

int fuzz_accepted;

enum { HEADER = 128, TABLE_AT = 24, LENGTH_AT = 32, TABLE_CRC_AT = 120, HEADER_CRC_AT = 124 };
enum { ENTRY = 40, ENTRY_OFFSET_AT = 8, ENTRY_CRC_AT = 32 };

static void check_set(const cn_feature_segment *segment, const cairn_features *set)
{
	const cairn_keypoint *points = cairn_features_keypoints(set);
	const int8_t *codes = cairn_features_codes(set);
	FUZZ_CHECK(strcmp(cairn_features_kind(set), cn_feature_segment_kind(segment)) == 0);
	for (size_t i = 0; i < cairn_features_count(set) * cairn_features_dim(set); i++)
		FUZZ_CHECK(codes[i] >= -127);
	for (size_t i = 0; i < cairn_features_count(set); i++) {
		/* Numbers that are not finite compare as false. */
		FUZZ_CHECK(points[i].x >= -0.5f && points[i].x <= (float)cairn_features_width(set));
		FUZZ_CHECK(points[i].y >= -0.5f && points[i].y <= (float)cairn_features_height(set));
		FUZZ_CHECK(points[i].angle >= 0 && points[i].angle < 6.2831855f);
		FUZZ_CHECK(points[i].scale >= -65504 && points[i].scale <= 65504);
		FUZZ_CHECK(i == 0 || points[i].score <= points[i - 1].score);
	}
}

static void read_all(const uint8_t *bytes, size_t size)
{
	cn_feature_segment *segment = NULL;
	if (cn_feature_segment_parse(&segment, bytes, size, "fuzz") < 0) {
		FUZZ_CHECK(cairn_last_error()[0] && !segment);
		return;
	}
	fuzz_accepted = 1;
	for (size_t i = 0; i < cn_feature_segment_count(segment); i++) {
		cairn_features *set = NULL;
		int status = cn_feature_segment_read(segment, cn_feature_segment_image(segment, i), &set);
		FUZZ_CHECK(status < 0 ? cairn_last_error()[0] && !set : set != NULL);
		fuzz_accepted &= status == 0;
		if (status == 0)
			check_set(segment, set);
		cairn_features_free(set);
	}
	cn_feature_segment_free(segment);
}

static uint64_t number_at(const uint8_t *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static void put_crc(uint8_t *place, const uint8_t *from, size_t length)
{
	uint32_t crc = cn_crc32c(0, from, length);
	memcpy(place, &crc, sizeof(crc));
}

/* Length and checksums as a writer of these bytes would have put them. */
static void seal(uint8_t *bytes, size_t size)
{
	uint64_t length = size, table = number_at(bytes + TABLE_AT);
	memcpy(bytes + LENGTH_AT, &length, sizeof(length));
	if (table >= HEADER && table <= size) {
		uint64_t end = table;
		/* Backwards: a block ends where the next one begins. */
		for (size_t n = (size - table) / ENTRY; n-- > 0;) {
			uint8_t *entry = bytes + table + n * ENTRY;
			uint64_t begin = number_at(entry + ENTRY_OFFSET_AT);
			if (begin > end)
				break;
			put_crc(entry + ENTRY_CRC_AT, bytes + begin, end - begin);
			end = begin;
		}
		put_crc(bytes + TABLE_CRC_AT, bytes + table, size - table);
	}
	put_crc(bytes + HEADER_CRC_AT, bytes, HEADER_CRC_AT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Segments are aligned as a mapped file is. */
	uint8_t *bytes = cn_alloc_aligned(size, 1);
	FUZZ_CHECK(bytes);
	fuzz_accepted = 0;
	if (size)
		memcpy(bytes, data, size);
	read_all(bytes, size);
	if (size >= HEADER) {
		seal(bytes, size);
		read_all(bytes, size);
	}
	cn_free(bytes);
	return 0;
}

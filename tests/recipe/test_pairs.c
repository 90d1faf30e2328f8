/* The file of verified pairs: what is appended is found when it is opened again, and nothing else is. */
#include "recipe/pairs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cairn/ranking.h"
#include "torture.h"
#include "util/crc.h"

enum { RECORD = 24, PAIRS = 6 };

/* In an order that is not that of searches. */
static const struct {
	size_t query;
	int64_t image;
	int32_t inliers;
} added[PAIRS] = { { 3, 7, 12 }, { 0, 900, 0 }, { 3, 2, 55 }, { 0, 1, 4 }, { 1, INT64_MAX, INT32_MAX }, { 3, 1, 9 } };

static const char *new_path(void)
{
	return cn_test_path(cn_test_folder(), "a.pairs");
}

static void write_pairs(const char *path)
{
	cn_pair_file pairs;
	assert_ok(cn_pair_file_open(&pairs, path));
	for (size_t i = 0; i < PAIRS; i++)
		assert_ok(cn_pair_file_add(&pairs, added[i].query, &added[i].image, &added[i].inliers, 1));
	cn_pair_file_close(&pairs);
}

static long size_of(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 ? (long)info.st_size : -1;
}

/* That the first `count` pairs are there and the others not, before and after it is closed. */
static void assert_holds(const char *path, size_t count)
{
	cn_pair_file pairs;
	assert_ok(cn_pair_file_open(&pairs, path));
	assert_int_equal(pairs.count, count);
	for (size_t i = 0; i < PAIRS; i++)
		assert_int_equal(cn_pair_file_find(&pairs, added[i].query, added[i].image),
				 i < count ? added[i].inliers : CAIRN_NO_INLIERS);
	assert_int_equal(cn_pair_file_find(&pairs, 2, 1), CAIRN_NO_INLIERS);
	assert_int_equal(cn_pair_file_find(&pairs, 3, 3), CAIRN_NO_INLIERS);
	cn_pair_file_close(&pairs);
	assert_int_equal(size_of(path), count * RECORD);
}

static void finds_what_was_appended(void **state)
{
	static const int64_t images[] = { 5, 6 };
	static const int32_t inliers[] = { 1, 2 };
	const char *path = new_path();
	cn_pair_file pairs;
	(void)state;
	assert_holds(path, 0);
	write_pairs(path);
	assert_holds(path, PAIRS);
	assert_ok(cn_pair_file_open(&pairs, path));
	assert_ok(cn_pair_file_add(&pairs, 2, images, inliers, 2));
	assert_ok(cn_pair_file_add(&pairs, 2, images, inliers, 0));
	/* Who appends knows them already. */
	assert_int_equal(cn_pair_file_find(&pairs, 2, 5), CAIRN_NO_INLIERS);
	cn_pair_file_close(&pairs);
	assert_int_equal(size_of(path), (PAIRS + 2) * RECORD);
	assert_ok(cn_pair_file_open(&pairs, path));
	assert_int_equal(cn_pair_file_find(&pairs, 2, 5), 1);
	assert_int_equal(cn_pair_file_find(&pairs, 2, 6), 2);
	assert_int_equal(cn_pair_file_find(&pairs, 3, 7), 12);
	cn_pair_file_close(&pairs);
}

/* docs/format.md: query, image, inliers, CRC-32C of these 20 bytes. */
static void has_the_documented_form(void **state)
{
	const char *path = new_path();
	unsigned char bytes[PAIRS * RECORD];
	(void)state;
	write_pairs(path);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
	fclose(file);
	static const unsigned char first[20] = { 3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0 };
	uint32_t crc = cn_crc32c(0, first, sizeof(first));
	assert_memory_equal(bytes, first, sizeof(first));
	assert_memory_equal(bytes + sizeof(first), &crc, sizeof(crc));
}

/* Whatever end a kill leaves, whole records before it are kept and the file goes on from there. */
static void cuts_off_a_torn_end(void **state)
{
	(void)state;
	for (long length = PAIRS * RECORD - 1; length >= 0; length -= 5) {
		const char *path = new_path();
		write_pairs(path);
		assert_int_equal(truncate(path, length), 0);
		assert_holds(path, (size_t)length / RECORD);
		cn_pair_file pairs;
		size_t next = (size_t)length / RECORD;
		assert_ok(cn_pair_file_open(&pairs, path));
		assert_ok(cn_pair_file_add(&pairs, added[next].query, &added[next].image, &added[next].inliers, 1));
		cn_pair_file_close(&pairs);
		assert_holds(path, next + 1);
	}
}

static void takes_nothing_behind_foreign_bytes(void **state)
{
	(void)state;
	for (size_t at = 0; at < PAIRS * RECORD; at += 7) {
		const char *path = new_path();
		write_pairs(path);
		FILE *file = fopen(path, "r+b");
		assert_non_null(file);
		fseek(file, (long)at, SEEK_SET);
		int byte = fgetc(file);
		fseek(file, (long)at, SEEK_SET);
		fputc(byte ^ 0x10, file);
		fclose(file);
		assert_holds(path, at / RECORD);
	}
	const char *path = new_path();
	cn_test_write(path, "these are not records, but longer than one", 42);
	assert_holds(path, 0);
	/* A whole record that nothing writes. */
	cn_pair_record negative = { .query = 3, .image = 7, .inliers = -5 };
	negative.crc = cn_crc32c(0, &negative, offsetof(cn_pair_record, crc));
	cn_test_write(path, &negative, sizeof(negative));
	assert_holds(path, 0);
}

static void many_pairs_are_found(void **state)
{
	enum { QUERIES = 40, IMAGES = 60 };
	const char *path = new_path();
	uint64_t seed = 5;
	int32_t known[QUERIES][IMAGES];
	cn_pair_file pairs;
	(void)state;
	memset(known, 0xff, sizeof(known));
	assert_ok(cn_pair_file_open(&pairs, path));
	for (int round = 0; round < 1500; round++) {
		size_t query = cn_test_random(&seed) % QUERIES;
		int64_t image = (int64_t)(cn_test_random(&seed) % IMAGES);
		int32_t inliers = (int32_t)(cn_test_random(&seed) % 100);
		if (known[query][image] != CAIRN_NO_INLIERS)
			continue;
		known[query][image] = inliers;
		assert_ok(cn_pair_file_add(&pairs, query, &image, &inliers, 1));
	}
	cn_pair_file_close(&pairs);
	assert_ok(cn_pair_file_open(&pairs, path));
	for (size_t query = 0; query < QUERIES; query++)
		for (int64_t image = 0; image < IMAGES; image++)
			assert_int_equal(cn_pair_file_find(&pairs, query, image), known[query][image]);
	cn_pair_file_close(&pairs);
}

static void without_a_path_nothing_is_kept(void **state)
{
	cn_pair_file pairs;
	(void)state;
	assert_ok(cn_pair_file_open(&pairs, NULL));
	assert_ok(cn_pair_file_add(&pairs, 0, &added[0].image, &added[0].inliers, 1));
	assert_int_equal(cn_pair_file_find(&pairs, 0, added[0].image), CAIRN_NO_INLIERS);
	cn_pair_file_close(&pairs);
	cn_pair_file_close(&pairs);
}

static void faults_are_reported(void **state)
{
	const char *folder = cn_test_folder();
	cn_pair_file pairs;
	(void)state;
	assert_fails(cn_pair_file_open(&pairs, cn_test_path(folder, "missing/a.pairs")), CAIRN_ENOTFOUND,
		     "missing/a.pairs");
	assert_fails(cn_pair_file_open(&pairs, folder), CAIRN_EIO, folder);
	cn_pair_file_close(&pairs);
	/* Every write to it fails. */
	assert_ok(cn_pair_file_open(&pairs, new_path()));
	int full = open("/dev/full", O_WRONLY);
	assert_true(full >= 0);
	close(pairs.file);
	pairs.file = full;
	assert_fails(cn_pair_file_add(&pairs, 0, &added[0].image, &added[0].inliers, 1), CAIRN_ENOSPACE, "a.pairs");
	cn_pair_file_close(&pairs);
}

static int open_and_add(void *path)
{
	cn_pair_file pairs;
	CN_TRY(cn_pair_file_open(&pairs, path));
	int status = cn_pair_file_add(&pairs, 9, &added[0].image, &added[0].inliers, 1);
	cn_pair_file_close(&pairs);
	return status;
}

static void memory_may_run_out(void **state)
{
	char path[4096];
	(void)state;
	snprintf(path, sizeof(path), "%s", new_path());
	write_pairs(path);
	assert_true(cn_torture(open_and_add, path) >= 4);
	cn_pair_file pairs;
	assert_ok(cn_pair_file_open(&pairs, path));
	assert_int_equal(cn_pair_file_find(&pairs, 3, 7), 12);
	cn_pair_file_close(&pairs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_appended), cmocka_unit_test(has_the_documented_form),
		cmocka_unit_test(cuts_off_a_torn_end),     cmocka_unit_test(takes_nothing_behind_foreign_bytes),
		cmocka_unit_test(many_pairs_are_found),    cmocka_unit_test(without_a_path_nothing_is_kept),
		cmocka_unit_test(faults_are_reported),     cmocka_unit_test(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Mapped files. */
#include <string.h>
#include <sys/stat.h>

#include "support.h"
#include "util/mapped.h"

static void a_file_is_mapped(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "file");
	cn_mapped file;

	(void)state;
	cn_test_write(path, "content", 7);
	assert_ok(cn_mapped_open(&file, path));
	assert_int_equal(file.length, 7);
	assert_memory_equal(file.bytes, "content", 7);
	cn_mapped_close(&file);
	assert_null(file.bytes);
	cn_mapped_close(&file);
}

static void an_empty_file_has_no_bytes(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "file");
	cn_mapped file;

	(void)state;
	cn_test_write(path, "", 0);
	assert_ok(cn_mapped_open(&file, path));
	assert_null(file.bytes);
	assert_int_equal(file.length, 0);
	cn_mapped_close(&file);
}

static void what_cannot_be_mapped_is_told(void **state)
{
	const char *folder = cn_test_folder(), *missing = cn_test_path(folder, "missing");
	const char *pipe = cn_test_path(folder, "pipe");
	cn_mapped file;

	(void)state;
	assert_fails(cn_mapped_open(&file, missing), CAIRN_ENOTFOUND, missing);
	assert_fails(cn_mapped_open(&file, folder), CAIRN_EIO, "not a regular file");
	assert_fails(cn_mapped_open(&file, "/dev/zero"), CAIRN_EIO, "not a regular file");
	/* Nobody writes to it, and nobody is waited for. */
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_fails(cn_mapped_open(&file, pipe), CAIRN_EIO, "not a regular file");
	assert_null(file.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_mapped),
		cmocka_unit_test(an_empty_file_has_no_bytes),
		cmocka_unit_test(what_cannot_be_mapped_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

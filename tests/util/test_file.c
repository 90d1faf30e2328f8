/* Whole-file reading, atomic writing, folders, a full disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"
#include "torture.h"
#include "util/crc.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

static void assert_content(const char *path, const char *wanted)
{
	size_t length;
	char *bytes;

	assert_ok(cn_file_read(path, 1 << 20, &bytes, &length));
	assert_int_equal(length, strlen(wanted));
	assert_string_equal(bytes, wanted);
	cn_free(bytes);
}

static void assert_names(const char *folder, size_t wanted)
{
	char **names;
	size_t count;

	assert_ok(cn_folder_list(folder, &names, &count));
	assert_int_equal(count, wanted);
	cn_names_free(names, count);
}

static void what_is_written_is_read(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "file");
	static const size_t sizes[] = { 0, 1, 2, 4095, 65536, 65537, 300000 };
	char *content = calloc(1, 300000), *bytes;
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(content, 'a' + (int)i, sizes[i]);
		assert_ok(cn_file_write(path, content, sizes[i]));
		assert_ok(cn_file_read(path, sizes[i], &bytes, &length));
		assert_int_equal(length, sizes[i]);
		assert_memory_equal(bytes, content, length);
		assert_int_equal(bytes[length], 0);
		cn_free(bytes);
		if (sizes[i])
			assert_fails(cn_file_read(path, sizes[i] - 1, &bytes, &length), CAIRN_ELIMIT, path);
	}
	free(content);
}

static void reading_fails_with_the_path(void **state)
{
	const char *folder = cn_test_folder(), *missing = cn_test_path(folder, "missing");
	size_t length;
	char *bytes;

	(void)state;
	assert_fails(cn_file_read(missing, 100, &bytes, &length), CAIRN_ENOTFOUND, missing);
	assert_null(bytes);
	assert_fails(cn_file_read(folder, 100, &bytes, &length), CAIRN_EIO, folder);
	/* A file without a size, and without an end. */
	assert_fails(cn_file_read("/dev/zero", 100000, &bytes, &length), CAIRN_ELIMIT, "limit of 100000");
	assert_ok(cn_file_read("/proc/self/status", 100000, &bytes, &length));
	assert_true(length > 10 && strlen(bytes) == length);
	cn_free(bytes);
	assert_int_equal(cn_file_exists(missing), 0);
	assert_int_equal(cn_file_exists(folder), 1);
}

static void an_aborted_file_leaves_the_old_one(void **state)
{
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "file");
	cn_atomic_file file;

	(void)state;
	assert_ok(cn_file_write(path, "old", 3));
	assert_ok(cn_atomic_open(&file, path));
	assert_ok(cn_atomic_write(&file, "new", 3));
	assert_names(folder, 2);
	assert_content(path, "old");
	cn_atomic_abort(&file);
	assert_content(path, "old");
	assert_names(folder, 1);
	assert_ok(cn_atomic_open(&file, path));
	assert_ok(cn_atomic_write(&file, "new", 3));
	assert_ok(cn_atomic_commit(&file));
	cn_atomic_abort(&file);
	assert_content(path, "new");
	assert_names(folder, 1);
}

static void writers_do_not_meet(void **state)
{
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "file");
	cn_atomic_file first, second;

	(void)state;
	assert_ok(cn_atomic_open(&first, path));
	assert_ok(cn_atomic_open(&second, path));
	assert_ok(cn_atomic_write(&first, "first", 5));
	assert_ok(cn_atomic_write(&second, "second", 6));
	assert_ok(cn_atomic_commit(&second));
	assert_content(path, "second");
	assert_ok(cn_atomic_commit(&first));
	assert_content(path, "first");
	assert_names(folder, 1);
}

static void permissions_follow_the_mask(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "file");
	struct stat info;
	mode_t mask = umask(027);

	(void)state;
	assert_ok(cn_file_write(path, "x", 1));
	umask(mask);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0640);
}

static void links_are_followed_and_devices_kept(void **state)
{
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "file"),
		   *link = cn_test_path(folder, "link");
	struct stat info;

	(void)state;
	assert_ok(cn_file_write(path, "old", 3));
	assert_int_equal(symlink("file", link), 0);
	assert_ok(cn_file_write(link, "new", 3));
	assert_int_equal(lstat(link, &info), 0);
	assert_true(S_ISLNK(info.st_mode));
	assert_content(path, "new");
	assert_ok(cn_file_write("/dev/null", "gone", 4));
	assert_int_equal(stat("/dev/null", &info), 0);
	assert_true(S_ISCHR(info.st_mode));
	assert_fails(cn_file_write(folder, "x", 1), CAIRN_EIO, "is a folder");
	assert_fails(cn_file_write(cn_test_path(folder, "none/file"), "x", 1), CAIRN_ENOTFOUND, "none/file");
}

static void a_full_device_is_told(void **state)
{
	char *much = calloc(1, 100000);

	(void)state;
	assert_fails(cn_file_write("/dev/full", "x", 1), CAIRN_ENOSPACE, "/dev/full");
	assert_fails(cn_file_write("/dev/full", much, 100000), CAIRN_ENOSPACE, "/dev/full");
	free(much);
}

static int unmount(void **state)
{
	if (*state)
		umount2(*state, MNT_DETACH);
	return 0;
}

static void a_full_disk_leaves_the_old_file(void **state)
{
	static char much[1 << 20], folder[256];
	const char *path;

	snprintf(folder, sizeof(folder), "%s", cn_test_folder());
	path = cn_test_path(folder, "file");
	if (geteuid() != 0 || mount("none", folder, "tmpfs", 0, "size=64k") != 0) {
		print_message("# skipped: a small file system cannot be mounted (%s)\n", strerror(errno));
		skip();
	}
	*state = folder;
	assert_ok(cn_file_write(path, "old", 3));
	assert_fails(cn_file_write(path, much, sizeof(much)), CAIRN_ENOSPACE, path);
	assert_content(path, "old");
	assert_names(folder, 1);
	assert_ok(cn_file_write(path, "new", 3));
	assert_content(path, "new");
}

static void folders_are_made_with_parents(void **state)
{
	const char *folder = cn_test_folder(), *deep = cn_test_path(folder, "a/b/c");
	const char *file = cn_test_path(folder, "file");

	(void)state;
	assert_ok(cn_folder_make(deep));
	assert_ok(cn_folder_make(deep));
	assert_ok(cn_folder_make(cn_test_path(folder, "a/b/c/")));
	assert_int_equal(cn_file_exists(deep), 1);
	assert_ok(cn_folder_sync(deep));
	assert_fails(cn_folder_sync(cn_test_path(folder, "none")), CAIRN_ENOTFOUND, "none");
	assert_ok(cn_file_write(file, "", 0));
	assert_fails(cn_folder_make(file), CAIRN_EIO, "this is a file");
	assert_fails(cn_folder_make(cn_test_path(folder, "file/sub")), CAIRN_EIO, "file");
	assert_fails(cn_folder_make(""), CAIRN_ENOTFOUND, NULL);
}

static void folders_are_listed_in_byte_order(void **state)
{
	static const char *const wanted[] = { ".hidden", "B", "a", "a.b", "a1", "\xc3\xa9" };
	const char *folder = cn_test_folder();
	char **names;
	size_t count;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		cn_test_write(cn_test_path(folder, wanted[(i * 5 + 2) % 6]), "", 0);
	assert_ok(cn_folder_list(folder, &names, &count));
	assert_int_equal(count, 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(names[i], wanted[i]);
	cn_names_free(names, count);
	assert_fails(cn_folder_list(cn_test_path(folder, "none"), &names, &count), CAIRN_ENOTFOUND, "none");
	assert_null(names);
}

static void folders_are_removed_whole(void **state)
{
	const char *folder = cn_test_folder(), *tree = cn_test_path(folder, "tree"),
		   *kept = cn_test_path(folder, "kept");

	(void)state;
	cn_test_write(kept, "x", 1);
	assert_ok(cn_folder_make(cn_test_path(folder, "tree/a/b")));
	cn_test_write(cn_test_path(folder, "tree/a/b/file"), "x", 1);
	assert_int_equal(symlink(kept, cn_test_path(folder, "tree/link")), 0);
	assert_ok(cn_folder_remove(tree));
	assert_int_equal(cn_file_exists(tree), 0);
	assert_content(kept, "x");
	assert_ok(cn_folder_remove(tree));
}

static int write_read_list(void *context)
{
	const char *folder = context, *path = cn_test_path(folder, "file");
	size_t length, count;
	char *bytes, **names;

	CN_TRY(cn_file_write(path, "content", 7));
	CN_TRY(cn_file_read(path, 100, &bytes, &length));
	cn_free(bytes);
	CN_TRY(cn_folder_list(folder, &names, &count));
	cn_names_free(names, count);
	return cn_folder_make(cn_test_path(folder, "a/b"));
}

static void memory_may_run_out(void **state)
{
	char *folder = strdup(cn_test_folder());

	(void)state;
	assert_true(cn_torture(write_read_list, folder) >= 6);
	assert_names(folder, 2);
	free(folder);
}

static void the_checksum_sees_every_byte(void **state)
{
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "bytes");
	char bytes[100];
	uint64_t size;
	uint32_t crc, other;
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(7 * i);
	cn_test_write(path, bytes, sizeof(bytes));
	assert_ok(cn_file_checksum(path, &size, &crc));
	assert_int_equal(size, sizeof(bytes));
	assert_int_equal(crc, cn_crc32c(0, bytes, sizeof(bytes)));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= (char)(1 << i % 8);
		cn_test_write(path, bytes, sizeof(bytes));
		assert_ok(cn_file_checksum(path, &size, &other));
		assert_int_not_equal(other, crc);
		bytes[i] ^= (char)(1 << i % 8);
	}
	assert_fails(cn_file_checksum(cn_test_path(folder, "none"), &size, &crc), CAIRN_ENOTFOUND, "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(reading_fails_with_the_path),
		cmocka_unit_test(an_aborted_file_leaves_the_old_one),
		cmocka_unit_test(writers_do_not_meet),
		cmocka_unit_test(permissions_follow_the_mask),
		cmocka_unit_test(links_are_followed_and_devices_kept),
		cmocka_unit_test(a_full_device_is_told),
		cmocka_unit_test_teardown(a_full_disk_leaves_the_old_file, unmount),
		cmocka_unit_test(folders_are_made_with_parents),
		cmocka_unit_test(folders_are_listed_in_byte_order),
		cmocka_unit_test(folders_are_removed_whole),
		cmocka_unit_test(the_checksum_sees_every_byte),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Finding images: endings, order, links, lists, names of every kind, folders that may not be read.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collection/scan.h"
#include "photos.h"
#include "util/text.h"

static int failures;

static void note_failure(const char *path, int status, const char *message, void *payload)
{
	(void)payload;
	failures++;
	assert_true(status < 0);
	assert_non_null(strstr(message, path));
}

/* The paths found, relative to `folder`, each followed by '|'. */
static const char *scan(const char *folder, const char *const *paths, size_t count)
{
	static char found[8192];
	cn_path_list list;
	cn_progress progress;
	cn_progress_start(&progress, NULL, NULL, "test", 0);
	failures = 0;
	assert_ok(cn_scan(&list, paths, count, note_failure, NULL, &progress));
	cn_progress_end(&progress);
	found[0] = '\0';
	for (size_t i = 0; i < list.count; i++) {
		size_t length = strlen(folder);
		int below = strncmp(list.paths[i], folder, length) == 0;
		strcat(found, list.paths[i] + (below ? length + 1 : 0));
		strcat(found, "|");
	}
	cn_path_list_free(&list);
	return found;
}

static const char *make_tree(const char *const *names, size_t count)
{
	const char *folder = keep(cn_test_folder());
	for (size_t i = 0; i < count; i++) {
		char *path = strdup(cn_test_path(folder, names[i]));
		for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
			*slash = '\0';
			mkdir(path, 0700);
			*slash = '/';
		}
		if (path[strlen(path) - 1] != '/')
			cn_test_write(path, "", 0);
		free(path);
	}
	return folder;
}

static void finds_images_in_byte_order(void **state)
{
	(void)state;
	static const char *const names[] = { "b.JPG",  "a/x.jpeg",   "a.png",     "a-b.tif",         "notes.txt",
					     "jpg",    "z.TIFF",     ".heic",     "c.d/e.webp",      "c.d/f.heif",
					     "empty/", "a/\xff.gif", "a/b c.jpg", "a/new\nline.jpg", "a/\xc3\xa4.png" };
	const char *folder = make_tree(names, sizeof(names) / sizeof(*names));
	assert_string_equal(scan(folder, &folder, 1),
			    ".heic|a-b.tif|a.png|a/b c.jpg|a/new\nline.jpg|a/x.jpeg|a/\xc3\xa4.png|a/\xff.gif|b.JPG|"
			    "c.d/e.webp|c.d/f.heif|z.TIFF|");
	assert_int_equal(failures, 0);
	/* A file is taken whatever its name, and each path once. */
	const char *mixed[] = { keep(cn_test_path(folder, "notes.txt")), keep(cn_test_path(folder, "a/../a.png")),
				folder };
	assert_string_equal(
		scan(folder, mixed, 3),
		"notes.txt|a.png|.heic|a-b.tif|a/b c.jpg|a/new\nline.jpg|a/x.jpeg|a/\xc3\xa4.png|a/\xff.gif|b.JPG|"
		"c.d/e.webp|c.d/f.heif|z.TIFF|");
	const char *empty = keep(cn_test_path(folder, "empty"));
	assert_string_equal(scan(folder, &empty, 1), "");
	assert_int_equal(failures, 0);
}

static void ends_with_links_in_a_circle(void **state)
{
	(void)state;
	static const char *const names[] = { "a/1.jpg", "b/2.jpg" };
	const char *folder = make_tree(names, 2);
	assert_int_equal(symlink("..", cn_test_path(folder, "a/up")), 0);
	assert_int_equal(symlink("../b", cn_test_path(folder, "a/across")), 0);
	assert_int_equal(symlink("self.jpg", cn_test_path(folder, "self.jpg")), 0);
	assert_int_equal(symlink("b/2.jpg", cn_test_path(folder, "link.jpg")), 0);
	assert_string_equal(scan(folder, &folder, 1), "a/1.jpg|a/across/2.jpg|link.jpg|");
	assert_int_equal(failures, 1); /* self.jpg */
}

static void reads_lists(void **state)
{
	(void)state;
	static const char *const names[] = { "a/1.jpg", "b/2.jpg", "b/3.jpg" };
	const char *folder = make_tree(names, 3);
	const char *list = keep(cn_test_path(folder, "list.txt"));
	char at[512], content[1024];
	snprintf(content, sizeof(content), "b\r\n\n%s/a/1.jpg\nmissing.jpg\nb/2.jpg", folder);
	cn_test_write(list, content, strlen(content));
	snprintf(at, sizeof(at), "@%s", list);
	const char *path = at;
	assert_string_equal(scan(folder, &path, 1), "b/2.jpg|b/3.jpg|a/1.jpg|");
	assert_int_equal(failures, 1);
	path = "@/no/such/list";
	cn_path_list found;
	cn_progress progress;
	cn_progress_start(&progress, NULL, NULL, "test", 0);
	assert_ok(cn_scan(&found, &path, 1, (cn_scan_error_cb)note_failure, NULL, &progress));
	cn_progress_end(&progress);
	assert_int_equal(found.count, 0);
	cn_path_list_free(&found);
}

static void tells_of_folders_it_may_not_read(void **state)
{
	(void)state;
	static const char *const names[] = { "closed/1.jpg", "open/2.jpg" };
	const char *folder = make_tree(names, 2), *closed = keep(cn_test_path(folder, "closed"));
	chmod(closed, 0);
	if (access(closed, R_OK) == 0) {
		print_message("# skipped: this user may read every folder\n");
		chmod(closed, 0700);
		skip();
	}
	assert_string_equal(scan(folder, &folder, 1), "open/2.jpg|");
	assert_int_equal(failures, 1);
	chmod(closed, 0700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_images_in_byte_order),
		cmocka_unit_test(ends_with_links_in_a_circle),
		cmocka_unit_test(reads_lists),
		cmocka_unit_test(tells_of_folders_it_may_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Error codes, names and texts. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "support.h"
#include "util/status.h"
#include "util/text.h"
#include "util/utf8.h"

static void names_of_codes(void **state)
{
	static const struct {
		int status;
		const char *name;
	} cases[] = {
		{ 0, "CAIRN_OK" },
		{ 7, "CAIRN_OK" },
		{ CAIRN_EINVALID, "CAIRN_EINVALID" },
		{ CAIRN_ENOMEM, "CAIRN_ENOMEM" },
		{ CAIRN_EIO, "CAIRN_EIO" },
		{ CAIRN_ENOTFOUND, "CAIRN_ENOTFOUND" },
		{ CAIRN_EFORMAT, "CAIRN_EFORMAT" },
		{ CAIRN_EDAMAGED, "CAIRN_EDAMAGED" },
		{ CAIRN_ECANCELLED, "CAIRN_ECANCELLED" },
		{ CAIRN_EEXISTS, "CAIRN_EEXISTS" },
		{ CAIRN_ELIMIT, "CAIRN_ELIMIT" },
		{ CAIRN_EUNSUPPORTED, "CAIRN_EUNSUPPORTED" },
		{ CAIRN_EBUSY, "CAIRN_EBUSY" },
		{ CAIRN_ENOSPACE, "CAIRN_ENOSPACE" },
		{ CAIRN_EBACKEND, "CAIRN_EBACKEND" },
		{ CAIRN_EBACKEND - 1, "unknown status" },
		{ INT32_MIN, "unknown status" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(cairn_status_name(cases[i].status), cases[i].name);
}

static void version_is_the_projects(void **state)
{
	int major, minor, patch;

	(void)state;
	assert_string_equal(cairn_version(), CAIRN_VERSION);
	assert_int_equal(sscanf(cairn_version(), "%d.%d.%d", &major, &minor, &patch), 3);
}

static void texts_become_one_line_of_utf8(void **state)
{
	static const struct {
		const char *given, *wanted;
	} cases[] = {
		{ "plain", "plain" },
		{ "two\nlines\tand a tab", "two\\nlines\\tand a tab" },
		{ "red \x1b[31m, deleted \x7f, \r", "red \\x1b[31m, deleted \\x7f, \\r" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x97\xbf", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x97\xbf" },
		{ "above ASCII: \xc2\x9b[m, \xc2\xa0", "above ASCII: \\xc2\\x9b[m, \xc2\xa0" },
		{ "bad \xff byte", "bad \\xff byte" },
		{ "cut \xc3", "cut \\xc3" },
		{ "a \\ stays", "a \\ stays" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cn_fail(CAIRN_EFORMAT, "%s", cases[i].given), CAIRN_EFORMAT);
		assert_string_equal(cairn_last_error(), cases[i].wanted);
	}
}

static void long_texts_are_cut_between_characters(void **state)
{
	char text[3 * CN_ERROR_SIZE];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		memset(text, 'x', sizeof(text));
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		text[sizeof(text) - 1] = '\0';
		cn_fail(CAIRN_EIO, "%s", text);
		assert_true(strlen(cairn_last_error()) > CN_ERROR_SIZE - 8);
		assert_true(strlen(cairn_last_error()) < CN_ERROR_SIZE);
		assert_true(cn_utf8_valid(cairn_last_error(), strlen(cairn_last_error())));
	}
}

/* A reason that is cut off with the end of a long path helps nobody. */
static void long_texts_keep_both_ends(void **state)
{
	char path[PATH_MAX];

	(void)state;
	for (const char *filling = "x\xff\n"; *filling; filling++) {
		memset(path, *filling, sizeof(path));
		path[sizeof(path) - 1] = '\0';
		errno = EACCES;
		cn_fail_errno("cannot open '%s'", path);
		assert_ptr_equal(strstr(cairn_last_error(), "cannot open '"), cairn_last_error());
		assert_non_null(strstr(cairn_last_error(), " ... "));
		assert_string_equal(strrchr(cairn_last_error(), '\''), "': Permission denied");
		assert_int_equal(strlen(cairn_last_error()), CN_ERROR_SIZE - 1);
	}
}

static void errno_chooses_the_code(void **state)
{
	static const struct {
		int error, status;
	} cases[] = {
		{ ENOENT, CAIRN_ENOTFOUND }, { ENOSPC, CAIRN_ENOSPACE }, { EDQUOT, CAIRN_ENOSPACE },
		{ ENOMEM, CAIRN_ENOMEM },    { EACCES, CAIRN_EIO },      { EISDIR, CAIRN_EIO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		errno = cases[i].error;
		assert_fails(cn_fail_errno("file %d", 7), cases[i].status, strerror(cases[i].error));
		assert_ptr_equal(strstr(cairn_last_error(), "file 7: "), cairn_last_error());
	}
}

static void context_goes_before_the_text(void **state)
{
	(void)state;
	cn_fail(CAIRN_EIO, "disk on fire");
	assert_int_equal(cn_fail_context(CAIRN_EIO, "saving %s", "a.npy"), CAIRN_EIO);
	assert_string_equal(cairn_last_error(), "saving a.npy: disk on fire");
	cn_fail(CAIRN_EIO, "again: %s", cairn_last_error());
	assert_string_equal(cairn_last_error(), "again: saving a.npy: disk on fire");
}

static void failure_is_never_success(void **state)
{
	(void)state;
	assert_fails(cn_fail(0, "odd"), CAIRN_EBACKEND, "odd");
	assert_fails(cn_fail_context(5, "while testing"), CAIRN_EBACKEND, "while testing: odd");
}

static void *fail_elsewhere(void *saved)
{
	if (cairn_last_error()[0])
		return NULL;
	cn_fail(CAIRN_EIO, "in the other thread");
	cn_error_save(saved, CN_ERROR_SIZE);
	return saved;
}

static void each_thread_has_its_text(void **state)
{
	char saved[CN_ERROR_SIZE] = "";
	pthread_t thread;
	void *returned;

	(void)state;
	cn_fail(CAIRN_EIO, "mine");
	assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, saved), 0);
	pthread_join(thread, &returned);
	assert_ptr_equal(returned, saved);
	assert_string_equal(cairn_last_error(), "mine");
	cn_error_restore(saved);
	assert_string_equal(cairn_last_error(), "in the other thread");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_codes),
		cmocka_unit_test(version_is_the_projects),
		cmocka_unit_test(texts_become_one_line_of_utf8),
		cmocka_unit_test(long_texts_are_cut_between_characters),
		cmocka_unit_test(long_texts_keep_both_ends),
		cmocka_unit_test(errno_chooses_the_code),
		cmocka_unit_test(context_goes_before_the_text),
		cmocka_unit_test(failure_is_never_success),
		cmocka_unit_test(each_thread_has_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

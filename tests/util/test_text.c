/* Growing text, paths, UTF-8, JSON and HTML escapes. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"
#include "torture.h"
#include "util/text.h"
#include "util/utf8.h"

static void text_grows(void **state)
{
	cn_text text = CN_TEXT_INIT;

	(void)state;
	assert_null(text.data);
	for (int i = 0; i < 1000; i++) {
		assert_ok(cn_text_add(&text, "ab"));
		assert_ok(cn_text_addf(&text, "%03d", i));
		assert_ok(cn_text_add_bytes(&text, "\0", 1));
		assert_int_equal(text.length, 6 * (i + 1));
		assert_int_equal(text.data[text.length], 0);
	}
	assert_memory_equal(text.data + 6 * 999, "ab999\0", 7);
	cn_text_free(&text);
	assert_null(text.data);
	assert_ok(cn_text_add(&text, ""));
	assert_string_equal(text.data, "");
	cn_text_free(&text);
}

static void paths_join(void **state)
{
	static const struct {
		const char *folder, *name, *wanted;
	} cases[] = {
		{ "a", "b", "a/b" }, { "a/", "b", "a/b" },        { "/", "b", "/b" },
		{ "", "b", "b" },    { "a/b", "c/d", "a/b/c/d" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *path = cn_path_join(cases[i].folder, cases[i].name);

		assert_string_equal(path, cases[i].wanted);
		cn_free(path);
	}
	assert_string_equal(cn_path_base("a/b.jpg"), "b.jpg");
	assert_string_equal(cn_path_base("b.jpg"), "b.jpg");
	assert_string_equal(cn_path_base("a/"), "");
}

static void paths_become_absolute(void **state)
{
	static const struct {
		const char *given, *wanted;
		int relative; /* wanted is below the current folder */
	} cases[] = {
		{ "/", "/", 0 },
		{ "//", "/", 0 },
		{ "/..", "/", 0 },
		{ "/../../a", "/a", 0 },
		{ "/a/./b//c/", "/a/b/c", 0 },
		{ "/a/b/../c", "/a/c", 0 },
		{ "/a/..", "/", 0 },
		{ "/a/...", "/a/...", 0 },
		{ "/.a/..b", "/.a/..b", 0 },
		{ "x", "/x", 1 },
		{ ".", "", 1 },
		{ "./x/../y", "/y", 1 },
	};
	char here[PATH_MAX], wanted[PATH_MAX + 16], *path;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(wanted, sizeof(wanted), "%s%s", cases[i].relative ? here : "", cases[i].wanted);
		assert_ok(cn_path_absolute(&path, cases[i].given));
		assert_string_equal(path, wanted);
		cn_free(path);
	}
	assert_fails(cn_path_absolute(&path, ""), CAIRN_EINVALID, "empty");
	assert_null(path);
}

static void above_a_link_is_above_its_target(void **state)
{
	static const struct {
		const char *given, *wanted;
	} cases[] = {
		{ "else/link", "else/link" }, { "else/link/..", "real" },    { "else/link/../a.jpg", "real/a.jpg" },
		{ "else/link/../../b", "b" }, { "else/nowhere/..", "else" }, { "real/sub/../a.jpg", "real/a.jpg" },
	};
	char folder[PATH_MAX], *path;

	(void)state;
	assert_non_null(realpath(cn_test_folder(), folder));
	assert_int_equal(mkdir(cn_test_path(folder, "real"), 0700), 0);
	assert_int_equal(mkdir(cn_test_path(folder, "real/sub"), 0700), 0);
	assert_int_equal(mkdir(cn_test_path(folder, "else"), 0700), 0);
	assert_int_equal(symlink("../real/sub", cn_test_path(folder, "else/link")), 0);
	assert_int_equal(symlink("gone", cn_test_path(folder, "else/nowhere")), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(cn_path_absolute(&path, cn_test_path(folder, cases[i].given)));
		assert_string_equal(path, cn_test_path(folder, cases[i].wanted));
		cn_free(path);
	}
}

static void utf8_is_told_from_other_bytes(void **state)
{
	static const struct {
		const char *bytes;
		int valid;
	} cases[] = {
		{ "", 1 },
		{ "ascii", 1 },
		{ "\xc3\xa9", 1 },
		{ "\xe2\x82\xac", 1 },
		{ "\xf0\x9f\x97\xbf", 1 },
		{ "\xf4\x8f\xbf\xbf", 1 },
		{ "\xed\x9f\xbf\xee\x80\x80", 1 },
		{ "\x80", 0 },
		{ "\xc3", 0 },
		{ "\xc3"
		  "a",
		  0 },
		{ "\xc0\xaf", 0 },         /* overlong / */
		{ "\xe0\x80\xaf", 0 },     /* overlong / */
		{ "\xf0\x80\x80\xaf", 0 }, /* overlong / */
		{ "\xed\xa0\x80", 0 },     /* surrogate */
		{ "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xe2\x82", 0 },
		{ "\xe2\x82\xc3", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cn_utf8_valid(cases[i].bytes, strlen(cases[i].bytes)), cases[i].valid);
}

/* Decode by arithmetic, the other way round than the checker, and compare on all code points and all pairs of bytes. */
static void utf8_agrees_with_an_encoder(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 0x120000; code++) {
		unsigned char b[4];
		size_t length;

		if (code < 0x80)
			length = 1, b[0] = (unsigned char)code;
		else if (code < 0x800)
			length = 2, b[0] = (unsigned char)(0xc0 | code >> 6);
		else if (code < 0x10000)
			length = 3, b[0] = (unsigned char)(0xe0 | code >> 12);
		else
			length = 4, b[0] = (unsigned char)(0xf0 | code >> 18);
		for (size_t i = 1; i < length; i++)
			b[i] = (unsigned char)(0x80 | (code >> 6 * (length - 1 - i) & 0x3f));
		assert_int_equal(cn_utf8_valid((const char *)b, length),
				 code < 0xd800 || (code > 0xdfff && code < 0x110000));
	}
}

static void texts_are_escaped(void **state)
{
	static const struct {
		const char *given, *html;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "a\"b\\c", "a&quot;b\\c" },
		{ "<a href='x'>&", "&lt;a href=&#39;x&#39;&gt;&amp;" },
		{ "\n\t\x01\x7f", "\n\t\x01\x7f" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\xff"
		  "a\xc3",
		  "\xef\xbf\xbd"
		  "a\xef\xbf\xbd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_text html = CN_TEXT_INIT;

		assert_ok(cn_text_add(&html, ""));
		assert_ok(cn_text_add_html(&html, cases[i].given));
		assert_string_equal(html.data, cases[i].html);
		cn_text_free(&html);
	}
}

static int build_text(void *context)
{
	cn_text text = CN_TEXT_INIT;
	char *path = NULL, *joined = NULL;
	int status;

	(void)context;
	for (int i = 0; i < 40; i++) {
		CN_GOTO(status, cn_text_add_html(&text, "some text with a \"quote\""));
		CN_GOTO(status, cn_text_addf(&text, "%*d", 20, i));
	}
	CN_GOTO(status, cn_path_absolute(&path, "../x"));
	joined = cn_path_join(path, "y");
	status = joined ? 0 : CAIRN_ENOMEM;
done:
	cn_free(joined);
	cn_free(path);
	cn_text_free(&text);
	return status;
}

static void memory_may_run_out(void **state)
{
	(void)state;
	assert_true(cn_torture(build_text, NULL) >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows),
		cmocka_unit_test(paths_join),
		cmocka_unit_test(paths_become_absolute),
		cmocka_unit_test(above_a_link_is_above_its_target),
		cmocka_unit_test(utf8_is_told_from_other_bytes),
		cmocka_unit_test(utf8_agrees_with_an_encoder),
		cmocka_unit_test(texts_are_escaped),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

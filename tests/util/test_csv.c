/* CSV: RFC 4180, and everything that is almost CSV. */
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "torture.h"
#include "util/csv.h"
#include "util/memory.h"

/* Records as one text: fields between | signs, each record led by its line number. The error ends it. */
static int read_all(const char *path, cn_text *out)
{
	const char *const *fields;
	cn_csv *csv;
	int count;

	CN_TRY(cn_csv_open(&csv, path));
	while ((count = cn_csv_next(csv, &fields)) > 0) {
		int status = cn_text_addf(out, "%zu", cn_csv_line(csv));

		for (int i = 0; i < count && status == 0; i++)
			status = cn_text_addf(out, "|%s", fields[i]);
		if (status == 0)
			status = cn_text_add(out, ";");
		if (status < 0)
			count = status;
		if (count < 0)
			break;
	}
	cn_csv_free(csv);
	return count;
}

static void well_formed_files(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "", "" },
		{ "\n\n\r\n", "" },
		{ "a", "1|a;" },
		{ "a\n", "1|a;" },
		{ "a,b\nc,d\n", "1|a|b;2|c|d;" },
		{ "a,b\r\nc,d\r\n", "1|a|b;2|c|d;" },
		{ "a,b\r\nc,d\r", "1|a|b;2|c|d;" },
		{ "\n\na\n\nb", "3|a;5|b;" },
		{ ",\n", "1||;" },
		{ "a,,c", "1|a||c;" },
		{ "a,", "1|a|;" },
		{ " a , b ", "1| a | b ;" },
		{ "\"\"\n", "1|;" },
		{ "\"\",\"\"", "1||;" },
		{ "\"a,b\",c", "1|a,b|c;" },
		{ "\"say \"\"x\"\"\"", "1|say \"x\";" },
		{ "\"two\nlines\",x\ny,z", "1|two\nlines|x;3|y|z;" },
		{ "\"two\r\nlines\"\r\ny", "1|two\r\nlines;3|y;" },
		{ "\xef\xbb\xbfid,url\n", "1|id|url;" },
		{ "\xef\xbb\xbf", "" },
		{ "\xef\xbb", "1|\xef\xbb;" },
		{ "\xef\xbb\xbf\"id\"", "1|id;" },
		{ "caf\xc3\xa9,\xff", "1|caf\xc3\xa9|\xff;" },
	};
	const char *path = cn_test_path(cn_test_folder(), "a.csv");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_text text = CN_TEXT_INIT;

		assert_ok(cn_text_add(&text, ""));
		cn_test_write(path, cases[i].text, strlen(cases[i].text));
		assert_ok(read_all(path, &text));
		assert_string_equal(text.data, cases[i].wanted);
		cn_text_free(&text);
	}
}

static void faulty_files(void **state)
{
	static const struct {
		const char *text;
		size_t length; /* 0: to the NUL */
		const char *part;
	} cases[] = {
		{ "a,b\n\"c", 0, ":2: a quoted field is not closed" },
		{ "\"", 0, ":1: a quoted field is not closed" },
		{ "\"a\nb\nc", 0, ":1: a quoted field is not closed" },
		{ "x\n\"a\"b,c", 0, ":2: text after a closing quote" },
		{ "\"a\" ,c", 0, ":1: text after a closing quote" },
		{ "\"a\nb\" ,c", 0, ":2: text after a closing quote" },
		{ "x\ny\na\"b,c", 0, ":3: a quote inside an unquoted field" },
		{ "x,\0y", 4, ":1: a NUL byte" },
		{ "\"x\0\"", 4, ":1: a NUL byte" },
		{ "\0", 1, ":1: a NUL byte" },
		{ "a\rb\rc", 0, ":1: a carriage return without a line feed" },
	};
	const char *path = cn_test_path(cn_test_folder(), "a.csv");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_text text = CN_TEXT_INIT;

		cn_test_write(path, cases[i].text, cases[i].length ? cases[i].length : strlen(cases[i].text));
		assert_fails(read_all(path, &text), CAIRN_EFORMAT, cases[i].part);
		assert_ptr_equal(strstr(cairn_last_error(), path), cairn_last_error());
		cn_text_free(&text);
	}
}

static void a_line_has_an_end(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "a.csv");
	char *line = malloc(CN_CSV_MAX_LINE + 3);
	const char *const *fields;
	cn_csv *csv;

	(void)state;
	memset(line, 'x', CN_CSV_MAX_LINE + 2);
	line[0] = '"';
	line[1] = '\n';
	cn_test_write(path, line, CN_CSV_MAX_LINE + 2);
	assert_ok(cn_csv_open(&csv, path));
	assert_fails(cn_csv_next(csv, &fields), CAIRN_EFORMAT, "a.csv:1: a line of more than");
	cn_csv_free(csv);
	/* Fields count as well. */
	memset(line, ',', CN_CSV_MAX_LINE + 2);
	cn_test_write(path, line, CN_CSV_MAX_LINE + 2);
	assert_ok(cn_csv_open(&csv, path));
	assert_fails(cn_csv_next(csv, &fields), CAIRN_EFORMAT, "a.csv:1: a line of more than");
	cn_csv_free(csv);
	memset(line, 'x', CN_CSV_MAX_LINE);
	line[CN_CSV_MAX_LINE / 2] = '\n';
	cn_test_write(path, line, CN_CSV_MAX_LINE);
	assert_ok(cn_csv_open(&csv, path));
	assert_int_equal(cn_csv_next(csv, &fields), 1);
	assert_int_equal(strlen(fields[0]), CN_CSV_MAX_LINE / 2);
	assert_int_equal(cn_csv_next(csv, &fields), 1);
	assert_int_equal(cn_csv_next(csv, &fields), 0);
	assert_int_equal(cn_csv_next(csv, &fields), 0);
	cn_csv_free(csv);
	free(line);
}

static void files_that_cannot_be_read(void **state)
{
	const char *folder = cn_test_folder(), *missing = cn_test_path(folder, "missing.csv");
	const char *const *fields;
	cn_csv *csv;

	(void)state;
	assert_fails(cn_csv_open(&csv, missing), CAIRN_ENOTFOUND, missing);
	assert_null(csv);
	cn_csv_free(NULL);
	assert_ok(cn_csv_open(&csv, folder));
	assert_fails(cn_csv_next(csv, &fields), CAIRN_EIO, folder);
	cn_csv_free(csv);
}

static void fields_are_quoted_where_they_must(void **state)
{
	static const struct {
		const char *value, *field;
	} cases[] = {
		{ NULL, "" },
		{ "", "" },
		{ "plain text; 'quoted' | \\", "plain text; 'quoted' | \\" },
		{ "a,b", "\"a,b\"" },
		{ "\"", "\"\"\"\"" },
		{ "say \"hi\"", "\"say \"\"hi\"\"\"" },
		{ "two\nlines", "\"two\nlines\"" },
		{ "\r", "\"\r\"" },
		{ "Stra\xc3\x9f"
		  "e",
		  "Stra\xc3\x9f"
		  "e" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_text text = CN_TEXT_INIT;
		assert_ok(cn_text_add(&text, "<"));
		assert_ok(cn_csv_add(&text, cases[i].value));
		assert_ok(cn_text_add(&text, ""));
		assert_string_equal(text.data + 1, cases[i].field);
		cn_text_free(&text);
	}
}

/* Random fields of the difficult characters survive quoting and reading. */
static void quoting_is_undone_by_reading(void **state)
{
	static const char alphabet[] = "ab,\"\n\r ;|'";
	const char *path = cn_test_path(cn_test_folder(), "a.csv");
	uint64_t seed = 99;

	(void)state;
	for (int round = 0; round < 300; round++) {
		char fields[5][12];
		const char *const *got;
		cn_text text = CN_TEXT_INIT;
		cn_csv *csv;

		for (int i = 0; i < 5; i++) {
			size_t length = cn_test_random(&seed) % 11;

			for (size_t c = 0; c < length; c++)
				fields[i][c] = alphabet[cn_test_random(&seed) % (sizeof(alphabet) - 1)];
			fields[i][length] = '\0';
			assert_ok(cn_text_add(&text, i ? "," : ""));
			assert_ok(cn_csv_add(&text, fields[i]));
		}
		assert_ok(cn_text_add(&text, "\n"));
		cn_test_write(path, text.data, text.length);
		assert_ok(cn_csv_open(&csv, path));
		assert_int_equal(cn_csv_next(csv, &got), 5);
		for (int i = 0; i < 5; i++)
			assert_string_equal(got[i], fields[i]);
		assert_int_equal(cn_csv_next(csv, &got), 0);
		cn_csv_free(csv);
		cn_text_free(&text);
	}
}

static int read_path(void *path)
{
	cn_text text = CN_TEXT_INIT;
	int status = read_all(path, &text);

	cn_text_free(&text);
	return status;
}

static void memory_may_run_out(void **state)
{
	char path[4096], line[300];

	(void)state;
	snprintf(path, sizeof(path), "%s", cn_test_path(cn_test_folder(), "a.csv"));
	memset(line, 'x', sizeof(line));
	memcpy(line, "a,b,\"c\"\n", 8);
	cn_test_write(path, line, sizeof(line));
	assert_true(cn_torture(read_path, path) >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_files),
		cmocka_unit_test(faulty_files),
		cmocka_unit_test(a_line_has_an_end),
		cmocka_unit_test(files_that_cannot_be_read),
		cmocka_unit_test(fields_are_quoted_where_they_must),
		cmocka_unit_test(quoting_is_undone_by_reading),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

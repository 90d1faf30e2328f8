/*
 * CSV by RFC 4180, read strictly: what is ambiguous is an error with its line, since a guess would shift columns
 * silently.
 */
#include "util/csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/memory.h"

struct cn_csv {
	FILE *file;
	char *path;
	size_t line;   /* being read */
	size_t record; /* where the last record began */
	cn_text text;  /* the fields, each with a NUL behind it */
	const char **fields;
	size_t capacity;
};

int cn_csv_open(cn_csv **out, const char *path)
{
	cn_csv *csv;
	char mark[3];

	*out = NULL;
	CN_NEW(csv, 1, sizeof(*csv));
	csv->line = 1;
	csv->path = cn_strdup(path);
	if (!csv->path) {
		cn_csv_free(csv);
		return CAIRN_ENOMEM;
	}
	csv->file = fopen(path, "rbe");
	if (!csv->file) {
		int status = cn_fail_errno("%s", path);

		cn_csv_free(csv);
		return status;
	}
	if (fread(mark, 1, 3, csv->file) != 3 || memcmp(mark, "\xef\xbb\xbf", 3) != 0)
		rewind(csv->file);
	*out = csv;
	return 0;
}

void cn_csv_free(cn_csv *csv)
{
	if (!csv)
		return;
	if (csv->file)
		fclose(csv->file);
	cn_text_free(&csv->text);
	cn_free(csv->fields);
	cn_free(csv->path);
	cn_free(csv);
}

static int bad_line(const cn_csv *csv, size_t line, const char *what)
{
	return cn_fail(CAIRN_EFORMAT, "%s:%zu: %s", csv->path, line, what);
}

static int add_char(cn_csv *csv, int c)
{
	char byte = (char)c;

	if (csv->text.length >= CN_CSV_MAX_LINE)
		return cn_fail(CAIRN_EFORMAT, "%s:%zu: a line of more than %u bytes; is a quote missing?", csv->path,
			       csv->record, CN_CSV_MAX_LINE);
	return cn_text_add_bytes(&csv->text, &byte, 1);
}

/* @return the next byte, with CR LF as one '\n'; EOF at the end; below EOF a status */
static int next_char(cn_csv *csv, int quoted)
{
	int c = getc_unlocked(csv->file);

	if (c == EOF && ferror(csv->file)) {
		cn_fail_errno("%s:%zu: reading", csv->path, csv->line);
		return CAIRN_EIO + EOF;
	}
	if (c == '\0') {
		bad_line(csv, csv->line, "a NUL byte; is this a text file?");
		return CAIRN_EFORMAT + EOF;
	}
	if (c == '\r' && !quoted) {
		c = getc_unlocked(csv->file);
		if (c != '\n' && c != EOF) {
			bad_line(csv, csv->line,
				 "a carriage return without a line feed; save with LF or CRLF line ends");
			return CAIRN_EFORMAT + EOF;
		}
		c = '\n';
	}
	return c;
}

/* Read behind the opening quote up to the closing one. */
static int read_quoted(cn_csv *csv)
{
	size_t opened = csv->line;

	for (;;) {
		int c = next_char(csv, 1);

		if (c < EOF)
			return c - EOF;
		if (c == EOF)
			return bad_line(csv, opened, "a quoted field is not closed");
		if (c == '"') {
			int after = getc_unlocked(csv->file);

			if (after != '"') {
				if (after != EOF)
					ungetc(after, csv->file);
				return 0;
			}
		}
		csv->line += c == '\n';
		CN_TRY(add_char(csv, c));
	}
}

/* Read one field and its NUL. @param[out] end ',' or '\n' or EOF, whatever ended it */
static int read_field(cn_csv *csv, int *end)
{
	int c = next_char(csv, 0), quoted = c == '"';

	if (quoted) {
		CN_TRY(read_quoted(csv));
		c = next_char(csv, 0);
	}
	for (; c >= 0 && c != ',' && c != '\n'; c = next_char(csv, 0)) {
		if (quoted)
			return bad_line(csv, csv->line, "text after a closing quote; double the quotes inside a field");
		if (c == '"')
			return bad_line(csv, csv->line,
					"a quote inside an unquoted field; quote the field and double it");
		CN_TRY(add_char(csv, c));
	}
	if (c < EOF)
		return c - EOF;
	*end = c;
	return add_char(csv, '\0');
}

static int point_to_fields(cn_csv *csv, size_t count)
{
	const char *at = csv->text.data;

	if (count > csv->capacity) {
		const char **grown = cn_realloc(csv->fields, count, sizeof(*grown));

		if (!grown)
			return CAIRN_ENOMEM;
		csv->fields = grown;
		csv->capacity = count;
	}
	for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
		csv->fields[i] = at;
	return 0;
}

/* Pass over empty lines. @return 1 at the first byte of a record, 0 at the end of the file, or a status */
static int find_record(cn_csv *csv)
{
	int c = next_char(csv, 0);

	for (; c == '\n'; c = next_char(csv, 0))
		csv->line++;
	if (c == EOF)
		return 0;
	if (c < EOF)
		return c - EOF;
	ungetc(c, csv->file);
	return 1;
}

int cn_csv_next(cn_csv *csv, const char *const **fields)
{
	size_t count = 0;
	int end = EOF, status = find_record(csv);

	*fields = NULL;
	csv->record = csv->line;
	csv->text.length = 0;
	if (status <= 0)
		return status;
	do {
		CN_TRY(read_field(csv, &end));
		count++;
	} while (end == ',');
	csv->line += end == '\n';
	CN_TRY(point_to_fields(csv, count));
	*fields = csv->fields;
	return (int)count;
}

size_t cn_csv_line(const cn_csv *csv)
{
	return csv->record;
}

int cn_csv_add(cn_text *out, const char *value)
{
	if (!value)
		return 0;
	if (!value[strcspn(value, ",\"\r\n")])
		return cn_text_add(out, value);
	CN_TRY(cn_text_add(out, "\""));
	for (; *value; value++)
		CN_TRY(cn_text_add_bytes(out, *value == '"' ? "\"\"" : value, *value == '"' ? 2 : 1));
	return cn_text_add(out, "\"");
}

/*
 * Which images of a collection are wanted.
 */
#include "filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "say.h"
#include "text.h"

#define LONGEST_LINE    255
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

int is_filter_given(const struct filter_arguments *arguments)
{
	return arguments->labels.count || arguments->ids || arguments->where.count;
}

/* A line without the blanks around it. */
static char *trimmed(char *line)
{
	line += strspn(line, " \t");
	size_t length = strlen(line);
	while (length && strchr(" \t\r", line[length - 1]))
		line[--length] = '\0';
	return line;
}

/* A file of other contents may have lines without end. @param[out] line LONGEST_LINE + 1 bytes. @return its length, -1
 * at the end of the file */
static int read_line(FILE *file, char *line)
{
	int length = 0, c;
	while ((c = getc(file)) != EOF && c != '\n' && length < LONGEST_LINE)
		line[length++] = (char)c;
	line[length] = '\0';
	return c == EOF && !length ? -1 : length;
}

static void skip_byte_order_mark(char *line, int *length)
{
	if (strncmp(line, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) != 0)
		return;
	*length -= (int)strlen(BYTE_ORDER_MARK);
	memmove(line, line + strlen(BYTE_ORDER_MARK), (size_t)*length + 1);
}

static int read_lines(FILE *file, const char *name, int64_t **ids, size_t *count)
{
	char line[LONGEST_LINE + 1];
	size_t number = 0, capacity = 64;
	int length;
	*ids = need(capacity, sizeof(**ids));
	*count = 0;
	while ((length = read_line(file, line)) >= 0) {
		uint64_t id;
		if (!number++)
			skip_byte_order_mark(line, &length);
		int whole = strlen(line) == (size_t)length && length < LONGEST_LINE;
		const char *text = trimmed(line);
		if (whole && !*text)
			continue;
		if (!whole || !parse_whole(text, 1, INT64_MAX, &id)) {
			say_error("%s:%zu: '%.40s'%s is no id, a whole number from 1 on", name, number, text,
				  length == LONGEST_LINE ? "..."
				  : whole                ? ""
							 : " and a NUL byte");
			return EXIT_INPUT;
		}
		if (*count == capacity) {
			capacity *= 2;
			*ids = need_more(*ids, capacity, sizeof(**ids));
		}
		(*ids)[(*count)++] = (int64_t)id;
	}
	return EXIT_DONE;
}

static int read_ids(const char *path, int64_t **ids, size_t *count)
{
	int is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "r");
	if (!file) {
		say_error("--ids %s cannot be read: %s", path, strerror(errno));
		return EXIT_INPUT;
	}
	errno = 0;
	int code = read_lines(file, is_stdin ? "stdin" : path, ids, count);
	if (code == EXIT_DONE && ferror(file)) {
		say_error("--ids %s cannot be read: %s", path, strerror(errno));
		code = EXIT_INPUT;
	}
	if (!is_stdin)
		fclose(file);
	return code;
}

int read_filter(const struct filter_arguments *arguments, struct filter *out)
{
	*out = (struct filter){ .filter = CAIRN_FILTER_INIT };
	if (arguments->labels.count) {
		out->filter.labels = arguments->labels.items;
		out->filter.label_count = arguments->labels.count;
	}
	out->filter.where = arguments->where.items;
	out->filter.where_count = arguments->where.count;
	if (!arguments->ids)
		return EXIT_DONE;
	int code = read_ids(arguments->ids, &out->ids, &out->filter.id_count);
	out->filter.ids = out->ids;
	return code;
}

void free_filter(struct filter *filter)
{
	free(filter->ids);
}

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

int is_filter_given(const struct filter_arguments *arguments)
{
	return arguments->labels.count || arguments->ids || arguments->where;
}

/* A line without what ends it. */
static char *trimmed(char *line)
{
	line += strspn(line, " \t");
	size_t length = strlen(line);
	while (length && strchr(" \t\r\n", line[length - 1]))
		line[--length] = '\0';
	return line;
}

static int read_lines(FILE *file, const char *name, int64_t **ids, size_t *count)
{
	char *line = NULL;
	size_t size = 0, number = 0, capacity = 64;
	int code = EXIT_DONE;
	*ids = need(capacity, sizeof(**ids));
	*count = 0;
	while (code == EXIT_DONE && getline(&line, &size, file) >= 0) {
		uint64_t id;
		const char *text = trimmed(line);
		number++;
		if (!*text)
			continue;
		if (*count == capacity) {
			capacity *= 2;
			*ids = need_more(*ids, capacity, sizeof(**ids));
		}
		if (parse_whole(text, 1, INT64_MAX, &id)) {
			(*ids)[(*count)++] = (int64_t)id;
		} else {
			say_error("%s:%zu: '%.40s' is no id, a whole number from 1 on", name, number, text);
			code = EXIT_INPUT;
		}
	}
	free(line);
	return code;
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

int read_filter(const struct filter_arguments *arguments, cairn_filter *out, int64_t **ids)
{
	static const cairn_filter everything = CAIRN_FILTER_INIT;
	*out = everything;
	*ids = NULL;
	if (arguments->labels.count) {
		out->labels = arguments->labels.items;
		out->label_count = arguments->labels.count;
	}
	out->where = arguments->where;
	if (!arguments->ids)
		return EXIT_DONE;
	int code = read_ids(arguments->ids, ids, &out->id_count);
	out->ids = *ids;
	return code;
}

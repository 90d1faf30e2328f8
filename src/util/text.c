/*
 * Growing text, paths and UTF-8.
 */
#include "util/text.h"
#include "util/utf8.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/memory.h"

/* Room for `more` bytes and a NUL; doubling keeps appending linear. */
static int reserve(cn_text *text, size_t more)
{
	size_t needed, capacity;
	char *data;

	CN_TRY(cn_size_add(text->length, more, &needed));
	CN_TRY(cn_size_add(needed, 1, &needed));
	if (needed <= text->capacity)
		return 0;
	capacity = text->capacity > SIZE_MAX / 2 ? needed : 2 * text->capacity;
	if (capacity < needed)
		capacity = needed;
	if (capacity < 64)
		capacity = 64;
	data = cn_realloc(text->data, capacity, 1);
	if (!data)
		return CAIRN_ENOMEM;
	text->data = data;
	text->capacity = capacity;
	return 0;
}

int cn_text_add_bytes(cn_text *text, const void *bytes, size_t length)
{
	CN_TRY(reserve(text, length));
	if (length)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
	return 0;
}

int cn_text_add(cn_text *text, const char *more)
{
	return cn_text_add_bytes(text, more, strlen(more));
}

static int add_arguments(cn_text *text, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

static int add_arguments(cn_text *text, const char *format, va_list arguments)
{
	va_list again;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		return cn_fail(CAIRN_EINVALID, "a text could not be formatted by \"%s\"", format);
	CN_TRY(reserve(text, (size_t)length));
	vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
	text->length += (size_t)length;
	return 0;
}

int cn_text_addf(cn_text *text, const char *format, ...)
{
	va_list arguments;
	int status;

	va_start(arguments, format);
	status = add_arguments(text, format, arguments);
	va_end(arguments);
	return status;
}

void cn_text_free(cn_text *text)
{
	cn_free(text->data);
	*text = (cn_text)CN_TEXT_INIT;
}

char *cn_textf(const char *format, ...)
{
	cn_text text = CN_TEXT_INIT;
	va_list arguments;
	int status;

	va_start(arguments, format);
	status = add_arguments(&text, format, arguments);
	va_end(arguments);
	if (status < 0)
		cn_text_free(&text);
	return text.data;
}

char *cn_path_join(const char *folder, const char *name)
{
	size_t length = strlen(folder);

	return cn_textf("%s%s%s", folder, length && folder[length - 1] != '/' ? "/" : "", name);
}

const char *cn_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What ".." leads to: behind a link it is the folder above the link's target, as it is for every other program. */
static int go_up(cn_text *text)
{
	struct stat info;
	char real[PATH_MAX];

	if (!text->length)
		return 0;
	if (lstat(text->data, &info) == 0 && S_ISLNK(info.st_mode) && realpath(text->data, real)) {
		text->length = 0;
		CN_TRY(cn_text_add(text, real));
	}
	while (text->length && text->data[--text->length] != '/')
		;
	text->data[text->length] = '\0';
	return 0;
}

/* Append the components of `path` to an absolute path that has no slash at its end ("" is the root). */
static int add_components(cn_text *text, const char *path)
{
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && memcmp(path, "..", 2) == 0) {
			CN_TRY(go_up(text));
		} else if (length && !(length == 1 && path[0] == '.')) {
			CN_TRY(cn_text_add(text, "/"));
			CN_TRY(cn_text_add_bytes(text, path, length));
		}
		path += length + (path[length] == '/');
	}
	return 0;
}

int cn_path_absolute(char **out, const char *path)
{
	cn_text text = CN_TEXT_INIT;
	char here[PATH_MAX];
	int status;

	*out = NULL;
	if (!path[0])
		return cn_fail(CAIRN_EINVALID, "a path is empty");
	if (path[0] != '/') {
		if (!getcwd(here, sizeof(here)))
			return errno == ERANGE ? cn_fail(CAIRN_EIO,
							 "the path of the current folder has more than %d bytes; work "
							 "from a folder higher up",
							 PATH_MAX - 1)
					       : cn_fail_errno("the current folder");
		CN_GOTO(status, add_components(&text, here));
	}
	CN_GOTO(status, add_components(&text, path));
	if (text.length == 0)
		CN_GOTO(status, cn_text_add(&text, "/"));
	*out = text.data;
	return 0;
done:
	cn_text_free(&text);
	return status;
}

static const char *html_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

int cn_text_add_html(cn_text *text, const char *value)
{
	size_t length = strlen(value);

	for (size_t i = 0; i < length;) {
		size_t step = cn_utf8_step(value + i, length - i);
		const char *entity = html_entity(value[i]);

		if (step == 0)
			CN_TRY(cn_text_add(text, "\xef\xbf\xbd"));
		else if (entity)
			CN_TRY(cn_text_add(text, entity));
		else
			CN_TRY(cn_text_add_bytes(text, value + i, step));
		i += step ? step : 1;
	}
	return 0;
}

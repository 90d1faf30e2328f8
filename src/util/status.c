/*
 * The text of the last error, one buffer a thread, so that failing never needs memory.
 */
#include "util/status.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"
#include "util/utf8.h"

/* Room for a path of the longest kind and what is said about it. */
#define FORMATTED_SIZE (PATH_MAX + CN_ERROR_SIZE)
/* The longest form of a byte: "\xff". */
#define ESCAPE_SIZE 4
#define GAP         " ... "

static _Thread_local char last_error[CN_ERROR_SIZE];

/* U+0080 to U+009F are control characters too. */
static int is_printable(const unsigned char *bytes, size_t step)
{
	return step == 1 ? *bytes >= 0x20 && *bytes != 0x7f
			 : step > 2 || (step == 2 && (*bytes > 0xc2 || bytes[1] >= 0xa0));
}

static size_t escape(char *out, unsigned char byte)
{
	static const char named[] = "\n\t\r", letters[] = "ntr";
	const char *found = byte ? strchr(named, byte) : NULL;

	return (size_t)(found ? snprintf(out, ESCAPE_SIZE + 1, "\\%c", letters[found - named])
			      : snprintf(out, ESCAPE_SIZE + 1, "\\x%02x", byte));
}

/* The text goes to terminals, logs and JSON: one line, and UTF-8 even where a file's name is not. */
static size_t make_printable(char *out, const char *text)
{
	size_t length = strlen(text), used = 0;

	for (size_t i = 0; i < length;) {
		size_t step = cn_utf8_step(text + i, length - i);

		if (is_printable((const unsigned char *)text + i, step)) {
			memcpy(out + used, text + i, step);
			used += step;
		} else {
			step += step == 0;
			for (size_t k = 0; k < step; k++)
				used += escape(out + used, (unsigned char)text[i + k]);
		}
		i += step;
	}
	out[used] = '\0';
	return used;
}

static int is_inside_character(char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Of a text that is too long the middle is left out: a path's beginning tells least, the reason stands at the end. */
static void set_text(const char *text)
{
	char printable[ESCAPE_SIZE * FORMATTED_SIZE];
	size_t length = make_printable(printable, text), head = sizeof(last_error) / 2, tail;

	if (length < sizeof(last_error)) {
		memcpy(last_error, printable, length + 1);
		return;
	}
	tail = length - (sizeof(last_error) - sizeof(GAP) - head);
	while (is_inside_character(printable[head]))
		head--;
	while (is_inside_character(printable[tail]))
		tail++;
	snprintf(last_error, sizeof(last_error), "%.*s" GAP "%s", (int)head, printable, printable + tail);
}

/* What a caller reports as a failure must never look like success. */
static int failure(int code)
{
	return code < 0 ? code : CAIRN_EBACKEND;
}

int(cn_fail)(int code, const char *format, ...)
{
	char text[FORMATTED_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	set_text(text);
	return failure(code);
}

int(cn_fail_errno)(const char *format, ...)
{
	char text[FORMATTED_SIZE], reason[256];
	va_list arguments;
	int error = errno;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* The GNU form, which may answer with a text of its own and leave the buffer alone. */
	return cn_fail(cn_errno_status(error), "%s: %s", text, strerror_r(error, reason, sizeof(reason)));
}

int cn_errno_status(int error)
{
	switch (error) {
	case ENOENT:
		return CAIRN_ENOTFOUND;
	case ENOSPC:
	case EDQUOT:
		return CAIRN_ENOSPACE;
	case ENOMEM:
		return CAIRN_ENOMEM;
	default:
		return CAIRN_EIO;
	}
}

int(cn_fail_context)(int code, const char *format, ...)
{
	char text[FORMATTED_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return cn_fail(code, "%s: %s", text, last_error);
}

void cn_error_save(char *text, size_t size)
{
	snprintf(text, size, "%s", last_error);
}

void cn_error_restore(const char *text)
{
	set_text(text);
}

const char *cairn_last_error(void)
{
	return last_error;
}

const char *cairn_status_name(int status)
{
	static const char *const names[] = {
		"CAIRN_OK",           "CAIRN_EINVALID", "CAIRN_ENOMEM",     "CAIRN_EIO",      "CAIRN_ENOTFOUND",
		"CAIRN_EFORMAT",      "CAIRN_EDAMAGED", "CAIRN_ECANCELLED", "CAIRN_EEXISTS",  "CAIRN_ELIMIT",
		"CAIRN_EUNSUPPORTED", "CAIRN_EBUSY",    "CAIRN_ENOSPACE",   "CAIRN_EBACKEND",
	};

	if (status >= 0)
		return names[0];
	if (status <= -(int)(sizeof(names) / sizeof(names[0])))
		return "unknown status";
	return names[-status];
}

const char *cairn_version(void)
{
	return CAIRN_VERSION;
}

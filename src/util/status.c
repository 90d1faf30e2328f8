/*
 * The text of the last error, one buffer a thread, so that failing never needs memory.
 */
#include "util/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

/* A formatted text is a little longer than what is kept, so that the cut never leaves part of a character. */
#define FORMATTED_SIZE (CN_ERROR_SIZE + 8)

static _Thread_local char last_error[CN_ERROR_SIZE];

/* The text goes to terminals, logs and JSON: one line, and UTF-8 even where a file's name is not. */
static void set_text(const char *text)
{
	size_t length = strlen(text), out = 0;

	for (size_t i = 0; i < length;) {
		size_t step = cn_utf8_step(text + i, length - i);

		if (out + (step ? step : 1) >= sizeof(last_error))
			break;
		if (step == 0) {
			last_error[out++] = '?';
			i++;
			continue;
		}
		memcpy(last_error + out, text + i, step);
		if ((unsigned char)last_error[out] < 0x20 || last_error[out] == 0x7f)
			last_error[out] = ' ';
		out += step;
		i += step;
	}
	last_error[out] = '\0';
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

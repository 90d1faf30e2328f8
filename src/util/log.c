/*
 * Messages to the host's callback. It is set before work starts, so reading it needs no lock.
 */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>

static cairn_log_cb log_callback;
static void *log_payload;

void cairn_set_log(cairn_log_cb callback, void *payload)
{
	log_callback = callback;
	log_payload = payload;
}

void cn_log(cairn_log_level level, const char *format, ...)
{
	char message[2048];
	va_list arguments;

	if (!log_callback)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	for (char *c = message; *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	log_callback(level, message, log_payload);
}

/*
 * Messages. One lock keeps the lines of several threads apart and the status line below them.
 */
#include "say.h"

#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cairn/error.h"
#include "exit_code.h"
#include "text.h"

static struct {
	pthread_mutex_t mutex;
	enum loudness loudness;
	int terminal, colour, utf8;
	char *status; /* shown now; NULL: none */
} state = { .mutex = PTHREAD_MUTEX_INITIALIZER, .loudness = NORMAL };

static void take_log(cairn_log_level level, const char *message, void *payload)
{
	(void)payload;
	if (level == CAIRN_LOG_WARNING)
		say_warning("%s", message);
	else
		say_detail("%s", message);
}

void say_start(enum loudness loudness)
{
	const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
	setlocale(LC_CTYPE, "");
	state.loudness = loudness;
	state.terminal = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
	state.colour = state.terminal && !(no_colour && *no_colour);
	state.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	cairn_set_log(take_log, NULL);
}

int has_status_line(void)
{
	return state.terminal && state.loudness != QUIET;
}

int has_colour(void)
{
	return state.colour;
}

int has_utf8(void)
{
	return state.utf8;
}

int is_quiet(void)
{
	return state.loudness == QUIET;
}

unsigned terminal_width(void)
{
	struct winsize size;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

__attribute__((format(printf, 2, 0))) static void print_line(const char *prefix, const char *format, va_list list)
{
	char *text, *shown;
	if (vasprintf(&text, format, list) < 0)
		return;
	shown = visible(text);
	pthread_mutex_lock(&state.mutex);
	fprintf(stderr, "%s%s%s\n", state.status ? "\r\033[K" : "", prefix, shown);
	if (state.status)
		fputs(state.status, stderr);
	fflush(stderr);
	pthread_mutex_unlock(&state.mutex);
	free(shown);
	free(text);
}

#define PRINT(prefix)                                                                                                  \
	do {                                                                                                           \
		va_list list;                                                                                          \
		va_start(list, format);                                                                                \
		print_line(prefix, format, list);                                                                      \
		va_end(list);                                                                                          \
	} while (0)

void say(const char *format, ...)
{
	if (state.loudness != QUIET)
		PRINT("");
}

void say_detail(const char *format, ...)
{
	if (state.loudness == VERBOSE)
		PRINT("");
}

void say_error(const char *format, ...)
{
	PRINT("cairn: ");
}

void say_warning(const char *format, ...)
{
	if (state.loudness != QUIET)
		PRINT("cairn: warning: ");
}

int say_failure(int status)
{
	const char *text = cairn_last_error();
	say_error("%s", *text ? text : cairn_status_name(status));
	return exit_code(status);
}

void status_line(const char *line)
{
	pthread_mutex_lock(&state.mutex);
	if (line)
		fprintf(stderr, "\r%s\033[K", line);
	else if (state.status)
		fputs("\r\033[K", stderr);
	fflush(stderr);
	free(state.status);
	state.status = line ? strdup(line) : NULL;
	pthread_mutex_unlock(&state.mutex);
}

void clear_for_output(void)
{
	if (isatty(STDOUT_FILENO))
		status_line(NULL);
}

/*
 * Memory and text for the command.
 */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "exit_code.h"

void out_of_memory(void)
{
	fputs("cairn: out of memory\n", stderr);
	_Exit(EXIT_INPUT);
}

static void *must(void *memory)
{
	if (!memory)
		out_of_memory();
	return memory;
}

void *need(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size));
}

void *need_more(void *old, size_t count, size_t size)
{
	return must(reallocarray(old, count ? count : 1, size));
}

char *need_text(const char *format, ...)
{
	va_list list;
	char *text;
	va_start(list, format);
	int length = vasprintf(&text, format, list);
	va_end(list);
	if (length < 0)
		out_of_memory();
	return text;
}

/* Bytes of the UTF-8 sequence at `s`, 0 where there is none (RFC 3629: no surrogates, nothing overlong). */
static size_t utf8_length(const unsigned char *s)
{
	size_t length = *s < 0x80                 ? 1
			: *s >= 0xc2 && *s < 0xe0 ? 2
			: (*s & 0xf0) == 0xe0     ? 3
			: *s >= 0xf0 && *s < 0xf5 ? 4
						  : 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] >= 0xa0) || (*s == 0xf0 && s[1] < 0x90) ||
	    (*s == 0xf4 && s[1] >= 0x90))
		return 0;
	return length;
}

char *clean_utf8(const char *text, int *changed)
{
	const unsigned char *from = (const unsigned char *)text;
	char *out = need(3 * strlen(text) + 1, 1), *to = out;
	int faults = 0;
	while (*from) {
		size_t length = utf8_length(from);
		const void *bytes = length ? (const char *)from : "\xef\xbf\xbd";
		faults |= length == 0;
		memcpy(to, bytes, length ? length : 3);
		to += length ? length : 3;
		from += length ? length : 1;
	}
	if (changed)
		*changed = faults;
	return out;
}

static int escape(char *to, unsigned char c)
{
	if (c == '\n' || c == '\t' || c == '\r')
		return snprintf(to, 5, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
	return snprintf(to, 5, "\\x%02x", c);
}

/* Of two or three bytes: U+0080 to U+009F, and what turns the direction of writing (U+061C, U+200E, U+200F, U+202A to
 * U+202E, U+2066 to U+2069). */
static int is_control(const unsigned char *c, size_t length)
{
	if (length == 2)
		return (c[0] == 0xc2 && c[1] < 0xa0) || (c[0] == 0xd8 && c[1] == 0x9c);
	if (length != 3 || c[0] != 0xe2)
		return 0;
	return (c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xaa && c[2] <= 0xae))) ||
	       (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

char *visible(const char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	char *out = need(4 * strlen(text) + 5, 1), *to = out;
	while (*from) {
		size_t length = utf8_length(from);
		int control = length == 1 ? iscntrl(*from) : is_control(from, length);
		if (length && !control) {
			memcpy(to, from, length);
			to += length;
		} else {
			length = length ? length : 1;
			for (size_t i = 0; i < length; i++)
				to += escape(to, from[i]);
		}
		from += length;
	}
	*to = '\0';
	return out;
}

char *shell_word(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-,:@%";
	const char *front = *path == '-' ? "./" : "";
	if (!path[strspn(path, plain)])
		return need_text("%s%s", front, path);
	char *out = need(4 * strlen(path) + 5, 1), *to = out;
	*to++ = '\'';
	to = stpcpy(to, front);
	for (; *path; path++) {
		/* A quote cannot stand between quotes: 'it'\''s'. */
		if (*path == '\'')
			to = stpcpy(to, "'\\'");
		*to++ = *path;
	}
	*to++ = '\'';
	return out;
}

int parse_whole(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	if (!*text || text[strspn(text, "0123456789")])
		return 0;
	errno = 0;
	unsigned long long value = strtoull(text, NULL, 10);
	if (errno || value < least || value > most)
		return 0;
	*out = value;
	return 1;
}

int parse_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *rest = text + digits, *unit = *rest ? strchr(units, toupper((unsigned char)*rest)) : NULL;
	uint64_t value;
	rest += unit != NULL;
	if (*rest && strcasecmp(rest, "B") != 0 && (!unit || strcasecmp(rest, "iB") != 0))
		return 0;
	char *number = need_text("%.*s", (int)digits, text);
	int good = parse_whole(number, 0, UINT64_MAX, &value);
	free(number);
	if (!good || (unit && __builtin_mul_overflow(value, (uint64_t)1 << 10 * (unit - units + 1), &value)))
		return 0;
	*out = value;
	return value >= least && value <= most;
}

int parse_real(const char *text, double least, double most, double *out)
{
	char *end;
	if (!*text || text[strspn(text, "0123456789.+-eE")])
		return 0;
	double value = strtod(text, &end);
	if (*end || end == text || !isfinite(value) || value < least || value > most)
		return 0;
	*out = value;
	return 1;
}

/* Damerau's distance with transpositions of neighbours; texts longer than the table are far from everything. */
#define LONGEST 40

static size_t least_of(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

static size_t distance(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b), d[LONGEST + 1][LONGEST + 1];
	if (m > LONGEST || n > LONGEST)
		return LONGEST;
	for (size_t i = 0; i <= m; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= n; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= m; i++)
		for (size_t j = 1; j <= n; j++) {
			d[i][j] = least_of(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	return d[m][n];
}

const char *closest(const char *text, const char *const *candidates)
{
	size_t length = strlen(text), best = length < 3 ? 2 : length / 3 + 2;
	const char *found = NULL;
	for (; *candidates; candidates++) {
		size_t far = distance(text, *candidates);
		/* A beginning is a strong hint, however much is missing. */
		if (length >= 2 && strncmp(text, *candidates, length) == 0)
			far = 1;
		if (far < best) {
			best = far;
			found = *candidates;
		}
	}
	return found;
}

char *join_path(const char *folder, const char *name)
{
	size_t length = strlen(folder);
	return need_text("%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
}

double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/*
 * Data on stdout. What could not be written (a full disk, a closed pipe) must not look like a success.
 */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_code.h"
#include "say.h"
#include "text.h"

/* Digits of a number: what a float holds. */
#define DIGITS 7

/* Why stdout failed first (0 if that is unknown), and whether it was told. */
static int reason, told;

void output_start(void)
{
	static char buffer[1 << 16];
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
}

void output_flush(void)
{
	errno = 0;
	if (fflush(stdout) != 0 && !reason)
		reason = errno;
}

int output_end(int code)
{
	output_flush();
	if (!ferror(stdout))
		return code;
	/* Who reads has seen enough, as `| head` does. */
	if (reason != EPIPE && !told++)
		say_error("cannot write to standard output%s%s", reason ? ": " : "", reason ? strerror(reason) : "");
	return EXIT_INPUT;
}

/* jansson fails only where memory is short: the texts that it gets are clean. */
static json_t *must(json_t *value)
{
	if (!value)
		out_of_memory();
	return value;
}

void set_member(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, must(value)) != 0)
		out_of_memory();
}

void add_item(json_t *array, json_t *value)
{
	if (json_array_append_new(array, must(value)) != 0)
		out_of_memory();
}

json_t *number_json(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_t *text_json(const char *value)
{
	if (!value)
		return json_null();
	char *clean = clean_utf8(value, NULL);
	json_t *out = json_string(clean);
	free(clean);
	return out;
}

static char *hexadecimal(const char *bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *out = need(2 * strlen(bytes) + 1, 1), *to = out;
	for (; *bytes; bytes++) {
		*to++ = digits[(unsigned char)*bytes >> 4];
		*to++ = digits[(unsigned char)*bytes & 15];
	}
	return out;
}

void set_bytes(json_t *object, const char *key, const char *text)
{
	int changed = 0;
	char *clean = text ? clean_utf8(text, &changed) : NULL;
	set_member(object, key, clean ? json_string(clean) : json_null());
	free(clean);
	if (!changed)
		return;
	char *bytes_key = need_text("%s_bytes", key), *bytes = hexadecimal(text);
	set_member(object, bytes_key, json_string(bytes));
	free(bytes);
	free(bytes_key);
}

json_t *box_json(cairn_box box)
{
	json_t *array = must(json_array());
	add_item(array, number_json(box.x0));
	add_item(array, number_json(box.y0));
	add_item(array, number_json(box.x1));
	add_item(array, number_json(box.y1));
	return array;
}

int print_json(json_t *root)
{
	/* Failure shows in stdout's error mark. */
	json_dumpf(must(root), stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
	putchar('\n');
	json_decref(root);
	return output_end(EXIT_DONE);
}

void csv_field(FILE *file, const char *value)
{
	if (!value)
		return;
	if (!value[strcspn(value, ",\"\r\n")]) {
		fputs(value, file);
		return;
	}
	putc('"', file);
	for (; *value; value++) {
		if (*value == '"')
			putc('"', file);
		putc(*value, file);
	}
	putc('"', file);
}

void format_bytes(char *out, size_t size, double bytes)
{
	static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
	size_t unit = 0;
	while (bytes >= 999.5 && unit + 1 < sizeof(units) / sizeof(*units)) {
		bytes /= 1000;
		unit++;
	}
	snprintf(out, size, "%.*f %s", unit && bytes < 99.95 ? 1 : 0, bytes, units[unit]);
}

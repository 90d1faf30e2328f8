/*
 * util/text.h - growing text, paths, UTF-8.
 */
#ifndef CN_UTIL_TEXT_H
#define CN_UTIL_TEXT_H

#include <stddef.h>

#include "util/status.h"

/** Growing text; start with CN_TEXT_INIT. `data` is NUL-terminated once anything was added, NULL before. */
typedef struct {
	char *data;
	size_t length, capacity;
} cn_text;

#define CN_TEXT_INIT                                                                                                   \
	{                                                                                                              \
		NULL, 0, 0                                                                                             \
	}

int cn_text_add(cn_text *text, const char *more);
int cn_text_add_bytes(cn_text *text, const void *bytes, size_t length);
int cn_text_addf(cn_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cn_text_free(cn_text *text);

/** New text from a format; caller frees with cn_free(); NULL where memory is short (error text set). */
char *cn_textf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** "a/b"; no double slash where `folder` ends with one. Caller frees; NULL where memory is short. */
char *cn_path_join(const char *folder, const char *name);

/** The part after the last '/'; borrowed. */
const char *cn_path_base(const char *path);

/** Absolute, without "." and "..", links not resolved unless ".." follows them; the file need not exist. Caller frees.
 */
int cn_path_absolute(char **out, const char *path);

/** Append with & < > " ' escaped for HTML; bytes that are not UTF-8 become U+FFFD. */
int cn_text_add_html(cn_text *text, const char *value);

#endif

/*
 * util/utf8.h - is it UTF-8?
 */
#ifndef CN_UTIL_UTF8_H
#define CN_UTIL_UTF8_H

#include <stddef.h>

/** 1 if the bytes are well-formed UTF-8 (no surrogates, no overlong forms), otherwise 0. */
int cn_utf8_valid(const char *bytes, size_t length);

/** Length of the well-formed UTF-8 sequence that `bytes` begins with, 0 if there is none. */
size_t cn_utf8_step(const char *bytes, size_t length);

#endif

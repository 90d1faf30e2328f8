/*
 * util/csv.h - CSV by RFC 4180: commas, quotes doubled inside quotes, LF or CRLF, an UTF-8 byte order mark skipped.
 */
#ifndef CN_UTIL_CSV_H
#define CN_UTIL_CSV_H

#include <stddef.h>

#include "util/text.h"

typedef struct cn_csv cn_csv;

/** Longest line accepted, in bytes. */
#define CN_CSV_MAX_LINE (16u << 20)

int cn_csv_open(cn_csv **out, const char *path);
void cn_csv_free(cn_csv *csv);

/**
 * Read one record. Empty lines are passed over.
 *
 * @param[out] fields borrowed until the next call
 * @return number of fields, 0 at the end of the file, or CAIRN_EFORMAT with "file:line: what"
 */
int cn_csv_next(cn_csv *csv, const char *const **fields);

/** Line number of the last record, from 1. */
size_t cn_csv_line(const cn_csv *csv);

/** Append a field, quoted where it must be. @param value NULL: an empty one */
int cn_csv_add(cn_text *out, const char *value);

#endif

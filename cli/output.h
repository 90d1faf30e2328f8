/*
 * cli/output.h - data on stdout: JSON, CSV, text for people.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "cairn/image.h"

/** Before anything is printed: room for what is printed between two output_flush(), for why a write fails is known
 * there only. */
void output_start(void);

/** Bring data that was printed above messages that follow. */
void output_flush(void);

/** Whether everything arrived; says once where it did not. @return `code`, or EXIT_INPUT */
int output_end(int code);

/** Print a document and free it. Memory that ran short while it was built shows here. @return as output_end(0) */
int print_json(json_t *root);

/** Members that cannot fail silently: each takes the value over. */
void set_member(json_t *object, const char *key, json_t *value);
void add_item(json_t *array, json_t *value);

/** null where the number is not finite */
json_t *number_json(double value);

/** A text that may be NULL (null) or hold bytes that are not UTF-8 (replaced by U+FFFD). */
json_t *text_json(const char *value);

/** What need not be UTF-8, such as a path, under `key`; where it is none, its bytes too, in hexadecimal, under
 * `key`_bytes. NULL becomes null. */
void set_bytes(json_t *object, const char *key, const char *text);

/** [x0, y0, x1, y1] */
json_t *box_json(cairn_box box);

/** One field by RFC 4180; NULL is empty. */
void csv_field(FILE *file, const char *value);

/** "31.2 MB" */
void format_bytes(char *out, size_t size, double bytes);

#endif

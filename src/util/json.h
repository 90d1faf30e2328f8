/*
 * util/json.h - reading JSON files with errors that name file and place (jansson inside).
 *
 * The getters take a `where` text such as "model.json: input" that errors begin with. A missing member is CAIRN_EFORMAT
 * for the cn_json_get_* functions and leaves *out as it is for the cn_json_opt_* ones; a member of the wrong type is
 * always CAIRN_EFORMAT.
 */
#ifndef CN_UTIL_JSON_H
#define CN_UTIL_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "util/text.h"

/** @return 0; CAIRN_EFORMAT with "path:line:column: what" */
int cn_json_read(json_t **out, const char *path);
int cn_json_parse(json_t **out, const char *bytes, size_t length, const char *name);

/** Write indented, atomically. */
int cn_json_write(const char *path, const json_t *value);

/** Append any value as text of this indentation; 0: one line. */
int cn_json_text(cn_text *out, const json_t *value, unsigned indentation);

int cn_json_get_object(const json_t *object, const char *where, const char *key, const json_t **out);
int cn_json_get_array(const json_t *object, const char *where, const char *key, const json_t **out);
int cn_json_get_text(const json_t *object, const char *where, const char *key, const char **out);
int cn_json_get_number(const json_t *object, const char *where, const char *key, double *out);

/** A number from min to max. */
int cn_json_get_real(const json_t *object, const char *where, const char *key, double min, double max, float *out);
int cn_json_get_integer(const json_t *object, const char *where, const char *key, int64_t min, int64_t max,
			int64_t *out);
int cn_json_get_size(const json_t *object, const char *where, const char *key, uint32_t min, uint32_t max,
		     uint32_t *out);

/** One of a few texts. @param words ended by NULL @param[out] out index of the word */
int cn_json_get_choice(const json_t *object, const char *where, const char *key, const char *const *words, int *out);

int cn_json_opt_object(const json_t *object, const char *where, const char *key, const json_t **out);
int cn_json_opt_array(const json_t *object, const char *where, const char *key, const json_t **out);
int cn_json_opt_text(const json_t *object, const char *where, const char *key, const char **out);
int cn_json_opt_integer(const json_t *object, const char *where, const char *key, int64_t min, int64_t max,
			int64_t *out);
int cn_json_opt_size(const json_t *object, const char *where, const char *key, uint32_t min, uint32_t max,
		     uint32_t *out);
int cn_json_opt_bool(const json_t *object, const char *where, const char *key, int *out);

/** A number from min to max. */
int cn_json_opt_real(const json_t *object, const char *where, const char *key, double min, double max, float *out);

/** CAIRN_EFORMAT where the object has a member that is not in `known` (ended by NULL); the text lists those allowed. */
int cn_json_only(const json_t *object, const char *where, const char *const *known);

#endif

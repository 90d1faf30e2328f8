/*
 * JSON by jansson, with errors that say where: file, line and column of a syntax error, path of a member that is
 * missing or of the wrong type.
 */
#include "util/json.h"

#include <string.h>

#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

#define FILE_MAX ((uint64_t)1 << 30)

int cn_json_parse(json_t **out, const char *bytes, size_t length, const char *name)
{
	/* Where memory is short, jansson returns without having set the code. */
	json_error_t error = { .text = { 0 } };

	if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		length -= 3;
	}
	*out = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
	if (*out)
		return 0;
	/* jansson leaves the text empty where an allocation of its own fails. */
	if (json_error_code(&error) == json_error_out_of_memory || !error.text[0])
		return cn_fail(CAIRN_ENOMEM, "%s: out of memory while parsing", name);
	return cn_fail(CAIRN_EFORMAT, "%s:%d:%d: %s", name, error.line, error.column, error.text);
}

int cn_json_read(json_t **out, const char *path)
{
	char *bytes;
	size_t length;
	int status;

	*out = NULL;
	CN_TRY(cn_file_read(path, FILE_MAX, &bytes, &length));
	status = cn_json_parse(out, bytes, length, path);
	cn_free(bytes);
	return status;
}

/** Where a dump goes, and how writing it went. */
typedef struct {
	cn_atomic_file file;
	int status;
} dump_target;

static int dump_some(const char *bytes, size_t length, void *payload)
{
	dump_target *target = payload;

	target->status = cn_atomic_write(&target->file, bytes, length);
	return target->status;
}

int cn_json_write(const char *path, const json_t *value)
{
	dump_target target = { .status = 0 };

	CN_TRY(cn_atomic_open(&target.file, path));
	if (json_dump_callback(value, dump_some, &target, JSON_INDENT(2) | JSON_ENCODE_ANY) != 0) {
		if (target.status == 0)
			target.status = cn_fail(CAIRN_EINVALID, "%s: the value cannot be written as JSON", path);
		goto failed;
	}
	target.status = cn_atomic_write(&target.file, "\n", 1);
	if (target.status < 0)
		goto failed;
	return cn_atomic_commit(&target.file);
failed:
	cn_atomic_abort(&target.file);
	return target.status;
}

static int add_bytes(const char *bytes, size_t length, void *payload)
{
	return cn_text_add_bytes(payload, bytes, length);
}

int cn_json_text(cn_text *out, const json_t *value, unsigned indentation)
{
	if (value && json_dump_callback(value, add_bytes, out,
					(indentation ? JSON_INDENT(indentation) : 0) | JSON_REAL_PRECISION(9) |
						JSON_ENCODE_ANY) == 0)
		return 0;
	return cn_fail(CAIRN_ENOMEM, "out of memory while writing JSON");
}

static const char *kind_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	default:
		return "null";
	}
}

/*
 * Find a member of the given type; JSON_REAL takes integers too and JSON_TRUE stands for both truth values.
 * @param[out] out NULL where it is missing and not required
 */
static int find(const json_t *object, const char *where, const char *key, json_type type, int required,
		const json_t **out)
{
	const json_t *value;

	*out = NULL;
	if (!json_is_object(object))
		return cn_fail(CAIRN_EFORMAT, "%s: must be an object with a member \"%s\"", where, key);
	value = json_object_get(object, key);
	if (!value)
		return required ? cn_fail(CAIRN_EFORMAT, "%s: member \"%s\" is missing", where, key) : 0;
	if (json_typeof(value) != type && !(type == JSON_REAL && json_is_integer(value)) &&
	    !(type == JSON_TRUE && json_is_false(value)))
		return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" must be %s, not %s", where, key, kind_name(type),
			       kind_name(json_typeof(value)));
	*out = value;
	return 0;
}

static int find_integer(const json_t *object, const char *where, const char *key, int64_t min, int64_t max,
			int required, int64_t *out)
{
	const json_t *value;
	json_int_t number;

	CN_TRY(find(object, where, key, JSON_INTEGER, required, &value));
	if (!value)
		return 0;
	number = json_integer_value(value);
	if (number < min || number > max)
		return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" is %lld, but must be from %lld to %lld", where, key,
			       (long long)number, (long long)min, (long long)max);
	*out = number;
	return 0;
}

int cn_json_get_object(const json_t *object, const char *where, const char *key, const json_t **out)
{
	return find(object, where, key, JSON_OBJECT, 1, out);
}

int cn_json_get_array(const json_t *object, const char *where, const char *key, const json_t **out)
{
	return find(object, where, key, JSON_ARRAY, 1, out);
}

int cn_json_get_text(const json_t *object, const char *where, const char *key, const char **out)
{
	const json_t *value;

	CN_TRY(find(object, where, key, JSON_STRING, 1, &value));
	*out = json_string_value(value);
	return 0;
}

int cn_json_get_number(const json_t *object, const char *where, const char *key, double *out)
{
	const json_t *value;

	CN_TRY(find(object, where, key, JSON_REAL, 1, &value));
	*out = json_number_value(value);
	return 0;
}

static int find_real(const json_t *object, const char *where, const char *key, double min, double max, int required,
		     float *out)
{
	const json_t *value;

	CN_TRY(find(object, where, key, JSON_REAL, required, &value));
	if (!value)
		return 0;
	double number = json_number_value(value);
	if (!(number >= min && number <= max))
		return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" is %g, but must be from %g to %g", where, key, number, min,
			       max);
	*out = (float)number;
	return 0;
}

int cn_json_get_real(const json_t *object, const char *where, const char *key, double min, double max, float *out)
{
	return find_real(object, where, key, min, max, 1, out);
}

int cn_json_opt_real(const json_t *object, const char *where, const char *key, double min, double max, float *out)
{
	return find_real(object, where, key, min, max, 0, out);
}

int cn_json_get_integer(const json_t *object, const char *where, const char *key, int64_t min, int64_t max,
			int64_t *out)
{
	return find_integer(object, where, key, min, max, 1, out);
}

int cn_json_get_size(const json_t *object, const char *where, const char *key, uint32_t min, uint32_t max,
		     uint32_t *out)
{
	int64_t value = 0;

	CN_TRY(cn_json_get_integer(object, where, key, min, max, &value));
	*out = (uint32_t)value;
	return 0;
}

int cn_json_opt_size(const json_t *object, const char *where, const char *key, uint32_t min, uint32_t max,
		     uint32_t *out)
{
	int64_t value = *out;

	CN_TRY(cn_json_opt_integer(object, where, key, min, max, &value));
	*out = (uint32_t)value;
	return 0;
}

int cn_json_get_choice(const json_t *object, const char *where, const char *key, const char *const *words, int *out)
{
	const char *text;
	cn_text list = CN_TEXT_INIT;
	int status = 0;

	CN_TRY(cn_json_get_text(object, where, key, &text));
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*out = i;
			goto done;
		}
		CN_GOTO(status, cn_text_addf(&list, "%s\"%s\"", i ? ", " : "", words[i]));
	}
	status = cn_fail(CAIRN_EFORMAT, "%s: \"%s\" is \"%s\"; known are %s", where, key, text, list.data);
done:
	cn_text_free(&list);
	return status;
}

static int find_optional(const json_t *object, const char *where, const char *key, json_type type, const json_t **out)
{
	const json_t *value;

	CN_TRY(find(object, where, key, type, 0, &value));
	if (value)
		*out = value;
	return 0;
}

int cn_json_opt_object(const json_t *object, const char *where, const char *key, const json_t **out)
{
	return find_optional(object, where, key, JSON_OBJECT, out);
}

int cn_json_opt_array(const json_t *object, const char *where, const char *key, const json_t **out)
{
	return find_optional(object, where, key, JSON_ARRAY, out);
}

int cn_json_opt_text(const json_t *object, const char *where, const char *key, const char **out)
{
	const json_t *value = NULL;

	CN_TRY(find_optional(object, where, key, JSON_STRING, &value));
	if (value)
		*out = json_string_value(value);
	return 0;
}

int cn_json_opt_integer(const json_t *object, const char *where, const char *key, int64_t min, int64_t max,
			int64_t *out)
{
	return find_integer(object, where, key, min, max, 0, out);
}

int cn_json_opt_bool(const json_t *object, const char *where, const char *key, int *out)
{
	const json_t *value = NULL;

	CN_TRY(find_optional(object, where, key, JSON_TRUE, &value));
	if (value)
		*out = json_is_true(value);
	return 0;
}

static int fail_unknown(const char *where, const char *key, const char *const *known)
{
	cn_text list = CN_TEXT_INIT;
	int status;

	for (size_t i = 0; known[i]; i++)
		CN_GOTO(status, cn_text_addf(&list, "%s%s", i ? ", " : "", known[i]));
	status = cn_fail(CAIRN_EFORMAT, "%s: unknown member \"%s\"; known are: %s", where, key,
			 list.data ? list.data : "none");
done:
	cn_text_free(&list);
	return status;
}

int cn_json_only(const json_t *object, const char *where, const char *const *known)
{
	/* jansson iterates a const object through a pointer that is not const. */
	json_t *writable = (json_t *)(uintptr_t)object;

	if (!json_is_object(object))
		return cn_fail(CAIRN_EFORMAT, "%s: must be an object", where);
	for (void *at = json_object_iter(writable); at; at = json_object_iter_next(writable, at)) {
		const char *key = json_object_iter_key(at);
		size_t i = 0;

		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i])
			return fail_unknown(where, key, known);
	}
	return 0;
}

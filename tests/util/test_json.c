/* JSON: where errors are, typed members, writing. */
#include <string.h>

#include "support.h"
#include "torture.h"
#include "util/file.h"
#include "util/json.h"
#include "util/memory.h"

static void syntax_errors_have_a_place(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{ "", "name:1:0: " },
		{ "{", "name:1:1: " },
		{ "{\n  \"a\": 1,\n  \"b\": tru\n}", "name:3:10: " },
		{ "{\"a\": 1}\nx", "name:2:1: " },
		{ "{\"a\": 1, \"a\": 2}", "duplicate" },
		{ "{\"a\": 1,}", "name:1:9: " },
		{ "[1, 2", "name:1:5: " },
		{ "\"\xff\"", "unable to decode byte 0xff" },
		{ "\"a\\u0000b\"", "name:1:" },
		{ "1e999999", "name:1:" },
		{ "nope", "name:1:" },
		{ "12", "name:1:" },
	};
	char deep[5000];
	json_t *value;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(cn_json_parse(&value, cases[i].text, strlen(cases[i].text), "name"), CAIRN_EFORMAT,
			     cases[i].part);
		assert_null(value);
	}
	memset(deep, '[', sizeof(deep));
	assert_fails(cn_json_parse(&value, deep, sizeof(deep), "name"), CAIRN_EFORMAT, "depth");
}

static void text_is_one_line_or_indented(void **state)
{
	json_t *value = json_pack("{s:i,s:[f]}", "b", 1, "a", 0.1);
	cn_text line = CN_TEXT_INIT, lines = CN_TEXT_INIT;

	(void)state;
	assert_ok(cn_json_text(&line, value, 0));
	assert_string_equal(line.data, "{\"b\": 1, \"a\": [0.1]}");
	assert_ok(cn_json_text(&lines, value, 2));
	assert_string_equal(lines.data, "{\n  \"b\": 1,\n  \"a\": [\n    0.1\n  ]\n}");
	assert_fails(cn_json_text(&line, NULL, 0), CAIRN_ENOMEM, "JSON");
	cn_text_free(&line);
	assert_ok(cn_json_text(&line, json_array_get(json_object_get(value, "a"), 0), 0));
	assert_string_equal(line.data, "0.1");
	cn_text_free(&line);
	cn_text_free(&lines);
	json_decref(value);
}

static void files_are_read_and_written(void **state)
{
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "a.json");
	static const char marked[] = "\xef\xbb\xbf{\"b\": [1, 2.5, \"caf\xc3\xa9\"], \"a\": null}";
	json_t *value, *again;

	(void)state;
	cn_test_write(path, marked, sizeof(marked) - 1);
	assert_ok(cn_json_read(&value, path));
	assert_ok(cn_json_write(path, value));
	assert_ok(cn_json_read(&again, path));
	assert_true(json_equal(value, again));
	json_decref(again);
	json_decref(value);
	cn_test_write(path, "{\n 1", 4);
	assert_fails(cn_json_read(&value, path), CAIRN_EFORMAT, "a.json:2:2: ");
	assert_fails(cn_json_read(&value, cn_test_path(folder, "none.json")), CAIRN_ENOTFOUND, "none.json");
	value = json_pack("{s:i}", "a", 1);
	assert_fails(cn_json_write("/dev/full", value), CAIRN_ENOSPACE, "/dev/full");
	assert_fails(cn_json_write(cn_test_path(folder, "none/a.json"), value), CAIRN_ENOTFOUND, "none/a.json");
	/* An object within itself has no text. */
	again = json_pack("{s:O}", "outer", value);
	json_object_set(value, "inner", again);
	assert_fails(cn_json_write(path, value), CAIRN_EINVALID, "cannot be written");
	json_object_del(value, "inner");
	json_decref(again);
	json_decref(value);
}

static void what_is_written_is_indented(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "a.json");
	json_t *value = json_pack("{s:i,s:[f]}", "b", 1, "a", 0.5);
	size_t length;
	char *bytes;

	(void)state;
	assert_ok(cn_json_write(path, value));
	assert_ok(cn_file_read(path, 1000, &bytes, &length));
	assert_string_equal(bytes, "{\n  \"b\": 1,\n  \"a\": [\n    0.5\n  ]\n}\n");
	cn_free(bytes);
	json_decref(value);
}

typedef enum { OBJECT, ARRAY, TEXT, NUMBER, INTEGER, BOOL } member_type;

/* Read member `key` as a type; integers must be from -3 to 10. @param[out] found whether the getter set its value */
static int get(const json_t *object, const char *key, member_type type, int optional, int *found)
{
	const json_t *value = NULL;
	const char *text = NULL;
	double number = -99;
	int64_t integer = -99;
	int flag = -99, status;

	switch (type) {
	case OBJECT:
		status = (optional ? cn_json_opt_object : cn_json_get_object)(object, "here", key, &value);
		break;
	case ARRAY:
		status = (optional ? cn_json_opt_array : cn_json_get_array)(object, "here", key, &value);
		break;
	case TEXT:
		status = (optional ? cn_json_opt_text : cn_json_get_text)(object, "here", key, &text);
		break;
	case NUMBER:
		/* There is no optional number. */
		status = cn_json_get_number(object, "here", key, &number);
		break;
	case INTEGER:
		status = (optional ? cn_json_opt_integer : cn_json_get_integer)(object, "here", key, -3, 10, &integer);
		break;
	default:
		status = cn_json_opt_bool(object, "here", key, &flag);
		break;
	}
	*found = value || text || number != -99 || integer != -99 || flag != -99;
	return status;
}

static void members_have_types(void **state)
{
	static const struct {
		const char *key;
		unsigned fits; /* bits by member_type */
	} members[] = {
		{ "object", 1 << OBJECT },
		{ "array", 1 << ARRAY },
		{ "text", 1 << TEXT },
		{ "real", 1 << NUMBER },
		{ "integer", 1 << NUMBER | 1 << INTEGER },
		{ "yes", 1 << BOOL },
		{ "no", 1 << BOOL },
		{ "null", 0 },
	};
	static const char text[] =
		"{\"object\": {}, \"array\": [], \"text\": \"x\", \"real\": 1.5, \"integer\": 7, \"yes\": true, "
		"\"no\": false, \"null\": null}";
	json_t *object;
	int found;

	(void)state;
	assert_ok(cn_json_parse(&object, text, sizeof(text) - 1, "name"));
	for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++)
		for (member_type type = OBJECT; type <= BOOL; type++)
			for (int optional = type == BOOL; optional < 2; optional++) {
				int status = get(object, members[m].key, type, optional, &found);

				if (members[m].fits & 1u << type)
					assert_ok(status);
				else
					assert_fails(status, CAIRN_EFORMAT, "must be");
				assert_int_equal(found, members[m].fits >> type & 1);
			}
	for (member_type type = OBJECT; type <= BOOL; type++) {
		if (type != NUMBER)
			assert_ok(get(object, "missing", type, 1, &found));
		assert_int_equal(found, 0);
		if (type != BOOL)
			assert_fails(get(object, "missing", type, 0, &found), CAIRN_EFORMAT,
				     "here: member \"missing\" is missing");
		assert_fails(get(NULL, "missing", type, type == BOOL, &found), CAIRN_EFORMAT,
			     "here: must be an object");
	}
	json_decref(object);
}

static void integers_have_bounds(void **state)
{
	static const struct {
		const char *text;
		int fits;
	} cases[] = {
		{ "{\"n\": -4}", 0 },
		{ "{\"n\": -3}", 1 },
		{ "{\"n\": 10}", 1 },
		{ "{\"n\": 11}", 0 },
		{ "{\"n\": 9223372036854775807}", 0 },
	};
	json_t *object;
	int found;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int optional = 0; optional < 2; optional++) {
			int status;

			assert_ok(cn_json_parse(&object, cases[i].text, strlen(cases[i].text), "name"));
			status = get(object, "n", INTEGER, optional, &found);
			if (cases[i].fits)
				assert_ok(status);
			else
				assert_fails(status, CAIRN_EFORMAT, "must be from -3 to 10");
			assert_int_equal(found, cases[i].fits);
			json_decref(object);
		}
}

/* One member "n" against bounds of -2.5 and 10. @param[out] found -99 where nothing was read */
static int get_real(const char *text, int optional, float *found)
{
	json_t *object;

	*found = -99;
	assert_ok(cn_json_parse(&object, text, strlen(text), "name"));
	int status = (optional ? cn_json_opt_real : cn_json_get_real)(object, "here", "n", -2.5, 10, found);
	json_decref(object);
	return status;
}

static void numbers_have_bounds(void **state)
{
	static const struct {
		const char *text, *part; /* part: NULL where it fits */
		float expected;
	} cases[] = {
		{ "{\"n\": -2.5}", NULL, -2.5f },
		{ "{\"n\": 10}", NULL, 10 },
		{ "{\"n\": 0.1}", NULL, 0.1f },
		{ "{\"n\": -2.500001}", "here: \"n\" is -2.5, but must be from -2.5 to 10", 0 },
		{ "{\"n\": 11}", "here: \"n\" is 11, but must be from -2.5 to 10", 0 },
		{ "{\"n\": 1e300}", "\"n\" is 1e+300", 0 },
		{ "{\"n\": \"1\"}", "here: \"n\" must be a number, not a text", 0 },
		{ "{\"n\": null}", "here: \"n\" must be a number, not null", 0 },
		{ "[]", "here: must be an object with a member \"n\"", 0 },
	};
	float found;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int optional = 0; optional < 2; optional++) {
			int status = get_real(cases[i].text, optional, &found);

			if (cases[i].part)
				assert_fails(status, CAIRN_EFORMAT, cases[i].part);
			else
				assert_ok(status);
			assert_float_equal(found, (cases[i].part ? -99 : cases[i].expected), 0);
		}
	assert_fails(get_real("{}", 0, &found), CAIRN_EFORMAT, "here: member \"n\" is missing");
	assert_ok(get_real("{}", 1, &found));
	assert_float_equal(found, -99, 0);
}

static void sizes_have_bounds(void **state)
{
	static const struct {
		const char *text, *part;
		uint32_t expected;
	} cases[] = {
		{ "{\"n\": 3}", NULL, 3 },
		{ "{\"n\": 4294967295}", NULL, UINT32_MAX },
		{ "{\"n\": 2}", "here: \"n\" is 2, but must be from 3 to 4294967295", 0 },
		{ "{\"n\": 4294967296}", "\"n\" is 4294967296", 0 },
		{ "{\"n\": -1}", "\"n\" is -1", 0 },
		{ "{\"n\": 3.5}", "\"n\" must be an integer, not a number", 0 },
		{ "{\"n\": true}", "\"n\" must be an integer, not true or false", 0 },
	};
	json_t *object;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int optional = 0; optional < 2; optional++) {
			uint32_t found = 77;

			assert_ok(cn_json_parse(&object, cases[i].text, strlen(cases[i].text), "name"));
			int status = (optional ? cn_json_opt_size : cn_json_get_size)(object, "here", "n", 3,
										      UINT32_MAX, &found);
			if (cases[i].part)
				assert_fails(status, CAIRN_EFORMAT, cases[i].part);
			else
				assert_ok(status);
			assert_int_equal(found, cases[i].part ? 77 : cases[i].expected);
			json_decref(object);
		}
	uint32_t found = 1;

	/* A default may lie outside of the bounds. */
	object = json_object();
	assert_ok(cn_json_opt_size(object, "here", "n", 3, 9, &found));
	assert_int_equal(found, 1);
	assert_fails(cn_json_get_size(object, "here", "n", 3, 9, &found), CAIRN_EFORMAT, "\"n\" is missing");
	json_decref(object);
}

static void choices_are_told(void **state)
{
	static const char *const words[] = { "red", "green", "", NULL }, *const one[] = { "red", NULL };
	static const struct {
		const char *text, *part;
		int expected;
	} cases[] = {
		{ "{\"n\": \"red\"}", NULL, 0 },
		{ "{\"n\": \"green\"}", NULL, 1 },
		{ "{\"n\": \"\"}", NULL, 2 },
		{ "{\"n\": \"Red\"}", "here: \"n\" is \"Red\"; known are \"red\", \"green\", \"\"", 0 },
		{ "{\"n\": \"gre\"}", "here: \"n\" is \"gre\"", 0 },
		{ "{\"n\": 0}", "here: \"n\" must be a text, not an integer", 0 },
		{ "{}", "here: member \"n\" is missing", 0 },
	};
	json_t *object;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int found = -1;

		assert_ok(cn_json_parse(&object, cases[i].text, strlen(cases[i].text), "name"));
		int status = cn_json_get_choice(object, "here", "n", words, &found);
		if (cases[i].part)
			assert_fails(status, CAIRN_EFORMAT, cases[i].part);
		else
			assert_ok(status);
		assert_int_equal(found, cases[i].part ? -1 : cases[i].expected);
		json_decref(object);
	}
	int found = -1;

	object = json_pack("{s:s}", "n", "green");
	assert_fails(cn_json_get_choice(object, "here", "n", one, &found), CAIRN_EFORMAT, "known are \"red\"");
	json_decref(object);
}

static void unknown_members_are_told(void **state)
{
	static const char *const known[] = { "alpha", "beta", NULL }, *const none[] = { NULL };
	json_t *object = json_pack("{s:i,s:i}", "beta", 1, "alpha", 2), *list = json_array();

	(void)state;
	assert_ok(cn_json_only(object, "here", known));
	assert_fails(cn_json_only(object, "here", none), CAIRN_EFORMAT, "known are: none");
	json_object_set_new(object, "gamma", json_null());
	assert_fails(cn_json_only(object, "here", known), CAIRN_EFORMAT,
		     "here: unknown member \"gamma\"; known are: alpha, beta");
	assert_fails(cn_json_only(list, "here", known), CAIRN_EFORMAT, "must be an object");
	json_decref(object);
	json_decref(list);
}

static int parse_and_write(void *path)
{
	static const char text[] = "{\"object\": {\"a\": [1, 2, 3.5, \"text\"]}, \"b\": \"\\u00e9\", \"c\": null}";
	static const char *const known[] = { "object", "b", NULL };
	json_t *value;
	int status;

	CN_TRY(cn_json_parse(&value, text, sizeof(text) - 1, "name"));
	status = cn_json_only(value, "here", known);
	json_decref(value);
	if (status != CAIRN_EFORMAT)
		return status;
	CN_TRY(cn_file_write(path, text, sizeof(text) - 1));
	CN_TRY(cn_json_read(&value, path));
	status = cn_json_write(path, value);
	json_decref(value);
	return status;
}

static void *allocate(size_t size)
{
	return cn_alloc(size, 1);
}

/* jansson takes a text for which it has no memory as a syntax error; what matters is that it is an error, and no leak.
 */
static int parse_and_write_in_cairns_memory(void *path)
{
	int status = parse_and_write(path);

	return status == CAIRN_EFORMAT || status == CAIRN_EINVALID ? CAIRN_ENOMEM : status;
}

static void memory_may_run_out(void **state)
{
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s", cn_test_path(cn_test_folder(), "a.json"));
	assert_true(cn_torture(parse_and_write, path) >= 5);
	json_set_alloc_funcs(allocate, cn_free);
	assert_true(cn_torture(parse_and_write_in_cairns_memory, path) >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax_errors_have_a_place), cmocka_unit_test(text_is_one_line_or_indented),
		cmocka_unit_test(files_are_read_and_written), cmocka_unit_test(what_is_written_is_indented),
		cmocka_unit_test(members_have_types),         cmocka_unit_test(integers_have_bounds),
		cmocka_unit_test(unknown_members_are_told),   cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(sizes_have_bounds),          cmocka_unit_test(choices_are_told),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

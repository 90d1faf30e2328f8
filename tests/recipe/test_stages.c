/* The table of stages: sound in itself, the same as in docs/recipes.md, and every stage can stand in a recipe. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/arguments.h"
#include "recipe/recipe.h"
#include "recipes.h"
#include "support.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

/* ---- the table itself ---- */

static void check_parameter(const cn_parameter *parameter)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	assert_int_equal(strspn(parameter->name, letters), strlen(parameter->name));
	assert_true(parameter->help[0] && parameter->help[strlen(parameter->help) - 1] != '.');
	assert_null(strpbrk(parameter->help, "|\n"));
	if (parameter->presence == CN_OPTIONAL)
		assert_non_null(parameter->text);
	if (parameter->kind == CN_INTEGER || parameter->kind == CN_REAL || parameter->kind == CN_REALS)
		assert_true(parameter->least < parameter->most);
	if (parameter->presence != CN_DEFAULT)
		return;
	assert_int_not_equal(parameter->kind, CN_REALS);
	if (parameter->kind == CN_INTEGER || parameter->kind == CN_REAL)
		assert_true(parameter->number >= parameter->least && parameter->number <= parameter->most &&
			    (!parameter->above || parameter->number > parameter->least));
	if (parameter->kind == CN_CHOICE) {
		int found = 0;
		for (const char *const *choice = parameter->choices; *choice; choice++)
			found += strcmp(*choice, parameter->text) == 0;
		assert_int_equal(found, 1);
	}
}

static int has_parameter(const cn_stage_type *type, const char *name)
{
	for (const cn_parameter *parameter = type->parameters; parameter->name; parameter++)
		if (strcmp(parameter->name, name) == 0)
			return 1;
	return 0;
}

static const cn_stage_input *find_input(const cn_stage_type *type, const char *name)
{
	for (const cn_stage_input *input = type->inputs; input->name; input++)
		if (strcmp(input->name, name) == 0)
			return input;
	return NULL;
}

/* Members share one object with "name" and "stage". */
static void check_names(const cn_stage_type *type)
{
	const char *names[64] = { "name", "stage" };
	size_t count = 2;
	for (const cn_stage_input *input = type->inputs; input->name; input++)
		names[count++] = input->name;
	for (const cn_parameter *parameter = type->parameters; parameter->name; parameter++)
		names[count++] = parameter->name;
	assert_true(count < 64);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
}

static void check_input(const cn_stage_type *type, const cn_stage_input *input)
{
	assert_false(input->many && input->optional);
	assert_int_equal(!input->with, !input->or_from);
	if (!input->with)
		return;
	assert_true(input->optional && has_parameter(type, input->with));
	/* Its value is taken, so it must have been read before. */
	const cn_stage_input *from = find_input(type, input->or_from);
	assert_true(from && from < input && !from->many && !from->optional);
}

static void the_table_is_sound(void **state)
{
	(void)state;
	size_t count = 0;
	for (const cn_stage_type *type = cn_stage_types; type->name; type++, count++) {
		assert_true(type->help[0] && type->help[strlen(type->help) - 1] != '.');
		check_names(type);
		for (const cn_stage_input *input = type->inputs; input->name; input++)
			check_input(type, input);
		for (const cn_parameter *parameter = type->parameters; parameter->name; parameter++)
			check_parameter(parameter);
		if (type->output_as)
			assert_int_equal(find_input(type, type->output_as)->type, type->output);
		assert_ptr_equal(cn_stage_type_find(type->name), type);
	}
	assert_true(count >= 11 && count < 64);
	assert_null(cn_stage_type_find("frobnicate"));
}

/* ---- every stage in a recipe ---- */

/* A recipe in which a stage of that type has its inputs and no parameter but those it cannot do without. */
static char *minimal(const cn_stage_type *type)
{
	const char *more = strcmp(type->name, "fuse") == 0  ? ",'rankings':['r','v']"
			   : strcmp(type->name, "cut") == 0 ? ",'depth':9"
							    : "";
	return cn_textf(RECIPE(SEARCH("r") "," VERIFY("v", "r") ",{'name':'x','stage':'%s'%s}", ",'output':'r'"),
			type->name, more);
}

static void every_stage_works_with_its_defaults(void **state)
{
	(void)state;
	for (const cn_stage_type *type = cn_stage_types; type->name; type++) {
		cairn_recipe *recipe;
		cairn_recipe_stage stage;
		char *text = minimal(type);
		size_t last = 0;
		assert_ok(parse_recipe(&recipe, text));
		do
			assert_ok(cairn_recipe_get_stage(recipe, last++, &stage));
		while (strcmp(stage.name, "x") != 0);
		assert_string_equal(stage.method, type->name);
		assert_string_equal(stage.about, type->help);
		for (const cn_parameter *parameter = type->parameters; parameter->name; parameter++)
			if (parameter->presence == CN_OPTIONAL && strcmp(parameter->name, "depth") != 0)
				assert_string_equal(parameter_of(recipe, last - 1, parameter->name), "unset");
		cairn_recipe_free(recipe);
		cn_free(text);
	}
}

/* Published and cairn's own constants; those of expand.n and others are choices of the table alone. */
static const struct {
	const char *stage, *parameter, *value;
} constants[] = {
	{ "search", "by", "global" },
	{ "search", "k", "100" },
	{ "search", "recall", "0.95" },
	{ "verify", "depth", "100" },
	{ "verify", "order", "fused" },
	{ "verify", "geometry", "affine" },
	{ "verify", "protocol", "mutual" },
	{ "verify", "max_distance", "0.8" },
	{ "verify", "radius", "10" },
	{ "verify", "reference_side", "640" },
	{ "verify", "trials", "1000" },
	{ "verify", "seed", "0" },
	{ "expand", "n", "10" },
	{ "expand", "alpha", "3" },
	{ "expand", "times", "1" },
	{ "augment", "k", "20" },
	{ "augment", "alpha", "3" },
	{ "diffuse", "k", "50" },
	{ "diffuse", "kq", "10" },
	{ "diffuse", "gamma", "3" },
	{ "diffuse", "alpha", "0.99" },
	{ "diffuse", "iterations", "20" },
	{ "diffuse", "tolerance", "1e-6" },
	{ "diffuse", "truncation", "1000" },
	{ "explore", "depth", "100" },
	{ "reciprocal", "k1", "20" },
	{ "reciprocal", "k2", "6" },
	{ "reciprocal", "lambda", "0.3" },
	{ "superglobal", "depth", "400" },
	{ "superglobal", "neighbours", "9" },
	{ "superglobal", "weight", "0.15" },
	{ "discriminate", "k", "3" },
	{ "discriminate", "threshold", "0.6" },
	{ "discriminate", "insert", "true" },
	{ "fuse", "rule", "sum" },
	{ "fuse", "missing", "least" },
	{ "fuse", "normalise", "none" },
};

static void defaults_are_the_published_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++) {
		cairn_recipe *recipe;
		cairn_recipe_stage stage;
		char *text = minimal(cn_stage_type_find(constants[i].stage));
		size_t at = 0;
		assert_ok(parse_recipe(&recipe, text));
		while (cairn_recipe_get_stage(recipe, at, &stage) == 0 && strcmp(stage.name, "x") != 0)
			at++;
		assert_string_equal(parameter_of(recipe, at, constants[i].parameter), constants[i].value);
		cairn_recipe_free(recipe);
		cn_free(text);
	}
}

/* ---- kinds that no stage has yet ---- */

static const cn_stage_input no_inputs[] = { { .name = NULL } };
static const cn_parameter made_up[] = {
	{ .name = "label", .kind = CN_TEXT, .text = "plain", .help = "a text with a default" },
	{ .name = "needed",
	  .kind = CN_REAL,
	  .presence = CN_REQUIRED,
	  .least = -1,
	  .most = 1,
	  .help = "what is needed" },
	{ .name = NULL },
};
static const cn_stage_type made_up_type = { .name = "made_up", .inputs = no_inputs, .parameters = made_up };

static const struct {
	const char *json, *fault, *label, *needed;
} made_up_cases[] = {
	{ "{\"needed\":0.25}", NULL, "plain", "0.25" },
	{ "{\"needed\":-1,\"label\":\"\"}", NULL, "", "-1" },
	{ "{\"needed\":1e-30,\"label\":\"two words\"}", NULL, "two words", "1e-30" },
	{ "{}", "f: stages[4].needed: is missing: what is needed", NULL, NULL },
	{ "{\"needed\":1,\"label\":3}", "f: stages[4].label: must be a text, not a whole number", NULL, NULL },
};

static void texts_and_what_is_required(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(made_up_cases) / sizeof(*made_up_cases); i++) {
		cn_stage stage = { .type = &made_up_type, .place = 4 };
		json_t *object;
		assert_ok(cn_json_parse(&object, made_up_cases[i].json, strlen(made_up_cases[i].json), "f"));
		if (made_up_cases[i].fault) {
			assert_fails(cn_arguments_read(&stage, object, "f"), CAIRN_EFORMAT, made_up_cases[i].fault);
		} else {
			assert_ok(cn_arguments_read(&stage, object, "f"));
			assert_string_equal(cn_stage_argument(&stage, "label")->text, made_up_cases[i].label);
			assert_string_equal(cn_stage_argument(&stage, "label")->shown, made_up_cases[i].label);
			assert_string_equal(cn_stage_argument(&stage, "needed")->shown, made_up_cases[i].needed);
		}
		cn_arguments_free(&stage);
		json_decref(object);
	}
}

static void a_text_has_a_limit(void **state)
{
	(void)state;
	cn_stage stage = { .type = &made_up_type };
	char text[4098];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json_t *object = json_pack("{s:s, s:i}", "label", text, "needed", 0);
	assert_fails(cn_arguments_read(&stage, object, "f"), CAIRN_EFORMAT, "label: has 4097 bytes; at most 4096");
	cn_arguments_free(&stage);
	json_decref(object);
}

/* ---- docs/recipes.md ---- */

static void add_inputs(cn_text *out, const cn_stage_type *type)
{
	for (const cn_stage_input *input = type->inputs; input->name; input++) {
		assert_ok(cn_text_addf(out, "%s`%s`", input == type->inputs ? "" : ", ", input->name));
		if (input->many)
			assert_ok(cn_text_addf(out, " (a list of 2 to %d)", CN_MOST_MANY));
		else if (input->with)
			assert_ok(cn_text_addf(out, " (with %s; default: `%s`)", input->with, input->or_from));
		else if (input->optional)
			assert_ok(cn_text_add(out, " (may be left out)"));
	}
}

static void add_values(cn_text *out, const cn_parameter *parameter)
{
	static const char *const forms[] = { "whole, ", "", "", "", "", "list of " };
	if (parameter->kind == CN_BOOL)
		assert_ok(cn_text_add(out, "true, false"));
	else if (parameter->kind == CN_CHOICE)
		for (const char *const *choice = parameter->choices; *choice; choice++)
			assert_ok(cn_text_addf(out, "%s`%s`", choice == parameter->choices ? "" : ", ", *choice));
	else if (parameter->kind == CN_TEXT)
		assert_ok(cn_text_add(out, "text"));
	else
		assert_ok(cn_text_addf(out, "%s%s%.16g to %.16g", forms[parameter->kind],
				       parameter->above ? "above " : "", parameter->least, parameter->most));
}

static void add_default(cn_text *out, const cn_parameter *parameter)
{
	if (parameter->presence == CN_REQUIRED)
		return;
	if (parameter->presence == CN_OPTIONAL)
		assert_ok(cn_text_addf(out, "none: %s", parameter->text));
	else if (parameter->kind == CN_BOOL)
		assert_ok(cn_text_add(out, parameter->number != 0 ? "true" : "false"));
	else if (parameter->kind == CN_CHOICE || parameter->kind == CN_TEXT)
		assert_ok(cn_text_addf(out, "`%s`", parameter->text));
	else
		assert_ok(cn_text_addf(out, "%.16g", parameter->number));
}

/* The section of a stage as docs/recipes.md must have it. */
static char *section_of(const cn_stage_type *type)
{
	cn_text out = CN_TEXT_INIT;
	assert_ok(cn_text_addf(&out, "### %s\n\n%c%s.\n\nTakes ", type->name, toupper(type->help[0]), type->help + 1));
	add_inputs(&out, type);
	if (type->output_as)
		assert_ok(cn_text_addf(&out, "; gives what `%s` is.", type->output_as));
	else
		assert_ok(cn_text_addf(&out, "; gives %s.", cairn_value_type_name(type->output)));
	assert_ok(cn_text_add(&out, "\n\n| parameter | values | default | meaning |\n|---|---|---|---|\n"));
	for (const cn_parameter *parameter = type->parameters; parameter->name; parameter++) {
		assert_ok(cn_text_addf(&out, "| %s | ", parameter->name));
		add_values(&out, parameter);
		assert_ok(cn_text_add(&out, " | "));
		add_default(&out, parameter);
		assert_ok(cn_text_addf(&out, " | %s |\n", parameter->help));
	}
	return out.data;
}

static size_t count_sections(const char *page)
{
	size_t count = 0;
	for (const char *at = strstr(page, "\n## Stages\n"); at && (at = strstr(at, "\n### ")); at++)
		count++;
	return count;
}

/* cmocka cuts long messages off. */
static void print_lines(char *text)
{
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		*end = '\0';
		print_message("# %s\n", line);
	}
}

static void the_page_says_what_the_table_says(void **state)
{
	(void)state;
	char *page;
	size_t length, count = 0;
	assert_ok(cn_file_read(cn_test_path(getenv("CN_DOCS"), "recipes.md"), 1 << 20, &page, &length));
	for (const cn_stage_type *type = cn_stage_types; type->name; type++, count++) {
		char *section = section_of(type);
		if (!strstr(page, section)) {
			print_lines(section);
			fail_msg("docs/recipes.md must have the section printed above");
		}
		cn_free(section);
	}
	assert_int_equal(count_sections(page), count);
	cn_free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(every_stage_works_with_its_defaults),
		cmocka_unit_test(defaults_are_the_published_ones),
		cmocka_unit_test(texts_and_what_is_required),
		cmocka_unit_test(a_text_has_a_limit),
		cmocka_unit_test(the_page_says_what_the_table_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

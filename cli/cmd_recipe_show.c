/*
 * cairn recipe show: what a recipe does, stage by stage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/image.h"
#include "cairn/recipe.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

#define WIDTH 80

static const char *format;

/* Word by word, lines no longer than WIDTH where words allow it. */
static void print_filled(const char *text)
{
	size_t column = 0;
	for (const char *word = text + strspn(text, " "); *word; word += strspn(word, " ")) {
		size_t length = strcspn(word, " ");
		int breaks = column && column + 1 + length > WIDTH;
		printf("%s%.*s", breaks ? "\n" : column ? " " : "", (int)length, word);
		column = length + (column && !breaks ? column + 1 : 0);
		word += length;
	}
	putchar('\n');
}

/* A paragraph to its own end, or that of the text. */
static const char *print_paragraph(const char *from)
{
	const char *gap = strstr(from, "\n\n");
	size_t length = gap ? (size_t)(gap - from) : strlen(from);
	char *raw = need_text("%.*s", (int)length, from), *text;
	for (char *c = raw; *c; c++)
		*c = (char)(*c == '\n' ? ' ' : *c);
	text = visible(raw);
	putchar('\n');
	print_filled(text);
	free(text);
	free(raw);
	return from + length + (gap ? 2 : 0);
}

static void print_roles(const cairn_recipe *recipe, size_t count)
{
	cairn_recipe_role role;
	for (size_t i = 0; i < count && cairn_recipe_get_role(recipe, i, &role) == 0; i++) {
		char *model = visible(role.model);
		printf("%s%s=%s", i ? " " : "\nmodels: ", role.name, model);
		free(model);
	}
	if (count)
		putchar('\n');
}

/* An input that takes several values is one line. */
static void print_inputs(const cairn_recipe *recipe, size_t stage, size_t count)
{
	cairn_recipe_input input;
	const char *last = "";
	for (size_t i = 0; i < count && cairn_recipe_get_input(recipe, stage, i, &input) == 0; i++) {
		if (strcmp(input.name, last) == 0)
			printf(", %s", input.value);
		else
			printf("\n    %-16s <- %s%s", input.name, input.value, input.is_default ? " (default)" : "");
		last = input.name;
	}
	putchar('\n');
}

static void print_parameters(const cairn_recipe *recipe, size_t stage, size_t count)
{
	cairn_recipe_parameter parameter;
	for (size_t i = 0; i < count && cairn_recipe_get_parameter(recipe, stage, i, &parameter) == 0; i++) {
		char *value = visible(parameter.value ? parameter.value : parameter.unset);
		const char *mark = !parameter.is_default ? "" : parameter.value ? " (default)" : " (not set)";
		printf("    %-16s %s%s\n", parameter.name, value, mark);
		free(value);
	}
}

static void print_stage(const cairn_recipe *recipe, size_t i)
{
	cairn_recipe_stage stage;
	if (cairn_recipe_get_stage(recipe, i, &stage) < 0)
		return;
	printf("\n%zu. %s: %s -> %s%s\n    %s", i + 1, stage.name, stage.method, cairn_value_type_name(stage.output),
	       stage.is_used ? "" : " (not used)", stage.about);
	print_inputs(recipe, i, stage.input_count);
	print_parameters(recipe, i, stage.parameter_count);
}

static int print_text(const cairn_recipe *recipe)
{
	cairn_recipe_info info;
	cairn_recipe_get_info(recipe, &info);
	char *name = visible(info.name), *title = visible(info.title);
	printf("%s: %s\n", name, title);
	free(name);
	free(title);
	for (const char *at = info.about; *at;)
		at = print_paragraph(at);
	print_roles(recipe, info.role_count);
	if (info.needs_train)
		puts("takes a labelled set: --train");
	for (size_t i = 0; i < cairn_recipe_count(recipe); i++)
		print_stage(recipe, i);
	printf("\noutput: %s\n", info.output);
	return output_end(EXIT_DONE);
}

static int print_as_json(const cairn_recipe *recipe)
{
	char *text;
	int status = cairn_recipe_to_json(&text, recipe);
	if (status < 0)
		return say_failure(status);
	fputs(text, stdout);
	cairn_bytes_free(text);
	return output_end(EXIT_DONE);
}

static int run(const struct arguments *arguments)
{
	cairn_recipe *recipe;
	int status = cairn_recipe_open(&recipe, arguments->operands[0]);
	if (status < 0)
		return say_failure(status);
	int code = is_json(format) ? print_as_json(recipe) : print_text(recipe);
	cairn_recipe_free(recipe);
	return code;
}

static const struct operand operands[] = {
	{ "NAME|FILE", COMPLETE_RECIPE, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output",
	  "The complete recipe: stages in the order in which they run, with all inputs and all parameters "
	  "that have a value. Saved as a file it is the same recipe." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn recipe show nii-2018", "one that came with cairn" },
	{ "cairn recipe show superglobal --format json", "a start for a recipe of one's own" },
	{ NULL, NULL },
};

const struct command cmd_recipe_show = {
	.name = "recipe show",
	.summary = "what a recipe does, stage by stage",
	.description =
		"Shows a recipe: what it says of itself, the models it wants, and its stages in the order in which "
		"they run, each with what it takes and with all its parameters.\n\n"
		"A path holds a '/' or ends in '.json'; anything else is the name of a recipe that 'cairn "
		"recipe list' shows.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};

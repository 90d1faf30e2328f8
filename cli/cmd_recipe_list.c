/*
 * cairn recipe list: the recipes that have names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cairn/recipe.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *format;
static int names_only;

static void print_text(const cairn_recipe_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *name = visible(entries[i].name), *title = entries[i].title ? visible(entries[i].title) : NULL;
		if (title)
			printf("%-24s %s\n", name, title);
		else
			say_warning("%s", entries[i].fault);
		free(name);
		free(title);
	}
}

static void print_names(const cairn_recipe_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].title)
			puts(entries[i].name);
}

static int print_as_json(const cairn_recipe_entry *entries, size_t count)
{
	json_t *root = json_object(), *list = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *object = json_object();
		set_bytes(object, "name", entries[i].name);
		if (entries[i].title)
			set_member(object, "title", text_json(entries[i].title));
		else
			set_member(object, "error", text_json(entries[i].fault));
		set_bytes(object, "path", entries[i].path);
		add_item(list, object);
	}
	set_member(root, "recipes", list);
	return print_json(root);
}

static int run(const struct arguments *arguments)
{
	cairn_recipe_entry *entries;
	size_t count;
	(void)arguments;
	int status = cairn_recipe_list(&entries, &count), code;
	if (status < 0)
		return say_failure(status);
	if (!names_only && is_json(format)) {
		code = print_as_json(entries, count);
	} else {
		(names_only ? print_names : print_text)(entries, count);
		code = output_end(EXIT_DONE);
	}
	cairn_recipe_entries_free(entries, count);
	return code;
}

static const struct option options[] = {
	OPT_FLAG(0, "names", &names_only, "only the names, one a line"),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output",
	  "One object: recipes, a list of objects with name, title and path (error in the place of title "
	  "where the file is faulty)." },
	{ NULL, NULL },
};

const struct command cmd_recipe_list = {
	.name = "recipe list",
	.summary = "the recipes that have names",
	.description =
		"Lists the recipes in $CAIRN_HOME/recipes (one's own) and those that came with cairn. Where both "
		"have one of a name, it is one's own.",
	.options = options,
	.sections = sections,
	.run = run,
};

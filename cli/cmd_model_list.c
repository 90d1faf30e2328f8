/*
 * cairn model list: what is installed, and what could be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/model.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *format;
static int names_only;

static int is_installed(char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return 0;
}

static void print_row(const char *name)
{
	cairn_model *model;
	cairn_model_info info;
	if (cairn_model_inspect(&model, name) < 0) {
		say_warning("%s", cairn_last_error());
		return;
	}
	cairn_model_get_info(model, &info);
	printf("%-24s %-8s %5u  %7u  %s\n", name, info.kind, info.dim, info.longest,
	       *info.licence ? info.licence : "unknown");
	cairn_model_free(model);
}

static void print_text(char *const *names, size_t count)
{
	const cairn_model_recipe *recipe = cairn_model_recipes();
	int shown = 0;
	if (count)
		printf("%-24s %-8s %5s  %7s  %s\n", "model", "kind", "dim", "longest", "licence");
	for (size_t i = 0; i < count; i++)
		print_row(names[i]);
	for (; recipe->name; recipe++) {
		if (is_installed(names, count, recipe->name))
			continue;
		if (!shown++)
			printf("%sto install with 'cairn model install NAME':\n", count ? "\n" : "");
		printf("  %-22s %s\n", recipe->name, recipe->about);
	}
}

static json_t *model_json(const char *name)
{
	cairn_model *model;
	cairn_model_info info;
	json_t *object = json_object();
	set_member(object, "name", text_json(name));
	if (cairn_model_inspect(&model, name) < 0) {
		set_member(object, "error", text_json(cairn_last_error()));
		return object;
	}
	cairn_model_get_info(model, &info);
	set_member(object, "kind", text_json(info.kind));
	set_member(object, "dim", json_integer(info.dim));
	set_member(object, "longest", json_integer(info.longest));
	set_member(object, "licence", text_json(info.licence));
	set_bytes(object, "folder", info.folder);
	cairn_model_free(model);
	return object;
}

static void print_as_json(char *const *names, size_t count)
{
	json_t *root = json_object(), *installed = json_array(), *available = json_array();
	for (size_t i = 0; i < count; i++)
		add_item(installed, model_json(names[i]));
	for (const cairn_model_recipe *recipe = cairn_model_recipes(); recipe->name; recipe++)
		if (!is_installed(names, count, recipe->name))
			add_item(available, text_json(recipe->name));
	set_member(root, "installed", installed);
	set_member(root, "available", available);
	print_json(root);
}

static int run(const struct arguments *arguments)
{
	char **names;
	size_t count;
	(void)arguments;
	int status = cairn_model_list(&names, &count);
	if (status < 0)
		return say_failure(status);
	if (names_only)
		for (size_t i = 0; i < count; i++)
			puts(names[i]);
	else if (is_json(format))
		print_as_json(names, count);
	else
		print_text(names, count);
	cairn_model_names_free(names, count);
	return output_end(EXIT_DONE);
}

static const struct option options[] = {
	OPT_FLAG(0, "names", &names_only, "only the names of the installed models, one a line"),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output", "One object: installed, a list of objects with name, kind, dim, longest, licence and folder "
			 "(or name and error where the "
			 "bundle is faulty); available, the names of those that 'cairn model install' could add." },
	{ NULL, NULL },
};

const struct command cmd_model_list = {
	.name = "model list",
	.summary = "what is installed, and what can be",
	.description = "Lists the models in the model home, and those that 'cairn model install' knows and that are "
		       "not there yet.",
	.options = options,
	.sections = sections,
	.run = run,
};

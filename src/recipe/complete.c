/*
 * A recipe with all that it leaves to defaults, as JSON.
 */
#include "recipe/arguments.h"
#include "recipe/recipe.h"
#include "util/memory.h"
#include "util/text.h"

/* Whether all went well so far; jansson fails where memory is short, and takes over what it is given in any case. */
static int put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

static int put_link(json_t *object, const cairn_recipe *recipe, const cn_link *link)
{
	json_t *name = json_string(cn_value_name(recipe, link->value));
	json_t *list = json_object_get(object, link->input->name);
	if (!link->input->many)
		return put(object, link->input->name, name);
	if (list)
		return json_array_append_new(list, name) == 0;
	list = json_pack("[o]", name);
	return put(object, link->input->name, list);
}

/* @return NULL where memory is short */
static json_t *stage_json(const cairn_recipe *recipe, const cn_stage *stage)
{
	json_t *object = json_object();
	int good =
		put(object, "name", json_string(stage->name)) && put(object, "stage", json_string(stage->type->name));
	for (size_t i = 0; good && i < stage->link_count; i++)
		good = put_link(object, recipe, &stage->links[i]);
	for (size_t i = 0; good && i < stage->argument_count; i++) {
		const cn_parameter *parameter = &stage->type->parameters[i];
		if (stage->arguments[i].is_set)
			good = put(object, parameter->name, cn_argument_json(parameter, &stage->arguments[i]));
	}
	if (good)
		return object;
	json_decref(object);
	return NULL;
}

static int put_stages(json_t *root, const cairn_recipe *recipe)
{
	json_t *list = json_array();
	if (!put(root, "stages", list))
		return 0;
	for (size_t i = 0; i < recipe->stage_count; i++)
		if (json_array_append_new(list, stage_json(recipe, &recipe->stages[i])) != 0)
			return 0;
	return 1;
}

static int put_roles(json_t *root, const cairn_recipe *recipe)
{
	json_t *roles = json_object();
	if (!put(root, "models", roles))
		return 0;
	for (size_t i = 0; i < recipe->role_count; i++)
		if (!put(roles, recipe->roles[i].name, json_string(recipe->roles[i].model)))
			return 0;
	return 1;
}

int cairn_recipe_to_json(char **out, const cairn_recipe *recipe)
{
	json_t *root = json_object();
	cn_text text = CN_TEXT_INIT;
	int good, status;
	*out = NULL;
	good = put(root, "recipe", json_integer(1)) && put(root, "title", json_string(recipe->title)) &&
	       put(root, "about", json_string(recipe->about)) && put_roles(root, recipe) && put_stages(root, recipe) &&
	       put(root, "output", json_string(recipe->stages[recipe->output].name));
	status = cn_json_text(&text, good ? root : NULL, 2);
	if (status == 0)
		status = cn_text_add(&text, "\n");
	json_decref(root);
	if (status < 0)
		cn_text_free(&text);
	*out = text.data;
	return status;
}

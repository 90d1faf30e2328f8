/*
 * The form of recipes: JSON to stages that are linked and checked. docs/recipes.md describes it.
 */
#include <stdio.h>
#include <string.h>

#include "recipe/arguments.h"
#include "recipe/link.h"
#include "recipe/place.h"
#include "recipe/recipe.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

#define VERSION       1
#define LONGEST_NAME  64
#define LONGEST_TITLE 200
#define MOST_ROLES    64
#define LETTERS       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* ---- members of every kind ---- */

/* @param known count names */
static int check_members(const json_t *object, const char *file, long stage, const char *const *known, size_t count)
{
	/* jansson iterates a const object through a pointer that is not const. */
	json_t *writable = (json_t *)(uintptr_t)object;
	for (void *at = json_object_iter(writable); at; at = json_object_iter_next(writable, at)) {
		size_t i = 0;
		while (i < count && strcmp(known[i], json_object_iter_key(at)) != 0)
			i++;
		if (i == count)
			return cn_recipe_fail_unknown(CN_PLACE(file, stage, json_object_iter_key(at)), NULL, known,
						      count);
	}
	return 0;
}

/* @param[out] out borrowed text, NULL where it is missing and may be */
static int get_text(const json_t *object, cn_recipe_place place, int required, const char **out)
{
	const json_t *value = json_object_get(object, place.member);
	*out = json_string_value(value);
	if (!value)
		return required ? cn_recipe_fail(place, "is missing") : 0;
	return *out ? 0 : cn_recipe_fail(place, "must be a text, not %s", cn_json_kind(value));
}

/* Names stand in error texts, file names and on command lines. */
static int check_name(cn_recipe_place place, const char *name)
{
	size_t length = strlen(name);
	if (strspn(name, LETTERS) > 0 && strspn(name, LETTERS "0123456789_-") == length && length <= LONGEST_NAME)
		return 0;
	return cn_recipe_fail(place,
			      "'%.100s' cannot be a name: use 1 to %d letters, digits, '_' and '-', a letter first",
			      name, LONGEST_NAME);
}

/* ---- the whole ---- */

static int read_version(const json_t *root, const char *file)
{
	cn_recipe_place place = CN_PLACE(file, -1, "recipe");
	const json_t *value = json_object_get(root, "recipe");
	if (!value)
		return cn_recipe_fail(place, "is missing; it is the version of the form, %d", VERSION);
	if (!json_is_integer(value))
		return cn_recipe_fail(place, "must be the version of the form, %d, not %s", VERSION,
				      cn_json_kind(value));
	if (json_integer_value(value) != VERSION)
		return cn_recipe_fail(place, "version %lld is unknown; this cairn knows %d",
				      (long long)json_integer_value(value), VERSION);
	return 0;
}

static int read_title(cairn_recipe *recipe, const json_t *root, const char *file)
{
	cn_recipe_place place = CN_PLACE(file, -1, "title");
	const char *title;
	CN_TRY(get_text(root, place, 1, &title));
	if (!title[0] || strlen(title) > LONGEST_TITLE || title[strcspn(title, "\r\n")])
		return cn_recipe_fail(place, "must be one line of 1 to %d bytes", LONGEST_TITLE);
	recipe->title = cn_strdup(title);
	return recipe->title ? 0 : CAIRN_ENOMEM;
}

static int join_paragraphs(cn_text *out, const json_t *list, cn_recipe_place place)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *paragraph = json_array_get(list, i);
		place.item = (long)i;
		if (!json_is_string(paragraph))
			return cn_recipe_fail(place, "must be a text, not %s", cn_json_kind(paragraph));
		CN_TRY(cn_text_addf(out, "%s%s", i ? "\n\n" : "", json_string_value(paragraph)));
	}
	return 0;
}

static int read_about(cairn_recipe *recipe, const json_t *root, const char *file)
{
	cn_recipe_place place = CN_PLACE(file, -1, "about");
	const json_t *value = json_object_get(root, "about");
	cn_text text = CN_TEXT_INIT;
	int status = cn_text_add(&text, json_is_string(value) ? json_string_value(value) : "");
	if (status == 0 && json_is_array(value))
		status = join_paragraphs(&text, value, place);
	else if (status == 0 && value && !json_is_string(value))
		status = cn_recipe_fail(place, "must be a text or a list of texts, not %s", cn_json_kind(value));
	recipe->about = text.data;
	return status;
}

static int read_role(cairn_recipe *recipe, const char *name, const json_t *value, const char *file)
{
	cn_role *role = &recipe->roles[recipe->role_count++];
	char member[LONGEST_NAME + 16];
	CN_TRY(check_name(CN_PLACE(file, -1, "models"), name));
	snprintf(member, sizeof(member), "models.%s", name);
	if (!json_is_string(value) || !json_string_length(value))
		return cn_recipe_fail(CN_PLACE(file, -1, member),
				      "must name a model or a kind of local features, not %s",
				      json_is_string(value) ? "an empty text" : cn_json_kind(value));
	role->name = cn_strdup(name);
	role->model = cn_strdup(json_string_value(value));
	return role->name && role->model ? 0 : CAIRN_ENOMEM;
}

static int read_roles(cairn_recipe *recipe, const json_t *root, const char *file)
{
	json_t *object = json_object_get(root, "models");
	size_t count = json_object_size(object);
	if (!object)
		return 0;
	if (!json_is_object(object))
		return cn_recipe_fail(CN_PLACE(file, -1, "models"), "must be an object, not %s", cn_json_kind(object));
	if (count > MOST_ROLES)
		return cn_recipe_fail(CN_PLACE(file, -1, "models"), "has %zu roles; at most %d are possible", count,
				      MOST_ROLES);
	CN_NEW(recipe->roles, count, sizeof(*recipe->roles));
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
		CN_TRY(read_role(recipe, json_object_iter_key(at), json_object_iter_value(at), file));
	return 0;
}

/* ---- stages ---- */

static int read_type(cn_stage *stage, const json_t *object, const char *file)
{
	cn_recipe_place place = CN_PLACE(file, stage->place, "stage");
	const char *names[64], *name;
	size_t count = 0;
	CN_TRY(get_text(object, place, 1, &name));
	stage->type = cn_stage_type_find(name);
	if (stage->type)
		return 0;
	for (; cn_stage_types[count].name && count < sizeof(names) / sizeof(*names); count++)
		names[count] = cn_stage_types[count].name;
	return cn_recipe_fail_unknown(place, name, names, count);
}

/* Stages before it have their names. */
static int read_name(const cairn_recipe *recipe, cn_stage *stage, const json_t *object, const char *file)
{
	cn_recipe_place place = CN_PLACE(file, stage->place, "name");
	const char *name;
	CN_TRY(get_text(object, place, 1, &name));
	CN_TRY(check_name(place, name));
	for (size_t i = 0; i < CN_GIVEN_COUNT; i++)
		if (strcmp(cn_given_name(i), name) == 0)
			return cn_recipe_fail(place, "'%s' is what the run itself gives; take another name", name);
	for (size_t i = 0; i < stage->place; i++)
		if (strcmp(recipe->stages[i].name, name) == 0)
			return cn_recipe_fail(place, "'%s' is the name of stages[%zu] already", name, i);
	stage->name = cn_strdup(name);
	return stage->name ? 0 : CAIRN_ENOMEM;
}

static int check_stage_members(const cn_stage *stage, const json_t *object, const char *file)
{
	const char *known[64] = { "name", "stage" };
	size_t count = 2, most = sizeof(known) / sizeof(*known);
	for (const cn_stage_input *input = stage->type->inputs; input->name && count < most; input++)
		known[count++] = input->name;
	for (const cn_parameter *parameter = stage->type->parameters; parameter->name && count < most; parameter++)
		known[count++] = parameter->name;
	return check_members(object, file, (long)stage->place, known, count);
}

static int read_stage(const cairn_recipe *recipe, cn_stage *stage, const json_t *object, const char *file)
{
	if (!json_is_object(object))
		return cn_recipe_fail(CN_PLACE(file, stage->place, NULL), "must be an object, not %s",
				      cn_json_kind(object));
	CN_TRY(read_type(stage, object, file));
	CN_TRY(check_stage_members(stage, object, file));
	CN_TRY(read_name(recipe, stage, object, file));
	return cn_arguments_read(stage, object, file);
}

static int read_stages(cairn_recipe *recipe, const json_t *list, const char *file)
{
	cn_recipe_place place = CN_PLACE(file, -1, "stages");
	size_t count = json_array_size(list);
	if (!list)
		return cn_recipe_fail(place, "is missing");
	if (!json_is_array(list))
		return cn_recipe_fail(place, "must be a list of objects, not %s", cn_json_kind(list));
	if (count < 1 || count > CN_RECIPE_STAGES)
		return cn_recipe_fail(place, "has %zu stages; 1 to %d are possible", count, CN_RECIPE_STAGES);
	CN_NEW(recipe->stages, count, sizeof(*recipe->stages));
	recipe->stage_count = count;
	for (size_t i = 0; i < count; i++) {
		recipe->stages[i].place = i;
		CN_TRY(read_stage(recipe, &recipe->stages[i], json_array_get(list, i), file));
	}
	return cn_recipe_link(recipe, list, file);
}

static int read_root(cairn_recipe *recipe, const json_t *root, const char *file)
{
	static const char *const known[] = { "recipe", "title", "about", "models", "stages", "output" };
	if (!json_is_object(root))
		return cn_recipe_fail(CN_PLACE(file, -1, NULL), "must be an object, not %s", cn_json_kind(root));
	CN_TRY(read_version(root, file));
	CN_TRY(check_members(root, file, -1, known, sizeof(known) / sizeof(*known)));
	CN_TRY(read_title(recipe, root, file));
	CN_TRY(read_about(recipe, root, file));
	CN_TRY(read_roles(recipe, root, file));
	CN_TRY(read_stages(recipe, json_object_get(root, "stages"), file));
	return cn_recipe_end(recipe, root, file);
}

static int set_names(cairn_recipe *recipe, const char *file)
{
	static const char ending[] = ".json";
	const char *base = cn_path_base(file);
	size_t length = strlen(base), cut = sizeof(ending) - 1;
	if (length > cut && strcmp(base + length - cut, ending) == 0)
		length -= cut;
	recipe->name = cn_strndup(base, length);
	recipe->path = cn_strdup(file);
	return recipe->name && recipe->path ? 0 : CAIRN_ENOMEM;
}

int cn_recipe_parse(cairn_recipe **out, const char *bytes, size_t length, const char *file)
{
	cairn_recipe *recipe;
	json_t *root = NULL;
	int status;
	*out = NULL;
	CN_NEW(recipe, 1, sizeof(*recipe));
	CN_GOTO(status, set_names(recipe, file));
	CN_GOTO(status, cn_json_parse(&root, bytes, length, file));
	CN_GOTO(status, read_root(recipe, root, file));
	*out = recipe;
	recipe = NULL;
done:
	json_decref(root);
	cairn_recipe_free(recipe);
	return status;
}

int cn_recipe_read(cairn_recipe **out, const char *path)
{
	char *bytes;
	size_t length;
	int status;
	*out = NULL;
	status = cn_file_read(path, CN_RECIPE_BYTES, &bytes, &length);
	if (status == CAIRN_ELIMIT)
		return cn_fail(CAIRN_EFORMAT, "%s; that is no recipe", cairn_last_error());
	CN_TRY(status);
	status = cn_recipe_parse(out, bytes, length, path);
	cn_free(bytes);
	return status;
}

/*
 * Names become values. docs/recipes.md says what holds where an input is left out.
 */
#include "recipe/link.h"

#include <string.h>

#include "recipe/arguments.h"
#include "recipe/order.h"
#include "recipe/place.h"
#include "util/memory.h"
#include "util/text.h"

/** What is needed to read the inputs of a stage. */
typedef struct {
	cairn_recipe *recipe;
	const char *file;
	size_t stage;
	const json_t *object;
} stage_reading;

static int is_ranking(cairn_value_type type)
{
	return type == CAIRN_VALUE_RANKING || type == CAIRN_VALUE_VERIFIED;
}

static int suits(cairn_value_type wanted, cairn_value_type type)
{
	return wanted == type || (wanted == CAIRN_VALUE_RANKING && type == CAIRN_VALUE_VERIFIED);
}

/* ---- references ---- */

/* Lists what there is, the stage itself left out. */
static int fail_reference(const stage_reading *reading, cn_recipe_place place, const char *name)
{
	const cairn_recipe *recipe = reading->recipe;
	const char **names;
	size_t count = 0;
	int status;
	CN_NEW(names, CN_GIVEN_COUNT + recipe->stage_count, sizeof(*names));
	for (size_t i = 0; i < CN_GIVEN_COUNT; i++)
		names[count++] = cn_given_name(i);
	for (size_t i = 0; i < recipe->stage_count; i++)
		if (i != reading->stage)
			names[count++] = recipe->stages[i].name;
	status = cn_recipe_fail_unknown(place, name, names, count);
	cn_free(names);
	return status;
}

static int resolve(const stage_reading *reading, cn_recipe_place place, const json_t *value, size_t *out)
{
	const cairn_recipe *recipe = reading->recipe;
	const char *name = json_string_value(value);
	if (!name)
		return cn_recipe_fail(place, "must be the name of a stage or given value, not %s", cn_json_kind(value));
	for (size_t i = 0; i < CN_GIVEN_COUNT + recipe->stage_count; i++)
		if (strcmp(cn_value_name(recipe, i), name) == 0) {
			*out = i;
			return 0;
		}
	return fail_reference(reading, place, name);
}

static int is_linked(const cn_stage *stage, const cn_stage_input *input, size_t value)
{
	for (size_t i = 0; i < stage->link_count; i++)
		if (stage->links[i].input == input && stage->links[i].value == value)
			return 1;
	return 0;
}

static void add_link(const stage_reading *reading, const cn_stage_input *input, size_t value, int is_default, long item)
{
	cn_stage *stage = &reading->recipe->stages[reading->stage];
	stage->links[stage->link_count++] = (cn_link){ input, value, is_default, item };
}

static int read_list(const stage_reading *reading, const cn_stage_input *input, const json_t *value,
		     cn_recipe_place place)
{
	size_t count = json_array_size(value), number = 0;
	if (!json_is_array(value))
		return cn_recipe_fail(place, "must be a list of names, not %s", cn_json_kind(value));
	if (count < 2 || count > CN_MOST_MANY)
		return cn_recipe_fail(place, "has %zu names; 2 to %d are possible", count, CN_MOST_MANY);
	for (size_t i = 0; i < count; i++) {
		place.item = (long)i;
		CN_TRY(resolve(reading, place, json_array_get(value, i), &number));
		if (is_linked(&reading->recipe->stages[reading->stage], input, number))
			return cn_recipe_fail(place, "'%s' is there twice", cn_value_name(reading->recipe, number));
		add_link(reading, input, number, 0, (long)i);
	}
	return 0;
}

static int read_given(const stage_reading *reading, const cn_stage_input *input, const json_t *value)
{
	const cn_stage *stage = &reading->recipe->stages[reading->stage];
	cn_recipe_place place = CN_PLACE(reading->file, stage->place, input->name);
	size_t number = 0;
	if (input->with && !cn_stage_argument(stage, input->with)->is_set)
		return cn_recipe_fail(place, "goes with %s, which is missing", input->with);
	if (input->many)
		return read_list(reading, input, value, place);
	CN_TRY(resolve(reading, place, value, &number));
	add_link(reading, input, number, 0, -1);
	return 0;
}

/* Whether a stage may give what an input takes; `cut` is told apart when the types are known. */
static int may_serve(const cn_stage_input *input, const cn_stage *stage)
{
	return input->type == stage->type->output || (is_ranking(input->type) && is_ranking(stage->type->output));
}

static int set_required(const stage_reading *reading, const cn_stage_input *input)
{
	const cairn_recipe *recipe = reading->recipe;
	cn_recipe_place place = CN_PLACE(reading->file, reading->stage, input->name);
	if (input->many)
		return cn_recipe_fail(place, "is missing; it is a list of 2 names or more");
	for (size_t i = 0; i < CN_GIVEN_COUNT; i++)
		if (cn_value_type_of(recipe, i) == input->type) {
			add_link(reading, input, i, 1, -1);
			return 0;
		}
	if (reading->stage == 0 || !may_serve(input, &recipe->stages[reading->stage - 1]))
		return cn_recipe_fail(place, "is missing, and no stage stands before it that gives %s",
				      cairn_value_type_name(input->type));
	add_link(reading, input, CN_GIVEN_COUNT + reading->stage - 1, 1, -1);
	return 0;
}

static int set_default(const stage_reading *reading, const cn_stage_input *input)
{
	const cn_stage *stage = &reading->recipe->stages[reading->stage];
	if (!input->optional)
		return set_required(reading, input);
	if (input->with && cn_stage_argument(stage, input->with)->is_set)
		add_link(reading, input, cn_stage_link(stage, input->or_from)->value, 1, -1);
	return 0;
}

static int read_links(const stage_reading *reading)
{
	cn_stage *stage = &reading->recipe->stages[reading->stage];
	size_t most = 0;
	for (const cn_stage_input *input = stage->type->inputs; input->name; input++)
		most += input->many ? CN_MOST_MANY : 1;
	CN_NEW(stage->links, most, sizeof(*stage->links));
	for (const cn_stage_input *input = stage->type->inputs; input->name; input++) {
		const json_t *value = json_object_get(reading->object, input->name);
		if (value)
			CN_TRY(read_given(reading, input, value));
		else
			CN_TRY(set_default(reading, input));
	}
	return 0;
}

/* ---- types ---- */

static int fail_type(const cairn_recipe *recipe, const cn_stage *stage, const cn_link *link, const char *file)
{
	cn_recipe_place place = { file, (long)stage->place, link->input->name, link->item };
	const char *value = cn_value_name(recipe, link->value);
	const char *type = cairn_value_type_name(cn_value_type_of(recipe, link->value));
	if (link->is_default && link->input->with)
		return cn_recipe_fail(place, "is missing: %s needs %s, and '%s' is %s", link->input->with,
				      cairn_value_type_name(link->input->type), value, type);
	return cn_recipe_fail(place, "'%s' is %s, but %s%s is wanted", value, type,
			      cairn_value_type_name(link->input->type),
			      link->input->type == CAIRN_VALUE_RANKING ? " or verified" : "");
}

/* All that the stage takes from has its type already. */
static int check_types(cairn_recipe *recipe, cn_stage *stage, const char *file)
{
	for (size_t i = 0; i < stage->link_count; i++)
		if (!suits(stage->links[i].input->type, cn_value_type_of(recipe, stage->links[i].value)))
			return fail_type(recipe, stage, &stage->links[i], file);
	stage->output = stage->type->output;
	if (stage->type->output_as)
		stage->output = cn_value_type_of(recipe, cn_stage_link(stage, stage->type->output_as)->value);
	return stage->type->check ? stage->type->check(stage, file) : 0;
}

int cn_recipe_link(cairn_recipe *recipe, const json_t *list, const char *file)
{
	for (size_t i = 0; i < recipe->stage_count; i++) {
		stage_reading reading = { recipe, file, i, json_array_get(list, i) };
		CN_TRY(read_links(&reading));
	}
	CN_TRY(cn_recipe_order(recipe, file));
	for (size_t i = 0; i < recipe->stage_count; i++)
		CN_TRY(check_types(recipe, &recipe->stages[i], file));
	return 0;
}

/* ---- the end ---- */

static size_t last_of_file(const cairn_recipe *recipe)
{
	size_t last = 0;
	for (size_t i = 1; i < recipe->stage_count; i++)
		if (recipe->stages[i].place > recipe->stages[last].place)
			last = i;
	return last;
}

static int fail_output(const cairn_recipe *recipe, cn_recipe_place place, const char *name)
{
	const char **names;
	int status;
	CN_NEW(names, recipe->stage_count, sizeof(*names));
	for (size_t i = 0; i < recipe->stage_count; i++)
		names[i] = recipe->stages[i].name;
	status = cn_recipe_fail_unknown(place, name, names, recipe->stage_count);
	cn_free(names);
	return status;
}

static int read_output(cairn_recipe *recipe, const json_t *root, cn_recipe_place place)
{
	const json_t *value = json_object_get(root, "output");
	const char *name = json_string_value(value);
	recipe->output = last_of_file(recipe);
	if (!value)
		return 0;
	if (!name)
		return cn_recipe_fail(place, "must be the name of a stage, not %s", cn_json_kind(value));
	for (size_t i = 0; i < recipe->stage_count; i++)
		if (strcmp(recipe->stages[i].name, name) == 0) {
			recipe->output = i;
			return 0;
		}
	return fail_output(recipe, place, name);
}

static void mark_used(cairn_recipe *recipe)
{
	recipe->stages[recipe->output].is_used = 1;
	for (size_t i = recipe->stage_count; i-- > 0;)
		for (size_t k = 0; recipe->stages[i].is_used && k < recipe->stages[i].link_count; k++)
			if (recipe->stages[i].links[k].value >= CN_GIVEN_COUNT)
				recipe->stages[recipe->stages[i].links[k].value - CN_GIVEN_COUNT].is_used = 1;
}

static int warn_of_unused(cairn_recipe *recipe, const char *file)
{
	CN_NEW(recipe->warnings, recipe->stage_count, sizeof(*recipe->warnings));
	for (size_t i = 0; i < recipe->stage_count; i++) {
		const cn_stage *stage = &recipe->stages[i];
		if (stage->is_used)
			continue;
		char *text = cn_textf("%s: stages[%zu]: the output, '%s', does not depend on '%s'", file, stage->place,
				      recipe->stages[recipe->output].name, stage->name);
		if (!text)
			return CAIRN_ENOMEM;
		recipe->warnings[recipe->warning_count++] = text;
	}
	return 0;
}

int cn_recipe_end(cairn_recipe *recipe, const json_t *root, const char *file)
{
	cn_recipe_place place = CN_PLACE(file, -1, "output");
	CN_TRY(read_output(recipe, root, place));
	const cn_stage *stage = &recipe->stages[recipe->output];
	if (!is_ranking(stage->output))
		return cn_recipe_fail(place, "'%s' gives %s, but a recipe ends in ranking or verified", stage->name,
				      cairn_value_type_name(stage->output));
	mark_used(recipe);
	return warn_of_unused(recipe, file);
}

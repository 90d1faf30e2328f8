/*
 * Parameters of a stage by its table.
 */
#include "recipe/arguments.h"

#include <math.h>
#include <string.h>

#include "recipe/place.h"
#include "util/memory.h"
#include "util/text.h"

#define MOST_REALS 10000
#define LONGEST    4096               /* bytes of a text */
#define EXACT      9007199254740992.0 /* 2^53: up to it a double holds every whole number */

const char *cn_json_kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction or exponent";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	default:
		return "null";
	}
}

static int fail_type(cn_recipe_place place, const char *wanted, const json_t *value)
{
	return cn_recipe_fail(place, "must be %s, not %s", wanted, cn_json_kind(value));
}

static int check_bounds(cn_recipe_place place, const cn_parameter *parameter, double value)
{
	if (value >= parameter->least && value <= parameter->most && !(parameter->above && value == parameter->least))
		return 0;
	return cn_recipe_fail(place,
			      parameter->above ? "%.16g is not above %.16g and at most %.16g"
					       : "%.16g is outside %.16g to %.16g",
			      value, parameter->least, parameter->most);
}

static int read_integer(cn_recipe_place place, const cn_parameter *parameter, const json_t *value, cn_argument *out)
{
	if (!json_is_integer(value))
		return fail_type(place, "a whole number", value);
	out->integer = json_integer_value(value);
	return check_bounds(place, parameter, (double)out->integer);
}

static int read_real(cn_recipe_place place, const cn_parameter *parameter, const json_t *value, double *out)
{
	if (!json_is_number(value))
		return fail_type(place, "a number", value);
	*out = json_number_value(value);
	return check_bounds(place, parameter, *out);
}

static int read_reals(cn_recipe_place place, const cn_parameter *parameter, const json_t *value, cn_argument *out)
{
	size_t count = json_array_size(value);
	if (!json_is_array(value))
		return fail_type(place, "a list of numbers", value);
	if (count < 1 || count > MOST_REALS)
		return cn_recipe_fail(place, "has %zu numbers; 1 to %d are possible", count, MOST_REALS);
	CN_NEW(out->reals, count, sizeof(*out->reals));
	out->count = count;
	for (size_t i = 0; i < count; i++) {
		place.item = (long)i;
		CN_TRY(read_real(place, parameter, json_array_get(value, i), &out->reals[i]));
	}
	return 0;
}

static int read_choice(cn_recipe_place place, const cn_parameter *parameter, const json_t *value, cn_argument *out)
{
	size_t count = 0;
	if (!json_is_string(value))
		return fail_type(place, "a text", value);
	for (; parameter->choices[count]; count++)
		if (strcmp(parameter->choices[count], json_string_value(value)) == 0) {
			out->choice = (int)count;
			return 0;
		}
	return cn_recipe_fail_unknown(place, json_string_value(value), parameter->choices, count);
}

static int read_text(cn_recipe_place place, const json_t *value, cn_argument *out)
{
	if (!json_is_string(value))
		return fail_type(place, "a text", value);
	if (json_string_length(value) > LONGEST)
		return cn_recipe_fail(place, "has %zu bytes; at most %d are possible", json_string_length(value),
				      LONGEST);
	out->text = cn_strdup(json_string_value(value));
	return out->text ? 0 : CAIRN_ENOMEM;
}

static int read_value(cn_recipe_place place, const cn_parameter *parameter, const json_t *value, cn_argument *out)
{
	out->is_set = 1;
	switch (parameter->kind) {
	case CN_INTEGER:
		return read_integer(place, parameter, value, out);
	case CN_REAL:
		return read_real(place, parameter, value, &out->real);
	case CN_REALS:
		return read_reals(place, parameter, value, out);
	case CN_BOOL:
		if (!json_is_boolean(value))
			return fail_type(place, "true or false", value);
		out->truth = json_is_true(value);
		return 0;
	case CN_CHOICE:
		return read_choice(place, parameter, value, out);
	default:
		return read_text(place, value, out);
	}
}

static int choice_number(const cn_parameter *parameter)
{
	int number = 0;
	while (strcmp(parameter->choices[number], parameter->text) != 0)
		number++;
	return number;
}

static int set_default(const cn_parameter *parameter, cn_argument *out)
{
	out->is_set = out->is_default = 1;
	out->integer = (int64_t)parameter->number;
	out->real = parameter->number;
	out->truth = parameter->number != 0;
	if (parameter->kind == CN_CHOICE)
		out->choice = choice_number(parameter);
	if (parameter->kind != CN_TEXT)
		return 0;
	out->text = cn_strdup(parameter->text);
	return out->text ? 0 : CAIRN_ENOMEM;
}

/* As people write them: 3 rather than 3.0. */
static json_t *real_json(double value)
{
	return fabs(value) < EXACT && value == floor(value) ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *reals_json(const cn_argument *argument)
{
	json_t *list = json_array();
	for (size_t i = 0; list && i < argument->count; i++)
		if (json_array_append_new(list, real_json(argument->reals[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *cn_argument_json(const cn_parameter *parameter, const cn_argument *argument)
{
	switch (parameter->kind) {
	case CN_INTEGER:
		return json_integer(argument->integer);
	case CN_REAL:
		return real_json(argument->real);
	case CN_REALS:
		return reals_json(argument);
	case CN_BOOL:
		return json_boolean(argument->truth);
	case CN_CHOICE:
		return json_string(parameter->choices[argument->choice]);
	default:
		return json_string(argument->text);
	}
}

static int show(const cn_parameter *parameter, cn_argument *argument)
{
	cn_text text = CN_TEXT_INIT;
	json_t *value;
	int status;
	if (parameter->kind == CN_CHOICE || parameter->kind == CN_TEXT) {
		argument->shown =
			cn_strdup(parameter->kind == CN_TEXT ? argument->text : parameter->choices[argument->choice]);
		return argument->shown ? 0 : CAIRN_ENOMEM;
	}
	value = cn_argument_json(parameter, argument);
	status = cn_json_text(&text, value, 0);
	json_decref(value);
	if (status < 0)
		cn_text_free(&text);
	argument->shown = text.data;
	return status;
}

static int read_argument(cn_stage *stage, const cn_parameter *parameter, const json_t *object, const char *file,
			 cn_argument *out)
{
	cn_recipe_place place = CN_PLACE(file, stage->place, parameter->name);
	const json_t *value = json_object_get(object, parameter->name);
	if (value)
		CN_TRY(read_value(place, parameter, value, out));
	else if (parameter->presence == CN_REQUIRED)
		return cn_recipe_fail(place, "is missing: %s", parameter->help);
	else if (parameter->presence == CN_DEFAULT)
		CN_TRY(set_default(parameter, out));
	else
		out->is_default = 1;
	return out->is_set ? show(parameter, out) : 0;
}

int cn_arguments_read(cn_stage *stage, const json_t *object, const char *file)
{
	size_t count = 0;
	while (stage->type->parameters[count].name)
		count++;
	CN_NEW(stage->arguments, count, sizeof(*stage->arguments));
	stage->argument_count = count;
	for (size_t i = 0; i < count; i++)
		CN_TRY(read_argument(stage, &stage->type->parameters[i], object, file, &stage->arguments[i]));
	return 0;
}

void cn_arguments_free(cn_stage *stage)
{
	for (size_t i = 0; i < stage->argument_count; i++) {
		cn_free(stage->arguments[i].text);
		cn_free(stage->arguments[i].reals);
		cn_free(stage->arguments[i].shown);
	}
	cn_free(stage->arguments);
	stage->arguments = NULL;
	stage->argument_count = 0;
}

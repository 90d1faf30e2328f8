/*
 * recipe/arguments.h - reading the parameters of a stage.
 */
#ifndef CN_RECIPE_ARGUMENTS_H
#define CN_RECIPE_ARGUMENTS_H

#include "recipe/recipe.h"
#include "util/json.h"

/**
 * Read the members of `object` that are the parameters of a stage's type, and put defaults where there are none.
 *
 * @param[in,out] stage type and place are set; arguments are made, also after a failure
 */
int cn_arguments_read(cn_stage *stage, const json_t *object, const char *file);
void cn_arguments_free(cn_stage *stage);

/** The value as JSON; NULL where memory is short (no error text). @param argument is set */
json_t *cn_argument_json(const cn_parameter *parameter, const cn_argument *argument);

/** "a text", "a list" and so on: what a value is, for errors. */
const char *cn_json_kind(const json_t *value);

#endif

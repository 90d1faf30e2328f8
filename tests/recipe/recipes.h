/*
 * recipes.h - what tests of recipes share: recipes written with ' for ", and what they become.
 */
#ifndef CN_TESTS_RECIPE_RECIPES_H
#define CN_TESTS_RECIPE_RECIPES_H

#include "cairn/recipe.h"

/** A recipe with these stages and, after them, other members. */
#define RECIPE(stages, more) "{'recipe':1,'title':'t','stages':[" stages "]" more "}"

#define SEARCH(name)         "{'name':'" name "','stage':'search'}"
#define VERIFY(name, of)     "{'name':'" name "','stage':'verify','ranking':'" of "'}"

/** Parse a text, ' standing for ", under the name my.json. */
int parse_recipe(cairn_recipe **out, const char *text);

/** A parameter as people see it, "unset" where nothing is; the test fails where there is none of that name. Borrowed.
 */
const char *parameter_of(const cairn_recipe *recipe, size_t stage, const char *name);

/** "queries=queries index=larger": the inputs of a stage in order, a default marked by a '*' behind it. Static. */
const char *inputs_of(const cairn_recipe *recipe, size_t stage);

/** "near verified end": names of the stages in order. Static. */
const char *order_of(const cairn_recipe *recipe);

#endif

/*
 * recipe/link.h - which stage takes what: names become values, stages get their order, types are checked.
 */
#ifndef CN_RECIPE_LINK_H
#define CN_RECIPE_LINK_H

#include "recipe/recipe.h"
#include "util/json.h"

/**
 * Link the stages of a recipe, order and check them.
 *
 * @param[in,out] recipe its stages have type, name, place and arguments, in the order of the file
 * @param         list   "stages" of the file
 */
int cn_recipe_link(cairn_recipe *recipe, const json_t *list, const char *file);

/** Read "output" of the file, and find the stages that it does not depend on; those become warnings. */
int cn_recipe_end(cairn_recipe *recipe, const json_t *root, const char *file);

#endif

/*
 * recipe/order.h - an order in which stages can run.
 */
#ifndef CN_RECIPE_ORDER_H
#define CN_RECIPE_ORDER_H

#include "recipe/recipe.h"

/**
 * Bring the stages into an order in which each comes after all that it takes from; of those that could come next, the
 * first in the file.
 *
 * @return 0; CAIRN_EFORMAT naming the stages that need each other; CAIRN_ENOMEM
 */
int cn_recipe_order(cairn_recipe *recipe, const char *file);

#endif

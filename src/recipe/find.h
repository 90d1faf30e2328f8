/*
 * recipe/find.h - where recipes are; cairn/recipe.h says in which folders.
 */
#ifndef CN_RECIPE_FIND_H
#define CN_RECIPE_FIND_H

/** The path of a recipe by its name or path. @param[out] path caller frees @return 0; CAIRN_ENOTFOUND where no folder
 * has a recipe of that name; whether a path leads to a file is not looked at; CAIRN_ENOMEM */
int cn_recipe_find(char **path, const char *name);

#endif

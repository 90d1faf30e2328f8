/*
 * recipe/place.h - errors in recipes that name the file and the path of the member at fault.
 */
#ifndef CN_RECIPE_PLACE_H
#define CN_RECIPE_PLACE_H

#include <stddef.h>

#include "util/status.h"

/** A place in a recipe: "FILE: stages[STAGE].MEMBER[ITEM]". */
typedef struct {
	const char *file;
	long stage;         /**< number in the file; negative: a member of the whole */
	const char *member; /**< NULL: the stage, or the whole */
	long item;          /**< of a list; negative: the member itself */
} cn_recipe_place;

#define CN_PLACE(file_, stage_, member_) ((cn_recipe_place){ file_, (long)(stage_), member_, -1 })

/** Fail with CAIRN_EFORMAT and "FILE: PATH: what". */
int cn_recipe_fail(cn_recipe_place place, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The same with "... is unknown; did you mean 'name'? It is one of ...". `names` are count. @param word that is
 * unknown; NULL: the member's name */
int cn_recipe_fail_unknown(cn_recipe_place place, const char *word, const char *const *names, size_t count);

#define cn_recipe_fail(...)         cn_negative((cn_recipe_fail)(__VA_ARGS__))
#define cn_recipe_fail_unknown(...) cn_negative((cn_recipe_fail_unknown)(__VA_ARGS__))

#endif

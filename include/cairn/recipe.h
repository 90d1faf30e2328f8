/*
 * cairn/recipe.h - recipes: whole runs written down in a file, read and type-checked before anything runs.
 *
 * A recipe is a JSON file that names stages (search, verification, query expansion, diffusion and others), their
 * parameters, and which stage takes what from which. docs/recipes.md describes the form and lists the stages.
 *
 * Recipes have names: NAME is NAME.json in the first of these folders that has it: $CAIRN_HOME/recipes (by default
 * ~/.local/share/cairn/recipes), then $CAIRN_RECIPES if that is set, and otherwise where cairn was built or installed.
 *
 * Thread-safety: a recipe does not change once it was opened, so threads may share it.
 */
#ifndef CAIRN_RECIPE_H
#define CAIRN_RECIPE_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_recipe cairn_recipe;

/** What flows from stage to stage. */
typedef enum {
	CAIRN_VALUE_QUERIES, /**< a descriptor for each query */
	CAIRN_VALUE_INDEX,   /**< descriptors of the images that are searched */
	CAIRN_VALUE_TRAIN,   /**< a labelled set */
	CAIRN_VALUE_RANKING, /**< for each query the best images */
	CAIRN_VALUE_VERIFIED /**< a ranking with inliers; may stand wherever a ranking may */
} cairn_value_type;

/** "queries", "index", "train", "ranking" or "verified"; never NULL. */
CAIRN_API const char *cairn_value_type_name(cairn_value_type type);

/**
 * Read and check a recipe. What is sound but hardly meant, as a stage that nothing uses, is a warning to the log.
 *
 * @param[out] out  the caller frees it with cairn_recipe_free()
 * @param      name name of a recipe, or the path of a file: it holds a '/' or ends in ".json"
 * @return 0; CAIRN_ENOTFOUND where there is no such recipe or file; CAIRN_EFORMAT with "file:line:column: what" where
 *         it is no JSON, otherwise with "file: path: what", as "my.json: stages[3].depth: 0 is outside 1 to 1000000";
 *         CAIRN_EIO; CAIRN_ENOMEM
 */
CAIRN_API int cairn_recipe_open(cairn_recipe **out, const char *name);

/** Free a recipe; NULL is allowed. */
CAIRN_API void cairn_recipe_free(cairn_recipe *recipe);

/** What a recipe says of itself. All text is borrowed from it. */
typedef struct {
	const char *name;   /**< of the file, without folder and ".json" */
	const char *path;   /**< of the file */
	const char *title;  /**< one line */
	const char *about;  /**< paragraphs, an empty line between two; empty if there are none */
	const char *output; /**< the stage whose output is the recipe's */
	int needs_train;    /**< 1 if a stage takes the labelled set */
	size_t role_count, warning_count;
} cairn_recipe_info;

/** @param[out] info texts borrowed until the recipe is freed */
CAIRN_API void cairn_recipe_get_info(const cairn_recipe *recipe, cairn_recipe_info *info);

/** A role that a model has in a recipe. */
typedef struct {
	const char *name;  /**< such as "global" or "local" */
	const char *model; /**< an installed bundle, or a kind of local features; a run may put another in its place */
} cairn_recipe_role;

/** @param i below role_count @return 0; CAIRN_EINVALID where there is no such role */
CAIRN_API int cairn_recipe_get_role(const cairn_recipe *recipe, size_t i, cairn_recipe_role *out);

/** One line. @param i below warning_count @param[out] text borrowed @return 0; CAIRN_EINVALID where there is none */
CAIRN_API int cairn_recipe_get_warning(const cairn_recipe *recipe, size_t i, const char **text);

/** The number of stages, at least 1. */
CAIRN_API size_t cairn_recipe_count(const cairn_recipe *recipe);

/** One stage. All text is borrowed from the recipe. */
typedef struct {
	const char *name;
	const char *method; /**< "search", "verify", ... */
	const char *about;  /**< what such a stage does, one line */
	cairn_value_type output;
	int is_used; /**< 0 if the recipe's output does not depend on it */
	size_t input_count, parameter_count;
} cairn_recipe_stage;

/**
 * Stages stand in an order in which each comes after all that it takes from; where that leaves a choice, in that of the
 * file.
 *
 * @param i below cairn_recipe_count()
 * @return 0; CAIRN_EINVALID where there is no such stage
 */
CAIRN_API int cairn_recipe_get_stage(const cairn_recipe *recipe, size_t i, cairn_recipe_stage *out);

/** One value that a stage takes. All text is borrowed from the recipe. */
typedef struct {
	const char *name;  /**< of the input; an input that takes several values stands here several times, in order */
	const char *value; /**< name of a stage, or "queries", "index" or "train": what the run itself gives */
	cairn_value_type type; /**< of the value */
	int is_default;        /**< 1 if the file does not say so */
	int is_list;           /**< 1 if the input takes several values */
} cairn_recipe_input;

/** @param i below input_count @return 0; CAIRN_EINVALID where there is no such stage or input */
CAIRN_API int cairn_recipe_get_input(const cairn_recipe *recipe, size_t stage, size_t i, cairn_recipe_input *out);

/** One parameter of a stage. All text is borrowed from the recipe. */
typedef struct {
	const char *name;
	const char *value; /**< as in JSON, but text without quotes; NULL if nothing is set */
	const char *unset; /**< what holds where nothing is set; NULL for parameters that always have a value */
	const char *about; /**< one line */
	int is_default;    /**< 1 if the file does not say so */
} cairn_recipe_parameter;

/** @param i below parameter_count @return 0; CAIRN_EINVALID where there is no such stage or parameter */
CAIRN_API int cairn_recipe_get_parameter(const cairn_recipe *recipe, size_t stage, size_t i,
					 cairn_recipe_parameter *out);

/** The complete recipe as JSON: stages in the order of cairn_recipe_get_stage(), with all inputs and parameters that
 * have a value. It can be read again, and says the same. @param[out] out caller frees with cairn_bytes_free() */
CAIRN_API int cairn_recipe_to_json(char **out, const cairn_recipe *recipe);

/** A recipe that can be opened by its name. */
typedef struct {
	char *name, *path;
	char *title; /**< NULL where the file is faulty */
	char *fault; /**< what is wrong with it; NULL where nothing is */
} cairn_recipe_entry;

/**
 * The recipes that can be opened by name, sorted by it. Where several folders have one of that name, it is the one that
 * would be opened.
 *
 * @param[out] out array of count entries; free it with cairn_recipe_entries_free()
 * @return 0, also where there is none; CAIRN_EIO; CAIRN_ENOMEM
 */
CAIRN_API int cairn_recipe_list(cairn_recipe_entry **out, size_t *count);
CAIRN_API void cairn_recipe_entries_free(cairn_recipe_entry *entries, size_t count);

#ifdef __cplusplus
}
#endif
#endif

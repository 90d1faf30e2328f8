/*
 * recipe/recipe.h - a recipe that was read and checked.
 */
#ifndef CN_RECIPE_RECIPE_H
#define CN_RECIPE_RECIPE_H

#include <stddef.h>
#include <stdint.h>

#include "recipe/stages.h"

/** Files above this are refused. */
#define CN_RECIPE_BYTES  (1u << 20)
#define CN_RECIPE_STAGES 1000

/** Values by number: first those that the run itself gives, then the outputs of the stages. */
enum { CN_GIVEN_QUERIES, CN_GIVEN_INDEX, CN_GIVEN_TRAIN, CN_GIVEN_COUNT };

/** What the members of an argument are depends on the parameter's kind. */
typedef struct {
	int is_set;     /**< 1 if it has a value, given or by default */
	int is_default; /**< 1 if the file does not say so */
	int64_t integer;
	double real;
	int truth;
	int choice; /**< number of the word */
	char *text;
	double *reals;
	size_t count;
	char *shown; /**< the value for people; NULL where none is set */
} cn_argument;

/** One value that a stage takes. */
typedef struct {
	const cn_stage_input *input;
	size_t value; /**< CN_GIVEN_*, or CN_GIVEN_COUNT + the number of a stage */
	int is_default;
	long item; /**< of the list in the file; negative where the input takes one value */
} cn_link;

typedef struct cn_stage {
	const cn_stage_type *type;
	char *name;
	size_t place; /**< number in the file */
	cairn_value_type output;
	int is_used;
	cn_link *links; /**< by inputs, those of a list in order */
	size_t link_count;
	cn_argument *arguments; /**< one for each of the type's parameters */
	size_t argument_count;
} cn_stage;

typedef struct {
	char *name, *model;
} cn_role;

struct cairn_recipe {
	char *name, *path, *title, *about;
	cn_role *roles;
	size_t role_count;
	cn_stage *stages; /**< each after all that it takes from */
	size_t stage_count;
	size_t output; /**< number of a stage */
	char **warnings;
	size_t warning_count;
};

/** Read and check a recipe of a text. @param file what errors call it @param[out] out caller frees it with
 * cairn_recipe_free(). @return 0; CAIRN_EFORMAT; CAIRN_ENOMEM */
int cn_recipe_parse(cairn_recipe **out, const char *bytes, size_t length, const char *file);

/** The same from a file; does not log the warnings. */
int cn_recipe_read(cairn_recipe **out, const char *path);

/** What a run or a check asks of a stage's parameters by their names, which must be in its table. */
const cn_argument *cn_stage_argument(const cn_stage *stage, const char *name);

/** Whether a choice has that word. */
int cn_stage_chose(const cn_stage *stage, const char *parameter, const char *word);

/** Whether a stage reads local features of the queries. */
int cn_stage_needs_local(const cn_stage *stage);

/** The first link of an input; NULL where there is none. */
const cn_link *cn_stage_link(const cn_stage *stage, const char *input);

/** The name of a value by its number, and its type. Of stages `output` must be known. */
const char *cn_value_name(const cairn_recipe *recipe, size_t value);
cairn_value_type cn_value_type_of(const cairn_recipe *recipe, size_t value);

/** The name of CN_GIVEN_*. */
const char *cn_given_name(size_t given);

/** Whether the recipe takes the labelled set. */
int cn_recipe_needs_train(const cairn_recipe *recipe);

#endif

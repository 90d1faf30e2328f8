/*
 * recipe/stages.h - the stages that recipes are made of: what each takes, gives and can be told.
 *
 * A stage is one entry of the table in stages.c. What is read, checked, shown and documented of it follows from there.
 */
#ifndef CN_RECIPE_STAGES_H
#define CN_RECIPE_STAGES_H

#include <stddef.h>

#include "cairn/recipe.h"

typedef enum {
	CN_INTEGER, /**< a whole number within 2^53 */
	CN_REAL,
	CN_BOOL,
	CN_CHOICE, /**< one of a few words */
	CN_TEXT,
	CN_REALS /**< a list of real numbers, at least one */
} cn_parameter_kind;

/** What holds where a member is left out. */
typedef enum {
	CN_DEFAULT,  /**< the default */
	CN_OPTIONAL, /**< nothing is set */
	CN_REQUIRED  /**< it is an error */
} cn_presence;

/** One parameter; arrays end with an entry whose name is NULL. Use the macros of stages.c. */
typedef struct {
	const char *name;
	cn_parameter_kind kind;
	cn_presence presence;
	double number;      /**< default of CN_INTEGER, CN_REAL and CN_BOOL */
	const char *text;   /**< default of CN_CHOICE and CN_TEXT; with CN_OPTIONAL: what then holds, for people */
	double least, most; /**< inclusive; of CN_INTEGER, CN_REAL and the numbers of CN_REALS */
	int above;          /**< 1: `least` itself is outside */
	const char *const *choices; /**< ended by NULL; of CN_CHOICE */
	const char *help;           /**< one line, without full stop */
} cn_parameter;

/** What a stage takes; arrays end with an entry whose name is NULL. */
typedef struct {
	const char *name;
	cairn_value_type type; /**< where a ranking is wanted, one with inliers may stand too */
	int optional;          /**< 1: may be left out, and is then not there */
	int many;              /**< 1: a list of 2 to CN_MOST_MANY different values; never optional */
	const char *with; /**< NULL, or the parameter that it goes with: needed where that is set, otherwise refused */
	const char *or_from; /**< where `with` is set and this is left out: the input that serves if its type suits */
} cn_stage_input;

struct cn_stage;
struct cn_work;

/** One kind of stage; the table ends with an entry whose name is NULL. */
typedef struct {
	const char *name;
	const char *help; /**< one line, without full stop */
	const cn_stage_input *inputs;
	cairn_value_type output;
	const char
		*output_as; /**< NULL, or the input whose type the output has; `output` is then the least it can be */
	const cn_parameter *parameters;
	/** NULL, or what its inputs and parameters must hold together, looked at when everything else is sound. Fails
	 * by cn_recipe_fail() at the member that is at fault. */
	int (*check)(const struct cn_stage *stage, const char *file);
	/** Makes the output: stage_runs.h. */
	int (*run)(const struct cn_work *work);
} cn_stage_type;

#define CN_MOST_MANY 100

extern const cn_stage_type cn_stage_types[];

/** The entry of that name; NULL if there is none. */
const cn_stage_type *cn_stage_type_find(const char *name);

/** The place of a parameter in the table of its stage; it must be there. */
size_t cn_parameter_place(const cn_stage_type *type, const char *name);

#endif

/*
 * cli/command.h - a command is a table: its options drive the parser, --help, the man page and shell completion.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stddef.h>
#include <stdint.h>

/** What a shell offers in the place of a value or an operand. */
enum complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_FOLDER,
	COMPLETE_MODEL,   /**< an installed model */
	COMPLETE_PACKAGE, /**< a model that can be installed */
	COMPLETE_RECIPE,  /**< a recipe by name, or a file */
	COMPLETE_COMMAND
};

enum option_kind { OPTION_FLAG, OPTION_OPTIONAL, OPTION_TEXT, OPTION_LIST, OPTION_CHOICE, OPTION_WHOLE, OPTION_REAL };

/** Values of an option that may be given several times, in order; borrowed from the command line. */
struct texts {
	const char **items;
	size_t count;
};

/** One option; arrays end with an entry whose name is NULL. Use the OPT_ macros. */
struct option {
	enum option_kind kind;
	char letter;       /**< 0: none */
	const char *name;  /**< without dashes */
	const char *value; /**< what help calls the value; NULL for a flag */
	const char *help;
	union {
		int *flag;
		const char **text; /**< OPTION_TEXT, OPTION_CHOICE, OPTION_OPTIONAL (empty without value) */
		struct texts *list;
		uint64_t *whole;
		double *real;
	} to; /**< where the value goes; what stands there before is the default */
	enum complete complete;
	const char *const *choices;   /**< of OPTION_CHOICE, NULL at the end */
	uint64_t least, most;         /**< of OPTION_WHOLE, inclusive */
	double real_least, real_most; /**< of OPTION_REAL, inclusive */
	int hidden;                   /**< left out of help, man page and completion */
};

#define OPT_FLAG(l, n, target, h)                                                                                      \
	{                                                                                                              \
		.kind = OPTION_FLAG, .letter = l, .name = n, .to.flag = target, .help = h                              \
	}
/** --NAME or --NAME=VALUE. */
#define OPT_OPTIONAL(n, v, target, how, h)                                                                             \
	{                                                                                                              \
		.kind = OPTION_OPTIONAL, .name = n, .value = v, .to.text = target, .complete = how, .help = h          \
	}
#define OPT_TEXT(l, n, v, target, how, h)                                                                              \
	{                                                                                                              \
		.kind = OPTION_TEXT, .letter = l, .name = n, .value = v, .to.text = target, .complete = how, .help = h \
	}
#define OPT_LIST(l, n, v, target, how, h)                                                                              \
	{                                                                                                              \
		.kind = OPTION_LIST, .letter = l, .name = n, .value = v, .to.list = target, .complete = how, .help = h \
	}
#define OPT_CHOICE(n, v, target, of, h)                                                                                \
	{                                                                                                              \
		.kind = OPTION_CHOICE, .name = n, .value = v, .to.text = target, .choices = of, .help = h              \
	}
#define OPT_WHOLE(l, n, v, target, from, upto, h)                                                                      \
	{                                                                                                              \
		.kind = OPTION_WHOLE, .letter = l, .name = n, .value = v, .to.whole = target, .least = from,           \
		.most = upto, .help = h                                                                                \
	}
#define OPT_REAL(n, v, target, from, upto, h)                                                                          \
	{                                                                                                              \
		.kind = OPTION_REAL, .name = n, .value = v, .to.real = target, .real_least = from, .real_most = upto,  \
		.help = h                                                                                              \
	}
#define OPT_END                                                                                                        \
	{                                                                                                              \
		.name = NULL                                                                                           \
	}

/** One operand; arrays end with an entry whose name is NULL. Only the last may be `many`. */
struct operand {
	const char *name;
	enum complete complete;
	int optional, many;
};

struct section {
	const char *title, *text;
};

struct example {
	const char *command, *about;
};

struct command;

/** What a command is run with. */
struct arguments {
	const struct command *command;
	const char **operands;
	size_t count;
};

/**
 * One command, or a group of commands. Text is in paragraphs that an empty line separates and that are filled to the
 * width of the page; lines that begin with two spaces stay as they are.
 */
struct command {
	const char *name;    /**< words after "cairn", such as "model install"; empty for cairn itself */
	const char *summary; /**< one line, without full stop */
	const char *description;
	const char *const *usage;                      /**< what follows the name; NULL: made from the operands */
	const struct operand *operands;                /**< NULL: none */
	const struct option *options;                  /**< NULL: none but those that all commands have */
	const struct section *sections;                /**< ended by a NULL title; NULL: none */
	const struct example *examples;                /**< ended by a NULL command; NULL: none */
	const struct command *const *children;         /**< commands of a group, NULL at the end; NULL: not a group */
	int (*run)(const struct arguments *arguments); /**< returns the exit code */
};

extern const struct command cairn_command; /* all of them hang below it; main.c */
extern const struct command cmd_init, cmd_add, cmd_index, cmd_remove, cmd_compact, cmd_check, cmd_info, cmd_search,
	cmd_verify, cmd_knn, cmd_eval, cmd_eval_roxford, cmd_model, cmd_model_list, cmd_model_install, cmd_model_import,
	cmd_model_propose, cmd_model_info, cmd_model_bench, cmd_model_whiten, cmd_model_pca, cmd_recipe,
	cmd_recipe_list, cmd_recipe_show, cmd_run, cmd_recipe_check, cmd_help;

#endif

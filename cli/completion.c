/*
 * Completion scripts for bash, zsh and fish, from the same tables as the help.
 */
#include <stdlib.h>
#include <string.h>

#include "cairn/model.h"
#include "help.h"
#include "options.h"

/* Text inside single quotes of a shell; `special` characters get a backslash. */
static void quoted(FILE *file, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", file);
		else if (strchr(special, *text))
			fprintf(file, "\\%c", *text);
		else
			putc(*text, file);
	}
}

static const char *own_name(const struct command *command)
{
	const char *space = strrchr(command->name, ' ');
	return space ? space + 1 : command->name;
}

static void words(FILE *file, const char *const *list)
{
	for (const char *const *word = list; *word; word++)
		fprintf(file, "%s%s", word > list ? " " : "", *word);
}

static void package_names(FILE *file)
{
	const cairn_model_recipe *recipes = cairn_model_recipes();
	for (size_t i = 0; recipes[i].name; i++)
		fprintf(file, "%s%s", i ? " " : "", recipes[i].name);
}

static void command_names(FILE *file, const struct command *group)
{
	for (const struct command *const *child = group->children; *child; child++)
		fprintf(file, "%s%s", child > group->children ? " " : "", own_name(*child));
}

/* The kind that covers a command's operands: files where they differ. */
static enum complete operand_kind(const struct command *command)
{
	enum complete kind = COMPLETE_NOTHING;
	for (const struct operand *operand = command->operands; operand && operand->name; operand++)
		kind = kind == COMPLETE_NOTHING || kind == operand->complete ? operand->complete : COMPLETE_FILE;
	return kind;
}

/* ---- bash ---- */

static void bash_path(const struct command *command, void *payload)
{
	const char *name = own_name(command);
	if (*command->name)
		fprintf(payload, "\t\t'%.*s/%s') command='%s' ;;\n",
			(int)(name > command->name ? name - command->name - 1 : 0), command->name, name, command->name);
}

static void bash_kind(FILE *file, enum complete kind)
{
	static const char *const names[] = { "nothing", "file", "folder", "model", "package", "recipe", "command" };
	fprintf(file, "kind=%s", names[kind]);
}

static void bash_value(FILE *file, const char *command, const struct option *option)
{
	if (option->kind == OPTION_FLAG || option->kind == OPTION_OPTIONAL || option->hidden)
		return;
	fputs("\t", file);
	if (option->letter)
		fprintf(file, "%s:-%c%s", command, option->letter, option->name[1] ? " | " : "");
	if (option->name[1])
		fprintf(file, "%s:--%s", command, option->name);
	fputs(") ", file);
	if (option->kind == OPTION_CHOICE) {
		fputs("kind=words; list='", file);
		words(file, option->choices);
		putc('\'', file);
	} else
		bash_kind(file, option->complete);
	fputs(" ;;\n", file);
}

static void bash_values(const struct command *command, void *payload)
{
	char *pattern = NULL;
	if (asprintf(&pattern, "'%s'", command->name) < 0)
		return;
	for (const struct option *option = command->options; option && option->name; option++)
		bash_value(payload, pattern, option);
	free(pattern);
}

static void bash_options(FILE *file, const struct option *options)
{
	for (; options && options->name; options++) {
		if (options->hidden)
			continue;
		if (options->name[1])
			fprintf(file, "--%s ", options->name);
		else
			fprintf(file, "-%c ", options->letter);
	}
}

static void bash_command(const struct command *command, void *payload)
{
	FILE *file = payload;
	fprintf(file, "\t'%s') options='", command->name);
	bash_options(file, command->options);
	fputs("' ", file);
	if (command->children) {
		fputs("words='", file);
		command_names(file, command);
		fputs("' ;;\n", file);
	} else {
		fputs("operand", file);
		bash_kind(file, operand_kind(command));
		fputs(" ;;\n", file);
	}
}

static void bash_completion(FILE *file)
{
	fputs("# bash completion for cairn; printed by: cairn help --completion bash\n"
	      "_cairn() {\n"
	      "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal command='' kind='' list='' options='' words='' operandkind=file i\n"
	      "\tlocal IFS=$' \\t\\n'\n"
	      "\tCOMPREPLY=()\n"
	      "\t# bash takes --name=value apart at the '='\n"
	      "\tif [[ $previous == '=' ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	      "\tif [[ $current == '=' ]]; then current=''; fi\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase \"$command/${COMP_WORDS[i]}\" in\n",
	      file);
	for_each_command(&cairn_command, bash_path, file);
	fputs("\t\tesac\n\tdone\n\tcase \"$command:$previous\" in\n", file);
	for_each_command(&cairn_command, bash_values, file);
	for (const struct option *option = common_options; option->name; option++)
		bash_value(file, "*", option);
	fputs("\tesac\n\tcase \"$command\" in\n", file);
	for_each_command(&cairn_command, bash_command, file);
	fputs("\tesac\n"
	      "\tif [[ -z $kind && $current == -* ]]; then\n"
	      "\t\tkind=words list=\"$options",
	      file);
	bash_options(file, common_options);
	fputs("\"\n"
	      "\telif [[ -z $kind && -n $words ]]; then\n"
	      "\t\tkind=words list=$words\n"
	      "\tfi\n"
	      "\tcase ${kind:-$operandkind} in\n"
	      "\tmodel) list=$(\"${COMP_WORDS[0]}\" model list --names 2>/dev/null) ;;\n"
	      "\trecipe) list=$(\"${COMP_WORDS[0]}\" recipe list --names 2>/dev/null) ;;\n"
	      "\tpackage) list='",
	      file);
	package_names(file);
	fputs("' ;;\n\tcommand) list='", file);
	command_names(file, &cairn_command);
	fputs("' ;;\n"
	      "\tesac\n"
	      "\tcase ${kind:-$operandkind} in\n"
	      "\tnothing) ;;\n"
	      "\tfile | folder)\n"
	      "\t\tlocal how=-f\n"
	      "\t\tif [[ ${kind:-$operandkind} == folder ]]; then how=-d; fi\n"
	      "\t\tcompopt -o filenames 2>/dev/null\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen \"$how\" -- \"$current\")\n"
	      "\t\t;;\n"
	      "\trecipe)\n"
	      "\t\tcompopt -o filenames 2>/dev/null\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -f -W \"$list\" -- \"$current\")\n"
	      "\t\t;;\n"
	      "\t*) mapfile -t COMPREPLY < <(compgen -W \"$list\" -- \"$current\") ;;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -F _cairn cairn\n",
	      file);
}

/* ---- zsh ---- */

static void zsh_action(FILE *file, enum complete kind)
{
	switch (kind) {
	case COMPLETE_FILE:
		fputs("_files", file);
		break;
	case COMPLETE_FOLDER:
		fputs("_files -/", file);
		break;
	case COMPLETE_MODEL:
		fputs("_cairn_models", file);
		break;
	case COMPLETE_RECIPE:
		fputs("_cairn_recipes", file);
		break;
	case COMPLETE_PACKAGE:
		putc('(', file);
		package_names(file);
		putc(')', file);
		break;
	case COMPLETE_COMMAND:
		putc('(', file);
		command_names(file, &cairn_command);
		putc(')', file);
		break;
	default:
		putc(' ', file);
	}
}

static void zsh_option(FILE *file, const struct option *option, const char *dashes, const char *name,
		       const char *equals)
{
	fprintf(file, "\t\t'%s%s%s%s[", option->kind == OPTION_LIST ? "*" : "", dashes, name,
		option->kind == OPTION_FLAG       ? ""
		: option->kind == OPTION_OPTIONAL ? "=-"
						  : equals);
	quoted(file, option->help, "[]:\\");
	putc(']', file);
	if (option->kind != OPTION_FLAG) {
		fputs(option->kind == OPTION_OPTIONAL ? "::" : ":", file);
		quoted(file, option->value, "[]:\\");
		putc(':', file);
		if (option->kind == OPTION_CHOICE) {
			putc('(', file);
			words(file, option->choices);
			putc(')', file);
		} else
			zsh_action(file, option->complete);
	}
	fputs("' \\\n", file);
}

static void zsh_options(FILE *file, const struct option *options)
{
	for (; options && options->name; options++) {
		char letter[2] = { options->letter, '\0' };
		if (options->hidden)
			continue;
		if (options->letter)
			zsh_option(file, options, "-", letter, "+");
		if (options->name[1])
			zsh_option(file, options, "--", options->name, "=");
	}
}

static void zsh_function_name(FILE *file, const struct command *command)
{
	fputs("_cairn", file);
	if (*command->name)
		putc('_', file);
	for (const char *c = command->name; *c; c++)
		putc(*c == ' ' ? '_' : *c, file);
}

static void zsh_group(FILE *file, const struct command *group)
{
	fputs("\t\t'1:command:->command' '*::argument:->argument'\n\tcase $state in\n\tcommand)\n\t\tlocal -a "
	      "commands=(\n",
	      file);
	for (const struct command *const *child = group->children; *child; child++) {
		fprintf(file, "\t\t\t'%s:", own_name(*child));
		quoted(file, (*child)->summary, "");
		fputs("'\n", file);
	}
	fputs("\t\t)\n\t\t_describe command commands\n\t\t;;\n\targument)\n\t\tcase $words[1] in\n", file);
	for (const struct command *const *child = group->children; *child; child++) {
		fprintf(file, "\t\t%s) ", own_name(*child));
		zsh_function_name(file, *child);
		fputs(" ;;\n", file);
	}
	fputs("\t\tesac\n\t\t;;\n\tesac\n", file);
}

static void zsh_command(const struct command *command, void *payload)
{
	FILE *file = payload;
	putc('\n', file);
	zsh_function_name(file, command);
	fputs("() {\n\tlocal curcontext=$curcontext state line\n\t_arguments -C -s \\\n", file);
	zsh_options(file, command->options);
	zsh_options(file, common_options);
	if (command->children)
		zsh_group(file, command);
	else {
		fputs("\t\t'*:operand:", file);
		zsh_action(file, operand_kind(command));
		fputs("'\n", file);
	}
	fputs("}\n", file);
}

static void zsh_completion(FILE *file)
{
	fputs("#compdef cairn\n# zsh completion for cairn; printed by: cairn help --completion zsh\n\n"
	      "_cairn_models() {\n\tlocal -a models=(${(f)\"$(_call_program models cairn model list --names "
	      "2>/dev/null)\"})\n"
	      "\tcompadd -a models\n}\n\n"
	      "_cairn_recipes() {\n\tlocal -a recipes=(${(f)\"$(_call_program recipes cairn recipe list --names "
	      "2>/dev/null)\"})\n"
	      "\tcompadd -a recipes\n\t_files\n}\n",
	      file);
	for_each_command(&cairn_command, zsh_command, file);
	fputs("\n_cairn \"$@\"\n", file);
}

/* ---- fish ---- */

static void fish_value(FILE *file, const struct option *option)
{
	/* A value stands behind '=' only, where fish offers files by itself. */
	if (option->kind == OPTION_OPTIONAL)
		return;
	if (option->kind == OPTION_CHOICE) {
		fputs(" -x -a '", file);
		words(file, option->choices);
		putc('\'', file);
	} else if (option->complete == COMPLETE_FILE)
		fputs(" -r -F", file);
	else if (option->complete == COMPLETE_FOLDER)
		fputs(" -x -a '(__fish_complete_directories)'", file);
	else if (option->complete == COMPLETE_MODEL)
		fputs(" -x -a '(cairn model list --names 2>/dev/null)'", file);
	else if (option->complete == COMPLETE_RECIPE)
		fputs(" -r -F -a '(cairn recipe list --names 2>/dev/null)'", file);
	else if (option->kind != OPTION_FLAG)
		fputs(" -x", file);
}

static void fish_options(FILE *file, const char *condition, const struct option *options)
{
	for (; options && options->name; options++) {
		if (options->hidden)
			continue;
		fprintf(file, "complete -c cairn%s", condition);
		if (options->letter)
			fprintf(file, " -s %c", options->letter);
		if (options->name[1])
			fprintf(file, " -l %s", options->name);
		fish_value(file, options);
		fputs(" -d '", file);
		/* Inside single quotes fish wants \' and \\ */
		for (const char *c = options->help; *c; c++)
			fprintf(file, "%s%c", *c == '\'' || *c == '\\' ? "\\" : "", *c);
		fputs("'\n", file);
	}
}

static void fish_operands(FILE *file, const char *condition, const struct command *command)
{
	enum complete kind = operand_kind(command);
	if (kind == COMPLETE_FILE || kind == COMPLETE_FOLDER || kind == COMPLETE_RECIPE) {
		fprintf(file, "complete -c cairn%s -F%s\n", condition,
			kind == COMPLETE_RECIPE ? " -a '(cairn recipe list --names 2>/dev/null)'" : "");
		return;
	}
	fprintf(file, "complete -c cairn%s -f", condition);
	if (kind == COMPLETE_MODEL)
		fputs(" -a '(cairn model list --names 2>/dev/null)'", file);
	if (kind == COMPLETE_PACKAGE || kind == COMPLETE_COMMAND) {
		fputs(" -a '", file);
		if (kind == COMPLETE_PACKAGE)
			package_names(file);
		else
			command_names(file, &cairn_command);
		putc('\'', file);
	}
	putc('\n', file);
}

static void fish_command(const struct command *command, void *payload)
{
	FILE *file = payload;
	char *condition = NULL;
	if (asprintf(&condition, " -n '__cairn_is %s'", command->name) < 0)
		return;
	for (const struct command *const *child = command->children; child && *child; child++) {
		fprintf(file, "complete -c cairn -n '__cairn_at %s' -f -a %s -d '", command->name, own_name(*child));
		for (const char *c = (*child)->summary; *c; c++)
			fprintf(file, "%s%c", *c == '\'' || *c == '\\' ? "\\" : "", *c);
		fputs("'\n", file);
	}
	if (*command->name)
		fish_options(file, condition, command->options);
	if (!command->children)
		fish_operands(file, condition, command);
	free(condition);
}

static void fish_completion(FILE *file)
{
	fputs("# fish completion for cairn; printed by: cairn help --completion fish\n"
	      "function __cairn_is\n"
	      "\tset -l plain (string match -v -- '-*' (commandline -opc))\n"
	      "\tset -e plain[1]\n"
	      "\tfor word in $argv\n"
	      "\t\tif not set -q plain[1]; or test \"$plain[1]\" != \"$word\"\n"
	      "\t\t\treturn 1\n"
	      "\t\tend\n"
	      "\t\tset -e plain[1]\n"
	      "\tend\n"
	      "end\n"
	      "function __cairn_at\n"
	      "\tset -l plain (string match -v -- '-*' (commandline -opc))\n"
	      "\tset -e plain[1]\n"
	      "\ttest \"$plain\" = \"$argv\"\n"
	      "end\n",
	      file);
	fish_options(file, "", common_options);
	for_each_command(&cairn_command, fish_command, file);
}

int print_completion(FILE *file, const char *shell)
{
	if (strcmp(shell, "bash") == 0)
		bash_completion(file);
	else if (strcmp(shell, "zsh") == 0)
		zsh_completion(file);
	else if (strcmp(shell, "fish") == 0)
		fish_completion(file);
	else
		return -1;
	return 0;
}

/*
 * cairn help: the help of any command, and what is made of the tables at build time.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "exit_code.h"
#include "help.h"
#include "options.h"
#include "output.h"
#include "text.h"

static int man, list;
static const char *shell;

static const char *const shells[] = { "bash", "zsh", "fish", NULL };

static void print_name(const struct command *command, void *payload)
{
	(void)payload;
	puts(command->name);
}

static int unknown(const struct command *command, const char *name)
{
	const struct command *meant = closest_command(name);
	if (meant)
		return usage_error(command, "there is no command '%s'; did you mean '%s'?", name, meant->name);
	return usage_error(command, "there is no command '%s'; 'cairn help' lists the commands", name);
}

static int run(const struct arguments *arguments)
{
	char *name = need_text("%s", "");
	for (size_t i = 0; i < arguments->count; i++) {
		char *longer = need_text("%s%s%s", name, *name ? " " : "", arguments->operands[i]);
		free(name);
		name = longer;
	}
	const struct command *command = find_command(name);
	int code = EXIT_DONE;
	if (!command)
		code = unknown(arguments->command, name);
	else if (list)
		for_each_command(&cairn_command, print_name, NULL);
	else if (shell)
		print_completion(stdout, shell);
	else if (man)
		print_man(stdout, command);
	else
		print_help(stdout, command);
	free(name);
	return output_end(code);
}

static const struct operand operands[] = {
	{ "COMMAND", COMPLETE_COMMAND, 1, 1 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_CHOICE("completion", "SHELL", &shell, shells, "print the completion script for bash, zsh or fish"),
	OPT_FLAG(0, "man", &man, "print the man page's source"),
	OPT_FLAG(0, "list", &list, "print the names of all commands, one a line; the first, of cairn itself, is empty"),
	OPT_END,
};

static const struct example example_list[] = {
	{ "cairn help model install", "explain one command" },
	{ "source <(cairn help --completion bash)", "complete commands and options in this shell" },
	{ NULL, NULL },
};

const struct command cmd_help = {
	.name = "help",
	.summary = "explain a command",
	.description =
		"Explains cairn or one of its commands. Where cairn is installed, 'man cairn-COMMAND' does so too.",
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};

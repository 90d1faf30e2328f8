/*
 * cairn, the command: finds the command in the tables, reads the options, runs it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cairn/error.h"
#include "command.h"
#include "defaults.h"
#include "exit_code.h"
#include "help.h"
#include "options.h"
#include "output.h"
#include "say.h"

static int wants_version;

static const struct command *const commands[] = {
	&cmd_init,    &cmd_add,   &cmd_index, &cmd_search, &cmd_verify, &cmd_knn,  &cmd_info, &cmd_remove,
	&cmd_compact, &cmd_check, &cmd_model, &cmd_recipe, &cmd_run,    &cmd_eval, &cmd_help, NULL,
};

static const struct option root_options[] = {
	OPT_FLAG(0, "version", &wants_version, "the version"),
	OPT_END,
};

static const struct section root_sections[] = {
	{ "first steps", "  cairn model install " DEFAULT_MODEL "\n"
			 "  cairn init my-photos\n"
			 "  cairn add my-photos ~/Pictures\n"
			 "  cairn search my-photos holiday.jpg --report report.html" },
	{ "output",
	  "Data go to stdout, messages and progress to stderr. Text is for people and may change; control characters "
	  "in it "
	  "are shown as escapes. --format json and --format csv are for programs and keep their form. In JSON, a path "
	  "or label that is not UTF-8 has U+FFFD in the place of each faulty byte, and beside it a member that ends in "
	  "_bytes "
	  "holds "
	  "its bytes in hexadecimal." },
	{ NULL, NULL },
};

const struct command cairn_command = {
	.name = "",
	.summary = "find every photograph of the same place, and prove it",
	.description =
		"Finds the photographs of a collection that show the same place as a given one: by descriptors of "
		"neural networks, and by matched points that agree on one geometric map.",
	.options = root_options,
	.sections = root_sections,
	.children = commands,
};

/* A closed standard stream would be taken by the next file that is opened, and messages would end up in it. */
static void keep_standard_streams(void)
{
	for (int stream = 0; stream < 3; stream++)
		if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY) < 0)
			_Exit(EXIT_INPUT);
}

static int run(const struct arguments *arguments)
{
	if (common.help) {
		print_help(stdout, arguments->command);
		return output_end(EXIT_DONE);
	}
	if (wants_version) {
		printf("cairn %s\n", cairn_version());
		return output_end(EXIT_DONE);
	}
	if (arguments->command->children)
		return usage_error(arguments->command, "a command is missing");
	return arguments->command->run(arguments);
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	keep_standard_streams();
	/* A reader that goes away, and a file that must not grow further, show as errors of writing. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	say_start(NORMAL);
	output_start();
	int code = read_command_line(&arguments, argc, argv);
	if (code == 0) {
		say_start(common.quiet ? QUIET : common.verbose ? VERBOSE : NORMAL);
		if (common.home && setenv("CAIRN_HOME", common.home, 1) != 0)
			code = EXIT_INPUT;
		else
			code = run(&arguments);
	}
	free(arguments.operands);
	return code;
}

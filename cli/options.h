/*
 * cli/options.h - reading the command line by the tables of commands.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "command.h"

/** What every command takes. */
struct common_options {
	const char *home;
	int quiet, verbose, help;
};

extern struct common_options common;
extern const struct option common_options[];

/**
 * Find the command and read its options and operands.
 *
 * @param[out] out the deepest command that was named, and its operands
 * @return 0, or EXIT_USAGE after the fault was told
 */
int read_command_line(struct arguments *out, int argc, char **argv);

/** Say what is wrong with the use of a command, and how it is used. @return EXIT_USAGE */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** How an option is written: "--verify", or "-k" where that is all there is. */
void option_spelling(const struct option *option, char *out, size_t size);

/** The command of a name such as "model install"; NULL where there is none. */
const struct command *find_command(const char *name);

/** The command that was probably meant by a name that is none; NULL where there is no guess. */
const struct command *closest_command(const char *name);

#endif

/*
 * cli/help.h - what the tables of commands become: help, man pages, completion scripts.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "command.h"

/** "cairn search DIR IMAGE... [options]"; the caller frees it. */
char *usage_line(const struct command *command);

/** The n-th way to use a command, without "cairn"; NULL after the last. The caller frees it. */
char *usage_variant(const struct command *command, size_t n);

/** --help */
void print_help(FILE *file, const struct command *command);

/** The man page, in the man(7) macros. */
void print_man(FILE *file, const struct command *command);

/** @return 0, or -1 where the shell is none of bash, zsh, fish */
int print_completion(FILE *file, const char *shell);

/** Call `visit` for cairn itself and every command below it, groups included. */
void for_each_command(const struct command *root, void (*visit)(const struct command *command, void *payload),
		      void *payload);

#endif

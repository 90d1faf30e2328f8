/*
 * cli/exit_code.h - what the command's exit status means.
 */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

enum exit_codes {
	EXIT_DONE = 0,
	EXIT_USAGE = 1,       /* the command line is wrong */
	EXIT_INPUT = 2,       /* a file, a model, a collection or the system did not do what was asked */
	EXIT_DAMAGED = 3,     /* a file that cairn wrote is damaged */
	EXIT_INTERRUPTED = 4, /* stopped on request; the same command goes on */
};

/** The exit code for a status of the library; the one place where they are mapped. */
int exit_code(int status);

#endif

/*
 * cli/say.h - messages for people, on stderr, and the status line that a terminal shows below them.
 */
#ifndef CLI_SAY_H
#define CLI_SAY_H

enum loudness { QUIET, NORMAL, VERBOSE };

/** Once, before any other work: the terminal's abilities and the library's messages. */
void say_start(enum loudness loudness);

/** A line of information; not with --quiet. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** A line of detail; only with --verbose. */
void say_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** What went wrong, after "cairn: ". */
void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Not what was hoped for, after "cairn: warning: "; not with --quiet. */
void say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The same line for the errors of a library call; returns the exit code. */
int say_failure(int status);

/** Whether stderr is a terminal that can show a status line, and wants one. */
int has_status_line(void);
int has_colour(void);
int has_utf8(void);
int is_quiet(void);

/** Width of the terminal on stderr, 80 where it is unknown. */
unsigned terminal_width(void);

/** Before data go to stdout: take the status line away where they would be printed over it. */
void clear_for_output(void);

/** Show a line that later ones replace; messages go above it. NULL takes it away. Printed as it is. */
void status_line(const char *line);

#endif

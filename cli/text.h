/*
 * cli/text.h - memory and text for the command. Where memory is short these end the program with a message.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

__attribute__((noreturn)) void out_of_memory(void);
void *need(size_t count, size_t size); /* zeroed */
void *need_more(void *old, size_t count, size_t size);
char *need_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** A copy that is valid UTF-8: each byte that is not becomes U+FFFD. @param[out] changed NULL, or 1 if there was one */
char *clean_utf8(const char *text, int *changed);

/** A copy for people: control characters and bytes that are not UTF-8 become escapes such as \n and \xff. */
char *visible(const char *text);

/** A path as a word to type: quoted for the shell where it must be, and never taken for an option. Not for printing as
 * it is: pass it on to say(). */
char *shell_word(const char *path);

/** Whole text as a number without sign, space or rest. @return 1, or 0 where it is none or not within the bounds */
int parse_whole(const char *text, uint64_t least, uint64_t most, uint64_t *out);

/** Whole text as a number of bytes: a whole number, perhaps with K, M, G or T (also kB, KiB) for powers of 1024 behind
 * it. @return 1, or 0 */
int parse_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *out);

/** Whole text as a decimal number, finite. @return 1, or 0 */
int parse_real(const char *text, double least, double most, double *out);

/** The candidate that the text was probably meant to be, or NULL. Candidates end with NULL. */
const char *closest(const char *text, const char *const *candidates);

/** "a/b" without doubling the slash. */
char *join_path(const char *folder, const char *name);

double seconds_now(void);

#endif

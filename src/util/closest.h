/*
 * util/closest.h - "did you mean": the name that a misspelt word was probably meant to be.
 */
#ifndef CN_UTIL_CLOSEST_H
#define CN_UTIL_CLOSEST_H

#include <stddef.h>

/**
 * The name with the fewest letters inserted, left out, replaced or exchanged with their neighbour, or NULL where more
 * than a third of the word would have to change (but one letter always may). A name that begins with the word counts as
 * one change. Of equally near ones the first; bytes are compared. Words of one byte, and those of more than 64, are
 * near to nothing.
 *
 * @param names count of them
 */
const char *cn_closest(const char *word, const char *const *names, size_t count);

#endif

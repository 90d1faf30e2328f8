/*
 * Optimal string alignment distance (Damerau-Levenshtein without edits of what was edited before).
 */
#include "util/closest.h"

#include <string.h>

#define LONGEST 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Three rows of the table: the last two are needed for exchanged neighbours. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][LONGEST + 1];
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *now = rows[i % 3];
		const size_t *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			now[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]), least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

const char *cn_closest(const char *word, const char *const *names, size_t count)
{
	size_t length = strlen(word), best = length < 2 ? 0 : length < 6 ? 2 : length / 3 + 1;
	const char *found = NULL;
	if (length > LONGEST)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t name_length = strlen(names[i]), far;
		if (name_length > LONGEST)
			continue;
		far = distance(word, length, names[i], name_length);
		if (length >= 2 && strncmp(word, names[i], length) == 0)
			far = least(far, 1);
		if (far < best) {
			best = far;
			found = names[i];
		}
	}
	return found;
}

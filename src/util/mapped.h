/*
 * util/mapped.h - read-only mapped files.
 */
#ifndef CN_UTIL_MAPPED_H
#define CN_UTIL_MAPPED_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

typedef struct {
	const uint8_t *bytes; /**< NULL for an empty file */
	size_t length;
} cn_mapped;

int cn_mapped_open(cn_mapped *out, const char *path);
void cn_mapped_close(cn_mapped *file); /**< harmless on a zeroed struct */

#endif

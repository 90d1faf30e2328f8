/*
 * global/pairs.h - pairs of matching images, as numbers of images in a list.
 */
#ifndef CN_GLOBAL_PAIRS_H
#define CN_GLOBAL_PAIRS_H

#include <stdint.h>

#include "cairn/whitening.h"

struct cairn_pairs {
	char **paths; /* image_count different ones, in byte order */
	size_t image_count;
	uint32_t *pairs; /* 2 x count: query and positive of each, numbers of images */
	size_t count;
};

#endif

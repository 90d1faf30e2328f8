/*
 * cli/progress.h - how far long work is: a bar on a terminal, a plain line now and then elsewhere.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cairn/error.h"

#define PROGRESS_SAMPLES 32

/** One piece of work as it is shown. */
struct progress {
	char stage[64];
	struct {
		double time;
		uint64_t done;
	} samples[PROGRESS_SAMPLES]; /* of the last seconds, for the rate */
	unsigned first, count;
	double last_line;
	double interval;      /* seconds between plain lines */
	int told;             /* said that the work is being stopped */
	const char *stopping; /* what to say then */
};

/** @param stopping what to say when Ctrl-C is seen; NULL: nothing special */
void progress_start(struct progress *progress, const char *stopping);

/** A cairn_progress_cb; payload is a struct progress. Cancels after Ctrl-C. */
int progress_show(const cairn_progress *now, void *payload);

/** Take the bar away. */
void progress_end(struct progress *progress);

#endif

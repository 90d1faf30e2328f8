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
		double time, done;
	} samples[PROGRESS_SAMPLES]; /* of the last seconds, for the rate */
	unsigned first, count;
	cairn_progress items; /* of progress_item(); total 0: there are none */
	double part;          /* of the item in hand, 0 to 1 */
	double last_shown;
	double interval;      /* seconds between plain lines */
	int told;             /* said that the work is being stopped */
	const char *stopping; /* what to say then */
};

/** @param stopping what to say when Ctrl-C is seen; NULL: nothing special */
void progress_start(struct progress *progress, const char *stopping);

/** A cairn_progress_cb; payload is a struct progress. Cancels after Ctrl-C. */
int progress_show(const cairn_progress *now, void *payload);

/**
 * The next of several items is begun: what the library tells from now on is how far this one is, and is shown as a part
 * of the whole. Of a single item it is shown as it is told.
 *
 * @param stage what is done with the items; must stay valid
 * @return as progress_show()
 */
int progress_item(struct progress *progress, const char *stage, uint64_t done, uint64_t total);

/** Take the bar away. */
void progress_end(struct progress *progress);

#endif

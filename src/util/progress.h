/*
 * util/progress.h - telling the caller how far work is, not too often.
 */
#ifndef CN_UTIL_PROGRESS_H
#define CN_UTIL_PROGRESS_H

#include <pthread.h>

#include "cairn/error.h"

/** Seconds of the monotonic clock. */
double cn_seconds(void);

/** One stage of work. Its functions may be called from several threads. */
typedef struct {
	cairn_progress_cb callback;
	void *payload;
	cairn_progress state;
	pthread_mutex_t mutex;
	double last; /* when it was told, in cn_seconds(); 0: never */
	int cancelled;
} cn_progress;

void cn_progress_start(cn_progress *progress, cairn_progress_cb callback, void *payload, const char *stage,
		       uint64_t total);

/** Count items. @return 0, or CAIRN_ECANCELLED (error text set) from the moment the callback asked to stop */
int cn_progress_add(cn_progress *progress, uint64_t done, uint64_t failed);

/** Report the last state whatever the time and release the mutex. */
void cn_progress_end(cn_progress *progress);

#endif

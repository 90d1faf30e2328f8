/*
 * Progress to the caller's callback, one call at a time and not too often. The first item is always told, so that a
 * caller who wants to stop can do so at once.
 */
#include "util/progress.h"

#include <string.h>
#include <time.h>

#include "util/status.h"

#define INTERVAL 0.1 /* seconds */

double cn_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cn_progress_start(cn_progress *progress, cairn_progress_cb callback, void *payload, const char *stage,
		       uint64_t total)
{
	memset(progress, 0, sizeof(*progress));
	progress->callback = callback;
	progress->payload = payload;
	progress->state.stage = stage;
	progress->state.total = total;
	pthread_mutex_init(&progress->mutex, NULL);
}

static int due(cn_progress *progress)
{
	double now = cn_seconds();

	if (progress->last > 0 && now - progress->last < INTERVAL)
		return 0;
	progress->last = now;
	return 1;
}

int cn_progress_add(cn_progress *progress, uint64_t done, uint64_t failed)
{
	int cancelled;

	pthread_mutex_lock(&progress->mutex);
	progress->state.done += done;
	progress->state.failed += failed;
	if (progress->callback && !progress->cancelled && due(progress) &&
	    progress->callback(&progress->state, progress->payload) != 0)
		progress->cancelled = 1;
	cancelled = progress->cancelled;
	pthread_mutex_unlock(&progress->mutex);
	if (cancelled)
		return cn_fail(CAIRN_ECANCELLED, "%s: cancelled", progress->state.stage);
	return 0;
}

void cn_progress_end(cn_progress *progress)
{
	if (progress->callback && !progress->cancelled)
		progress->callback(&progress->state, progress->payload);
	pthread_mutex_destroy(&progress->mutex);
}

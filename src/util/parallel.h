/*
 * util/parallel.h - a small pool of threads and a loop over it.
 *
 * Work is handed out in ranges of `grain` indices from a shared counter, so which thread does which range varies;
 * bodies must write to places that belong to the index, and then results do not depend on the number of threads.
 */
#ifndef CN_UTIL_PARALLEL_H
#define CN_UTIL_PARALLEL_H

#include <stddef.h>

#include "util/status.h"

typedef struct cn_workers cn_workers;

/** Number of cores this process may use, >= 1. */
unsigned cn_cores(void);

/** @param threads 0: one for each core; 1: no thread is started, loops run in the caller */
int cn_workers_new(cn_workers **out, unsigned threads);

/** A few are kept for the next cn_workers_new(); NULL is allowed. */
void cn_workers_free(cn_workers *pool);

/** End those that are kept; done when the library is unloaded. */
void cn_workers_end_idle(void);

unsigned cn_workers_threads(const cn_workers *pool);

/** One range of a loop. @param worker 0 to threads-1, for scratch memory. @return 0 or a negative status, which stops
 * the loop */
typedef int (*cn_loop_body)(void *context, size_t begin, size_t end, unsigned worker);

/**
 * Run body over [0, count). The caller works too. Not re-entrant from a body.
 *
 * @param pool  NULL: in the calling thread alone
 * @param grain indices a range, 0 counts as 1
 * @return 0, or the status of the failing range with the smallest begin, its error text set in the calling thread
 */
int cn_parallel_for(cn_workers *pool, size_t count, size_t grain, cn_loop_body body, void *context);

#endif

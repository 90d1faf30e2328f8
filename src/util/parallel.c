/*
 * A pool of threads that sleep between loops, and pools that are kept between their users, since starting a thread
 * takes as long as a small search. A loop's ranges are numbered and handed out in order, which makes the failure
 * reported the same on every run: of the failing ranges, the first was certainly handed out before work stopped.
 */
#include "util/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "util/memory.h"

typedef struct {
	size_t count, grain, ranges;
	cn_loop_body body;
	void *context;
	atomic_size_t next;    /* number of the range to hand out */
	atomic_int stopped;    /* a range failed: hand out no more */
	pthread_mutex_t mutex; /* guards what follows */
	size_t failed_range;
	int status;
	char error[CN_ERROR_SIZE];
} loop_state;

typedef struct {
	cn_workers *pool;
	pthread_t thread;
	unsigned number;
} worker;

struct cn_workers {
	pthread_mutex_t owner; /* one loop at a time */
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t work, idle;
	loop_state *loop;
	atomic_ulong generation; /* counts loops, so that a worker joins each of them once */
	atomic_uint busy;
	int quit;
	unsigned started;
	worker *workers; /* threads - 1 */
	unsigned threads;
	cn_workers *next; /* among the idle pools */
};

#define MOST_IDLE 4 /* pools */
/* How often to look before going to sleep: some 20 microseconds, less than waking up takes. */
#define GLANCES 1000

unsigned cn_cores(void)
{
	cpu_set_t set;
	long online;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (unsigned)CPU_COUNT(&set);
	online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (unsigned)online : 1;
}

static void note_failure(loop_state *loop, size_t range, int status)
{
	atomic_store(&loop->stopped, 1);
	pthread_mutex_lock(&loop->mutex);
	if (loop->status == 0 || range < loop->failed_range) {
		loop->failed_range = range;
		loop->status = status;
		cn_error_save(loop->error, sizeof(loop->error));
	}
	pthread_mutex_unlock(&loop->mutex);
}

static void work_on(loop_state *loop, unsigned number)
{
	while (!atomic_load(&loop->stopped)) {
		size_t range = atomic_fetch_add(&loop->next, 1), begin, end;
		int status;

		if (range >= loop->ranges)
			return;
		begin = range * loop->grain;
		end = loop->count - begin < loop->grain ? loop->count : begin + loop->grain;
		status = loop->body(loop->context, begin, end, number);
		if (status < 0)
			note_failure(loop, range, status);
	}
}

static void pause_a_moment(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void await_loop(cn_workers *pool, unsigned long seen)
{
	for (int i = 0; i < GLANCES && atomic_load(&pool->generation) == seen; i++)
		pause_a_moment();
	pthread_mutex_lock(&pool->mutex);
	while (!pool->quit && atomic_load(&pool->generation) == seen)
		pthread_cond_wait(&pool->work, &pool->mutex);
}

static void *run_worker(void *argument)
{
	worker *self = argument;
	cn_workers *pool = self->pool;
	unsigned long seen = 0;

	for (;;) {
		await_loop(pool, seen);
		if (pool->quit)
			break;
		seen = atomic_load(&pool->generation);
		loop_state *loop = pool->loop;
		pthread_mutex_unlock(&pool->mutex);
		work_on(loop, self->number);
		pthread_mutex_lock(&pool->mutex);
		if (atomic_fetch_sub(&pool->busy, 1) == 1)
			pthread_cond_signal(&pool->idle);
		pthread_mutex_unlock(&pool->mutex);
	}
	pthread_mutex_unlock(&pool->mutex);
	return NULL;
}

/* Signals belong to the threads of the host, not to these. */
static int start_workers(cn_workers *pool)
{
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->started + 1 < pool->threads && !error) {
		worker *next = &pool->workers[pool->started];

		*next = (worker){ .pool = pool, .number = pool->started + 1 };
		error = pthread_create(&next->thread, NULL, run_worker, next);
		if (!error)
			pool->started++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return cn_fail(CAIRN_ENOMEM, "thread %u of %u could not be started (%s); ask for fewer",
			       pool->started + 2, pool->threads, strerror(error));
	return 0;
}

static void end_pool(cn_workers *pool)
{
	pthread_mutex_lock(&pool->mutex);
	pool->quit = 1;
	atomic_fetch_add(&pool->generation, 1);
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->workers[i].thread, NULL);
	pthread_cond_destroy(&pool->idle);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->mutex);
	pthread_mutex_destroy(&pool->owner);
	cn_free(pool->workers);
	cn_free(pool);
}

/* ---- idle pools ---- */

static pthread_mutex_t idle_mutex = PTHREAD_MUTEX_INITIALIZER;
static cn_workers *idle_pools;
static unsigned idle_count;

/* In a child process the threads are not there. */
static void forget_idle(void)
{
	pthread_mutex_init(&idle_mutex, NULL);
	idle_pools = NULL;
	idle_count = 0;
}

static void lock_idle(void)
{
	pthread_mutex_lock(&idle_mutex);
}

static void unlock_idle(void)
{
	pthread_mutex_unlock(&idle_mutex);
}

static void watch_forks(void)
{
	pthread_atfork(lock_idle, unlock_idle, forget_idle);
}

static cn_workers *take_idle(unsigned threads)
{
	cn_workers *found = NULL;
	pthread_mutex_lock(&idle_mutex);
	for (cn_workers **at = &idle_pools; *at; at = &(*at)->next)
		if ((*at)->threads == threads) {
			found = *at;
			*at = found->next;
			idle_count--;
			break;
		}
	pthread_mutex_unlock(&idle_mutex);
	return found;
}

/* @return 1 where it is kept */
static int keep_idle(cn_workers *pool)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&idle_mutex);
	int kept = idle_count < MOST_IDLE;
	if (kept) {
		pool->next = idle_pools;
		idle_pools = pool;
		idle_count++;
	}
	pthread_mutex_unlock(&idle_mutex);
	return kept;
}

__attribute__((destructor)) void cn_workers_end_idle(void)
{
	cn_workers *pool;
	pthread_mutex_lock(&idle_mutex);
	pool = idle_pools;
	idle_pools = NULL;
	idle_count = 0;
	pthread_mutex_unlock(&idle_mutex);
	while (pool) {
		cn_workers *next = pool->next;
		end_pool(pool);
		pool = next;
	}
}

/* ---- pools ---- */

int cn_workers_new(cn_workers **out, unsigned threads)
{
	cn_workers *pool;
	int status;

	if (threads == 0)
		threads = cn_cores();
	*out = take_idle(threads);
	if (*out)
		return 0;
	CN_NEW(pool, 1, sizeof(*pool));
	pthread_mutex_init(&pool->owner, NULL);
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->idle, NULL);
	pool->threads = threads;
	pool->workers = cn_alloc_zero(threads - 1, sizeof(*pool->workers));
	status = pool->workers ? start_workers(pool) : CAIRN_ENOMEM;
	if (status < 0) {
		end_pool(pool);
		return status;
	}
	*out = pool;
	return 0;
}

void cn_workers_free(cn_workers *pool)
{
	if (pool && !keep_idle(pool))
		end_pool(pool);
}

unsigned cn_workers_threads(const cn_workers *pool)
{
	return pool ? pool->threads : 1;
}

static void run_on_pool(cn_workers *pool, loop_state *loop)
{
	pthread_mutex_lock(&pool->owner);
	pthread_mutex_lock(&pool->mutex);
	pool->loop = loop;
	atomic_store(&pool->busy, pool->started);
	atomic_fetch_add(&pool->generation, 1);
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
	work_on(loop, 0);
	for (int i = 0; i < GLANCES && atomic_load(&pool->busy) > 0; i++)
		pause_a_moment();
	pthread_mutex_lock(&pool->mutex);
	while (atomic_load(&pool->busy) > 0)
		pthread_cond_wait(&pool->idle, &pool->mutex);
	pool->loop = NULL;
	pthread_mutex_unlock(&pool->mutex);
	pthread_mutex_unlock(&pool->owner);
}

int cn_parallel_for(cn_workers *pool, size_t count, size_t grain, cn_loop_body body, void *context)
{
	loop_state loop = { .count = count, .grain = grain ? grain : 1, .body = body, .context = context };

	if (count == 0)
		return 0;
	loop.ranges = (count - 1) / loop.grain + 1;
	pthread_mutex_init(&loop.mutex, NULL);
	if (pool && pool->started && loop.ranges > 1)
		run_on_pool(pool, &loop);
	else
		work_on(&loop, 0);
	pthread_mutex_destroy(&loop.mutex);
	if (loop.status < 0)
		cn_error_restore(loop.error);
	return loop.status;
}

/*
 * The first signal sets a mark and gives all of them back to the system, so that a second one ends the program.
 */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	caught = number;
	sigaction(SIGINT, &plain, NULL);
	sigaction(SIGTERM, &plain, NULL);
	sigaction(SIGHUP, &plain, NULL);
}

static void watch(int number)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before;
	/* A signal that the parent told us to ignore, as nohup and shells do for background jobs, stays ignored. */
	if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		sigaction(number, &action, NULL);
}

void interrupt_watch(void)
{
	watch(SIGINT);
	watch(SIGTERM);
	watch(SIGHUP);
}

int interrupted(void)
{
	return caught;
}

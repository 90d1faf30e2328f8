/*
 * cli/interrupt.h - Ctrl-C asks long work to stop in order; a second one ends the program at once.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

/** From now on SIGINT and SIGTERM are remembered once instead of ending the program. */
void interrupt_watch(void);

/** The signal that came, or 0. */
int interrupted(void);

#endif

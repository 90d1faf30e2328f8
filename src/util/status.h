/*
 * util/status.h - failing: set the thread's error text and return the code in one step.
 */
#ifndef CN_UTIL_STATUS_H
#define CN_UTIL_STATUS_H

#include <stdarg.h>

#include "cairn/error.h"

/** Room for the longest error text, with its NUL. */
#define CN_ERROR_SIZE 1024

/** Set cairn_last_error() and return `code`, or CAIRN_EBACKEND where `code` is no failure. Name the file, the value at
 * fault and the remedy. */
int cn_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** As cn_fail() for a failed system call: picks the code from errno (ENOENT, ENOSPC, ENOMEM, else CAIRN_EIO) and
 * appends its text. */
int cn_fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The code that cn_fail_errno() gives for an errno. */
int cn_errno_status(int error);

/** Put "what: " before the text of the last error and return `code`; for callers that know more of what was being done.
 */
int cn_fail_context(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Copy out and set the raw text, to carry a failure from a worker thread to the thread that waits for it. */
void cn_error_save(char *text, size_t size);
void cn_error_restore(const char *text);

/*
 * Compilers and analysers see here that a failure is negative, and so that what a failed call has not set is not used
 * behind CN_TRY() and CN_GOTO().
 */
static inline int cn_negative(int status)
{
	if (status >= 0)
		__builtin_unreachable();
	return status;
}

#define cn_fail(...)         cn_negative((cn_fail)(__VA_ARGS__))
#define cn_fail_errno(...)   cn_negative((cn_fail_errno)(__VA_ARGS__))
#define cn_fail_context(...) cn_negative((cn_fail_context)(__VA_ARGS__))

/** Return from the function if `expression` fails. */
#define CN_TRY(expression)                                                                                             \
	do {                                                                                                           \
		int cn_try_ = (expression);                                                                            \
		if (cn_try_ < 0)                                                                                       \
			return cn_try_;                                                                                \
	} while (0)

/** Set `status` and go to the function's single exit, `done`, if `expression` fails. */
#define CN_GOTO(status, expression)                                                                                    \
	do {                                                                                                           \
		(status) = (expression);                                                                               \
		if ((status) < 0)                                                                                      \
			goto done;                                                                                     \
	} while (0)

#endif

/*
 * support.h - what the tests share: cmocka with its includes, status assertions, temporary folders, seeded numbers.
 */
#ifndef CN_TESTS_SUPPORT_H
#define CN_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cairn/error.h"

/** The call succeeds; otherwise the test fails with the error text. */
#define assert_ok(call) cn_assert_ok((call), #call, __FILE__, __LINE__)

/** The call fails with `code` and leaves an error text that contains `part` (NULL: any text, but not an empty one). */
#define assert_fails(call, code, part) cn_assert_fails((call), (code), (part), #call, __FILE__, __LINE__)

void cn_assert_ok(int status, const char *call, const char *file, int line);
void cn_assert_fails(int status, int code, const char *part, const char *call, const char *file, int line);

/** A new empty folder under the system's temporary folder; borrowed, removed at exit. */
const char *cn_test_folder(void);

/** "folder/name" in a ring of static buffers; for test file names only. */
const char *cn_test_path(const char *folder, const char *name);

/** Write a file with these bytes. */
void cn_test_write(const char *path, const void *bytes, size_t length);

/** Folder of the measuring data, or NULL after saying that the test is skipped. */
const char *cn_test_data(void);

/** Deterministic numbers: splitmix64, uniform in [0,1), standard normal. */
uint64_t cn_test_random(uint64_t *state);
float cn_test_uniform(uint64_t *state);
float cn_test_normal(uint64_t *state);

#endif

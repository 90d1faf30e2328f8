/*
 * util/log.h - messages to the callback of cairn_set_log().
 */
#ifndef CN_UTIL_LOG_H
#define CN_UTIL_LOG_H

#include "cairn/error.h"

void cn_log(cairn_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

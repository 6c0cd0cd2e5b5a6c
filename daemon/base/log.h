/*
 * One line per change of state, to stderr with a syslog priority in front, which the journal
 * understands. Only the roof logs, never the tick; repeats are limited by the caller's struct
 * log_limit.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdint.h>

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_NOTE = 5, LOG_LEVEL_INFO = 6 };

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct log_limit {
    int64_t next_ns; /* CLOCK_MONOTONIC */
    uint64_t held;   /* lines kept back since the last one */
};

/* As log_line, at most once in every_s; the line says how many were kept back. */
void log_limited(struct log_limit *l, double every_s, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

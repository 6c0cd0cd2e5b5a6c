/*
 * Errors of the world: functions return 0 or a count, else -errno, and leave ret_ outputs
 * untouched. Where a person must act, they also fill one sentence: what, where, which limit, what
 * to do.
 */
#pragma once

#include "daemon/base/rt.h"

#define WHY_CHARS 256

/*
 * Write one sentence into ret_why [cap] (NULL is fine) and return code, so that callers can say
 * `return why(ret_why, cap, -EINVAL, "joint %s: ...", name);`
 */
int why(char *ret_why, int cap, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

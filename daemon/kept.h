/*
 * The replay outlives the process: the service manager keeps a descriptor of its memory (the FD
 * store) and hands it to the next life, after kill -9 too. Without a service manager all of this
 * does nothing.
 */
#pragma once

#include "daemon/base/err.h"

/* The replay of an earlier life, or -1. Other descriptors that were handed over are closed. Call
 * once, before any thread starts. */
int kept_take(void);

/* Keep this one from now on, and no other. Errors: -errno and one sentence; -ENOTCONN: nobody is
 * there to keep it. */
int kept_put(int fd, char *ret_why, int cap) BASAL_MUST_USE;

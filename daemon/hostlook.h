/*
 * What the system's own files say of a bus's device. sys and proc are where those file systems are
 * mounted.
 */
#pragma once

#include "daemon/base/err.h"

#include <stddef.h>

/* How long a USB serial adapter holds short answers back; -1: the device is none, or does not say.
 */
int host_latency_ms(const char *sys, const char *device);
/* 0, or -errno. */
int host_set_latency_ms(const char *sys, const char *device, int ms) BASAL_MUST_USE;

/*
 * Who else has the device open: "screen (pid 12), cat (pid 13)", or "". The other side of a
 * pseudo-terminal is nobody. Of other users' programs only root knows.
 */
void host_holders(const char *proc, const char *device, char *ret_text, size_t cap);

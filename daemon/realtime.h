/*
 * What the loop needs from the system to be on time: locked memory, no deep sleep of the processor,
 * no huge-page surprises, a scheduling class. enforce refuses to start without, prefer says what is
 * missing.
 */
#pragma once

#include "daemon/config.h"

struct realtime_state {
    int dma_latency_fd; /* held open as long as deep sleep is unwanted; -1: none */
};

/*
 * Process-wide part; the loop's thread takes its class itself. ret_verdict gets one sentence. 0, or
 * -EPERM with realtime: enforce when something is missing.
 */
int realtime_enter(struct realtime_state *ret_state, const struct control_settings *c,
                   char *ret_verdict, int cap) BASAL_MUST_USE;
void realtime_leave(struct realtime_state *s);

/* The loop's processor: the configured one, or the last of those that this process may use. */
int realtime_cpu(const struct control_settings *c);

/*
 * The life as a service: real devices, real time, threads. Starts limp, stops under control, tells
 * the service manager.
 */
#pragma once

#include "daemon/house.h"

struct service_spec {
    struct house_spec house;
    const char *runtime_dir; /* sockets */
    const char *state_dir;   /* metrics, checkpoints, estop latch; NULL: none */
    const char *resume;      /* checkpoint to go on from, or NULL */
    const char *stall;       /* test builds: hang this thread */
};

/* Returns an exit status. */
int service_run(const struct service_spec *spec);

/* After any exit, by the service manager: cut torque, read it back, leave. Returns an exit status.
 */
int service_make_safe(const struct house_spec *spec);

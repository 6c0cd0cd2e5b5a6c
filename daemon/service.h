/*
 * The life as a service: real devices, real time, threads. Starts limp, stops under control, tells
 * the service manager.
 */
#pragma once

#include "daemon/house.h"

struct service_spec {
    struct house_spec house;
    const char *runtime_dir;   /* sockets */
    const char *state_dir;     /* metrics, checkpoints, estop latch; NULL: none */
    const char *resume;        /* checkpoint to go on from, or NULL */
    bool go_on;                /* from the newest checkpoint of state_dir, where there is one */
    const char *stall, *crash; /* test builds: a thread's name, or NULL */
};

/* Returns an exit status. */
int service_run(const struct service_spec *spec);

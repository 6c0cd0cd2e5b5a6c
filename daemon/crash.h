/*
 * A crash anywhere is a controlled stop. On any thread but the loop's the handler sets STOP_CRASHED
 * and parks that thread: the loop stops the robot, then leaves the process by crash_leave. On the
 * loop's own thread the handler writes the bytes that cut torque, then lets the process die; the
 * devices' watchdogs are behind it. So does the end of a process whose loop does not answer the
 * crash within patience_ns, or does not tick at all.
 */
#pragma once

#include "daemon/plant.h"

#include <stdatomic.h>
#include <stdint.h>

struct crash_spec {
    _Atomic uint32_t *stop;          /* sticky bits that the loop reads each tick */
    const _Atomic uint32_t *latched; /* enum latched: an estop outlives the crash ... */
    int latch_dir;                   /* ... in this folder; -1: nothing is kept */
    struct plant *plant;
    int64_t patience_ns; /* from a crash to the loop's leaving; more than its stop takes */
};

/* Before the threads start. All that the spec names is borrowed. */
void crash_install(const struct crash_spec *spec);

/* Called by every other thread as it begins: its handler has a stack of its own. */
void crash_on_thread(void);
/* ... and as it ends, which takes that stack away. */
void crash_thread_ends(void);
/* Called by the loop's thread: from now on it answers crashes ... */
void crash_on_loop_thread(void);
/* ... and from now on nobody does. Leaves the process, without touching what another thread may
 * have broken, where STOP_CRASHED is why the loop has ended. */
void crash_loop_ended(void);

/* When the threads have ended, before what was given goes away. */
void crash_uninstall(void);

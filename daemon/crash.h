/*
 * A crash anywhere is a controlled stop. On any thread but the loop's the handler sets STOP_CRASHED
 * and parks that thread for ever: the loop stops the robot, then the process leaves. On the loop's
 * own thread the handler writes the bytes that cut torque, then lets the process die; the devices'
 * watchdogs are behind it.
 */
#pragma once

#include "daemon/plant.h"

#include <stdatomic.h>

void crash_install(_Atomic uint32_t *stop, struct plant *plant);
/* When the loop has ended, on the thread that installed it and before what was given goes away. */
void crash_uninstall(void);
/* Called by the loop thread: when it begins, and before it ends. */
void crash_on_loop_thread(void);
void crash_leave_loop_thread(void);

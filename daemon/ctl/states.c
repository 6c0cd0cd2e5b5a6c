/* Verbs that change the robot's state: they wait until it has changed, so that a script may go on.
 */
#include "daemon/ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ARM_S      30.0 /* identify, write what differs, torque on, for many joints on a slow bus */
#define STOP_S     120.0 /* a retreat and a descent */
#define ESTOP_S    3.0
#define LOOK_AT_NS 20000000L

struct change {
    const char *passing; /* states on the way */
    const char *good;    /* states that were asked for */
    const char *note;    /* what they mean */
    double patience_s;
};

/* Ask until a tick later than the grant has left the states on the way, or patience ends. */
static Basald__V1__Reply *wait_for(struct ctl *c, const struct change *x, int *ret_status)
{
    const double until_s = ctl_now_s() + x->patience_s;
    uint64_t first = UINT64_MAX; /* tick that may be older than the grant */
    for (;;) {
        Basald__V1__Reply *r = ctl_ask_status(c, ret_status);
        if (r == NULL) {
            return NULL;
        }
        const uint64_t tick = r->status->last->tick;
        first = first == UINT64_MAX ? tick : first;
        const bool passed = tick > first && !ctl_one_of(x->passing, r->status->state);
        if (passed || ctl_now_s() > until_s) {
            return r;
        }
        ctl_free(r);
        (void)nanosleep(&(const struct timespec){.tv_nsec = LOOK_AT_NS}, NULL);
    }
}

/* Ask for it, then see it happen. */
static int see_through(struct ctl *c, const struct change *x)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    int status = 0;
    q.verb = ctl_text(c->verb);
    Basald__V1__Reply *r = ctl_ask(c, &q, &status);
    if (r == NULL || !r->ok) {
        status = r != NULL ? ctl_print_reply(c, r) : status;
        ctl_free(r);
        return status;
    }
    ctl_free(r);
    r = wait_for(c, x, &status);
    if (r == NULL) {
        return status;
    }
    const char *state = r->status->state, *why = r->status->why;
    const bool good = ctl_one_of(x->good, state);
    if (good) {
        why = x->note;
    } else if (why[0] == '\0') {
        why = ctl_one_of(x->passing, state)
                  ? "it takes longer than it should; watch basalctl status"
                  : "something else came between; watch basalctl status";
    }
    status = ctl_print_state(c, good, state, why);
    ctl_free(r);
    return status;
}

int ctl_arm(struct ctl *c)
{
    return see_through(c, &(const struct change){.passing = "arming stopping",
                                                 .good = "ready running",
                                                 .note = "torque is on, the pose is held",
                                                 .patience_s = ARM_S});
}

/* A fault or an estop that is there already has stopped the robot, and stays. */
int ctl_stop(struct ctl *c)
{
    return see_through(c,
                       &(const struct change){.passing = "arming ready running holding retreating "
                                                         "damped stopping",
                                              .good = "limp boot",
                                              .note = "torque is off",
                                              .patience_s = STOP_S});
}

int ctl_estop(struct ctl *c)
{
    return see_through(
        c, &(const struct change){.passing = "boot limp arming ready running stopping fault",
                                  .good = "estop holding retreating damped",
                                  .note = "latched until basalctl clear",
                                  .patience_s = ESTOP_S});
}

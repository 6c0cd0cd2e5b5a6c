/*
 * The step machine of set-up on CAN. Steps of one joint are asked and answered one after the other;
 * a step of all is sent to every joint at once and ends when all have answered, so that no motor's
 * own timeout runs out while its neighbours are still being set up.
 */
#include "drivers/can_walk.h"

#include "daemon/base/clock.h"

#include <errno.h>
#include <stdio.h>

#define TRIES         4
#define PATIENT_TRIES 80

static bool all_answered(const struct setup *s)
{
    for (int k = 0; k < s->bus->n; k++) {
        if (can_joint_of(s->bus, s->bus->joint[k])->owes) {
            return false;
        }
    }
    return true;
}

/* A frame during a step of all: whose is it? */
static bool hear_all(const struct can_steps *steps, struct setup *s, const struct can_step *step,
                     const struct canfd_frame *rx)
{
    for (int k = 0; k < s->bus->n; k++) {
        struct can_joint *z = can_joint_of(s->bus, s->bus->joint[k]);
        const enum can_heard heard =
            z->owes ? steps->hear(s, s->bus->joint[k], step, rx) : HEARD_OTHER;
        if (heard == HEARD_YES || heard == HEARD_FAILED) {
            z->owes = false;
        }
        if (heard != HEARD_OTHER) {
            if (all_answered(s) && s->state == SETUP_BUSY) {
                can_next_step(s);
            }
            return true;
        }
    }
    return false;
}

static bool hear_one(const struct can_steps *steps, struct setup *s, const struct can_step *step,
                     const struct canfd_frame *rx)
{
    switch (steps->hear(s, s->bus->joint[s->joint], step, rx)) {
    case HEARD_OTHER:
        return false;
    case HEARD_YES:
        can_next_step(s);
        break;
    case HEARD_DIFFERS:
        can_go(s, CAN_PART_WRITE);
        break;
    case HEARD_WRITTEN:
        can_go(s, CAN_PART_ASK);
        s->tries++;
        break;
    case HEARD_FAILED: /* a disarm goes on to the next joint */
        can_skip_joint(s, &steps->list[s->goal]);
        break;
    case HEARD_NOT_YET:
        break;
    }
    return true;
}

static void take_frames(const struct can_steps *steps, struct setup *s, const struct can_step *step,
                        int64_t now_ns, const struct canfd_frame *rx, int n)
{
    const int joint = s->joint, stage = s->stage;
    while ((int)s->used < n && s->state == SETUP_BUSY) {
        const struct canfd_frame *f = &rx[s->used++];
        const bool ours =
            can_is_for_all(step) ? hear_all(steps, s, step, f) : hear_one(steps, s, step, f);
        s->bus->bad_replies += !ours;
        if (s->joint != joint || s->stage != stage) {
            s->wake_ns = now_ns;
            return;
        }
    }
}

static int send_all(const struct can_steps *steps, struct setup *s, const struct can_step *step,
                    struct canfd_frame *ret_tx, int cap)
{
    int n = 0;
    for (int k = 0; k < s->bus->n; k++) {
        const int j = s->bus->joint[k];
        struct can_joint *z = can_joint_of(s->bus, j);
        if (s->tries == 0) {
            z->owes = can_applies(steps, s, j, step);
            z->differed = false;
        }
        if (z->owes && n == cap) {
            return -ENOSPC;
        }
        if (z->owes) {
            steps->ask(s, j, step, false, &ret_tx[n++]);
        }
    }
    return n;
}

static int send(const struct can_steps *steps, struct setup *s, const struct can_step *step,
                int64_t now_ns, struct canfd_frame *ret_tx, int cap)
{
    const bool write =
        can_part_of(s) == CAN_PART_WRITE || ((step->flags & CAN_PUT) != 0 && s->tries == 0);
    const int64_t wait_ms = step->wait_ms != 0 ? step->wait_ms : CAN_ANSWER_MS;
    int n = 1;
    if (can_is_for_all(step)) {
        n = send_all(steps, s, step, ret_tx, cap);
    } else if (cap < 1) {
        return -ENOSPC;
    } else {
        struct can_joint *z = can_joint_of(s->bus, s->bus->joint[s->joint]);
        z->differed = z->differed && s->tries > 0;
        steps->ask(s, s->bus->joint[s->joint], step, write, ret_tx);
    }
    s->wake_ns = now_ns + wait_ms * NS_PER_MS;
    if (n == 0) { /* a step of all that is for none */
        s->wake_ns = now_ns;
        can_next_step(s);
    } else if (n > 0 && (step->flags & CAN_QUIET) != 0) {
        s->wake_ns = step->wait_ms != 0 ? s->wake_ns : now_ns;
        can_next_step(s);
    } else {
        can_go(s, write ? CAN_PART_HEAR_WRITE : CAN_PART_HEAR);
    }
    return n;
}

static void out_of_tries(const struct can_steps *steps, struct setup *s,
                         const struct can_step *step)
{
    int k = can_is_for_all(step) ? 0 : s->joint;
    while (can_is_for_all(step) && k < s->bus->n - 1 &&
           !can_joint_of(s->bus, s->bus->joint[k])->owes) {
        k++;
    }
    const int joint = s->bus->joint[k];
    const struct can_joint *z = can_joint_of(s->bus, joint);
    char text[96];
    if (z->differed) {
        (void)snprintf(text, sizeof text, "setting 0x%x stays %.9g although %.9g was written",
                       step->addr, z->value, z->wanted);
        (void)can_give_up(s, joint, text, "check for a latched error, then cycle its power");
    } else {
        (void)can_give_up(s, joint,
                          s->goal == SETUP_DISARM ? "torque off could not be read back"
                                                  : "does not answer as it should",
                          "check power, cable, ids and bit rate (basalctl scan)");
    }
    if (can_is_for_all(step)) {
        can_next_step(s);
    } else {
        can_skip_joint(s, &steps->list[s->goal]);
    }
}

/* Its time has come: send, or see that nothing was heard. */
static int act(const struct can_steps *steps, struct setup *s, const struct can_step *step,
               int64_t now_ns, struct canfd_frame *ret_tx, int cap)
{
    if (can_waits(s)) {
        s->tries++;
        can_go(s, CAN_PART_ASK);
    }
    if (s->tries >= ((step->flags & CAN_PATIENT) != 0 ? PATIENT_TRIES : TRIES)) {
        out_of_tries(steps, s, step);
        return 0;
    }
    return send(steps, s, step, now_ns, ret_tx, cap);
}

int can_setup(const struct can_steps *steps, struct setup *s, int64_t now_ns,
              const struct canfd_frame *rx, int n, struct canfd_frame *ret_tx, int cap)
{
    s->used = 0;
    if (s->bus->n > 0 && steps->list[s->goal].n == 0 && s->state == SETUP_BUSY) {
        (void)can_give_up(s, s->bus->joint[0], "its protocol has no such request",
                          "cycle its power, or use the maker's tool");
        s->state = SETUP_FAILED;
    }
    const struct can_step *step = s->bus->n > 0 ? can_current(steps, s) : NULL;
    if (step != NULL && can_waits(s)) {
        take_frames(steps, s, step, now_ns, rx, n);
    }
    step = s->bus->n > 0 ? can_past_silence(steps, s) : NULL;
    if (s->state != SETUP_BUSY) {
        return 0;
    }
    if (step == NULL) {
        s->state = s->failed ? SETUP_FAILED : SETUP_DONE;
        return 0;
    }
    if (!can_waits(s)) { /* nothing is asked: nothing can be an answer */
        s->used = (size_t)n;
    }
    return now_ns < s->wake_ns ? 0 : act(steps, s, step, now_ns, ret_tx, cap);
}

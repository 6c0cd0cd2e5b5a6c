/*
 * What set-up does to each motor of cheetah.c. There is nothing to read and nothing to write: it is
 * told by its answers that it is there, where it stands, and that it heard.
 */
#include "drivers/cheetah.h"

#include <math.h>
#include <stdio.h>

#define ZERO_RAD 0.02
#define ZERO_MS  1500 /* an AK is silent for about a second then */
#define LIMP_MS  3

/* POLL, LIMP and BID (a special command) are answered alike. */
enum { POLL = CAN_SILENCE + 1, LIMP, BID };

enum { ANY, RANGES, OFF, ON, POSE, AT_ZERO };

/* clang-format off */
static const struct can_step identify[] = {{BID, MIT_DISABLE, RANGES, 0, 0}};

static const struct can_step arm[] = {
    {CAN_SILENCE, 0,           ANY,  CAN_ACTUATED, 0},
    {BID,         MIT_DISABLE, OFF,  CAN_ACTUATED, 0},
    {POLL,        0,           POSE, CAN_ACTUATED, 0},
    {LIMP,        0,           ANY,  CAN_ACTUATED | CAN_QUIET, LIMP_MS}, /* the command that it is enabled with */
    {BID,         MIT_ENABLE,  ANY,  CAN_ACTUATED | CAN_ALL, 0},
    {LIMP,        0,           ON,   CAN_ACTUATED | CAN_ALL, 0},
};

static const struct can_step disarm[] = {{BID, MIT_DISABLE, OFF, CAN_ALL, 0}};
static const struct can_step zero[] = {
    {BID,  MIT_DISABLE, OFF,     0, 0},
    {BID,  MIT_ZERO,    ANY,     CAN_QUIET, ZERO_MS},
    {POLL, 0,           AT_ZERO, 0, 0},
};

/* clang-format on */

static void ask(struct setup *s, int joint, const struct can_step *step, bool write,
                struct canfd_frame *ret_tx)
{
    const struct mit_goal limp = mit_goal_limp(s->bus, joint);
    (void)write;
    if (step->kind == POLL) {
        cheetah_poll(s->bus, joint, ret_tx);
    } else if (step->kind == LIMP) {
        cheetah_command(s->bus, joint, &limp, ret_tx);
    } else {
        cheetah_special(s->bus, joint, (enum mit_special)step->addr, ret_tx);
    }
}

static enum can_heard hear_identity(struct setup *s, int joint)
{
    const struct cheetah_config *c = cheetah_config_of(s->bus, joint);
    const struct mit_range range = cheetah_range(s->bus, joint);
    const bool timeout = c->timeout_set && !cheetah_is_ak(s->bus, joint);
    const struct identity id = {.silence = can_silence(cheetah_silence_rows, 0, timeout, 0)};
    if (!mit_range_good(&range)) {
        return can_give_up(s, joint, "t_max_nm is not set",
                           "set it to I_MAX KT GR of the motor's own settings");
    }
    const enum can_heard heard = can_identify(s, joint, &id);
    return heard == HEARD_YES ? mit_range_fits(s, joint, &range, &c->gains) : heard;
}

static enum can_heard hear(struct setup *s, int joint, const struct can_step *step,
                           const struct canfd_frame *rx)
{
    struct cheetah_joint *z = s->bus->state[joint];
    struct mit_state m;
    if (!cheetah_is_answer(s->bus, joint, rx)) {
        return HEARD_OTHER;
    }
    cheetah_note(s->bus, joint, rx, &m);
    switch (step->wanted) {
    case RANGES:
        return hear_identity(s, joint);
    case OFF:
        z->can.enabled = false;
        s->torque_off |= s->goal == SETUP_DISARM ? UINT64_C(1) << joint : 0;
        return HEARD_YES;
    case ON:
        if (z->error != 0) {
            char text[32];
            (void)snprintf(text, sizeof text, "reports error %d", z->error);
            return can_give_up(s, joint, text, "remove the cause, then cycle its power");
        }
        z->can.enabled = true;
        return HEARD_YES;
    case POSE:
        return can_pose(s, joint, m.p);
    case AT_ZERO:
        return fabs(m.p) < ZERO_RAD ? HEARD_YES : HEARD_NOT_YET;
    default:
        return HEARD_YES;
    }
}

#define LIST(steps)                                                                                \
    {                                                                                              \
        (steps), (int)(sizeof(steps) / sizeof((steps)[0]))                                         \
    }

static const struct can_steps cheetah_steps = {
    .list = {[SETUP_IDENTIFY] = LIST(identify),
             [SETUP_ARM] = LIST(arm),
             [SETUP_DISARM] = LIST(disarm),
             [SETUP_ZERO] = LIST(zero)},
    .ask = ask,
    .hear = hear,
};

int cheetah_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
                  struct canfd_frame *ret_tx, int cap)
{
    return can_setup(&cheetah_steps, s, now_ns, rx, n, ret_tx, cap);
}

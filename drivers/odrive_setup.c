/*
 * What set-up does to each ODrive axis. Its commands are not acknowledged: the heartbeat, every
 * 100 ms, says what came of them. While that is awaited estimates are asked for, so that the axis
 * watchdog stays fed.
 */
#include "drivers/odrive.h"

#include "drivers/joints.h"

#include <math.h>
#include <string.h>

#define ZERO_RAD 0.02
#define BOOT_MS  1000
#define LOOK_MS  4 /* between two looks for a heartbeat */

/* ASK is answered by its message, LOOK by a heartbeat; TELL by nothing. */
enum { ASK = CAN_SILENCE + 1, LOOK, TELL };

/* What an answer must show, or a TELL puts. */
enum { ANY, KNOWN, POSE, AT_ZERO, OFF, ON, NO_ERROR, HERE, NOTHING };

#define WAIT CAN_PATIENT, LOOK_MS

/* clang-format off */
static const struct can_step identify[] = {
    {ASK,  ODRIVE_VERSION,   ANY,      0, 0},
    {ASK,  ODRIVE_ADDRESS,   ANY,      0, 0},
    {ASK,  ODRIVE_ESTIMATES, KNOWN,    0, 0},
    {LOOK, 0,                ANY,      WAIT},
};

static const struct can_step arm[] = {
    {CAN_SILENCE, 0,             ANY, CAN_ACTUATED, 0},
    {TELL, ODRIVE_CLEAR,     NOTHING,  CAN_ACTUATED | CAN_QUIET, 0},
    {TELL, ODRIVE_MODE,      ANY,      CAN_ACTUATED | CAN_QUIET, 0},
    {TELL, ODRIVE_LIMITS,    ANY,      CAN_ACTUATED | CAN_QUIET, 0},
    {ASK,  ODRIVE_ESTIMATES, POSE,     CAN_ACTUATED, 0},
    {TELL, ODRIVE_POSITION,  HERE,     CAN_ACTUATED | CAN_QUIET, 0},
    {TELL, ODRIVE_STATE,     ON,       CAN_ACTUATED | CAN_ALL | CAN_QUIET, 0},
    {LOOK, 0,                ON,       CAN_ACTUATED | CAN_ALL | WAIT},
};

static const struct can_step disarm[] = {
    {TELL, ODRIVE_STATE, OFF, CAN_ALL | CAN_QUIET, 0},
    {LOOK, 0,            OFF, CAN_ALL | WAIT},
};

static const struct can_step clear[] = {
    {TELL, ODRIVE_CLEAR, NOTHING,  CAN_ALL | CAN_QUIET, 0},
    {LOOK, 0,            NO_ERROR, CAN_ALL | WAIT},
};

static const struct can_step reboot[] = {
    {TELL, ODRIVE_REBOOT, NOTHING, CAN_ALL | CAN_QUIET, BOOT_MS},
    {LOOK, 0,             ANY,     CAN_ALL | WAIT},
};

static const struct can_step zero[] = {
    {TELL, ODRIVE_SET_POSITION, NOTHING, CAN_QUIET, LOOK_MS},
    {ASK,  ODRIVE_ESTIMATES,    AT_ZERO, 0, 0},
};

/* clang-format on */

static bool applies(const struct robot_bus *b, int joint, const struct can_step *step)
{
    const bool new_only = step->addr == ODRIVE_VERSION || step->addr == ODRIVE_ADDRESS;
    return step->kind != ASK || !new_only || odrive_config_of(b, joint)->firmware == 1;
}

static void tell_position(const struct robot_bus *b, int joint, struct canfd_frame *ret_tx)
{
    const struct can_joint *z = can_joint_of(b, joint);
    const float turns = (float)(z->p_rad / ODRIVE_RAD);
    uint8_t data[8] = {0};
    memcpy(data, &turns, sizeof turns);
    odrive_frame(b, joint, ODRIVE_POSITION, data, (int)sizeof data, ret_tx);
}

static void tell(const struct robot_bus *b, int joint, const struct can_step *step,
                 struct canfd_frame *ret_tx)
{
    const struct joint_spec *j = &b->robot->joint[joint];
    const double speed = fabs(joint_rate_to_device(j, j->qd_max)) / ODRIVE_RAD;
    struct odrive_joint *z = b->state[joint];
    switch (step->addr) {
    case ODRIVE_MODE:
        z->control = ODRIVE_BY_POSITION;
        odrive_put_u32(b, joint, ODRIVE_MODE, ODRIVE_BY_POSITION, ODRIVE_PASSTHROUGH, ret_tx);
        break;
    case ODRIVE_LIMITS:
        z->amps = 0.0f; /* the first goal sends its own */
        odrive_put_f32(b, joint, ODRIVE_LIMITS, speed, odrive_amps(b, joint, 0.0), ret_tx);
        break;
    case ODRIVE_POSITION:
        tell_position(b, joint, ret_tx);
        break;
    case ODRIVE_STATE:
        odrive_put_u32(b, joint, ODRIVE_STATE,
                       step->wanted == ON ? ODRIVE_CLOSED_LOOP : ODRIVE_IDLE, 0, ret_tx);
        break;
    default:
        odrive_put_u32(b, joint, (enum odrive_message)step->addr, 0, 0, ret_tx);
        break;
    }
}

static void ask(struct setup *s, int joint, const struct can_step *step, bool write,
                struct canfd_frame *ret_tx)
{
    (void)write;
    if (step->kind == TELL) {
        tell(s->bus, joint, step, ret_tx);
    } else {
        odrive_request(s->bus, joint,
                       step->kind == LOOK ? ODRIVE_ESTIMATES : (enum odrive_message)step->addr,
                       ret_tx);
    }
}

static enum can_heard hear_error(struct setup *s, int joint, uint32_t error)
{
    char text[48];
    (void)why(text, (int)sizeof text, 0, "reports error 0x%08x", error);
    return can_give_up(s, joint, text, "look it up in odrivetool, remove the cause, then clear it");
}

static enum can_heard hear_heartbeat(struct setup *s, int joint, int wanted)
{
    const struct odrive_joint *z = s->bus->state[joint];
    switch (wanted) {
    case OFF:
        if (z->can.enabled) {
            return HEARD_NOT_YET;
        }
        s->torque_off |= s->goal == SETUP_DISARM ? UINT64_C(1) << joint : 0;
        return HEARD_YES;
    case ON:
        return z->error != 0    ? hear_error(s, joint, z->error)
               : z->can.enabled ? HEARD_YES
                                : HEARD_NOT_YET;
    case NO_ERROR:
        return z->error != 0 ? hear_error(s, joint, z->error) : HEARD_YES;
    default:
        return HEARD_YES;
    }
}

static enum can_heard hear_identity(struct setup *s, int joint)
{
    const struct odrive_config *c = odrive_config_of(s->bus, joint);
    struct odrive_joint *z = s->bus->state[joint];
    z->found.silence = can_silence(odrive_silence_rows, 0, c->watchdog_set, 0);
    if (s->bus->robot->joint[joint].actuated && !(c->nm_per_a > 0.0)) {
        return can_give_up(s, joint, "nm_per_a is not set",
                           "set it to the torque constant that the ODrive has");
    }
    return can_identify(s, joint, &z->found);
}

static enum can_heard hear_answer(struct setup *s, int joint, const struct can_step *step,
                                  const uint8_t *d)
{
    struct odrive_joint *z = s->bus->state[joint];
    if (step->addr == ODRIVE_VERSION) {
        odrive_version(d, &z->found);
        return HEARD_YES;
    }
    if (step->addr == ODRIVE_ADDRESS) { /* node, 48 bits of serial number */
        memcpy(&z->found.serial, d + 1, sizeof z->found.serial);
        return HEARD_YES;
    }
    if (!isfinite(z->can.p_rad)) {
        return can_give_up(s, joint, "its position is not a number", "calibrate its encoder");
    }
    switch (step->wanted) {
    case KNOWN:
        return hear_identity(s, joint);
    case POSE:
        return can_pose(s, joint, z->can.p_rad);
    case AT_ZERO:
        return fabs(z->can.p_rad) < ZERO_RAD ? HEARD_YES : HEARD_NOT_YET;
    default:
        return HEARD_YES;
    }
}

static enum can_heard hear(struct setup *s, int joint, const struct can_step *step,
                           const struct canfd_frame *rx)
{
    const int what = odrive_message_of(s->bus, joint, rx);
    if (what < 0 || rx->len < 8) {
        return HEARD_OTHER;
    }
    if (what == ODRIVE_HEARTBEAT || what == ODRIVE_ESTIMATES) {
        odrive_note(s->bus, joint, rx);
    }
    if (step->kind == LOOK && what == ODRIVE_HEARTBEAT) {
        return hear_heartbeat(s, joint, step->wanted);
    }
    if (step->kind == ASK && what == step->addr) {
        return hear_answer(s, joint, step, rx->data);
    }
    return what == ODRIVE_HEARTBEAT || what == ODRIVE_ESTIMATES ? HEARD_NOT_YET : HEARD_OTHER;
}

#define LIST(steps)                                                                                \
    {                                                                                              \
        (steps), (int)(sizeof(steps) / sizeof((steps)[0]))                                         \
    }

static const struct can_steps odrive_steps = {
    .list = {[SETUP_IDENTIFY] = LIST(identify),
             [SETUP_ARM] = LIST(arm),
             [SETUP_DISARM] = LIST(disarm),
             [SETUP_CLEAR] = LIST(clear),
             [SETUP_REBOOT] = LIST(reboot),
             [SETUP_ZERO] = LIST(zero)},
    .applies = applies,
    .ask = ask,
    .hear = hear,
};

int odrive_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
                 struct canfd_frame *ret_tx, int cap)
{
    return can_setup(&odrive_steps, s, now_ns, rx, n, ret_tx, cap);
}

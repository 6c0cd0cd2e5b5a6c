/*
 * Set-up of all Dynamixels of a bus as a pure step machine: lists of steps per goal, joint by
 * joint. A step reads a register, compares, writes only where it differs, and reads back.
 */
#include "drivers/dynamixel.h"

#include "daemon/base/clock.h"
#include "drivers/joints.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_NS (8 * NS_PER_MS) /* request, return delay up to 508 us, reply, USB round trip */
#define REBOOT_NS (500 * NS_PER_MS)
#define TRIES     4

/* What a step does; ENSURE: read, write if different, read back. */
enum step_kind { STEP_PING, STEP_NO_ERROR, STEP_SILENCE, STEP_ENSURE, STEP_POSE, STEP_REBOOT };

/* Which value an ENSURE wants. */
enum wanted {
    WANT_ZERO,
    WANT_ONE,
    WANT_RETURN_DELAY,
    WANT_MODE,
    WANT_STATUS_LEVEL,
    WANT_POSITION_MIN,
    WANT_POSITION_MAX,
    WANT_VELOCITY_LIMIT,
    WANT_PWM_FULL,
    WANT_P,
    WANT_I,
    WANT_D,
    WANT_PROFILE_VELOCITY,
    WANT_PROFILE_ACCELERATION,
    WANT_PRESENT,
    WANT_WATCHDOG,
};

enum only { ALL, ACTUATED, PASSIVE };

struct step {
    enum step_kind kind;
    uint16_t addr;
    uint8_t size;
    enum wanted wanted;
    enum only only;
};

/* clang-format off */
static const struct step identify[] = {
    {STEP_PING,   0,                  0, WANT_ZERO,           ALL},
    {STEP_ENSURE, DXL_TORQUE_ENABLE,  1, WANT_ZERO,           ALL}, /* non-volatile settings want torque off */
    {STEP_ENSURE, DXL_STATUS_LEVEL,   1, WANT_STATUS_LEVEL,   ALL},
    {STEP_ENSURE, DXL_RETURN_DELAY,   1, WANT_RETURN_DELAY,   ALL},
    {STEP_ENSURE, DXL_MODE,           1, WANT_MODE,           ALL},
    {STEP_ENSURE, DXL_DRIVE_MODE,     1, WANT_ZERO,           ALL},
    {STEP_ENSURE, DXL_POSITION_MAX,   4, WANT_POSITION_MAX,   ACTUATED},
    {STEP_ENSURE, DXL_POSITION_MIN,   4, WANT_POSITION_MIN,   ACTUATED},
    {STEP_ENSURE, DXL_VELOCITY_LIMIT, 4, WANT_VELOCITY_LIMIT, ACTUATED},
    {STEP_ENSURE, DXL_PWM_LIMIT,      2, WANT_PWM_FULL,       ACTUATED},
};

static const struct step arm[] = {
    {STEP_PING,     0,                        0, WANT_ZERO,                 ALL},
    {STEP_NO_ERROR, DXL_HARDWARE_ERROR,       1, WANT_ZERO,                 ALL},
    {STEP_SILENCE,  0,                        0, WANT_ZERO,                 ACTUATED},
    {STEP_ENSURE,   DXL_TORQUE_ENABLE,        1, WANT_ZERO,                 ACTUATED},
    {STEP_ENSURE,   DXL_WATCHDOG,             1, WANT_ZERO,                 ACTUATED},
    {STEP_ENSURE,   DXL_MODE,                 1, WANT_MODE,                 ACTUATED},
    {STEP_ENSURE,   DXL_POSITION_P,           2, WANT_P,                    ACTUATED},
    {STEP_ENSURE,   DXL_POSITION_I,           2, WANT_I,                    ACTUATED},
    {STEP_ENSURE,   DXL_POSITION_D,           2, WANT_D,                    ACTUATED},
    {STEP_ENSURE,   DXL_PROFILE_ACCELERATION, 4, WANT_PROFILE_ACCELERATION, ACTUATED},
    {STEP_ENSURE,   DXL_PROFILE_VELOCITY,     4, WANT_PROFILE_VELOCITY,     ACTUATED},
    {STEP_ENSURE,   DXL_GOAL_PWM,             2, WANT_ZERO,                 ACTUATED},
    {STEP_POSE,     DXL_PRESENT_POSITION,     4, WANT_ZERO,                 ACTUATED},
    {STEP_ENSURE,   DXL_GOAL_POSITION,        4, WANT_PRESENT,              ACTUATED},
    {STEP_ENSURE,   DXL_TORQUE_ENABLE,        1, WANT_ONE,                  ACTUATED},
    {STEP_ENSURE,   DXL_WATCHDOG,             1, WANT_WATCHDOG,             ACTUATED},
};

static const struct step disarm[] = {{STEP_ENSURE, DXL_TORQUE_ENABLE, 1, WANT_ZERO, ALL}};
static const struct step clear[] = {{STEP_PING, 0, 0, WANT_ZERO, ALL}, {STEP_NO_ERROR, DXL_HARDWARE_ERROR, 1, WANT_ZERO, ALL}};
static const struct step reboot[] = {{STEP_REBOOT, 0, 0, WANT_ZERO, ALL}, {STEP_PING, 0, 0, WANT_ZERO, ALL}};

#define LIST(steps) {(steps), (int)(sizeof(steps) / sizeof((steps)[0]))}
static const struct {
    const struct step *steps;
    int n;
} lists[] = {
    [SETUP_IDENTIFY] = LIST(identify), [SETUP_ARM] = LIST(arm), [SETUP_DISARM] = LIST(disarm),
    [SETUP_CLEAR] = LIST(clear), [SETUP_REBOOT] = LIST(reboot),
};

/* clang-format on */

/* Where in a step: setup.stage = step x PARTS + part. */
enum part { PART_ASK, PART_HEAR, PART_HEAR_WRITE, PARTS };

static int32_t range_count(const struct joint_spec *j, bool high)
{
    double low_rad, high_rad;
    joint_range_to_device(j, &low_rad, &high_rad);
    const double counts = (high ? high_rad : low_rad) / DXL_RAD_PER_COUNT + DXL_COUNTS_MIDDLE;
    const double whole = high ? ceil(counts) : floor(counts);
    return whole < 0.0                       ? 0
           : whole > DXL_COUNTS_PER_TURN - 1 ? DXL_COUNTS_PER_TURN - 1
                                             : (int32_t)whole;
}

static uint32_t in_units(double value, double unit, uint32_t least, uint32_t most)
{
    const double n = ceil(value / unit);
    return n < least ? least : n > most ? most : (uint32_t)n;
}

/* The value that this robot wants in the register of a step. */
static uint32_t value_of(const struct robot_bus *b, int joint, enum wanted wanted)
{
    const struct joint_spec *j = &b->robot->joint[joint];
    const struct dxl_config *c = dxl_config_of(b, joint);
    const double rate = joint_rate_to_device(j, j->qd_max);
    const uint32_t rate_max = in_units(1.5 * fabs(rate), DXL_RAD_S_PER_UNIT, 1, 1023);
    switch (wanted) {
    case WANT_ZERO:
        return 0;
    case WANT_ONE:
        return 1;
    case WANT_RETURN_DELAY:
        return (uint32_t)(c->return_delay_us / DXL_RETURN_DELAY_US);
    case WANT_MODE:
        return (uint32_t)dxl_mode_of(j);
    case WANT_STATUS_LEVEL:
        return 2;
    case WANT_POSITION_MIN:
        return (uint32_t)range_count(j, false);
    case WANT_POSITION_MAX:
        return (uint32_t)range_count(j, true);
    case WANT_VELOCITY_LIMIT:
        return rate_max;
    case WANT_PWM_FULL:
        return DXL_PWM_FULL;
    case WANT_P:
        return (uint32_t)c->position_p;
    case WANT_I:
        return (uint32_t)c->position_i;
    case WANT_D:
        return (uint32_t)c->position_d;
    case WANT_PROFILE_VELOCITY:
        return c->profile_velocity_frac <= 0.0 ? 0
                                               : in_units(c->profile_velocity_frac * fabs(rate),
                                                          DXL_RAD_S_PER_UNIT, 1, rate_max);
    case WANT_PROFILE_ACCELERATION:
        return c->profile_acceleration_frac <= 0.0
                   ? 0
                   : in_units(c->profile_acceleration_frac *
                                  fabs(joint_rate_to_device(j, j->qdd_max)),
                              DXL_RAD_S2_PER_UNIT, 1, 32767);
    case WANT_PRESENT:
        return (uint32_t)((const struct dxl_joint *)b->state[joint])->present;
    case WANT_WATCHDOG:
        return (uint32_t)dxl_watchdog_units(b);
    }
    return 0;
}

static bool applies(const struct robot_bus *b, int joint, const struct step *step)
{
    const bool actuated = b->robot->joint[joint].actuated;
    const bool gain = step->wanted == WANT_P || step->wanted == WANT_I || step->wanted == WANT_D;
    if (gain && dxl_config_of(b, joint)->position_p == 0) {
        return false;
    }
    return step->only == ALL || actuated == (step->only == ACTUATED);
}

static int fail(struct setup *s, const char *what, const char *do_this)
{
    const struct joint_spec *j = &s->bus->robot->joint[s->bus->joint[s->joint]];
    s->state = SETUP_FAILED;
    return why(s->why, (int)sizeof s->why, -EIO, "joint %s (id %d on bus %s): %s; %s", j->name,
               j->id, s->bus->spec->name, what, do_this);
}

static void next_step(struct setup *s)
{
    s->stage = (s->stage / PARTS + 1) * PARTS;
    s->tries = 0;
}

static void next_joint(struct setup *s)
{
    s->joint++;
    s->stage = 0;
    s->tries = 0;
}

/* A disarm never gives up on the other joints because one is silent. */
static void give_up(struct setup *s, const char *what, const char *do_this)
{
    (void)fail(s, what, do_this);
    if (s->goal == SETUP_DISARM) {
        s->state = SETUP_BUSY;
        s->written = -1; /* remembered until the end */
        next_joint(s);
    }
}

static void check_identity(struct setup *s, const struct dxl_packet *p)
{
    const int joint = s->bus->joint[s->joint];
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    struct identity *id = &s->bus->id[joint];
    if (p->n_params < 3) {
        return;
    }
    char text[96];
    id->model = dxl_get16(p->params);
    id->firmware = p->params[2];
    id->known = true;
    id->silence = dxl_silence(id->model, dxl_mode_of(j), id->firmware);
    if (j->model != 0 && j->model != id->model) {
        (void)snprintf(text, sizeof text, "model %d answers, the robot file says %d", id->model,
                       j->model);
        give_up(s, text, "check the wiring and the ids, or correct joints.model");
        return;
    }
    if (id->firmware < j->firmware_min) {
        (void)snprintf(text, sizeof text, "firmware %d, at least %d is wanted", id->firmware,
                       j->firmware_min);
        give_up(s, text, "update it with the maker's tool");
        return;
    }
    struct dxl_joint *z = s->bus->state[joint];
    *z = (struct dxl_joint){.pwm_age = 1000, .present = z->present};
    next_step(s);
}

static void check_pose(struct setup *s, int32_t counts)
{
    const int joint = s->bus->joint[s->joint];
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    const double q = joint_from_device(j, (counts - DXL_COUNTS_MIDDLE) * DXL_RAD_PER_COUNT);
    if (q < j->q_min - DXL_RAD_PER_COUNT || q > j->q_max + DXL_RAD_PER_COUNT) {
        char text[96];
        (void)snprintf(text, sizeof text, "at %.3f rad, outside its range %.3f to %.3f", q,
                       j->q_min, j->q_max);
        give_up(s, text, "move it inside by hand, then arm again");
        return;
    }
    const int32_t low = range_count(j, false), high = range_count(j, true);
    ((struct dxl_joint *)s->bus->state[joint])->present = counts < low    ? low
                                                          : counts > high ? high
                                                                          : counts;
    next_step(s);
}

static uint32_t take_value(const struct dxl_packet *p, int size)
{
    return size == 1 ? p->params[0] : size == 2 ? dxl_get16(p->params) : dxl_get32(p->params);
}

static void read_back(struct setup *s, const struct step *step, uint32_t value)
{
    const int joint = s->bus->joint[s->joint];
    if (step->kind == STEP_NO_ERROR) {
        if (value != 0) {
            char text[80];
            (void)snprintf(text, sizeof text, "hardware error 0x%02x is latched", value);
            give_up(s, text, "remove the cause, then reboot the servo or cycle its power");
            return;
        }
        next_step(s);
        return;
    }
    if (step->kind == STEP_POSE) {
        check_pose(s, (int32_t)value);
        return;
    }
    if (value == value_of(s->bus, joint, step->wanted)) {
        if (step->addr == DXL_TORQUE_ENABLE && value == 0) {
            s->torque_off |= UINT64_C(1) << joint;
        }
        next_step(s);
        return;
    }
    s->stage += PART_HEAR_WRITE - PART_HEAR; /* differs: write it */
    s->wake_ns = INT64_MIN;                  /* now */
}

static int request_read(const struct setup *s, const struct step *step, uint8_t *ret_tx, size_t cap)
{
    const uint8_t id = (uint8_t)s->bus->robot->joint[s->bus->joint[s->joint]].id;
    uint8_t params[4];
    if (step->kind == STEP_PING || step->kind == STEP_REBOOT) {
        return dxl_build(id, step->kind == STEP_PING ? DXL_PING : DXL_REBOOT, NULL, 0, ret_tx, cap);
    }
    dxl_put16(params, step->addr);
    dxl_put16(params + 2, step->size);
    return dxl_build(id, DXL_READ, params, sizeof params, ret_tx, cap);
}

static int request_write(struct setup *s, const struct step *step, uint8_t *ret_tx, size_t cap)
{
    const int joint = s->bus->joint[s->joint];
    uint8_t params[6];
    dxl_put16(params, step->addr);
    dxl_put32(params + 2, value_of(s->bus, joint, step->wanted));
    if (step->addr < DXL_EEPROM_END && s->written >= 0) {
        s->written++;
    }
    return dxl_build((uint8_t)s->bus->robot->joint[joint].id, DXL_WRITE, params, 2u + step->size,
                     ret_tx, cap);
}

/* A status from the joint in question moves the machine on. */
static void hear(struct setup *s, const struct step *step, const struct dxl_packet *p)
{
    const enum part part = (enum part)(s->stage % PARTS);
    if (p->instruction != DXL_STATUS || p->id != s->bus->robot->joint[s->bus->joint[s->joint]].id) {
        s->bus->bad_replies++;
        return;
    }
    if (part == PART_HEAR_WRITE) {
        if ((p->error & 0x7F) != 0) {
            char text[96];
            (void)snprintf(text, sizeof text, "refuses %u in register %u with error %u",
                           (unsigned)value_of(s->bus, s->bus->joint[s->joint], step->wanted),
                           step->addr, p->error & 0x7Fu);
            give_up(s, text, "check the value and the model");
            return;
        }
        s->stage -= PART_HEAR_WRITE; /* read it back */
        s->tries++;
        s->wake_ns = INT64_MIN;
        return;
    }
    if (part != PART_HEAR) {
        return;
    }
    if (step->kind == STEP_PING) {
        check_identity(s, p);
    } else if (step->kind == STEP_REBOOT) {
        s->wake_ns += REBOOT_NS;
    } else if (p->n_params == step->size && (p->error & 0x7F) == 0) {
        read_back(s, step, take_value(p, step->size));
    }
}

static void take_bytes(struct setup *s, const struct step *step, const uint8_t *rx, size_t n)
{
    const int joint = s->joint, stage = s->stage;
    while (s->used < n && s->joint == joint && s->stage == stage && s->state == SETUP_BUSY) {
        struct dxl_packet p;
        const int used = dxl_parse(rx + s->used, n - s->used, &p);
        if (used == 0) {
            return;
        }
        if (used < 0) {
            s->used++;
            s->bus->bytes_lost++;
            continue;
        }
        s->used += (size_t)used;
        hear(s, step, &p);
    }
}

/* Skip steps and joints that do not apply; NULL at the end of all. */
static const struct step *current(struct setup *s)
{
    while (s->joint < s->bus->n) {
        const int at = s->stage / PARTS;
        if (at >= lists[s->goal].n) {
            next_joint(s);
        } else if (!applies(s->bus, s->bus->joint[s->joint], &lists[s->goal].steps[at])) {
            next_step(s);
        } else {
            return &lists[s->goal].steps[at];
        }
    }
    return NULL;
}

static void check_silence(struct setup *s)
{
    const enum silence silence = s->bus->id[s->bus->joint[s->joint]].silence;
    const bool goes_on = silence == SILENCE_KEEPS_GOING || silence == SILENCE_NONE;
    if (goes_on && !s->bus->spec->accept_no_device_watchdog) {
        give_up(s, "goes on moving when the bus is silent, with this model and firmware",
                "update its firmware, or set accept_no_device_watchdog: true on the bus");
        return;
    }
    next_step(s);
}

int dxl_setup(struct setup *s, int64_t now_ns, const uint8_t *rx, size_t n, uint8_t *ret_tx,
              size_t cap)
{
    const struct step *step = current(s);
    s->used = 0;
    if (step != NULL && s->stage % PARTS != PART_ASK) {
        take_bytes(s, step, rx, n);
        step = s->state == SETUP_BUSY ? current(s) : NULL;
    }
    while (step != NULL && step->kind == STEP_SILENCE && s->state == SETUP_BUSY) {
        check_silence(s);
        step = s->state == SETUP_BUSY ? current(s) : NULL;
    }
    if (s->state != SETUP_BUSY) {
        return 0;
    }
    if (step == NULL) {
        s->state = s->goal == SETUP_DISARM && s->written < 0 ? SETUP_FAILED : SETUP_DONE;
        return 0;
    }
    const enum part part = (enum part)(s->stage % PARTS);
    if (part != PART_ASK && now_ns < s->wake_ns) {
        return 0;
    }
    if (part == PART_HEAR_WRITE && s->wake_ns == INT64_MIN) {
        s->wake_ns = now_ns + ANSWER_NS;
        return request_write(s, step, ret_tx, cap);
    }
    if (step->kind == STEP_REBOOT && part == PART_HEAR) {
        next_step(s);
        s->wake_ns = now_ns;
        return 0;
    }
    if (part != PART_ASK) {
        s->stage -= (int)part; /* no answer: ask again */
        s->tries++;
    }
    if (s->tries >= TRIES) {
        give_up(s,
                s->goal == SETUP_DISARM ? "torque off could not be read back"
                                        : "does not answer as it should",
                "check power, cable, id and baud rate (basalctl scan)");
        return 0;
    }
    s->stage += PART_HEAR;
    s->wake_ns = now_ns + (step->kind == STEP_REBOOT ? REBOOT_NS : ANSWER_NS);
    return request_read(s, step, ret_tx, cap);
}

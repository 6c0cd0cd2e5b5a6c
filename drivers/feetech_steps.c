/*
 * Set-up of Feetech servos: what the machine in steps.c wants to know. Non-volatile registers are
 * written with the lock open and only where they differ; the lock is closed behind them.
 */
#include "drivers/feetech.h"

#include "drivers/joints.h"

#include <math.h>
#include <string.h>

#define SPEED_MAX        32767
#define ACCELERATION_MAX 254
#define IDENTITY_BYTES   5 /* 0..4: firmware, endianness, model */

/* What of Phase (18) this driver means: fine speeds, one turn. */
#define PHASE_BITS (FEETECH_PHASE_FINE_SPEED | FEETECH_PHASE_TURNS)

enum wanted {
    WANT_ZERO,
    WANT_ONE,
    WANT_RETURN_DELAY,
    WANT_MODE,
    WANT_PHASE,
    WANT_POSITION_MIN,
    WANT_POSITION_MAX,
    WANT_TORQUE_MAX,
    WANT_P,
    WANT_I,
    WANT_D,
    WANT_OFFSET,
    WANT_PROTECTION_CURRENT,
    WANT_OVERLOAD,
    WANT_ACCELERATION,
    WANT_SPEED,
    WANT_PRESENT,
};

/* clang-format off */
static const struct step identify[] = {
    {STEP_IDENTITY, 0,                          0, WANT_ZERO,               ALL, 0},
    {STEP_ENSURE,   FEETECH_RETURN_LEVEL,       1, WANT_ONE,                ALL, 0}, /* before any write that must be answered */
    {STEP_ENSURE,   FEETECH_TORQUE_ENABLE,      1, WANT_ZERO,               ALL, 0},
    {STEP_ENSURE,   FEETECH_LOCK,               1, WANT_ZERO,               ALL, 0},
    {STEP_ENSURE,   FEETECH_RETURN_DELAY,       1, WANT_RETURN_DELAY,       ALL, 0},
    {STEP_ENSURE,   FEETECH_MODE,               1, WANT_MODE,               ALL, 0},
    {STEP_ENSURE,   FEETECH_PHASE,              1, WANT_PHASE,              ALL, (uint8_t)~PHASE_BITS},
    {STEP_ENSURE,   FEETECH_OFFSET,             2, WANT_OFFSET,             ALL, 0},
    {STEP_ENSURE,   FEETECH_POSITION_MIN,       2, WANT_POSITION_MIN,       ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_POSITION_MAX,       2, WANT_POSITION_MAX,       ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_TORQUE_MAX,         2, WANT_TORQUE_MAX,         ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_POSITION_P,         1, WANT_P,                  ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_POSITION_D,         1, WANT_D,                  ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_POSITION_I,         1, WANT_I,                  ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_PROTECTION_CURRENT, 2, WANT_PROTECTION_CURRENT, ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_OVERLOAD_TORQUE,    1, WANT_OVERLOAD,           ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_LOCK,               1, WANT_ONE,                ALL, 0},
};

/* The goal is the measured pose and the ceiling 0 before torque, whoever turns torque on: some
 * firmware does so by itself when it gets a goal. */
static const struct step arm[] = {
    {STEP_IDENTITY, 0,                          0, WANT_ZERO,               ALL, 0},
    {STEP_NO_ERROR, FEETECH_STATUS,             1, WANT_ZERO,               ALL, 0},
    {STEP_SILENCE,  0,                          0, WANT_ZERO,               ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_TORQUE_ENABLE,      1, WANT_ZERO,               ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_MODE,               1, WANT_MODE,               ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_ACCELERATION,       1, WANT_ACCELERATION,       ACTUATED, 0},
    {STEP_PUT,      FEETECH_TORQUE_LIMIT,       2, WANT_ZERO,               ACTUATED, 0},
    {STEP_POSE,     FEETECH_PRESENT_POSITION,   2, WANT_ZERO,               ACTUATED, 0},
    {STEP_PUT,      FEETECH_GOAL_POSITION,      2, WANT_PRESENT,            ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_GOAL_TIME,          2, WANT_ZERO,               ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_GOAL_SPEED,         2, WANT_SPEED,              ACTUATED, 0},
    {STEP_ENSURE,   FEETECH_TORQUE_ENABLE,      1, WANT_ONE,                ACTUATED, 0},
};

static const struct step disarm[] = {{STEP_ENSURE, FEETECH_TORQUE_ENABLE, 1, WANT_ZERO, ALL, 0}};
static const struct step clear[] = {{STEP_IDENTITY, 0, 0, WANT_ZERO, ALL, 0}, {STEP_NO_ERROR, FEETECH_STATUS, 1, WANT_ZERO, ALL, 0}};
static const struct step reboot[] = {{STEP_UNABLE, 0, 0, WANT_ZERO, ALL, 0}};

#define LIST(steps) {(steps), (int)(sizeof(steps) / sizeof((steps)[0]))}
static const struct {
    const struct step *steps;
    int n;
} lists[] = {
    [SETUP_IDENTIFY] = LIST(identify), [SETUP_ARM] = LIST(arm), [SETUP_DISARM] = LIST(disarm),
    [SETUP_CLEAR] = LIST(clear), [SETUP_REBOOT] = LIST(reboot), [SETUP_ZERO] = {NULL, 0},
};

/* Of the codes only those on which all sources agree. */
static const struct baud_code bauds[] = {{1000000, 0}, {500000, 1}, {250000, 2}, {128000, 3}, {115200, 4}, {0, 0}};

/* clang-format on */

static const struct step *step_at(enum setup_goal goal, int at)
{
    const bool there = (size_t)goal < sizeof lists / sizeof lists[0] && at < lists[goal].n;
    return there ? &lists[goal].steps[at] : NULL;
}

static bool applies(const struct robot_bus *b, int joint, const struct step *step)
{
    const struct joint_spec *j = &b->robot->joint[joint];
    const struct feetech_config *c = feetech_config_of(j);
    switch ((enum wanted)step->wanted) {
    case WANT_P:
    case WANT_I:
    case WANT_D:
        return c->position_p != 0 && j->actuated;
    case WANT_OFFSET:
        return c->offset_counts != FEETECH_OFFSET_OWN;
    case WANT_PROTECTION_CURRENT:
        return c->protection_ma != 0 && j->actuated;
    case WANT_OVERLOAD:
        return c->overload_percent != 0 && j->actuated;
    case WANT_ZERO:
    case WANT_ONE:
    case WANT_RETURN_DELAY:
    case WANT_MODE:
    case WANT_PHASE:
    case WANT_POSITION_MIN:
    case WANT_POSITION_MAX:
    case WANT_TORQUE_MAX:
    case WANT_ACCELERATION:
    case WANT_SPEED:
    case WANT_PRESENT:
        break;
    }
    return step->only == ALL || j->actuated;
}

static uint8_t delay_code(const struct joint_spec *j)
{
    return (uint8_t)(feetech_config_of(j)->return_delay_us / FEETECH_RETURN_DELAY_US);
}

static uint32_t profile(double frac, double rate, double counts_per_unit, uint32_t most)
{
    return frac <= 0.0
               ? 0
               : in_units(frac * fabs(rate), counts_per_unit * FEETECH_RAD_PER_COUNT, 1, most);
}

static uint32_t value(const struct setup *s, int joint, int wanted)
{
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    const struct feetech_config *c = feetech_config_of(j);
    switch ((enum wanted)wanted) {
    case WANT_ZERO:
        return 0;
    case WANT_ONE:
        return 1;
    case WANT_RETURN_DELAY:
        return delay_code(j);
    case WANT_MODE:
        return FEETECH_MODE_POSITION;
    case WANT_PHASE:
        return FEETECH_PHASE_FINE_SPEED;
    case WANT_POSITION_MIN:
        return (uint32_t)position_limit(j, false);
    case WANT_POSITION_MAX:
        return (uint32_t)position_limit(j, true);
    case WANT_TORQUE_MAX:
        return in_units(j->tau_max / j->tau_stall, 1.0 / FEETECH_TORQUE_FULL, 1,
                        FEETECH_TORQUE_FULL);
    case WANT_P:
        return (uint32_t)c->position_p;
    case WANT_I:
        return (uint32_t)c->position_i;
    case WANT_D:
        return (uint32_t)c->position_d;
    case WANT_OFFSET:
        return feetech_encode(c->offset_counts, FEETECH_OFFSET_SIGN);
    case WANT_PROTECTION_CURRENT:
        return in_units(c->protection_ma / 1000.0, FEETECH_A_PER_UNIT, 1, UINT16_MAX);
    case WANT_OVERLOAD:
        return (uint32_t)c->overload_percent;
    case WANT_ACCELERATION:
        return profile(c->profile_acceleration_frac, joint_rate_to_device(j, j->qdd_max),
                       FEETECH_ACCELERATION_COUNTS_S2, ACCELERATION_MAX);
    case WANT_SPEED:
        return profile(c->profile_velocity_frac, joint_rate_to_device(j, j->qd_max), 1.0,
                       SPEED_MAX);
    case WANT_PRESENT:
        return feetech_encode(s->pose[joint], FEETECH_POSITION_SIGN);
    }
    return 0;
}

/* A status says nothing of the write itself: its error bits are how the servo is. What a write did
 * is read back. */
static int parse(const uint8_t *bytes, size_t n, struct answer *ret_answer)
{
    struct feetech_packet p;
    const int used = feetech_parse(bytes, n, &p);
    if (used > 0) {
        *ret_answer = (struct answer){.id = p.id,
                                      .error = p.code,
                                      .status = feetech_starts_status(bytes, n),
                                      .verdict = VERDICT_DONE,
                                      .n = p.n_params};
        memcpy(ret_answer->data, p.params, p.n_params < ANSWER_BYTES ? p.n_params : ANSWER_BYTES);
    }
    return used;
}

static int read_registers(uint8_t id, uint16_t addr, uint8_t n, uint8_t *ret_tx, size_t cap)
{
    const uint8_t params[] = {(uint8_t)addr, n};
    return feetech_build(id, FEETECH_READ, params, sizeof params, ret_tx, cap);
}

/* A ping tells only that somebody is there. */
static int ask_identity(uint8_t id, uint8_t *ret_tx, size_t cap)
{
    return read_registers(id, FEETECH_FIRMWARE, IDENTITY_BYTES, ret_tx, cap);
}

static int write_register(uint8_t id, uint16_t addr, uint32_t v, uint8_t n, uint8_t *ret_tx,
                          size_t cap)
{
    uint8_t params[3] = {(uint8_t)addr};
    feetech_put16(params + 1, v);
    return feetech_build(id, FEETECH_WRITE, params, 1u + n, ret_tx, cap);
}

static void identify_by(const struct joint_spec *j, const uint8_t *data, struct identity *ret_id)
{
    (void)j;
    ret_id->model = feetech_get16(data + FEETECH_MODEL);
    ret_id->firmware = data[FEETECH_FIRMWARE] * 100 + data[FEETECH_FIRMWARE + 1];
    ret_id->silence = feetech_silence_rows[0].silence;
}

static void begin(struct robot_bus *b, int joint)
{
    struct feetech_joint *z = b->state[joint];
    const struct feetech_joint kept = *z; /* turns go on being counted over a set-up */
    *z = (struct feetech_joint){.limit.age = CEILING_NEVER_SENT,
                                .counted = kept.counted,
                                .counts = kept.counts,
                                .turns = kept.turns};
}

static int32_t counts(uint32_t raw)
{
    return feetech_decode((uint16_t)raw, FEETECH_POSITION_SIGN);
}

static const char *model_name(int model)
{
    const struct feetech_model_row *row = feetech_model_find(model);
    return row != NULL ? row->name : "unknown";
}

const struct servo_protocol feetech_protocol = {
    .step = step_at,
    .applies = applies,
    .value = value,
    .identify = identify_by,
    .begin = begin,
    .counts = counts,
    .faults = feetech_faults,
    .parse = parse,
    .ask_identity = ask_identity,
    .read = read_registers,
    .write = write_register,
    .identity_bytes = IDENTITY_BYTES,
    .non_volatile_end = FEETECH_EEPROM_END,
    .torque = FEETECH_TORQUE_ENABLE,
    .id = FEETECH_ID,
    .baud = FEETECH_BAUD,
    .return_delay = FEETECH_RETURN_DELAY,
    .return_level = FEETECH_RETURN_LEVEL,
    .lock = FEETECH_LOCK,
    .bauds = bauds,
    .factory_baud = 1000000,
    .id_max = FEETECH_ID_MAX,
    .all_answer_id = -1, /* they would all speak at once */
    .delay_code = delay_code,
    .delay_us = FEETECH_RETURN_DELAY_US,
    .model_name = model_name,
    .silence_why = "has no watchdog: when the bus is silent it holds its last goal for ever",
    .silence_do = "where that is safe, set accept_no_device_watchdog: true on the bus",
    .error_do = "remove the cause, then cycle its power",
    .unable_why = "cannot be started anew over its bus",
    .unable_do = "cycle its power",
};

int feetech_setup(struct setup *s, int64_t now_ns, const uint8_t *rx, size_t n, uint8_t *ret_tx,
                  size_t cap)
{
    return steps_setup(&feetech_protocol, s, now_ns, rx, n, ret_tx, cap);
}

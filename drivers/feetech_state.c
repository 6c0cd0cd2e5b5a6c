/*
 * Feetech STS and SMS: what comes back in a tick. Only what was asked is taken: by id, by length,
 * once; all else is counted and dropped. The checksum is of 8 bits and nothing is stuffed: the
 * length that was asked for is the better half of the check.
 *
 * The servos have no clock of their own: how old a sample was when it left cannot be told, and a
 * moment without power shows only in the torque switch, which is off then.
 */
#include "drivers/feetech.h"

#include "daemon/base/clock.h"
#include "drivers/joints.h"

#include <errno.h>

#define SAG_NS (100 * NS_PER_MS) /* voltage is low for moments whenever several motors start */

#define DEVICE_FAULTS                                                                              \
    ((uint32_t)(FAULT_VOLTAGE | FAULT_OVERHEAT | FAULT_ENCODER | FAULT_ELECTRICAL |                \
                FAULT_OVERLOAD | FAULT_ALERT))

uint32_t feetech_faults(uint8_t error)
{
    static const struct {
        uint8_t bit;
        uint32_t fault;
    } map[] = {{FEETECH_ERR_VOLTAGE, FAULT_VOLTAGE},
               {FEETECH_ERR_ENCODER, FAULT_ENCODER},
               {FEETECH_ERR_TEMPERATURE, FAULT_OVERHEAT},
               {FEETECH_ERR_CURRENT, FAULT_ELECTRICAL},
               {FEETECH_ERR_OVERLOAD, FAULT_OVERLOAD}};

    uint32_t faults = 0;
    uint8_t known = 0;
    for (unsigned i = 0; i < sizeof map / sizeof map[0]; i++) {
        faults |= (error & map[i].bit) != 0 ? map[i].fault : 0;
        known |= map[i].bit;
    }
    return faults | ((error & ~known) != 0 ? FAULT_ALERT : 0);
}

/* It comes with every status and says how things are now. */
static uint32_t faults_of(struct feetech_joint *z, uint8_t error, int64_t now_ns)
{
    const uint32_t others = feetech_faults(error) & ~(uint32_t)FAULT_VOLTAGE;
    const bool sags = (error & FEETECH_ERR_VOLTAGE) != 0;
    z->sags_ns = sags && z->sags ? z->sags_ns : now_ns;
    z->sags = sags;
    return others | (sags && now_ns - z->sags_ns >= SAG_NS ? FAULT_VOLTAGE : 0);
}

/* The encoder knows one turn. Whoever is only measured may turn on: whole turns are counted here,
 * as long as it turns less than half of one between two readings. */
static double position_counts(struct feetech_joint *z, const struct joint_spec *spec,
                              int32_t counts)
{
    if (spec->actuated) {
        return (double)counts;
    }
    if (z->counted) {
        const int32_t moved = counts - z->counts;
        z->turns += moved < -FEETECH_COUNTS_PER_TURN / 2  ? 1
                    : moved > FEETECH_COUNTS_PER_TURN / 2 ? -1
                                                          : 0;
    }
    z->counted = true;
    z->counts = counts;
    return (double)counts + (double)z->turns * FEETECH_COUNTS_PER_TURN;
}

static int32_t word(const uint8_t *state, int addr, int sign)
{
    return feetech_decode(feetech_get16(state + addr - FEETECH_STATE_FROM), sign);
}

/* By the current, where it is known what an ampere makes; else the load, a part of full drive. */
static double effort_nm(const struct robot_bus *b, int j, const uint8_t *p)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    const double nm_per_a = feetech_nm_per_a(b, j);
    if (!(spec->tau_stall > 0.0)) {
        return 0.0; /* measured only: nobody stated its torque */
    }
    if (nm_per_a > 0.0) {
        const int32_t current = word(p, FEETECH_PRESENT_CURRENT, FEETECH_CURRENT_SIGN);
        return spec->sign * (current * FEETECH_A_PER_UNIT) * nm_per_a;
    }
    const int32_t load = word(p, FEETECH_PRESENT_LOAD, FEETECH_LOAD_SIGN);
    return spec->sign * load * spec->tau_stall / FEETECH_TORQUE_FULL;
}

static void take_state(struct robot_bus *b, int j, const uint8_t *p, struct sensed *s)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    const int32_t counts = word(p, FEETECH_PRESENT_POSITION, FEETECH_POSITION_SIGN);
    const int32_t speed = word(p, FEETECH_PRESENT_SPEED, FEETECH_SPEED_SIGN);
    s->q[j] = position_rad(spec, position_counts(b->state[j], spec, counts));
    s->qd[j] = joint_rate_from_device(spec, speed * FEETECH_RAD_PER_COUNT);
    s->tau[j] = effort_nm(b, j, p);
    s->volt_v[j] = (float)p[FEETECH_PRESENT_VOLTAGE - FEETECH_STATE_FROM] * 0.1f;
    s->temp_c[j] = (float)p[FEETECH_PRESENT_TEMPERATURE - FEETECH_STATE_FROM];
    s->age_us[j] = 0;
}

static void take_slow(int j, const uint8_t *p, struct sensed *s)
{
    const uint8_t torque = p[FEETECH_TORQUE_ENABLE - FEETECH_SLOW_FROM];
    s->torque[j] = torque == FEETECH_TORQUE_ON    ? TORQUE_ON
                   : torque == FEETECH_TORQUE_OFF ? TORQUE_OFF
                                                  : TORQUE_UNKNOWN;
}

/* A reply that answers what was asked: take it. */
static void take_reply(struct robot_bus *b, const struct feetech_packet *p, struct sensed *s)
{
    const int j = robot_bus_joint(b, p->id);
    if (j < 0 || (b->pending >> j & 1u) == 0 || p->n_params != b->last_len) {
        b->bad_replies++;
        return;
    }
    b->pending &= ~(UINT64_C(1) << j);
    if (b->last_addr == FEETECH_STATE_FROM) {
        take_state(b, j, p->params, s);
    } else {
        take_slow(j, p->params, s);
    }
    s->faults[j] = (s->faults[j] & ~DEVICE_FAULTS) | faults_of(b->state[j], p->code, s->t_ns);
}

int feetech_decode_reply(struct robot_bus *b, const uint8_t *rx, size_t n,
                         struct sensed *ret_sensed)
{
    if (!feetech_starts_status(rx, n)) {
        return -EBADMSG;
    }
    if (n < FEETECH_HEADER + 1) {
        return 0;
    }
    struct feetech_packet p;
    const int used = feetech_parse(rx, n, &p);
    if (rx[3] != b->last_len + 2) { /* what nobody asked for is not waited for, nor passed whole: */
        b->bad_replies += used > 0; /* the sum is right by chance once in 256 */
        return -EBADMSG;
    }
    if (used > 0) {
        take_reply(b, &p, ret_sensed);
    }
    b->crc_errors += used < 0;
    return used;
}

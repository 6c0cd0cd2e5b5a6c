/*
 * The emulated RobStride motor's parameters, time and errors. Of its run modes operation control
 * and velocity are emulated; in the others it makes no torque.
 */
#include "sim/firmware/robstride.h"

#include <math.h>
#include <string.h>

#define HOT_C     135.0
#define LOW_V     12.0
#define REPORT_NS INT64_C(10000000)
/* Gain of its own speed loop at the motor, for run modes of its own. */
#define OWN_KD 1.0

static const struct {
    double v, t, kp, kd;
} models[] = {{33, 14, 500, 5},     {44, 17, 500, 5},  {44, 17, 500, 5},    {20, 60, 5000, 100},
              {15, 120, 5000, 100}, {50, 5.5, 500, 5}, {50, 36, 5000, 100}, {50, 6, 500, 5}};

/* Index, does it hold a float, may it be written. */
static const struct {
    uint16_t index;
    bool is_float, writable;
    float start;
} rows[] = {
    {RS_RUN_MODE, false, true, 0},     {RS_IQ_REF, true, true, 0},
    {RS_SPD_REF, true, true, 0},       {RS_LIMIT_TORQUE, true, true, 17.0f},
    {RS_LOC_REF, true, true, 0},       {RS_LIMIT_SPD, true, true, 2.0f},
    {RS_LIMIT_CUR, true, true, 23.0f}, {RS_MECH_POS, true, false, 0},
    {RS_IQF, true, false, 0},          {RS_MECH_VEL, true, false, 0},
    {RS_VBUS, true, false, 24.0f},     {RS_LOC_KP, true, true, 30.0f},
    {RS_SPD_KP, true, true, 1.0f},     {RS_SPD_KI, true, true, 0.002f},
    {RS_CAN_TIMEOUT, false, true, 0},  {RS_ZERO_STA, false, true, 0},
};

#define ROWS ((int)(sizeof rows / sizeof rows[0]))
_Static_assert(sizeof rows / sizeof rows[0] <= RS_PARAMETERS, "as many parameters as rows");

static int row_of(unsigned index)
{
    for (int i = 0; i < ROWS; i++) {
        if (rows[i].index == index) {
            return i;
        }
    }
    return -1;
}

struct motor_range rs_motor_range(const struct rs_motor *z)
{
    const int m = z->c.model;
    return (struct motor_range){z->c.p_max_rad, models[m].v, models[m].t, models[m].kp,
                                models[m].kd};
}

uint32_t *rs_motor_parameter(struct rs_motor *z, unsigned index)
{
    const int i = row_of(index);
    return i >= 0 ? &z->parameter[i] : NULL;
}

static uint32_t setting(const struct rs_motor *z, unsigned index)
{
    const int i = row_of(index);
    return i >= 0 ? z->parameter[i] : 0;
}

float rs_motor_f32(const struct rs_motor *z, unsigned index)
{
    return can_f32(setting(z, index));
}

static void measure(struct rs_motor *z, unsigned index, double value)
{
    uint32_t *at = rs_motor_parameter(z, index);
    if (at != NULL) {
        *at = can_bits((float)value);
    }
}

/* The run mode is changed only while it is stopped. */
int rs_motor_write(struct rs_motor *z, unsigned index, uint32_t value)
{
    const int i = row_of(index);
    if (i < 0 || !rows[i].writable || (rows[i].is_float && !isfinite(can_f32(value))) ||
        (index == RS_RUN_MODE && (z->state == RS_RUN || (value & 0xFF) > 5))) {
        return -1;
    }
    z->parameter[i] = index == RS_RUN_MODE ? value & 0xFF : value;
    return 0;
}

void rs_motor_power_up(struct rs_motor *z, int64_t t_ns)
{
    for (int i = 0; i < ROWS; i++) {
        z->parameter[i] = rows[i].is_float ? can_bits(rows[i].start) : 0;
    }
    measure(z, RS_LIMIT_TORQUE, models[z->c.model].t);
    z->faults = 0;
    z->reports = false;
    z->heard_ns = z->reported_ns = t_ns;
    z->out.n = 0;
    rs_motor_stop(z);
}

void rs_motor_stop(struct rs_motor *z)
{
    z->state = RS_RESET;
    z->goal = (struct motor_command){0};
}

uint8_t rs_motor_causes(const struct rs_motor *z)
{
    const bool low = (double)rs_motor_f32(z, RS_VBUS) < LOW_V;
    return (uint8_t)((z->m.temp_c > HOT_C ? RS_HOT : 0) | (low ? RS_UNDER_VOLTAGE : 0));
}

/* New faults stop it, and it says so once of its own accord. */
static void fail(struct rs_motor *z, uint8_t faults)
{
    const uint8_t news = (uint8_t)(faults & ~z->faults);
    uint8_t data[8] = {0};
    if (news == 0) {
        return;
    }
    z->faults |= news;
    rs_motor_stop(z);
    const uint32_t bits = ((z->faults & RS_HOT) != 0 ? 1u : 0u) |
                          ((z->faults & RS_UNDER_VOLTAGE) != 0 ? 1u << 2 : 0u) |
                          ((z->faults & RS_OVER_CURRENT) != 0 ? 1u << 16 : 0u) |
                          ((z->faults & RS_ENCODER) != 0 ? 1u << 9 : 0u) |
                          ((z->faults & RS_UNCALIBRATED) != 0 ? 1u << 7 : 0u) |
                          ((z->faults & RS_STALL) != 0 ? 1u << 14 : 0u);
    can_put32(data, bits);
    rs_motor_say(z, RS_FAULT, 0, z->host, data, z->m.now_ns);
}

static void watch(struct rs_motor *z, int64_t before_ns)
{
    const int64_t now_ns = z->m.now_ns;
    const uint32_t timeout = setting(z, RS_CAN_TIMEOUT);
    if (can_browns_out(&z->c.demands, before_ns, now_ns)) {
        rs_motor_power_up(z, now_ns);
    }
    if (z->state == RS_RUN && timeout != 0 && !z->c.ignores_timeout &&
        (double)(now_ns - z->heard_ns) * 1e-9 > timeout * RS_TIMEOUT_S) {
        rs_motor_stop(z);
    }
    if (z->c.fault_at_s > 0.0 && (double)before_ns * 1e-9 < z->c.fault_at_s &&
        (double)now_ns * 1e-9 >= z->c.fault_at_s) {
        fail(z, (uint8_t)z->c.fault);
    }
    fail(z, rs_motor_causes(z));
    if (z->reports && now_ns - z->reported_ns >= REPORT_NS) {
        z->reported_ns = now_ns;
        rs_motor_feedback(z, now_ns);
    }
}

void rs_motor_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd)
{
    struct rs_motor *z = state;
    const int64_t before_ns = z->m.now_ns;
    const double volt_v = (double)s->volt_v[z->m.joint];
    can_motor_sense(&z->m, &z->c.demands, t_ns, s);
    measure(z, RS_MECH_POS, z->m.p);
    measure(z, RS_MECH_VEL, z->m.v);
    measure(z, RS_VBUS, isfinite(volt_v) ? volt_v : 24.0);
    watch(z, before_ns);
    struct can_effort e = {.mode = MODE_OFF, .p = z->m.p};
    if (z->state == RS_RUN) {
        const double most = fabs((double)rs_motor_f32(z, RS_LIMIT_TORQUE));
        e = (struct can_effort){MODE_IMPEDANCE,
                                z->goal.p,
                                z->goal.v,
                                z->goal.t,
                                z->goal.kp,
                                z->goal.kd,
                                fmin(most, models[z->c.model].t)};
        const uint32_t mode = setting(z, RS_RUN_MODE);
        if (mode == RS_MODE_VELOCITY) {
            e.v = (double)rs_motor_f32(z, RS_SPD_REF);
            e.kp = e.t = 0.0;
            e.kd = OWN_KD;
        } else if (mode != RS_MODE_CONTROL) {
            e = (struct can_effort){.mode = MODE_OFF, .p = z->m.p};
        }
    }
    can_motor_command(&z->m, &e, ret_cmd);
}

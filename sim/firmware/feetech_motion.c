/*
 * The emulated STS servo between its registers and the body: sensors, faults on demand, protection,
 * profile, and the position controller as the body gets it: torque = kp (goal - q) - kd qd, limited
 * to Torque Limit (48) / 1000 of the stall torque.
 *
 * The units of the gains are not documented. P 32, as delivered, gives 1.4 % of full drive a count:
 * 35 % of the stall torque bend a servo at 12 V by 20 to 30 counts (measured by others,
 * TheRobotStudio/SO-ARM100 issue 134). D 32 is taken for 4 % of full drive a count and millisecond.
 */
#include "sim/firmware/feetech_inside.h"

#include <math.h>
#include <stdlib.h>

#define DEAD_V        3.0 /* no electronics runs on less */
#define P_FRAC        (0.014 / 32.0)
#define D_FRAC_MS     (0.04 / 32.0)
#define STALL_UNITS   (2.7 / FEETECH_A_PER_UNIT) /* current at standstill and full drive */
#define MOVING_COUNTS 50.0                       /* a second; the resolution of its own speed */

static const uint8_t cuts_by_mask =
    FEETECH_ERR_VOLTAGE | FEETECH_ERR_ENCODER | FEETECH_ERR_TEMPERATURE | FEETECH_ERR_CURRENT;

static double noisy(struct sts *z, double sd)
{
    return z->c.noise > 0.0 ? z->c.noise * sd * rng_normal(&z->rng) : 0.0;
}

/* Encoder less offset, within one turn. */
static int32_t position_counts(struct sts *z, double q)
{
    const double device_rad = z->sign * q * z->gear + z->zero_rad;
    const double counts = floor(device_rad / FEETECH_RAD_PER_COUNT + FEETECH_COUNTS_MIDDLE -
                                sts_get(z, FEETECH_OFFSET) + noisy(z, 0.3) + 0.5);
    const double turns = floor(counts / FEETECH_COUNTS_PER_TURN);
    return (int32_t)(counts - turns * FEETECH_COUNTS_PER_TURN);
}

static int32_t rounded(double x)
{
    return (int32_t)fmax(-32766.0, fmin(32766.0, floor(x + 0.5)));
}

static void sense(struct sts *z, const struct sensed *s)
{
    const int j = z->joint;
    const double speed = z->sign * s->qd[j] * z->gear / FEETECH_RAD_PER_COUNT + noisy(z, 10.0);
    const double load = z->tau_stall_nm > 0.0 ? z->sign * s->tau[j] / z->tau_stall_nm : 0.0;
    sts_set(z, FEETECH_PRESENT_POSITION, position_counts(z, s->q[j]));
    sts_set(z, FEETECH_PRESENT_SPEED, rounded(speed));
    sts_set(z, FEETECH_PRESENT_LOAD, rounded(load * FEETECH_TORQUE_FULL));
    sts_set(z, FEETECH_PRESENT_CURRENT, rounded(load * STALL_UNITS + noisy(z, 1.0)));
    sts_set(z, FEETECH_MOVING, fabs(speed) > MOVING_COUNTS);
    if (isfinite(s->volt_v[j])) {
        sts_set(z, FEETECH_PRESENT_VOLTAGE, rounded((double)s->volt_v[j] * 10.0));
    }
    if (isfinite(s->temp_c[j])) {
        sts_set(z, FEETECH_PRESENT_TEMPERATURE, rounded((double)s->temp_c[j]));
    }
}

/* Has it been so for as long as a register says? Updates since when. */
static bool lasts(struct sts *z, bool so, uint8_t time_addr, int64_t *since_ns)
{
    if (!so) {
        *since_ns = STS_NEVER;
        return false;
    }
    *since_ns = *since_ns == STS_NEVER ? z->now_ns : *since_ns;
    return z->now_ns - *since_ns >= sts_get(z, time_addr) * FEETECH_TIME_MS * STS_NS_PER_MS;
}

static void faults_on_demand(struct sts *z)
{
    const double now_s = (double)z->now_ns * 1e-9;
    if (z->c.overload_at_s > 0.0 && now_s >= z->c.overload_at_s && !z->tripped) {
        z->tripped = true;
        z->overloaded = true;
    }
    if (z->c.brownout_at_s > 0.0 && now_s >= z->c.brownout_at_s && !z->browned) {
        z->browned = true;
        sts_restart(z, z->now_ns);
    }
    if (z->c.torque_flip_at_s > 0.0 && now_s >= z->c.torque_flip_at_s && !z->flipped) {
        z->flipped = true;
        z->regs[FEETECH_TORQUE_ENABLE] = z->regs[FEETECH_TORQUE_ENABLE] == FEETECH_TORQUE_OFF;
        z->profile.begun = false;
    }
}

/* What is wrong now: the status register, which each answer carries. */
static void judge(struct sts *z)
{
    const bool driven = z->regs[FEETECH_TORQUE_ENABLE] == FEETECH_TORQUE_ON;
    const int32_t load = abs(sts_get(z, FEETECH_PRESENT_LOAD));
    const int32_t current = abs(sts_get(z, FEETECH_PRESENT_CURRENT));
    const int32_t volt = sts_get(z, FEETECH_PRESENT_VOLTAGE);
    const bool hot_on_demand =
        z->c.overheat_at_s > 0.0 && (double)z->now_ns * 1e-9 >= z->c.overheat_at_s;
    const bool strained = driven && load > 10 * sts_get(z, FEETECH_OVERLOAD_TORQUE);
    const bool heavy = driven && current > sts_get(z, FEETECH_PROTECTION_CURRENT);
    z->overloaded = lasts(z, strained, FEETECH_PROTECTION_TIME, &z->strained_ns) || z->overloaded;
    uint8_t status = z->overloaded ? FEETECH_ERR_OVERLOAD : 0;
    status |= lasts(z, heavy, FEETECH_CURRENT_TIME, &z->heavy_ns) ? FEETECH_ERR_CURRENT : 0;
    status |= volt > sts_get(z, FEETECH_VOLT_MAX) || volt < sts_get(z, FEETECH_VOLT_MIN)
                  ? FEETECH_ERR_VOLTAGE
                  : 0;
    status |=
        hot_on_demand || sts_get(z, FEETECH_PRESENT_TEMPERATURE) > sts_get(z, FEETECH_TEMP_LIMIT)
            ? FEETECH_ERR_TEMPERATURE
            : 0;
    z->regs[FEETECH_STATUS] = status;
    if ((status & z->regs[FEETECH_UNLOAD] & cuts_by_mask) != 0 && driven) {
        z->regs[FEETECH_TORQUE_ENABLE] = FEETECH_TORQUE_OFF;
        z->profile.begun = false;
    }
}

/* Part of full drive that it may use. After an overload it is the protective torque. */
static double ceiling_frac(const struct sts *z)
{
    const double limit = (double)sts_get(z, FEETECH_TORQUE_LIMIT) / FEETECH_TORQUE_FULL;
    const bool eased = z->overloaded && (z->regs[FEETECH_UNLOAD] & FEETECH_ERR_OVERLOAD) != 0;
    return eased ? fmin(limit, sts_get(z, FEETECH_PROTECTION_TORQUE) / 100.0) : limit;
}

/* The goal register in joint radians; beyond the limits of 9 and 11 it is their end. */
static double goal_rad(const struct sts *z)
{
    const int32_t low = sts_get(z, FEETECH_POSITION_MIN), high = sts_get(z, FEETECH_POSITION_MAX);
    const int32_t asked = sts_get(z, FEETECH_GOAL_POSITION);
    const bool turns = low == 0 && high == 0;
    const int32_t goal = turns ? asked : asked < low ? low : asked > high ? high : asked;
    const int32_t encoder = goal + sts_get(z, FEETECH_OFFSET);
    return z->sign * ((encoder - FEETECH_COUNTS_MIDDLE) * FEETECH_RAD_PER_COUNT - z->zero_rad) /
           z->gear;
}

static void command_position(struct sts *z, struct command *cmd)
{
    const int j = z->joint;
    const double nm_rad = z->tau_stall_nm * z->gear / FEETECH_RAD_PER_COUNT; /* all drive a count */
    cmd->mode[j] = MODE_POSITION;
    cmd->q[j] = z->profile.goal_rad;
    cmd->qd[j] = 0.0;
    cmd->kp[j] = sts_get(z, FEETECH_POSITION_P) * P_FRAC * nm_rad;
    cmd->kd[j] = sts_get(z, FEETECH_POSITION_D) * D_FRAC_MS * nm_rad / 1000.0;
}

void sts_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd)
{
    struct sts *z = state;
    const int j = z->joint;
    const double dt_s = (double)(t_ns - z->now_ns) * 1e-9;
    const bool was_booting = t_ns < z->silent_until_ns;
    z->now_ns = t_ns;
    faults_on_demand(z);
    if (isfinite(s->volt_v[j]) && (double)s->volt_v[j] < DEAD_V) {
        sts_restart(z, t_ns); /* without power it is not there */
    }
    sense(z, s);
    judge(z);
    const bool booting = was_booting || t_ns < z->silent_until_ns;
    const double rad_s = FEETECH_RAD_PER_COUNT / z->gear;
    ret_cmd->tau_max[j] = ceiling_frac(z) * z->tau_stall_nm;
    if (!booting && z->regs[FEETECH_TORQUE_ENABLE] == FEETECH_TORQUE_DAMPED) {
        ret_cmd->mode[j] = MODE_VELOCITY; /* the windings, shorted */
        ret_cmd->qd[j] = 0.0;
    } else if (booting || z->regs[FEETECH_TORQUE_ENABLE] != FEETECH_TORQUE_ON) {
        ret_cmd->mode[j] = MODE_OFF;
        ret_cmd->tau_max[j] = 0.0;
    } else if (z->regs[FEETECH_MODE] == FEETECH_MODE_POSITION) {
        profile_follow(&z->profile, goal_rad(z), s->q[j],
                       abs(sts_get(z, FEETECH_GOAL_SPEED)) * rad_s,
                       sts_get(z, FEETECH_ACCELERATION) * FEETECH_ACCELERATION_COUNTS_S2 * rad_s,
                       dt_s > 0.0 ? dt_s : 1e-3);
        command_position(z, ret_cmd);
    } else {
        ret_cmd->mode[j] = MODE_VELOCITY;
        ret_cmd->qd[j] = z->sign * sts_get(z, FEETECH_GOAL_SPEED) * rad_s;
    }
}

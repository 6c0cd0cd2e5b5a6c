/*
 * The emulated servo between its registers and the body: sensors, faults on demand, bus watchdog,
 * profile, and the position controller as the body gets it: torque = kp (goal - q) - kd qd, limited
 * to |Goal PWM| / 885 of the stall torque. Register P: P/128 PWM units a count; register D: D/16
 * PWM units per count and millisecond.
 */
#include "sim/firmware/dynamixel_inside.h"

#include <math.h>

#define DEAD_V 3.0 /* no electronics runs on less */

static double from_counts(const struct servo *z, double counts)
{
    const double all = counts + (double)z->turns * DXL_COUNTS_PER_TURN;
    return z->sign * ((all - DXL_COUNTS_MIDDLE) * DXL_RAD_PER_COUNT - z->zero_rad) / z->gear;
}

static double noisy(struct servo *z, double sd)
{
    return z->c.noise > 0.0 ? z->c.noise * sd * rng_normal(&z->rng) : 0.0;
}

/* The encoder knows one turn; whole turns are counted from power-up, or from Clear, on. */
static double count_turns(struct servo *z, double counts)
{
    if (z->turns_due) {
        z->turns = (int64_t)floor(counts / DXL_COUNTS_PER_TURN);
        z->turns_due = false;
    }
    return counts - (double)z->turns * DXL_COUNTS_PER_TURN;
}

/* What the sensors see, in the device's units: half a count of jitter, velocity in whole units. */
static void sense(struct servo *z, const struct sensed *s)
{
    const int j = z->joint;
    const double device = z->sign * s->q[j] * z->gear + z->zero_rad;
    const double counts = device / DXL_RAD_PER_COUNT + DXL_COUNTS_MIDDLE + noisy(z, 0.3);
    const double rate = z->sign * s->qd[j] * z->gear / DXL_RAD_S_PER_UNIT + noisy(z, 0.5);
    const double load = z->tau_stall_nm > 0.0 ? z->sign * s->tau[j] / z->tau_stall_nm : 0.0;
    servo_set(z, DXL_PRESENT_POSITION, (int64_t)floor(count_turns(z, counts) + 0.5));
    servo_set(z, DXL_PRESENT_VELOCITY, (int64_t)floor(rate + 0.5));
    servo_set(z, DXL_PRESENT_CURRENT,
              (int64_t)floor(load * table_stall_units(z->c.model) + noisy(z, 3.0) + 0.5));
    servo_set(z, DXL_PRESENT_PWM, (int64_t)floor(load * DXL_PWM_FULL + 0.5));
    servo_set(z, DXL_MOVING, fabs(rate) > (double)servo_get(z, DXL_MOVING_THRESHOLD) ? 1 : 0);
    servo_set(z, DXL_TICK, (z->now_ns - z->boot_ns) / NS_PER_MS % DXL_TICK_MODULO);
    if (isfinite(s->volt_v[j])) {
        servo_set(z, DXL_PRESENT_VOLTAGE, (int64_t)floor((double)s->volt_v[j] * 10.0 + 0.5));
    }
    if (isfinite(s->temp_c[j])) {
        servo_set(z, DXL_PRESENT_TEMPERATURE, (int64_t)floor((double)s->temp_c[j] + 0.5));
    }
}

static void shut_down(struct servo *z, uint8_t error)
{
    z->regs[DXL_HARDWARE_ERROR] |= error;
    if ((z->regs[DXL_HARDWARE_ERROR] & z->regs[DXL_SHUTDOWN]) != 0) {
        z->regs[DXL_TORQUE_ENABLE] = 0;
        z->profile.begun = false;
    }
}

/* Below its limits it complains and goes on; without power it is not there, and begins anew. */
static void watch_supply(struct servo *z, const struct sensed *s)
{
    const double volt_v = (double)s->volt_v[z->joint];
    if (isfinite(volt_v) && volt_v < DEAD_V) {
        servo_reboot(z, z->now_ns);
    } else if (isfinite(volt_v) && volt_v * 10.0 < (double)servo_get(z, DXL_VOLT_MIN)) {
        shut_down(z, 0x01);
    }
}

static void faults_on_demand(struct servo *z)
{
    const double now_s = (double)z->now_ns * 1e-9;
    if (z->c.overload_at_s > 0.0 && now_s >= z->c.overload_at_s && !z->overloaded) {
        z->overloaded = true;
        shut_down(z, 0x20);
    }
    if (z->c.brownout_at_s > 0.0 && now_s >= z->c.brownout_at_s && !z->browned) {
        z->browned = true;
        servo_reboot(z, z->now_ns);
    }
    if (z->c.torque_flip_at_s > 0.0 && now_s >= z->c.torque_flip_at_s && !z->flipped) {
        z->flipped = true;
        z->regs[DXL_TORQUE_ENABLE] = z->regs[DXL_TORQUE_ENABLE] == 0;
        z->profile.begun = false;
    }
    if (z->regs[DXL_PRESENT_TEMPERATURE] > z->regs[DXL_TEMP_LIMIT]) {
        shut_down(z, 0x04);
    }
}

static void watch_bus(struct servo *z)
{
    const int64_t units = servo_get(z, DXL_WATCHDOG);
    if (units == 0 || z->tripped || z->regs[DXL_TORQUE_ENABLE] == 0 ||
        z->c.watchdog == WATCHDOG_NONE ||
        z->now_ns - z->heard_ns <= units * DXL_WATCHDOG_MS * NS_PER_MS) {
        return;
    }
    z->tripped = true;
    servo_set(z, DXL_PROFILE_ACCELERATION, 0);
    servo_set(z, DXL_PROFILE_VELOCITY, 0);
    if (z->c.watchdog == WATCHDOG_OFF) {
        z->regs[DXL_TORQUE_ENABLE] = 0;
    }
}

static void follow_profile(struct servo *z, double goal, double q, double dt_s)
{
    profile_follow(&z->profile, goal, q,
                   (double)servo_get(z, DXL_PROFILE_VELOCITY) * DXL_RAD_S_PER_UNIT / z->gear,
                   (double)servo_get(z, DXL_PROFILE_ACCELERATION) * DXL_RAD_S2_PER_UNIT / z->gear,
                   dt_s);
}

static void command_position(struct servo *z, struct command *cmd)
{
    const int j = z->joint;
    const double full_nm_rad = z->tau_stall_nm * z->gear / (DXL_PWM_FULL * DXL_RAD_PER_COUNT);
    cmd->mode[j] = MODE_POSITION;
    cmd->q[j] = z->profile.goal_rad;
    cmd->qd[j] = 0.0;
    cmd->kp[j] = (double)servo_get(z, DXL_POSITION_P) / 128.0 * full_nm_rad;
    cmd->kd[j] = (double)servo_get(z, DXL_POSITION_D) / 16.0 * full_nm_rad / 1000.0;
}

static void command_other(const struct servo *z, struct command *cmd)
{
    const int j = z->joint;
    if (z->regs[DXL_MODE] == DXL_MODE_VELOCITY) {
        cmd->mode[j] = MODE_VELOCITY;
        cmd->qd[j] =
            z->sign * (double)servo_get(z, DXL_GOAL_VELOCITY) * DXL_RAD_S_PER_UNIT / z->gear;
        return;
    }
    const bool pwm = z->regs[DXL_MODE] == DXL_MODE_PWM;
    const double frac =
        pwm ? (double)servo_get(z, DXL_GOAL_PWM) / DXL_PWM_FULL
            : (double)servo_get(z, DXL_GOAL_CURRENT) / table_stall_units(z->c.model);
    cmd->mode[j] = MODE_EFFORT;
    cmd->tau[j] = z->sign * frac * z->tau_stall_nm;
}

void servo_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd)
{
    struct servo *z = state;
    const int j = z->joint;
    const double dt_s = (double)(t_ns - z->now_ns) * 1e-9;
    const bool was_booting = t_ns < z->silent_until_ns;
    z->now_ns = t_ns;
    faults_on_demand(z);
    watch_supply(z, s);
    sense(z, s);
    watch_bus(z);
    ret_cmd->tau_max[j] = fabs((double)servo_get(z, DXL_GOAL_PWM)) / DXL_PWM_FULL * z->tau_stall_nm;
    if (z->regs[DXL_TORQUE_ENABLE] == 0 || was_booting || t_ns < z->silent_until_ns) {
        ret_cmd->mode[j] = MODE_OFF;
        ret_cmd->tau_max[j] = 0.0;
        return;
    }
    const uint8_t mode = z->regs[DXL_MODE];
    if (z->tripped && (z->c.watchdog == WATCHDOG_BRAKE || z->c.watchdog == WATCHDOG_HOLD)) {
        ret_cmd->mode[j] = MODE_VELOCITY; /* torque stays on and keeps it where it stands */
        ret_cmd->qd[j] = 0.0;
        return;
    }
    if (mode == DXL_MODE_POSITION || mode == DXL_MODE_EXTENDED ||
        mode == DXL_MODE_CURRENT_POSITION) {
        follow_profile(z, from_counts(z, (double)servo_get(z, DXL_GOAL_POSITION)), s->q[j],
                       dt_s > 0.0 ? dt_s : 1e-3);
        command_position(z, ret_cmd);
    } else {
        command_other(z, ret_cmd);
    }
}

#include "sim/motor.h"

#include <math.h>

#define BRAKE_NMS_RAD                                                                              \
    2.8 /* velocity loop: full torque of a small servo at an error of half a radian a second */
#define GREASE_NMS_RAD                                                                             \
    0.05 /* the output crosses half a degree of play in about 2 ms under 0.3 Nm */

static double clip(double x, double limit)
{
    return fmax(-limit, fmin(limit, x));
}

void motor_rest(struct motor *ret_motor, double q)
{
    *ret_motor = (struct motor){.q_motor = q, .q = q, .q_held = q, .mode = MODE_OFF};
}

/* The bridge's voltage, as the torque that it would make at standstill. */
static double bridge_nm(const struct motor *m, const struct motor_spec *spec,
                        const struct command *cmd, int j)
{
    const bool own = cmd->kp[j] <= 0.0;
    const double kp = own ? spec->kp_nm_rad : cmd->kp[j];
    const double kd = own ? spec->kd_nms_rad : cmd->kd[j];
    switch ((enum command_mode)m->mode) {
    case MODE_POSITION:
        return kp * (cmd->q[j] - m->q) + kd * (cmd->qd[j] - m->qd_motor) + cmd->tau[j];
    case MODE_IMPEDANCE: /* a gain of 0 is meant */
        return cmd->kp[j] * (cmd->q[j] - m->q) + cmd->kd[j] * (cmd->qd[j] - m->qd_motor) +
               cmd->tau[j];
    case MODE_HOLD:
        return kp * (m->q_held - m->q) - kd * m->qd_motor;
    case MODE_VELOCITY:
        return BRAKE_NMS_RAD * (cmd->qd[j] - m->qd_motor);
    case MODE_EFFORT:
        return cmd->tau[j];
    case MODE_OFF:
        break;
    }
    return 0.0;
}

/*
 * Torque that the current makes. Position, hold and velocity set a voltage, so back-EMF is
 * subtracted; effort and impedance regulate the current and get what they ask, as far as the
 * voltage reaches.
 */
static double drive_nm(const struct motor *m, const struct motor_spec *spec,
                       const struct command *cmd, int j)
{
    if (m->mode == MODE_OFF) {
        return 0.0;
    }
    const double stall = spec->tau_stall_nm;
    const double ceiling = fmax(0.0, fmin(cmd->tau_max[j], stall));
    const double u = clip(bridge_nm(m, spec, cmd, j), ceiling);
    const double emf = stall / spec->qd_max_rad_s * m->qd_motor;
    if (m->mode == MODE_EFFORT || m->mode == MODE_IMPEDANCE) {
        return clip(fmax(-stall - emf, fmin(stall - emf, u)), stall);
    }
    return clip(u - emf, stall);
}

/* Does the load press the output onto the rotor's flank? Only then does the rotor feel it. */
static bool pressed(const struct motor *m, double half_play, double load_nm)
{
    const double tiny = 1e-9;
    return load_nm > 0.0 ? m->q >= m->q_motor + half_play - tiny
                         : m->q <= m->q_motor - half_play + tiny;
}

static void stop_at_ends(struct motor *m, const struct motor_spec *spec)
{
    if ((m->q_motor <= spec->q_min && m->qd_motor < 0.0) ||
        (m->q_motor >= spec->q_max && m->qd_motor > 0.0)) {
        m->q_motor = fmax(spec->q_min, fmin(spec->q_max, m->q_motor));
        m->qd_motor = 0.0;
    }
}

void motor_step(struct motor *m, const struct motor_spec *spec, const struct command *cmd, int j,
                double load_nm, double dt_s)
{
    const double half_play = 0.5 * spec->backlash_rad;
    if (cmd->mode[j] != m->mode) {
        m->mode = cmd->mode[j];
        m->q_held = m->q;
    }
    m->tau = drive_nm(m, spec, cmd, j);
    const double felt = pressed(m, half_play, load_nm) ? load_nm : 0.0;
    const double push = m->tau + felt - spec->damping_nms_rad * m->qd_motor;
    const double free_speed = m->qd_motor + dt_s * push / spec->inertia_kgm2;
    m->qd_motor = free_speed - clip(free_speed, dt_s * spec->friction_nm / spec->inertia_kgm2);
    m->q_motor += dt_s * m->qd_motor;
    stop_at_ends(m, spec);
    const double slid = m->q + dt_s * load_nm / GREASE_NMS_RAD;
    m->q = fmax(m->q_motor - half_play, fmin(m->q_motor + half_play, slid));
}

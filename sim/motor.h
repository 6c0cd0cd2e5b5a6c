/*
 * A geared DC servo motor: what turns a joint command into torque and motion. Everything is seen
 * from the output shaft.
 *
 *   u     = clip(kp (q_goal - q) + kd (qd_goal - qd) + tau, +-ceiling)
 *   tau   = clip(u - (tau_stall / qd_max) qd, +-tau_stall)
 *   J qd' = tau + load - friction sign(qd) - damping qd
 *   |q - q_motor| <= backlash / 2
 *
 * u is the bridge, as torque at standstill; back-EMF makes tau <= tau_stall (1 - qd / qd_max); J is
 * the rotor's behind the gear; the last line is the play between gear and output.
 *
 * Integrator: semi-implicit Euler (speed first, then angle with the new speed); dry friction takes
 * at most the speed that is there. The output has no mass: within the play it slides where the load
 * pushes it, against a film of grease.
 */
#pragma once

#include "daemon/base/types.h"

struct motor_spec {
    double tau_stall_nm;          /* at full voltage and standstill */
    double qd_max_rad_s;          /* no load, no friction */
    double inertia_kgm2;          /* rotor times gear squared, and the link */
    double friction_nm;           /* dry */
    double damping_nms_rad;       /* oil */
    double backlash_rad;          /* whole play */
    double kp_nm_rad, kd_nms_rad; /* of a position command that brings none */
    double q_min, q_max;          /* mechanical stops, rad */
};

/* Flat: copying it copies the motor. */
struct motor {
    double q_motor, qd_motor; /* rad, rad/s: rotor through the gear */
    double q;                 /* rad: output */
    double tau;               /* Nm: what the current makes, before friction */
    double q_held;            /* goal of MODE_HOLD: where it was when the mode began */
    int64_t mode; /* enum command_mode of the last step; a whole word, so that no byte is padding */
};

/* At rest at angle q, bridge open. */
void motor_rest(struct motor *ret_motor, double q);

/* One step under joint j of cmd and a load on the output, Nm; dt_s at most about a millisecond. */
void motor_step(struct motor *m, const struct motor_spec *spec, const struct command *cmd, int j,
                double load_nm, double dt_s);

/* What the files of the simulated arm share. */
#pragma once

#include "daemon/base/chain.h"
#include "daemon/base/robot.h"
#include "sim/push.h"

#include <stdint.h>

#define ORDERS_MAX 16              /* on their way to the motors */
#define SPEEDS_MAX (CHAIN_MAX + 1) /* joints, then the valve */

enum {
    TABLE_FORCE,
    VALVE_ANGLE,
    VALVE_VELOCITY,
    VALVE_TURN,
    VALVE_TARGET,
    VALVE_ERROR,
    VALVE_OFF,
    TO_PEG,
    ARM_SENSORS_N
};

struct arm_config {
    double kp[CHAIN_MAX], kd[CHAIN_MAX];
    int n_kp, n_kd;
    bool gravity_compensation;
    double latency_s, backlash_rad, stop_margin_rad;
    double start[CHAIN_MAX], start_noise_rad;
    int n_start;
    bool table;
    double table_z_m, tip_radius_m, stiffness_n_m, damping_ns_m, mu;
    int pegs;
    double valve[3], valve_radius_m, peg_radius_m, peg_height_m, valve_kgm2, valve_friction_nm,
        valve_damping_nms_rad;
    int n_valve;
    double valve_start_rad, valve_target_rad, valve_spread_rad;
    struct push_config push;
};

struct arm {
    struct arm_config c;
    struct chain chain;
    double q_lo[CHAIN_MAX], q_hi[CHAIN_MAX]; /* stops */
    double tau_most[CHAIN_MAX];              /* Nm: what the motor gives */
    int n_joints;                            /* of the robot */
    int at[ARM_SENSORS_N];
};

/* What the motors were told; ordered as the chain's links. */
struct arm_order {
    int64_t mode[CHAIN_MAX]; /* enum command_mode; whole words: no byte is padding */
    double q[CHAIN_MAX], qd[CHAIN_MAX], tau[CHAIN_MAX], kp[CHAIN_MAX], kd[CHAIN_MAX],
        tau_max[CHAIN_MAX];
};

/* Flat: copying it copies the world. */
struct arm_state {
    double q[SPEEDS_MAX], qd[SPEEDS_MAX]; /* joints, then the valve */
    double valve_target;
    double q_seen[CHAIN_MAX]; /* by the encoders, behind the play */
    double q_held[CHAIN_MAX]; /* goal of MODE_HOLD: where it was when the mode began */
    double tau[CHAIN_MAX];    /* Nm: of the motors, over the last step */
    double table_n;           /* N: the table on the tip */
    struct push_state push;   /* on the tip */
    double t_s;
    int64_t n_coming; /* orders on their way, oldest first */
    double due_s[ORDERS_MAX];
    struct arm_order now, coming[ORDERS_MAX];
};

/* Where the valve's peg that is nearest to the tip stands, in the base's frame. */
void arm_nearest_peg(const struct arm_config *c, double valve_angle, const double *tip,
                     double *ret_peg);

/* One step of at most a millisecond under the motors' torque s->tau. */
void arm_move(const struct arm *z, struct arm_state *s, double h_s);

/*
 * Rigid-body kinematics and dynamics of a serial chain of revolute joints: fixed size, bounded in
 * time, fit for the tick. Vectors [n] are ordered as the chain's links; chain.link[i].joint says
 * which joint of the robot that is. Everything about link i is in the frame that sits on its joint.
 *
 *   M(q) qdd + b(q, qd) = tau - friction(qd)        b: Coriolis, centrifugal and gravity torque
 *
 * Featherstone 2008, Rigid Body Dynamics Algorithms: table 5.1 (recursive Newton-Euler), table 6.2
 * (composite rigid bodies), with vectors of space instead of spatial ones; Luh, Walker and Paul
 * 1980. A link counts with mass m, first moment h = m c and inertia I about its frame's origin:
 * everything is linear in these ten numbers, which identification uses.
 */
#pragma once

#include "daemon/base/err.h"
#include "daemon/base/robot.h"

/* Ten numbers of a link, then what its joint adds: the order of a regressor's columns. */
enum chain_parameter {
    CHAIN_M,
    CHAIN_HX,
    CHAIN_HY,
    CHAIN_HZ,
    CHAIN_IXX,
    CHAIN_IYY,
    CHAIN_IZZ,
    CHAIN_IXY,
    CHAIN_IXZ,
    CHAIN_IYZ,
    CHAIN_ARMATURE,
    CHAIN_VISCOUS,
    CHAIN_COULOMB,
    CHAIN_PARAMETERS
};

struct chain_link {
    int joint;                  /* of the robot */
    double r0[9], rs[9], rc[9]; /* frame in the one before: R(q) = r0 + sin q rs + (1 - cos q) rc */
    double off[3];              /* m: its origin there */
    double axis[3];             /* length 1 */
    double p[CHAIN_PARAMETERS]; /* SI */
};

struct chain {
    int n;
    double gravity[3]; /* m/s^2 */
    double tool_r[9], tool_off[3];
    struct chain_link link[CHAIN_MAX];
};

/* A frame in that of the base: its axes are the columns of r. */
struct frame {
    double r[9], p[3]; /* p m */
};

/*
 * The chain of a robot's links. -EINVAL and one sentence ("joint NAME: ..."): a link of no joint, a
 * vector of another length, an axis of length 0, an inertia that no body has (not positive
 * definite, or one principal moment larger than the sum of the others). -ENOENT: it has no links.
 */
int chain_init(struct chain *ret_chain, const struct robot *robot, char *ret_why,
               int cap) BASAL_MUST_USE;

/* Forward kinematics: q [n] rad -> ret_link [n] and ret_tool, in the base's frame. */
void chain_frames(const struct chain *c, const double *q, struct frame *ret_link,
                  struct frame *ret_tool) BASAL_RT;

/*
 * ret_j [6,n], row-major: (speed of point, angular speed) of the last link = J qd, in the base's
 * frame; point [3] m. frames [n] are those of chain_frames.
 */
void chain_jacobian(const struct chain *c, const struct frame *frames, const double *point,
                    double *ret_j) BASAL_RT;

/* Inverse dynamics: the torque for qdd, without friction. q, qd, qdd, ret_tau [n]; qd or qdd NULL:
 * all zero. */
void chain_inverse(const struct chain *c, const double *q, const double *qd, const double *qdd,
                   double *ret_tau) BASAL_RT;

/* Torque that carries the chain at rest: chain_inverse without speed and acceleration. */
void chain_gravity(const struct chain *c, const double *q, double *ret_tau) BASAL_RT;

/* Friction against the motion: coulomb sign(qd) + viscous qd; 0 at rest. */
void chain_friction(const struct chain *c, const double *qd, double *ret_tau) BASAL_RT;

/* ret_m [n,n]: the mass matrix, rotors included; symmetric. */
void chain_mass(const struct chain *c, const double *q, double *ret_m) BASAL_RT;

/*
 * Forward dynamics without friction: ret_qdd [n] from tau [n]. Errors: -EDOM: the mass matrix is
 * not positive definite (nothing but rounding can make it so); ret_qdd is untouched.
 */
int chain_accelerate(const struct chain *c, const double *q, const double *qd, const double *tau,
                     double *ret_qdd) BASAL_RT
BASAL_MUST_USE;

/*
 * Cholesky, in place: the lower triangle of a [n,n] becomes L, a = L L'; the upper one is neither
 * read nor written. Errors: -EDOM: a is not positive definite; a is then half done.
 */
int chain_factor(double *a, int n) BASAL_RT
BASAL_MUST_USE;

/* x [n] <- (L L')^-1 x */
void chain_solve(const double *l, int n, double *x) BASAL_RT;

/*
 * ret_y [n, CHAIN_PARAMETERS n]: tau = Y p, with friction; p are the links' parameters one after
 * the other. Exact where no qd is 0 (the sign of friction).
 */
void chain_regressor(const struct chain *c, const double *q, const double *qd, const double *qdd,
                     double *ret_y) BASAL_RT;

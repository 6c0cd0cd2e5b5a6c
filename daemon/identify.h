/*
 * Identification of an arm: from a recorded motion that excites it, masses, inertias and friction
 * by linear least squares, with standard errors.
 *
 *   tau = Y(q, qd, qdd) p          p: 13 numbers a link, enum chain_parameter
 *
 * Torque does not show all of p: some numbers move nothing, others only in sums. The base
 * parameters are a largest set of columns of Y that are independent, b = p_base + K p_rest, and all
 * that any motion can tell. Gautier and Khalil 1990; Gautier 1991 (base parameters by numerical
 * factorization); Swevers et al. 1997 (weights by each joint's own noise).
 *
 * The errors are those of the torques' noise; what smoothing does to fast motion, or a gear's play,
 * is not in them.
 *
 * LAPACKE; not for the tick.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/chain.h"

#define IDENTIFY_COLUMNS (CHAIN_MAX * CHAIN_PARAMETERS)
#define IDENTIFY_NAME    512

struct identify {
    const struct robot *robot; /* names */
    struct chain chain;
    int n, n_base, n_rest;
    int base[IDENTIFY_COLUMNS], rest[IDENTIFY_COLUMNS]; /* columns of Y, in order */
    double *k;                                          /* [n_base, n_rest] */
    double nominal[IDENTIFY_COLUMNS];                   /* b by the robot file */

    /* of the fit */
    double value[IDENTIFY_COLUMNS], error[IDENTIFY_COLUMNS]; /* b, and its standard error */
    double rms_nm[CHAIN_MAX]; /* what is left of each joint's torque */
    double condition;         /* of the fit's columns, each scaled to length 1 */
    int n_rows;               /* torques that counted */

    /* What each joint's constant of torque by current is, of what its driver takes it for, and its
     * standard error. Only their ratios show in a motion: one joint's counts as right. */
    double constant[CHAIN_MAX], constant_error[CHAIN_MAX];
    int right; /* whose; -1: all count as right, none was fitted. An error of NaN: a constant that
                  the motion does not tell */
};

/* A motion: n_samples of every link's angle, speed, acceleration and torque, each [n_samples, n].
 */
struct motion_record {
    int n_samples, n;
    int reach; /* samples either way that a slope was taken over; 0: they are exact */
    double *q, *qd, *qdd, *tau;
};

/*
 * Which parameters a torque can show at all, by the rank of Y over random states (SVD). Memory is
 * taken from mem. -errno and one sentence: no links, or Y's rank is not what its columns say.
 */
int identify_base(struct identify *ret_identify, const struct robot *robot, struct arena *mem,
                  char *ret_why, int cap) BASAL_MUST_USE;

/*
 * Fit z->value to the record, each joint weighted by its own noise; with constants, z->constant
 * too: c tau = Y b, where tau is what the driver made of the current (Gautier and Briot 2014, drive
 * gains and dynamic parameters at once). The joint with the largest torque counts as right. Torques
 * of a joint that hardly moves are left out: dry friction is any number there.
 *
 * Errors: -EINVAL: fewer rows than ten a parameter or 50 a joint that moves at all; -EDOM: the
 * motion does not excite some parameter, the sentence names it, its numbers are too large, or a
 * joint's torque has the others' sign turned about.
 */
int identify_fit(struct identify *z, const struct motion_record *m, bool constants,
                 struct arena *mem, char *ret_why, int cap) BASAL_MUST_USE;

/* What the base parameters would be if the links had p [IDENTIFY_COLUMNS]. */
void identify_combine(const struct identify *z, const double *p, double *ret_base);

/* "elbow.m_cx + 0.12 forearm.m": what base parameter i is a sum of. Returns its length. */
int identify_name(const struct identify *z, int i, char *ret_name, int cap);

/* Parameter `column` of Y alone: "elbow.Ixx"; its unit: "kg m^2". */
int identify_column_name(const struct identify *z, int column, char *ret_name, int cap);
const char *identify_unit(int column);

/* Does the rest's number r show in no torque at all, not even in a sum? */
bool identify_is_unseen(const struct identify *z, int r);

/*
 * A recording as text: a line of names, then a line a sample, parted by commas: t_s, q_rad.LINK and
 * tau_nm.LINK of every link in any order; other columns are ignored. Even steps of time; a longer
 * one is a gap, over which nothing is made up. Speed and acceleration are slopes of a polynomial of
 * second and third degree through 30 ms either way (Savitzky and Golay 1964); torques stay as they
 * are.
 *
 * -errno and one sentence with the line: what is missing, not a number, uneven, too short.
 */
int identify_read(struct motion_record *ret_record, const char *path, const struct robot *robot,
                  struct arena *mem, char *ret_why, int cap) BASAL_MUST_USE;

/* q [n_samples, n] in steps of dt_s -> ret's q, qd, qdd over w samples either way, n_samples - 2 w
 * of them; ret says n, and whose memory it is. */
void identify_slopes(const double *q, int n_samples, int w, double dt_s, struct motion_record *ret);

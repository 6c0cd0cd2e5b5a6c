/*
 * Inverse kinematics of a chain: joint angles that bring the tool where it is wanted. Not for the
 * tick: it calls LAPACK, and starts again where it does not get there.
 */
#pragma once

#include "daemon/base/chain.h"
#include "daemon/base/err.h"

struct ik_target {
    double p[3]; /* m: of the tool's frame, in that of the base */
    bool turned; /* the tool's axes are wanted, too */
    double r[9]; /* turned: they are its columns */
};

struct ik {
    const struct chain *chain;
    double lo[CHAIN_MAX], hi[CHAIN_MAX]; /* rad */
    /* what else a pose must be, so that it counts; NULL: nothing */
    bool (*good)(const void *self, const double *q);
    const void *self;
    uint64_t seed; /* of the poses that it starts from; the first is the middle of the ranges */
};

/* The ranges of the robot's joints; of one that is not driven, a whole turn. */
void ik_ranges(struct ik *z, const struct robot *robot);

/*
 * ret_q [n] rad: within lo and hi, the tool within IK_NEAR (m, and rad where turned) of the target.
 * ret_off: how far off the best pose is that was found, also on failure.
 *
 * Errors, with one sentence: -EINVAL: a target that is not finite, or axes that are no rotation.
 * -ERANGE: no start led there: it is out of reach, or only beyond a joint's range. -EPERM: what led
 * there was not good. -ENOMEM.
 *
 * Damped least squares: Wampler 1986; Nakamura and Hanafusa 1986; damping as Levenberg-Marquardt.
 */
#define IK_NEAR 1e-9
int ik_solve(const struct ik *z, const struct ik_target *target, double *ret_q, double *ret_off,
             char *ret_why, int cap) BASAL_MUST_USE;

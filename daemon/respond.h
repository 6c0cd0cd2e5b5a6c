/*
 * What the states retreating and damped do, tick by tick, and when they are over.
 *
 * Retreating: brought to rest where it is; then all joints together along a straight path in joint
 * space to the rest pose, each within its own limits and those of `responses`; over when the pose
 * is near, nothing moves and gravity pulls with little at each joint, or something carries the
 * robot.
 *
 * Damped: brought to rest where it is, then no stiffness. With the chain of the robot known each
 * joint is carried but for as much as makes it sink at damped_rad_s against its damping:
 *
 *   tau = sign(g) max(0, |g| - kd damped_rad_s) carry          g: torque that carries it at rest
 *
 * carry is 1, and falls to 0 while nothing moves: what is still at 0 is held by nothing but what it
 * lies on, and stays when torque goes off.
 */
#pragma once

#include "daemon/base/chain.h"
#include "daemon/base/joint_path.h"
#include "daemon/fsm.h"

/* Of one robot; const after the start. */
struct responder {
    const struct robot *robot;
    const struct response_settings *c;
    struct chain chain; /* n 0: nothing is known of its body */
    double dt_s, brake_s;
    double damped_s;             /* longest descent, once at rest */
    double v[JOINTS_MAX];        /* of a retreat: rad/s */
    double a[JOINTS_MAX];        /* rad/s^2 */
    enum response after_retreat; /* what follows one that fails */
};

struct respond_state { /* of the response under way; flat */
    enum fsm_state state;
    bool braked;
    struct joint_path path; /* from where it came to rest to the rest pose */
    double still_s, carry;
};

/*
 * The responder of a robot. stop_s: of control. Errors, -EINVAL and one sentence, "joint NAME: ..."
 * or "responses.KEY ...": a response that the robot has not what it takes for, or that drops what
 * it carries and is not accepted.
 */
int respond_init(struct responder *ret_responder, const struct robot *robot,
                 const struct response_settings *settings, double stop_s, char *ret_why,
                 int cap) BASAL_MUST_USE;

/* The longest from a stop to the moment when torque is to go off, s. */
double respond_stop_s(const struct responder *r);

/* Nothing moves. */
bool respond_still(const struct responder *r, const struct sensed *s) BASAL_RT;

/* Driven joints that cannot be commanded: silent, or without torque. A bit each. */
uint64_t respond_gone(const struct responder *r, const struct sensed *s, const int *stale,
                      int stale_max) BASAL_RT;

/*
 * control.carry_weight: the torque that carries each joint into the goals of poses of cmd, before
 * the filter, which limits it and drops that of an old angle. None where the angle is doubted.
 */
void respond_carry(const struct responder *r, const struct sensed *s, uint64_t doubted,
                   struct command *cmd) BASAL_RT;

/* Bits of enum fsm_event: rested, timed out, cannot. */
uint32_t respond_events(const struct responder *r, const struct respond_state *z,
                        const struct fsm *fsm, const struct sensed *s, uint64_t gone,
                        int64_t now_ns) BASAL_RT;

/*
 * In every tick, whatever the state: modes and goals of this one into cmd, which holds the last
 * safe command, where it retreats or is damped. doubted: a bit per joint whose angle or direction
 * may be wrong; damping is right whatever its sign, a torque that is to carry is not.
 */
void respond_command(const struct responder *r, struct respond_state *z, const struct fsm *fsm,
                     const struct sensed *s, uint64_t doubted, struct command *cmd,
                     int64_t now_ns) BASAL_RT;

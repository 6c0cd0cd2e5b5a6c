#include "drivers/mit_goal.h"

#include "drivers/joints.h"

#include <math.h>
#include <stdio.h>

/* From the end of a command to its answer. Not in the makers' papers; openarm_can waits 500 us for
 * the first of a Damiao, its adapter's time included. */
#define REPLY_US 200

static double clip(double x, double most)
{
    return x > most ? most : x < -most ? -most : x;
}

struct mit_goal mit_goal_limp(const struct robot_bus *b, int joint)
{
    const struct can_joint *z = can_joint_of(b, joint);
    return (struct mit_goal){.p = z->p_rad};
}

/* tau_joint = gear tau_motor and q_motor = gear q_joint: gains shrink by gear^2. */
static struct mit_goal at_the_motor(const struct joint_spec *j, const struct command *cmd,
                                    int joint, double kp, double kd)
{
    const double gear2 = j->gear * j->gear;
    return (struct mit_goal){.p = joint_to_device(j, cmd->q[joint]),
                             .v = joint_rate_to_device(j, cmd->qd[joint]),
                             .t = j->sign * cmd->tau[joint] / j->gear,
                             .kp = kp / gear2,
                             .kd = kd / gear2};
}

/* hold_s: from the pose last heard until the next command comes. */
static void limit(struct mit_goal *g, const struct can_joint *z, double most, double hold_s)
{
    g->t = clip(g->t, most);
    const double tau = g->kp * (g->p - z->p_rad) + g->kd * (g->v - z->v_rad_s) + g->t;
    const double worst = fabs(tau) + g->kp * fabs(z->v_rad_s) * hold_s;
    if (worst > most || most <= 0.0) {
        const double frac = most > 0.0 ? most / worst : 0.0;
        g->kp *= frac;
        g->kd *= frac;
        g->t *= frac;
    }
}

bool mit_goal_of(const struct robot_bus *b, int joint, const struct mit_gains *gains,
                 const struct command *cmd, struct mit_goal *ret_goal)
{
    const struct joint_spec *j = &b->robot->joint[joint];
    double kp = gains->kp_nm_rad, kd = gains->kd_nms_rad;
    *ret_goal = mit_goal_limp(b, joint);
    switch ((enum command_mode)cmd->mode[joint]) {
    case MODE_OFF:
        return false;
    case MODE_HOLD:
    case MODE_POSITION:
        break;
    case MODE_VELOCITY:
        kp = 0.0;
        break;
    case MODE_EFFORT:
        kp = kd = 0.0;
        break;
    case MODE_IMPEDANCE:
        kp = fmax(0.0, cmd->kp[joint]);
        kd = fmax(0.0, cmd->kd[joint]);
        break;
    }
    struct mit_goal g = at_the_motor(j, cmd, joint, kp, kd);
    if (!j->actuated || !isfinite(g.p) || !isfinite(g.v) || !isfinite(g.t) || !isfinite(g.kp) ||
        !isfinite(g.kd) || !isfinite(cmd->tau_max[joint])) {
        return false;
    }
    limit(&g, can_joint_of(b, joint), cmd->tau_max[joint] / fabs(j->gear),
          2.0 / b->robot->control_rate_hz);
    *ret_goal = g;
    return true;
}

void mit_note(const struct robot_bus *b, int joint, const struct mit_state *m)
{
    struct can_joint *z = can_joint_of(b, joint);
    z->p_rad = m->p;
    z->v_rad_s = m->v;
    z->heard = true;
}

void mit_sense(struct robot_bus *b, int joint, const struct mit_state *m, struct sensed *ret_sensed)
{
    const struct joint_spec *j = &b->robot->joint[joint];
    mit_note(b, joint, m);
    ret_sensed->q[joint] = joint_from_device(j, m->p);
    ret_sensed->qd[joint] = joint_rate_from_device(j, m->v);
    ret_sensed->tau[joint] = j->sign * m->t * j->gear;
}

int mit_ask(struct robot_bus *b, struct canfd_frame *ret_tx, int cap)
{
    (void)b, (void)ret_tx, (void)cap;
    return 0;
}

void mit_load(const struct robot *r, int bus, struct can_load *ret_load)
{
    *ret_load = (struct can_load){.n = 1,
                                  .frames = {{.n = 2 * can_joints(r, bus), .bytes = MIT_BYTES}},
                                  .reply_us = REPLY_US};
}

enum can_heard mit_range_fits(struct setup *s, int joint, const struct mit_range *range,
                              const struct mit_gains *gains)
{
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    const double gear = fabs(j->gear);
    double low, high;
    joint_range_to_device(j, &low, &high);

    const struct {
        const char *what;
        double least, has;
    } rows[] = {
        {"position", fmax(-low, high), range->p},
        {"velocity", j->qd_max * gear, range->v},
        {"torque", j->tau_max / gear, range->t},
        {"kp", gains->kp_nm_rad / (gear * gear), range->kp},
        {"kd", gains->kd_nms_rad / (gear * gear), range->kd},
    };

    for (unsigned i = 0; j->actuated && i < sizeof rows / sizeof rows[0]; i++) {
        if (!(rows[i].least <= rows[i].has)) {
            char text[96];
            (void)snprintf(text, sizeof text,
                           "needs a %s of %g at the motor, whose range ends at %g", rows[i].what,
                           rows[i].least, rows[i].has);
            return can_give_up(s, joint, text,
                               "correct the joint's limits, gains, gear or zero_rad");
        }
    }
    return HEARD_YES;
}

#include "daemon/respond.h"

#include "daemon/base/clock.h"

#include <math.h>

#define STILL_RAD_S 0.05
#define STILL_S     0.2 /* nothing has moved for so long */
#define RELEASE_S   1.0 /* from carried to not, while nothing moves */

#define BIT(event) (UINT32_C(1) << (event))

static bool is_driven(const struct responder *r, int j)
{
    return r->robot->joint[j].actuated;
}

bool respond_still(const struct responder *r, const struct sensed *s)
{
    for (int j = 0; j < s->n; j++) {
        if (is_driven(r, j) && !(fabs(s->qd[j]) <= STILL_RAD_S)) {
            return false;
        }
    }
    return true;
}

/* Torque that carries each joint at rest, [joints]; 0 where nothing is known. */
static void gravity(const struct responder *r, const double *q, double *ret_tau)
{
    double of_link[CHAIN_MAX], pose[CHAIN_MAX];
    for (int j = 0; j < r->robot->n_joints; j++) {
        ret_tau[j] = 0.0;
    }
    for (int i = 0; i < r->chain.n; i++) {
        pose[i] = q[r->chain.link[i].joint];
    }
    if (r->chain.n > 0) {
        chain_gravity(&r->chain, pose, of_link);
    }
    for (int i = 0; i < r->chain.n; i++) {
        ret_tau[r->chain.link[i].joint] = of_link[i];
    }
}

void respond_carry(const struct responder *r, const struct sensed *s, uint64_t doubted,
                   struct command *cmd)
{
    double g[JOINTS_MAX];
    if (!r->robot->carry_weight) {
        return;
    }
    gravity(r, s->q, g);
    for (int j = 0; j < s->n; j++) {
        if (cmd->mode[j] == MODE_POSITION || cmd->mode[j] == MODE_HOLD) {
            cmd->tau[j] = (doubted >> j & 1u) != 0 ? 0.0 : g[j];
        }
    }
}

uint64_t respond_gone(const struct responder *r, const struct sensed *s, const int *stale,
                      int stale_max)
{
    uint64_t gone = 0;
    for (int j = 0; j < s->n; j++) {
        const bool silent = (s->faults[j] & FAULT_LOST) != 0 || stale[j] > stale_max;
        const bool off = !r->robot->direct && s->torque[j] == TORQUE_OFF;
        if (is_driven(r, j) && (silent || off)) {
            gone |= UINT64_C(1) << j;
        }
    }
    return gone;
}

static uint64_t driven_joints(const struct responder *r)
{
    uint64_t all = 0;
    for (int j = 0; j < r->robot->n_joints; j++) {
        all |= is_driven(r, j) ? UINT64_C(1) << j : 0;
    }
    return all;
}

/* The pose is near, nothing moves, and torque off lets nothing fall. */
static bool has_arrived(const struct responder *r, const struct respond_state *z,
                        const struct sensed *s)
{
    double g[JOINTS_MAX];
    gravity(r, s->q, g);
    for (int j = 0; j < s->n; j++) {
        const bool near = fabs(s->q[j] - r->c->rest[j]) <= r->c->rest_near_rad;
        const bool light = r->c->rest_supported || fabs(g[j]) <= r->c->rest_torque_nm;
        if (is_driven(r, j) && !(near && light)) {
            return false;
        }
    }
    return z->path.s >= 1.0 && z->still_s >= STILL_S;
}

uint32_t respond_events(const struct responder *r, const struct respond_state *z,
                        const struct fsm *fsm, const struct sensed *s, uint64_t gone,
                        int64_t now_ns)
{
    const double since_s = (double)(now_ns - fsm->entered_ns) / (double)NS_PER_S;
    const bool all_gone = gone == driven_joints(r);
    uint32_t events = 0;
    if (fsm->state == STATE_HOLDING) {
        return all_gone ? BIT(EVENT_CANNOT) : 0;
    }
    if (fsm->state == STATE_RETREATING) {
        events |= gone != 0 ? BIT(EVENT_CANNOT) : 0;
        events |= since_s > r->brake_s + r->c->retreat_s ? BIT(EVENT_TIMED_OUT) : 0;
        events |= z->state == fsm->state && has_arrived(r, z, s) ? BIT(EVENT_RESTED) : 0;
    }
    if (fsm->state == STATE_DAMPED) {
        const bool over =
            z->state == fsm->state && z->braked && z->carry <= 0.0 && z->still_s >= STILL_S;
        events |= all_gone ? BIT(EVENT_CANNOT) : 0;
        events |= since_s > r->brake_s + r->damped_s ? BIT(EVENT_TIMED_OUT) : 0;
        events |= over ? BIT(EVENT_RESTED) : 0;
    }
    return events;
}

/* --- retreating --- */

/* Where the path begins: the pose that was commanded when it had come to rest. */
static void begin_path(const struct responder *r, struct respond_state *z, const struct sensed *s,
                       const struct command *cmd)
{
    double from[JOINTS_MAX];
    z->braked = true;
    z->still_s = 0.0;
    for (int j = 0; j < s->n; j++) {
        from[j] = is_driven(r, j) && cmd->mode[j] != MODE_OFF ? cmd->q[j] : s->q[j];
    }
    joint_path_begin(&z->path, driven_joints(r), from, r->c->rest, r->v, r->a, r->dt_s);
}

static void brake(const struct responder *r, const struct sensed *s, struct command *cmd)
{
    for (int j = 0; j < s->n; j++) {
        if (is_driven(r, j)) {
            cmd->q[j] = cmd->mode[j] != MODE_OFF ? cmd->q[j] : s->q[j];
            cmd->mode[j] = MODE_HOLD;
            cmd->qd[j] = 0.0;
        }
    }
}

static void retreat(const struct responder *r, struct respond_state *z, const struct sensed *s,
                    struct command *cmd)
{
    (void)joint_path_step(&z->path, r->dt_s);
    for (int j = 0; j < s->n; j++) {
        if (is_driven(r, j)) {
            cmd->mode[j] = MODE_POSITION;
            cmd->q[j] = joint_path_q(&z->path, j);
            cmd->qd[j] = joint_path_qd(&z->path, j);
        }
    }
}

/* --- damped --- */

static double kd_of(const struct responder *r, int j)
{
    return r->c->n_kd == 1 ? r->c->damped_kd[0] : r->c->damped_kd[j];
}

static void sink(const struct responder *r, struct respond_state *z, const struct sensed *s,
                 uint64_t doubted, struct command *cmd)
{
    double g[JOINTS_MAX];
    gravity(r, s->q, g);
    if (z->still_s >= STILL_S) {
        z->carry = fmax(0.0, z->carry - r->dt_s / RELEASE_S);
    }
    for (int j = 0; j < s->n; j++) {
        if (is_driven(r, j)) {
            const double kd = kd_of(r, j);
            const double carry = (doubted >> j & 1u) != 0 ? 0.0 : z->carry;
            cmd->mode[j] = MODE_IMPEDANCE;
            cmd->q[j] = s->q[j];
            cmd->qd[j] = cmd->kp[j] = 0.0;
            cmd->kd[j] = kd;
            cmd->tau[j] = copysign(fmax(0.0, fabs(g[j]) - kd * r->c->damped_rad_s), g[j]) * carry;
        }
    }
}

void respond_command(const struct responder *r, struct respond_state *z, const struct fsm *fsm,
                     const struct sensed *s, uint64_t doubted, struct command *cmd, int64_t now_ns)
{
    if (z->state != fsm->state) {
        *z = (struct respond_state){.state = fsm->state, .carry = r->chain.n > 0 ? 1.0 : 0.0};
    }
    z->still_s = respond_still(r, s) ? z->still_s + r->dt_s : 0.0;
    if (fsm->state != STATE_RETREATING && fsm->state != STATE_DAMPED) {
        return;
    }
    const double since_s = (double)(now_ns - fsm->entered_ns) / (double)NS_PER_S;
    /* what moves against its command is not braked by one */
    const bool brakes = doubted == 0 && z->still_s < STILL_S && since_s < r->brake_s;
    if (!z->braked && !brakes) {
        begin_path(r, z, s, cmd);
    }
    if (!z->braked) {
        brake(r, s, cmd);
    } else if (fsm->state == STATE_RETREATING) {
        retreat(r, z, s, cmd);
    } else {
        sink(r, z, s, doubted, cmd);
    }
}

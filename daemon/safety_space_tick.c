/* The space of a robot of links in the tick: what is measured judged by it, what is commanded kept
 * in it. */
#include "daemon/base/err.h"
#include "daemon/safety_inside.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REST_FRAC   0.75 /* of space.trip_m: so far beyond a limit it may still arm */
#define WORDS_CHARS 200

/* --- what is measured --- */

/* The rule that the measured pose is worst at, and its distance; HUGE_VAL where there is none, or
 * no pose. ret_q [n]: of the chain. */
static double least_space(const struct safety *z, const struct sensed *s, double *ret_q, int *ret_i)
{
    const struct chain *c = &z->space.chain;
    for (int i = 0; i < c->n; i++) {
        ret_q[i] = s->q[c->link[i].joint];
        if (!isfinite(ret_q[i])) {
            return HUGE_VAL;
        }
    }
    return z->space.n > 0 ? space_least(&z->space, ret_q, ret_i) : HUGE_VAL;
}

int safety_outside_space(const struct safety *z, const struct sensed *s)
{
    const struct space *x = &z->space;
    double q[CHAIN_MAX];
    int i = 0;
    return least_space(z, s, q, &i) < -x->trip_m ? x->chain.link[x->rule[i].to - 1].joint : -1;
}

int safety_may_arm_here(const struct safety *z, const struct sensed *s, char *ret_why, int cap)
{
    char words[WORDS_CHARS];
    double q[CHAIN_MAX];
    int i = 0;
    if (least_space(z, s, q, &i) >= -REST_FRAC * z->space.trip_m) {
        return 0;
    }
    (void)space_words(&z->space, z->robot, q, i, words, (int)sizeof words);
    return why(ret_why, cap, -EPERM, "%s; move it by hand, then arm", words);
}

int safety_explain_space(const struct safety *z, const struct sensed *s, char *ret_text, size_t n)
{
    char words[WORDS_CHARS];
    double q[CHAIN_MAX];
    int i = 0;
    const double least = least_space(z, s, q, &i);
    (void)space_words(&z->space, z->robot, q, i, words, (int)sizeof words);
    return snprintf(ret_text, n,
                    "%s: beyond that limit by %.3f m, more than space.trip_m %.3f; move it back by "
                    "hand, then clear",
                    words, -least, z->space.trip_m);
}

/* --- what is commanded --- */

static enum safety_rule rule_of(const struct space *x, int i)
{
    static const enum safety_rule rules[] = {RULE_SPACE, RULE_TABLE, RULE_SELF};

    return rules[x->rule[i].kind];
}

/* Link i's joint: back to where the tick began, with the speeds that its own rules allow. */
static void take_back(struct safety *z, const struct sensed *s, const struct safety_before *b,
                      struct space_motion *m, int i)
{
    const int j = z->space.chain.link[i].joint;
    const bool goes_on = (b->held >> j & 1u) != 0;
    const double a = z->robot->joint[j].qdd_max;
    enum safety_rule rule;
    m->q[i] = z->q_cmd[j] = goes_on ? b->q[j] : s->q[j];
    m->qd[i] = z->qd_cmd[j] = goes_on ? b->qd[j] : 0.0;
    m->lo[i] = safety_limit_speed(z, j, -HUGE_VAL, &rule);
    m->hi[i] = safety_limit_speed(z, j, HUGE_VAL, &rule);
    m->step[i] = a * z->dt_s;
    m->brake[i] = a * z->ceiling[j];
}

/* Goals, as trajectories. */
static void keep_goals(struct safety *z, const struct sensed *s, const struct safety_before *b,
                       struct command *cmd)
{
    const struct chain *c = &z->space.chain;
    struct space_motion m = {.dt_s = z->dt_s, .latency_s = z->settings.latency_s};
    double asked[CHAIN_MAX] = {0.0}, v[CHAIN_MAX];
    for (int i = 0; i < c->n; i++) {
        const int j = c->link[i].joint;
        m.q[i] = z->q_cmd[j];
        if (cmd->mode[j] != MODE_OFF) {
            asked[i] = z->qd_cmd[j];
            take_back(z, s, b, &m, i);
        }
    }
    memcpy(v, asked, sizeof v);
    const int bit = space_limit(&z->space, &m, v);
    for (int i = 0; i < c->n; i++) {
        const int j = c->link[i].joint;
        if (cmd->mode[j] == MODE_OFF) {
            continue;
        }
        const bool has_goal = b->mode[j] == MODE_POSITION || b->mode[j] == MODE_IMPEDANCE;
        safety_bite(z, j, bit >= 0 && v[i] != asked[i] ? rule_of(&z->space, bit) : RULE_NONE);
        safety_advance(z, j, v[i]);
        z->q_ask[j] = has_goal ? z->q_ask[j] : z->q_cmd[j];
        cmd->q[j] = z->q_cmd[j];
        cmd->qd[j] = z->qd_cmd[j];
    }
}

/* Torque on top of an impedance goal, by what is measured. */
static void keep_torque(struct safety *z, const struct sensed *s, struct command *cmd)
{
    const struct chain *c = &z->space.chain;
    struct space_motion m = {.dt_s = z->dt_s};
    double tau[CHAIN_MAX] = {0.0}, age_s = 0.0;
    bool any = false;
    for (int i = 0; i < c->n; i++) {
        const int j = c->link[i].joint;
        if (!isfinite(s->q[j] + s->qd[j])) {
            return; /* a joint that is not seen trips */
        }
        m.q[i] = s->q[j];
        m.qd[i] = s->qd[j];
        m.brake[i] = cmd->mode[j] != MODE_OFF ? z->robot->joint[j].qdd_max * z->ceiling[j] : 0.0;
        tau[i] = cmd->mode[j] == MODE_IMPEDANCE ? cmd->tau[j] : 0.0;
        any = any || tau[i] != 0.0;
        age_s = fmax(age_s, (double)s->age_us[j] * 1e-6 + z->stale[j] * z->dt_s);
    }
    m.latency_s = age_s + z->settings.latency_s;
    const int bit = any ? space_limit_torque(&z->space, &m, tau) : -1;
    for (int i = 0; bit >= 0 && i < c->n; i++) {
        const int j = c->link[i].joint;
        if (cmd->mode[j] == MODE_IMPEDANCE && tau[i] != cmd->tau[j]) {
            safety_bite(z, j, rule_of(&z->space, bit));
            cmd->tau[j] = tau[i];
        }
    }
}

void safety_keep_space(struct safety *z, const struct sensed *s, const struct safety_before *b,
                       struct command *cmd)
{
    if (z->space.n > 0) {
        keep_goals(z, s, b, cmd);
        keep_torque(z, s, cmd);
    }
}

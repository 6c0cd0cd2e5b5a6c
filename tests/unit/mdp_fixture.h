/*
 * A small world solved from its own list of outcomes, in double, by sweeps over all its states:
 * what tabular methods are held against. It shares nothing with them.
 */
#pragma once

#include "tests/unit/world_fixture.h"

#define MDP_STATES  128
#define MDP_CHOICES 5

/* An optimal policy, one that is optimal given that it explores by epsilon, a soft one. */
enum solution { SOLVE_MAX, SOLVE_EXPECTED, SOLVE_SOFT };

struct mdp {
    struct world_rig *w;
    const char *gain; /* the sensor whose increase is the reward */
    enum solution solution;
    double gamma, parameter; /* epsilon or alpha */
    int n_states;
    bool known[MDP_STATES];
    double state[MDP_STATES][3]; /* both worlds' states are three numbers */
    double v[MDP_STATES], q[MDP_STATES][MDP_CHOICES];
    uint64_t legal[MDP_STATES];
    int pairs; /* legal choices of all states */
};

/* The observations of both robot files are whole numbers that a table counts through. */
static inline int mdp_index(struct mdp *m)
{
    const struct sensed s = rig_truth(m->w);
    struct observation o = {0};
    task_observe(&m->w->task, &s, &o);
    return o.n == 1 ? (int)o.v[0] : (int)o.v[0] * 13 + (int)o.v[1];
}

static inline double mdp_backup(const struct mdp *m, int i)
{
    double most = -(double)INFINITY, sum = 0.0, soft = 0.0;
    int n = 0;
    for (int a = 0; a < MDP_CHOICES; a++) {
        if ((m->legal[i] >> a & 1) != 0) {
            most = fmax(most, m->q[i][a]);
            sum += m->q[i][a];
            n++;
        }
    }
    for (int a = 0; a < MDP_CHOICES; a++) {
        soft += (m->legal[i] >> a & 1) != 0 ? exp((m->q[i][a] - most) / m->parameter) : 0.0;
    }
    return m->solution == SOLVE_MAX    ? most
           : m->solution == SOLVE_SOFT ? most + m->parameter * log(soft)
                                       : (1.0 - m->parameter) * most + m->parameter * sum / n;
}

/* E[ r + gamma V(s') ]; the states that it meets join the list. */
static inline double mdp_expect(struct mdp *m, int i, int choice)
{
    double to[3][3], p[3], value = 0.0;
    struct command cmd = {.choice = choice};
    rig_put(m->w, m->state[i], 3);
    const double before = rig_extra(m->w, m->gain, 0);
    const int n = m->w->sim->outcomes(m->w->self, m->w->state, &cmd, to, p, 3);
    for (int k = 0; k < n; k++) {
        rig_put(m->w, to[k], 3);
        const bool ends = strcmp(m->gain, "score") == 0 && rig_extra(m->w, "end", 0) != 0.0;
        const int j = mdp_index(m);
        value += p[k] * (rig_extra(m->w, m->gain, 0) - before + (ends ? 0.0 : m->gamma * m->v[j]));
        if (!ends && !m->known[j]) {
            memcpy(m->state[j], to[k], sizeof to[k]);
            m->known[j] = true;
        }
    }
    return value;
}

/* One sweep from the values of the one before; returns the largest change. */
static inline double mdp_sweep(struct mdp *m)
{
    double change = 0.0;
    m->n_states = m->pairs = 0;
    for (int i = 0; i < MDP_STATES; i++) {
        if (!m->known[i]) {
            continue;
        }
        rig_put(m->w, m->state[i], 3);
        m->legal[i] = rig_truth(m->w).legal & ((UINT64_C(1) << m->w->config.robot.n_choices) - 1);
        m->n_states++;
        for (int a = 0; a < MDP_CHOICES; a++) {
            if ((m->legal[i] >> a & 1) != 0) {
                m->q[i][a] = mdp_expect(m, i, a);
                m->pairs++;
            }
        }
    }
    for (int i = 0; i < MDP_STATES; i++) {
        const double v = m->known[i] && m->legal[i] != 0 ? mdp_backup(m, i) : 0.0;
        change = fmax(change, fabs(v - m->v[i]));
        m->v[i] = v;
    }
    return change;
}

static inline void mdp_begin(struct mdp *m, struct world_rig *w, double gamma)
{
    *m = (struct mdp){.w = w, .gamma = gamma};
    m->gain = strcmp(w->sim->name, "gridworld") == 0 ? "score" : "x";
    w->sim->reset(w->self, w->state, NULL);
    const int i = mdp_index(m);
    memcpy(m->state[i], w->state, sizeof m->state[i]);
    m->known[i] = true;
}

static inline void mdp_solve(struct mdp *m, struct world_rig *w, double gamma,
                             enum solution solution, double parameter)
{
    mdp_begin(m, w, gamma);
    m->solution = solution;
    m->parameter = parameter;
    double change = (double)INFINITY;
    for (int t = 0; t < 100 || change > 1e-12; t++) { /* until then all states have joined */
        change = mdp_sweep(m);
        assert_true(t < 20000);
    }
}

/* Where a greedy policy ends: a cycle of n steps, and its rewards from the first state that comes
 * again on. Of a world without chance. */
struct gait {
    int n;
    double reward[MDP_STATES];
};

static inline double gait_speed(const struct gait *g)
{
    double sum = 0.0;
    for (int k = 0; k < g->n; k++) {
        sum += g->reward[k];
    }
    return sum / g->n;
}

static inline int mdp_greedy(const struct mdp *m, int i, const double *q)
{
    int best = -1;
    for (int a = 0; a < m->w->config.robot.n_choices; a++) {
        if ((m->legal[i] >> a & 1) != 0 && (best < 0 || q[a] > q[best])) {
            best = a;
        }
    }
    return best;
}

/* Greedy by q [states, stride], from where a reset puts it. */
static inline struct gait mdp_gait(struct mdp *m, const double *q, int stride)
{
    struct gait g = {0};
    double state[3];
    int met[MDP_STATES], n = 0, begin = -1;
    m->w->sim->reset(m->w->self, m->w->state, NULL);
    for (int i = mdp_index(m); begin < 0; i = mdp_index(m)) {
        struct command cmd = {.choice = mdp_greedy(m, i, q + (ptrdiff_t)i * stride)};
        for (int k = 0; k < n; k++) {
            begin = met[k] == i ? k : begin;
        }
        if (begin < 0) {
            const double before = rig_extra(m->w, m->gain, 0);
            double p;
            met[n] = i;
            assert_int_equal(m->w->sim->outcomes(m->w->self, m->w->state, &cmd, state, &p, 1), 1);
            rig_put(m->w, state, 3);
            g.reward[n++] = rig_extra(m->w, m->gain, 0) - before;
        }
    }
    g.n = n - begin;
    memmove(g.reward, g.reward + begin, (size_t)g.n * sizeof *g.reward);
    return g;
}

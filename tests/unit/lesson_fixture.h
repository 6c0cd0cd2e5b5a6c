/*
 * A small world learnt through the daemon's own loop and learner, and the values that were learnt,
 * beside those of the world's own solution (mdp_fixture.h).
 */
#pragma once

#include "tests/unit/mdp_fixture.h"

#define SETS_MAX 16

struct lesson {
    struct ride *ride;
    struct world_rig world; /* the same robot file, to be solved */
    struct mdp solution;
};

static inline void lesson_hand_over(void *to, const uint8_t *block, size_t n)
{
    (void)intake_block(to, block, n);
}

/* sets end with NULL. */
static inline int count_sets(const char *const *sets)
{
    int n = 0;
    while (sets[n] != NULL) {
        n++;
    }
    return n;
}

/* So many steps are acted, and all that is due is learnt meanwhile. */
static inline void lesson_go_on(struct lesson *x, int64_t steps)
{
    struct house *h = &x->ride->house;
    while (h->loop.st.step < steps) {
        ride_tick(x->ride);
        while (learner_step(&h->learner)) {
        }
    }
}

static inline void lesson_open(struct lesson *x, const char *path, const char *const *sets,
                               uint64_t seed)
{
    x->ride = ride_open_with(path, sets, count_sets(sets), seed);
    struct house *h = &x->ride->house;
    h->learner.publish = lesson_hand_over;
    h->learner.to = &h->intake;
    rig_open_with(&x->world, path, sets, count_sets(sets));
}

static inline void lesson_close(struct lesson *x)
{
    ride_close(x->ride);
    rig_close(&x->world);
}

/* A view of what the learner remembers. */
static inline void *lesson_tensor(const struct lesson *x, const char *name)
{
    static struct tensor t[TENSORS_MAX];
    const struct learner *l = &x->ride->house.learner;
    const int n = l->policy->state(l->self, t, TENSORS_MAX);
    int i = 0;
    while (i < n && strcmp(t[i].name, name) != 0) {
        i++;
    }
    if (i == n) {
        fail_msg("the learner has no tensor %s", name);
    }
    return t[i].data;
}

/* The solution under the gamma of the lesson. */
static inline struct mdp *lesson_solve(struct lesson *x, enum solution solution, double parameter)
{
    mdp_solve(&x->solution, &x->world, x->world.config.learner.gamma, solution, parameter);
    return &x->solution;
}

/* The largest difference between values learnt, q [cells, choices], and the solution's, relative to
 * the larger of 1 and the value. */
static inline double lesson_error(const struct lesson *x, const double *q)
{
    const struct mdp *m = &x->solution;
    const int choices = x->world.config.robot.n_choices;
    double most = 0.0;
    for (int i = 0; i < MDP_STATES; i++) {
        for (int a = 0; m->known[i] && a < choices; a++) {
            if ((m->legal[i] >> a & 1) != 0) {
                const double want = m->q[i][a];
                most = fmax(most, fabs(q[i * choices + a] - want) / fmax(1.0, fabs(want)));
            }
        }
    }
    return most;
}

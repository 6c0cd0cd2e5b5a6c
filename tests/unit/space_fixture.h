/* The fenced arm as its robot file ships it, its filter, and who tries to break its rules. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FENCED SOURCE_DIR "/deploy/robots/arm-fenced.yaml"
#define N      6

struct fenced {
    struct arena mem;
    struct config config;
    struct safety z;
    struct sensed s;
};

/* Near the middle of the box, the tip far from everything. */
static const double home_rad[N] = {0.0, 0.1, 0.2, 0.0, 0.3, 0.0};

static inline void fenced_open(struct fenced *f, const char *const *sets, int n_sets)
{
    char reason[WHY_CHARS] = "";
    memset(f, 0, sizeof *f);
    assert_int_equal(arena_open(&f->mem, "arm", (size_t)16 << 20), 0);
    if (config_load(&f->config, FENCED, sets, n_sets, &f->mem, reason, sizeof reason) < 0 ||
        safety_init(&f->z, &f->config.robot, &f->config.safety, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    f->s.n = N;
    memcpy(f->s.q, home_rad, sizeof home_rad);
}

static inline void fenced_close(struct fenced *f)
{
    arena_close(&f->mem);
}

static inline struct command fenced_ask(const struct fenced *f, uint8_t mode, const double *q)
{
    struct command c = {.n = N};
    for (int j = 0; j < N; j++) {
        c.mode[j] = mode;
        c.q[j] = q[j];
        c.tau_max[j] = f->config.robot.joint[j].tau_max;
    }
    return c;
}

static inline void fenced_tick(struct fenced *f, struct command *c)
{
    safety_watch(&f->z, &f->s, ~UINT64_C(0));
    safety_filter(&f->z, &f->s, c);
}

/* Random, extreme, swinging and noisy goals, each for a while; and such as go straight for one of
 * the rules, down its gradient from where the arm was told to be. */
static inline void adversary(const struct fenced *f, struct rng *r, int64_t i, double *ret_q)
{
    const struct space *x = &f->z.space;
    const bool aims = (i / 151) % 2 == 1;
    double g[CHAIN_MAX] = {0.0};
    if (aims) {
        struct space_pose p;
        space_place(x, f->z.q_cmd, &p);
        (void)space_gradient(x, &p, (int)((i / 302) % x->n), g);
    }
    for (int j = 0; j < N; j++) {
        const struct joint_spec *s = &f->config.robot.joint[j];
        const double span = s->q_max - s->q_min, u = rng_uniform(r);
        if (aims) {
            ret_q[j] = g[j] == 0.0 ? f->z.q_cmd[j] : (g[j] > 0.0 ? s->q_min : s->q_max);
        } else if ((i / 302) % 4 == 0) {
            ret_q[j] = s->q_min + span * u;
        } else if ((i / 302) % 4 == 1) {
            ret_q[j] = ((i / (11 + 7 * j)) % 2 == 0 ? s->q_max : s->q_min);
        } else if ((i / 302) % 4 == 2) {
            ret_q[j] = s->q_min + span * 0.5 * (1.0 + sin((double)i * 0.05 * (1.0 + j)));
        } else if (i % 29 == 0) {
            ret_q[j] = s->q_min + span * u;
        }
    }
}

/* The least distance of each kind at a pose. */
static inline void least_of_kinds(const struct space *x, const double *q, double ret_h[3])
{
    struct space_pose p;
    space_place(x, q, &p);
    for (int i = 0; i < x->n; i++) {
        ret_h[x->rule[i].kind] = fmin(ret_h[x->rule[i].kind], space_distance(x, &p, i));
    }
}

/* What test_safety.c and test_safety_watch.c share: a robot, a calm body, one tick. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/err.h"
#include "daemon/base/rng.h"
#include "daemon/safety.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EPS  1e-9
#define NONE ((double)NAN) /* no number */

/* Two driven joints as a crawler has them, and an odometer. */
static const struct robot crawler = {
    .n_joints = 3,
    .control_rate_hz = 100.0,
    .joint =
        {
            {.name = "arm",
             .actuated = true,
             .q_min = -0.5236,
             .q_max = 0.5236,
             .qd_max = 5.0,
             .qdd_max = 100.0,
             .tau_max = 1.4,
             .temp_max_c = 70.0},
            {.name = "hand",
             .actuated = true,
             .q_min = -2.618,
             .q_max = 0.0,
             .qd_max = 5.0,
             .qdd_max = 100.0,
             .tau_max = 1.4,
             .temp_max_c = 70.0},
            {.name = "wheel", .temp_max_c = 70.0},
        },
};

static inline void begin(struct safety *ret_safety, const struct robot *robot)
{
    struct safety_settings settings;
    char reason[WHY_CHARS];
    option_defaults(safety_options, &settings);
    assert_int_equal(safety_init(ret_safety, robot, &settings, reason, sizeof reason), 0);
}

static inline struct sensed make_sensed(double arm, double hand)
{
    struct sensed s = {.n = 3, .q = {arm, hand, 40.0}};
    for (int j = 0; j < 3; j++) {
        s.temp_c[j] = 30.0f;
        s.volt_v[j] = 5.0f;
    }
    return s;
}

static inline struct command ask(uint8_t mode, double arm, double hand)
{
    struct command c = {.n = 3, .mode = {mode, mode, mode}, .q = {arm, hand, 1.0}};
    for (int j = 0; j < 3; j++) {
        c.tau_max[j] = 1.4;
    }
    return c;
}

static inline void tick(struct safety *z, const struct sensed *s, uint64_t fresh, struct command *c)
{
    safety_watch(z, s, fresh);
    safety_filter(z, s, c);
}

static inline bool all_finite(const struct command *c)
{
    for (int j = 0; j < c->n; j++) {
        const double v[] = {c->q[j], c->qd[j], c->tau[j], c->kp[j], c->kd[j], c->tau_max[j]};
        for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
            if (!isfinite(v[i])) {
                return false;
            }
        }
    }
    return true;
}

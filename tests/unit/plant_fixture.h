/* The crawler's plant in lockstep: its own robot file, virtual time, no loop around it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/plant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS     (10 * NS_PER_MS)
#define ALL_JOINTS  UINT64_C(7)
#define MEMORY      ((size_t)64 << 20)
#define SETTLE_MAX  400
#define DEADLINE_US 3000

struct rig {
    struct arena mem;
    struct config config;
    struct clock clock;
    struct plant *plant;
    int64_t t_ns;
    struct sensed sensed;
    uint64_t fresh;
    int event; /* of the last tick */
};

static inline void rig_open_text(struct rig *r, const char *text, size_t n, const char *const *sets,
                                 int n_sets)
{
    char reason[WHY_CHARS] = "";
    memset(r, 0, sizeof *r);
    r->clock.is_virtual = true;
    assert_int_equal(arena_open(&r->mem, "rig", MEMORY), 0);
    const struct config_text from = {.text = text, .n = n, .name = "rig.yaml"};
    const int rc = text == NULL ? config_load(&r->config, SOURCE_DIR "/deploy/robots/crawler.yaml",
                                              sets, n_sets, &r->mem, reason, sizeof reason)
                                : config_load_text(&r->config, &from, sets, n_sets, &r->mem, reason,
                                                   sizeof reason);
    if (rc < 0) {
        fail_msg("%s", reason);
    }
    const struct plant_spec spec = {
        .config = &r->config, .kind = PLANT_EMULATED, .clock = &r->clock, .seed = 1};
    if (plant_open(&r->plant, &spec, &r->mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

static inline void rig_open(struct rig *r, const char *const *sets, int n_sets)
{
    rig_open_text(r, NULL, 0, sets, n_sets);
}

static inline void rig_close(struct rig *r)
{
    plant_close(r->plant);
    arena_close(&r->mem);
}

static inline void rig_tick(struct rig *r, enum plant_do what, const struct command *cmd)
{
    plant_read(r->plant, r->t_ns, &r->sensed, &r->fresh);
    r->event = plant_do(r->plant, what);
    if (cmd != NULL) {
        plant_write(r->plant, cmd);
    }
    r->t_ns += TICK_NS;
}

/* Ticks until that event. */
static inline void rig_until(struct rig *r, enum plant_do what, enum fsm_event event)
{
    for (int i = 0; i < SETTLE_MAX; i++) {
        rig_tick(r, what, NULL);
        if (r->event == (int)event) {
            return;
        }
    }
    fail_msg("never %s: %s", fsm_event_name(event), plant_why(r->plant));
}

static inline void rig_arm(struct rig *r)
{
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    rig_until(r, PLANT_ARM, EVENT_ARMED);
    do {
        rig_tick(r, PLANT_RUN, NULL);
    } while (r->fresh != ALL_JOINTS);
}

/* The driven joints where they are. */
static inline struct command rig_hold(const struct rig *r)
{
    struct command c = {.n = r->sensed.n};
    for (int j = 0; j < c.n; j++) {
        const struct joint_spec *s = &r->config.robot.joint[j];
        c.mode[j] = s->actuated ? MODE_POSITION : MODE_OFF;
        c.q[j] = s->actuated ? fmin(fmax(r->sensed.q[j], s->q_min), s->q_max) : 0.0;
        c.tau_max[j] = s->actuated ? s->tau_max : 0.0;
    }
    return c;
}

static inline uint64_t rig_misses(const struct rig *r)
{
    const struct plant_counters *c = plant_counters(r->plant);
    uint64_t n = 0;
    for (int j = 0; j < r->sensed.n; j++) {
        n += c->misses[j];
    }
    return n;
}

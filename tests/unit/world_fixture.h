/*
 * A world as its robot file ships it: stepped by hand with its task around it, or driven at random
 * by the loop. And what holds for every world.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/house.h"
#include "sim/sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROBOT(name)                  SOURCE_DIR "/deploy/robots/" name ".yaml"
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))
#define assert_close(a, b, relative) assert_near(a, b, (relative)*fabs(b))

struct world_rig {
    struct arena mem;
    struct config config;
    const struct sim *sim;
    void *self;
    double *state; /* begins with the numbers that the test file says */
    size_t state_bytes;
    struct command cmd;
    struct task task;
    struct rng rng; /* the world's, where it has chance */
    double dt_s;
};

static inline void rig_open_with(struct world_rig *w, const char *path, const char *const *sets,
                                 int n_sets)
{
    char reason[WHY_CHARS] = "";
    memset(w, 0, sizeof *w);
    assert_int_equal(arena_open(&w->mem, "world", (size_t)64 << 20), 0);
    if (config_load(&w->config, path, sets, n_sets, &w->mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    w->sim = w->config.sim;
    const struct robot *r = &w->config.robot;
    assert_int_equal(w->sim->open(w->config.sim_config, r, &w->mem, &w->self, reason, WHY_CHARS),
                     0);
    assert_int_equal(task_open(&w->task, &w->config.task, r, reason, sizeof reason), 0);
    w->state_bytes = w->sim->state_bytes(w->self);
    w->state = arena_take(&w->mem, w->state_bytes);
    memset(w->state, 0, w->state_bytes);
    w->cmd.n = r->n_joints;
    rng_seed(&w->rng, 1);
    w->dt_s = 1.0 / r->control_rate_hz;
    assert_near(w->dt_s, w->config.sim_settings.substep_us * 1e-6, 1e-12); /* a tick, a step */
}

static inline void rig_open(struct world_rig *w, const char *path)
{
    rig_open_with(w, path, NULL, 0);
}

static inline void rig_close(struct world_rig *w)
{
    arena_close(&w->mem);
}

static inline void rig_put(struct world_rig *w, const double *numbers, int n)
{
    memset(w->state, 0, w->state_bytes);
    memcpy(w->state, numbers, (size_t)n * sizeof *numbers);
}

static inline struct sensed rig_truth(struct world_rig *w)
{
    struct sensed s = {0};
    w->sim->sense(w->self, w->state, NULL, &s);
    task_sense(&w->task, &s);
    return s;
}

/* The number of a sensor that is no joint. */
static inline double rig_extra(struct world_rig *w, const char *name, int i)
{
    const struct robot *r = &w->config.robot;
    const struct sensed s = rig_truth(w);
    for (int k = 0; k < r->n_extra; k++) {
        if (strcmp(r->extra[k].name, name) == 0) {
            return s.extra[r->extra[k].offset + i];
        }
    }
    fail_msg("no sensor %s", name);
    return 0.0;
}

/* act: as a policy says it, [A]; a choice is its index. */
static inline void rig_step(struct world_rig *w, const float *act)
{
    task_actuate(&w->task, act, 0, &w->cmd);
    w->sim->step(w->self, w->state, &w->cmd, w->dt_s, &w->rng);
}

/* An episode begins in the state that is there; rig_act: one period of it. Returns its reward. */
static inline void rig_begin(struct world_rig *w)
{
    const struct sensed s = rig_truth(w);
    task_begin(&w->task, &s);
}

static inline double rig_act(struct world_rig *w, const float *act)
{
    float applied[ACT_MAX];
    rig_step(w, act);
    const struct sensed s = rig_truth(w);
    task_tick(&w->task, &s, w->dt_s);
    task_unactuate(&w->task, &w->cmd, applied);
    task_remember(&w->task, applied, &w->cmd);
    return task_period(&w->task, &s);
}

/* Some action of the robot's kind. */
static inline void some_action(const struct world_rig *w, struct rng *r, float *ret_act)
{
    const int choices = w->config.robot.n_choices;
    for (int k = 0; k < w->task.n_act; k++) {
        ret_act[k] =
            choices > 0 ? (float)rng_below(r, (uint64_t)choices) : (float)rng_between(r, -1.0, 1.0);
    }
}

static inline int rig_pixels(const struct world_rig *w)
{
    const struct picture_spec *p = &w->config.robot.picture;
    return p->h * p->w * p->c;
}

/* What it sees, where the next look leaves it alone; NULL: it has no camera. */
static inline void *keep_frame(struct world_rig *w, const struct sensed *s)
{
    if (s->frame == NULL) {
        return NULL;
    }
    void *kept = arena_take(&w->mem, (size_t)rig_pixels(w));
    memcpy(kept, s->frame, (size_t)rig_pixels(w));
    return kept;
}

/* --- what holds for every world --- */

static inline void check_copy(const char *path)
{
    static struct world_rig w;
    struct rng r, as_before;
    float act[ACT_MAX];
    rig_open(&w, path);
    rng_seed(&r, 6);
    void *copy = arena_take(&w.mem, w.state_bytes);
    memset(w.state, 0x5a, w.state_bytes); /* a reset leaves nothing of what was */
    w.sim->reset(w.self, w.state, &r);
    memcpy(copy, w.state, w.state_bytes);
    as_before = r;
    rng_seed(&w.rng, 7);
    for (int k = 0; k < 100; k++) {
        some_action(&w, &r, act);
        rig_step(&w, act);
    }
    const struct sensed first = rig_truth(&w);
    void *picture = keep_frame(&w, &first);
    memcpy(w.state, copy, w.state_bytes);
    r = as_before;
    rng_seed(&w.rng, 7);
    for (int k = 0; k < 100; k++) {
        some_action(&w, &r, act);
        rig_step(&w, act);
    }
    const struct sensed again = rig_truth(&w);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(picture == NULL || memcmp(picture, again.frame, (size_t)rig_pixels(&w)) == 0);
    rig_close(&w);
}

/* The first n numbers of the state after a reset: uniform within mean +- half, which for 20,000
 * draws shows in mean and variance. */
static inline void check_reset(struct world_rig *w, const double *mean, const double *half, int n)
{
    enum { DRAWS = 20000 };

    double sum[8] = {0}, sum2[8] = {0};
    struct rng r;
    rng_seed(&r, 5);
    for (int k = 0; k < DRAWS; k++) {
        w->sim->reset(w->self, w->state, &r);
        for (int i = 0; i < n; i++) {
            const double x = (w->state[i] - mean[i]) / half[i];
            assert_true(fabs(x) <= 1.0);
            sum[i] += x;
            sum2[i] += x * x;
        }
    }
    for (int i = 0; i < n; i++) {
        assert_near(sum[i] / DRAWS, 0.0, 0.02);
        assert_near(sum2[i] / DRAWS, 1.0 / 3.0, 0.01);
    }
}

/* With its first joint under another name. */
static inline void check_refusal(const char *path, const char *sentence)
{
    static struct world_rig w;
    char reason[WHY_CHARS];
    rig_open(&w, path);
    memcpy(w.config.robot.joint[0].name, "leg", 4);
    assert_true(w.sim->open(w.config.sim_config, &w.config.robot, &w.mem, &w.self, reason,
                            sizeof reason) < 0);
    assert_string_equal(reason, sentence);
    rig_close(&w);
}

/* --- the loop around it --- */

struct ride {
    struct house house;
    int64_t planned_ns;
    int episodes, successes;
    double returns, returns2, steps; /* sums over the episodes */
};

static inline void ride_tick(struct ride *r)
{
    static struct record record;
    static struct reply reply;
    static struct happened happened;
    struct shared *s = r->house.shared;
    loop_tick(&r->house.loop, r->planned_ns, 0, 0);
    r->planned_ns += r->house.loop.period_ns;
    while (ring_pop(&s->telemetry, &record) || ring_pop(&s->replies, &reply)) {
    }
    while (ring_pop(&s->happened, &happened)) {
        if (happened.kind == HAPPENED_EPISODE) {
            r->episodes++;
            r->successes += happened.b != 0;
            r->returns += happened.x;
            r->returns2 += happened.x * happened.x;
            r->steps += happened.c;
        }
    }
}

/* Where nobody learns there is no beginning by chance: it is asked for. */
static inline void ride_ask(struct ride *r, enum request_kind kind)
{
    const bool fixed = r->house.config.policy->fixed;
    const struct request q = {.id = 1, .kind = kind, .flags = fixed ? RUN_RANDOM : 0};
    assert_true(ring_push(&r->house.shared->requests, &q));
}

/* Armed and running. */
static inline struct ride *ride_open_with(const char *path, const char *const *sets, int n_sets,
                                          uint64_t seed)
{
    char reason[WHY_CHARS] = "";
    const struct house_spec spec = {.config_path = path,
                                    .sets = sets,
                                    .n_sets = n_sets,
                                    .kind = PLANT_EMULATED,
                                    .virtual_clock = true,
                                    .seed = seed,
                                    .replay_fd = -1};
    struct ride *r = calloc(1, sizeof *r);
    assert_non_null(r);
    if (house_open(&r->house, &spec, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    const struct loop_state *z = &r->house.loop.st;
    for (int i = 0; i < 100 && z->fsm.state != STATE_RUNNING; i++) {
        if (z->fsm.state == STATE_LIMP && plant_ready(r->house.plant)) {
            ride_ask(r, REQUEST_ARM);
        } else if (z->fsm.state == STATE_READY) {
            ride_ask(r, REQUEST_RUN);
        }
        ride_tick(r);
    }
    assert_int_equal(z->fsm.state, STATE_RUNNING);
    return r;
}

/* At random, for the file's policy never takes over. */
static inline struct ride *ride_open(const char *path)
{
    static const char *const sets[] = {"learner.learning_starts=100000000", "learner.n_steps=1"};
    return ride_open_with(path, sets, 2, 1);
}

static inline void ride_on(struct ride *r, int episodes)
{
    while (r->episodes < episodes) {
        ride_tick(r);
    }
}

static inline double ride_mean(const struct ride *r)
{
    return r->returns / r->episodes;
}

static inline double ride_deviation(const struct ride *r)
{
    return sqrt(r->returns2 / r->episodes - ride_mean(r) * ride_mean(r));
}

static inline void ride_close(struct ride *r)
{
    house_close(&r->house);
    free(r);
}

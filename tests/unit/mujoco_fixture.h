/*
 * A robot file on MuJoCo's body, to be driven step by step; and models wrapped into others.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/config.h"
#include "sim/mujoco_model.h"
#include "sim/sim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETS_MAX 12

struct body {
    struct arena mem;
    struct config config;
    const struct sim *sim;
    void *self, *state;
    struct command cmd;
    struct sensed s;
    struct task task;
    struct rng rng;
};

static char folder[] = "/tmp/test_mujoco_XXXXXX";

static inline void body_open_file(struct body *b, const char *path, const char *const *sets,
                                  int n_sets)
{
    char reason[WHY_CHARS] = "";
    memset(b, 0, sizeof *b);
    assert_int_equal(arena_open(&b->mem, "body", (size_t)16 << 20), 0);
    if (config_load(&b->config, path, sets, n_sets, &b->mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    const struct robot *r = &b->config.robot;
    b->sim = b->config.sim;
    assert_int_equal(
        b->sim->open(b->config.sim_config, r, &b->mem, &b->self, reason, sizeof reason), 0);
    assert_int_equal(task_open(&b->task, &b->config.task, r, reason, sizeof reason), 0);
    b->state = arena_take(&b->mem, b->sim->state_bytes(b->self));
    b->cmd.n = r->n_joints;
    for (int j = 0; j < b->cmd.n; j++) {
        b->cmd.mode[j] = r->joint[j].actuated ? MODE_EFFORT : MODE_OFF;
    }
    rng_seed(&b->rng, 1);
    b->sim->reset(b->self, b->state, &b->rng);
    b->sim->sense(b->self, b->state, NULL, &b->s);
}

static inline void body_open(struct body *b, const char *robot, const char *const *sets, int n_sets)
{
    char path[PATH_CHARS];
    (void)snprintf(path, sizeof path, SOURCE_DIR "/deploy/robots/%s.yaml", robot);
    body_open_file(b, path, sets, n_sets);
}

static inline void body_close(struct body *b)
{
    b->sim->close(b->self);
    arena_close(&b->mem);
}

/* act: of joint j, in its ceiling; NULL: nothing. */
static inline void body_step(struct body *b, const double *act)
{
    for (int j = 0; j < b->cmd.n; j++) {
        const double ceiling = b->config.robot.joint[j].tau_max;
        b->cmd.tau[j] = act == NULL || b->cmd.mode[j] == MODE_OFF ? 0.0 : act[j] * ceiling;
    }
    b->sim->step(b->self, b->state, &b->cmd, b->config.sim_settings.substep_us * 1e-6, &b->rng);
    b->sim->sense(b->self, b->state, NULL, &b->s);
}

/* Where a sensor's numbers are; -1: the robot does not list it. */
static inline int offset_of(const struct body *b, const char *name)
{
    const struct robot *r = &b->config.robot;
    for (int i = 0; i < r->n_extra; i++) {
        if (strcmp(r->extra[i].name, name) == 0) {
            return r->extra[i].offset;
        }
    }
    return -1;
}

static inline const double *extra(const struct body *b, const char *name)
{
    const int offset = offset_of(b, name);
    assert_true(offset >= 0);
    return b->s.extra + offset;
}

/* Where a robot does not list them, its joints are the model's, in order. */
static inline const double *qpos(const struct body *b)
{
    const int offset = offset_of(b, "qpos");
    return offset >= 0 ? b->s.extra + offset : b->s.q;
}

/* Our model plus more, as another file; its path into ret_path [PATH_CHARS]. */
static inline void wrap(const char *robot, const char *more, char *ret_path)
{
    (void)snprintf(ret_path, PATH_CHARS, "%s/%s.xml", folder, robot);
    FILE *f = fopen(ret_path, "we");
    assert_non_null(f);
    (void)fprintf(f,
                  "<mujoco><include file=\"../.." SOURCE_DIR "/deploy/mjcf/%s.xml\"/>%s</mujoco>\n",
                  robot, more);
    (void)fclose(f);
}

/* The robot on that model; its resets are not random. A keyframe must be called start. */
static inline void open_wrapped(struct body *b, const char *robot, const char *more)
{
    char path[PATH_CHARS], set[PATH_CHARS + 16];
    wrap(robot, more, path);
    (void)snprintf(set, sizeof set, "sim.model=%s", path);
    const char *const sets[] = {set, "sim.reset_qpos_noise=0", "sim.reset_qvel_noise=0",
                                "sim.goal_radius_m=0", "sim.keyframe=start"};
    body_open(b, robot, sets, strstr(more, "start") != NULL ? 5 : 4);
}

static inline const mjModel *model_of(const char *robot)
{
    char path[PATH_CHARS], reason[WHY_CHARS] = "";
    const mjModel *m = NULL;
    (void)snprintf(path, sizeof path, SOURCE_DIR "/deploy/mjcf/%s.xml", robot);
    if (mujoco_model_take(path, &m, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    return m;
}

/* In a folder of its own, where MuJoCo would write its log. */
static inline int fixture_begin(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static inline int fixture_end(void **state)
{
    (void)state;
    char command[PATH_CHARS];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

/*
 * A simulated world that is driven at random, for partners to follow: world_steps ROBOT.yaml SEED
 * STEPS [KEY=VALUE ...]. One JSON line for each step: where it was, what was done, what came of it.
 */
#include "daemon/config.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config config;
static struct task task;
static struct command cmd;
static struct sensed s;
static struct observation obs;

static void put(const char *key, const double *x, int n)
{
    (void)printf("\"%s\": [", key);
    for (int i = 0; i < n; i++) {
        (void)printf("%s%.17g", i > 0 ? ", " : "", x[i]);
    }
    (void)printf("], ");
}

static void put_extra(const char *name)
{
    for (int i = 0; i < config.robot.n_extra; i++) {
        const struct extra_spec *e = &config.robot.extra[i];
        if (strcmp(e->name, name) == 0) {
            put(name, s.extra + e->offset, e->n);
        }
    }
}

static void put_observation(const char *key)
{
    double x[OBS_MAX];
    task_observe(&task, &s, &obs);
    for (int i = 0; i < obs.n; i++) {
        x[i] = (double)obs.v[i];
    }
    put(key, x, obs.n);
}

static void step(void *self, void *state, struct rng *rng)
{
    float act[ACT_MAX] = {0};
    double asked[ACT_MAX] = {0};
    put("q", s.q, s.n);
    put("qd", s.qd, s.n);
    put_extra("qpos");
    put_extra("qvel");
    put_extra("target");
    put_observation("obs");
    for (int k = 0; k < task.n_act; k++) {
        const int choices = config.robot.n_choices;
        act[k] = choices > 0 ? (float)rng_below(rng, (uint64_t)choices)
                             : (float)(2.0 * rng_uniform(rng) - 1.0);
        asked[k] = (double)act[k];
    }
    put("act", asked, task.n_act);
    task_actuate(&task, act, 0, &cmd);
    const double dt_s = config.sim_settings.substep_us * 1e-6;
    config.sim->step(self, state, &cmd, dt_s, rng);
    config.sim->sense(self, state, NULL, &s);
    task_tick(&task, &s, dt_s);
    task_remember(&task, act, &cmd);
    const double reward = task_period(&task, &s);
    put_observation("obs2");
    (void)printf("\"reward\": %.17g, \"terminal\": %d}\n", reward,
                 (task.st.end & END_TERMINAL) != 0);
}

int main(int argc, char **argv)
{
    struct arena mem;
    void *self = NULL;
    struct rng rng;
    char reason[WHY_CHARS] = "usage: world_steps ROBOT.yaml SEED STEPS [KEY=VALUE ...]";
    if (argc < 4 || arena_open(&mem, "world_steps", (size_t)16 << 20) < 0 ||
        config_load(&config, argv[1], (const char *const *)argv + 4, argc - 4, &mem, reason,
                    sizeof reason) < 0 ||
        config.sim->open(config.sim_config, &config.robot, &mem, &self, reason, sizeof reason) <
            0 ||
        task_open(&task, &config.task, &config.robot, reason, sizeof reason) < 0) {
        (void)fprintf(stderr, "world_steps: %s\n", reason);
        return 1;
    }
    void *state = arena_take(&mem, config.sim->state_bytes(self));
    rng_seed(&rng, strtoull(argv[2], NULL, 10));
    cmd.n = config.robot.n_joints;
    const int steps = atoi(argv[3]);
    for (int k = 0, fresh = 1; k < steps; k++) {
        if (fresh) {
            config.sim->reset(self, state, &rng);
            config.sim->sense(self, state, NULL, &s);
            task_begin(&task, &s);
        }
        (void)printf("{\"fresh\": %d, ", fresh);
        step(self, state, &rng);
        fresh = task.st.end != END_NONE;
    }
    if (config.sim->close != NULL) {
        config.sim->close(self);
    }
    arena_close(&mem);
    return 0;
}

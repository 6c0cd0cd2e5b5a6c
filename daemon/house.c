#include "daemon/house.h"

#include "daemon/base/hash.h"
#include "daemon/problem.h"
#include "policies/nn/kernel.h"
#include "policies/replay_mix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define LOOP_BYTES         ((size_t)256 << 20)
#define LEARNER_BYTES      ((size_t)4 << 30)
#define PRIORITY_BYTES_MAX (LEARNER_BYTES / 4 * 3) /* of these */
#define TICKS_KEPT         1024
#define TOLD_KEPT          256
#define ASKED_KEPT         16
#define NO_ADDRESSES       "out of address space; end other programs, or raise the limit (ulimit -v)"

static void *shared_ring(struct house *h, struct ring *ret_ring, size_t record_bytes, uint64_t n)
{
    void *block = arena_take(&h->arena, ring_bytes(record_bytes, n));
    ring_init(ret_ring, block, record_bytes, n);
    return block;
}

static void open_shared(struct house *h, int weights_max)
{
    struct shared *s = arena_take(&h->arena, sizeof *s);
    (void)shared_ring(h, &s->telemetry, sizeof(struct record), TICKS_KEPT);
    (void)shared_ring(h, &s->happened, sizeof(struct happened), TOLD_KEPT);
    (void)shared_ring(h, &s->requests, sizeof(struct request), ASKED_KEPT);
    (void)shared_ring(h, &s->replies, sizeof(struct reply), ASKED_KEPT);
    const size_t slot = intake_slot_bytes(weights_max);
    mailbox_init(&s->weights, arena_take(&h->arena, 3 * slot), slot);
    h->shared = s;
}

static void name_slots(const struct task *t, char (*ret_name)[NAME_CHARS * 2],
                       const char **ret_unit)
{
    for (int k = 0; k < t->n_obs; k++) {
        (void)task_slot_name(t, k, ret_name[k], NAME_CHARS * 2, &ret_unit[k]);
    }
    for (int k = 0; k < t->n_act; k++) {
        const bool choices = t->robot->n_choices > 0;
        (void)snprintf(ret_name[t->n_obs + k], sizeof ret_name[0], "action.%s",
                       choices ? "choice" : t->robot->joint[t->act_joint[k]].name);
        ret_unit[t->n_obs + k] = "1";
    }
}

/* Is there room for what the replay and its priorities take? Said before any of it is taken: a
 * machine that runs out ends programs as it likes. A kept segment has its memory already. */
static int check_memory(const struct config *c, const struct replay_spec *s, bool kept,
                        char *ret_why, int cap)
{
    const size_t rows = kept ? 0 : replay_need_bytes(s);
    const size_t by = priority_bytes(c->learner.prioritized_replay, (int)s->capacity);
    const int64_t have = memory_available_bytes() / 10 * 9; /* others live here too */
    const double each = (double)(rows + by) / (double)s->capacity;
    if (by > PRIORITY_BYTES_MAX) {
        return why(ret_why, cap, -ENOMEM,
                   "replay.capacity %lld: its priorities take %zu MB, at most %zu MB are meant for "
                   "them; give fewer rows, or learner.prioritized_replay none",
                   (long long)c->replay.capacity, by >> 20, PRIORITY_BYTES_MAX >> 20);
    }
    if ((int64_t)(rows + by) > have) {
        return why(
            ret_why, cap, -ENOMEM,
            "replay.capacity %lld takes %zu MB of memory (%.0f bytes a row), this machine has "
            "%lld MB for it: give at most %lld",
            (long long)c->replay.capacity, (rows + by) >> 20, each, (long long)(have >> 20),
            (long long)((double)have / each));
    }
    return 0;
}

/* The segment of the run before; false: replay_why says why not, and fd is closed. */
static bool adopt_replay(struct house *h, int fd, const struct replay_spec *spec)
{
    const int n_choices = h->config.robot.n_choices;
    if (replay_adopt(&h->replay, fd, spec, h->replay_why, (int)sizeof h->replay_why) < 0) {
        (void)close(fd);
        return false;
    }
    const int64_t wrong = replay_no_choice(h->replay, n_choices);
    if (wrong >= 0) {
        (void)why(h->replay_why, (int)sizeof h->replay_why, -EBADMSG,
                  "replay: row %lld of the kept segment decides for what is none of %d choices",
                  (long long)wrong, n_choices);
        replay_close(h->replay);
        h->replay = NULL;
    }
    return wrong < 0;
}

static int open_replay(struct house *h, int fd, char *ret_why, int cap)
{
    static const int rows_more = 2; /* the open row and a final one */
    char(*name)[NAME_CHARS * 2] = arena_take(&h->arena, sizeof *name * (OBS_MAX + ACT_MAX));
    const char **unit = arena_take(&h->arena, sizeof *unit * (OBS_MAX + ACT_MAX));
    const struct task *t = &h->loop.task;
    name_slots(t, name, unit);
    const struct replay_spec spec = {
        .run_id = h->run_id,
        .capacity = h->config.replay.capacity + rows_more,
        .n_obs = t->n_obs,
        .n_act = t->n_act,
        .picture = t->history > 0 ? h->config.robot.picture : (struct picture_spec){0},
        .has_legal = h->config.robot.n_choices > 0,
        .policy_rate_hz = h->config.robot.policy_rate_hz,
        .schema_hash = h->config.robot_hash,
        .slot_name = (const char(*)[NAME_CHARS * 2]) name,
        .slot_unit = unit,
    };
    int rc = fd >= 0 ? check_memory(&h->config, &spec, true, ret_why, cap) : 0;
    if (rc < 0) {
        return rc;
    }
    if (fd >= 0 && adopt_replay(h, fd, &spec)) {
        h->replay_kept = true;
        return 0;
    } /* the robot can do without what it experienced before */
    rc = check_memory(&h->config, &spec, false, ret_why, cap);
    return rc < 0 ? rc : replay_create(&h->replay, &spec, ret_why, cap);
}

/* Prior data must be what this robot could have experienced. */
static int check_prior(struct house *h, char *ret_why, int cap)
{
    if (h->prior.replay == NULL) {
        return 0;
    }
    const int64_t rows =
        mix_check(h->prior.replay, h->replay, h->config.robot.n_choices, ret_why, cap);
    h->prior.rows = rows > 0 ? rows : 0;
    return rows < 0 ? (int)rows : 0;
}

/* Floats that the policy sends, by asking a throw-away learner: no second place knows a network's
 * size. */
static int count_weights(const struct config *c, const struct dims *d, char *ret_why, int cap)
{
    struct arena scratch;
    struct rng rng;
    rng_seed(&rng, 0);
    if (arena_open(&scratch, "scratch", LEARNER_BYTES) < 0) {
        return why(ret_why, cap, -ENOMEM, NO_ADDRESSES);
    }
    void *self = c->policy->init(c->policy_config, d, &scratch, &rng);
    float *w = arena_take(&scratch, WEIGHTS_MAX * sizeof(float));
    const int n = c->policy->save(self, w, WEIGHTS_MAX);
    arena_close(&scratch);
    return n >= 0 ? n
                  : why(ret_why, cap, -EINVAL,
                        "policy %s: its actor has more than %d weights; give fewer or smaller "
                        "layers in policy.net_arch",
                        c->policy->name, WEIGHTS_MAX);
}

/* Every transition of the world, where the policy wants them: they are its one batch. */
static int open_model(const struct config *c, uint64_t seed, struct model *ret_model,
                      struct dims *d, struct arena *mem, char *ret_why, int cap)
{
    if ((problem_needs(c) & NEEDS_MODEL) == 0) {
        return 0;
    }
    const int rc = model_open(ret_model, c, seed, mem, ret_why, cap);
    d->batch = rc == 0 ? ret_model->transitions : d->batch;
    return rc;
}

/* A model that nobody keeps. */
static int check_model(const struct config *c, struct dims *d, char *ret_why, int cap)
{
    struct arena scratch;
    struct model model;
    if (arena_open(&scratch, "scratch", LEARNER_BYTES) < 0) {
        return why(ret_why, cap, -ENOMEM, NO_ADDRESSES);
    }
    const int rc = open_model(c, 0, &model, d, &scratch, ret_why, cap);
    arena_close(&scratch);
    return rc;
}

int house_check(const struct config *c, char *ret_why, int cap)
{
    struct task *t = calloc(1, sizeof *t);
    struct dims d;
    int rc = t == NULL ? why(ret_why, cap, -ENOMEM, "out of memory")
                       : task_open(t, &c->task, &c->robot, ret_why, cap);
    if (rc == 0) {
        /* a kernel that is not here may be on the robot's own processor */
        problem_dims(c, t, &d);
        rc = check_model(c, &d, ret_why, cap);
    }
    if (rc == 0) {
        rc = d.kernel != NULL ? count_weights(c, &d, ret_why, cap) : 0;
    }
    free(t);
    return rc < 0 ? rc : 0;
}

/* Weights as sent and as packed may differ in padding: leave room. */
static int packed_max(int n_weights)
{
    return n_weights * 2 + 4096;
}

static int build(struct house *h, const struct house_spec *spec, char *ret_why, int cap)
{
    struct task *t = &h->loop.task; /* loop_open opens it again, the same */
    struct dims d;
    int rc = task_open(t, &h->config.task, &h->config.robot, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    problem_dims(&h->config, t, &d);
    rc = problem_check(&h->config, &d, ret_why, cap);
    rc = rc == 0 ? open_model(&h->config, spec->seed, &h->model, &d, &h->learner_mem, ret_why, cap)
                 : rc;
    if (rc < 0) {
        return rc;
    }
    rc = problem_check_kernel(&h->config, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    const int n_weights = count_weights(&h->config, &d, ret_why, cap);
    if (n_weights < 0) {
        return n_weights;
    }
    open_shared(h, packed_max(n_weights));
    const struct plant_spec plant = {.config = &h->config,
                                     .kind = h->config.robot.direct ? PLANT_BODY : spec->kind,
                                     .clock = &h->clock,
                                     .seed = spec->seed};
    rc = plant_open(&h->plant, &plant, &h->arena, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    rc = open_replay(h, spec->replay_fd, ret_why, cap);
    rc = rc == 0 ? check_prior(h, ret_why, cap) : rc;
    if (rc < 0) {
        return rc;
    }
    const struct loop_spec loop = {.config = &h->config,
                                   .clock = &h->clock,
                                   .plant = h->plant,
                                   .replay = h->replay,
                                   .shared = h->shared,
                                   .seed = spec->seed};
    rc = loop_open(&h->loop, &loop, &h->arena, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    intake_init(&h->intake, &h->config, &d, &h->shared->weights, packed_max(n_weights), &h->arena);
    const struct learner_spec learner = {.config = &h->config,
                                         .dims = &d,
                                         .replay = h->replay,
                                         .prior = h->prior.replay,
                                         .model = h->model.transitions > 0 ? &h->model : NULL,
                                         .shared = h->shared,
                                         .seed = spec->seed,
                                         .run_id = h->run_id};
    return learner_open(&h->learner, &learner, &h->learner_mem, ret_why, cap);
}

int house_open(struct house *ret_house, const struct house_spec *spec, char *ret_why, int cap)
{
    struct house *h = ret_house;
    *h = (struct house){.seed = spec->seed, .clock = {.is_virtual = spec->virtual_clock}};
    int rc = arena_open(&h->arena, "loop", LOOP_BYTES);
    if (rc == 0) {
        rc = arena_open(&h->learner_mem, "learner", LEARNER_BYTES);
    }
    if (rc < 0) {
        return why(ret_why, cap, rc, NO_ADDRESSES);
    }
    rc = config_load(&h->config, spec->config_path, spec->sets, spec->n_sets, &h->arena, ret_why,
                     cap);
    if (rc < 0) {
        return rc;
    }
    if (spec->prior != NULL) {
        rc = problem_check_prior(&h->config, ret_why, cap);
        rc = rc == 0 ? prior_open(&h->prior, spec->prior, ret_why, cap) : rc;
        if (rc < 0) {
            return rc;
        }
    }
    if (spec->virtual_clock) { /* the same run has the same name */
        h->run_id = hash_fnv1a(h->config.hash ^ h->prior.hash, &spec->seed, sizeof spec->seed);
    } else if (getrandom(&h->run_id, sizeof h->run_id, 0) != (ssize_t)sizeof h->run_id) {
        return why(ret_why, cap, -EIO, "the system gives no random bytes for the run id");
    }
    rc = build(h, spec, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    if (!spec->virtual_clock) {
        arena_prefault(&h->arena);
    }
    arena_freeze(&h->arena);
    arena_freeze(&h->learner_mem);
    return 0;
}

void house_close(struct house *h)
{
    plant_close(h->plant);
    replay_close(h->replay);
    prior_close(&h->prior);
    arena_close(&h->learner_mem);
    arena_close(&h->arena);
}

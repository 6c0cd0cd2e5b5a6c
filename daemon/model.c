#include "daemon/model.h"

#include "daemon/base/hash.h"
#include "policies/greedy.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define STATES_MAX   50000
#define ROWS_BYTES   ((size_t)1 << 30) /* of the batch, at most */
#define OUTCOMES_MAX 64
#define RESETS       64 /* a body may begin in one of several states */
#define TABLE        (1 << 17)
#define WORK_BYTES   ((size_t)4 << 30) /* of addresses; pages come with use */

/* A state that stands for all with its observation. */
struct node {
    struct observation obs;
    struct task_state task; /* what the task remembers there */
};

struct walk {
    const struct config *config;
    const struct sim *sim;
    void *self;
    struct task_spec spec; /* without clock and way */
    struct task task;
    double dt_s;
    struct arena mem;
    size_t body_bytes;
    int n, room;
    struct node *node; /* [room] */
    char *body;        /* [room, body_bytes] */
    int *table;        /* [TABLE] node + 1; 0: empty */
    char *successor;   /* [OUTCOMES_MAX, body_bytes] */
    struct sensed from, to;
    char *ret_why;
    int cap;
};

/* What a batch's columns point to. */
struct columns {
    float *s, *a, *r, *s2, *g, *w;
    uint64_t *legal, *legal2;
};

struct transition {
    const struct node *from;
    int choice;
    float r, p;
    bool terminal;
    const struct observation *obs2;
};

static bool is_same(const struct observation *a, const struct observation *b)
{
    for (int k = 0; k < a->n; k++) {
        if (!(a->v[k] == b->v[k])) {
            return false;
        }
    }
    return a->legal == b->legal;
}

static uint64_t hash_of(const struct observation *o)
{
    uint64_t hash = hash_fnv1a(HASH_START, &o->legal, sizeof o->legal);
    for (int k = 0; k < o->n; k++) {
        const float v = o->v[k] + 0.0f; /* -0 is 0 */
        hash = hash_fnv1a(hash, &v, sizeof v);
    }
    return hash;
}

/* The state of the task as it is now, with the body's, unless its observation is known. */
static int add(struct walk *k, const struct observation *obs, const void *body)
{
    uint64_t at = hash_of(obs) % TABLE;
    for (; k->table[at] != 0; at = (at + 1) % TABLE) {
        if (is_same(&k->node[k->table[at] - 1].obs, obs)) {
            return 0;
        }
    }
    if (k->n == k->room) {
        return why(k->ret_why, k->cap, -EINVAL,
                   "sim %s has more than %d states with this task, too many to list: policy %s "
                   "needs a smaller world",
                   k->sim->name, k->room, k->config->policy->name);
    }
    for (int i = 0; i < obs->n; i++) {
        if (!isfinite(obs->v[i])) {
            return why(k->ret_why, k->cap, -EINVAL, "sim %s: observation %d is not finite",
                       k->sim->name, i);
        }
    }
    k->node[k->n] = (struct node){.obs = *obs, .task = k->task.st};
    memcpy(k->body + (size_t)k->n * k->body_bytes, body, k->body_bytes);
    k->table[at] = ++k->n;
    return 0;
}

static void observe(struct walk *k, const struct sensed *s, struct observation *ret_obs)
{
    memset(ret_obs, 0, sizeof *ret_obs);
    task_observe(&k->task, s, ret_obs);
}

/* Where an episode may begin, as the loop begins it. */
static int add_resets(struct walk *k, uint64_t seed)
{
    static const float none[ACT_MAX];
    struct rng rng;
    rng_child(&rng, seed, "model");
    for (int i = 0; i < RESETS; i++) {
        struct command nothing = {.n = k->config->robot.n_joints};
        struct observation obs;
        k->sim->reset(k->self, k->successor, &rng);
        k->sim->sense(k->self, k->successor, NULL, &k->from);
        memset(&k->task.st, 0, sizeof k->task.st);
        task_begin(&k->task, &k->from);
        task_remember(&k->task, none, &nothing);
        observe(k, &k->from, &obs);
        const int rc = add(k, &obs, k->successor);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static void put(const struct columns *c, const struct config *config, const struct transition *t,
                int row)
{
    const size_t n = (size_t)t->obs2->n, at = (size_t)row * n;
    memcpy(c->s + at, t->from->obs.v, n * sizeof(float));
    memcpy(c->s2 + at, t->obs2->v, n * sizeof(float));
    c->a[row] = (float)t->choice;
    c->r[row] = t->r;
    c->g[row] = t->terminal ? 0.0f : (float)config->learner.gamma;
    c->w[row] = t->p;
    c->legal[row] = t->from->obs.legal;
    c->legal2[row] = t->obs2->legal;
}

/* What one choice in state i leads to: a row each where ret_columns is given, from row on; else
 * their states join the list. Returns how many. */
static int try_choice(struct walk *k, int i, int choice, const struct columns *ret_columns, int row)
{
    struct command cmd = {.n = k->config->robot.n_joints};
    const float act[ACT_MAX] = {(float)choice};
    double p[OUTCOMES_MAX];
    k->task.st = k->node[i].task;
    task_actuate(&k->task, act, 0, &cmd);
    const int n = k->sim->outcomes(k->self, k->body + (size_t)i * k->body_bytes, &cmd, k->successor,
                                   p, OUTCOMES_MAX);
    if (n < 1 || n > OUTCOMES_MAX) {
        return why(k->ret_why, k->cap, -EINVAL,
                   "sim %s: a choice has %d outcomes, 1 to %d can be listed", k->sim->name, n,
                   OUTCOMES_MAX);
    }
    for (int j = 0; j < n; j++) {
        const char *body = k->successor + (size_t)j * k->body_bytes;
        struct observation obs2;
        k->task.st = k->node[i].task;
        k->sim->sense(k->self, body, NULL, &k->to);
        task_tick(&k->task, &k->to, k->dt_s);
        task_remember(&k->task, act, &cmd);
        struct transition t = {.from = &k->node[i], .choice = choice, .p = (float)p[j]};
        t.r = (float)task_period(&k->task, &k->to);
        t.terminal = (k->task.st.end & END_TERMINAL) != 0;
        observe(k, &k->to, &obs2);
        t.obs2 = &obs2;
        if (ret_columns != NULL) {
            put(ret_columns, k->config, &t, row + j);
        } else if (!t.terminal && add(k, &obs2, body) < 0) {
            return -EINVAL;
        }
    }
    return n;
}

/* All legal choices in all states, those included that come up meanwhile. Returns the transitions.
 */
static int visit(struct walk *k, const struct columns *ret_columns)
{
    int rows = 0;
    for (int i = 0; i < k->n; i++) {
        const uint64_t legal = greedy_legal(k->config->robot.n_choices, k->node[i].obs.legal);
        for (int a = 0; a < k->config->robot.n_choices; a++) {
            if ((legal >> a & 1) == 0) {
                continue;
            }
            const int n = try_choice(k, i, a, ret_columns, rows);
            if (n < 0) {
                return n;
            }
            rows += n;
        }
    }
    return rows;
}

static void take_columns(struct columns *ret_columns, int rows, int n_obs, struct arena *mem)
{
    const size_t n = (size_t)rows, f = sizeof(float);
    *ret_columns = (struct columns){
        .s = arena_take(mem, n * (size_t)n_obs * f),
        .a = arena_take(mem, n * f),
        .r = arena_take(mem, n * f),
        .s2 = arena_take(mem, n * (size_t)n_obs * f),
        .g = arena_take(mem, n * f),
        .w = arena_take(mem, n * f),
        .legal = arena_take(mem, n * sizeof(uint64_t)),
        .legal2 = arena_take(mem, n * sizeof(uint64_t)),
    };
}

/* One step of the world is one tick is one period: nothing else has a list of outcomes. */
static int check_rates(const struct walk *k)
{
    const struct config *c = k->config;
    const double period_us = 1e6 / c->robot.policy_rate_hz;
    if (k->task.ticks_per_period != 1 ||
        fabs(period_us - c->sim_settings.substep_us) > 1e-6 * period_us) {
        return why(k->ret_why, k->cap, -EINVAL,
                   "policy %s lists the world's single steps: policy.rate_hz and control.rate_hz "
                   "must both be 1e6 / sim.substep_us = %g, not %g and %g",
                   c->policy->name, 1e6 / c->sim_settings.substep_us, c->robot.policy_rate_hz,
                   c->robot.control_rate_hz);
    }
    return 0;
}

static int begin(struct walk *k)
{
    const struct config *c = k->config;
    k->spec = c->task;
    k->spec.settings.episode_s = k->spec.settings.travel_max_m = 0.0;
    k->dt_s = 1.0 / c->robot.control_rate_hz;
    int rc = task_open(&k->task, &k->spec, &c->robot, k->ret_why, k->cap);
    rc = rc == 0 ? check_rates(k) : rc;
    rc = rc == 0 ? c->sim->open(c->sim_config, &c->robot, &k->mem, &k->self, k->ret_why, k->cap)
                 : rc;
    if (rc < 0) {
        return rc;
    }
    k->body_bytes = c->sim->state_bytes(k->self);
    const size_t fit = WORK_BYTES / 2 / (k->body_bytes + sizeof *k->node);
    k->room = fit < STATES_MAX ? (int)fit : STATES_MAX;
    k->node = arena_take(&k->mem, (size_t)k->room * sizeof *k->node);
    k->body = arena_take(&k->mem, (size_t)k->room * k->body_bytes);
    k->table = arena_take(&k->mem, TABLE * sizeof *k->table);
    k->successor = arena_take(&k->mem, OUTCOMES_MAX * k->body_bytes);
    return 0;
}

/* Once to find and count, once to write down. */
static int enumerate(struct walk *k, uint64_t seed, struct model *ret_model, struct arena *mem)
{
    struct columns c;
    int rc = add_resets(k, seed);
    const int rows = rc == 0 ? visit(k, NULL) : rc;
    if (rows < 0) {
        return rows;
    }
    const size_t row_bytes = (size_t)k->task.n_obs * 2 * sizeof(float) + 32;
    if ((size_t)rows > ROWS_BYTES / row_bytes) {
        return why(k->ret_why, k->cap, -EINVAL,
                   "sim %s has %d transitions with this task, %zu fit: policy %s needs a smaller "
                   "world",
                   k->sim->name, rows, ROWS_BYTES / row_bytes, k->config->policy->name);
    }
    take_columns(&c, rows, k->task.n_obs, mem);
    rc = visit(k, &c);
    basal_assert(rc == rows);
    *ret_model = (struct model){.states = k->n,
                                .transitions = rows,
                                .batch = {.n = rows,
                                          .seg_len = 1,
                                          .s = c.s,
                                          .a = c.a,
                                          .r = c.r,
                                          .s2 = c.s2,
                                          .g = c.g,
                                          .w = c.w,
                                          .legal = c.legal,
                                          .legal2 = c.legal2}};
    return 0;
}

int model_open(struct model *ret_model, const struct config *c, uint64_t seed, struct arena *mem,
               char *ret_why, int cap)
{
    struct arena work;
    if (arena_open(&work, "model", WORK_BYTES) < 0) {
        return why(ret_why, cap, -ENOMEM,
                   "out of address space; end other programs, or raise the limit (ulimit -v)");
    }
    struct walk *k = arena_take(&work, sizeof *k);
    *k = (struct walk){.config = c, .sim = c->sim, .mem = work, .ret_why = ret_why, .cap = cap};
    int rc = begin(k);
    rc = rc == 0 ? enumerate(k, seed, ret_model, mem) : rc;
    if (k->self != NULL && c->sim->close != NULL) {
        c->sim->close(k->self);
    }
    arena_close(&work);
    return rc;
}

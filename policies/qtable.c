/*
 * Q-learning with a table, and Q-value iteration where the world can list its transitions.
 *
 *   q_learning       Watkins 1989; Sutton and Barto 2018, section 6.5
 *   value_iteration  the same with expectations, Sutton and Barto section 4.4; each update is a
 *                    sweep over all transitions of a small simulated world (NEEDS_MODEL)
 *   backup           max; expected: Expected Sarsa, section 6.6, towards the policy that explores
 *                    by epsilon; soft: arXiv:1702.08165, equation 3
 *   double_q         van Hasselt 2010: two tables, a coin says which one is updated, with the
 *                    other's value of its own best choice; acted on is their mean
 *
 * Q-learning takes each transition once, in order, as it comes (NEEDS_ONCE with train_freq 1), or
 * with experience_replay the learner's batches, one row after the other. Departs from the books: in
 * the daemon the next action is chosen before the update, not after it, which an off-policy method
 * does not notice. Where bins put several states into one cell, value iteration takes their mean.
 */
#include "policies/explore.h"
#include "policies/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { SOLVER_Q_LEARNING, SOLVER_VALUE_ITERATION };

static const char *const solver_names[] = {"q_learning", "value_iteration", NULL};

struct qtable_config {
    struct table_settings table;
    int solver, backup; /* enum backup_kind */
    bool double_q, experience_replay;
};

struct qtable {
    struct table q[2]; /* the second one with double_q */
    struct qtable_config c;
    struct rng *rng;    /* the learner's */
    double *sum, *mass; /* [cells, choices] of value iteration */
};

/* clang-format off */
#define AT(field) offsetof(struct qtable_config, table.field)
#define OWN(field) offsetof(struct qtable_config, field)
static const struct option qtable_options[] = {
    {.key = "solver", .type = OPTION_CHOICE, .offset = OWN(solver), .def = "q_learning", .choices = solver_names,
     .help = "by what happens, or by the transitions that a small simulated world lists"},
    {.key = "backup", .type = OPTION_CHOICE, .offset = OWN(backup), .def = "max", .choices = backup_names,
     .help = "what a state is worth: its best choice, the mean over how choices are taken, or alpha log sum exp(Q / alpha)"},
    {.key = "double_q", .type = OPTION_BOOL, .offset = OWN(double_q), .def = "false",
     .help = "two tables, so that no choice is judged by the table that picked it"},
    {.key = "experience_replay", .type = OPTION_BOOL, .offset = OWN(experience_replay), .def = "false",
     .help = "batches of learner.batch_size out of the replay, in place of each step once, in order"},
    EXPLORE_ENT_COEF,
    TABLE_OPTIONS("0.5"),
    {.key = NULL},
};

/* clang-format on */

enum { TRAIN_LOSS, TRAIN_VALUE, TRAIN_CHANGE };

static const char *const qtable_stats[] = {"train/loss", "train/mean_q", "train/max_change", NULL};

/* V(s') */
static double value_of(const struct qtable *z, const float *s2, uint64_t legal, int64_t step)
{
    const struct table_settings *c = &z->c.table;
    const struct backup by = {z->c.backup, epsilon_at(&c->epsilon, step), c->ent_coef};
    return backup_value(&by, table_row(&z->q[0], s2), z->q[0].choices, legal);
}

/* Q_other(s', argmax_a' Q(s', a')) */
static double value_by_other(const struct qtable *z, int own, const float *s2, uint64_t legal)
{
    const int best = backup_greedy(table_row(&z->q[own], s2), z->q[0].choices, legal, z->rng);
    return table_row(&z->q[1 - own], s2)[best];
}

static void learn(struct qtable *z, const struct batch *b, struct stats *ret_stats)
{
    double loss = 0.0, value = 0.0, change = 0.0;
    for (int i = 0; i < b->n; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * z->q[0].bins.n;
        const uint64_t legal2 = b->legal2 != NULL ? b->legal2[i] : LEGAL_ALL;
        const int own = z->c.double_q ? (int)rng_below(z->rng, 2) : 0;

        /* y = r + gamma (1 - d) V(s') */
        const double next = z->c.double_q ? value_by_other(z, own, b->s2 + at, legal2)
                                          : value_of(z, b->s2 + at, legal2, b->step);
        const double y = (double)b->r[i] + (double)b->g[i] * next;

        /* Q(s, a) <- Q(s, a) + rate (y - Q(s, a)) */
        const double error = table_fit(&z->q[own], b->s + at, (int)b->a[i], y, (double)b->w[i]);
        if (b->ret_td != NULL) {
            b->ret_td[i] = (float)fabs(error);
        }
        loss += 0.5 * error * error / b->n;
        value += next / b->n;
        change = fmax(change, fabs(error));
    }
    ret_stats->v[TRAIN_LOSS] = loss;
    ret_stats->v[TRAIN_VALUE] = value;
    ret_stats->v[TRAIN_CHANGE] = change;
}

/* Q(s, a) <- sum_s' P(s' | s, a) (r + gamma (1 - d) V(s')), all from the sweep before */
static void iterate(struct qtable *z, const struct batch *b, struct stats *ret_stats)
{
    struct table *t = &z->q[0];
    const size_t n = (size_t)t->bins.cells * (size_t)t->choices;
    double loss = 0.0, value = 0.0, change = 0.0;
    memset(z->sum, 0, n * sizeof *z->sum);
    memset(z->mass, 0, n * sizeof *z->mass);
    for (int i = 0; i < b->n; i++) {
        const float *s = b->s + (ptrdiff_t)i * t->bins.n, *s2 = b->s2 + (ptrdiff_t)i * t->bins.n;
        const uint64_t legal2 = b->legal2 != NULL ? b->legal2[i] : LEGAL_ALL;
        const double next = value_of(z, s2, legal2, b->step);
        const size_t at = (size_t)(table_row(t, s) + (int)b->a[i] - t->q);
        z->sum[at] += (double)b->w[i] * ((double)b->r[i] + (double)b->g[i] * next);
        z->mass[at] += (double)b->w[i];
        value += next / b->n;
    }
    for (size_t at = 0; at < n; at++) {
        if (z->mass[at] > 0.0) {
            const double error = z->sum[at] / z->mass[at] - t->q[at];
            t->q[at] = z->sum[at] / z->mass[at];
            t->visits[at]++;
            loss += 0.5 * error * error / b->n;
            change = fmax(change, fabs(error));
        }
    }
    ret_stats->v[TRAIN_LOSS] = loss;
    ret_stats->v[TRAIN_VALUE] = value;
    ret_stats->v[TRAIN_CHANGE] = change;
}

static void qtable_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct qtable *z = self;
    (z->c.solver == SOLVER_VALUE_ITERATION ? iterate : learn)(z, b, ret_stats);
}

static int qtable_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct qtable_config *c = config;
    if (c->double_q && (c->backup != BACKUP_MAX || c->solver != SOLVER_Q_LEARNING)) {
        return why(ret_why, cap, -EINVAL,
                   "policy.double_q is for backup max and solver q_learning alone");
    }
    const int rc = backup_check(c->backup, c->table.ent_coef, ret_why, cap);
    return rc < 0 ? rc : table_check(&c->table, d, ret_why, cap);
}

static void qtable_wants(const void *config, struct wants *ret_wants)
{
    const struct qtable_config *c = config;
    *ret_wants = (struct wants){.needs = c->solver == SOLVER_VALUE_ITERATION ? NEEDS_MODEL
                                         : c->experience_replay              ? 0
                                                                             : NEEDS_ONCE,
                                .seg_len = 1};
}

static void *qtable_init(const void *config, const struct dims *d, struct arena *mem,
                         struct rng *rng)
{
    struct qtable *z = arena_take(mem, sizeof *z);
    z->c = *(const struct qtable_config *)config;
    z->rng = rng;
    table_make(&z->q[0], &z->c.table, d, mem);
    if (z->c.double_q) {
        table_make(&z->q[1], &z->c.table, d, mem);
    }
    if (z->c.solver == SOLVER_VALUE_ITERATION) {
        const size_t n = (size_t)z->q[0].bins.cells * (size_t)z->q[0].choices;
        z->sum = arena_take(mem, n * sizeof *z->sum);
        z->mass = arena_take(mem, n * sizeof *z->mass);
    }
    return z;
}

/* The table, or the mean of both. */
static int qtable_save(const void *learner, float *ret_w, int n_max)
{
    const struct qtable *z = learner;
    const int n = table_save(&z->q[0], ret_w, n_max);
    for (int i = 0; z->c.double_q && i < n; i++) {
        ret_w[i] = (float)(0.5 * (z->q[0].q[i] + z->q[1].q[i]));
    }
    return n;
}

static int qtable_state(void *learner, struct tensor *ret_tensors, int n_max)
{
    struct qtable *z = learner;
    const int n = table_state(&z->q[0], ret_tensors, n_max);
    if (n < 0 || !z->c.double_q) {
        return n;
    }
    if (table_state(&z->q[1], ret_tensors + n, n_max - n) < 0) {
        return -ENOSPC;
    }
    ret_tensors[n].name = "q2";
    ret_tensors[n + 1].name = "visits2";
    return 2 * n;
}

const struct policy policy_qtable = {
    .name = "qtable",
    .source = "Watkins 1989; Sutton and Barto 2018, sections 4.4, 6.5 to 6.7",
    .actions = ACTION_DISCRETE,
    .options = qtable_options,
    .stat_names = qtable_stats,
    .config_bytes = sizeof(struct qtable_config),
    .check = qtable_check,
    .wants = qtable_wants,
    .init = qtable_init,
    .update = qtable_update,
    .save = qtable_save,
    .state = qtable_state,
    .net = table_net, /* the settings of a table are its first */
    .pack = table_pack,
    .actor_bytes = table_actor_bytes,
    .actor_init = table_actor_init,
    .reset = table_reset,
    .act = table_act,
};

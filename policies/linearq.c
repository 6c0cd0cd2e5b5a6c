/*
 * Q-learning with values that are linear in features, Q(s,a) = w_a . phi(s), and its least-squares
 * twin.
 *
 *   td    Sutton and Barto 2018, equation 9.7 with the targets of section 6.5: semi-gradient steps,
 *         as each transition comes (NEEDS_ONCE with train_freq 1), or in batches of the replay with
 *         experience_replay, one row after the other. Off-policy they may diverge with features
 *         that share weights (section 11.2). Of tiles, learning_rate is for the sum of n_tilings:
 *         each gets its share.
 *   lspi  Lagoudakis and Parr 2003, "Least-squares policy iteration", figure 8: each pass over the
 *         replay (NEEDS_SWEEP) solves for the weights of the policy that is greedy by the last
 *         ones. No rate, and nothing diverges step by step; a cube of the weights in time.
 *
 * With one_hot features td is a table's Q-learning, bit for bit.
 */
#include "policies/explore.h"
#include "policies/backup.h"
#include "policies/features.h"
#include "policies/lstdq.h"
#include "policies/weights.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { SOLVER_TD, SOLVER_LSPI };

static const char *const solver_names[] = {"td", "lspi", NULL};

struct linearq_config {
    struct features_settings features;
    struct rate_settings rate;
    struct epsilon_settings epsilon;
    double ent_coef, ridge;
    int solver, backup; /* enum backup_kind */
    bool experience_replay;
};

struct linearq {
    struct linearq_config c;
    struct features f;
    int choices;
    struct rng *rng; /* the learner's */
    double *w;       /* [choices, F] */
    int64_t updates, singular;
    struct lstdq ls;         /* of lspi */
    struct active phi, phi2; /* of one row */
};

/* clang-format off */
#define AT(field) offsetof(struct linearq_config, field)
static const struct option linearq_options[] = {
    {.key = "solver", .type = OPTION_CHOICE, .offset = AT(solver), .def = "td", .choices = solver_names,
     .help = "steps along the TD error, or least squares over all of the replay"},
    {.key = "backup", .type = OPTION_CHOICE, .offset = AT(backup), .def = "max", .choices = backup_names,
     .help = "of td, what a state is worth: its best choice, the mean over how choices are taken, or alpha log sum exp(Q / alpha)"},
    {.key = "experience_replay", .type = OPTION_BOOL, .offset = AT(experience_replay), .def = "false",
     .help = "of td, batches of learner.batch_size out of the replay, in place of each step once, in order"},
    EXPLORE_ENT_COEF,
    {.key = "ridge", .type = OPTION_DOUBLE, .offset = AT(ridge), .min = 0, .max = 1e6, .def = "1e-6",
     .help = "of lspi, added to the diagonal of A: what was never seen is worth 0"},
    RATE_OPTIONS("0.1"),
    FEATURES_OPTIONS,
    EPSILON_OPTIONS("0.5", "0.5", "0"),
    {.key = NULL},
};

/* clang-format on */

enum { TRAIN_LOSS, TRAIN_VALUE, TRAIN_CHANGE, TRAIN_SINGULAR };

static const char *const linearq_stats[] = {"train/loss", "train/mean_q", "train/max_change",
                                            "train/singular", NULL};

/* Q(s, a) of all choices. */
static void values_of(const struct linearq *z, const struct active *phi, double *ret_q)
{
    for (int a = 0; a < z->choices; a++) {
        const double *w = z->w + (size_t)a * (size_t)z->f.n;
        ret_q[a] = 0.0;
        for (int i = 0; i < phi->n; i++) {
            ret_q[a] += w[phi->index[i]] * phi->value[i];
        }
    }
}

/* One row of a batch: its features, values and what comes of it. */
struct row {
    int choice;
    double q[CHOICES_MAX], q2[CHOICES_MAX];
    double r, discount, w;
    uint64_t legal2;
};

static void look_at(struct linearq *z, const struct batch *b, int i, struct row *ret_row)
{
    const ptrdiff_t at = (ptrdiff_t)i * z->f.bins.n;
    features_of(&z->f, b->s + at, &z->phi);
    features_of(&z->f, b->s2 + at, &z->phi2);
    values_of(z, &z->phi, ret_row->q);
    values_of(z, &z->phi2, ret_row->q2);
    ret_row->choice = (int)b->a[i];
    ret_row->r = (double)b->r[i];
    ret_row->discount = (double)b->g[i];
    ret_row->w = (double)b->w[i];
    ret_row->legal2 = b->legal2 != NULL ? b->legal2[i] : LEGAL_ALL;
}

static void step(struct linearq *z, const struct batch *b, struct stats *ret_stats)
{
    const struct backup by = {z->c.backup, epsilon_at(&z->c.epsilon, b->step), z->c.ent_coef};
    const double share = z->f.kind == FEATURES_TILES ? 1.0 / z->f.n_tilings : 1.0;
    double loss = 0.0, value = 0.0, change = 0.0;
    for (int i = 0; i < b->n; i++) {
        struct row x;
        look_at(z, b, i, &x);

        /* y = r + gamma (1 - d) V(s') */
        const double next = backup_value(&by, x.q2, z->choices, x.legal2);
        const double error = x.r + x.discount * next - x.q[x.choice];

        /* w_a <- w_a + rate (y - Q(s, a)) phi(s) */
        const double move = x.w * rate_at(&z->c.rate, ++z->updates) * share * error;
        double *w = z->w + (size_t)x.choice * (size_t)z->f.n;
        for (int k = 0; k < z->phi.n; k++) {
            w[z->phi.index[k]] += move * z->phi.value[k];
        }
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

/* The rows of a pass into A and b; at its end w <- A^-1 b, and the policy is greedy by that. */
static void sum_up(struct linearq *z, const struct batch *b, struct stats *ret_stats)
{
    double loss = 0.0, value = 0.0;
    for (int i = 0; i < b->n; i++) {
        if (b->valid != NULL && b->valid[i] == 0) {
            continue;
        }
        struct row x;
        look_at(z, b, i, &x);
        const int best = backup_greedy(x.q2, z->choices, x.legal2, z->rng);
        const double error = x.r + x.discount * x.q2[best] - x.q[x.choice];
        lstdq_add(&z->ls, (struct phi){&z->phi, x.choice * z->f.n},
                  (struct phi){&z->phi2, best * z->f.n}, x.r, x.discount, x.w);
        loss += 0.5 * error * error / b->n;
        value += x.q2[best] / b->n;
    }
    ret_stats->v[TRAIN_LOSS] = loss;
    ret_stats->v[TRAIN_VALUE] = value;
    if (b->sweep_end) {
        z->updates++;
        z->singular += lstdq_solve(&z->ls, z->c.ridge, z->w, &ret_stats->v[TRAIN_CHANGE]) < 0;
        ret_stats->v[TRAIN_SINGULAR] = (double)z->singular;
    }
}

static void linearq_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct linearq *z = self;
    (z->c.solver == SOLVER_LSPI ? sum_up : step)(z, b, ret_stats);
}

static int make_features(const struct linearq_config *c, const struct dims *d,
                         struct features *ret_features, char *ret_why, int cap)
{
    const int most = c->solver == SOLVER_LSPI ? LSTDQ_MAX : WEIGHTS_MAX;
    return features_make(&c->features, d->n_obs, most / d->n_choices, ret_features, ret_why, cap);
}

static int linearq_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct linearq_config *c = config;
    struct features f;
    int rc = backup_check(c->backup, c->ent_coef, ret_why, cap);
    rc = rc == 0 ? make_features(c, d, &f, ret_why, cap) : rc;
    return rc < 0 ? rc : rate_check(&c->rate, ret_why, cap);
}

static void linearq_wants(const void *config, struct wants *ret_wants)
{
    const struct linearq_config *c = config;
    *ret_wants = (struct wants){.needs = c->solver == SOLVER_LSPI ? NEEDS_SWEEP
                                         : c->experience_replay   ? 0
                                                                  : NEEDS_ONCE,
                                .seg_len = 1};
}

static void *linearq_init(const void *config, const struct dims *d, struct arena *mem,
                          struct rng *rng)
{
    struct linearq *z = arena_take(mem, sizeof *z);
    z->c = *(const struct linearq_config *)config;
    z->rng = rng;
    z->choices = d->n_choices;
    const int rc = make_features(&z->c, d, &z->f, NULL, 0);
    basal_assert(rc == 0); /* linearq_check has seen it */
    z->w = arena_take(mem, (size_t)(z->choices * z->f.n) * sizeof *z->w);
    if (z->c.solver == SOLVER_LSPI) {
        lstdq_init(&z->ls, z->choices * z->f.n, mem);
    }
    return z;
}

static int linearq_save(const void *learner, float *ret_w, int n_max)
{
    const struct linearq *z = learner;
    const int n = z->choices * z->f.n;
    if (n > n_max) {
        return -ENOSPC;
    }
    for (int i = 0; i < n; i++) {
        ret_w[i] = (float)z->w[i];
    }
    return n;
}

static int linearq_state(void *learner, struct tensor *ret_tensors, int n_max)
{
    struct linearq *z = learner;
    const int n = z->ls.n;
    if (n_max < 5) {
        return -ENOSPC;
    }
    ret_tensors[0] = (struct tensor){"w", TENSOR_F64, 2, {z->choices, z->f.n}, z->w};
    ret_tensors[1] = (struct tensor){"updates", TENSOR_I64, 1, {1}, &z->updates};
    ret_tensors[2] = (struct tensor){"singular", TENSOR_I64, 1, {1}, &z->singular};
    if (z->c.solver != SOLVER_LSPI) {
        return 3;
    }
    ret_tensors[3] = (struct tensor){"lstdq.a", TENSOR_F64, 2, {n, n}, z->ls.a};
    ret_tensors[4] = (struct tensor){"lstdq.b", TENSOR_F64, 1, {n}, z->ls.b};
    return 5;
}

/* --- acting --- */

/* Flat, without pointers. */
struct linearq_actor {
    struct features f;
    int choices;
    struct epsilon_settings epsilon;
    double ent_coef;
    struct active phi; /* of one observation */
};

static uint32_t linearq_net(const void *config, const struct dims *d)
{
    struct features f;
    if (make_features(config, d, &f, NULL, 0) < 0) {
        return 0;
    }
    const uint32_t bins = f.kind != FEATURES_IDENTITY ? bins_id(&f.bins) : 0;
    const int tilings = f.kind == FEATURES_TILES ? f.n_tilings : 0;
    const uint32_t id = (bins * 31u + (uint32_t)f.kind) * 31u + (uint32_t)tilings;
    return (id * 31u + (uint32_t)f.n) * 31u + (uint32_t)d->n_choices;
}

static int linearq_pack(const void *config, const struct dims *d, const float *w, int n,
                        float *ret_packed, int n_max)
{
    struct features f;
    if (make_features(config, d, &f, NULL, 0) < 0 || n != f.n * d->n_choices) {
        return -EINVAL;
    }
    if (n > n_max) {
        return -ENOSPC;
    }
    memcpy(ret_packed, w, (size_t)n * sizeof *w);
    return n;
}

static size_t linearq_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct linearq_actor);
}

static void linearq_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    const struct linearq_config *c = config;
    struct linearq_actor *a = ret_actor;
    memset(a, 0, sizeof *a);
    a->choices = d->n_choices;
    a->epsilon = c->epsilon;
    a->ent_coef = c->ent_coef;
    const int rc = make_features(c, d, &a->f, NULL, 0);
    basal_assert(rc == 0);
}

static void linearq_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

/* argmax_a w_a . phi(s), exploring by chance */
static void linearq_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    struct linearq_actor *a = actor;
    float q[CHOICES_MAX];
    features_of(&a->f, in->obs, &a->phi);
    for (int k = 0; k < a->choices; k++) {
        const float *w = in->packed + (size_t)k * (size_t)a->f.n;
        double sum = 0.0;
        for (int i = 0; i < a->phi.n; i++) {
            sum += (double)w[a->phi.index[i]] * a->phi.value[i];
        }
        q[k] = (float)sum;
    }
    ret_act[0] = (float)explore_choice(q, a->choices, &a->epsilon, a->ent_coef, in);
    *ret_logp = NAN;
}

const struct policy policy_linearq = {
    .name = "linearq",
    .source = "Sutton and Barto 2018, sections 9.5 and 11.2; Lagoudakis and Parr 2003, figure 8",
    .actions = ACTION_DISCRETE,
    .options = linearq_options,
    .stat_names = linearq_stats,
    .config_bytes = sizeof(struct linearq_config),
    .check = linearq_check,
    .wants = linearq_wants,
    .init = linearq_init,
    .update = linearq_update,
    .save = linearq_save,
    .state = linearq_state,
    .net = linearq_net,
    .pack = linearq_pack,
    .actor_bytes = linearq_actor_bytes,
    .actor_init = linearq_actor_init,
    .reset = linearq_reset,
    .act = linearq_act,
};

/*
 * Sarsa with a table: Q is learnt of the policy that acts, epsilon and all.
 *
 * Rummery and Niranjan 1994; Sutton and Barto 2018, section 6.4. Each transition is learnt from
 * once, in order, as soon as the next action is known (NEEDS_ONCE with train_freq 1). Departs from
 * it: in the daemon the action after that is chosen before the update, not after it.
 */
#include "policies/table.h"

#include <math.h>

/* clang-format off */
#define AT(field) offsetof(struct table_settings, field)
static const struct option sarsa_options[] = {TABLE_OPTIONS("0.5"), {.key = NULL}};

/* clang-format on */

enum { TRAIN_LOSS, TRAIN_VALUE };

static const char *const sarsa_stats[] = {"train/loss", "train/mean_q", NULL};

static void sarsa_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct table *t = self;
    double loss = 0.0, value = 0.0;
    for (int i = 0; i < b->n; i++) {
        const float *s = b->s + (ptrdiff_t)i * t->bins.n, *s2 = b->s2 + (ptrdiff_t)i * t->bins.n;

        /* y = r + gamma (1 - d) Q(s', a') */
        const double next = table_row(t, s2)[(int)b->a2[i]];
        const double y = (double)b->r[i] + (double)b->g[i] * next;

        /* Q(s, a) <- Q(s, a) + rate (y - Q(s, a)) */
        const double error = table_fit(t, s, (int)b->a[i], y, (double)b->w[i]);
        loss += 0.5 * error * error / b->n;
        value += next / b->n;
    }
    ret_stats->v[TRAIN_LOSS] = loss;
    ret_stats->v[TRAIN_VALUE] = value;
}

static void sarsa_wants(const void *config, struct wants *ret_wants)
{
    (void)config;
    *ret_wants = (struct wants){.needs = NEEDS_NEXT_ACTION | NEEDS_ONCE, .seg_len = 1};
}

const struct policy policy_sarsa = {
    .name = "sarsa",
    .source = "Sutton and Barto 2018, section 6.4",
    .actions = ACTION_DISCRETE,
    .options = sarsa_options,
    .stat_names = sarsa_stats,
    .config_bytes = sizeof(struct table_settings),
    .check = table_check,
    .wants = sarsa_wants,
    .init = table_init,
    .update = sarsa_update,
    .save = table_save,
    .state = table_state,
    .net = table_net,
    .pack = table_pack,
    .actor_bytes = table_actor_bytes,
    .actor_init = table_actor_init,
    .reset = table_reset,
    .act = table_act,
};

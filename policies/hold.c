/*
 * Hold: the middle of every action, the middle one of the choices. The safest policy, and the
 * smallest example of the contract.
 */
#include "policies/fixed.h"

#include <math.h>
#include <stddef.h>

struct hold {
    int n_act, n_choices;
};

static int hold_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)config;
    (void)d;
    (void)ret_why;
    (void)cap;
    return 0;
}

static size_t hold_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct hold);
}

static void hold_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    (void)config;
    *(struct hold *)ret_actor = (struct hold){.n_act = d->n_act, .n_choices = d->n_choices};
}

static void hold_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

static void hold_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    (void)in;
    const struct hold *h = actor;
    for (int i = 0; i < h->n_act; i++) {
        const int middle = h->n_choices > 0 ? (h->n_choices - 1) / 2 : 0;
        ret_act[i] = (float)middle;
    }
    *ret_logp = NAN;
}

static const struct option hold_options[] = {{.key = NULL}};
static const char *const hold_stats[] = {NULL};

const struct policy policy_hold = {
    .name = "hold",
    .source = "none: no learning",
    .actions = ACTION_BOX | ACTION_DISCRETE,
    .fixed = true,
    .options = hold_options,
    .stat_names = hold_stats,
    .config_bytes = 1,
    .check = hold_check,
    .wants = policy_wants_rows,
    .init = fixed_init,
    .update = fixed_update,
    .save = fixed_save,
    .state = fixed_state,
    .pack = fixed_pack,
    .actor_bytes = hold_actor_bytes,
    .actor_init = hold_actor_init,
    .reset = hold_reset,
    .act = hold_act,
};

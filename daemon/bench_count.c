#include "daemon/bench_count.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* How often an update sends a whole batch through each of these. */
struct passes {
    const char *algo;
    int actor_out; /* outputs of the actor for each action */
    double actor_forward, critic_forward, critic_backward, critic_by_action, actor_backward;
};

/*
 * SAC   a' ~ pi(s'), both targets, both critics and their gradients; a ~ pi(s), both critics and
 *       dQ/da through both, the actor's gradient.
 * TD3   a' = mu'(s'), both targets, both critics and their gradients; every second time a = mu(s),
 *       the first critic and dQ/da through it, the actor's gradient.
 * DDPG  a' = mu'(s'), the target, the critic and its gradient; a = mu(s), the critic, dQ/da, the
 *       actor's gradient.
 */
/* clang-format off */
static const struct passes passes[] = {
    {"sac",  2, 2.0, 6.0, 2.0, 2.0, 1.0},
    {"td3",  1, 1.5, 4.5, 2.0, 0.5, 0.5},
    {"ddpg", 1, 2.0, 3.0, 1.0, 1.0, 1.0},
};

/* clang-format on */

static const struct passes *find(const char *algo)
{
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        if (strcmp(passes[i].algo, algo) == 0) {
            return &passes[i];
        }
    }
    return NULL;
}

/* Weights of a network in -> hidden -> out: products of a row's way forward, and those of its first
 * layer, whose input has no gradient. */
struct products {
    double all, first;
};

static struct products products_of(const struct count_spec *s, int in, int out)
{
    struct products p = {0};
    int from = in;
    for (int l = 0; l <= s->n_hidden; l++) {
        const int to = l < s->n_hidden ? s->hidden[l] : out;
        const double n = (double)from * to;
        p.first = l == 0 ? n : p.first;
        p.all += n;
        from = to;
    }
    return p;
}

double count_flop(const struct count_spec *s)
{
    const struct passes *n = find(s->algo);
    if (n == NULL) {
        return (double)NAN;
    }
    const struct products actor = products_of(s, s->n_obs, n->actor_out * s->n_act);
    const struct products critic = products_of(s, s->n_obs + s->n_act, 1);
    const int first_out = s->n_hidden > 0 ? s->hidden[0] : 1;
    /* backward: every weight's gradient, and every input's but the first layer's; by the action:
     * inputs alone, of the first layer the action's columns */
    const double critic_backward = 2.0 * critic.all - critic.first;
    const double by_action = critic.all - critic.first + (double)s->n_act * first_out;
    const double actor_backward = 2.0 * actor.all - actor.first;
    return 2.0 * s->batch *
           (n->actor_forward * actor.all + n->critic_forward * critic.all +
            n->critic_backward * critic_backward + n->critic_by_action * by_action +
            n->actor_backward * actor_backward);
}

int count_text(const char *algo, char *ret_text, size_t cap)
{
    const struct passes *n = find(algo);
    if (n == NULL) {
        return snprintf(ret_text, cap, "%s", "");
    }
    return snprintf(ret_text, cap,
                    "2 batch (%g actor + %g critic + %g critic backward + %g critic by action + "
                    "%g actor backward)",
                    n->actor_forward, n->critic_forward, n->critic_backward, n->critic_by_action,
                    n->actor_backward);
}

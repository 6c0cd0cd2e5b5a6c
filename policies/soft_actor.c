#include "policies/soft_actor.h"

const char *const soft_stats[] = {"train/critic_loss",
                                  "train/actor_loss",
                                  "train/ent_coef",
                                  "train/ent_coef_loss",
                                  "train/entropy",
                                  "train/skipped_not_finite",
                                  NULL};

void soft_actor_init(struct soft_actor *ret_actor, const struct net_spec *spec,
                     const struct sde_settings *sde, struct arena *mem, struct rng *rng)
{
    struct soft_actor *z = ret_actor;
    if (sde != NULL && sde->use_sde) {
        gauss_init_sde(&z->gauss, spec, sde->log_std_init, mem, rng);
    } else {
        gauss_init(&z->gauss, spec, mem, rng);
    }
    z->rng = rng;
    z->entropy = 0.0f;
    z->a = arena_floats(mem, spec->rows * spec->n_act);
    z->da = arena_floats(mem, spec->rows * spec->n_act);
    z->logp = arena_floats(mem, spec->rows);
    z->dlogp = arena_floats(mem, spec->rows);
}

void soft_actor_sample(struct soft_actor *z, const float *s, int n)
{
    gauss_sample(&z->gauss, s, n, z->rng, z->a, z->logp);
}

void soft_actor_forward(struct soft_actor *z, const float *s, int n)
{
    const float inv_n = 1.0f / (float)n;
    gauss_forward(&z->gauss, s, n, z->rng, z->a, z->logp);
    z->entropy = 0.0f;
    for (int i = 0; i < n; i++) {
        z->entropy -= z->logp[i] * inv_n;
    }
}

float soft_actor_loss(const struct soft_actor *z, float alpha, const float *q, int n)
{
    const float inv_n = 1.0f / (float)n;
    float loss = 0.0f;
    for (int i = 0; i < n; i++) {
        loss += (alpha * z->logp[i] - q[i]) * inv_n;
    }
    return loss;
}

void soft_actor_fit(struct soft_actor *z, float alpha, int n)
{
    const float inv_n = 1.0f / (float)n;
    for (int i = 0; i < n; i++) {
        z->dlogp[i] = alpha * inv_n;
    }
    gauss_fit(&z->gauss, z->a, z->da, z->dlogp, n);
}

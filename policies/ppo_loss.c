#include "policies/ppo_loss.h"

#include <math.h>

#define STD_EPS ((float)1e-8)

void ppo_minibatch_init(struct ppo_minibatch *ret_m, int rows, int n_obs, int n_act,
                        struct arena *mem)
{
    struct ppo_minibatch *m = ret_m;
    float **columns[] = {&m->logp_old, &m->adv,   &m->target,   &m->v_old, &m->logp,
                         &m->entropy,  &m->dlogp, &m->dentropy, &m->dv};
    const size_t n = (size_t)rows, f = sizeof(float);
    m->n = 0;
    m->s = arena_take(mem, n * (size_t)n_obs * f);
    m->a = arena_take(mem, n * (size_t)n_act * f);
    m->legal = arena_take(mem, n * sizeof *m->legal);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        *columns[i] = arena_take(mem, n * f);
    }
}

void ppo_normalize_advantages(struct ppo_minibatch *m)
{
    const int n = m->n;
    float mean = 0.0f, var = 0.0f;
    for (int i = 0; i < n; i++) {
        mean += m->adv[i] / (float)n;
    }
    for (int i = 0; i < n; i++) {
        var += (m->adv[i] - mean) * (m->adv[i] - mean) / (float)(n - 1);
    }
    for (int i = 0; i < n && n > 1; i++) {
        m->adv[i] = (m->adv[i] - mean) / (sqrtf(var) + STD_EPS);
    }
}

/* -min(rho A, clip(rho) A), and its derivative by log pi: none where the clipped one is less. */
static float surrogate(float rho, float adv, float eps, float *ret_dlogp)
{
    const float held = fmaxf(1.0f - eps, fminf(1.0f + eps, rho));
    const bool flat = held * adv < rho * adv;
    *ret_dlogp = flat ? 0.0f : -rho * adv;
    return -(flat ? held : rho) * adv;
}

/* (V - R)^2, and its derivative by V: none where V is held. */
static float value_error(float v, float v_old, float target, float eps, float *ret_dv)
{
    const float off = v - v_old;
    const bool held = eps > 0.0f && fabsf(off) > eps;
    const float error = (held ? v_old + (off > 0.0f ? eps : -eps) : v) - target;
    *ret_dv = held ? 0.0f : 2.0f * error;
    return error * error;
}

void ppo_losses_add(struct ppo_losses *sum, const struct ppo_losses *l)
{
    sum->n += l->n;
    sum->loss += l->loss;
    sum->policy += l->policy;
    sum->value += l->value;
    sum->entropy += l->entropy;
    sum->clipped += l->clipped;
    sum->kl = l->kl;
}

struct ppo_losses ppo_loss(const struct ppo_loss_settings *c, const struct ppo_policy *p,
                           const float *out, const float *log_std, const float *v,
                           struct ppo_minibatch *m)
{
    const struct ppo_rows rows = {m->n, out, log_std, m->a, m->legal};
    const float inv_n = 1.0f / (float)m->n;
    struct ppo_losses sum = {.n = 1};
    ppo_policy_density(p, &rows, m->logp, m->entropy);
    for (int i = 0; i < m->n; i++) {
        const float log_rho = m->logp[i] - m->logp_old[i], rho = expf(log_rho);
        sum.policy += (double)(surrogate(rho, m->adv[i], c->clip_range, &m->dlogp[i]) * inv_n);
        sum.value +=
            (double)(value_error(v[i], m->v_old[i], m->target[i], c->clip_range_vf, &m->dv[i]) *
                     inv_n);
        sum.entropy += (double)(m->entropy[i] * inv_n);
        sum.kl += (double)((rho - 1.0f - log_rho) * inv_n);
        sum.clipped += fabsf(rho - 1.0f) > c->clip_range ? 1.0 / m->n : 0.0;
        m->dlogp[i] *= inv_n;
        m->dv[i] *= c->vf_coef * inv_n;
        m->dentropy[i] = -c->ent_coef * inv_n;
    }
    sum.loss = sum.policy + (double)c->vf_coef * sum.value - (double)c->ent_coef * sum.entropy;
    return sum;
}

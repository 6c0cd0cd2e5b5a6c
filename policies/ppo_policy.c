#include "policies/ppo_policy.h"

#include "policies/greedy.h"

#include <math.h>

#define HALF_LOG_2PI ((float)0.91893853320467274)

int ppo_policy_outputs(const struct ppo_policy *p)
{
    return p->n_choices > 0 ? p->n_choices : p->n_act;
}

/* p_j = exp(l_j) / sum over legal k of exp(l_k), 0 where it is not legal; returns the entropy. */
static float softmax(const float *l, int n, uint64_t legal, float *ret_p)
{
    const uint64_t may = greedy_legal(n, legal);
    const float most = greedy_max(l, n, legal);
    float sum = 0.0f, entropy = 0.0f;
    for (int j = 0; j < n; j++) {
        ret_p[j] = (may >> j & 1) != 0 ? expf(l[j] - most) : 0.0f;
        sum += ret_p[j];
    }
    for (int j = 0; j < n; j++) {
        ret_p[j] /= sum;
        entropy -= ret_p[j] > 0.0f ? ret_p[j] * logf(ret_p[j]) : 0.0f;
    }
    return entropy;
}

static uint64_t legal_in(const struct ppo_rows *b, int i)
{
    return b->legal != NULL ? b->legal[i] : LEGAL_ALL;
}

static void density_of_choices(const struct ppo_policy *p, const struct ppo_rows *b,
                               float *ret_logp, float *ret_entropy)
{
    float pi[CHOICES_MAX];
    for (int i = 0; i < b->n; i++) {
        ret_entropy[i] =
            softmax(b->out + (size_t)i * (size_t)p->n_choices, p->n_choices, legal_in(b, i), pi);
        ret_logp[i] = logf(pi[(int)b->a[i]]);
    }
}

void ppo_policy_density(const struct ppo_policy *p, const struct ppo_rows *b, float *ret_logp,
                        float *ret_entropy)
{
    if (p->n_choices > 0) {
        density_of_choices(p, b, ret_logp, ret_entropy);
        return;
    }
    for (int i = 0; i < b->n; i++) {
        const float *mu = b->out + (size_t)i * (size_t)p->n_act;
        const float *a = b->a + (size_t)i * (size_t)p->n_act;
        ret_logp[i] = ret_entropy[i] = 0.0f;
        for (int k = 0; k < p->n_act; k++) {
            const float z = (a[k] - mu[k]) * expf(-b->log_std[k]);
            ret_logp[i] += -0.5f * z * z - b->log_std[k] - HALF_LOG_2PI;
            ret_entropy[i] += 0.5f + HALF_LOG_2PI + b->log_std[k];
        }
    }
}

static void backward_of_choices(const struct ppo_policy *p, const struct ppo_rows *b,
                                const float *dlogp, const float *dentropy, float *ret_dout)
{
    const int n = p->n_choices;
    float pi[CHOICES_MAX];
    for (int i = 0; i < b->n; i++) {
        const float h = softmax(b->out + (size_t)i * (size_t)n, n, legal_in(b, i), pi);
        float *d = ret_dout + (size_t)i * (size_t)n;
        for (int j = 0; j < n; j++) {
            const float taken = j == (int)b->a[i] ? 1.0f : 0.0f;
            const float log_p = pi[j] > 0.0f ? logf(pi[j]) : 0.0f;
            d[j] = dlogp[i] * (taken - pi[j]) - dentropy[i] * pi[j] * (log_p + h);
        }
    }
}

void ppo_policy_backward(const struct ppo_policy *p, const struct ppo_rows *b, const float *dlogp,
                         const float *dentropy, float *ret_dout, float *d_log_std)
{
    if (p->n_choices > 0) {
        backward_of_choices(p, b, dlogp, dentropy, ret_dout);
        return;
    }
    for (int k = 0; k < p->n_act; k++) {
        const float inv_std = expf(-b->log_std[k]);
        for (int i = 0; i < b->n; i++) {
            const size_t at = (size_t)i * (size_t)p->n_act + (size_t)k;
            const float z = (b->a[at] - b->out[at]) * inv_std;
            ret_dout[at] = dlogp[i] * z * inv_std;
            d_log_std[k] += dlogp[i] * (z * z - 1.0f) + dentropy[i];
        }
    }
}

static int draw_choice(const float *pi, int n, uint64_t legal, struct rng *rng)
{
    float left = (float)rng_uniform(rng);
    for (int j = 0; j < n; j++) {
        left -= pi[j];
        if (left < 0.0f && pi[j] > 0.0f) {
            return j;
        }
    }
    return greedy_choice(pi, n, legal, rng); /* what rounding left over */
}

void ppo_policy_draw(const struct ppo_policy *p, const float *out, const float *log_std,
                     uint64_t legal, struct rng *rng, float *ret_a, float *ret_logp)
{
    if (p->n_choices > 0) {
        float pi[CHOICES_MAX];
        (void)softmax(out, p->n_choices, legal, pi);
        const int a = draw_choice(pi, p->n_choices, legal, rng);
        ret_a[0] = (float)a;
        *ret_logp = logf(pi[a]);
        return;
    }
    *ret_logp = 0.0f;
    for (int k = 0; k < p->n_act; k++) {
        const float z = (float)rng_normal(rng);
        ret_a[k] = out[k] + expf(log_std[k]) * z;
        *ret_logp += -0.5f * z * z - log_std[k] - HALF_LOG_2PI;
    }
}

void ppo_policy_best(const struct ppo_policy *p, const float *out, uint64_t legal, struct rng *rng,
                     float *ret_a, float *ret_logp)
{
    *ret_logp = NAN;
    if (p->n_choices > 0) {
        ret_a[0] = (float)greedy_choice(out, p->n_choices, legal, rng);
        return;
    }
    for (int k = 0; k < p->n_act; k++) {
        ret_a[k] = out[k];
    }
}

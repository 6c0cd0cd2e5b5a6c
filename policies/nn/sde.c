#include "policies/nn/sde.h"

#include <math.h>
#include <string.h>

#define VARIANCE_MIN ((float)1e-6)

void sde_init(struct sde *ret_sde, const struct net_spec *spec, int n_latent, double log_std_init,
              const struct kernel *kernel, struct arena *mem)
{
    struct sde *e = ret_sde;
    const int n = spec->n_act * n_latent, rows = spec->rows * spec->n_act;
    *e = (struct sde){.n_act = spec->n_act, .n_latent = n_latent};
    e->log_std = arena_take(mem, (size_t)n * sizeof(float));
    e->g = arena_take(mem, (size_t)n * sizeof(float));
    e->variance = arena_take(mem, (size_t)n * sizeof(float));
    e->z2 = arena_take(mem, (size_t)n_latent * sizeof(float));
    e->out = arena_take(mem, 2 * (size_t)rows * sizeof(float));
    e->dmu = arena_take(mem, (size_t)rows * sizeof(float));
    adam_init(&e->opt, kernel, n, &spec->adam, mem);
    for (int i = 0; i < n; i++) {
        e->log_std[i] = (float)log_std_init;
    }
}

static void square(struct sde *e, struct matrix z, int row)
{
    const float *from = z.v + (ptrdiff_t)row * z.ld;
    for (int h = 0; h < e->n_latent; h++) {
        e->z2[h] = from[h] * from[h];
    }
}

float sde_log_std(float variance)
{
    return 0.5f * logf(variance + VARIANCE_MIN);
}

const float *sde_forward(struct sde *e, struct matrix z, const float *mu, int n)
{
    const int k = e->n_act, n_latent = e->n_latent;
    for (int i = 0; i < k * n_latent; i++) {
        e->variance[i] = 2.0f * e->log_std[i];
    }
    e->opt.kernel->exp(k * n_latent, e->variance, e->variance);
    for (int i = 0; i < n; i++) {
        square(e, z, i);
        for (int j = 0; j < k; j++) {
            const float *variance = e->variance + (ptrdiff_t)j * n_latent;
            float sum = 0.0f;
            for (int h = 0; h < n_latent; h++) {
                sum += variance[h] * e->z2[h];
            }
            e->out[i * 2 * k + j] = mu[i * k + j];
            e->out[i * 2 * k + k + j] = sde_log_std(sum);
        }
    }
    return e->out;
}

const float *sde_fit(struct sde *e, struct matrix z, const float *dout, int n)
{
    const int k = e->n_act, n_latent = e->n_latent;
    memset(e->g, 0, (size_t)(k * n_latent) * sizeof(float));
    for (int i = 0; i < n; i++) {
        square(e, z, i);
        for (int j = 0; j < k; j++) {
            /* d(1/2 log v)/d log sigma_h = sigma_h^2 z_h^2 / v */
            const float *variance = e->variance + (ptrdiff_t)j * n_latent;
            const float by = dout[i * 2 * k + k + j] * expf(-2.0f * e->out[i * 2 * k + k + j]);
            for (int h = 0; h < n_latent; h++) {
                e->g[j * n_latent + h] += by * variance[h] * e->z2[h];
            }
            e->dmu[i * k + j] = dout[i * 2 * k + j];
        }
    }
    adam_step(&e->opt, e->g, e->log_std);
    return e->dmu;
}

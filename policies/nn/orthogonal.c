#include "policies/nn/orthogonal.h"

#include "policies/nn/mlp_inside.h"

#include <math.h>
#include <string.h>

/* q [n,m] of normals, n <= m: Gram and Schmidt, twice over for rounding's sake. */
static void draw(double *q, int n, int m, struct rng *rng)
{
    for (int i = 0; i < n; i++) {
        double *qi = q + (size_t)i * (size_t)m;
        for (int k = 0; k < m; k++) {
            qi[k] = rng_normal(rng);
        }
        for (int j = 0; j < 2 * i; j++) {
            const double *qj = q + (size_t)(j % i) * (size_t)m;
            double dot = 0.0;
            for (int k = 0; k < m; k++) {
                dot += qi[k] * qj[k];
            }
            for (int k = 0; k < m; k++) {
                qi[k] -= dot * qj[k];
            }
        }
        double norm = 0.0;
        for (int k = 0; k < m; k++) {
            norm += qi[k] * qi[k];
        }
        norm = sqrt(norm);
        for (int k = 0; k < m; k++) {
            qi[k] /= norm;
        }
    }
}

void mlp_orthogonal(struct mlp *m, double gain, double last_gain, struct arena *mem,
                    struct rng *rng)
{
    float *w = m->w;
    for (int l = 0; l < m->shape.n_layers; l++) {
        const int in = m->shape.width[l], out = m->shape.width[l + 1];
        const bool wide = out <= in;
        const int n = wide ? out : in, k = wide ? in : out;
        const double length = is_hidden(&m->shape, l) ? gain : last_gain;
        double *q = arena_take(mem, (size_t)n * (size_t)k * sizeof *q);
        draw(q, n, k, rng);
        for (int i = 0; i < out; i++) {
            for (int j = 0; j < in; j++) {
                const double v = wide ? q[(size_t)i * (size_t)k + (size_t)j]
                                      : q[(size_t)j * (size_t)k + (size_t)i];
                w[(size_t)i * (size_t)in + (size_t)j] = (float)(length * v);
            }
        }
        memset(w + (size_t)out * (size_t)in, 0, (size_t)out * sizeof *w);
        w += (size_t)out * (size_t)(in + n_vectors(&m->shape, l));
    }
    mlp_changed(m);
}

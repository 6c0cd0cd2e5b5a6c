#include "policies/nn/dynamics.h"

#include <math.h>
#include <string.h>

void dynamics_init(struct dynamics *ret_dynamics, const struct net_spec *spec, struct arena *mem,
                   struct rng *rng)
{
    struct dynamics *z = ret_dynamics;
    struct mlp_shape s;
    const int in = spec->n_obs + spec->n_act, rows = spec->rows;
    *z = (struct dynamics){.n_obs = spec->n_obs, .n_act = spec->n_act};
    net_shape(spec, in, spec->n_obs, &s);
    mlp_init(&z->f, &s, spec->kernel, rows, mem, rng);
    adam_init(&z->f_opt, z->f.kernel, z->f.n, &spec->adam, mem);
    critic_init(&z->r, spec, mem, rng);
    z->xi = arena_floats(mem, rows * spec->n_obs);
    z->dy = arena_floats(mem, rows * spec->n_obs);
    z->one = arena_floats(mem, rows);
    z->dsa[0] = arena_floats(mem, rows * in);
    z->dsa[1] = arena_floats(mem, rows * in);
    for (int i = 0; i < rows; i++) {
        z->one[i] = 1.0f;
    }
}

/* Both networks read (s, a): into the reward's input, and from there. */
static const float *forward(struct dynamics *z, const struct steps_seen *b, int n)
{
    const struct matrix from = z->r.net.x[0], to = z->f.x[0];
    critic_join(&z->r, b->s, b->a, n);
    for (int i = 0; i < n; i++) {
        memcpy(to.v + (size_t)i * (size_t)to.ld, from.v + (size_t)i * (size_t)from.ld,
               (size_t)(z->n_obs + z->n_act) * sizeof(float));
    }
    return mlp_forward_inside(&z->f, n);
}

/* 1/2 |s' - s - f(s, a)|^2, and its derivative into dy */
static float loss_of_f(struct dynamics *z, const struct steps_seen *b, const float *f, int n)
{
    const float inv_n = 1.0f / (float)n;
    float loss = 0.0f;
    for (int i = 0; i < n; i++) {
        for (int k = i * z->n_obs; k < (i + 1) * z->n_obs; k++) {
            const float error = b->s[k] + f[k] - b->s2[k];
            loss += 0.5f * b->w[i] * error * error * inv_n;
            z->dy[k] = b->w[i] * error * inv_n;
        }
    }
    return loss;
}

struct dynamics_loss dynamics_fit(struct dynamics *z, const struct steps_seen *b, int n)
{
    struct dynamics_loss loss;
    loss.f = loss_of_f(z, b, forward(z, b, n), n);
    if (isfinite(loss.f)) {
        mlp_backward(&z->f, z->dy, n);
        mlp_step(&z->f, &z->f_opt);
    }
    loss.r = critic_loss(&z->r, &(struct critic_target){b->r, b->w, NULL}, n);
    if (isfinite(loss.r)) {
        critic_step(&z->r, n);
    }
    return loss;
}

void dynamics_infer(struct dynamics *z, const struct steps_seen *b, int n)
{
    const float *f = forward(z, b, n);
    (void)critic_value(&z->r, n);
    for (int k = 0; k < n * z->n_obs; k++) {
        z->xi[k] = b->s2[k] - b->s[k] - f[k];
    }
}

void dynamics_backward(struct dynamics *z, const float *v2, const int *rows, int m, float *ret_vs,
                       float *ret_va)
{
    const int o = z->n_obs, k = z->n_act;
    const struct input_part all = {.rows = rows, .n = m, .columns = o + k};
    mlp_backward_input(&z->f, v2, &all, z->dsa[0]);
    mlp_backward_input(&z->r.net, z->one, &all, z->dsa[1]);
    for (int i = 0; i < m; i++) {
        const float *by_f = z->dsa[0] + (size_t)i * (size_t)(o + k);
        const float *by_r = z->dsa[1] + (size_t)i * (size_t)(o + k);
        for (int j = 0; j < o; j++) {
            ret_vs[i * o + j] = by_r[j] + v2[i * o + j] + by_f[j];
        }
        for (int j = 0; j < k; j++) {
            ret_va[i * k + j] = by_r[o + j] + by_f[o + j];
        }
    }
}

/*
 * Generalised state-dependent exploration: the noise on an action is a linear function of what the
 * actor's last hidden layer z says of the state, and its matrix is drawn anew only now and then. So
 * that a robot is pushed smoothly, the same way in like states, not shaken.
 *
 *   u = mu(s) + W z(s),  W_kh ~ N(0, sigma_kh^2);  u_k ~ N(mu_k, sum_h sigma_kh^2 z_h^2)
 *
 * Raffin, Kober and Stulp 2020, arXiv:2005.05719, equations 6 to 8. Departs from it: in updates
 * each row has noise of its own, with the same variance; z is not taught by the noise.
 */
#pragma once

#include "policies/nn/adam.h"
#include "policies/nn/mlp.h"

/* How SAC explores by it: Stable-Baselines3's names. */
struct sde_settings {
    bool use_sde;
    int sample_freq;
    double log_std_init;
};

/* clang-format off */
/* AT(field) is the offset of a field of the algorithm's settings, whose sde is an sde_settings. */
#define SDE_OPTIONS \
    {.key = "use_sde", .type = OPTION_BOOL, .offset = AT(sde.use_sde), .def = "false", \
     .help = "explore by generalised state-dependent noise, which is smooth over an episode"}, \
    {.key = "sde_sample_freq", .type = OPTION_INT, .offset = AT(sde.sample_freq), .min = -1, .max = 1000000, .def = "-1", \
     .help = "policy steps after which that noise is drawn anew; -1: when an episode begins"}, \
    {.key = "log_std_init", .type = OPTION_DOUBLE, .offset = AT(sde.log_std_init), .min = -20, .max = 2, .def = "-3", \
     .help = "log of its standard deviation per feature, to begin with"}

/* clang-format on */

struct sde {
    int n_act, n_latent;
    float *log_std, *g; /* [A,H]; gradient */
    struct adam opt;
    float *variance; /* [A,H]: sigma^2 */
    float *z2;       /* [H]: of a row */
    float *out;      /* [rows,2 A]: mu, log of the deviation */
    float *dmu;      /* [rows,A] */
};

void sde_init(struct sde *ret_sde, const struct net_spec *spec, int n_latent, double log_std_init,
              const struct kernel *kernel, struct arena *mem);

/* log of the deviation that noise of this variance has: 1/2 log(variance + 1e-6). */
float sde_log_std(float variance) BASAL_RT;

/* z [n,H] of the hidden layer, mu [n,A] -> [n,2 A]: mu and 1/2 log(sum_h sigma_kh^2 z_h^2 + 1e-6),
 * valid until the next call. */
const float *sde_forward(struct sde *e, struct matrix z, const float *mu, int n);

/* dout [n,2 A] = dL/d(that), after sde_forward of the same z: one Adam step of log sigma. Returns
 * dL/dmu [n,A]. */
const float *sde_fit(struct sde *e, struct matrix z, const float *dout, int n);

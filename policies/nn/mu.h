/*
 * A deterministic policy a = mu(s): a network whose outputs go through tanh, and the noise by which
 * it explores. What DDPG and TD3 share.
 */
#pragma once

#include "policies/nn/adam.h"
#include "policies/nn/mlp.h"

struct mu {
    struct mlp net;
    struct adam opt;
    int n_act;
    float *dy; /* [rows,n_act] */
};

void mu_init(struct mu *ret_mu, const struct net_spec *spec, struct arena *mem, struct rng *rng);

/* s [n,n_obs] -> ret_a [n,n_act] = mu(s) */
void mu_forward(struct mu *p, const float *s, int n, float *ret_a);
/* The same where no mu_fit follows: a target's actions. */
void mu_value(struct mu *p, const float *s, int n, float *ret_a);

/* One Adam step down the gradient of a loss whose derivative by the last forward's a [n,n_act] is
 * da [n,n_act]. Silver et al. 2014, "Deterministic policy gradient algorithms", equation 7. */
void mu_fit(struct mu *p, const float *a, const float *da, int n);

/* --- in the tick: flat, without pointers --- */

enum noise_kind { NOISE_NORMAL, NOISE_OU };

/* For option tables: the names of enum noise_kind. */
extern const char *const noise_names[];

/* How DDPG and TD3 explore: their option rows. AT(field) is the offset of a field of the
 * algorithm's settings, whose noise is a noise_settings. */
struct noise_settings {
    int action_noise; /* enum noise_kind */
    double std, theta, dt;
};

/* clang-format off */
#define NOISE_OPTIONS \
    {.key = "action_noise", .type = OPTION_CHOICE, .offset = AT(noise.action_noise), .def = "normal", .choices = noise_names, \
     .help = "exploration noise"}, \
    {.key = "action_noise_std", .type = OPTION_DOUBLE, .offset = AT(noise.std), .min = 0, .max = 2, .def = "0.1", \
     .help = "its sigma: a normal one's standard deviation, in action units"}, \
    {.key = "ou_theta", .type = OPTION_DOUBLE, .offset = AT(noise.theta), .min = 0, .max = 1, .def = "0.15", \
     .help = "pull of Ornstein-Uhlenbeck noise back to 0, per unit of its time"}, \
    {.key = "ou_dt", .type = OPTION_DOUBLE, .offset = AT(noise.dt), .min = 1e-6, .max = 1, .def = "1", \
     .help = "its time between two policy steps: x <- x - theta x dt + sigma sqrt(dt) N(0, 1)"}

/* clang-format on */

struct mu_actor {
    struct mlp_shape shape;
    int n_act, noise;
    float std, theta, dt;
    float x[ACT_MAX]; /* of the Ornstein-Uhlenbeck process */
};

void mu_actor_init(struct mu_actor *ret_actor, const struct mlp_shape *shape,
                   const struct noise_settings *noise);
void mu_reset(struct mu_actor *a) BASAL_RT;

/* mu(s), and with explore noise on top: N(0, std^2), or
 *
 *   x <- x - theta x dt + std sqrt(dt) N(0, 1)
 *
 * (Uhlenbeck and Ornstein 1930, by Euler's steps of dt). ret_act is not clipped. */
void mu_act(struct mu_actor *a, const float *packed, const float *obs, bool explore,
            struct rng *rng, float *ret_act) BASAL_RT;

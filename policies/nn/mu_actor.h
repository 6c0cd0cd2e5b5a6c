/*
 * How a deterministic policy acts, and the noise by which it explores: the entries of struct policy
 * for an algorithm whose settings begin as struct mu_net does. What DDPG and TD3 share.
 */
#pragma once

#include "policies/nn/settings.h"

enum noise_kind { NOISE_NORMAL, NOISE_OU };

/* For option tables: the names of enum noise_kind. */
extern const char *const noise_names[];

struct noise_settings {
    int action_noise; /* enum noise_kind */
    double std, theta, dt;
};

struct mu_net {
    struct net_settings net;
    struct noise_settings noise;
};

/* clang-format off */
/* AT(field) is the offset of a field of the algorithm's settings, whose noise is a noise_settings. */
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

uint32_t mu_actor_net(const void *config, const struct dims *d);
int mu_actor_pack(const void *config, const struct dims *d, const float *w, int n,
                  float *ret_packed, int n_max);
size_t mu_actor_bytes(const void *config, const struct dims *d);
void mu_actor_init(const void *config, const struct dims *d, void *ret_actor);
void mu_actor_reset(void *actor, struct rng *rng) BASAL_RT;
/* a = mu(s), and exploring with noise on top: N(0, std^2), or
 *
 *   x <- x - theta x dt + std sqrt(dt) N(0, 1)
 *
 * (Uhlenbeck and Ornstein 1930, by Euler's steps of dt). It is not clipped. */
void mu_actor_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp) BASAL_RT;

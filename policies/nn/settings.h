/*
 * What an actor and its critics are made of and how they step: the option rows that every algorithm
 * with an actor has. Names and defaults are Stable-Baselines3's: policy_kwargs (net_arch pi and qf,
 * activation_fn; layer_norm is SBX's), optimizer_kwargs, and max_grad_norm of its DQN.
 */
#pragma once

#include "policies/nn/mlp.h"
#include "policies/policy.h"

struct net_settings {
    int n_hidden, hidden[LAYERS_MAX - 1];
    int n_pi, pi[LAYERS_MAX - 1], n_qf, qf[LAYERS_MAX - 1]; /* none: hidden */
    int activation_fn;                                      /* enum activation */
    bool layer_norm, layer_norm_actor;
    int n_betas;
    double betas[2], eps, weight_decay, max_grad_norm;
};

/* clang-format off */
/* AT(field) is the offset of a field of the algorithm's settings, whose net is a net_settings. */
#define NET_OPTIONS(net_arch) NET_OPTIONS_OF(net_arch, "false", "[0.9, 0.999]")
/* norm, adam: whether the critics are normalised, and the betas, unless a file says it. */
#define NET_OPTIONS_OF(net_arch, norm, adam) NET_OPTIONS_ALL(net_arch, "relu", norm, adam)
/* activation: what follows each hidden layer, unless a file says it. */
#define NET_OPTIONS_ALL(net_arch, activation, norm, adam) \
    {.key = "net_arch", .type = OPTION_INTS, .offset = AT(net.hidden), .min = 1, .max = MLP_WIDTH_MAX, .def = (net_arch), \
     .n_max = LAYERS_MAX - 1, .n_offset = AT(net.n_hidden), .help = "hidden layers of actor and critics"}, \
    {.key = "net_arch_pi", .type = OPTION_INTS, .offset = AT(net.pi), .min = 1, .max = MLP_WIDTH_MAX, .def = "[]", \
     .n_max = LAYERS_MAX - 1, .n_offset = AT(net.n_pi), .help = "hidden layers of the actor alone; []: net_arch"}, \
    {.key = "net_arch_qf", .type = OPTION_INTS, .offset = AT(net.qf), .min = 1, .max = MLP_WIDTH_MAX, .def = "[]", \
     .n_max = LAYERS_MAX - 1, .n_offset = AT(net.n_qf), .help = "hidden layers of the critics alone; []: net_arch"}, \
    {.key = "activation_fn", .type = OPTION_CHOICE, .offset = AT(net.activation_fn), .def = (activation), .choices = activation_names, \
     .help = "what follows each hidden layer"}, \
    {.key = "layer_norm", .type = OPTION_BOOL, .offset = AT(net.layer_norm), .def = (norm), \
     .help = "hidden layers of the critics are normalised before that; they then bear many updates per step"}, \
    {.key = "layer_norm_actor", .type = OPTION_BOOL, .offset = AT(net.layer_norm_actor), .def = "false", \
     .help = "and those of the actor"}, \
    {.key = "optimizer_betas", .type = OPTION_DOUBLES, .offset = AT(net.betas), .min = 0, .max = 0.999999, .def = (adam), \
     .n_max = 2, .n_offset = AT(net.n_betas), .help = "Adam's decay of the gradient's mean and of its square"}, \
    {.key = "optimizer_eps", .type = OPTION_DOUBLE, .offset = AT(net.eps), .min = 1e-12, .max = 1, .def = "1e-8", \
     .help = "Adam's epsilon, added to the root"}, \
    {.key = "optimizer_weight_decay", .type = OPTION_DOUBLE, .offset = AT(net.weight_decay), .min = 0, .max = 1, .def = "0", \
     .help = "L2 penalty: this much of each weight joins its gradient"}, \
    {.key = "max_grad_norm", .type = OPTION_DOUBLE, .offset = AT(net.max_grad_norm), .min = 0, .max = 1e6, .def = "0", \
     .help = "longest gradient of each network, longer ones are scaled down to it; 0: any"}
/* clang-format on */

/* What rows alone cannot say: -EINVAL and one sentence. */
int net_check(const struct net_settings *c, char *ret_why, int cap);

/* The actor's and the critics' networks, for batches and observations of d. */
void net_specs(const struct net_settings *c, const struct dims *d, double lr,
               struct net_spec *ret_pi, struct net_spec *ret_qf);

/* The actor's network alone, with n_out outputs: what the tick and pack know of it. */
void net_actor_shape(const struct net_settings *c, const struct dims *d, int n_out,
                     struct mlp_shape *ret_shape);

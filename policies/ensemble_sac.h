/*
 * Soft actor-critic on an ensemble of critics: the learner that REDQ and DroQ share. Their files
 * say what of it is whose. RLPD (Ball et al. 2023, arXiv:2302.02948) is REDQ with layer_norm, prior
 * data (replay_mix.h) and, where rewards are sparse, without backup_entropy.
 *
 * Chen et al. 2021, arXiv:2101.05982, Algorithm 1; Hiraoka et al. 2022, arXiv:2110.02034, Algorithm
 * 2; the entropy terms and the temperature as in arXiv:1812.05905.
 */
#pragma once

#include "policies/nn/ensemble.h"
#include "policies/nn/gauss_actor.h"
#include "policies/nn/temperature.h"
#include "policies/nn/views.h"
#include "policies/soft_actor.h"

struct ensemble_sac_config {
    struct net_settings net; /* first: gauss_actor.h */
    double learning_rate, tau, dropout;
    struct temperature_settings temperature;
    int n_critics, n_least, policy_delay;
    bool backup_entropy;
};

/* clang-format off */
/* AT(field) is the offset of a field of struct ensemble_sac_config. */
#define ENSEMBLE_SAC_OPTIONS(critics, least, drop, norm) \
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "3e-4", \
     .help = "Adam's step for actor, critics and temperature"}, \
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "0.005", \
     .help = "Polyak step of the target critics, per update"}, \
    {.key = "n_critics", .type = OPTION_INT, .offset = AT(n_critics), .min = 1, .max = ENSEMBLE_MAX, .def = (critics), \
     .help = "critics in the ensemble: N"}, \
    {.key = "n_min_critics", .type = OPTION_INT, .offset = AT(n_least), .min = 1, .max = ENSEMBLE_MAX, .def = (least), \
     .help = "of which so many, drawn anew for each update, make the target: M"}, \
    {.key = "policy_delay", .type = OPTION_INT, .offset = AT(policy_delay), .min = 1, .max = 1000000, .def = "20", \
     .help = "updates of the critics for one of actor and temperature; gradient_steps, for one a step"}, \
    {.key = "backup_entropy", .type = OPTION_BOOL, .offset = AT(backup_entropy), .def = "true", \
     .help = "the target counts the entropy of the next action; false, as RLPD has it where rewards are sparse: its value alone"}, \
    {.key = "dropout", .type = OPTION_DOUBLE, .offset = AT(dropout), .min = 0, .max = 0.9, .def = (drop), \
     .help = "chance that a hidden sum of a critic is 0, in every pass"}, \
    TEMPERATURE_OPTIONS, \
    NET_OPTIONS_OF("[256, 256]", norm, "[0.9, 0.999]")
/* clang-format on */

int ensemble_sac_check(const void *config, const struct dims *d, char *ret_why, int cap);
void *ensemble_sac_init(const void *config, const struct dims *d, struct arena *mem,
                        struct rng *rng);
void ensemble_sac_update(void *self, const struct batch *b, struct stats *ret_stats);
int ensemble_sac_save(const void *learner, float *ret_w, int n_max);

/* clang-format off */
/* All of a struct policy but its name, source and options. */
#define ENSEMBLE_SAC_ENTRIES \
    .actions = ACTION_BOX, \
    .stat_names = soft_stats, \
    .config_bytes = sizeof(struct ensemble_sac_config), \
    .check = ensemble_sac_check, \
    .wants = policy_wants_rows, \
    .init = ensemble_sac_init, \
    .update = ensemble_sac_update, \
    .save = ensemble_sac_save, \
    .state = views_state, \
    .restored = views_restored, \
    .net = gauss_actor_net, \
    .pack = gauss_actor_pack, \
    .actor_bytes = gauss_actor_bytes, \
    .actor_init = gauss_actor_init, \
    .reset = gauss_actor_reset, \
    .act = gauss_actor_act
/* clang-format on */

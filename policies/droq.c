/*
 * Dropout Q-functions: the ensemble of REDQ in two critics, made many by dropout, made steady by
 * layer normalisation.
 *
 * Hiraoka et al. 2022, "Dropout Q-Functions for Doubly Efficient Reinforcement Learning",
 * arXiv:2110.02034, Algorithm 2: each hidden layer of a critic is dense, dropout, layer
 * normalisation, ReLU; dropout is drawn in every pass, of targets and actor too; G = 20
 * (learner.gradient_steps), the actor once for G updates of the critics (policy_delay), on the mean
 * of both. The update is ensemble_sac.c's. Departs from it: the target entropy is -1 per action
 * unless it is set.
 */
#include "policies/ensemble_sac.h"

#include "policies/nn/ensemble.h"

#define AT(field) offsetof(struct ensemble_sac_config, field)

static const struct option droq_options[] = {
    ENSEMBLE_SAC_OPTIONS("2", "2", "0.01", "true"),
    {.key = NULL},
};

const struct policy policy_droq = {
    .name = "droq",
    .source = "arXiv:2110.02034, Algorithm 2",
    .actions = ACTION_BOX,
    .options = droq_options,
    .stat_names = soft_stats,
    .config_bytes = sizeof(struct ensemble_sac_config),
    .check = ensemble_sac_check,
    .wants = policy_wants_rows,
    .init = ensemble_sac_init,
    .update = ensemble_sac_update,
    .save = ensemble_sac_save,
    .state = views_state,
    .restored = views_restored,
    .net = gauss_actor_net,
    .pack = gauss_actor_pack,
    .actor_bytes = gauss_actor_bytes,
    .actor_init = gauss_actor_init,
    .reset = gauss_actor_reset,
    .act = gauss_actor_act,
};

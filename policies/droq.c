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

#define AT(field) offsetof(struct ensemble_sac_config, field)

static const struct option droq_options[] = {
    ENSEMBLE_SAC_OPTIONS("2", "2", "0.01", "true"),
    {.key = NULL},
};

const struct policy policy_droq = {
    .name = "droq",
    .source = "arXiv:2110.02034, Algorithm 2",
    .options = droq_options,
    ENSEMBLE_SAC_ENTRIES,
};

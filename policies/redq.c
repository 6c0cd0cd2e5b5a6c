/*
 * Randomized ensembled double Q-learning: many updates a step, kept from overestimating by the
 * minimum over a random few of many critics.
 *
 * Chen, Wang, Zhou and Ross 2021, "Randomized Ensembled Double Q-Learning: Learning Fast Without a
 * Model", arXiv:2101.05982, Algorithm 1: N = 10, M = 2, G = 20 (learner.gradient_steps), the actor
 * once for G updates of the critics (policy_delay), on the mean of all. The update is
 * ensemble_sac.c's. Departs from it: the target entropy is -1 per action unless it is set.
 */
#include "policies/ensemble_sac.h"

#define AT(field) offsetof(struct ensemble_sac_config, field)

static const struct option redq_options[] = {
    ENSEMBLE_SAC_OPTIONS("10", "2", "0", "false"),
    {.key = NULL},
};

const struct policy policy_redq = {
    .name = "redq",
    .source = "arXiv:2101.05982, Algorithm 1",
    .options = redq_options,
    ENSEMBLE_SAC_ENTRIES,
};

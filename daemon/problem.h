/*
 * What a policy has to solve under a configuration and its task: observations, actions, batches.
 * One place, for the loop, the learner and --check-config alike.
 */
#pragma once

#include "daemon/config.h"

/* What the learner computes with; NULL: this machine has no such. */
const struct kernel *problem_kernel(const struct config *c);

/* Is there one? Errors: -EINVAL and one sentence. */
int problem_check_kernel(const struct config *c, char *ret_why, int cap) BASAL_MUST_USE;

/* The dims. Whose policy wants NEEDS_MODEL gets dims.batch when the model is there (model.h). */
void problem_dims(const struct config *c, const struct task *t, struct dims *ret_dims);

/*
 * Do the learner's settings and the policy's batches fit together, and the policy and the robot
 * (policy_check)? Errors: -EINVAL and one sentence.
 */
int problem_check(const struct config *c, const struct dims *d, char *ret_why,
                  int cap) BASAL_MUST_USE;

/*
 * May prior data be mixed into the batches of this policy and these settings? Errors: -EINVAL and
 * one sentence.
 */
int problem_check_prior(const struct config *c, char *ret_why, int cap) BASAL_MUST_USE;

/* enum policy_needs bits of the policy as configured. */
unsigned problem_needs(const struct config *c);

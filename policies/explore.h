/*
 * A choice by the values of all of them, exploring or not: what tables and linear features share
 * when they act.
 */
#pragma once

#include "policies/greedy.h"
#include "policies/policy.h"

/*
 * argmax of q [n]. Exploring: by chance epsilon any choice, else that, or with ent_coef above 0 a
 * draw from exp(q / ent_coef).
 */
int explore_choice(const float *q, int n, const struct epsilon_settings *epsilon, double ent_coef,
                   const struct act_in *in) BASAL_RT;

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

/*
 * Of a policy that is a softmax: a draw from exp(q / alpha) of q [n], or its argmax where nobody
 * explores. ret_logp: the log of the drawn one's chance; NaN: none was drawn.
 */
int explore_softly(const float *q, int n, float alpha, const struct act_in *in,
                   float *ret_logp) BASAL_RT;

/* clang-format off */
/* AT(field) is the offset of a field of the algorithm's settings, whose ent_coef is that of explore_choice. */
#define EXPLORE_ENT_COEF \
    {.key = "ent_coef", .type = OPTION_DOUBLE, .offset = AT(ent_coef), .min = 0, .max = 1e4, .def = "0", \
     .help = "temperature alpha; above 0 exploring draws from exp(Q / alpha), but for the random choices by epsilon"}
/* clang-format on */

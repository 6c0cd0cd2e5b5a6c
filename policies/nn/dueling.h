/*
 * The value of a state and the advantages of its choices, `atoms` numbers each:
 *
 *   Q(a) = V + Adv(a) - mean_b Adv(b)
 *
 * Wang et al. 2016, arXiv:1511.06581, equation 9; per atom as Rainbow has it.
 */
#pragma once

/* raw [(1 + choices) atoms]: V, then Adv of each choice -> q [choices,atoms] */
void dueling_combine(int choices, int atoms, const float *raw, float *ret_q);
/* dL/dq -> dL/draw */
void dueling_backward(int choices, int atoms, const float *dq, float *ret_draw);

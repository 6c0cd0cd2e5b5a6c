/*
 * What a robot does, learned: s' = s + f(s, a) + xi and r(s, a), a network each over the joined
 * state and action, fitted by squared error. xi is what the network does not say of a step that was
 * seen; it is added, so that no derivative depends on it.
 */
#pragma once

#include "policies/nn/critic.h"

struct dynamics {
    struct mlp f; /* (s, a) -> s' - s */
    struct adam f_opt;
    struct critic r; /* (s, a) -> r */
    int n_obs, n_act;
    float *xi;       /* [rows,n_obs] of the last infer */
    float *one, *dy; /* [rows]: ones; [rows,n_obs] */
    float *dsa[2];   /* [rows,n_obs+n_act] by s' and by r */
};

/* Steps that were seen: s, s2 [n,n_obs], a [n,n_act], r [n]; w [n]: 0 where there is none. */
struct steps_seen {
    const float *s, *a, *r, *s2, *w;
};

struct dynamics_loss {
    float f, r; /* mean of 1/2 |s' - s - f|^2, and of 1/2 (r - r(s, a))^2 */
};

void dynamics_init(struct dynamics *ret_dynamics, const struct net_spec *spec, struct arena *mem,
                   struct rng *rng);

/* One Adam step of each network on its loss, which it returns as it was before. A network whose
 * loss is not finite is left alone. */
struct dynamics_loss dynamics_fit(struct dynamics *z, const struct steps_seen *b, int n);

/* xi = s' - s - f(s, a): the model then says what happened, s + f(s, a) + xi. */
void dynamics_infer(struct dynamics *z, const struct steps_seen *b, int n);

/*
 * After that, one step back in time. For the m rows that are named, given v2 [m,n_obs], the
 * derivative of what is to come by the state s' to which each led, discounted:
 *
 *   v_s = r_s + v2 (1 + f_s),   v_a = r_a + v2 f_a
 */
void dynamics_backward(struct dynamics *z, const float *v2, const int *rows, int m, float *ret_vs,
                       float *ret_va);

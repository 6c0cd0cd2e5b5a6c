#include "policies/nn/settings.h"

#include <errno.h>

int net_check(const struct net_settings *c, char *ret_why, int cap)
{
    if (c->n_betas != 2) {
        return why(ret_why, cap, -EINVAL,
                   "policy.optimizer_betas must be two numbers, as [0.9, 0.999], not %d",
                   c->n_betas);
    }
    return 0;
}

void net_specs(const struct net_settings *c, const struct dims *d, double lr,
               struct net_spec *ret_pi, struct net_spec *ret_qf)
{
    const struct net_spec both = {.n_obs = d->n_obs,
                                  .n_act = d->n_act,
                                  .hidden = c->hidden,
                                  .n_hidden = c->n_hidden,
                                  .activation = c->activation_fn,
                                  .rows = d->batch,
                                  .kernel = d->kernel,
                                  .adam = {.lr = (float)lr,
                                           .beta1 = (float)c->betas[0],
                                           .beta2 = (float)c->betas[1],
                                           .eps = (float)c->eps,
                                           .weight_decay = (float)c->weight_decay,
                                           .max_grad_norm = (float)c->max_grad_norm}};
    *ret_pi = *ret_qf = both;
    ret_pi->layer_norm = c->layer_norm_actor;
    ret_qf->layer_norm = c->layer_norm;
    if (c->n_pi > 0) {
        ret_pi->hidden = c->pi;
        ret_pi->n_hidden = c->n_pi;
    }
    if (c->n_qf > 0) {
        ret_qf->hidden = c->qf;
        ret_qf->n_hidden = c->n_qf;
    }
}

void net_actor_shape(const struct net_settings *c, const struct dims *d, int n_out,
                     struct mlp_shape *ret_shape)
{
    struct net_spec pi, qf;
    net_specs(c, d, 0.0, &pi, &qf);
    net_shape(&pi, d->n_obs, n_out, ret_shape);
}

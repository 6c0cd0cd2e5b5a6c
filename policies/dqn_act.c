#include "policies/dqn_inside.h"

#include <math.h>
#include <string.h>

void dqn_values(int kind, const struct support *z, int choices, const float *out, float *ret_value)
{
    float p[ATOMS_MAX];
    for (int a = 0; a < choices; a++, out += z->n) {
        if (kind == DISTRIBUTIONAL_C51) {
            categorical_softmax(out, z->n, p);
            ret_value[a] = categorical_mean(z, p);
            continue;
        }
        ret_value[a] = 0.0f;
        for (int k = 0; k < z->n; k++) {
            ret_value[a] += out[k] / (float)z->n;
        }
    }
}

static int atoms_of(const struct dqn_config *c)
{
    return c->distributional == DISTRIBUTIONAL_C51  ? c->n_atoms
           : c->distributional == DISTRIBUTIONAL_QR ? c->n_quantiles
                                                    : 1;
}

int dqn_shape(const struct dqn_config *c, const struct dims *d, struct qnet_shape *ret_shape,
              char *ret_why, int cap)
{
    *ret_shape = (struct qnet_shape){
        .choices = d->n_choices, .atoms = atoms_of(c), .dueling = c->dueling, .noisy = c->noisy};
    const int rc = encoder_shape(&c->encoder, d, &ret_shape->encoder, ret_why, cap);
    if (rc == 0) {
        qnet_shape(ret_shape, c->hidden, c->n_hidden);
    }
    return rc;
}

/* --- acting --- */

/* Flat, without pointers. */
struct dqn_actor {
    struct qnet_shape shape;
    int distributional;
    struct support support;
    struct epsilon_settings epsilon;
    float scratch[];
};

uint32_t dqn_net(const void *config, const struct dims *d)
{
    struct qnet_shape s;
    const int rc = dqn_shape(config, d, &s, NULL, 0);
    if (rc < 0) {
        return 0;
    }
    uint32_t id = mlp_shape_id(&s.dense);
    for (int l = 0; l < s.encoder.n_convs; l++) {
        struct mlp_shape conv;
        conv_net_shape(&s.encoder.conv[l], &conv);
        id = id * 31u + mlp_shape_id(&conv);
    }
    const int kind = ((const struct dqn_config *)config)->distributional;
    id = id * 31u + (uint32_t)(kind * 4 + (s.dueling ? 2 : 0) + (s.noisy ? 1 : 0));
    return id != 0 ? id : 1;
}

int dqn_pack(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
             int n_max)
{
    struct qnet_shape s;
    const int rc = dqn_shape(config, d, &s, NULL, 0);
    return rc < 0 ? rc : qnet_pack(&s, w, n, ret_packed, n_max);
}

size_t dqn_actor_bytes(const void *config, const struct dims *d)
{
    struct qnet_shape s;
    const int rc = dqn_shape(config, d, &s, NULL, 0);
    return sizeof(struct dqn_actor) + (rc == 0 ? (size_t)qnet_scratch(&s) : 0) * sizeof(float);
}

void dqn_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    const struct dqn_config *c = config;
    struct dqn_actor *a = ret_actor;
    memset(a, 0, sizeof *a);
    const int rc = dqn_shape(c, d, &a->shape, NULL, 0);
    basal_assert(rc == 0);
    a->distributional = c->distributional;
    a->support = (struct support){a->shape.atoms, (float)c->v_min, (float)c->v_max};
    a->epsilon = c->epsilon;
}

void dqn_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

/* argmax_a Q(s, a); exploring: a random one with probability epsilon, or noise in the weights. */
void dqn_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    struct dqn_actor *a = actor;
    const int choices = a->shape.choices;
    float value[CHOICES_MAX];
    *ret_logp = NAN;
    if (in->explore && !a->shape.noisy &&
        rng_uniform(in->rng) < epsilon_at(&a->epsilon, in->step)) {
        ret_act[0] = (float)greedy_random(choices, in->legal, in->rng);
        return;
    }
    struct rng *noise = in->explore ? in->rng : NULL;
    const float *out = qnet_row(&a->shape, in->packed, in->obs, noise, a->scratch);
    dqn_values(a->distributional, &a->support, choices, out, value);
    ret_act[0] = (float)greedy_choice(value, choices, in->legal, in->rng);
}

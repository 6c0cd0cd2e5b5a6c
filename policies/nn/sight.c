#include "policies/nn/sight.h"

#include <errno.h>
#include <string.h>

#define ALIGNED 64 /* where the actor behind starts */

/* Flat, without pointers; the actor behind follows the scratch. */
struct sight {
    struct encoder_shape encoder;
    size_t behind; /* bytes from here to it */
    float scratch[];
};

int sight_dims(const struct sighted *p, const void *config, const struct dims *d,
               struct encoder_shape *ret_shape, struct dims *ret_behind, char *ret_why, int cap)
{
    const void *settings = (const char *)config + p->encoder;
    const int rc = encoder_shape(settings, d, ret_shape, ret_why, cap);
    if (rc == 0) {
        *ret_behind = *d;
        ret_behind->n_obs = ret_behind->n_vector = ret_shape->n_features;
        ret_behind->h = ret_behind->w = ret_behind->c = ret_behind->history = 0;
    }
    return rc;
}

/* Of settings that the algorithm has checked. */
static struct dims behind(const struct sighted *p, const void *config, const struct dims *d,
                          struct encoder_shape *ret_shape)
{
    struct dims features;
    const int rc = sight_dims(p, config, d, ret_shape, &features, NULL, 0);
    basal_assert(rc == 0);
    return features;
}

uint32_t sight_net(const struct sighted *p, const void *config, const struct dims *d)
{
    struct encoder_shape s;
    const struct dims features = behind(p, config, d, &s);
    uint32_t id = p->net(config, &features);
    for (int l = 0; l < s.n_convs; l++) {
        struct mlp_shape conv;
        conv_net_shape(&s.conv[l], &conv);
        id = id * 31u + mlp_shape_id(&conv);
    }
    return id != 0 ? id : 1;
}

int sight_pack(const struct sighted *p, const void *config, const struct dims *d,
               const struct sent_weights *w, float *ret_packed, int n_max)
{
    struct encoder_shape s;
    const struct dims features = behind(p, config, d, &s);
    const int n = encoder_weights(&s);
    if (w->n < n) {
        return -EPROTO;
    }
    const int at = encoder_pack(&s, w->v, ret_packed, n_max);
    if (at < 0) {
        return at;
    }
    const int own = p->pack(config, &features, w->v + n, w->n - n, ret_packed + at, n_max - at);
    return own < 0 ? own : at + own;
}

static size_t start_of(const struct encoder_shape *s)
{
    const size_t bytes = sizeof(struct sight) + (size_t)encoder_scratch(s) * sizeof(float);
    return (bytes + ALIGNED - 1) / ALIGNED * ALIGNED;
}

size_t sight_bytes(const struct sighted *p, const void *config, const struct dims *d)
{
    struct encoder_shape s;
    const struct dims features = behind(p, config, d, &s);
    return start_of(&s) + p->bytes(config, &features);
}

static void *actor_of(struct sight *a)
{
    return (char *)a + a->behind;
}

void sight_init(const struct sighted *p, const void *config, const struct dims *d, void *ret_actor)
{
    struct sight *a = ret_actor;
    struct encoder_shape s;
    const struct dims features = behind(p, config, d, &s);
    memset(a, 0, start_of(&s));
    a->encoder = s;
    a->behind = start_of(&s);
    p->init(config, &features, actor_of(a));
}

void sight_reset(const struct sighted *p, void *actor, struct rng *rng)
{
    p->reset(actor_of(actor), rng);
}

void sight_act(const struct sighted *p, void *actor, const struct act_in *in, float *ret_act,
               float *ret_logp)
{
    struct sight *a = actor;
    struct act_in features = *in;
    features.obs = encoder_row(&a->encoder, &features.packed, in->obs, a->scratch);
    p->act(actor_of(a), &features, ret_act, ret_logp);
}

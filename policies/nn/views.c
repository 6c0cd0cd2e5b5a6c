#include "policies/nn/views.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_CHARS 64

static struct tensor *add(struct views *v, const char *name, enum tensor_type type)
{
    basal_assert(v->n < TENSORS_MAX);
    char *kept = arena_take(v->mem, NAME_MAX_CHARS);
    (void)snprintf(kept, NAME_MAX_CHARS, "%s", name);
    struct tensor *t = &v->tensor[v->n++];
    *t = (struct tensor){.name = kept, .type = (uint8_t)type};
    return t;
}

void views_value(struct views *v, const char *name, enum tensor_type type, int n, void *data)
{
    struct tensor *t = add(v, name, type);
    t->n_dims = 1;
    t->dim[0] = n;
    t->data = data;
}

static void add_block(struct views *v, const char *name, const struct mlp_shape *s, float *block)
{
    char text[NAME_MAX_CHARS];
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1];
        (void)snprintf(text, sizeof text, "%s.%d.weight", name, l);
        struct tensor *t = add(v, text, TENSOR_F32);
        t->n_dims = 2;
        t->dim[0] = out;
        t->dim[1] = in;
        t->data = block;
        (void)snprintf(text, sizeof text, "%s.%d.bias", name, l);
        views_value(v, text, TENSOR_F32, out, block + (size_t)out * (size_t)in);
        block += (size_t)out * (size_t)(in + 1);
        if (s->layer_norm && l + 1 < s->n_layers) {
            (void)snprintf(text, sizeof text, "%s.%d.norm.weight", name, l);
            views_value(v, text, TENSOR_F32, out, block);
            (void)snprintf(text, sizeof text, "%s.%d.norm.bias", name, l);
            views_value(v, text, TENSOR_F32, out, block + out);
            block += 2 * (size_t)out;
        }
    }
}

void views_mlp(struct views *v, const char *name, struct mlp *m)
{
    add_block(v, name, &m->shape, m->w);
    v->net[v->n_nets++] = m;
}

void views_trained(struct views *v, const char *name, struct mlp *m, struct adam *o)
{
    char text[NAME_MAX_CHARS];
    views_mlp(v, name, m);
    (void)snprintf(text, sizeof text, "%s.adam_m", name);
    add_block(v, text, &m->shape, o->m);
    (void)snprintf(text, sizeof text, "%s.adam_v", name);
    add_block(v, text, &m->shape, o->v);
    (void)snprintf(text, sizeof text, "%s.adam_t", name);
    views_value(v, text, TENSOR_I64, 1, &o->t);
}

void views_encoder(struct views *v, const char *name, struct encoder *e, bool learns)
{
    char text[64];
    for (int l = 0; l < e->shape.n_convs; l++) {
        (void)snprintf(text, sizeof text, "%s.conv%d", name, l);
        if (learns) {
            views_trained(v, text, &e->conv[l].net, &e->conv[l].opt);
        } else {
            views_mlp(v, text, &e->conv[l].net);
        }
    }
}

void views_twin(struct views *v, struct twin *q, struct twin *q_targ)
{
    static const char *const critics[] = {"critic0", "critic1"};
    static const char *const targets[] = {"critic0_target", "critic1_target"};
    for (int i = 0; i < 2; i++) {
        views_trained(v, critics[i], &q->q[i].net, &q->q[i].opt);
        views_mlp(v, targets[i], &q_targ->q[i].net);
    }
}

void views_ensemble(struct views *v, struct ensemble *q, struct ensemble *q_targ)
{
    for (int i = 0; i < q->n; i++) {
        char name[NAME_MAX_CHARS];
        (void)snprintf(name, sizeof name, "critic%d", i);
        views_trained(v, name, &q->q[i].net, &q->q[i].opt);
        (void)snprintf(name, sizeof name, "critic%d_target", i);
        views_mlp(v, name, &q_targ->q[i].net);
    }
}

static void add_part(struct views *v, const char *name, int l, const char *part,
                     enum tensor_type type, int n, void *data)
{
    char text[NAME_MAX_CHARS];
    (void)snprintf(text, sizeof text, "%s.norm%d.%s", name, l, part);
    views_value(v, text, type, n, data);
}

void views_bnet(struct views *v, const char *name, struct bnet *z)
{
    for (int l = 0; l < z->shape.n_layers; l++) {
        struct batchnorm *b = &z->norm[l];
        char text[NAME_MAX_CHARS];
        (void)snprintf(text, sizeof text, "%s.dense%d", name, l);
        views_trained(v, text, &z->dense[l], &z->opt[l]);
        add_part(v, name, l, "gain_bias", TENSOR_F32, 2 * b->n, b->w);
        add_part(v, name, l, "adam_m", TENSOR_F32, 2 * b->n, b->opt.m);
        add_part(v, name, l, "adam_v", TENSOR_F32, 2 * b->n, b->opt.v);
        add_part(v, name, l, "adam_t", TENSOR_I64, 1, &b->opt.t);
        add_part(v, name, l, "running_mean", TENSOR_F32, b->n, b->mean);
        add_part(v, name, l, "running_var", TENSOR_F32, b->n, b->var);
        add_part(v, name, l, "batches", TENSOR_I64, 1, &b->seen);
    }
}

void views_alpha(struct views *v, struct alpha *a)
{
    views_value(v, "log_ent_coef", TENSOR_F32, 1, a->log);
    views_value(v, "log_ent_coef.adam_m", TENSOR_F32, 1, a->opt.m);
    views_value(v, "log_ent_coef.adam_v", TENSOR_F32, 1, a->opt.v);
    views_value(v, "log_ent_coef.adam_t", TENSOR_I64, 1, &a->opt.t);
}

void views_sde(struct views *v, struct sde *e)
{
    const int n = e->n_act * e->n_latent;
    views_value(v, "actor.log_std", TENSOR_F32, n, e->log_std);
    views_value(v, "actor.log_std.adam_m", TENSOR_F32, n, e->opt.m);
    views_value(v, "actor.log_std.adam_v", TENSOR_F32, n, e->opt.v);
    views_value(v, "actor.log_std.adam_t", TENSOR_I64, 1, &e->opt.t);
}

int views_state(void *learner, struct tensor *ret_tensors, int n_max)
{
    const struct views *v = learner;
    if (v->n > n_max) {
        return -ENOSPC;
    }
    memcpy(ret_tensors, v->tensor, (size_t)v->n * sizeof v->tensor[0]);
    return v->n;
}

void views_restored(void *learner)
{
    struct views *v = learner;
    for (int i = 0; i < v->n_nets; i++) {
        mlp_changed(v->net[i]);
    }
}

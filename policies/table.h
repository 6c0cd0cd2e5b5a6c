/*
 * A table Q [cells, choices] as tabular algorithms have it: its settings, its memory, and who acts
 * by it. An algorithm adds its update, and is no more than that (sarsa.c).
 *
 * The settings of each begin with struct table_settings, what it learns is a struct table first;
 * the functions are entries of its struct policy. Values are double where they are learnt, float
 * where they are acted on.
 */
#pragma once

#include "policies/backup.h"
#include "policies/bins.h"

struct table_settings {
    struct bins_settings bins;
    struct rate_settings rate;
    struct epsilon_settings epsilon;
    double ent_coef; /* explore.h */
};

struct table {
    struct table_settings c;
    struct bins bins;
    int choices;
    double *q;       /* [cells, choices] */
    int64_t *visits; /* [cells, choices] updates so far */
};

/* 0, or -EINVAL and one sentence. */
int table_check(const void *config, const struct dims *d, char *ret_why, int cap);
void table_make(struct table *ret_table, const struct table_settings *c, const struct dims *d,
                struct arena *mem);
/* The values of the choices in an observation's cell. */
double *table_row(const struct table *t, const float *obs);

/* Q(s,a) <- Q(s,a) + w rate (y - Q(s,a)); returns y - Q(s,a) before. */
double table_fit(struct table *t, const float *obs, int choice, double y, double w);

/* --- entries of struct policy --- */

void *table_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng);
int table_save(const void *learner, float *ret_w, int n_max);
int table_state(void *learner, struct tensor *ret_tensors, int n_max); /* q, visits */
uint32_t table_net(const void *config, const struct dims *d);
int table_pack(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
               int n_max);
size_t table_actor_bytes(const void *config, const struct dims *d);
void table_actor_init(const void *config, const struct dims *d, void *ret_actor);
void table_reset(void *actor, struct rng *rng) BASAL_RT;
void table_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp) BASAL_RT;

/* clang-format off */
/* AT(field) is the offset of a field of struct table_settings, in the algorithm's settings. */
#define TABLE_OPTIONS(rate) RATE_OPTIONS(rate), BINS_OPTIONS(bins), EPSILON_OPTIONS("0.5", "0.5", "0")
/* clang-format on */

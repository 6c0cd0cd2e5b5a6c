/*
 * Named views of what a learner remembers, built once at init: layer by layer ("critic0.0.weight"
 * [out,in]), so that any safetensors tool can read a checkpoint.
 */
#pragma once

#include "policies/nn/adam.h"
#include "policies/nn/bnet.h"
#include "policies/nn/encoder.h"
#include "policies/nn/ensemble.h"
#include "policies/nn/mlp.h"
#include "policies/nn/sde.h"
#include "policies/nn/temperature.h"
#include "policies/nn/twin.h"
#include "policies/policy.h"

struct views {
    struct arena *mem; /* names live here; only during init */
    int n, n_nets;
    struct tensor tensor[TENSORS_MAX];
    struct mlp *net[TENSORS_MAX / 2]; /* whose weights are among them, a network's in two or more */
};

void views_mlp(struct views *v, const char *name, struct mlp *m);
/* A network that learns: its layers, then Adam's moments, layer by layer alike, and its step count.
 */
void views_trained(struct views *v, const char *name, struct mlp *m, struct adam *o);
/* Its convolutions; learns: with Adam's moments. */
void views_encoder(struct views *v, const char *name, struct encoder *e, bool learns);
/* Both critics with their moments, and their targets. */
void views_twin(struct views *v, struct twin *q, struct twin *q_targ);
/* All critics with their moments, and their targets. */
void views_ensemble(struct views *v, struct ensemble *q, struct ensemble *q_targ);
/* Layers and norms with their moments and averages. */
void views_bnet(struct views *v, const char *name, struct bnet *z);
/* A temperature's logarithm with its moments. */
void views_alpha(struct views *v, struct alpha *a);
/* The noise of generalised state-dependent exploration, with its moments. */
void views_sde(struct views *v, struct sde *e);
void views_value(struct views *v, const char *name, enum tensor_type type, int n, void *data);

/* --- entries of struct policy, for a learner that begins with its struct views --- */

int views_state(void *learner, struct tensor *ret_tensors, int n_max);
/* Networks that were named are told that their weights were written. */
void views_restored(void *learner);

/*
 * The learning thread: sample, update, publish. Knows no algorithm by name, never touches the
 * plant.
 */
#pragma once

#include "daemon/model.h"
#include "daemon/shared.h"
#include "policies/nn/scale.h"
#include "policies/replay_mix.h"
#include "policies/replay_newest.h"
#include "policies/replay_once.h"
#include "policies/replay_prioritized.h"
#include "policies/replay_sweep.h"
#include "policies/weights.h"

enum learner_counter {
    LEARNER_UPDATES, /* of who learns from passes over all rows: passes */
    LEARNER_VERSION,
    LEARNER_FORGIVEN, /* updates that a pause missed */
    LEARNER_SEEN,     /* rows that the normaliser has looked at */
    LEARNER_STEP,
    LEARNER_COUNTERS
};

struct learner {
    const struct config *config;
    const struct policy *policy;
    struct shared *shared;
    struct replay *replay;
    struct dims dims;
    void *self;      /* the algorithm */
    struct mix *mix; /* not NULL: batches are mixed with prior data; otherwise ... */
    struct sampler *sampler;
    struct prioritized *by;    /* NULL: rows are drawn uniformly, ... */
    struct newest *newest;     /* ... or, not NULL, come in order, ... */
    struct once *once;         /* ... whoever acted them, ... */
    struct sweep *sweep;       /* ... or all of them in passes, ... */
    const struct model *model; /* ... or are all that the world has */
    struct rng rng, rng_sample;
    struct scale *scale; /* NULL: observations are not normalised */
    float mean[OBS_MAX], inv_std[OBS_MAX];
    float *w; /* [w_max] */
    int w_max;
    uint8_t *block;
    size_t block_cap;
    struct weights_id id;
    int64_t counters[LEARNER_COUNTERS]; /* a view of them goes into checkpoints */
    int64_t next_row;                   /* of the replay, that the statistics have not seen */
    struct stats stats;
    /* where a new block goes: a socket's queue, or straight to the intake */
    void (*publish)(void *to, const uint8_t *block, size_t n);
    void *to;
    int64_t rate_from_ns, rate_from_updates;
};

/* What a learner works with; all borrowed. */
struct learner_spec {
    const struct config *config;
    const struct dims *dims;
    struct replay *replay;
    const struct replay *prior; /* data of earlier runs; NULL: none */
    struct shared *shared;
    const struct model *model; /* NULL: nobody wants it */
    uint64_t seed, run_id;
};

int learner_open(struct learner *ret_learner, const struct learner_spec *spec, struct arena *mem,
                 char *ret_why, int cap) BASAL_MUST_USE;

/*
 * One update if one is owed: gradient_steps for every train_freq policy steps since
 * learning_starts, never more. Of who learns from passes over all rows one batch, gradient_steps
 * counting passes. Of who learns from the newest rows alone one update as soon as train_freq rows
 * acted by the last published weights are there; it publishes at once, a pause delays it, and
 * nothing is owed. Of who learns from each row once the same, whatever acted it; publish_every
 * holds. Who learns nothing publishes at once, even where learning is off. False: nothing to do
 * now.
 */
bool learner_step(struct learner *l);

/* Encode the weights as they are now and publish them under the next version. */
void learner_publish(struct learner *l);

/* Views of all it takes to go on exactly: the algorithm, random streams, normaliser, counters.
 * Returns how many. */
int learner_tensors(struct learner *l, struct tensor *ret_tensors, int n_max);
/* After the tensors were written from a checkpoint. */
void learner_restored(struct learner *l);

/* What act needs, as published last; for weights_hash. */
uint64_t learner_hash(struct learner *l);

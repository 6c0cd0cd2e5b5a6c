/*
 * Batches out of two replays: the robot's own, and prior data, in a fixed ratio.
 *
 * Ball et al. 2023, "Efficient Online Reinforcement Learning with Offline Data", arXiv:2302.02948,
 * section 4.1 (symmetric sampling), where it is half and half.
 */
#pragma once

#include "policies/replay.h"

/* How many of n rows are prior data: the ratio of them, rounded. */
int mix_prior_rows(double ratio, int n);

/* Is line i of n prior data, of n_prior that are? Evenly spread: own, prior, own ... for a half. */
bool mix_is_prior(int i, int n, int n_prior);

/*
 * Is prior what a robot whose own replay this is could have experienced, and sound? Of other
 * observations, actions, pictures or policy rate: -EPROTO; without a transition, with rows that are
 * damaged, or with choices beyond n_choices, where there are any: -EBADMSG; and one sentence.
 * Returns the number of transitions that it holds.
 */
int64_t mix_check(const struct replay *prior, const struct replay *own, int n_choices,
                  char *ret_why, int cap) BASAL_MUST_USE;

struct mix;

/*
 * spec is of the whole batch: of single rows (seg_len 1), drawn uniformly. n_prior of them, at
 * least one and not all, are prior data, which mix_check has seen.
 */
struct mix *mix_init(const struct replay *own, const struct replay *prior,
                     const struct sample_spec *spec, int n_prior, struct arena *mem);

/*
 * A batch as sampler_draw gives one, its lines as mix_is_prior says. Draws the robot's own rows
 * first, then the others. False: the robot has no row yet.
 */
bool mix_draw(struct mix *z, struct rng *rng, struct batch *ret_batch);

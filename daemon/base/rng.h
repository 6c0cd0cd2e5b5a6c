/*
 * Random numbers as an argument: xoshiro256++ (Blackman and Vigna 2019) seeded through splitmix64.
 * One tree from one seed: a child is drawn from its parent's seed and a label, so that a new
 * consumer never shifts an old one's stream.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *ret_rng, uint64_t seed);

/* The stream of `label` under `seed`; the same pair gives the same stream. */
void rng_child(struct rng *ret_rng, uint64_t seed, const char *label);

uint64_t rng_u64(struct rng *r) BASAL_RT;

/* Uniform in [0,1), 53 bits. */
double rng_uniform(struct rng *r) BASAL_RT;

/* Uniform in [lo,hi). */
double rng_between(struct rng *r, double lo, double hi) BASAL_RT;

/* Uniform in 0..n-1 without bias; n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n) BASAL_RT;

/* Standard normal (Box-Muller, one value a call: no hidden state). */
double rng_normal(struct rng *r) BASAL_RT;

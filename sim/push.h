/*
 * A disturbance as data: somebody pushes a point of the body, lets go, and pushes again. Every push
 * has a size, a direction on the whole sphere, a length and a pause before it, each drawn from the
 * body's own stream. Where nothing pushes nothing is drawn, so that other draws stay as they were.
 */
#pragma once

#include "daemon/base/option.h"
#include "daemon/base/rng.h"

/* Least and most; one number is both. */
struct push_range {
    double x[2];
    int n;
};

struct push_config {
    struct push_range size, length, pause; /* N, s, s */
};

/* Flat: a part of the body's state. */
struct push_state {
    double force[3]; /* N, in the frame of the world; 0: between two pushes */
    double left_s;   /* of this push, or of this pause */
    int64_t pushes;  /* 1, 0; a whole word: no byte is padding */
};

/* clang-format off */
#define PUSH_RANGE(at) .type = OPTION_DOUBLES, .n_max = 2, \
    .offset = (at) + offsetof(struct push_range, x), .n_offset = (at) + offsetof(struct push_range, n)
/* Option rows of a struct push_config that lies `at` bytes into the body's settings. */
#define PUSH_OPTIONS(at) \
    {.key = "push_n", PUSH_RANGE((at) + offsetof(struct push_config, size)), .min = 0, .max = 10000, .def = "[0]", \
     .help = "a force on the tip, one way for a while, then another: its size, or least and most; 0: nothing pushes"}, \
    {.key = "push_s", PUSH_RANGE((at) + offsetof(struct push_config, length)), .min = 0.001, .max = 86400, .def = "[1]", \
     .help = "how long each push lasts, or least and most"}, \
    {.key = "push_pause_s", PUSH_RANGE((at) + offsetof(struct push_config, pause)), .min = 0, .max = 86400, .def = "[1]", \
     .help = "pause before each push, the first too, or least and most"}

/* clang-format on */

/* 0, or -EINVAL and one sentence. */
int push_check(const struct push_config *c, char *ret_why, int cap) BASAL_MUST_USE;

/* Does anything ever push? */
bool push_is_on(const struct push_config *c);

void push_reset(const struct push_config *c, struct push_state *s, struct rng *rng);

/* The force of the step that begins now. */
void push_step(const struct push_config *c, struct push_state *s, double dt_s, struct rng *rng);

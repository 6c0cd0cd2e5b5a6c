/* The temperature of maximum entropy, as Stable-Baselines3 writes its two settings. */
#pragma once

#include "daemon/base/option.h"
#include "policies/nn/adam.h"

#include <stdbool.h>

struct temperature_settings {
    char ent_coef[24], target_entropy[24];
};

/* clang-format off */
/* at: the offset of such an ent_coef in the algorithm's settings. */
#define ENT_COEF_OPTION(at) \
    {.key = "ent_coef", .type = OPTION_TEXT, .offset = (at), .n_max = 24, .def = "auto", \
     .help = "temperature alpha: auto, auto_X to start at X instead of 1, or a fixed positive number"}
/* AT(field) is the offset of a field of the algorithm's settings, whose temperature is a temperature_settings. */
#define TEMPERATURE_OPTIONS \
    ENT_COEF_OPTION(AT(temperature.ent_coef)), \
    {.key = "target_entropy", .type = OPTION_TEXT, .offset = AT(temperature.target_entropy), .n_max = 24, .def = "auto", \
     .help = "entropy that an automatic temperature aims at: auto, which is -1 per action, or the sum over actions"}

/* clang-format on */

struct temperature {
    double alpha; /* to begin with */
    bool learned;
    double target_entropy; /* of all actions together */
};

/*
 * ent_coef: auto, auto_X to begin with X instead of 1, or a fixed X. target_entropy: auto, which is
 * -1 per action, or their sum. Errors: -EINVAL and one sentence.
 */
int temperature_read(const char *ent_coef, const char *target_entropy, int n_act,
                     struct temperature *ret_temperature, char *ret_why, int cap);
/* Can they be read? */
int temperature_check(const struct temperature_settings *c, int n_act, char *ret_why, int cap);

/* A temperature that is learnt or fixed: stepped as its logarithm, held in [1e-4, 1e2]. */
struct alpha {
    float log[1], g[1];
    bool learned;
    float target_entropy;
    struct adam opt;
};

void alpha_init(struct alpha *ret_alpha, const struct temperature *t, const struct kernel *kernel,
                double lr, struct arena *mem);
/* By settings that were checked. */
void alpha_init_by(struct alpha *ret_alpha, const struct temperature_settings *c, int n_act,
                   const struct kernel *kernel, double lr, struct arena *mem);
float alpha_now(const struct alpha *a);
/*
 * alpha <- alpha - lr grad E[ -log alpha (log pi + H) ] for the entropy -E[log pi] of a batch;
 * nothing where it is fixed. Returns that loss. Haarnoja et al. 2018, equation 18, in log alpha.
 */
float alpha_fit(struct alpha *a, float entropy);

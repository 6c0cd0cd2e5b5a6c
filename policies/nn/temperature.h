/* The temperature of maximum entropy, as Stable-Baselines3 writes its two settings. */
#pragma once

#include <stdbool.h>

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

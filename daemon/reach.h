/* `basald --reach X,Y,Z`: the joint angles that bring the robot's tip there. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct reach_spec {
    const char *config_path;
    const char *const *sets; /* [n_sets] overrides KEY=VALUE */
    int n_sets;
    double xyz_m[3];
    uint64_t seed;
    bool json;
};

/* Prints the pose; returns an exit status. */
int reach_run(const struct reach_spec *spec);

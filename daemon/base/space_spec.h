/*
 * Where a robot of links may be, as its file tells it: the list `capsules` and the section `space`.
 * Everything is in the base's frame, but for a capsule's ends.
 */
#pragma once

#include "daemon/base/types.h"

#include <stdbool.h>

#define CAPSULES_MAX 12

/* What is nearer than its radius to the line between two points of a link belongs to the body. */
struct capsule_spec {
    char name[NAME_CHARS];
    char link[NAME_CHARS]; /* "base": it does not move */
    double from[3], to[3]; /* m, in the frame of that link */
    double radius_m;
    int n_from, n_to; /* numbers that the file gave */
};

struct space_spec {
    int n_capsules;
    struct capsule_spec capsule[CAPSULES_MAX];
    double box_min[3], box_max[3]; /* m: the tool's tip stays between them */
    int n_box_min, n_box_max;      /* both 0: anywhere */
    bool table;                    /* no capsule below table_z_m + table_margin_m */
    double table_z_m, table_margin_m;
    bool self; /* capsules of links that are no neighbours stay self_margin_m apart */
    double self_margin_m;
    int self_joints_min; /* no neighbours: at least so many joints between them */
    double trip_m;       /* measured beyond a limit by more than this stops the robot */
};

/*
 * What emulated position servos share: the goal that the controller follows is the register, at
 * most at the profile's velocity and acceleration.
 */
#pragma once

#include <stdbool.h>

struct profile {
    double goal_rad, goal_rad_s; /* where it is now */
    bool begun;                  /* goal_rad follows the register */
};

/* From q on if it has not begun. v_max 0: at once; a_max 0: no limit. */
void profile_follow(struct profile *p, double goal, double q, double v_max, double a_max,
                    double dt_s);

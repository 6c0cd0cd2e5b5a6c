#include "sim/firmware/profile.h"

#include <math.h>

void profile_follow(struct profile *p, double goal, double q, double v_max, double a_max,
                    double dt_s)
{
    if (!p->begun) {
        p->goal_rad = q;
        p->goal_rad_s = 0.0;
        p->begun = true;
    }
    if (v_max <= 0.0) {
        p->goal_rad = goal;
        return;
    }
    double v = (goal - p->goal_rad) / dt_s;
    const double stop = a_max > 0.0 ? sqrt(2.0 * a_max * fabs(goal - p->goal_rad)) : v_max;
    const double most = stop < v_max ? stop : v_max;
    v = fabs(v) > most ? copysign(most, v) : v;
    if (a_max > 0.0 && v > p->goal_rad_s + a_max * dt_s) {
        v = p->goal_rad_s + a_max * dt_s;
    }
    if (a_max > 0.0 && v < p->goal_rad_s - a_max * dt_s) {
        v = p->goal_rad_s - a_max * dt_s;
    }
    p->goal_rad += v * dt_s;
    p->goal_rad_s = v;
}

/* Where an action is a pose (task.action: position): what its joint may do. */
#pragma once

struct act_pose {
    double half_rad;        /* half of its range: what an action of 1 is away from the middle */
    double qd_max, qdd_max; /* rad/s, rad/s^2; not finite: no such limit */
};

/*
 * The crawler's shape: a box that drags itself forward by one arm with one hand. Pure functions of
 * two angles.
 *
 * Frame: origin at the body's rear bottom corner, x forward, y up, body flat on the ground. The
 * shoulder sits at the top front corner. arm_rad and hand_rad are both measured from the body's x
 * axis; where the robot's hand joint turns relative to the arm, hand_rad = arm + joint.
 *
 *   X = L1 cos a + L2 cos h + W,   Y = L1 sin a + L2 sin h + H
 *
 * Y < 0: the hand stands on the ground and tips the body about the origin by atan(-Y / X); it then
 * stands sqrt(X^2 + Y^2) before the rear corner.
 *
 * Source: the crawler of the Berkeley CS188 reinforcement project, in metres.
 */
#pragma once

#include <stdbool.h>

struct crawler_shape {
    double arm_m, hand_m;     /* L1, L2 */
    double width_m, height_m; /* W, H: of the body's side */
};

struct crawler_tip {
    double x_m, y_m;
};

/* What two joints can do: ranges and the angle the hand's joint measures. */
struct crawler_reach {
    double arm_min_rad, arm_max_rad;
    double hand_min_rad, hand_max_rad; /* of the joint: relative or absolute as below */
    bool hand_relative;
};

struct crawler_tip crawler_tip(const struct crawler_shape *s, double arm_rad, double hand_rad);

/*
 * The torque that a force on the tip (world frame: fx forward, fy up; hand on the ground, body
 * tipped) exerts on the shoulder and on the hand's joint relative to the arm: J' R(-pitch) f.
 */
void crawler_tip_torque(const struct crawler_shape *s, double arm_rad, double hand_rad,
                        const double force_n[2], double ret_torque_nm[2]);

/* Length of the straight way from tip p0 to tip p1 that the hand pulls the body forward, m; 0 in
 * the air. */
double crawler_pull_m(struct crawler_tip p0, struct crawler_tip p1);

/*
 * No gait is faster, whatever drives the joints at up to qd_max: a stroke from one ground point to
 * another and the way back each take max|dq| / qd_max, so v <= qd_max / 2 sup dX / max|dq| over all
 * pairs of poses whose tip is at ground height. Evaluated on a grid of the arm's range, m/s.
 */
double crawler_speed_bound_m_s(const struct crawler_shape *s, const struct crawler_reach *r,
                               double qd_max_rad_s);

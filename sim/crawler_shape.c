#include "sim/crawler_shape.h"

#include <math.h>

#define GRID 240 /* arm angles tried by the bound: a quarter degree on a range of 60 */

struct crawler_tip crawler_tip(const struct crawler_shape *s, double arm_rad, double hand_rad)
{
    return (struct crawler_tip){
        .x_m = s->arm_m * cos(arm_rad) + s->hand_m * cos(hand_rad) + s->width_m,
        .y_m = s->arm_m * sin(arm_rad) + s->hand_m * sin(hand_rad) + s->height_m,
    };
}

void crawler_tip_torque(const struct crawler_shape *s, double arm_rad, double hand_rad,
                        const double force_n[2], double ret_torque_nm[2])
{
    const double ax = s->arm_m * cos(arm_rad), ay = s->arm_m * sin(arm_rad);
    const double hx = s->hand_m * cos(hand_rad), hy = s->hand_m * sin(hand_rad);
    const double x = ax + hx + s->width_m, y = ay + hy + s->height_m;
    const double rho = hypot(x, y);
    const double c = x / rho, sn = -y / rho; /* of the pitch */
    const double fx = c * force_n[0] + sn * force_n[1];
    const double fy = -sn * force_n[0] + c * force_n[1];
    ret_torque_nm[1] = -hy * fx + hx * fy;
    ret_torque_nm[0] = -ay * fx + ax * fy + ret_torque_nm[1];
}

/* Where the straight line from p0 to p1 crosses the ground. */
static double crossing_m(struct crawler_tip p0, struct crawler_tip p1)
{
    return p0.x_m - p0.y_m * (p1.x_m - p0.x_m) / (p1.y_m - p0.y_m);
}

double crawler_pull_m(struct crawler_tip p0, struct crawler_tip p1)
{
    const bool below0 = p0.y_m < 0.0, below1 = p1.y_m < 0.0;
    if (!below0 && !below1) {
        return 0.0;
    }
    const double from = p0.y_m <= 0.0 ? hypot(p0.x_m, p0.y_m) : crossing_m(p0, p1);
    const double to = below1 ? hypot(p1.x_m, p1.y_m) : crossing_m(p1, p0);
    return from - to;
}

/* A pose whose tip is at ground height: the joints' angles and the tip's x. */
struct ground_pose {
    double arm_rad, hand_rad, x_m;
};

/* Poses at ground height for one arm angle: the hand has none, one or two. Returns how many. */
static int ground_poses(const struct crawler_shape *s, const struct crawler_reach *r,
                        double arm_rad, struct ground_pose ret_pose[2])
{
    const double sine = -(s->height_m + s->arm_m * sin(arm_rad)) / s->hand_m;
    if (fabs(sine) > 1.0) {
        return 0;
    }
    const double hand[2] = {asin(sine), -M_PI - asin(sine)};
    int n = 0;
    for (int i = 0; i < 2; i++) {
        const double joint = r->hand_relative ? hand[i] - arm_rad : hand[i];
        if (joint >= r->hand_min_rad && joint <= r->hand_max_rad) {
            ret_pose[n++] =
                (struct ground_pose){arm_rad, joint, crawler_tip(s, arm_rad, hand[i]).x_m};
        }
    }
    return n;
}

double crawler_speed_bound_m_s(const struct crawler_shape *s, const struct crawler_reach *r,
                               double qd_max_rad_s)
{
    struct ground_pose pose[2 * (GRID + 1)];
    int n = 0;
    for (int i = 0; i <= GRID; i++) {
        n += ground_poses(s, r, r->arm_min_rad + (r->arm_max_rad - r->arm_min_rad) * i / GRID,
                          pose + n);
    }
    double best = 0.0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            const double turn = fmax(fabs(pose[i].arm_rad - pose[j].arm_rad),
                                     fabs(pose[i].hand_rad - pose[j].hand_rad));
            if (turn > 0.0) {
                best = fmax(best, (pose[i].x_m - pose[j].x_m) / turn);
            }
        }
    }
    return 0.5 * qd_max_rad_s * best;
}

#include "daemon/base/joint_path.h"

#include <math.h>
#include <string.h>

#define NEAR_END 1e-9

void joint_path_begin(struct joint_path *ret_path, uint64_t joints, const double *from,
                      const double *to, const double *v, const double *a, double dt_s)
{
    struct joint_path *p = ret_path;
    memset(p, 0, sizeof *p);
    p->v = 1.0 / dt_s;
    p->a = p->v / dt_s;
    for (int j = 0; j < JOINTS_MAX; j++) {
        if ((joints >> j & 1u) == 0) {
            continue;
        }
        const double way = fabs(to[j] - from[j]);
        p->from[j] = from[j];
        p->to[j] = to[j];
        if (way > 0.0) {
            p->v = fmin(p->v, v[j] / way);
            p->a = fmin(p->a, a[j] / way);
        }
    }
}

bool joint_path_step(struct joint_path *p, double dt_s)
{
    /* one more tick at sd, then braking with a, end where the path does: sd dt + sd^2 / 2a = left
     */
    const double step = p->a * dt_s, left = 1.0 - p->s;
    const double sd = fmin(fmin(p->sd + step, p->v), sqrt(step * step + 2.0 * p->a * left) - step);
    const bool ends = left <= NEAR_END;
    p->sd = ends ? 0.0 : sd;
    p->s = ends ? 1.0 : p->s + sd * dt_s;
    return ends;
}

double joint_path_q(const struct joint_path *p, int j)
{
    return p->s >= 1.0 ? p->to[j] : p->from[j] + p->s * (p->to[j] - p->from[j]);
}

double joint_path_qd(const struct joint_path *p, int j)
{
    return p->sd * (p->to[j] - p->from[j]);
}

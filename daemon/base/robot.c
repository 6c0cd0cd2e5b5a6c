#include "daemon/base/robot.h"

#include "daemon/base/err.h"

#include <errno.h>

int robot_check_pose(const struct robot *r, const double *pose, int n, const char *key,
                     char *ret_why, int cap)
{
    if (n != r->n_joints) {
        return why(ret_why, cap, -EINVAL, "%s has %d numbers; it wants one for each of %d joints",
                   key, n, r->n_joints);
    }
    for (int j = 0; j < n; j++) {
        const struct joint_spec *p = &r->joint[j];
        if (p->actuated && !(pose[j] >= p->q_min && pose[j] <= p->q_max)) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: %s has it at %g rad, outside its range %g to %g", p->name, key,
                       pose[j], p->q_min, p->q_max);
        }
    }
    return 0;
}

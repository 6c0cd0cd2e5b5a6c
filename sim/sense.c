#include "sim/sense.h"

#include "daemon/base/err.h"

#include <errno.h>
#include <math.h>
#include <string.h>

int sense_joint(const char *world, const struct robot *robot, const char *name, int *ret_joint,
                char *ret_why, int cap)
{
    for (int j = 0; j < robot->n_joints; j++) {
        if (strcmp(robot->joint[j].name, name) == 0) {
            *ret_joint = j;
            return 0;
        }
    }
    return why(ret_why, cap, -EINVAL, "sim %s: the robot has no joint \"%s\"", world, name);
}

static int find(const struct world_sensor *have, int n_have, const char *name)
{
    for (int i = 0; i < n_have; i++) {
        if (strcmp(have[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int sense_extras(const char *world, const struct robot *robot, const struct world_sensor *have,
                 int n_have, int *ret_offset, char *ret_why, int cap)
{
    for (int i = 0; i < n_have; i++) {
        ret_offset[i] = -1;
    }
    for (int k = 0; k < robot->n_extra; k++) {
        const struct extra_spec *e = &robot->extra[k];
        if (e->source != EXTRA_OF_BODY) {
            continue;
        }
        const int i = find(have, n_have, e->name);
        if (i < 0) {
            return why(ret_why, cap, -EINVAL, "extra: sim %s has no sensor \"%s\"", world, e->name);
        }
        if (have[i].n != e->n) {
            return why(ret_why, cap, -EINVAL, "extra %s: sim %s gives %d numbers, n is %d", e->name,
                       world, have[i].n, e->n);
        }
        ret_offset[i] = e->offset;
    }
    return 0;
}

int sense_choices(const char *world, const struct robot *robot, int n, char *ret_why, int cap)
{
    if (robot->n_choices == n) {
        return 0;
    }
    return why(ret_why, cap, -EINVAL,
               "choices: sim %s as configured has %d, the robot file names %d", world, n,
               robot->n_choices);
}

int sense_picture(const char *world, const struct robot *robot, struct picture_spec has,
                  char *ret_why, int cap)
{
    const struct picture_spec *p = &robot->picture;
    if (p->c == 0 || (p->h == has.h && p->w == has.w && p->c == has.c)) {
        return 0;
    }
    return why(ret_why, cap, -EINVAL,
               "picture: sim %s shows %d x %d x %d (height, width, channels), the robot file wants "
               "%d x %d x %d",
               world, has.h, has.w, has.c, p->h, p->w, p->c);
}

void sense_begin(struct sensed *ret_sensed, int n_joints)
{
    ret_sensed->n = n_joints;
    ret_sensed->legal = ~UINT64_C(0);
    ret_sensed->frame = NULL;
    for (int j = 0; j < n_joints; j++) {
        ret_sensed->q[j] = ret_sensed->qd[j] = ret_sensed->tau[j] = 0.0;
        ret_sensed->temp_c[j] = ret_sensed->volt_v[j] = NAN;
        ret_sensed->age_us[j] = 0;
        ret_sensed->faults[j] = 0;
        ret_sensed->torque[j] = TORQUE_OFF;
    }
}

void sense_put(struct sensed *ret_sensed, int offset, double x)
{
    sense_put_all(ret_sensed, offset, &x, 1);
}

void sense_put_all(struct sensed *ret_sensed, int offset, const double *x, int n)
{
    for (int i = 0; offset >= 0 && i < n; i++) {
        ret_sensed->extra[offset + i] = x[i];
    }
}

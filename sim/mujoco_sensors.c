#include "sim/mujoco_sensors.h"

#include "daemon/base/err.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_MAX 11 /* sensors that are no one thing's */

/* All that a model offers. */
struct offer {
    int n;
    struct mujoco_sensor *sensor;
    struct world_sensor *named;
    char (*name)[NAME_CHARS];
};

static void add(struct offer *o, const char *prefix, const char *name, enum mujoco_source source,
                int at, int n)
{
    if (name == NULL || name[0] == '\0') {
        return; /* a thing without a name */
    }
    (void)snprintf(o->name[o->n], NAME_CHARS, "%s%.24s", prefix, name);
    o->named[o->n] = (struct world_sensor){.name = o->name[o->n], .n = n};
    o->sensor[o->n] = (struct mujoco_sensor){.source = source, .at = at, .n = n};
    o->n++;
}

static void offer_whole(struct offer *o, const mjModel *m)
{
    add(o, "", "qpos", MUJOCO_QPOS, 0, m->nq);
    add(o, "", "qvel", MUJOCO_QVEL, 0, m->nv);
    add(o, "", "qfrc_actuator", MUJOCO_QFRC_ACTUATOR, 0, m->nv);
    add(o, "", "qfrc_constraint", MUJOCO_QFRC_CONSTRAINT, 0, m->nv);
    add(o, "", "cinert", MUJOCO_CINERT, 0, 10 * m->nbody);
    add(o, "", "cvel", MUJOCO_CVEL, 0, 6 * m->nbody);
    add(o, "", "cfrc_ext", MUJOCO_CFRC_EXT, 0, 6 * m->nbody);
    add(o, "", "com", MUJOCO_COM, 0, 3);
    add(o, "", "tip_from_goal", MUJOCO_TIP_FROM_GOAL, 0, 3);
    add(o, "", "goal_distance", MUJOCO_GOAL_DISTANCE, 0, 1);
    add(o, "", "unstable", MUJOCO_QPOS, 0, 1); /* answered by the world itself */
}

static void offer_things(struct offer *o, const mjModel *m)
{
    for (int i = 0; i < m->njnt; i++) {
        const char *name = mj_id2name(m, mjOBJ_JOINT, i);
        const int last = i + 1 == m->njnt;
        add(o, "qpos.", name, MUJOCO_QPOS, m->jnt_qposadr[i],
            (last ? m->nq : m->jnt_qposadr[i + 1]) - m->jnt_qposadr[i]);
        add(o, "qvel.", name, MUJOCO_QVEL, m->jnt_dofadr[i],
            (last ? m->nv : m->jnt_dofadr[i + 1]) - m->jnt_dofadr[i]);
    }
    for (int i = 0; i < m->nbody; i++) {
        add(o, "xpos.", mj_id2name(m, mjOBJ_BODY, i), MUJOCO_XPOS, 3 * i, 3);
    }
    for (int i = 0; i < m->nsite; i++) {
        add(o, "site.", mj_id2name(m, mjOBJ_SITE, i), MUJOCO_SITE_XPOS, 3 * i, 3);
    }
    for (int i = 0; i < m->nsensor; i++) {
        add(o, "sensor.", mj_id2name(m, mjOBJ_SENSOR, i), MUJOCO_SENSORDATA, m->sensor_adr[i],
            m->sensor_dim[i]);
    }
}

static int find_point(struct mujoco_point *ret_point, const mjModel *m, const char *key,
                      const char *name, char *ret_why, int cap)
{
    const int body = mj_name2id(m, mjOBJ_BODY, name), site = mj_name2id(m, mjOBJ_SITE, name);
    if (name[0] != '\0' && body < 0 && site < 0) {
        return why(ret_why, cap, -EINVAL, "sim.%s: the model has neither a body nor a site \"%s\"",
                   key, name);
    }
    *ret_point = site >= 0 && body < 0
                     ? (struct mujoco_point){MUJOCO_SITE_XPOS, 3 * site, m->site_bodyid[site]}
                     : (struct mujoco_point){MUJOCO_XPOS, body < 0 ? 0 : 3 * body, body};
    return 0;
}

/* Those that the robot file lists; what they need. */
static int choose(struct mujoco_sensors *z, const struct offer *o, bool reaches, char *ret_why,
                  int cap)
{
    z->unstable_at = -1;
    for (int i = 0; i < o->n; i++) {
        struct mujoco_sensor *s = &o->sensor[i];
        const bool of_goal = s->source == MUJOCO_TIP_FROM_GOAL || s->source == MUJOCO_GOAL_DISTANCE;
        if (s->offset < 0) {
            continue;
        }
        if (of_goal && !reaches) {
            return why(ret_why, cap, -EINVAL, "extra %s: set sim.tip and sim.goal",
                       o->named[i].name);
        }
        if (strcmp(o->named[i].name, "unstable") == 0) {
            z->unstable_at = s->offset;
            continue;
        }
        z->wrenches = z->wrenches || s->source == MUJOCO_CFRC_EXT;
        z->sensor[z->n++] = *s;
    }
    return 0;
}

int mujoco_sensors_open(struct mujoco_sensors *ret_sensors, const mjModel *m,
                        const struct robot *robot, struct mujoco_ends ends, struct arena *mem,
                        char *ret_why, int cap)
{
    const size_t most = (size_t)(WHOLE_MAX + 2 * m->njnt + m->nbody + m->nsite + m->nsensor);
    struct mujoco_sensors *z = ret_sensors;
    struct offer o = {.sensor = arena_take(mem, most * sizeof *o.sensor),
                      .named = arena_take(mem, most * sizeof *o.named),
                      .name = arena_take(mem, most * sizeof *o.name)};
    int *offset = arena_take(mem, most * sizeof *offset);
    *z = (struct mujoco_sensors){.sensor = arena_take(mem, most * sizeof *z->sensor)};
    offer_whole(&o, m);
    offer_things(&o, m);
    int rc = sense_extras("mujoco", robot, o.named, o.n, offset, ret_why, cap);
    for (int i = 0; i < o.n; i++) {
        o.sensor[i].offset = offset[i];
    }
    rc = rc == 0 ? find_point(&z->tip, m, "tip", ends.tip, ret_why, cap) : rc;
    rc = rc == 0 ? find_point(&z->goal, m, "goal", ends.goal, ret_why, cap) : rc;
    return rc == 0 ? choose(z, &o, ends.tip[0] != '\0' && ends.goal[0] != '\0', ret_why, cap) : rc;
}

static const mjtNum *point(const struct mujoco_point *p, const mjData *d)
{
    return (p->source == MUJOCO_SITE_XPOS ? d->site_xpos : d->xpos) + p->at;
}

static const mjtNum *array_of(const mjData *d, enum mujoco_source source)
{
    switch (source) {
    case MUJOCO_QPOS:
        return d->qpos;
    case MUJOCO_QVEL:
        return d->qvel;
    case MUJOCO_QFRC_ACTUATOR:
        return d->qfrc_actuator;
    case MUJOCO_QFRC_CONSTRAINT:
        return d->qfrc_constraint;
    case MUJOCO_CINERT:
        return d->cinert;
    case MUJOCO_CVEL:
        return d->cvel;
    case MUJOCO_CFRC_EXT:
        return d->cfrc_ext;
    case MUJOCO_COM:
        return d->subtree_com; /* of the world's body, which holds all others */
    case MUJOCO_XPOS:
        return d->xpos;
    case MUJOCO_SITE_XPOS:
        return d->site_xpos;
    case MUJOCO_SENSORDATA:
        return d->sensordata;
    case MUJOCO_TIP_FROM_GOAL:
    case MUJOCO_GOAL_DISTANCE:
        break;
    }
    return NULL; /* these are computed */
}

const mjtNum *mujoco_sensors_tip(const struct mujoco_sensors *z, const mjData *d)
{
    return point(&z->tip, d);
}

void mujoco_sensors_read(const struct mujoco_sensors *z, const mjData *d, double *ret_extra)
{
    for (int i = 0; i < z->n; i++) {
        const struct mujoco_sensor *s = &z->sensor[i];
        const mjtNum *from = array_of(d, s->source);
        double *to = ret_extra + s->offset;
        if (from != NULL) {
            memcpy(to, from + s->at, (size_t)s->n * sizeof *to);
            continue;
        }
        const mjtNum *tip = point(&z->tip, d), *goal = point(&z->goal, d);
        const double way[3] = {tip[0] - goal[0], tip[1] - goal[1], tip[2] - goal[2]};
        if (s->source == MUJOCO_TIP_FROM_GOAL) {
            memcpy(to, way, sizeof way);
        } else {
            to[0] = sqrt(way[0] * way[0] + way[1] * way[1] + way[2] * way[2]);
        }
    }
}

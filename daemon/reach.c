#include "daemon/reach.h"

#include "daemon/args.h"
#include "daemon/config.h"
#include "daemon/ik.h"
#include "daemon/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool keeps_space(const void *self, const double *q)
{
    int i;
    return space_least(self, q, &i) >= 0.0;
}

static void print_pose(const struct reach_spec *spec, const struct config *c, const struct ik *z,
                       const struct space *space, const double *q)
{
    struct json_object *o = json_begin(), *pose = json_begin();
    struct frame link[CHAIN_MAX], tool;
    int rule = 0;
    chain_frames(z->chain, q, link, &tool);
    json_text(o, "robot", c->robot.name);
    json_numbers(o, "tip_m", tool.p, 3);
    for (int i = 0; i < z->chain->n; i++) {
        json_number(pose, c->robot.chain.link[i].name, q[i]);
    }
    json_child(o, "q_rad", pose);
    if (space->n > 0) { /* the nearest of its limits is so far away */
        json_number(o, "space_m", space_least(space, q, &rule));
    }
    json_print(o, stdout, spec->json);
}

static int reach(const struct reach_spec *spec, struct config *c, struct arena *mem, char *ret_why,
                 int cap)
{
    struct chain chain;
    struct space space = {.n = 0};
    struct ik_target target = {.turned = false};
    struct ik z = {.chain = &chain, .self = &space, .seed = spec->seed};
    double q[CHAIN_MAX] = {0.0}, off;
    memcpy(target.p, spec->xyz_m, sizeof target.p);
    int rc = config_load(c, spec->config_path, spec->sets, spec->n_sets, mem, ret_why, cap);
    rc = rc == 0 ? chain_init(&chain, &c->robot, ret_why, cap) : rc;
    rc = rc == 0 ? space_init(&space, &c->robot, ret_why, cap) : rc;
    if (rc < 0) {
        return rc;
    }
    z.good = space.n > 0 ? keeps_space : NULL;
    ik_ranges(&z, &c->robot);
    rc = ik_solve(&z, &target, q, &off, ret_why, cap);
    if (rc == 0) {
        print_pose(spec, c, &z, &space, q);
    }
    return rc;
}

int reach_run(const struct reach_spec *spec)
{
    static struct config config;
    struct arena mem;
    char reason[WHY_CHARS] = "";
    if (arena_open(&mem, "config", (size_t)16 << 20) < 0) {
        return exit_no_memory("basald");
    }
    const int rc = reach(spec, &config, &mem, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)fprintf(stderr, "basald: %s\n", reason);
    }
    arena_close(&mem);
    return rc == -ERANGE || rc == -EPERM ? EXIT_FAILURE : exit_status(rc);
}

/* Any text as a recorded motion of two links: refused with a sentence, or angles, slopes and
 * torques are finite, and so is what is found from them, unless that is refused. */
#include "daemon/identify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINKS        2
#define MEMORY_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void make_robot(struct robot *ret_robot)
{
    struct chain_spec *c = &ret_robot->chain;
    ret_robot->n_joints = c->n = LINKS;
    c->n_gravity = c->n_tool_xyz = c->n_tool_rpy = 3;
    c->gravity[2] = -9.81;
    for (int i = 0; i < LINKS; i++) {
        struct link_spec *k = &c->link[i];
        (void)snprintf(k->name, sizeof k->name, "%c", 'a' + i);
        (void)snprintf(ret_robot->joint[i].name, sizeof ret_robot->joint[i].name, "%c", 'a' + i);
        k->n_xyz = k->n_rpy = k->n_axis = k->n_com = 3;
        k->n_inertia = 6;
        k->xyz[0] = 0.3 * i;
        k->axis[1] = k->mass_kg = 1.0;
        k->com[0] = k->inertia[0] = k->inertia[1] = k->inertia[2] = 0.1;
    }
}

static void assert_finite(const double *x, int n)
{
    for (int i = 0; i < n; i++) {
        basal_assert(isfinite(x[i]));
    }
}

static int refused(int rc, const char *why)
{
    basal_assert(rc == 0 || why[0] != '\0');
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct robot robot;
    static struct identify z;
    struct motion_record m;
    struct arena mem;
    char why[WHY_CHARS] = "", path[32];
    const int fd = memfd_create("recording", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n || arena_open(&mem, "fuzz", MEMORY_BYTES) < 0) {
        abort();
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    make_robot(&robot);
    if (refused(identify_read(&m, path, &robot, &mem, why, (int)sizeof why), why) == 0) {
        const int all = m.n_samples * m.n;
        assert_finite(m.q, all);
        assert_finite(m.qd, all);
        assert_finite(m.qdd, all);
        assert_finite(m.tau, all);
        basal_assert(identify_base(&z, &robot, &mem, why, (int)sizeof why) == 0);
        for (int constants = 0; constants < 2; constants++) {
            if (refused(identify_fit(&z, &m, constants != 0, &mem, why, (int)sizeof why), why) ==
                0) {
                assert_finite(z.value, z.n_base);
                assert_finite(z.error, z.n_base);
                assert_finite(z.constant, z.n);
            }
        }
    }
    arena_close(&mem);
    (void)close(fd);
    return 0;
}

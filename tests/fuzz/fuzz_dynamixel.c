/* The driver's decoder and set-up machine on arbitrary bytes: never a crash, never more bytes used
 * than given. */
#include "drivers/dynamixel.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void make(struct robot *r, struct bus_spec **ret_bus)
{
    memset(r, 0, sizeof *r);
    r->n_buses = 1;
    r->n_joints = 2;
    r->control_rate_hz = 100;
    r->bus[0].reply_deadline_us = 3000;
    for (int j = 0; j < 2; j++) {
        r->joint[j] = (struct joint_spec){.id = j + 1,
                                          .actuated = j == 0,
                                          .sign = 1,
                                          .gear = 1,
                                          .q_min = -1,
                                          .q_max = 1,
                                          .qd_max = 5,
                                          .qdd_max = 100,
                                          .tau_max = 1,
                                          .tau_stall = 1,
                                          .temp_max_c = 70};
    }
    *ret_bus = &r->bus[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct serial_driver *d = serial_driver_find("dynamixel");
    struct robot robot;
    struct bus_spec *spec;
    struct dxl_joint state[2] = {0};
    struct sensed sensed = {.n = 2};
    uint8_t tx[512];
    make(&robot, &spec);
    struct robot_bus b = {
        .robot = &robot, .spec = spec, .n = 2, .joint = {0, 1}, .state = {&state[0], &state[1]}};
    (void)d->ask(&b, tx, sizeof tx);
    for (size_t at = 0; at < n;) {
        const int used = d->decode(&b, data + at, n - at, &sensed);
        basal_assert(used <= (int)(n - at));
        if (used == 0) {
            break;
        }
        at += used > 0 ? (size_t)used : 1;
    }
    struct setup s = {.goal = n > 0 ? (enum setup_goal)(data[0] % 5) : SETUP_ARM, .bus = &b};
    int64_t now_ns = 0;
    for (size_t at = 0; at < n && s.state == SETUP_BUSY; now_ns += 3000000) {
        (void)d->setup(&s, now_ns, data + at, n - at, tx, sizeof tx);
        basal_assert(s.used <= n - at);
        at += s.used > 0 ? s.used : 1;
    }
    return 0;
}

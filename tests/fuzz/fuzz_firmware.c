/* The emulated servo on arbitrary bytes: never a crash, never more bytes out than room. */
#include "sim/firmware/device.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct device *d = device_find("dynamixel");
    struct robot robot;
    memset(&robot, 0, sizeof robot);
    robot.n_joints = 1;
    robot.n_buses = 1;
    robot.bus[0].baud = 1000000;
    robot.joint[0] =
        (struct joint_spec){.id = 1, .actuated = true, .sign = 1, .gear = 1, .tau_stall = 1};
    void *state = malloc(d->state_bytes);
    d->init(NULL, &robot, 0, state);
    int64_t t_ns = 0;
    for (size_t at = 0; at < n;) {
        const size_t part = at + 1 + data[at] < n ? 1u + data[at] : n - at;
        uint8_t tx[1024];
        struct sensed s = {.n = 1};
        struct command cmd = {.n = 1};
        t_ns += 700000;
        d->rx(state, data + at, part, t_ns, 1000000);
        if (d->due(state) != INT64_MAX) {
            basal_assert(d->tx(state, t_ns, tx, sizeof tx) <= (int)sizeof tx);
        }
        d->step(state, t_ns, &s, &cmd);
        at += part;
    }
    free(state);
    return 0;
}

/*
 * The contract of an emulated device: the far side of a protocol, decoded with its own code. Only
 * register constants are shared with the driver (drivers/NAME_regs.h), so that driver and emulator
 * cannot be wrong together.
 */
#pragma once

#include "daemon/base/option.h"
#include "daemon/base/robot.h"

struct device {
    const char *name; /* "dynamixel" */
    const struct option
        *options; /* model, firmware, watchdog behaviour, ...: the joint's `device:` map */
    size_t config_bytes, state_bytes;
    void (*init)(const void *config, const struct robot *robot, int joint, void *ret_state);
    /* others, host or device, put this on the wire; t_ns = end of its last byte */
    void (*rx)(void *state, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud);
    int64_t (*due)(const void *state); /* when tx has something; INT64_MAX: nothing */
    int (*tx)(void *state, int64_t t_ns, uint8_t *ret_bytes, size_t cap);
    /* s: the truth; fills only its joint of ret_cmd */
    void (*step)(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd);
};

extern const struct device *const devices[];
const struct device *device_find(const char *name);

/*
 * How a CAN interface is set up, as the kernel tells it (rtnetlink(7), linux/can/netlink.h),
 * whether that is what the robot file wants, and whose it is.
 */
#pragma once

#include "drivers/io/can.h"

#include <stdint.h>

struct can_link {
    char kind[16];                  /* "can", "vcan"; "": the kernel does not say */
    uint32_t bitrate, data_bitrate; /* 0: it has none, as virtual ones */
    uint32_t restart_ms;            /* after bus-off; 0: by hand */
    uint32_t modes;                 /* CAN_CTRLMODE_ bits */
    uint32_t queue_frames;          /* that may wait to be sent */
};

/* "ip link set can0 up type can bitrate 1000000 restart-ms 0"; returns ret_text. */
const char *can_link_command(const struct can_spec *s, char *ret_text, int cap);

/*
 * The kernel's answer to a request for one link, n bytes of any kind. 0; -EBADMSG: no such answer,
 * or a damaged one; another -errno: what the kernel answered instead.
 */
int can_link_parse(const void *answer, size_t n, struct can_link *ret_link) BASAL_MUST_USE;

/* 0; or -EINVAL and one sentence with the command to run: another bit rate, a controller that only
 * listens, or one that goes back to its bus by itself, with what was queued before. */
int can_link_judge(const struct can_spec *s, const struct can_link *l, char *ret_why,
                   int cap) BASAL_MUST_USE;

/* Ask the kernel. 0; -ENODEV and other -errno. */
int can_link_ask(const char *interface, struct can_link *ret_link) BASAL_MUST_USE;

/*
 * Two programs on one interface would command the same motors: the first to ask has it until the
 * descriptor is closed, in this network namespace. Returns it; or -EBUSY and one sentence with the
 * other's process, or another -errno.
 */
int can_link_lock(const char *interface, char *ret_why, int cap) BASAL_MUST_USE;

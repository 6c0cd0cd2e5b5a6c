/*
 * What a bus carries in a tick, as its driver says it from the configuration alone, before the
 * start.
 */
#pragma once

#include <stdbool.h>

/* What a bus carries in a tick at the most, whatever is read and commanded. */
struct bus_load {
    int read_bytes;  /* the first request of ask, and all replies to it */
    int pauses_us;   /* of the devices, before they answer */
    int goals_bytes; /* the commands of all driven joints */
};

/* Frames of one kind in a tick. */
struct can_frames {
    int n, bytes;  /* of data, each */
    bool extended; /* 29-bit identifiers */
};

#define CAN_FRAMES_MAX 4

/* As bus_load, on CAN: all kinds of frames that a tick carries, commands and replies. */
struct can_load {
    int n;
    struct can_frames frames[CAN_FRAMES_MAX];
    int reply_us; /* from a command's last bit to its reply's first, at the most */
};

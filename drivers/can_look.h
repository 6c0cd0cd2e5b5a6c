/*
 * Looking for devices on a CAN bus: what basalctl's scan and doctor ask and what an answer says. A
 * question moves nothing and changes nothing, whatever the device does at that moment; a driver
 * whose devices know no such question has none of this.
 */
#pragma once

#include "drivers/driver.h"

#define CAN_LOOK_IDS 256

/* What was heard of the device of one id. */
struct can_seen {
    int answers;            /* to the first question */
    struct identity who;    /* known: anything at all was heard; firmware -1: not told */
    bool torque;            /* is on */
    uint32_t error;         /* by the device's own code; 0: none */
    const char *error_text; /* what it means */
    uint32_t own;           /* the codec's */
};

struct can_look {
    int id_max, questions;
    bool speaks; /* its devices say things unasked: only those that have are asked */
    /* The question for id, from 0 on; classic CAN. */
    void (*ask)(int id, int question, struct canfd_frame *ret_tx);
    /* What a frame says: into seen[id]. The id, or -1: no such device sent it. */
    int (*hear)(const struct canfd_frame *rx, struct can_seen *seen);
};

/* Nothing has been heard yet. */
void can_look_begin(struct can_seen *ret_seen);

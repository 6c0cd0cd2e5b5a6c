/*
 * What a bus carries in a tick, from the configuration alone: bytes and pauses of a serial bus,
 * frames of a CAN bus with the fewest and the most stuff bits, and their share of its time.
 */
#pragma once

#include "daemon/bus_codec.h"

/* A CAN bus more than this full of frames delays or loses some: errors and their repeats, and
 * whoever else is on it, need the rest. */
#define BUS_LOAD_MAX_FRAC 0.70

struct bus_budget {
    int joints;
    int read_us,
        goals_us; /* requests with their replies and pauses; commands. On CAN all in read */
    int frames;   /* of a CAN bus, a tick; 0: serial */
    int64_t tick_min_ns, tick_max_ns; /* what they take of the bus */
    double load_min_frac, load_max_frac;
};

void bus_budget(const struct robot *r, int bus, struct bus_budget *ret_budget);
/* "bus arm: 12 frames a tick at 400 Hz take 53 to 65 % of 1000000 bit/s"; returns its length. */
int bus_budget_text(const struct robot *r, int bus, const struct bus_budget *b, char *ret_text,
                    int cap);
/* 0; or -EINVAL and one sentence with load, rate and what to do: more than BUS_LOAD_MAX_FRAC. */
int bus_budget_check(const struct robot *r, int bus, const struct bus_budget *b, char *ret_why,
                     int cap);

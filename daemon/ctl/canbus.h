/*
 * Motors on CAN without a daemon: one bus, whichever kinds of device a look is for, what they say
 * by themselves and what they answer. What scan and doctor share. Nothing here moves a motor.
 */
#pragma once

#include "daemon/ctl/ctl.h"
#include "daemon/port.h"
#include "drivers/can_look.h"

#define CANBUS_KINDS 8 /* drivers that have a look */

struct canbus {
    struct robot *robot; /* of this one bus and no joints, so that all is heard; owned */
    struct clock clock;
    struct port port;
    char note[WHY_CHARS]; /* what should be changed about it */
};

/* One kind of device: who has been heard, by id. */
struct canbus_kind {
    const struct driver_info *driver;
    const struct can_look *look;
    struct can_seen seen[CAN_LOOK_IDS];
    int asked[CAN_LOOK_IDS]; /* first questions */
};

/* Open what the spec names; its driver may be any on CAN. 0, or -errno and one sentence. */
int canbus_open(struct canbus *b, const struct bus_spec *spec, char *ret_why,
                int cap) BASAL_MUST_USE;
void canbus_close(struct canbus *b);
/* All kinds that there are, or the one of this name. Returns how many; 0: no driver on CAN has it,
 * or its devices cannot be looked for. */
int canbus_kinds(const char *driver, struct canbus_kind *ret_kinds);
/* Hear what comes for so long. Returns the frames that no device of these kinds sent by itself. */
int canbus_listen(struct canbus *b, struct canbus_kind *kinds, int n, int ms);
/* Ask every id in ids [n_ids], times over, then those who answered for the rest. */
void canbus_ask(struct canbus *b, struct canbus_kind *kind, const int *ids, int n_ids, int times);
/* All ids that this kind can have. */
void canbus_ask_all(struct canbus *b, struct canbus_kind *kind);
/* Error frames so far, of all kinds, and a sentence of the worst ("" without). */
int canbus_errors(const struct canbus *b, char *ret_text, int cap);

/*
 * The body: read() and write(). From devices on buses, from their emulators in process (the same
 * bytes on virtual time), or from a body without bytes. Only the loop thread touches it.
 */
#pragma once

#include "daemon/base/clock.h"
#include "daemon/config.h"
#include "daemon/fsm.h"
#include "drivers/driver.h"
#include "drivers/io/can_errors.h"
#include "sim/firmware/wire.h"

enum plant_kind { PLANT_DEVICES, PLANT_EMULATED, PLANT_BODY };

struct plant_counters {
    uint64_t bytes_tx, bytes_rx, crc_errors, bytes_lost, bad_replies; /* on CAN, bytes of data */
    uint64_t frames_tx[BUSES_MAX], frames_rx[BUSES_MAX]; /* on CAN; see plant_can_errors, too */
    uint64_t requests[JOINTS_MAX], misses[JOINTS_MAX];
    int misses_in_a_row[JOINTS_MAX], misses_in_a_row_max[JOINTS_MAX];
    uint64_t reconnects;
    uint64_t settings_written; /* in the devices' non-volatile memory, where they differed */
    int64_t read_phase_us_max;
    int64_t last_byte_ns; /* of the goals, after the tick's start */
};

struct plant;

/* What plant_service remembers of a bus that it cannot open. */
struct reopen {
    int64_t next_ns, back_off_ns;
    char why[WHY_CHARS];  /* "" when open */
    char note[WHY_CHARS]; /* of an open bus, what should be seen to; whoever says it empties it */
    unsigned told;        /* troubles that were said not long ago ... */
    int64_t told_ns;      /* ... since then */
};

/* What a plant is made of; borrowed. */
struct plant_spec {
    const struct config *config;
    enum plant_kind kind; /* PLANT_DEVICES: real buses */
    struct clock *clock;
    uint64_t seed; /* body, sensor noise and faults draw from its children */
};

int plant_open(struct plant **ret_plant, const struct plant_spec *spec, struct arena *mem,
               char *ret_why, int cap) BASAL_MUST_USE;
void plant_close(struct plant *p);

/*
 * The reading of the tick that starts at t_ns. What the tick starts late, its deadline and its
 * write phase are late too. fresh gets a bit per joint with a new sample.
 */
void plant_read(struct plant *p, int64_t t_ns, struct sensed *ret_sensed,
                uint64_t *ret_fresh) BASAL_RT;
/* What to do from now on; returns the event that a set-up or stop ended with, or -1. */
int plant_do(struct plant *p, enum plant_do what) BASAL_RT;
void plant_write(struct plant *p, const struct command *cmd) BASAL_RT;

/*
 * Not the loop: another thread calls this about ten times a second. Opens real buses and hands them
 * to the loop, closes those that it returned; with back-off. Says what is the matter with open
 * ones. state [BUSES_MAX] belongs to the caller.
 */
void plant_service(struct plant *p, int64_t now_ns, struct reopen *state);

/* For the crash handler, which may come at any place: what cuts torque on one bus, unacknowledged.
 * 0 or -errno; -ENODEV: it is not open, or not real. */
int plant_cut_torque(struct plant *p, int bus) BASAL_RT;

/* PLANT_BODY only: the next reading finds the body begun anew, as its own reset draws it. */
void plant_reset(struct plant *p) BASAL_RT;

/* Bus is up, devices are identified and each joint has been read since; else the sentence that says
 * why not. */
bool plant_ready(const struct plant *p) BASAL_RT;
const char *plant_why(const struct plant *p) BASAL_RT;
/* Why the last set-up of one bus failed, identification or torque off; "": it did not. */
const char *plant_bus_why(const struct plant *p, int bus) BASAL_RT;
/* Who the device of a joint is, once known. */
const struct identity *plant_identity(const struct plant *p, int joint) BASAL_RT;
const struct plant_counters *plant_counters(const struct plant *p) BASAL_RT;
/* What went wrong on a CAN bus since the start; ret_dropped gets the frames that it did not take.
 */
const struct can_errors *plant_can_errors(const struct plant *p, int bus,
                                          uint64_t *ret_dropped) BASAL_RT;

/* PLANT_STOP has ended, well or not: nothing more can be done to cut torque. */
bool plant_stopped(const struct plant *p) BASAL_RT;

/* Its devices, or its whole body, are of this process. */
bool plant_is_emulated(const struct plant *p);

/* --- emulated and body plants only: the truth, and the flat state for a checkpoint --- */

/* What nothing can exceed on the simulated body, m/s; NaN: unknown. */
double plant_speed_bound_m_s(const struct plant *p);
bool plant_truth(struct plant *p, struct sensed *ret_sensed);
/* Faults put on the emulated wires so far, by kind. */
void plant_injected(const struct plant *p, uint64_t ret_counts[WIRE_FAULTS]);
size_t plant_state_bytes(const struct plant *p);
void plant_save(const struct plant *p, void *ret_state);
void plant_restore(struct plant *p, const void *state);

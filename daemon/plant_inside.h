/*
 * Inside of the plant, shared by plant.c (open, read, do), plant_bus.c (the read phase),
 * plant_goals.c (the write phase), plant_job.c (set-up of all buses, step by step), plant_service.c
 * (opening real ttys) and plant_state.c (what others ask, checkpoints).
 */
#pragma once

#include "daemon/bus_codec.h"
#include "daemon/plant.h"
#include "daemon/port.h"

#include <stdatomic.h>

/* Frames fit whole; on CAN each of the joints may send and hear two a request. */
#define RX_BYTES (2 * JOINTS_MAX * CANFD_MTU)
#define TX_BYTES (2 * JOINTS_MAX * CANFD_MTU)
/* What goes to bus_codec is aligned for frames. */
#define FRAMES_ALIGNED _Alignas(struct canfd_frame)

/* What plant does over several ticks: goals of the drivers' step machines, all buses in turn for
 * each. */
enum job { JOB_NONE, JOB_BRING_UP, JOB_ARM, JOB_STOP };

struct bus_run {
    struct robot_bus bus;
    struct bus_codec codec;
    struct port port;
    bool up;       /* the port answers system calls */
    bool known;    /* its devices are as their set-up left them: plant.known of this bus alone */
    bool flying;   /* a set-up is under way */
    bool reading;  /* a request of the read phase is under way ... */
    uint64_t owed; /* ... to these joints */
    struct setup setup;
    char why[WHY_CHARS]; /* its last set-up failed; "": it did not */
    FRAMES_ALIGNED uint8_t rx[RX_BYTES];
    size_t n_rx;
    _Atomic int offered;  /* fd from plant_service to the loop, -1: none */
    _Atomic int returned; /* fd from the loop to plant_service, -1: none */
    _Atomic bool wanted;  /* the loop has no fd */
    int lock;             /* of its interface, plant_service's until the end; -1: not yet */
    _Atomic unsigned
        trouble; /* of enum can_trouble, from the loop to plant_service, which says it */
};

struct plant {
    const struct config *config;
    struct clock *clock; /* what the buses' bytes go by */
    /* A simulated body under a real clock: its bytes take their time on a clock of the wire's own,
     * for nobody waits for them. NULL: one clock. */
    struct clock *wall;
    struct clock wire_clock;
    struct world *world; /* NULL: real devices */
    enum plant_kind kind;
    int n_buses;
    struct bus_run bus[BUSES_MAX];
    struct sensed sensed; /* the last of everything; what did not answer coasts here */
    uint64_t fresh;
    uint64_t seen;         /* a bit per joint that has answered since the devices were identified */
    int64_t t_ns;          /* of the tick */
    int64_t late_ns;       /* what is done in it happens this much later */
    struct command stored; /* pipelined: goes out first in the next tick; starts all off */
    enum plant_do doing;
    enum job job;
    int goal, at_bus; /* of the job */
    bool job_failed;
    bool known;          /* every device identified and made safe since the bus came up */
    bool stopped;        /* PLANT_STOP has ended */
    bool begins;         /* the body is reset before it is read next */
    int64_t stop_ns;     /* when it began */
    int64_t retry_ns;    /* next bring-up */
    int event;           /* of enum fsm_event; -1: none */
    uint64_t torque_off; /* read back by the last stop */
    char why[WHY_CHARS];
    struct plant_counters counters;
};

void job_start(struct plant *p, enum job job) BASAL_RT;
/* Go on with the job until deadline_ns; at its end sets p->event. */
void job_step(struct plant *p, int64_t deadline_ns) BASAL_RT;
/* The bus is gone: its joints' torque is unknown, the job has failed. */
void plant_lose(struct plant *p, struct bus_run *b) BASAL_RT;

/* No bus is known any more, or all are. */
void plant_know(struct plant *p, bool known) BASAL_RT;
/* Are its devices there to be asked and told? While the robot is driven also where another bus is
 * lost, so that the rest can hold, retreat or sink. */
bool plant_reaches(const struct plant *p, const struct bus_run *b) BASAL_RT;

/* The pointers of bus i: its spec, its driver, its joints' state. */
void plant_wire(struct plant *p, struct bus_run *b, int i, void **states);
/* When the replies of this tick must be in. */
int64_t plant_deadline_ns(const struct plant *p, const struct bus_run *b) BASAL_RT;
/* All buses: ask, and hear until all have answered or the deadline. */
void plant_read_buses(struct plant *p) BASAL_RT;
/* Bytes and, on CAN, frames added to counters. */
void plant_count(const struct bus_run *b, const uint8_t *bytes, size_t n, uint64_t *ret_bytes,
                 uint64_t *ret_frames) BASAL_RT;
/* n bytes onto a bus, counted; as port_write. */
int plant_send(struct plant *p, struct bus_run *b, const uint8_t *tx, size_t n) BASAL_RT;
/* Torque off at every joint of a bus, unacknowledged. */
void plant_send_stop(struct plant *p, struct bus_run *b) BASAL_RT;
/* Pipelined: the command of the tick before. */
void plant_send_stored(struct plant *p, struct bus_run *b) BASAL_RT;

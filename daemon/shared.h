/*
 * What threads share, in four shapes only: rings, mailboxes, the replay, sticky bits. No other
 * file-to-file state crosses a thread.
 */
#pragma once

#include "daemon/base/clock.h"
#include "daemon/base/mailbox.h"
#include "daemon/base/ring.h"
#include "daemon/fsm.h"
#include "daemon/request.h"
#include "daemon/safety.h"
#include "drivers/io/can_errors.h"

enum phase {
    PHASE_READ,
    PHASE_OBSERVE,
    PHASE_ACT,
    PHASE_SAFETY,
    PHASE_WRITE,
    PHASE_PUSH,
    PHASES_N
};

/* A CAN bus, since the start. */
struct can_record {
    uint64_t frames_tx, frames_rx;
    uint64_t dropped; /* frames that it did not take */
    struct can_errors errors;
};

/* One tick, whole: telemetry, monitor, black box. Flat. */
struct record {
    uint64_t tick;
    int64_t t_ns;    /* CLOCK_MONOTONIC or virtual, planned start */
    int64_t wake_ns; /* how late it woke; after skipped ticks from the first of them on */
    int64_t phase_ns[PHASES_N]; /* push: of the tick before */
    int64_t last_byte_ns;       /* goals' last byte out, after the planned start */
    uint8_t state;              /* enum fsm_state */
    uint8_t source;             /* enum source */
    uint8_t latch;              /* enum fsm_latch */
    uint8_t cause;              /* enum cause */
    uint8_t plant_ready;
    int n, n_act;
    float q[JOINTS_MAX], qd[JOINTS_MAX], tau[JOINTS_MAX];
    float asked[JOINTS_MAX], applied[JOINTS_MAX]; /* goal before and after the filter */
    float temp_c[JOINTS_MAX], volt_v[JOINTS_MAX];
    int32_t age_us[JOINTS_MAX];
    uint32_t faults[JOINTS_MAX];
    uint8_t torque[JOINTS_MAX], mode[JOINTS_MAX], rule[JOINTS_MAX];
    uint64_t misses[JOINTS_MAX];
    float act[ACT_MAX];
    uint32_t trips;
    uint32_t weights_version;
    int64_t step; /* policy steps */
    int64_t episode;
    double reward; /* of the last closed period */
    double episode_return;
    double way_m;     /* the task's travel since the episode began */
    double speed_m_s; /* of the odometer, averaged over the last second; NaN: none */
    uint64_t overruns, coasted, crc_errors, bytes_tx, bytes_rx, reconnects;
    struct can_record can[BUSES_MAX]; /* of a serial bus: zero */
};

/* A change that a person should know. Flat text, made outside the tick by comms from kind and
 * numbers. */
enum event_kind {
    HAPPENED_STATE,    /* a = from, b = to, c = fsm event            */
    HAPPENED_TRIP,     /* a = trips, b = joint                       */
    HAPPENED_REFUSED,  /* a = request kind, b = refusal, c = state   */
    HAPPENED_EPISODE,  /* a = episode, b = a success, c = policy steps, x = return, y = s, z = what
                          each step was worth: the discounted return that followed it, in the mean */
    HAPPENED_PLANT,    /* a = the devices are there, text = plant_why */
    HAPPENED_EVAL,     /* x = mean speed or return                   */
    HAPPENED_RESET,    /* text: what a reset is about, or came to */
    HAPPENED_SETTINGS, /* text: what was written to the devices' memory */
};

struct happened {
    int64_t t_ns;
    enum event_kind kind;
    int32_t a, b, c;
    double x, y, z;
    char text[WHY_CHARS];
};

/* Sticky stop bits: OR-ed in by anyone, read by every tick, cleared only by the loop when the robot
 * has stopped. */
enum stop_bits {
    STOP_ASKED = 1,   /* basalctl stop                                 */
    STOP_ESTOP = 2,   /* basalctl estop                                */
    STOP_EXIT = 4,    /* SIGTERM, SIGINT: stop, then leave             */
    STOP_CRASHED = 8, /* another thread received SIGSEGV or its like   */
    STOP_STALLED = 16 /* main or comms made no progress */
};

/* An estop, from the tick that it begins to its clear, and who asked for it. */
enum latched { LATCHED_NOT, LATCHED_ASKED, LATCHED_POWER };

/* What the learner tells everyone. */
struct learner_shared {
    _Atomic bool paused;
    _Atomic uint64_t updates, published;
    _Atomic uint64_t dropped; /* steps that came too late for who learns from the newest alone */
    _Atomic double stat[16];  /* in the order of policy.stat_names */
    _Atomic double updates_per_s;
};

/* All episodes since the start. */
struct rollout {
    int64_t episodes, successes;  /* successes: said by a person */
    double return_sum, value_sum; /* value: what a step of them was worth (z of HAPPENED_EPISODE) */
};

struct shared {
    _Atomic uint32_t stop;
    _Atomic uint64_t loop_beats, comms_beats, main_beats;
    _Atomic uint64_t lease_beats; /* a person is still there: comms -> loop */
    struct ring telemetry;        /* struct record: loop -> comms */
    struct ring happened;         /* struct happened: loop -> comms */
    struct ring requests;         /* struct request: comms -> loop */
    struct ring replies;          /* struct reply: loop -> comms */
    struct mailbox weights;       /* struct packed: comms -> loop */
    _Atomic uint64_t steps;       /* policy steps stored so far: loop -> learner */
    _Atomic uint32_t latched;     /* enum latched: loop -> log, which keeps it on disk */
    _Atomic int loop_tid;         /* thread of the loop; 0: not started */
    struct learner_shared learner;
    char verdict[WHY_CHARS]; /* real-time verdict; written before the threads start */
};

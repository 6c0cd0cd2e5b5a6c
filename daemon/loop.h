/*
 * The control thread: the tick, its periods, its deadlines. Nothing in here allocates, locks, logs,
 * or touches a file, a socket or BLAS.
 */
#pragma once

#include "daemon/base/hist.h"
#include "daemon/intake.h"
#include "daemon/misbehave.h"
#include "daemon/plant.h"
#include "daemon/respond.h"
#include "daemon/shared.h"
#include "policies/replay.h"

#define SPEED_TICKS_MAX 1024

/* Of a reset by script, or by ask, where it waits in RESET_GOES; flat. */
enum reset_stage { RESET_BRAKES, RESET_GOES, RESET_THERE };

struct reset_state {
    uint8_t stage;         /* enum reset_stage */
    double for_s, still_s; /* in this stage, once the path has ended; since nothing moved */
    bool gave_up;          /* something is in its way: the path leads to where it is */
    bool told;             /* that it goes: once a run */
    struct joint_path path;
};

/* All that the loop remembers, flat, so that a checkpoint is a copy. Only safety.robot is a
 * pointer. */
struct loop_state {
    struct fsm fsm;
    struct safety safety;
    struct respond_state respond;
    struct sensed sensed;
    struct command command; /* safe, as last written */
    struct observation now; /* at the start of the open period */
    struct rng rng;         /* exploration and random driving */
    float act[ACT_MAX];     /* asked in the open period */
    float logp;
    double asked[JOINTS_MAX]; /* goals before the filter */
    double odometer[SPEED_TICKS_MAX];
    int64_t tick, step, episode, period_t_ns;
    uint64_t fresh;
    int phase;            /* nominal ticks since the period began */
    bool open;            /* a period is running */
    bool stored;          /* ... and has an open row in the replay */
    uint8_t source;       /* enum source: who drives it */
    uint32_t version;     /* of the weights that drive it */
    int coasted, skipped; /* ticks in this period */
    int reset_left;       /* ticks until the next episode may begin */
    struct reset_state reset;
    int64_t begun_tick; /* the tick whose reading is a body's that was reset for it; 0: none */
    uint32_t run_flags; /* enum run_flags */
    bool end_asked;     /* a person ends the episode ... */
    bool end_success;   /* ... and calls it a success */
    double end_reward;  /* ... with this reward on top */
    int eval_left;      /* ticks of an evaluation still to go; 0: none */
    bool eval_holds;    /* it began from ready, and goes back there */
    double eval_from, eval_ticks;
    uint8_t cause;         /* enum cause: of the response under way, or of the latch */
    uint64_t doubted;      /* a bit per joint that moves against its command, or not at all */
    uint32_t told_trips;   /* since torque came on */
    uint32_t aged_version; /* weights that drive ... */
    int64_t aged_ns;       /* ... since then */
    uint32_t held;         /* stop bits seen so far, to answer each once */
    int plant_event;       /* of the last tick, -1: none */
    double reward;         /* of the last closed period */
    double to_go;  /* sum over an episode's steps of the discounted return that followed ... */
    double weight; /* ... in which its last reward counts 1 + gamma + gamma^2 ... times */
    uint64_t overruns, coasted_total;
    uint64_t settings_told; /* written in the devices' memory, as far as a person knows */
    int64_t push_ns;
};

struct loop {
    const struct config *config;
    struct clock *clock;
    struct plant *plant;
    struct replay *replay;
    struct shared *shared;
    struct task task;
    struct responder responder;
    struct dims dims;
    void *actor;
    size_t actor_bytes;
    float *obs;                  /* [dims.n_obs] scratch: what the policy sees */
    uint8_t *pictures;           /* [history,h,w,c] of the open period, the oldest first */
    const struct packed *packed; /* borrowed from the mailbox; NULL: no weights yet */
    struct hist *hist;           /* [HISTS_N]: phases, wake-up, last byte out, whole tick */
    int ticks_per_period;
    double dt_s;
    int64_t period_ns, planned_ns; /* of the next tick */
    uint64_t beats[2];             /* of main and comms, as last seen ... */
    int64_t beats_ns[2];           /* ... and when they last moved */
    uint64_t lease_beats;          /* of the person who attends a run, as last seen ... */
    int64_t lease_ns;              /* ... and when they last moved, or the run began */
    int odometer;                  /* joint that measures the way; -1: none */
    int64_t stall_ns;              /* main or comms without progress for so long: the robot stops */
    const struct misbehaviour *misbehaviour; /* borrowed; NULL: none */
    bool plant_known;                        /* what was last told of the devices ... */
    char plant_said[WHY_CHARS];
    /* a scripted source instead of policy and random; NULL: none. Fills the action of the period
     * that begins */
    void (*script)(void *self, float *ret_act) BASAL_RT;
    void *script_self;
    struct loop_state st;
};

enum { HIST_WAKE = PHASES_N, HIST_LAST_BYTE, HIST_TICK, HISTS_N };

/* What a loop works with; all borrowed. */
struct loop_spec {
    const struct config *config;
    struct clock *clock;
    struct plant *plant;
    struct replay *replay;
    struct shared *shared;
    uint64_t seed;
};

int loop_open(struct loop *ret_loop, const struct loop_spec *spec, struct arena *mem, char *ret_why,
              int cap) BASAL_MUST_USE;

/*
 * One tick, planned for planned_ns. skipped: ticks that were left out just before it. late_ns: from
 * the start that was planned first, theirs if any, to the waking.
 */
void loop_tick(struct loop *l, int64_t planned_ns, int64_t late_ns, int64_t skipped) BASAL_RT;

/* Tick until STOP_EXIT is set and the robot is at rest: loop_begin, then loop_step until false. */
void loop_run(struct loop *l);

/* On the loop's thread: its memory is paged in, the first tick is one period away. */
void loop_begin(struct loop *l);
/*
 * Sleep until the next tick is due and do it. Whole periods that have passed meanwhile are left
 * out. False: the end of loop_run.
 */
bool loop_step(struct loop *l);

/* An episode is over, and a person is asked to begin the next: task.reset ask. */
bool loop_waits(const struct loop *l) BASAL_RT;

/* Torque is off, or all that can be done to get there has been done. */
bool loop_at_rest(const struct loop *l) BASAL_RT;

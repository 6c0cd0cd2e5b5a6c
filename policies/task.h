/*
 * The task is the MDP: which sensed values are observed, what is rewarded, when an episode ends,
 * what an action means. Tables of rows: a reward term or an observation slot is one row in
 * task_rows.c.
 */
#pragma once

#include "daemon/base/option.h"
#include "daemon/base/robot.h"
#include "daemon/base/rng.h"

#define SLOTS_MAX   64
#define REWARDS_MAX 16

/* Settings that any slot or reward term may use; each kind's option table names those it takes. */
struct term {
    char joint[NAME_CHARS]; /* name; "" : all actuated joints */
    double weight;          /* reward terms */
    double scale;           /* slots: the observed value is (x - offset) x scale */
    double offset;
    double limit;    /* saturation where a kind has one */
    double radius_m; /* wheel, where a kind has one */
    int joint_index; /* -1: all; filled by task_open */
};

struct task;

struct slot_kind {
    const char *name; /* "position" "velocity" "effort" "last_action" ... */
    const char *unit;
    const struct option *options; /* into struct term */
    int (*width)(const struct task *t, const struct term *a);
    void (*observe)(const struct task *t, const struct term *a, const struct sensed *s,
                    float *ret_obs) BASAL_RT;
};

struct reward_kind {
    const char *name;             /* "forward" "effort" "action_change" ... */
    const struct option *options; /* into struct term */
    /* per tick: added up over the period. NULL where the term is per period */
    double (*tick)(struct task *t, const struct term *a, const struct sensed *s,
                   double dt_s) BASAL_RT;
    /* per period: when it closes. NULL where the term is per tick */
    double (*period)(struct task *t, const struct term *a, const struct sensed *s,
                     double dt_s) BASAL_RT;
};

extern const struct slot_kind slot_kinds[];     /* .name = NULL at the end */
extern const struct reward_kind reward_kinds[]; /* .name = NULL at the end */

enum actuation { ACTUATE_RAMP, ACTUATE_HOLD };

enum action_meaning { ACTION_POSITION, ACTION_EFFORT };

enum reset_kind { RESET_NONE, RESET_HOLD, RESET_SCRIPT, RESET_ASK, RESET_BODY };

struct slot {
    const struct slot_kind *kind;
    struct term term;
    int first, n; /* where in the observation */
};

struct reward {
    const struct reward_kind *kind;
    struct term term;
};

struct task_settings {
    int actuation;       /* enum actuation */
    int action;          /* enum action_meaning */
    int reset;           /* enum reset_kind */
    double episode_s;    /* truncation; 0: continuing */
    double travel_max_m; /* ends an episode before the robot leaves its table; 0: no such bound */
    char travel_joint[NAME_CHARS]; /* the odometer that measures it; "" with travel_max_m 0 */
    double travel_radius_m;
    double reset_s;    /* how long a reset by hold takes */
    int eval_episodes; /* whole ones in lockstep's evaluation; 0: it counts seconds */
};

extern const struct option task_options[]; /* into struct task_settings */

/* The task as configured. */
struct task_spec {
    struct task_settings settings;
    int n_slots, n_rewards;
    struct slot slot[SLOTS_MAX];
    struct reward reward[REWARDS_MAX];
};

struct observation {
    int n;
    uint64_t legal;
    float v[OBS_MAX];
};

enum task_end { END_NONE, END_TERMINAL = 1, END_TRUNCATED = 2 };

/* All flat but for the three const pointers: a checkpoint holds struct task_state. */
struct task_state {
    double reward;   /* of the period so far */
    double period_s; /* ... and its length */
    double episode_return;
    double episode_s;
    int64_t episode_steps;
    double travel_0;         /* odometer at the start of the episode */
    double way_m;            /* since the start of the episode */
    float act_last[ACT_MAX]; /* action that drove the period that ended, as applied */
    float act_before[ACT_MAX];
    double q_last[JOINTS_MAX];                        /* sensed in the tick before */
    double q_start[JOINTS_MAX], qd_start[JOINTS_MAX]; /* sensed when the period began */
    double goal_last[JOINTS_MAX]; /* safe command at the period's end: where the ramp starts */
    bool primed;
    int end; /* enum task_end bits */
};

struct task {
    const struct task_spec *spec;
    const struct robot *robot;
    int n_obs, n_act;
    int act_joint[ACT_MAX];      /* action k drives this joint */
    struct slot slot[SLOTS_MAX]; /* resolved copies */
    struct reward reward[REWARDS_MAX];
    int travel_joint;
    int ticks_per_period;
    struct task_state st;
};

/* Resolves names, counts, checks: 0, or -EINVAL and one sentence (unknown joint, ramp without
 * last_action ...). */
int task_open(struct task *ret_task, const struct task_spec *spec, const struct robot *robot,
              char *ret_why, int cap) BASAL_MUST_USE;

void task_begin(struct task *t, const struct sensed *s) BASAL_RT; /* an episode begins */
void task_tick(struct task *t, const struct sensed *s, double dt_s) BASAL_RT;
/* Close the period: its reward; resets the sum. */
double task_period(struct task *t, const struct sensed *s) BASAL_RT;
void task_observe(const struct task *t, const struct sensed *s,
                  struct observation *ret_obs) BASAL_RT;
/* Action in [-1,1]^A (clipped here) -> goals at tick `phase` of the period's N: poses in the
 * joint's range or torques below its ceiling; ramp as contracts.md 1. */
void task_actuate(const struct task *t, const float *act, int phase,
                  struct command *ret_cmd) BASAL_RT;
/* The inverse, for `applied`: joint goals -> action units. */
void task_unactuate(const struct task *t, const struct command *cmd, float *ret_act) BASAL_RT;
/* The period that ends was driven by asked and ended at the safe command cmd: remember both for
 * slots, ramp, terms. */
void task_remember(struct task *t, const float *applied, const struct command *cmd) BASAL_RT;

/* Name and unit of observation k, e.g. "position.arm" "rad"; for the schema. */
int task_slot_name(const struct task *t, int k, char *ret_name, int cap, const char **ret_unit);

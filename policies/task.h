/*
 * The task is the MDP: which sensed values are observed, what is rewarded, when an episode ends,
 * what an action means. Tables of rows: an observation slot is one row in task_slots.c, a reward
 * term or an end one in task_rewards.c.
 */
#pragma once

#include "daemon/base/chain.h"
#include "daemon/base/rng.h"
#include "policies/task_rows.h"

#define SLOTS_MAX   64
#define REWARDS_MAX 16
#define ENDS_MAX    8

enum actuation { ACTUATE_RAMP, ACTUATE_HOLD };

enum action_meaning { ACTION_POSITION, ACTION_EFFORT, ACTION_INCREMENT };

enum reset_kind { RESET_NONE, RESET_HOLD, RESET_SCRIPT, RESET_ASK, RESET_BODY };

struct task_settings {
    int actuation;       /* enum actuation */
    int action;          /* enum action_meaning */
    int reset;           /* enum reset_kind */
    double episode_s;    /* truncation; 0: continuing */
    double lag_max_rad;  /* of a goal by steps, from the pose; 0: no bound */
    double travel_max_m; /* ends an episode before the robot leaves its table; 0: no such bound */
    char travel_joint[NAME_CHARS]; /* the odometer that measures it; "" with travel_max_m 0 */
    double travel_radius_m;
    double reset_s; /* how long it stands still, by hold or at the end of a script */
    double reset_pose[JOINTS_MAX], reset_noise_rad; /* of a script; and its reach about it */
    int n_reset_pose;                               /* a number for each joint; 0: no script */
    double reset_rad_s, reset_rad_s2;               /* fastest joint on the way */
    int eval_episodes; /* whole ones in lockstep's evaluation; 0: it counts seconds */
    bool eval_explore; /* the evaluation acts as learning does */
    double target_min[3], target_max[3]; /* m: where targets of the tip are drawn */
    int n_target_min, n_target_max;      /* numbers that the file gave; 0: none is drawn */
    bool target_at_start;                /* the target is where the tip was */
};

extern const struct option task_options[]; /* into struct task_settings */

/* The task as configured. */
struct task_spec {
    struct task_settings settings;
    int n_slots, n_rewards, n_ends;
    struct slot slot[SLOTS_MAX];
    struct reward reward[REWARDS_MAX];
    struct end end[ENDS_MAX];
};

struct observation {
    int n;
    uint64_t legal;
    float v[OBS_MAX];
};

enum task_end { END_NONE, END_TERMINAL = 1, END_TRUNCATED = 2 };

/* Sensors that are computed here: from the chain, then of the target. Their names and lengths are
 * in task_sense.c. */
enum { TASK_TIP, TASK_TIP_VELOCITY, TASK_TARGET, TASK_TO_TARGET, TASK_DISTANCE, TASK_SENSORS_N };

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
    double goal_last[JOINTS_MAX]; /* safe command at the period's end, come to rest where goals move
                                     by steps: where the ramp starts */
    double extra_last[EXTRA_MAX]; /* sensed in the tick before */
    double held_s[ENDS_MAX];      /* how long each end's condition has held */
    struct rng rng;               /* targets are drawn from it */
    double target[3], target2[3]; /* m: of this episode; of the next, once it is found */
    bool target2_found;
    bool primed;
    bool success; /* an end that is wanted has come */
    int end;      /* enum task_end bits */
};

struct task {
    const struct task_spec *spec;
    const struct robot *robot;
    int n_obs, n_act;
    int n_act_joints;            /* n_act, or 0 where an action is one of the robot's choices */
    int n_extra;                 /* numbers in sensed.extra */
    int n_pixels, history;       /* bytes of a picture; pictures in an observation, 0: none */
    int act_joint[ACT_MAX];      /* action k drives this joint */
    struct slot slot[SLOTS_MAX]; /* resolved copies */
    struct reward reward[REWARDS_MAX];
    struct end end[ENDS_MAX];
    int travel_joint;
    int ticks_per_period;
    int sensor_at[TASK_SENSORS_N]; /* in sensed.extra; -1: nobody listens */
    bool senses;                   /* any of them is listened to */
    bool aims, draws;              /* there are targets; they are drawn in a box */
    struct chain chain;            /* where it senses */
    struct task_state st;
};

/* Resolves names, counts, checks: 0, or -EINVAL and one sentence (unknown joint, ramp without
 * last_action ...). */
int task_open(struct task *ret_task, const struct task_spec *spec, const struct robot *robot,
              char *ret_why, int cap) BASAL_MUST_USE;

/* Which of the robot's sensors are computed here, by their names: fills their source. Only a robot
 * with links has such. */
void task_claim(struct robot *robot);
/* Targets are drawn from this seed on; task_open seeds with 0. */
void task_seed(struct task *t, uint64_t seed);
/* Computes those sensors from the joints; looks on for the next target, a few tries a tick. */
void task_sense(struct task *t, struct sensed *s) BASAL_RT;
/* The next target is found, or none is wanted: an episode may begin. */
bool task_ready(const struct task *t) BASAL_RT;
/* It is this episode's from now on, and is sensed. */
void task_aim(struct task *t, struct sensed *s) BASAL_RT;

void task_begin(struct task *t, const struct sensed *s) BASAL_RT; /* an episode begins */
void task_tick(struct task *t, const struct sensed *s, double dt_s) BASAL_RT;
/* Close the period: its reward; resets the sum. */
double task_period(struct task *t, const struct sensed *s) BASAL_RT;
void task_observe(const struct task *t, const struct sensed *s,
                  struct observation *ret_obs) BASAL_RT;
/* Action in [-1,1]^A (clipped here) -> goals at tick `phase` of the period's N: poses in the
 * joint's range, torques below its ceiling or steps of the pose; ramp as contracts.md 1. Where the
 * robot has choices, the action is the index of one. */
void task_actuate(const struct task *t, const float *act, int phase,
                  struct command *ret_cmd) BASAL_RT;
/* The inverse, for `applied`: joint goals -> action units. */
void task_unactuate(const struct task *t, const struct command *cmd, float *ret_act) BASAL_RT;
/* The period that ends was driven by asked and ended at the safe command cmd: remember both for
 * slots, ramp, terms. */
void task_remember(struct task *t, const float *applied, const struct command *cmd) BASAL_RT;

/* Name and unit of observation k, e.g. "position.arm" "rad"; for the schema. */
int task_slot_name(const struct task *t, int k, char *ret_name, int cap, const char **ret_unit);

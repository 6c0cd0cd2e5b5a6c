/*
 * The rows that a task is made of: what an observation slot, a reward term and an end are, and the
 * tables of their kinds.
 */
#pragma once

#include "daemon/base/option.h"
#include "daemon/base/robot.h"

struct task;

/* An end ends the episode, or only says whether it was a success when the clock ends it. */
enum end_when { WHEN_AT_ONCE, WHEN_AT_LAST };

/* Settings that any slot, reward term or end may use; each kind's option table names those it
 * takes. */
struct term {
    char joint[NAME_CHARS]; /* name; "" : all actuated joints */
    char extra[NAME_CHARS]; /* a sensor that is no joint; "": all of them */
    int first, n;           /* of its numbers */
    int history;            /* pictures */
    double weight;          /* reward terms */
    double scale;           /* slots: the observed value is (x - offset) x scale */
    double offset;
    double limit;    /* saturation where a kind has one */
    double radius_m; /* wheel, where a kind has one */
    double min, max; /* bounds of an end */
    bool success;    /* an end that is wanted */
    double for_s;    /* ... and how long it must hold */
    int when;        /* enum end_when */
    int joint_index; /* -1: all; filled by task_open */
    int extra_index; /* of number `first` in sensed.extra; filled by task_open */
};

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

/* The MDP ends: its successor has no value. Looked at every tick. */
struct end_kind {
    const char *name;             /* "joint_outside" ... */
    const struct option *options; /* into struct term */
    bool (*ends)(const struct task *t, const struct term *a, const struct sensed *s) BASAL_RT;
};

extern const struct slot_kind slot_kinds[];     /* .name = NULL at the end */
extern const struct reward_kind reward_kinds[]; /* .name = NULL at the end */
extern const struct end_kind end_kinds[];       /* .name = NULL at the end */

struct slot {
    const struct slot_kind *kind;
    struct term term;
    int first, n; /* where in the observation */
};

struct reward {
    const struct reward_kind *kind;
    struct term term;
};

struct end {
    const struct end_kind *kind;
    struct term term;
};

/*
 * The last word before the motors: pure functions from (what is sensed, what was commanded, what is
 * asked) to a safe command, with the rule that bit for every joint. Knows no policy, no bus, no
 * clock but the dt it is given.
 */
#pragma once

#include "daemon/base/option.h"
#include "daemon/base/robot.h"
#include "daemon/base/rt.h"
#include "daemon/safety_space.h"

/* Which rule changed a joint's command; the worst of the tick. Names for telemetry in
 * safety_rule_name. */
enum safety_rule {
    RULE_NONE,
    RULE_ACCELERATION, /* rate of change of the commanded velocity   */
    RULE_VELOCITY,     /* rate of change of the commanded position   */
    RULE_POSITION,     /* the joint's range                          */
    RULE_BRAKING,      /* the speed from which it can still stop before the range ends */
    RULE_EFFORT,       /* torque ceiling, derating by temperature    */
    RULE_SPACE,        /* the box about the tool's tip               */
    RULE_TABLE,        /* a capsule would come too near to the table */
    RULE_SELF,         /* ... to another of the robot's own          */
    RULE_STALE,        /* no fresh sample twice in a row: the goal is held */
    RULE_NOT_FINITE,   /* NaN or infinity was asked: the last goal   */
    RULE_OFF,          /* the state allows no torque                 */
    RULES_N
};

/* What is so bad that the state machine must know; bits of safety.trips. */
enum safety_trip {
    TRIP_POSITION = 1 << 0,    /* measured outside the range by more than the margin       */
    TRIP_VELOCITY = 1 << 1,    /* measured faster than the limit by more than the margin   */
    TRIP_TEMPERATURE = 1 << 2, /* hotter than temp_max_c                                   */
    TRIP_STALE = 1 << 3,       /* a joint coasted for more ticks than allowed              */
    TRIP_DEVICE = 1 << 4,      /* sensed.faults                                            */
    TRIP_FROZEN = 1 << 5,      /* the sample does not change while it should               */
    TRIP_RUNAWAY = 1 << 6,     /* moves against the command for longer than allowed        */
    TRIP_NOT_FINITE = 1 << 7,  /* a sensed value is not finite                             */
    TRIP_EFFORT = 1 << 8,      /* measured effort above the ceiling for longer than allowed */
    TRIP_SPACE = 1 << 9, /* measured beyond box, table or own margin by more than space.trip_m */
};

/* The ranges a robot is armed with: the robot file's, or only such as were found on it by hand. */
enum safety_ranges { RANGES_FILE, RANGES_FOUND };

struct safety_settings {
    double position_margin_rad;  /* measured overshoot allowed beyond the range before it trips */
    double velocity_margin_frac; /* of qd_max */
    double latency_s;            /* sample to torque: what braking distance must add */
    double effort_s;             /* how long measured effort may exceed the ceiling */
    double runaway_s;            /* how long a joint may move against its command */
    int stale_ticks_max;         /* ticks a sample may be old */
    double derate_from_frac; /* of temp_max_c: torque falls linearly from here to 0 at temp_max_c */
    int ranges;              /* enum safety_ranges */
};

extern const struct option safety_options[];

struct safety {
    const struct robot *robot;
    struct safety_settings settings;
    struct space space;       /* the robot file's; n = 0: none */
    uint64_t linked;          /* a bit per joint that moves a link which space knows */
    double dt_s;              /* nominal tick */
    bool primed;              /* some joint has a commanded trajectory */
    uint64_t held;            /* a bit per joint that has one: q_cmd, qd_cmd are valid */
    uint64_t adrift;          /* a bit per incremental joint whose power may have been away */
    uint64_t fresh;           /* a bit per joint whose sample is new this tick */
    double q_cmd[JOINTS_MAX]; /* last safe command */
    double qd_cmd[JOINTS_MAX];
    double q_ask[JOINTS_MAX]; /* last goal that was asked for and could be: where coasting holds */
    double ceiling[JOINTS_MAX]; /* last safe torque ceiling, as a part of tau_max */
    int stale[JOINTS_MAX];      /* ticks without a fresh sample while driven */
    int frozen[JOINTS_MAX][2];  /* ticks an unchanged sample stood below, above its goal */
    double runaway_s[JOINTS_MAX], effort_s[JOINTS_MAX];
    double q_last[JOINTS_MAX];        /* fresh sample before this one */
    uint8_t rule[JOINTS_MAX];         /* enum safety_rule of this tick */
    uint32_t trips;                   /* enum safety_trip bits of this tick */
    uint32_t joint_trips[JOINTS_MAX]; /* ... of each joint */
    int trip_joint;                   /* the joint of the first trip, -1: none */
    bool lets_go;                     /* a retreat or a descent is under way: see safety_filter */
    uint64_t bites[JOINTS_MAX][RULES_N]; /* how often each rule bit */
};

/* Refuses a robot with a limit that is unset or not finite. 0, or -EINVAL and one sentence. */
int safety_init(struct safety *ret_safety, const struct robot *robot,
                const struct safety_settings *settings, char *ret_why, int cap) BASAL_MUST_USE;

/* Judge what is sensed: sets trips. fresh: a bit per joint whose sample is new this tick. */
void safety_watch(struct safety *z, const struct sensed *s, uint64_t fresh) BASAL_RT;

/*
 * May torque come on? Every range found, if that is asked; every pose inside its range and space
 * (or by less than the margin outside), every value finite, no fault, nothing too hot. 0, or -EPERM
 * and one sentence.
 */
int safety_may_arm(const struct safety *z, const struct sensed *s, char *ret_why,
                   int cap) BASAL_MUST_USE;

/*
 * Make cmd safe in place, after safety_watch in the same tick. dt is always one nominal tick: after
 * a stall nothing jumps. The command continues from the last safe one; a joint that was off starts
 * at its measured pose, and stays off until a fresh sample tells it. What comes out per mode that
 * is asked:
 *
 * - position: the goal moves from the last safe goal within acceleration, velocity and range, and
 *   can always brake; with control.carry_weight its torque passes within the ceiling, else none;
 * - hold: the same trajectory brakes to rest and stays; comes out as position;
 * - velocity: the speed, within acceleration, velocity and the braking distance that the measured
 *   pose leaves;
 * - effort: the torque, within the ceiling; full opposite torque where the measured speed is too
 *   fast to stop;
 * - impedance: goal as position, gains and torque finite and within the ceiling; without stiffness
 *   it is damping about the measured pose, whose goal is no speed.
 *
 * While lets_go is set, heat takes no torque away: for the seconds that a descent lasts a robot
 * that is let fall is the greater harm, and motors have limits of their own.
 *
 * Then the joints of links together, where the robot file has a section space: their goals keep
 * box, table and distances, with a checked way to stop at all times; torque on top of an impedance
 * goal loses what drives the arm out. Speeds and torques alone say nothing of where they end: such
 * joints hold.
 *
 * A robot that is driven directly (robot.direct) has a body that keeps its own limits: what is
 * finite and in range passes as it was asked, with position and effort limits alone, and a sensed
 * value that is not finite is the only trip. Joints that space knows are filtered as on a bus.
 *
 * Braking outranks the rate limits: a range or a ceiling that shrinks cuts the speed at once, and
 * past the end of a range only inward motion passes. Finite whatever is asked or sensed.
 */
void safety_filter(struct safety *z, const struct sensed *s, struct command *cmd) BASAL_RT;

/* Torque is off: forget the commanded trajectory; the next one starts from the measured pose. */
void safety_forget(struct safety *z) BASAL_RT;

/* Not one joint of this bus is heard of any more. False where it has only one: that is no bus. */
bool safety_bus_is_silent(const struct safety *z, const struct sensed *s, int bus) BASAL_RT;

const char *safety_rule_name(enum safety_rule rule);

#define SAFETY_FAULT_CHARS 160 /* of all faults in words */
/* The bits of enum joint_fault in words, in ret_text, which is returned. */
const char *safety_fault_words(uint32_t faults, char *ret_text, size_t n);

/* One sentence for the worst trip of trip_joint in this tick: which joint, which value, which
 * limit, what to do. */
int safety_explain(const struct safety *z, const struct sensed *s, char *ret_text, int cap);

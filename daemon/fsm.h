/*
 * The life of the robot: a pure function ((state, latch), event) -> (state, latch). The robot never
 * moves because a process started; faults and estops latch, and clearing them never moves anything.
 * Estop is a software stop of category 1 of IEC 60204-1: brought to rest under control at once,
 * then the response, then torque off. Cutting power is the hardware's part.
 *
 *   boot -> limp -> arming -> ready -> running
 *                              ^  `---<---'      hold
 *   ready, running -> holding -> retreating -> damped -> stopping -> limp
 *                                                        fault | estop (latched) -> limp    clear
 *
 * What goes wrong leads as far along the second line as the robot file says for its cause, never
 * back. The latch stands beside the state and not in it: a robot that retreats after a fault moves
 * as one that retreats to be stopped, by the same code, and differs in where it ends: in fault or
 * estop with the latch, in limp without.
 */
#pragma once

#include "daemon/base/robot.h"
#include "daemon/base/rt.h"
#include "daemon/causes.h"

#define FSM_STATES(X)                                                                              \
    X(BOOT, "boot")       /* nothing is known of the devices yet                  */               \
    X(LIMP, "limp")       /* no torque; the pose is seen                          */               \
    X(ARMING, "arming")   /* identity, limits, goal := pose, torque               */               \
    X(READY, "ready")     /* torque on, holding the pose                          */               \
    X(RUNNING, "running") /* a source of actions drives                           */               \
    X(HOLDING, "holding") /* something went wrong: the pose is held until a person decides */      \
    X(RETREATING, "retreating") /* to rest, then to the rest pose                       */         \
    X(DAMPED, "damped")         /* sinks slowly                                         */         \
    X(STOPPING, "stopping")     /* controlled stop, then torque off, read back          */         \
    X(FAULT, "fault")           /* stopped as for stopping; latched                     */         \
    X(ESTOP, "estop")           /* stopped at once; latched, survives a restart         */

#define FSM_EVENTS(X)                                                                              \
    X(IDENTIFIED, "identified")   /* set-up found the devices                           */         \
    X(NOT_FOUND, "not found")     /* set-up ended without them                          */         \
    X(ARM, "arm")                 /* a person asks, and every precondition holds        */         \
    X(ARMED, "armed")             /* torque is on and holds the measured pose           */         \
    X(ARM_FAILED, "arm failed")   /* refused by a device or a check                     */         \
    X(RUN, "run")                 /* a person asks                                      */         \
    X(HOLD, "hold")               /* a person asks, an evaluation is over               */         \
    X(STOP, "stop")               /* a person, a signal, a crash elsewhere              */         \
    X(STOPPED, "stopped")         /* torque read back as off                            */         \
    X(STOP_FAILED, "stop failed") /* torque off could not be verified in time           */         \
    X(FAULTED, "faulted")         /* a limit, a device, the bus                         */         \
    X(ESTOPPED, "estopped")       /* a person's estop, power sense                      */         \
    X(CLEAR, "clear")             /* a local person, after the reason is gone           */         \
    X(LOST, "lost")               /* who decides is gone or too late                    */         \
    X(RESTED, "rested")           /* a retreat has arrived, a damped descent is still   */         \
    X(TIMED_OUT, "timed out")     /* a retreat or a descent took too long               */         \
    X(CANNOT, "cannot")           /* joints that it needs cannot be commanded           */

#define X(name, text) STATE_##name,

enum fsm_state { FSM_STATES(X) STATES_N };

#undef X
#define X(name, text) EVENT_##name,

enum fsm_event { FSM_EVENTS(X) EVENTS_N };

#undef X

enum fsm_latch { LATCH_NONE, LATCH_FAULT, LATCH_ESTOP };

struct fsm_at {
    enum fsm_state state;
    enum fsm_latch latch; /* of fault and estop always their own; else only while it holds,
                             retreats or sinks */
};

/* What the plant is asked to do in a state. */
enum plant_do { PLANT_LISTEN, PLANT_IDENTIFY, PLANT_ARM, PLANT_RUN, PLANT_STOP };

/*
 * One event; all stays where it means nothing. how: the response to stop, faulted, estopped or
 * lost; of timed out and cannot what follows a retreat that fails, damped or limp.
 */
struct fsm_at fsm_next(struct fsm_at at, enum fsm_event event, enum response how) BASAL_RT;

struct fsm {
    enum fsm_state state;
    enum fsm_latch latch;
    enum plant_do plant;
    double ramp_s;             /* torque ramp after arming */
    double ceiling;            /* 0..1 of each joint's tau_max in this state now */
    double hold_q[JOINTS_MAX]; /* the pose being held: measured at arming, the last command when a
                                  run ends */
    bool holding;              /* hold_q is set for this state */
    bool torque;               /* joints are driven: from armed until torque is read back as off */
    bool torque_was_on;        /* ... in the tick before */
    int64_t armed_ns;          /* when torque came on: the ramp starts */
    int64_t entered_ns;        /* when this state began */
};

/* What happened in a tick: a bit per enum fsm_event, and the response to each that has one. */
struct fsm_input {
    uint32_t events;
    uint8_t how[EVENTS_N]; /* enum response */
};

void fsm_init(struct fsm *ret_fsm, double ramp_s);

/*
 * The events in order of danger (estop, fault, stop ... run last). A permit (clear, arm, run) that
 * comes in the same tick as something more dangerous is dropped: it must be given again.
 */
void fsm_step(struct fsm *f, const struct fsm_input *in, int64_t now_ns) BASAL_RT;

/* Joints may be driven in this state. */
bool fsm_drives(enum fsm_state state) BASAL_RT;
/* Something went wrong that led here: holding, retreating, damped, fault, estop. */
bool fsm_responds(enum fsm_state state) BASAL_RT;

/*
 * This state's mode and torque ceiling into cmd: off in boot, limp, arming and once stopped; hold
 * the remembered pose in ready, holding and while stopping; what the source wants in running, the
 * response in retreating and damped. Actuated joints only; others are always off. The ceiling is
 * the state's (the arming ramp), never the source's.
 */
void fsm_command(struct fsm *f, const struct robot *robot, const struct sensed *s,
                 struct command *cmd) BASAL_RT;

const char *fsm_latch_name(enum fsm_latch latch);
const char *fsm_state_name(enum fsm_state state);
const char *fsm_event_name(enum fsm_event event);

/*
 * The life of the robot: a pure function (state, event) -> state. The robot never moves because a
 * process started; faults and estops latch, and clearing them never moves anything. Estop is a
 * software stop of category 1 of IEC 60204-1: brought to rest under control at once, then torque
 * off. Cutting power is the hardware's part.
 *
 *   boot -> limp -> arming -> ready -> running
 *                              ^  `---<---'      hold, lease lost, a late loop
 *   ready, running -> stopping -> limp           stop
 *   any -> fault | estop (latched) -> limp       clear
 */
#pragma once

#include "daemon/base/robot.h"
#include "daemon/base/rt.h"

#define FSM_STATES(X)                                                                              \
    X(BOOT, "boot")         /* nothing is known of the devices yet          */                     \
    X(LIMP, "limp")         /* no torque; the pose is seen                  */                     \
    X(ARMING, "arming")     /* identity, limits, goal := pose, torque       */                     \
    X(READY, "ready")       /* torque on, holding the pose                  */                     \
    X(RUNNING, "running")   /* a source of actions drives                   */                     \
    X(STOPPING, "stopping") /* controlled stop, then torque off, read back  */                     \
    X(FAULT, "fault")       /* stopped as for stopping; latched             */                     \
    X(ESTOP, "estop")       /* stopped at once; latched, survives a restart */

#define FSM_EVENTS(X)                                                                              \
    X(IDENTIFIED, "identified")   /* set-up found the devices                           */         \
    X(NOT_FOUND, "not found")     /* set-up ended without them                          */         \
    X(ARM, "arm")                 /* a person asks, and every precondition holds        */         \
    X(ARMED, "armed")             /* torque is on and holds the measured pose           */         \
    X(ARM_FAILED, "arm failed")   /* refused by a device or a check                     */         \
    X(RUN, "run")                 /* a person asks                                      */         \
    X(HOLD, "hold")               /* a person asks or is gone, the loop is too late     */         \
    X(STOP, "stop")               /* a person, a signal, a crash elsewhere              */         \
    X(STOPPED, "stopped")         /* torque read back as off                            */         \
    X(STOP_FAILED, "stop failed") /* torque off could not be verified in time           */         \
    X(FAULTED, "faulted")         /* a limit, a device, the bus                         */         \
    X(ESTOPPED, "estopped")       /* a person's estop, power sense                      */         \
    X(CLEAR, "clear")             /* a local person, after the reason is gone           */

#define X(name, text) STATE_##name,

enum fsm_state { FSM_STATES(X) STATES_N };

#undef X
#define X(name, text) EVENT_##name,

enum fsm_event { FSM_EVENTS(X) EVENTS_N };

#undef X

/* What the plant is asked to do in a state. */
enum plant_do { PLANT_LISTEN, PLANT_IDENTIFY, PLANT_ARM, PLANT_RUN, PLANT_STOP };

/* One event; the state stays where the event means nothing. */
enum fsm_state fsm_next(enum fsm_state state, enum fsm_event event) BASAL_RT;

struct fsm {
    enum fsm_state state;
    enum plant_do plant;
    double ramp_s;             /* torque ramp after arming */
    double ceiling;            /* 0..1 of each joint's tau_max in this state now */
    double hold_q[JOINTS_MAX]; /* the pose being held: measured at arming, the last command when a
                                  run ends */
    bool holding;              /* hold_q is set for this state */
    bool torque;               /* joints are driven: from armed until torque is read back as off */
    bool torque_was_on;        /* ... in the tick before */
    int64_t armed_ns;          /* when torque came on: the ramp starts */
};

void fsm_init(struct fsm *ret_fsm, double ramp_s);

/*
 * events: a bit per enum fsm_event, taken in order of danger (estop, fault, stop ... run last). A
 * permit (clear, arm, run) that comes in the same tick as something more dangerous is dropped: it
 * must be given again.
 */
void fsm_step(struct fsm *f, uint32_t events, int64_t now_ns) BASAL_RT;

/*
 * This state's mode and torque ceiling into cmd: off in boot, limp, arming and once stopped; hold
 * the remembered pose in ready and while stopping; what the source wants in running. Actuated
 * joints only; others are always off. The ceiling is the state's (the arming ramp), never the
 * source's.
 */
void fsm_command(struct fsm *f, const struct robot *robot, const struct sensed *s,
                 struct command *cmd) BASAL_RT;

const char *fsm_state_name(enum fsm_state state);
const char *fsm_event_name(enum fsm_event event);

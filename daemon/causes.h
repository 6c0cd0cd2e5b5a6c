/*
 * What can go wrong, and what is done then: limp can be the dangerous act. A robot file names one
 * response for each cause (section responses); the state machine goes through it.
 */
#pragma once

#include "daemon/base/types.h"

/* From the mildest on: of two that are due at once the later one counts. */
enum response {
    RESPONSE_HOLD,    /* the pose stays as it is, with torque, until a person decides         */
    RESPONSE_RETREAT, /* brought to rest, then to the rest pose; there torque off             */
    RESPONSE_DAMPED,  /* no stiffness, only damping: it sinks slowly; when still, torque off  */
    RESPONSE_LIMP,    /* brought to rest, at most control.stop_s; torque off where it stands  */
    RESPONSES_N
};

#define CAUSES(X)                                                                                  \
    X(NONE, "")                                                                                    \
    X(POLICY_STALE, "policy_stale")   /* who should send weights has sent none for too long */     \
    X(OPERATOR_LOST, "operator_lost") /* who attends the run is silent                      */     \
    X(SENSOR_STALE, "sensor_stale")   /* a joint has coasted too long, its motor is silent  */     \
    X(BUS_LOST, "bus_lost")           /* not one joint of a bus is heard of any more        */     \
    X(LOOP_STALLED, "loop_stalled")   /* a tick began too late                              */     \
    X(PROCESS_DEAD, "process_dead")   /* the daemon is gone: devices and --make-safe act    */     \
    X(POWER_SAG, "power_sag")         /* motor power is lost; latches an estop              */     \
    X(ESTOP, "estop")                 /* a person's                                         */     \
    X(FAULT, "fault")                 /* a limit, a device                                  */     \
    X(STOP, "stop")                   /* a person, a signal, another thread is dead         */

#define X(name, text) CAUSE_##name,

enum cause { CAUSES(X) CAUSES_N };

#undef X

/* The key in a robot file; "": none, or no cause. */
const char *cause_name(enum cause cause);

struct response_settings { /* responses: */
    int how[CAUSES_N];     /* enum response */
    double policy_stale_s; /* 0: weights never age */
    double rest[JOINTS_MAX];
    int n_rest;            /* a number for each joint; 0: there is no rest pose */
    double rest_near_rad;  /* that near it the robot has arrived */
    double rest_torque_nm; /* gravity may pull so much at a joint there */
    bool rest_supported;   /* something carries the robot there */
    double retreat_rad_s, retreat_rad_s2, retreat_s;
    double damped_kd[JOINTS_MAX];
    int n_kd; /* one for all, or a number for each joint; 0: none */
    double damped_rad_s;
};

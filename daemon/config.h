/*
 * One YAML file per robot, which may include others. Read with libyaml's document API and walked
 * by option tables: what is unknown, of the wrong type, out of range, not finite or not consumed
 * whole is refused with file, line, column, key, range and nearest name.
 */
#pragma once

#include "daemon/base/option.h"
#include "daemon/base/robot.h"
#include "daemon/causes.h"
#include "daemon/safety.h"
#include "policies/policy.h"
#include "policies/task.h"
#include "sim/sim.h"

enum realtime { REALTIME_OFF, REALTIME_PREFER, REALTIME_ENFORCE };

struct control_settings { /* control: */
    int realtime;         /* enum realtime */
    int priority, cpu;
    int loop_deadman_ms;  /* the tick is this late: hold */
    int lease_deadman_ms; /* the person who attends a run is silent for this long: hold */
    double stop_s;        /* longest controlled stop before torque is cut */
};

struct learner_settings { /* learner: */
    bool enabled;
    int batch_size, n_steps, train_freq, gradient_steps;
    int64_t learning_starts;
    double gamma;
    int prioritized_replay; /* enum priority_kind */
    double prioritized_replay_alpha, prioritized_replay_beta0, prioritized_replay_eps;
    int64_t prioritized_replay_beta_iters;
    int publish_every;  /* updates between weights */
    double prior_ratio; /* of a batch's rows, where prior data are given */
    bool normalize;
    int64_t normalize_until;
    double checkpoint_s; /* real time: a checkpoint this often; 0: at stop only */
    int precision;       /* enum precision */
    int kernel;          /* place in kernel_names; KERNEL_AUTO: the best one here */
};

struct replay_settings { /* replay: */
    int64_t capacity;
    int action; /* enum replay_action */
};

struct comms_settings {         /* comms: */
    char telemetry[PATH_CHARS]; /* tcp endpoint for plots, or "off" */
    double telemetry_hz;        /* of records sent; 0: every tick */
    char weights[PATH_CHARS];   /* "own", or the ipc endpoint of another publisher */
};

struct sim_settings { /* sim: beside the kind's own keys */
    int substep_us;
    double noise; /* 0..1: scale of sensor noise */
};

struct fault_settings { /* faults: on the wire between host and emulator, drawn per reply */
    double lost, corrupted, late, truncated, duplicated; /* probabilities */
    int late_us;
    double away_at_s, away_s;            /* the bus is unplugged then, for this long; 0: never */
    double stranger_hz;                  /* another host says something on every bus */
    double bus_off_at_s, bus_off_s;      /* a CAN bus: the host's controller has left it */
    double power_at_s, power_s, power_v; /* motor supply is at most that then, for this long */
};

/* Everything; const after load. Plug-in settings live in the arena. */
struct config {
    struct robot robot;
    struct control_settings control;
    struct safety_settings safety;
    struct response_settings responses;
    struct task_spec task;
    const struct policy *policy;
    void *policy_config;
    struct learner_settings learner;
    struct replay_settings replay;
    struct comms_settings comms;
    const struct sim *sim; /* NULL: real hardware only */
    void *sim_config;
    struct sim_settings sim_settings;
    struct fault_settings faults;
    double best_known_speed_m_s; /* 0: unknown */
    int schema;
    char path[PATH_CHARS];
    char calibration[PATH_CHARS]; /* its file, there or not: beside path, or a file it includes */
    char calibration_robot[NAME_CHARS]; /* whose it must be: the name that that file gives */
    char calibrated[32];                /* its date; "": none was applied */
    uint64_t hash,
        robot_hash; /* of the canonical dump; of joints, slots, action units, policy rate */
};

/*
 * Load path, then the calibration (calibration.h) beside it or beside a file of the same devices
 * that it includes, where there is one, then apply the n_sets "KEY=VALUE" overrides through the
 * same checks, then the cross-checks (rates divide, names resolve, policy.check). Errors: -errno
 * and one sentence with file:line:column, key, range, nearest name.
 */
int config_load(struct config *ret_config, const char *path, const char *const *sets, int n_sets,
                struct arena *mem, char *ret_why, int cap) BASAL_MUST_USE;

/* Without the calibration: for who makes one, and for who must work whatever it is like. */
int config_load_bare(struct config *ret_config, const char *path, const char *const *sets,
                     int n_sets, struct arena *mem, char *ret_why, int cap) BASAL_MUST_USE;

/* name stands for the file in messages; an include is looked for beside it. */
struct config_text {
    const char *text;
    size_t n;
    const char *name;
};

/* The same from text. For tests and fuzzing. */
int config_load_text(struct config *ret_config, const struct config_text *from,
                     const char *const *sets, int n_sets, struct arena *mem, char *ret_why,
                     int cap) BASAL_MUST_USE;

#define CONFIG_DUMP_MAX (1 << 17)

/* Canonical YAML of the whole configuration; the order of keys is fixed. Returns its length, or
 * -ENOSPC. */
int config_dump(const struct config *c, char *ret_text, int cap);

/* The commented example with every key, unit, range and default: for the manual and tests. */
int config_manual(char *ret_text, int cap);

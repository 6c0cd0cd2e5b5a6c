/*
 * Inside of basalctl: one file per group of verbs, one table of them all in basalctl.c.
 */
#pragma once

#include "daemon/args.h"
#include "daemon/json.h"
#include "proto/basald.pb-c.h"

#include <stddef.h>

struct ctl {
    const char *runtime_dir;
    bool json, no_explore, no_learn, random, success, lines;
    double seconds, reward, hz;
    const char *policy, *config, *device;
    int64_t id, joint_baud;
    int n_words;
    char **words; /* after the verb */
    void *context, *socket;
};

struct verb {
    const char *name;
    const char *help;
    int (*run)(struct ctl *c); /* returns an exit status */
};

/* The command socket, opened on first use. Answers NULL after a sentence on stderr when basald is not there. */
Basald__V1__Reply *ctl_ask(struct ctl *c, Basald__V1__Command *q);
void ctl_free(Basald__V1__Reply *r);
void ctl_close(struct ctl *c);

/* Ask verb, print the answer's state or why; the exit status of verbs that do one thing. */
int ctl_simple(struct ctl *c, const char *verb);
/* A string that protobuf-c will only read. */
char *ctl_text(const char *s);

int ctl_status(struct ctl *c);
int ctl_health(struct ctl *c);
int ctl_monitor(struct ctl *c);
int ctl_run(struct ctl *c);
int ctl_eval(struct ctl *c);
int ctl_episode(struct ctl *c);
int ctl_learner(struct ctl *c);
int ctl_policy(struct ctl *c);
int ctl_replay(struct ctl *c);
int ctl_config(struct ctl *c);
int ctl_scan(struct ctl *c);
int ctl_setup_motor(struct ctl *c);

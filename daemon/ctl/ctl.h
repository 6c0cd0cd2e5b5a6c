/*
 * Inside of basalctl: one file per group of verbs, one table of them all in basalctl.c, one client
 * of the daemon in client.c.
 */
#pragma once

#include "daemon/args.h"
#include "daemon/json.h"
#include "proto/basald.pb-c.h"

#include <stddef.h>

struct ctl {
    const char *verb; /* its name */
    const char *runtime_dir;
    bool json, no_explore, no_learn, random, attended, success, lines, until_fault, constants, fix;
    double seconds, reward, hz;
    const char *policy, *config, *device, *driver;
    int64_t id, joint_baud, bitrate;
    int n_words;
    char **words; /* after the verb */
    void *context, *socket;
    uint32_t given;   /* a bit per flag of the table */
    bool holds_words; /* sentences wait in held until ctl_release */
    char held[1024];
};

struct verb {
    const char *name;
    const char *words; /* what follows it: "end", "show | save FILE"; NULL: nothing */
    const char *flags; /* those that mean something to it, beside --runtime-dir and --json; blanks
                          part them */
    const char *help;
    int (*run)(struct ctl *c); /* returns an exit status */
};

/*
 * Ask the daemon. The socket is opened on first use. The answer goes to ctl_free. NULL: said why on
 * stderr, and ret_status is the exit status (not running, no permission, no answer).
 */
Basald__V1__Reply *ctl_ask(struct ctl *c, Basald__V1__Command *q, int *ret_status);
/* The same for the verb status; an answer always holds status and status->last. */
Basald__V1__Reply *ctl_ask_status(struct ctl *c, int *ret_status);
void ctl_free(Basald__V1__Reply *r);
void ctl_close(struct ctl *c);

/* One sentence on stderr, behind the program's name. */
void ctl_say(struct ctl *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What was held back comes now. */
void ctl_release(struct ctl *c);

/* Is somebody behind this socket of the runtime folder? 0, or an exit status, having said why. */
int ctl_probe(struct ctl *c, const char *name);

/* Ask, print the answer's state or why; the exit status of verbs that do one thing. */
int ctl_ask_and_print(struct ctl *c, Basald__V1__Command *q);
int ctl_print_reply(struct ctl *c, const Basald__V1__Reply *r);
int ctl_simple(struct ctl *c, const char *verb);
/* The state that a verb led to and what it means, or why it did not; the exit status. */
int ctl_print_state(struct ctl *c, bool good, const char *state, const char *why);

/* A subscription to what the daemon publishes, "events" or "telemetry"; NULL: said why. */
void *ctl_listen(struct ctl *c, const char *name);
void ctl_unlisten(void *socket);
/* The next one, or NULL after timeout_ms. Goes to basald__v1__..._free_unpacked. */
Basald__V1__Event *ctl_next_event(void *events, int timeout_ms);
Basald__V1__Telemetry *ctl_next_telemetry(void *telemetry, int timeout_ms);

/* Beside it first, then renamed: a full disk leaves what was there. An exit status, said. */
int ctl_write_file(struct ctl *c, const char *path, const uint8_t *bytes, size_t n);

/* Is this word one of those, which blanks part? */
bool ctl_one_of(const char *words, const char *word);
/* Does the n-th word after the verb say this? */
bool ctl_word(const struct ctl *c, int n, const char *text);
/* The sentence for words that fit no form of the verb; returns EXIT_USAGE. */
int ctl_usage(struct ctl *c, const char *forms);

/* A string that protobuf-c will only read. */
char *ctl_text(const char *s);
struct json_object *ctl_status_json(const Basald__V1__Status *s);
/* Seconds on CLOCK_MONOTONIC. */
double ctl_now_s(void);

int ctl_arm(struct ctl *c);
int ctl_stop(struct ctl *c);
int ctl_estop(struct ctl *c);
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
int ctl_version(struct ctl *c);
int ctl_scan(struct ctl *c);
int ctl_setup_motor(struct ctl *c);
int ctl_identify(struct ctl *c);
int ctl_record(struct ctl *c);
int ctl_doctor(struct ctl *c);
int ctl_calibrate(struct ctl *c);
int ctl_find_limits(struct ctl *c);

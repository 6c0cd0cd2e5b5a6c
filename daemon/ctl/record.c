/* A recorded motion: telemetry, every tick of it, as a file for identify. */
#include "daemon/ctl/ctl.h"

#include "daemon/fsm.h"
#include "daemon/recording.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS      200
#define SILENT_WAITS 15 /* a machine that was asleep itself has waited once */
#define ENOUGH       20 /* ticks that tell whether all are sent */
#define PROGRESS_S   1.0

struct record {
    struct recording *to;
    int n; /* joints */
    void *telemetry;
    sigset_t signals;
    double said_s;
    char why[WHY_CHARS]; /* how it ended, unless well */
};

/* "", or why there is nothing to record. */
static int begin(struct ctl *c, struct record *k)
{
    const char *name[JOINTS_MAX];
    int status = 0;
    Basald__V1__Reply *r = ctl_ask_status(c, &status);
    if (r == NULL) {
        return status;
    }
    const Basald__V1__Status *s = r->status;
    for (size_t j = 0; j < s->last->n_joint_name && j < JOINTS_MAX; j++) {
        name[k->n++] = s->last->joint_name[j];
    }
    if (k->n == 0 || !(s->control_rate_hz > 0.0)) {
        (void)snprintf(k->why, sizeof k->why,
                       "basald tells no joints and no rate: is it of this version? see basalctl "
                       "version");
        status = EXIT_FAILURE;
    } else if (recording_open(&k->to, c->words[0], name, k->n, s->control_rate_hz, k->why,
                              (int)sizeof k->why) < 0) {
        status = EXIT_FAILURE;
    }
    ctl_free(r);
    return status;
}

static void hear_signals(struct record *k)
{
    (void)sigemptyset(&k->signals);
    (void)sigaddset(&k->signals, SIGINT);
    (void)sigaddset(&k->signals, SIGTERM);
    (void)sigaddset(&k->signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &k->signals, NULL);
}

static bool is_told_to_end(const struct record *k)
{
    static const struct timespec now = {0};
    return sigtimedwait(&k->signals, NULL, &now) > 0;
}

static bool is_driven(const char *state)
{
    for (int s = 0; s < STATES_N; s++) {
        if (strcmp(fsm_state_name((enum fsm_state)s), state) == 0) {
            return fsm_drives((enum fsm_state)s);
        }
    }
    return false;
}

/* 0, or it is over, and k->why says why. */
static int take(struct record *k, const Basald__V1__Telemetry *t)
{
    const size_t n = (size_t)k->n;
    if (t->n_position_rad != n || t->n_velocity_rad_s != n || t->n_effort_nm != n) {
        return why(k->why, (int)sizeof k->why, -EPROTO, "basald has other joints than before");
    }
    const struct recording_tick tick = {.tick = t->tick,
                                        .overruns = t->overruns,
                                        .coasted = t->coasted,
                                        .driven = is_driven(t->state),
                                        .q = t->position_rad,
                                        .qd = t->velocity_rad_s,
                                        .tau = t->effort_nm};
    return recording_put(k->to, &tick, k->why, (int)sizeof k->why);
}

static void show(struct record *k, const struct recording_counts *now, const char *state)
{
    if (isatty(STDERR_FILENO) != 0 && ctl_now_s() >= k->said_s + PROGRESS_S) {
        k->said_s = ctl_now_s();
        (void)fprintf(stderr, "\r%8.1f s, %lld ticks, %lld gaps, %s; Ctrl-C ends it  ",
                      now->seconds, (long long)now->rows, (long long)now->gaps, state);
    }
}

/* Until it is enough, or something ends it: k->why. */
static void follow(struct ctl *c, struct record *k)
{
    struct recording_counts now = {0};
    int silent = 0;
    while (k->why[0] == '\0' && !is_told_to_end(k) &&
           !(c->seconds > 0.0 && now.seen_s >= c->seconds)) {
        Basald__V1__Telemetry *t = ctl_next_telemetry(k->telemetry, WAIT_MS);
        if (t == NULL) {
            if (++silent == SILENT_WAITS) {
                (void)snprintf(k->why, sizeof k->why, "basald says nothing any more");
            }
            continue;
        }
        silent = 0;
        const int rc = take(k, t);
        recording_counts(k->to, &now);
        show(k, &now, t->state);
        basald__v1__telemetry__free_unpacked(t, NULL);
        if (rc == 0 && recording_came(&now) >= ENOUGH && now.lost > recording_came(&now)) {
            (void)snprintf(k->why, sizeof k->why,
                           "not half of the ticks are sent: set comms.telemetry_hz in the robot "
                           "file to 0, every tick");
        }
    }
    if (k->said_s > 0.0) {
        (void)fputs("\n", stderr);
    }
}

static void print(const struct ctl *c, const struct recording_counts *now)
{
    char gaps[WHY_CHARS];
    recording_gaps(now, gaps, (int)sizeof gaps);
    if (c->json) {
        struct json_object *o = json_begin();
        json_text(o, "file", c->words[0]);
        json_number(o, "seconds", now->seconds);
        json_int(o, "ticks", now->rows);
        json_int(o, "gaps", now->gaps);
        json_int(o, "skipped", now->skipped);
        json_int(o, "lost", now->lost);
        json_int(o, "coasted", now->coasted);
        json_int(o, "undriven", now->undriven);
        json_print(o, stdout, true);
        return;
    }
    (void)printf("%s holds %.3f s, %lld ticks%s%s\n", c->words[0], now->seconds,
                 (long long)now->rows, gaps[0] != '\0' ? "; " : "", gaps);
}

/* What is there is kept, unless there is next to nothing; the exit status. */
static int end(struct ctl *c, struct record *k)
{
    struct recording_counts now;
    char reason[WHY_CHARS];
    recording_counts(k->to, &now);
    const bool keeps = now.rows >= ENOUGH && now.lost <= recording_came(&now);
    if (!keeps) {
        const char *none = now.undriven > now.rows
                               ? "the robot was not driven: basalctl arm, then record"
                               : "it ended before the robot's ticks came";
        recording_drop(k->to);
        ctl_say(c, "nothing was recorded: %s", k->why[0] != '\0' ? k->why : none);
        return EXIT_FAILURE;
    }
    if (recording_close(k->to, reason, (int)sizeof reason) < 0) {
        ctl_say(c, "%s", reason);
        return EXIT_FAILURE;
    }
    print(c, &now);
    if (k->why[0] != '\0') {
        ctl_say(c, "it ended early: %s", k->why);
        return EXIT_FAILURE;
    }
    return 0;
}

int ctl_record(struct ctl *c)
{
    struct record k = {0};
    if (c->n_words != 1) {
        return ctl_usage(c, "record FILE");
    }
    int status = begin(c, &k);
    if (status == 0) {
        hear_signals(&k);
        k.telemetry = ctl_listen(c, "telemetry");
        if (k.telemetry == NULL) {
            recording_drop(k.to);
            return EXIT_FAILURE;
        }
        follow(c, &k);
        ctl_unlisten(k.telemetry);
        return end(c, &k);
    }
    if (k.why[0] != '\0') {
        ctl_say(c, "%s", k.why);
    }
    return status;
}

/* Who drives, and what is made of it: run, eval, episode, learner. */
#include "daemon/ctl/ctl.h"

#include "policies/weights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK_MAX ((size_t)24 << 20)
#define EVAL_S    30.0
#define GRACE_S   2.0
#define BEATS     5 /* of who attends, in control.lease_deadman_ms */

/* The whole file; false: said why. */
static bool read_block(struct ctl *c, const char *path, uint8_t **ret_bytes, size_t *ret_n)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *bytes = malloc(BLOCK_MAX);
    errno = f == NULL ? errno : 0;
    const size_t n = f != NULL && bytes != NULL ? fread(bytes, 1, BLOCK_MAX, f) : 0;
    const char *problem = errno != 0       ? strerror(errno)
                          : bytes == NULL  ? "no memory"
                          : n == 0         ? "it is empty"
                          : n == BLOCK_MAX ? "it is larger than any weights"
                                           : NULL;
    if (problem != NULL) {
        ctl_say(c, "cannot read weights from %s: %s; keep some with basalctl policy save FILE",
                path, problem);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    struct weights_view v;
    char reason[WHY_CHARS];
    if (problem == NULL && weights_decode(bytes, n, &v, reason, (int)sizeof reason) < 0) {
        ctl_say(c, "%s: %s; keep some with basalctl policy save FILE", path, reason);
        problem = reason;
    }
    if (problem != NULL) {
        free(bytes);
        return false;
    }
    *ret_bytes = bytes;
    *ret_n = n;
    return true;
}

/* This process is the person's hand: while it lives, and reaches the daemon, the robot may run. */
static int attend(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text("attend");
    (void)fflush(stdout);
    for (;;) {
        int status = EXIT_FAILURE;
        Basald__V1__Reply *r = ctl_ask(c, &q, &status);
        if (r == NULL) {
            return status;
        }
        const bool runs = strcmp(r->state, "running") == 0;
        const long pause_ns = (long)r->lease_deadman_ms * (1000000 / BEATS);
        if (!runs) {
            ctl_say(c, "the run has ended: %s; basalctl status says why", r->state);
        }
        ctl_free(r);
        if (!runs) {
            return 0;
        }
        const struct timespec pause = {.tv_sec = pause_ns / 1000000000,
                                       .tv_nsec = pause_ns % 1000000000};
        (void)nanosleep(&pause, NULL);
    }
}

int ctl_run(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text("run");
    q.no_explore = c->no_explore;
    q.no_learn = c->no_learn;
    q.random = c->random;
    q.attended = c->attended;
    if (c->policy != NULL && !read_block(c, c->policy, &q.block.data, &q.block.len)) {
        return EXIT_FAILURE;
    }
    const int status = ctl_ask_and_print(c, &q);
    free(q.block.data);
    return status == 0 && c->attended ? attend(c) : status;
}

static int print_eval(const struct ctl *c, const Basald__V1__Event *e, double eval_s)
{
    if (c->json) {
        struct json_object *o = json_begin();
        json_number(o, "speed_m_s", e->value);
        json_number(o, "seconds", eval_s);
        json_print(o, stdout, true);
    } else {
        (void)printf("%.4f m/s over %g s, without exploring\n", e->value, eval_s);
    }
    return 0;
}

/* Until the daemon says how it went, or that the robot stopped before the end. */
static int wait_eval(struct ctl *c, void *events, double eval_s)
{
    static const char left[] = "running -> ";
    const double until_s = ctl_now_s() + eval_s + GRACE_S;
    double left_s = until_s - ctl_now_s();
    while (left_s > 0.0) {
        Basald__V1__Event *e = ctl_next_event(events, (int)(left_s * 1e3) + 1);
        int status = -1;
        if (e != NULL && strcmp(e->kind, "eval") == 0) {
            status = print_eval(c, e, eval_s);
        } else if (e != NULL && strncmp(e->text, left, sizeof left - 1) == 0) {
            ctl_say(c, "the evaluation ended early: %s", e->text);
            status = EXIT_FAILURE;
        }
        if (e != NULL) {
            basald__v1__event__free_unpacked(e, NULL);
        }
        if (status >= 0) {
            return status;
        }
        left_s = until_s - ctl_now_s();
    }
    ctl_say(c, "no result: does a joint of this robot measure its way (task.travel_joint)?");
    return EXIT_FAILURE;
}

int ctl_eval(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    int status = EXIT_FAILURE;
    q.verb = ctl_text("eval");
    q.seconds = c->seconds > 0.0 ? c->seconds : EVAL_S;
    /* before the question, so that the result is not missed */
    void *events = ctl_listen(c, "events");
    if (events == NULL) {
        return EXIT_FAILURE;
    }
    Basald__V1__Reply *r = ctl_ask(c, &q, &status);
    if (r != NULL) {
        status = r->ok ? wait_eval(c, events, q.seconds) : ctl_print_reply(c, r);
    }
    ctl_free(r);
    ctl_unlisten(events);
    return status;
}

int ctl_episode(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    if (c->n_words == 1 && ctl_word(c, 0, "begin")) {
        c->verb = "episode begin";
        return ctl_simple(c, "episode-begin");
    }
    if (c->n_words != 1 || !ctl_word(c, 0, "end")) {
        return ctl_usage(c, "episode begin | end [--reward X] [--success]");
    }
    c->verb = "episode end";
    q.verb = ctl_text("episode-end");
    q.reward = c->reward;
    q.success = c->success;
    return ctl_ask_and_print(c, &q);
}

int ctl_learner(struct ctl *c)
{
    if (c->n_words == 1 && ctl_word(c, 0, "pause")) {
        return ctl_simple(c, "learner-pause");
    }
    if (c->n_words == 1 && ctl_word(c, 0, "resume")) {
        return ctl_simple(c, "learner-resume");
    }
    return ctl_usage(c, "learner pause | resume");
}

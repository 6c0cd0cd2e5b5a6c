#include "daemon/bench_robot.h"

#include "daemon/bus_codec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_BYTES    ((size_t)64 << 20)
#define FAST_BAUD       4000000
#define DEADLINE_FRAC   0.8
#define RATE_HZ         1000.0 /* of a loop with a bus */
#define GRADIENT_STEPS  10000  /* as many as a robot file may ask for: more than any does */
#define LEARNING_STARTS 100
#define STEPS_BEFORE    300 /* policy steps driven before the benchmark, 200 of them learned from */
#define UPDATES_BEFORE  16
#define SETTLED_S       60.0 /* the robot found, armed and running by then, or never */

/* Room for one more "KEY=VALUE" of our own, which counts from now on. */
static char *next_set(struct bench_robot *b)
{
    basal_assert(b->n_sets < BENCH_SETS_MAX);
    char *text = b->text[b->n_sets];
    b->sets[b->n_sets++] = text;
    return text;
}

/* The wanted rate, and what it asks of the buses, in the robot file's own words. */
static int fit_rate(struct bench_robot *b, const struct bench_robot_spec *spec, char *ret_why,
                    int cap)
{
    struct arena mem;
    struct config *c = &b->house.config;
    if (arena_open(&mem, "config", CONFIG_BYTES) < 0) {
        return why(ret_why, cap, -ENOMEM,
                   "out of address space; end other programs, or raise the limit (ulimit -v)");
    }
    const int rc = config_load(c, spec->config_path, NULL, 0, &mem, ret_why, cap);
    const double unsaid_hz = c->robot.direct ? c->robot.control_rate_hz : RATE_HZ;
    const double rate_hz = spec->rate_hz > 0.0 ? spec->rate_hz : unsaid_hz;
    const double fits_us = DEADLINE_FRAC * 1e6 / rate_hz;
    if (rc == 0) {
        (void)snprintf(next_set(b), SET_CHARS, "control.rate_hz=%.17g", rate_hz);
        if (spec->act_each_tick) {
            (void)snprintf(next_set(b), SET_CHARS, "policy.rate_hz=%.17g", rate_hz);
        }
    }
    for (int i = 0; rc == 0 && i < c->robot.n_buses; i++) {
        const struct bus_spec *bus = &c->robot.bus[i];
        if (bus->reply_deadline_us > fits_us ||
            (bus->order == ORDER_SAME_TICK && bus->write_phase_us > fits_us)) {
            if (bus_codec_find(bus->driver).can == NULL) { /* a CAN bus has the rate that it has */
                (void)snprintf(next_set(b), SET_CHARS, "bus.%s.baud=%d", bus->name, FAST_BAUD);
            }
            (void)snprintf(next_set(b), SET_CHARS, "bus.%s.order=pipelined", bus->name);
            (void)snprintf(next_set(b), SET_CHARS, "bus.%s.write_phase_us=0", bus->name);
            (void)snprintf(next_set(b), SET_CHARS, "bus.%s.reply_deadline_us=%d", bus->name,
                           (int)fits_us);
        }
    }
    arena_close(&mem);
    return rc;
}

static void hand_over(void *to, const uint8_t *block, size_t n)
{
    (void)intake_block(to, block, n);
}

static void ask(struct bench_robot *b, enum request_kind kind)
{
    const struct request q = {.id = b->asked + 1, .kind = kind};
    if (b->answered == b->asked && ring_push(&b->house.shared->requests, &q)) {
        b->asked++;
    }
}

static void drive(struct bench_robot *b)
{
    const struct record *r = &b->last;
    if (r->state == STATE_LIMP && r->plant_ready) {
        ask(b, REQUEST_ARM);
    } else if (r->state == STATE_READY || (r->state == STATE_HOLDING && r->latch == LATCH_NONE)) {
        ask(b, REQUEST_RUN);
    } else if (r->state == STATE_FAULT) {
        ask(b, REQUEST_CLEAR);
    }
}

void bench_robot_attend(struct bench_robot *b, void (*note)(void *self, const struct record *r),
                        void *self)
{
    struct shared *s = b->house.shared;
    struct reply reply;
    struct happened h;
    bool any = false;
    atomic_fetch_add_explicit(&s->main_beats, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->comms_beats, 1, memory_order_relaxed);
    while (ring_pop(&s->replies, &reply)) {
        b->answered = reply.id;
        if (reply.why[0] != '\0') {
            (void)snprintf(b->trouble, sizeof b->trouble, "%s", reply.why);
        }
    }
    while (ring_pop(&s->happened, &h)) {
        if (h.text[0] != '\0') {
            (void)snprintf(b->trouble, sizeof b->trouble, "%s", h.text);
        }
    }
    while (ring_pop(&s->telemetry, &b->last)) {
        any = true;
        if (note != NULL) {
            note(self, &b->last);
        }
    }
    if (any) {
        drive(b);
    }
}

/* Drive until there is enough to learn from, as fast as it goes: while the clock is virtual. */
static int warm_up(struct bench_robot *b, char *ret_why, int cap)
{
    struct loop *l = &b->house.loop;
    const struct robot *robot = &l->config->robot;
    const double limit_s = SETTLED_S + 4.0 * STEPS_BEFORE / robot->policy_rate_hz;
    const int64_t ticks_max = (int64_t)(limit_s * robot->control_rate_hz);
    const int64_t begun_ns = clock_now_ns(l->clock);
    l->clock->is_virtual = true;
    clock_resume(l->clock, begun_ns);
    loop_begin(l);
    for (int64_t i = 0; l->st.step < STEPS_BEFORE || l->st.fsm.state != STATE_RUNNING; i++) {
        if (i == ticks_max || l->st.fsm.latch != LATCH_NONE) {
            return why(ret_why, cap, -EIO, "the robot does not run at %.0f Hz; it is %s: %.160s",
                       robot->control_rate_hz, fsm_state_name(l->st.fsm.state),
                       b->trouble[0] != '\0' ? b->trouble : plant_why(l->plant));
        }
        (void)loop_step(l);
        bench_robot_attend(b, NULL, NULL);
    }
    const int64_t now_ns = clock_now_ns(l->clock);
    l->clock->is_virtual = false;
    clock_resume(l->clock, now_ns);
    for (int i = 0; i < UPDATES_BEFORE && learner_step(&b->house.learner); i++) {
    }
    learner_publish(&b->house.learner);
    return 0;
}

int bench_robot_open(struct bench_robot *ret_robot, const struct bench_robot_spec *spec,
                     char *ret_why, int cap)
{
    struct bench_robot *b = ret_robot;
    *b = (struct bench_robot){0};
    int rc = fit_rate(b, spec, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    (void)snprintf(next_set(b), SET_CHARS, "learner.learning_starts=%d", LEARNING_STARTS);
    (void)snprintf(next_set(b), SET_CHARS, "learner.gradient_steps=%d", GRADIENT_STEPS);
    for (int i = 0; i < spec->n_sets; i++) {
        basal_assert(b->n_sets < BENCH_SETS_MAX);
        b->sets[b->n_sets++] = spec->sets[i];
    }
    const struct house_spec house = {.config_path = spec->config_path,
                                     .sets = b->sets,
                                     .n_sets = b->n_sets,
                                     .kind = PLANT_EMULATED,
                                     .seed = spec->seed,
                                     .replay_fd = -1};
    rc = house_open(&b->house, &house, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    b->house.learner.publish = hand_over;
    b->house.learner.to = &b->house.intake;
    learner_publish(&b->house.learner);
    return warm_up(b, ret_why, cap);
}

void bench_robot_close(struct bench_robot *b)
{
    house_close(&b->house);
}

void bench_robot_find(const char *file, char *ret_path, size_t cap)
{
    static const char *const from_program[] = {"/../../../deploy/robots/",
                                               "/../share/basald/robots/"};
    char program[PATH_CHARS * 3];
    (void)snprintf(ret_path, cap, "deploy/robots/%s", file);
    if (access(ret_path, R_OK) == 0) {
        return;
    }
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    for (size_t i = 0; slash != NULL && i < sizeof from_program / sizeof from_program[0]; i++) {
        *slash = '\0';
        (void)snprintf(ret_path, cap, "%s%s%s", program, from_program[i], file);
        if (access(ret_path, R_OK) == 0) {
            return;
        }
    }
    ret_path[0] = '\0';
}

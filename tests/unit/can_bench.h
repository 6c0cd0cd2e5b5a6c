/* The crawler's body on can_double.h's motors behind a line, in real time on a thread of its own,
 * and the plant that talks to it as to real devices. Nothing here judges how fast. */
#pragma once

#include "tests/unit/can_fixture.h"

#include "daemon/line.h"
#include "daemon/plant_inside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_NS (60 * NS_PER_S)

/* patient: a busy machine is no fault of the bus */
#define BENCH_SETS 3
static const char *const bench_sets[BENCH_SETS] = {
    "control.rate_hz=40", "bus.servo.reply_deadline_us=20000", "safety.latency_s=0.025"};

struct bench {
    struct arena mem;
    struct config config;
    struct world *world;
    struct line line;
    int64_t zero_ns;
    pthread_t thread;
    _Atomic bool leaving;
    _Atomic bool unplugged;
    struct clock clock; /* the plant's: real */
    struct plant *plant;
    struct reopen reopen[BUSES_MAX];
    struct sensed sensed;
    uint64_t fresh;
    int event;
};

static inline int64_t bench_now_ns(void)
{
    return clock_now_ns(&(const struct clock){0});
}

static inline void *bench_life(void *arg)
{
    struct bench *b = arg;
    const struct timespec pause = {.tv_nsec = 100 * NS_PER_US};
    while (!atomic_load(&b->leaving)) {
        char reason[WHY_CHARS];
        const bool away = atomic_load(&b->unplugged);
        (void)nanosleep(&pause, NULL);
        world_advance(b->world, bench_now_ns() - b->zero_ns);
        if (away) {
            line_unplug(&b->line);
        } else if (b->line.fd >= 0 ||
                   line_plug(&b->line, &b->config.robot, 0, reason, sizeof reason) == 0) {
            line_carry(&b->line, b->world, 0);
        }
    }
    return NULL;
}

/* device: as the robot file would have it. */
static inline void bench_open(struct bench *b, const char *device, const char *bus_keys)
{
    char text[TEXT_MAX], reason[WHY_CHARS] = "";
    memset(b, 0, sizeof *b);
    assert_int_equal(arena_open(&b->mem, "bench", MEMORY), 0);
    const struct config_text from = {
        .text = text, .n = can_robot(device, bus_keys, text), .name = "bench.yaml"};
    if (config_load_text(&b->config, &from, bench_sets, BENCH_SETS, &b->mem, reason,
                         sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    assert_int_equal(world_open(&b->world, &b->config, 1, &b->mem, reason, sizeof reason), 0);
    line_init(&b->line, &b->config.robot, 0, NULL);
    const struct plant_spec spec = {
        .config = &b->config, .kind = PLANT_DEVICES, .clock = &b->clock, .seed = 1};
    assert_int_equal(plant_open(&b->plant, &spec, &b->mem, reason, sizeof reason), 0);
}

static inline void bench_start(struct bench *b)
{
    b->zero_ns = bench_now_ns();
    assert_int_equal(pthread_create(&b->thread, NULL, bench_life, b), 0);
}

static inline void bench_stop(struct bench *b)
{
    atomic_store(&b->leaving, true);
    (void)pthread_join(b->thread, NULL);
}

static inline void bench_close(struct bench *b)
{
    plant_close(b->plant);
    line_unplug(&b->line);
    world_close(b->world);
    arena_close(&b->mem);
}

static inline void bench_tick(struct bench *b, enum plant_do what, const struct command *cmd)
{
    const struct timespec pause = {.tv_nsec = NS_PER_MS};
    const int64_t t_ns = bench_now_ns();
    plant_service(b->plant, t_ns, b->reopen);
    plant_read(b->plant, t_ns, &b->sensed, &b->fresh);
    b->event = plant_do(b->plant, what);
    if (cmd != NULL) {
        plant_write(b->plant, cmd);
    }
    (void)nanosleep(&pause, NULL);
}

static inline void bench_until(struct bench *b, enum plant_do what, enum fsm_event event)
{
    const int64_t until_ns = bench_now_ns() + PATIENCE_NS;
    do {
        if (bench_now_ns() > until_ns) {
            fail_msg("never %s: %s %s", fsm_event_name(event), plant_why(b->plant),
                     b->reopen[0].why);
        }
        bench_tick(b, what, NULL);
    } while (b->event != (int)event);
}

/* Some ticks in which every joint answers. */
static inline void bench_fresh(struct bench *b, enum plant_do what, const struct command *cmd)
{
    const int64_t until_ns = bench_now_ns() + PATIENCE_NS;
    for (int good = 0; good < 20; good += (b->fresh & ALL_JOINTS) == ALL_JOINTS) {
        if (bench_now_ns() > until_ns) {
            fail_msg("joints do not answer");
        }
        bench_tick(b, what, cmd);
    }
}

/* Identified, armed, driven, stopped: torque on and off as it should be. */
static inline void bench_ride(struct bench *b)
{
    bench_until(b, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    bench_fresh(b, PLANT_LISTEN, NULL);
    assert_true(plant_ready(b->plant));
    assert_int_equal(b->sensed.torque[0], TORQUE_OFF);
    bench_until(b, PLANT_ARM, EVENT_ARMED);
    bench_fresh(b, PLANT_RUN, NULL);
    struct command cmd = {.n = 3};
    cmd.mode[0] = cmd.mode[1] = MODE_POSITION;
    cmd.q[0] = 0.2;
    cmd.q[1] = b->sensed.q[1];
    const int64_t until_ns = bench_now_ns() + PATIENCE_NS;
    while (!(b->sensed.q[0] > 0.15)) {
        assert_true(bench_now_ns() < until_ns);
        bench_tick(b, PLANT_RUN, &cmd);
    }
    assert_int_equal(b->sensed.torque[0], TORQUE_ON);
    bench_until(b, PLANT_STOP, EVENT_STOPPED);
    assert_int_equal(b->sensed.torque[0], TORQUE_OFF);
    const struct plant_counters *c = plant_counters(b->plant);
    assert_true(c->frames_tx[0] > 0 && c->frames_rx[0] > 0);
    assert_int_equal(c->crc_errors, 0);
}

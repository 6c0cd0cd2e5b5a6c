/*
 * The real loop on virtual time: a house with the emulated crawler, driven step by step. What
 * another thread would do (answer, publish, keep its beat) the test does between two steps.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/house.h"

#include <stdlib.h>

struct rig {
    struct house house;
    struct record last;
    int records; /* that came with the last step */
    struct happened happened;
    struct reply reply;
    char why[WHY_CHARS];
};

static inline void rig_open(struct rig *r, const char *const *sets, int n_sets)
{
    const struct house_spec spec = {.config_path = SOURCE_DIR "/deploy/robots/crawler.yaml",
                                    .sets = sets,
                                    .n_sets = n_sets,
                                    .kind = PLANT_EMULATED,
                                    .virtual_clock = true,
                                    .seed = 1,
                                    .replay_fd = -1};
    const int rc = house_open(&r->house, &spec, r->why, (int)sizeof r->why);
    if (rc < 0) {
        print_message("%s\n", r->why);
    }
    assert_int_equal(rc, 0);
    loop_begin(&r->house.loop);
}

static inline struct rig *rig_new(const char *const *sets, int n_sets)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    rig_open(r, sets, n_sets);
    return r;
}

static inline void rig_free(struct rig *r)
{
    house_close(&r->house);
    free(r);
}

static inline struct loop_state *rig_state(struct rig *r)
{
    return &r->house.loop.st;
}

/* What came out of the loop's rings; r->happened keeps the last change of state. */
static inline void rig_listen(struct rig *r)
{
    struct shared *s = r->house.shared;
    struct happened h;
    r->records = 0;
    while (ring_pop(&s->telemetry, &r->last)) {
        r->records++;
    }
    while (ring_pop(&s->happened, &h)) {
        r->happened = h.kind == HAPPENED_STATE ? h : r->happened;
    }
    while (ring_pop(&s->replies, &r->reply)) {
    }
    atomic_fetch_add(&s->main_beats, 1);
    atomic_fetch_add(&s->comms_beats, 1);
}

static inline bool rig_step(struct rig *r)
{
    const bool goes_on = loop_step(&r->house.loop);
    rig_listen(r);
    return goes_on;
}

static inline void rig_ask(struct rig *r, enum request_kind kind, uint32_t flags)
{
    const struct request q = {.id = 1, .kind = kind, .flags = flags};
    assert_true(ring_push(&r->house.shared->requests, &q));
}

static inline void rig_until(struct rig *r, enum fsm_state state)
{
    for (int i = 0; i < 3000 && rig_state(r)->fsm.state != state; i++) {
        rig_step(r);
    }
    assert_int_equal(rig_state(r)->fsm.state, state);
}

/* Armed and running, some periods on. */
static inline void rig_run(struct rig *r, uint32_t flags)
{
    rig_until(r, STATE_LIMP);
    while (!plant_ready(r->house.plant)) {
        rig_step(r);
    }
    rig_ask(r, REQUEST_ARM, 0);
    rig_until(r, STATE_READY);
    rig_ask(r, REQUEST_RUN, flags);
    rig_until(r, STATE_RUNNING);
    for (int i = 0; i < 100; i++) {
        rig_step(r);
    }
    assert_int_equal(rig_state(r)->fsm.state, STATE_RUNNING);
}

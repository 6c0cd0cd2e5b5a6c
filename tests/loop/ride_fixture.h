/* The loop, its state machine and its safety over the emulated crawler, in lockstep, tick by tick.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/crawler_fixture.h"

#include <stdlib.h>
#include <string.h>

#define TICK_NS   (10 * NS_PER_MS)
#define TICKS_MAX 1000

struct ride {
    struct house house;
    int64_t planned_ns;
    char said[WHY_CHARS];    /* by the last trip */
    char changed[WHY_CHARS]; /* by the last change of state */
    char written[WHY_CHARS]; /* by the plant */
    char missing[WHY_CHARS]; /* the same, why it is not ready, at first */
    enum refusal refusal;    /* of the last request */
    char why[WHY_CHARS];     /* ... and its reason */
};

static inline int open_ride(void **state)
{
    *state = calloc(1, sizeof(struct ride));
    return *state != NULL ? 0 : -1;
}

static inline int close_ride(void **state)
{
    struct ride *r = *state;
    house_close(&r->house);
    free(r);
    return 0;
}

static inline void start(struct ride *r, const char *const *sets, int n_sets)
{
    char reason[WHY_CHARS] = "";
    const struct house_spec spec = crawler_spec(sets, n_sets);
    if (house_open(&r->house, &spec, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

static inline void tick(struct ride *r)
{
    struct shared *s = r->house.shared;
    struct record record;
    struct happened h;
    struct reply reply;
    loop_tick(&r->house.loop, r->planned_ns, 0, 0);
    r->planned_ns += TICK_NS;
    while (ring_pop(&s->telemetry, &record)) {
    }
    while (ring_pop(&s->replies, &reply)) {
        r->refusal = reply.refusal;
        memcpy(r->why, reply.why, sizeof r->why);
    }
    while (ring_pop(&s->happened, &h)) {
        if (h.kind == HAPPENED_TRIP) {
            memcpy(r->said, h.text, sizeof r->said);
        } else if (h.kind == HAPPENED_STATE) {
            memcpy(r->changed, h.text, sizeof r->changed);
        } else if (h.kind == HAPPENED_SETTINGS) {
            memcpy(r->written, h.text, sizeof r->written);
        } else if (h.kind == HAPPENED_PLANT && r->missing[0] == '\0') {
            memcpy(r->missing, h.text, sizeof r->missing);
        }
    }
}

static inline enum fsm_state now(const struct ride *r)
{
    return r->house.loop.st.fsm.state;
}

static inline void until(struct ride *r, enum fsm_state state)
{
    for (int i = 0; now(r) != state; i++) {
        if (i == TICKS_MAX) {
            fail_msg("still %s, not %s: %s", fsm_state_name(now(r)), fsm_state_name(state),
                     plant_why(r->house.plant));
        }
        tick(r);
    }
}

static inline void ask(struct ride *r, enum request_kind kind)
{
    const struct request q = {.id = 1, .kind = kind, .flags = RUN_RANDOM};
    r->refusal = REFUSED_NOT;
    assert_true(ring_push(&r->house.shared->requests, &q));
    tick(r);
}

static inline void run(struct ride *r)
{
    until(r, STATE_LIMP);
    tick(r);
    ask(r, REQUEST_ARM);
    if (r->refusal != REFUSED_NOT) {
        fail_msg("arm is refused: %s", r->why);
    }
    until(r, STATE_READY);
    ask(r, REQUEST_RUN);
    until(r, STATE_RUNNING);
}

static inline const struct sensed *sensed(const struct ride *r)
{
    return &r->house.loop.st.sensed;
}

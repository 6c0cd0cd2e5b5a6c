/* An arm that carries its own weight, in lockstep, tick by tick; and how its tip comes down. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/chain.h"
#include "daemon/house.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define G_M_S2 9.81

struct arm_rig {
    struct house house;
    struct chain chain;
    int64_t planned_ns;
    char said[WHY_CHARS];    /* by the last trip */
    char changed[WHY_CHARS]; /* by the last change of state that said something */
    char reset[WHY_CHARS];   /* by the last reset that said something */
    enum refusal refusal;    /* of the last request */
    char why[WHY_CHARS];
    uint32_t seen;                        /* a bit per state since fall_begin */
    double from_m, lowest_m, fastest_m_s; /* of the tip since then, downwards */
    double tip_m;
};

static inline int arm_setup(void **state)
{
    *state = calloc(1, sizeof(struct arm_rig));
    return *state != NULL ? 0 : -1;
}

static inline int arm_teardown(void **state)
{
    struct arm_rig *r = *state;
    house_close(&r->house);
    free(r);
    return 0;
}

/* Height of the tip, from the body itself. */
static inline double tip_height_m(struct arm_rig *r)
{
    struct sensed truth;
    struct frame link[CHAIN_MAX], tool;
    double q[CHAIN_MAX];
    assert_true(plant_truth(r->house.plant, &truth));
    for (int i = 0; i < r->chain.n; i++) {
        q[i] = truth.q[r->chain.link[i].joint];
    }
    chain_frames(&r->chain, q, link, &tool);
    return tool.p[2];
}

static inline void arm_open(struct arm_rig *r, const char *path, const char *const *sets,
                            int n_sets)
{
    char reason[WHY_CHARS] = "";
    const struct house_spec spec = {.config_path = path,
                                    .sets = sets,
                                    .n_sets = n_sets,
                                    .kind = PLANT_EMULATED,
                                    .virtual_clock = true,
                                    .seed = 1,
                                    .replay_fd = -1};
    if (house_open(&r->house, &spec, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    assert_int_equal(chain_init(&r->chain, &r->house.config.robot, reason, sizeof reason), 0);
    r->tip_m = tip_height_m(r);
}

static inline enum fsm_state arm_state(const struct arm_rig *r)
{
    return r->house.loop.st.fsm.state;
}

static inline void arm_listen(struct arm_rig *r)
{
    struct shared *s = r->house.shared;
    struct record record;
    struct happened h;
    struct reply reply;
    while (ring_pop(&s->telemetry, &record)) {
    }
    while (ring_pop(&s->replies, &reply)) {
        r->refusal = reply.refusal;
        memcpy(r->why, reply.why, sizeof r->why);
    }
    while (ring_pop(&s->happened, &h)) {
        if (h.kind == HAPPENED_TRIP) {
            memcpy(r->said, h.text, sizeof r->said);
        } else if (h.kind == HAPPENED_STATE && h.text[0] != '\0') {
            memcpy(r->changed, h.text, sizeof r->changed);
        } else if (h.kind == HAPPENED_RESET) {
            memcpy(r->reset, h.text, sizeof r->reset);
        }
    }
}

static inline void arm_tick(struct arm_rig *r)
{
    loop_tick(&r->house.loop, r->planned_ns, 0, 0);
    r->planned_ns += r->house.loop.period_ns;
    const double tip_m = tip_height_m(r);
    r->fastest_m_s = fmax(r->fastest_m_s, (r->tip_m - tip_m) / r->house.loop.dt_s);
    r->lowest_m = fmin(r->lowest_m, tip_m);
    r->tip_m = tip_m;
    r->seen |= UINT32_C(1) << arm_state(r);
    arm_listen(r);
}

static inline void fall_begin(struct arm_rig *r)
{
    r->from_m = r->lowest_m = r->tip_m;
    r->fastest_m_s = 0.0;
    r->seen = 0;
}

/* From how high something let go would hit as fast as the tip has come down. */
static inline double drop_m(const struct arm_rig *r)
{
    return r->fastest_m_s * r->fastest_m_s / (2.0 * G_M_S2);
}

static inline void fall_report(const struct arm_rig *r, const char *what)
{
    print_message("%-44s down %.3f m, at most %.3f m/s: as if dropped from %.4f m; ends in %s\n",
                  what, r->from_m - r->lowest_m, r->fastest_m_s, drop_m(r),
                  fsm_state_name(arm_state(r)));
}

static inline bool was_in(const struct arm_rig *r, enum fsm_state state)
{
    return (r->seen >> state & 1u) != 0;
}

static inline void arm_for(struct arm_rig *r, double seconds)
{
    for (int i = 0; i < (int)(seconds / r->house.loop.dt_s); i++) {
        arm_tick(r);
    }
}

static inline void arm_until(struct arm_rig *r, enum fsm_state state)
{
    for (int i = 0; arm_state(r) != state; i++) {
        if (i == 8000) {
            fail_msg("still %s, not %s: %s; %s", fsm_state_name(arm_state(r)),
                     fsm_state_name(state), r->said, r->changed);
        }
        arm_tick(r);
    }
}

static inline void arm_ask(struct arm_rig *r, enum request_kind kind, uint32_t flags)
{
    const struct request q = {.id = 1, .kind = kind, .flags = flags};
    r->refusal = REFUSED_NOT;
    assert_true(ring_push(&r->house.shared->requests, &q));
    arm_tick(r);
}

static inline void arm_run(struct arm_rig *r, uint32_t flags)
{
    arm_until(r, STATE_LIMP);
    arm_tick(r);
    arm_ask(r, REQUEST_ARM, 0);
    if (r->refusal != REFUSED_NOT) {
        fail_msg("arm is refused: %s", r->why);
    }
    arm_until(r, STATE_READY);
    arm_ask(r, REQUEST_RUN, flags);
    arm_until(r, STATE_RUNNING);
}

static inline void arm_stop_bit(struct arm_rig *r, uint32_t bit)
{
    atomic_fetch_or(&r->house.shared->stop, bit);
    arm_tick(r);
}

/*
 * Every transition of a small world: a corridor that sometimes slips, listed by hand. Its state has
 * a part that nobody observes, which must not multiply it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/task_rows.h"
#include "tests/unit/probe_fixture.h"

#include <errno.h>
#include <stdio.h>

/*
 * Cells 0 to 3, begin in 1, end in 3. Right goes on with 0.8 and stays with 0.2; left goes back for
 * sure, and is no choice in cell 0. Steps are counted, unseen.
 */
enum { LEFT, RIGHT };

struct corridor {
    int cell, steps;
};

static int cells = 4; /* the end is the last */

static int corridor_open(const void *config, const struct robot *robot, struct arena *mem,
                         void **ret_self, char *ret_why, int cap)
{
    (void)config;
    (void)robot;
    (void)ret_why;
    (void)cap;
    *ret_self = arena_take(mem, 1);
    return 0;
}

static size_t corridor_bytes(const void *self)
{
    (void)self;
    return sizeof(struct corridor);
}

static void corridor_reset(void *self, void *state, struct rng *rng)
{
    (void)self;
    (void)rng;
    *(struct corridor *)state = (struct corridor){.cell = 1};
}

static void corridor_sense(void *self, const void *state, struct rng *noise, struct sensed *ret_s)
{
    (void)self;
    (void)noise;
    const struct corridor *c = state;
    memset(ret_s, 0, sizeof *ret_s);
    ret_s->legal = c->cell == 0 ? UINT64_C(1) << RIGHT : ~UINT64_C(0);
    ret_s->extra[0] = c->cell;
}

static int corridor_outcomes(void *self, const void *state, const struct command *cmd,
                             void *ret_states, double *ret_p, int n_max)
{
    (void)self;
    const struct corridor *c = state;
    struct corridor *to = ret_states;
    assert_true(n_max >= 2);
    assert_true(c->cell != cells - 1);                /* an end is not gone on from */
    assert_true(cmd->choice == RIGHT || c->cell > 0); /* what is not legal is not tried */
    to[0] = (struct corridor){c->cell + (cmd->choice == RIGHT ? 1 : -1), c->steps + 1};
    to[1] = (struct corridor){c->cell, c->steps + 1};
    ret_p[0] = cmd->choice == RIGHT ? 0.8 : 1.0;
    ret_p[1] = 0.2;
    return cmd->choice == RIGHT ? 2 : 1;
}

static const struct sim corridor = {
    .name = "corridor",
    .open = corridor_open,
    .state_bytes = corridor_bytes,
    .reset = corridor_reset,
    .sense = corridor_sense,
    .outcomes = corridor_outcomes,
};

static const struct slot_kind *slot_of(const char *name)
{
    const struct slot_kind *k = slot_kinds;
    for (; strcmp(k->name, name) != 0; k++) {
    }
    return k;
}

static const struct reward_kind *reward_of(const char *name)
{
    const struct reward_kind *k = reward_kinds;
    for (; strcmp(k->name, name) != 0; k++) {
    }
    return k;
}

/* Observed is the cell; a cell gained is worth 10, a step costs 1; the clock would end it at once.
 */
static void make_config(struct config *ret_config, const struct policy *p)
{
    probe_config(ret_config, p);
    struct config *c = ret_config;
    c->sim = &corridor;
    c->sim_settings.substep_us = 50000;
    c->robot.direct = true;
    c->robot.n_choices = 2;
    c->robot.n_extra = 1;
    c->robot.extra[0] = (struct extra_spec){.name = "cell", .n = 1};
    c->task.settings.actuation = ACTUATE_HOLD;
    c->task.settings.episode_s = 0.05;
    c->task.n_slots = 1;
    c->task.slot[0] = (struct slot){.kind = slot_of("extra"), .term = {.n = 1, .scale = 1.0}};
    (void)snprintf(c->task.slot[0].term.extra, NAME_CHARS, "cell");
    c->task.n_rewards = 2;
    c->task.reward[0] = (struct reward){.kind = reward_of("gain"), .term = {.weight = 10.0}};
    (void)snprintf(c->task.reward[0].term.extra, NAME_CHARS, "cell");
    c->task.reward[1] = (struct reward){.kind = reward_of("step"), .term = {.weight = -1.0}};
    c->task.n_ends = 1;
    c->task.end[0] = (struct end){.kind = &end_kinds[1], .term = {.min = -1.0, .max = 2.5}};
    assert_string_equal(end_kinds[1].name, "extra_outside");
    (void)snprintf(c->task.end[0].term.extra, NAME_CHARS, "cell");
}

static void every_transition_is_there_once(void **state)
{
    (void)state;

    static const struct {
        float s, a, r, s2, g, w;
    } want[] = {
        /* breadth-first from cell 1; left of 1 is found before right of it */
        {1, LEFT, -11, 0, 0.9f, 1.0f}, {1, RIGHT, 9, 2, 0.9f, 0.8f},  {1, RIGHT, -1, 1, 0.9f, 0.2f},
        {0, RIGHT, 9, 1, 0.9f, 0.8f},  {0, RIGHT, -1, 0, 0.9f, 0.2f}, {2, LEFT, -11, 1, 0.9f, 1.0f},
        {2, RIGHT, 9, 3, 0.0f, 0.8f},  {2, RIGHT, -1, 2, 0.9f, 0.2f},
    };

    static struct config c;
    const struct policy p = probe_policy((struct wants){.needs = NEEDS_MODEL, .seg_len = 1});
    struct model m;
    struct arena mem;
    char reason[WHY_CHARS] = "";
    make_config(&c, &p);
    assert_int_equal(arena_open(&mem, "batch", (size_t)1 << 20), 0);
    if (model_open(&m, &c, 1, &mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    const struct batch *b = &m.batch;
    assert_int_equal(m.states, 3); /* however many steps it took to come there */
    assert_int_equal(m.transitions, 8);
    assert_int_equal(b->n, 8);
    assert_int_equal(b->seg_len, 1);
    assert_null(b->valid);
    for (int i = 0; i < b->n; i++) {
        if (b->s[i] != want[i].s || b->a[i] != want[i].a || b->r[i] != want[i].r ||
            b->s2[i] != want[i].s2 || b->g[i] != want[i].g || b->w[i] != want[i].w) {
            fail_msg("row %d: s %g a %g r %g s2 %g g %g w %g", i, (double)b->s[i], (double)b->a[i],
                     (double)b->r[i], (double)b->s2[i], (double)b->g[i], (double)b->w[i]);
        }
        assert_int_equal(b->legal[i] & 1, b->s[i] != 0.0f);
        assert_int_equal(b->legal2[i] & 1, b->s2[i] != 0.0f);
    }
    arena_close(&mem);
}

/* The learner gives all of it in each update it owes, without a row in the replay. */
static void the_learner_gives_it_whole(void **state)
{
    (void)state;
    static struct config c;
    static struct shared shared;
    static struct learner l;
    static struct task t;
    const struct policy p = probe_policy((struct wants){.needs = NEEDS_MODEL, .seg_len = 1});
    struct model m;
    struct dims d;
    struct arena mem;
    char reason[WHY_CHARS] = "";
    make_config(&c, &p);
    assert_int_equal(arena_open(&mem, "learner", (size_t)64 << 20), 0);
    assert_int_equal(task_open(&t, &c.task, &c.robot, reason, sizeof reason), 0);
    problem_dims(&c, &t, &d);
    assert_int_equal(problem_check(&c, &d, reason, sizeof reason), 0);
    assert_int_equal(model_open(&m, &c, 1, &mem, reason, sizeof reason), 0);
    d.batch = m.transitions;
    const struct learner_spec spec = {.config = &c, .dims = &d, .shared = &shared, .model = &m};
    assert_int_equal(learner_open(&l, &spec, &mem, reason, sizeof reason), 0);
    assert_false(learner_step(&l));
    atomic_store(&shared.steps, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(learner_step(&l));
        assert_int_equal(probe.batch.n, 8);
        assert_int_equal(probe.batch.step, 3);
    }
    assert_false(learner_step(&l));
    arena_close(&mem);
}

static void worlds_that_cannot_be_listed_are_refused(void **state)
{
    (void)state;
    static struct config c;
    const struct policy p = probe_policy((struct wants){.needs = NEEDS_MODEL, .seg_len = 1});
    struct model m;
    struct arena mem;
    char reason[WHY_CHARS] = "";
    assert_int_equal(arena_open(&mem, "batch", (size_t)1 << 30), 0);
    make_config(&c, &p);
    c.robot.control_rate_hz = 40.0;
    assert_int_equal(model_open(&m, &c, 1, &mem, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "must both be 1e6 / sim.substep_us = 20, not 20 and 40"));
    make_config(&c, &p);
    cells = 1 << 20;
    c.task.n_ends = 0;
    assert_int_equal(model_open(&m, &c, 1, &mem, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "sim corridor has more than 50000 states with this task"));
    cells = 4;
    arena_close(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_transition_is_there_once),
        cmocka_unit_test(the_learner_gives_it_whole),
        cmocka_unit_test(worlds_that_cannot_be_listed_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

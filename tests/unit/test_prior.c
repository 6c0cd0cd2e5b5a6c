/*
 * Prior data: where they are looked for, what is refused with which sentence, and that a learner
 * whose house has them learns from them, as often as without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/hash.h"
#include "daemon/problem.h"
#include "policies/replay_segment.h"
#include "tests/unit/crawler_fixture.h"
#include "tests/unit/folder_fixture.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define ROWS 50

static const char *const small[] = {"policy.net_arch=[8]",  "learner.batch_size=8",
                                    "replay.capacity=1000", "learner.learning_starts=10",
                                    "learner.train_freq=1", "learner.gradient_steps=1"};

enum { SMALL = sizeof small / sizeof small[0] };

/* A house with these settings beside the small ones. */
static int open_house(struct house *ret_house, const char *prior, const char *const *more,
                      int n_more, char *ret_why)
{
    const char *sets[16];
    int n = 0;
    for (int i = 0; i < SMALL; i++) {
        sets[n++] = small[i];
    }
    for (int i = 0; i < n_more; i++) {
        sets[n++] = more[i];
    }
    struct house_spec spec = crawler_spec(sets, n);
    spec.prior = prior;
    ret_why[0] = '\0';
    return house_open(ret_house, &spec, ret_why, WHY_CHARS);
}

/* Rows of its own, k in the first number of each observation. */
static void live(struct house *h, int rows, float from)
{
    static const float act[ACT_MAX];
    static struct observation o;
    struct period p = {.opens = true, .asked = act, .applied = act, .obs2 = &o};
    o = (struct observation){.n = h->loop.task.n_obs};
    for (int k = 0; k <= rows; k++) {
        o.v[0] = from + (float)k;
        p.closes = k > 0;
        p.reward = from;
        replay_commit(h->replay, &p);
        atomic_store(&h->shared->steps, (uint64_t)k);
        while (learner_step(&h->learner)) {
        }
    }
}

/* The segment of a crawler's house after so many rows, as a file in the folder. */
static void make_prior(const struct folder *f, const char *name, int rows)
{
    char reason[WHY_CHARS];
    struct house *h = calloc(1, sizeof *h);
    assert_int_equal(open_house(h, NULL, NULL, 0, reason), 0);
    live(h, rows, 500.0f);
    folder_write(f, name, replay_data(h->replay), replay_bytes(h->replay));
    house_close(h);
    free(h);
}

static uint8_t *read_whole(const struct folder *f, const char *name, size_t *ret_n)
{
    uint8_t *bytes = folder_read(f, name, ret_n);
    if (bytes == NULL || *ret_n < sizeof(struct segment_header)) {
        abort();
    }
    return bytes;
}

static void path_of(const struct folder *f, const char *name, char *ret_path)
{
    (void)snprintf(ret_path, PATH_CHARS + 64, "%s/%s", f->path, name);
}

static void refused(const char *path, int code, const char *words)
{
    char reason[WHY_CHARS] = "";
    struct prior p;
    assert_int_equal(prior_open(&p, path, reason, sizeof reason), code);
    assert_null(p.replay);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
}

static void a_segment_is_found(void **state)
{
    (void)state;
    struct folder f;
    struct prior p;
    char path[PATH_CHARS + 64], reason[WHY_CHARS] = "";
    size_t n = 0;
    folder_make(&f);
    make_prior(&f, "replay.seg", ROWS);
    uint8_t *bytes = read_whole(&f, "replay.seg", &n);
    const uint64_t hash = hash_fnv1a(HASH_START, bytes, n);
    assert_int_equal(symlinkat(".", f.fd, "last"), 0); /* as a run's folder has one */
    assert_int_equal(mkdirat(f.fd, "run", 0700), 0);
    assert_int_equal(symlinkat("..", f.fd, "run/last"), 0);
    static const char *const names[] = {"replay.seg", "", "last", "run"};
    for (int i = 0; i < 4; i++) {
        path_of(&f, names[i], path);
        assert_int_equal(prior_open(&p, path, reason, sizeof reason), 0);
        assert_true(p.hash == hash);
        assert_int_equal(replay_head(p.replay), ROWS);
        assert_int_equal(replay_bytes(p.replay), n);
        assert_memory_equal(replay_data(p.replay), bytes, n);
        prior_close(&p);
        assert_null(p.replay);
    }
    free(bytes);
    folder_remove(&f);
}

/* It was copied: the file may be cut, written over or removed while the robot learns from it. */
static void the_file_may_go(void **state)
{
    (void)state;
    struct folder f;
    struct prior p;
    char path[PATH_CHARS + 64], reason[WHY_CHARS] = "";
    folder_make(&f);
    make_prior(&f, "data", ROWS);
    path_of(&f, "data", path);
    assert_int_equal(prior_open(&p, path, reason, sizeof reason), 0);
    assert_int_equal(truncate(path, 1), 0);
    float obs[OBS_MAX];
    for (int64_t row = 0; row < ROWS; row++) {
        assert_true(replay_row_obs(p.replay, row, obs));
        assert_true(obs[0] == 500.0f + (float)row);
    }
    prior_close(&p);
    folder_remove(&f);
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    struct folder f;
    char path[PATH_CHARS + 64];
    size_t n = 0;
    folder_make(&f);
    path_of(&f, "nowhere", path);
    refused(path, -ENOENT, "give a replay.seg or its folder");
    refused(f.path, -ENOENT, "there is no checkpoint in it");
    refused("/dev/null", -EBADMSG, "no replay segment");
    folder_write(&f, "empty", "", 0);
    path_of(&f, "empty", path);
    refused(path, -EBADMSG, "no replay segment");
    make_prior(&f, "whole", ROWS);
    uint8_t *bytes = read_whole(&f, "whole", &n);
    folder_write(&f, "cut", bytes, n - 4);
    path_of(&f, "cut", path);
    refused(path, -EBADMSG, "do not fit the segment's size");
    bytes[40] ^= 1; /* within the header */
    folder_write(&f, "header", bytes, n);
    path_of(&f, "header", path);
    refused(path, -EBADMSG, "checksum is wrong");
    folder_write(&f, "state.pb", "damaged", 7); /* a checkpoint that vouches for nothing */
    folder_write(&f, "replay.seg", bytes, n);
    refused(f.path, -EBADMSG, "is damaged: state.pb");
    free(bytes);
    folder_remove(&f);
}

static void a_house_refuses(const char *prior, const char *const *sets, int n, int code,
                            const char *words)
{
    char reason[WHY_CHARS] = "";
    struct house *h = calloc(1, sizeof *h);
    assert_int_equal(open_house(h, prior, sets, n, reason), code);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
    house_close(h);
    free(h);
}

static void settings_that_do_not_go_with_them_are_refused(void **state)
{
    (void)state;
    struct folder f;
    char path[PATH_CHARS + 64];
    size_t n = 0;
    folder_make(&f);
    make_prior(&f, "data", ROWS);
    path_of(&f, "data", path);

    static const struct {
        const char *sets[3], *words;
        int n, code;
    } cases[] = {
        {{"learner.prioritized_replay=rank"}, "learner.prioritized_replay does not", 1, -EINVAL},
        {{"learner.prior_ratio=0"}, "learner.prior_ratio 0 makes 0 of 8", 1, -EINVAL},
        {{"learner.prior_ratio=0.95"}, "learner.prior_ratio 0.95 makes 8 of 8", 1, -EINVAL},
        {{"policy.kind=ppo", "learner.train_freq=48"},
         "policy ppo does not learn from",
         2,
         -EINVAL},
        {{"policy.rate_hz=10"}, "another robot's: its policy rates differ", 1, -EPROTO},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        a_house_refuses(path, cases[i].sets, cases[i].n, cases[i].code, cases[i].words);
    }
    uint8_t *bytes = read_whole(&f, "data", &n);
    const struct segment_header *h = (const struct segment_header *)(const void *)bytes;
    const float nan = NAN;
    memcpy(bytes + sizeof *h + 3 * h->row_words * sizeof nan, &nan, sizeof nan);
    folder_write(&f, "data", bytes, n);
    a_house_refuses(path, NULL, 0, -EBADMSG, "1 rows are damaged, the first: row 3");
    free(bytes);
    make_prior(&f, "data", 0);
    a_house_refuses(path, NULL, 0, -EBADMSG, "not one transition");
    folder_remove(&f);
}

/* Prior data are single steps: policies that want others say so, whatever their kind of others. */
static void policies_of_other_steps_are_refused(void **state)
{
    (void)state;

    static const struct {
        const char *robot, *sets[4];
        unsigned need; /* 0: it takes them */
    } cases[] = {
        {"crawler", {"policy.kind=svg", "policy.k=4"}, NEEDS_SEGMENTS},
        {"crawler", {"policy.kind=ppo", "learner.train_freq=256"}, NEEDS_NEWEST},
        {"crawler", {"policy.kind=sac", "policy.use_sde=true"}, 0},
        {"crawler-grid",
         {"policy.kind=linearq", "policy.features=one_hot", "policy.solver=lspi"},
         NEEDS_SWEEP},
        {"crawler-grid", {"policy.kind=qtable", "policy.solver=value_iteration"}, NEEDS_MODEL},
        {"crawler-grid", {"policy.kind=qtable", "policy.experience_replay=false"}, NEEDS_ONCE},
        {"crawler-grid", {"policy.kind=sarsa", "policy.exploration_final_eps=0"}, NEEDS_ONCE},
        {"crawler-grid", {"policy.kind=qtable", "policy.experience_replay=true"}, 0},
        {"cartpole", {"policy.kind=dqn", "policy.double_q=true"}, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct config c;
        char path[PATH_CHARS], reason[WHY_CHARS] = "", wanted[WHY_CHARS];
        struct arena mem;
        struct wants w;
        int n = 0;
        while (cases[i].sets[n] != NULL) {
            n++;
        }
        assert_int_equal(arena_open(&mem, "config", (size_t)64 << 20), 0);
        (void)snprintf(path, sizeof path, "%s/deploy/robots/%s.yaml", SOURCE_DIR, cases[i].robot);
        if (config_load(&c, path, cases[i].sets, n, &mem, reason, sizeof reason) < 0) {
            fail_msg("%s", reason);
        }
        c.policy->wants(c.policy_config, &w);
        assert_int_equal(w.needs & cases[i].need, cases[i].need);
        reason[0] = '\0';
        assert_int_equal(problem_check_prior(&c, reason, sizeof reason),
                         cases[i].need != 0 ? -EINVAL : 0);
        (void)snprintf(wanted, sizeof wanted,
                       "--prior adds single steps, which policy %s does not learn from: leave it "
                       "out",
                       c.policy->name);
        assert_string_equal(reason, cases[i].need != 0 ? wanted : "");
        arena_close(&mem);
    }
}

/* One life with a learner; the hash of what it learnt. */
static uint64_t learnt(const char *prior, const char *ratio, int64_t *ret_updates,
                       uint64_t *ret_run_id)
{
    char reason[WHY_CHARS] = "";
    struct house *h = calloc(1, sizeof *h);
    if (open_house(h, prior, &ratio, 1, reason) != 0) {
        fail_msg("%s", reason);
    }
    assert_int_equal(h->prior.rows, prior != NULL ? ROWS : 0);
    assert_true((h->learner.mix != NULL) == (prior != NULL));
    live(h, 40, 0.0f);
    const uint64_t hash = learner_hash(&h->learner);
    *ret_updates = h->learner.counters[LEARNER_UPDATES];
    *ret_run_id = h->run_id;
    house_close(h);
    free(h);
    return hash;
}

static void a_learner_learns_from_both(void **state)
{
    (void)state;
    struct folder f;
    char path[PATH_CHARS + 64];
    uint64_t hash[4], run_id[4];
    int64_t updates[4];
    folder_make(&f);
    make_prior(&f, "data", ROWS);
    path_of(&f, "data", path);
    hash[0] = learnt(NULL, "learner.prior_ratio=0.5", &updates[0], &run_id[0]);
    hash[1] = learnt(path, "learner.prior_ratio=0.5", &updates[1], &run_id[1]);
    hash[2] = learnt(path, "learner.prior_ratio=0.5", &updates[2], &run_id[2]);
    hash[3] = learnt(path, "learner.prior_ratio=0.25", &updates[3], &run_id[3]);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(updates[i], 30); /* they begin no sooner, and are no more */
    }
    assert_true(hash[1] == hash[2] && run_id[1] == run_id[2]);
    assert_true(hash[0] != hash[1] && run_id[0] != run_id[1]);
    assert_true(hash[3] != hash[1] && hash[3] != hash[0]);
    folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_found),
        cmocka_unit_test(the_file_may_go),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(settings_that_do_not_go_with_them_are_refused),
        cmocka_unit_test(policies_of_other_steps_are_refused),
        cmocka_unit_test(a_learner_learns_from_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

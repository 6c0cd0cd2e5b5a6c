/* Checkpoints: what was saved is loaded, whatever stops the save the last one stays, damage is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/rng.h"
#include "daemon/checkpoint.h"
#include "tests/unit/folder_fixture.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define REPLAY_N 5000

/* A small run: networks, counters, weights, a replay. */
struct run {
    float w[64][32], m[100];
    int64_t counters[6];
    uint8_t actor[40], weights[300], replay[REPLAY_N];
    size_t weights_n;
    struct tensor tensor[3];
    struct checkpoint_blob blob[4];
    struct checkpoint checkpoint;
};

static void fill(struct run *ret_run, uint64_t seed)
{
    struct run *x = ret_run;
    struct rng r;
    memset(x, 0, sizeof *x);
    rng_seed(&r, seed);
    for (size_t i = 0; i < offsetof(struct run, weights_n); i++) {
        ((uint8_t *)x)[i] = seed == 0 ? 0 : (uint8_t)rng_u64(&r);
    }
    x->weights_n = seed == 0 ? sizeof x->weights : 200 + seed % 100;
    x->tensor[0] = (struct tensor){"actor.0.weight", TENSOR_F32, 2, {64, 32}, x->w};
    x->tensor[1] = (struct tensor){"adam.m", TENSOR_F32, 1, {100}, x->m};
    x->tensor[2] = (struct tensor){"counters", TENSOR_I64, 1, {6}, x->counters};
    x->blob[0] = (struct checkpoint_blob){"actor", x->actor, sizeof x->actor, 0};
    x->blob[1] = (struct checkpoint_blob){"weights", x->weights, x->weights_n, BLOB_VARIES};
    x->blob[2] = (struct checkpoint_blob){"replay.seg", x->replay, REPLAY_N, BLOB_FILE};
    x->blob[3] = (struct checkpoint_blob){"waiting", NULL, 0, BLOB_OPTIONAL | BLOB_VARIES};
    x->checkpoint = (struct checkpoint){
        .run = {.run_id = seed,
                .config_hash = 5,
                .robot_hash = 7,
                .algo = "sac",
                .steps = (int64_t)seed * 100,
                .updates = (int64_t)seed * 200,
                .weights_version = (uint32_t)seed},
        .tensors = x->tensor,
        .n_tensors = 3,
        .blobs = x->blob,
        .n_blobs = 4,
    };
}

static bool same(const struct run *a, const struct run *b)
{
    return memcmp(a->w, b->w, sizeof a->w) == 0 && memcmp(a->m, b->m, sizeof a->m) == 0 &&
           memcmp(a->counters, b->counters, sizeof a->counters) == 0 &&
           memcmp(a->actor, b->actor, sizeof a->actor) == 0 && a->blob[1].n == b->blob[1].n &&
           memcmp(a->weights, b->weights, a->blob[1].n) == 0 &&
           memcmp(a->replay, b->replay, REPLAY_N) == 0 &&
           a->checkpoint.run.steps == b->checkpoint.run.steps &&
           a->checkpoint.run.weights_version == b->checkpoint.run.weights_version;
}

struct bench {
    struct folder folder;
    struct filewriter *w;
    struct checkpoint_store store;
    struct run a, b;
    char why[WHY_CHARS], name[CHECKPOINT_NAME_CHARS];
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    folder_make(&b->folder);
    assert_int_equal(filewriter_open(&b->w, FILEWRITER_ANY), 0);
    return checkpoint_store_open(&b->store, b->w, b->folder.path, 3, b->why, sizeof b->why);
}

static int teardown(void **state)
{
    struct bench *b = *state;
    checkpoint_store_close(&b->store);
    filewriter_close(b->w);
    folder_remove(&b->folder);
    free(b);
    return 0;
}

static int save(struct bench *b, uint64_t seed)
{
    fill(&b->a, seed);
    return checkpoint_save(&b->store, &b->a.checkpoint, b->why, sizeof b->why);
}

/* Which run `last` gives, -1: none. It must be whole. */
static int64_t load_last(struct bench *b)
{
    fill(&b->b, 0);
    (void)strcpy(b->b.checkpoint.run.algo, "sac");
    const int rc =
        checkpoint_load_last(&b->b.checkpoint, &b->store, b->name, b->why, sizeof b->why);
    if (rc < 0) {
        return rc;
    }
    const int64_t seed = b->b.checkpoint.run.steps / 100;
    fill(&b->a, (uint64_t)seed);
    assert_true(same(&b->a, &b->b));
    assert_int_equal(b->b.blob[3].n, 0);
    return seed;
}

static void what_is_saved_is_loaded(void **state)
{
    struct bench *b = *state;
    assert_int_equal(load_last(b), -ENOENT);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        assert_int_equal(save(b, seed), 0);
        assert_int_equal(load_last(b), seed);
        assert_string_equal(b->why, "");
    }
    assert_string_equal(b->name, "ckpt-000000000600");
    assert_int_equal(folder_count(&b->folder), 3 + 1); /* three are kept, and the link */
    assert_int_equal(save(b, 5), 0);                   /* the same step again, after a resume */
    assert_int_equal(load_last(b), 5);
    assert_int_equal(folder_count(&b->folder), 3 + 1);
}

static void a_path_or_the_link_opens_it_too(void **state)
{
    struct bench *b = *state;
    char path[PATH_CHARS + 32];
    assert_int_equal(save(b, 3), 0);
    (void)snprintf(path, sizeof path, "%s/last", b->folder.path);
    fill(&b->b, 0);
    assert_int_equal(checkpoint_load(&b->b.checkpoint, path, b->why, sizeof b->why), 0);
    assert_true(same(&b->a, &b->b));
}

/* The machine stops before each step of a save; then another life opens the folder. */
static void a_save_that_dies_at_any_step_keeps_the_last(void **state)
{
    struct bench *b = *state;
    assert_int_equal(save(b, 1), 0);
    int64_t steps = 0;
    for (int rc = -1; rc < 0; steps++) {
        filewriter_trouble(b->w, &(struct disk_trouble){steps, EIO, 4096});
        rc = save(b, 2);
        filewriter_trouble(b->w, &(struct disk_trouble){0});
        checkpoint_store_close(&b->store);
        assert_int_equal(
            checkpoint_store_open(&b->store, b->w, b->folder.path, 3, b->why, sizeof b->why), 0);
        const int64_t got = load_last(b);
        assert_true(rc == 0 ? got == 2 : got == 1 || got == 2);
    }
    assert_in_range(steps, 15, 40);
    assert_int_equal(folder_count(&b->folder), 2 + 1);
}

_Noreturn static void save_for_ever(struct bench *b, uint64_t seed)
{
    struct filewriter *w;
    struct checkpoint_store store;
    assert_int_equal(filewriter_open(&w, FILEWRITER_PLAIN), 0);
    assert_int_equal(checkpoint_store_open(&store, w, b->folder.path, 2, b->why, sizeof b->why), 0);
    for (;; seed++) {
        fill(&b->a, seed);
        if (checkpoint_save(&store, &b->a.checkpoint, b->why, sizeof b->why) < 0) {
            _exit(1);
        }
    }
}

/* kill -9 at random moments: what load gives is whole, and never older than before. */
static void kill_nine_leaves_a_whole_one(void **state)
{
    struct bench *b = *state;
    struct rng r;
    rng_seed(&r, 6);
    int64_t newest = 0;
    for (int i = 0; i < 25; i++) {
        checkpoint_store_close(&b->store); /* the child has the folder alone */
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            save_for_ever(b, (uint64_t)newest + 1);
        }
        (void)usleep((useconds_t)(1000 + rng_below(&r, 30000)));
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(
            checkpoint_store_open(&b->store, b->w, b->folder.path, 3, b->why, sizeof b->why), 0);
        const int64_t got = load_last(b);
        assert_true(got > 0 ? got >= newest : got == -ENOENT && newest == 0);
        newest = got > 0 ? got : 0;
    }
    print_message("%lld checkpoints in 25 lives\n", (long long)newest);
    assert_true(newest > 0);
}

/* Two writers would drop each other's checkpoints; one who reads takes and removes nothing. */
static void a_folder_has_one_writer(void **state)
{
    struct bench *b = *state;
    struct checkpoint_store other;
    assert_int_equal(save(b, 1), 0);
    assert_int_equal(mkdirat(b->folder.fd, "ckpt-000000000900.new", 0700), 0);
    assert_int_equal(checkpoint_store_open(&other, b->w, b->folder.path, 3, b->why, sizeof b->why),
                     -EBUSY);
    assert_non_null(strstr(b->why, "another basald keeps its run in "));
    assert_int_equal(checkpoint_store_open(&other, NULL, b->folder.path, 3, b->why, sizeof b->why),
                     0);
    checkpoint_store_close(&other);
    assert_int_equal(faccessat(b->folder.fd, "ckpt-000000000900.new", F_OK, 0), 0);
    checkpoint_store_close(&b->store);
    assert_int_equal(
        checkpoint_store_open(&b->store, b->w, b->folder.path, 3, b->why, sizeof b->why), 0);
    assert_int_not_equal(faccessat(b->folder.fd, "ckpt-000000000900.new", F_OK, 0), 0);
}

/* Each file of the newest, damaged at every kilobyte, cut, emptied, missing: refused, and the one
 * before is loaded. */
static void damage_is_refused_and_the_one_before_is_tried(void **state)
{
    struct bench *b = *state;
    static const char *const files[] = {"learner.safetensors", "state.pb", "replay.seg"};
    assert_int_equal(save(b, 1), 0);
    assert_int_equal(save(b, 2), 0);
    for (int f = 0; f < 3; f++) {
        char path[64];
        size_t n = 0;
        (void)snprintf(path, sizeof path, "ckpt-000000000200/%s", files[f]);
        uint8_t *whole = folder_read(&b->folder, path, &n);
        assert_non_null(whole);
        for (size_t at = 0; at < n; at = at + 1024 < n || at == n - 1 ? at + 1024 : n - 1) {
            whole[at] ^= 0x10;
            folder_write(&b->folder, path, whole, n);
            whole[at] ^= 0x10;
            assert_int_equal(load_last(b), 1);
            assert_non_null(strstr(b->why, "ckpt-000000000200 is damaged"));
            folder_write(&b->folder, path, whole, at);
            assert_int_equal(load_last(b), 1);
            assert_non_null(strstr(b->why, "ckpt-000000000200 is damaged"));
        }
        assert_int_equal(unlinkat(b->folder.fd, path, 0), 0);
        assert_int_equal(load_last(b), 1);
        assert_true(strlen(b->why) > 20);
        folder_write(&b->folder, path, whole, n);
        assert_int_equal(load_last(b), 2);
        free(whole);
    }
}

static void another_run_is_refused_and_nothing_is_touched(void **state)
{
    struct bench *b = *state;
    static struct run before;
    char *const why_text = b->why;
    assert_int_equal(save(b, 2), 0);
    for (int k = 0; k < 7; k++) {
        fill(&b->b, 9);
        struct checkpoint *c = &b->b.checkpoint;
        static const char *const says[] = {"algorithm",     "robot",     "configuration",
                                           "type or shape", "no tensor", "replay.seg has",
                                           "at most 100"};
        if (k == 0) {
            (void)strcpy(c->run.algo, "ddpg");
        }
        c->run.robot_hash += k == 1;
        c->run.config_hash += k == 2;
        b->b.tensor[0].dim[0] -= k == 3;
        b->b.tensor[1].name = k == 4 ? "adam.v" : b->b.tensor[1].name;
        b->b.blob[2].n -= k == 5;
        b->b.blob[1].n = k == 6 ? 100 : sizeof b->b.weights;
        before = b->b;
        assert_int_equal(checkpoint_load_at(c, b->store.fd, "last", b->why, sizeof b->why),
                         -EPROTO);
        assert_non_null(strstr(why_text, says[k]));
        assert_true(k != 4 || strstr(why_text, "give the policy and learner settings") != NULL);
        assert_memory_equal(&before, &b->b, sizeof before);
    }
    fill(&b->b, 9);
    b->b.blob[3].flags = 0; /* what is not there and not optional */
    b->b.blob[3].name = "world.bin";
    b->b.blob[1].n = sizeof b->b.weights;
    assert_int_equal(
        checkpoint_load_at(&b->b.checkpoint, b->store.fd, "last", b->why, sizeof b->why), -EPROTO);
    assert_non_null(strstr(b->why, "holds no world.bin"));
}

static void a_full_disk_is_said_and_keeps_the_last(void **state)
{
    struct bench *b = *state;
    assert_int_equal(save(b, 1), 0);
    filewriter_trouble(b->w, &(struct disk_trouble){1, ENOSPC, 0});
    assert_int_equal(save(b, 2), -ENOSPC);
    assert_non_null(strstr(b->why, "No space left on device; free some space"));
    filewriter_trouble(b->w, &(struct disk_trouble){0});
    assert_int_equal(load_last(b), 1);
    assert_int_equal(folder_count(&b->folder), 1 + 1);
    assert_int_equal(save(b, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_saved_is_loaded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_or_the_link_opens_it_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_save_that_dies_at_any_step_keeps_the_last, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(kill_nine_leaves_a_whole_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_has_one_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_refused_and_the_one_before_is_tried, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_run_is_refused_and_nothing_is_touched, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_said_and_keeps_the_last, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

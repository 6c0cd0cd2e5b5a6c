/*
 * A writer at full speed around a small ring, a reader in a thread and one in another process,
 * which draws by priority: what a draw gives is whole rows, or nothing. Every word of row i says i,
 * so that a torn row shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/replay_prioritized.h"
#include "tests/unit/replay_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>

#define N_OBS    200
#define CAPACITY 4  /* the reader is where the writer comes next */
#define EPISODE  50 /* rows, the last of them final */
#define ROWS     150000
#define N_STEPS  2

/* Rows of an episode's end: index EPISODE - 2 closes it, EPISODE - 1 is final. */
static bool is_final(int64_t row)
{
    return row % EPISODE == EPISODE - 1;
}

static float action_of(int64_t row)
{
    return (float)(row % 2001 - 1000) / 1000.0f;
}

static void write_rows(struct replay *r)
{
    for (int64_t next = 0; next < ROWS;) {
        if (next % EPISODE == 0) {
            const struct observation o = seen(N_OBS, (float)next);
            replay_commit(r, &(struct period){.opens = true, .obs2 = &o});
        }
        const float a = action_of(next);
        const bool opens = !is_final(next + 1);
        const struct observation o2 = seen(N_OBS, (float)(next + 1));
        replay_commit(r, &(struct period){.closes = true,
                                          .opens = opens,
                                          .asked = &a,
                                          .applied = &a,
                                          .reward = (float)next,
                                          .logp = (float)next,
                                          .bits = opens ? 0 : ROW_TRUNCATED,
                                          .source = SOURCE_POLICY,
                                          .version = (uint32_t)next,
                                          .obs2 = &o2});
        next += opens ? 1 : 2;
    }
}

/* The first word of batch row i that does not belong to its row; "": all do. */
static void check_row(const struct batch *b, int i, char *ret_why, int cap)
{
    const float *s = b->s + (ptrdiff_t)i * N_OBS, *s2 = b->s2 + (ptrdiff_t)i * N_OBS;
    const int64_t row = (int64_t)s[0], after = (int64_t)s2[0], k = after - row;
    for (int j = 0; j < N_OBS; j++) {
        if (s[j] != s[0] || s2[j] != s2[0]) {
            (void)snprintf(ret_why, (size_t)cap, "word %d of row %lld says %g, of its successor %g",
                           j, (long long)row, (double)s[j], (double)s2[j]);
            return;
        }
    }
    const double r = k == 1 ? (double)row : (double)row + GAMMA * (double)(row + 1);
    const double g = k == 1 ? GAMMA : GAMMA * GAMMA;
    if (is_final(row) || k < 1 || k > N_STEPS || row / EPISODE != after / EPISODE ||
        b->a[i] != action_of(row) || b->version[i] != row || b->logp[i] != (float)row ||
        fabs((double)b->r[i] - r) > 0.1 || fabs((double)b->g[i] - g) > 1e-6 ||
        b->legal[i] != (uint64_t)row || b->legal2[i] != (uint64_t)after) {
        (void)snprintf(ret_why, (size_t)cap,
                       "row %lld, after it %lld: a %g, version %u, logp %g, r %g, g %g",
                       (long long)row, (long long)after, (double)b->a[i], b->version[i],
                       (double)b->logp[i], (double)b->r[i], (double)b->g[i]);
    }
}

struct reading {
    const struct replay *replay;
    int kind; /* enum priority_kind */
    uint64_t seed;
    int64_t drawn;
    char why[256];
};

/* Draw until the writer is done. */
static void *read_rows(void *self)
{
    struct reading *z = self;
    struct drawer d;
    struct batch b;
    struct sample_spec spec = {
        .batch = 4, .n_steps = N_STEPS, .seg_len = 1, .gamma = GAMMA, .logp = true};
    const struct prioritized_spec by = {.kind = z->kind, .batch = 4, .alpha = 0.6, .eps = 1e-6};
    if (arena_open(&d.mem, "draws", (size_t)16 << 20) < 0) {
        (void)snprintf(z->why, sizeof z->why, "no memory");
        return NULL;
    }
    if (z->kind != PRIORITY_UNIFORM) {
        spec.by = prioritized_init(z->replay, &by, &d.mem);
    }
    d.sampler = sampler_init(z->replay, &spec, &d.mem);
    rng_seed(&d.rng, z->seed);
    while (replay_head(z->replay) < ROWS && z->why[0] == '\0') {
        if (!sampler_draw(d.sampler, &d.rng, &b)) {
            continue;
        }
        for (int i = 0; i < b.n && z->why[0] == '\0'; i++) {
            check_row(&b, i, z->why, (int)sizeof z->why);
            z->drawn++;
            if (spec.by != NULL) {
                b.ret_td[i] = (float)(b.version[i] % 13);
            }
        }
        if (spec.by != NULL) {
            prioritized_learnt(spec.by, b.ret_td, b.n);
        }
    }
    arena_close(&d.mem);
    return NULL;
}

/* Verification meanwhile: an overwritten row is no bad row. */
static void *verify_rows(void *self)
{
    struct reading *z = self;
    while (replay_head(z->replay) < ROWS && z->why[0] == '\0') {
        if (replay_verify(z->replay, z->why, (int)sizeof z->why) != 0) {
            return NULL;
        }
        z->drawn++;
    }
    return NULL;
}

/* The process that has only the descriptor: 0, or 1 and a sentence. */
static int other_process(int fd)
{
    static struct reading z = {.kind = PRIORITY_PROPORTIONAL, .seed = 3};
    struct replay *r = NULL;
    if (replay_attach(&r, fd, z.why, (int)sizeof z.why) == 0) {
        z.replay = r;
        (void)read_rows(&z);
    }
    if (z.why[0] != '\0') {
        (void)fprintf(stderr, "the other process: %s\n", z.why);
    }
    return z.why[0] != '\0' || z.drawn == 0;
}

static void readers_see_whole_rows_or_none(void **state)
{
    (void)state;
    static struct reading reading = {.seed = 1}, verifying;
    struct replay *r = replay_make(N_OBS, 1, CAPACITY);
    pthread_t reader, verifier;
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(other_process(replay_fd(r)));
    }
    reading.replay = verifying.replay = r;
    assert_int_equal(pthread_create(&reader, NULL, read_rows, &reading), 0);
    assert_int_equal(pthread_create(&verifier, NULL, verify_rows, &verifying), 0);
    write_rows(r);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(pthread_join(verifier, NULL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_string_equal(reading.why, "");
    assert_string_equal(verifying.why, "");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    print_message("%lld rows written, %lld drawn by a thread, %lld walks\n",
                  (long long)replay_head(r), (long long)reading.drawn, (long long)verifying.drawn);
    assert_true(reading.drawn > 0);
    replay_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_see_whole_rows_or_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

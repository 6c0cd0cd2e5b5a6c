/*
 * Nothing that is forbidden in the tick happens in it. The linker puts a watch before every
 * function that allocates, locks, opens, logs, sleeps, sends or multiplies matrices (list in
 * tests/CMakeLists.txt), and malloc itself is replaced, so that libc's own allocations count too.
 * Thousands of ticks of the real loop in lockstep: set-up, arming, learning with weights arriving,
 * episode ends, refusals, evaluation, lost replies, a fault, an estop, an unplugged bus, stalls.
 */
#include "tests/rt/rt_fixture.h"

#include <errno.h>
#include <sys/types.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* volatile: a compiler knows that malloc changes nothing of ours */
static struct {
    volatile bool in_tick;
    volatile int n;
    const char *volatile first;
    uint64_t ticks;
    volatile uint64_t watched; /* calls seen, also outside of the tick: the watch is awake */
} watch;

static void seen(const char *name)
{
    watch.watched++;
    if (watch.in_tick) {
        watch.n++;
        watch.first = watch.first == NULL ? name : watch.first;
    }
}

/* --- what the linker redirects to __wrap_NAME --- */

/* clang-format off */
#define WATCH(type, name, parameters, arguments)                                                                       \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters { seen(#name); return __real_##name arguments; }

struct zmq_msg;
WATCH(int, pthread_mutex_lock, (void *m), (m))
WATCH(int, pthread_mutex_trylock, (void *m), (m))
WATCH(int, pthread_rwlock_rdlock, (void *m), (m))
WATCH(int, pthread_rwlock_wrlock, (void *m), (m))
WATCH(int, pthread_cond_wait, (void *c, void *m), (c, m))
WATCH(int, pthread_cond_signal, (void *c), (c))
WATCH(int, pthread_cond_broadcast, (void *c), (c))
WATCH(int, pthread_barrier_wait, (void *b), (b))
WATCH(int, sem_wait, (void *s), (s))
WATCH(int, sem_post, (void *s), (s))
WATCH(int, close, (int fd), (fd))
WATCH(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
WATCH(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
WATCH(ssize_t, sendmsg, (int fd, const void *m, int flags), (fd, m, flags))
WATCH(int, usleep, (unsigned us), (us))
WATCH(int, nanosleep, (const void *t, void *ret_left), (t, ret_left))
WATCH(int, clock_nanosleep, (int clock, int flags, const void *t, void *ret_left), (clock, flags, t, ret_left))
WATCH(int, sched_yield, (void), ())
WATCH(void *, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at), (p, n, prot, flags, fd, at))
WATCH(int, munmap, (void *p, size_t n), (p, n))
WATCH(int, madvise, (void *p, size_t n, int how), (p, n, how))
WATCH(void *, fopen, (const char *path, const char *how), (path, how))
WATCH(int, fclose, (void *f), (f))
WATCH(char *, getenv, (const char *name), (name))
WATCH(int, zmq_send, (void *s, const void *p, size_t n, int flags), (s, p, n, flags))
WATCH(int, zmq_msg_recv, (struct zmq_msg *m, void *s, int flags), (m, s, flags))
WATCH(void *, arena_take, (void *a, size_t n), (a, n))
/* clang-format on */

/* These take ...: passed on with what their callers give. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    seen("open");
    return __real_open(path, flags, 0600);
}

void __real_cblas_sgemm(int o, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                        int lda, const float *b, int ldb, float beta, float *c, int ldc);
void __wrap_cblas_sgemm(int o, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                        int lda, const float *b, int ldb, float beta, float *c, int ldc);

void __wrap_cblas_sgemm(int o, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                        int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    seen("cblas_sgemm");
    __real_cblas_sgemm(o, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void __real_log_line(int level, const char *fmt, ...);
void __wrap_log_line(int level, const char *fmt, ...);

void __wrap_log_line(int level, const char *fmt, ...)
{
    seen("log_line");
    __real_log_line(level, "%s", fmt);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
    seen("ioctl");
    return __real_ioctl(fd, request, arg);
}

/* --- the allocator: libc's own calls count too --- */

#ifdef SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    seen("malloc");
}

static void on_free(const volatile void *p)
{
    if (p != NULL) {
        seen("free");
    }
}

static void watch_allocator(void)
{
    assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
}
#else
/* The names that glibc gives its own, for exactly this. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

void *malloc(size_t n)
{
    seen("malloc");
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    seen("calloc");
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    seen("realloc");
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    seen("aligned_alloc");
    return __libc_memalign(align, n);
}

int posix_memalign(void **ret_p, size_t align, size_t n)
{
    seen("posix_memalign");
    *ret_p = __libc_memalign(align, n);
    return *ret_p != NULL ? 0 : ENOMEM;
}

void free(void *p)
{
    if (p != NULL) {
        seen("free");
    }
    __libc_free(p);
}

static void watch_allocator(void)
{
}
#endif

/* --- the scenario --- */

static void hand_over(void *to, const uint8_t *block, size_t n)
{
    (void)intake_block(to, block, n);
}

static struct rig *open_rig(const char *const *sets, int n_sets)
{
    struct rig *r = rig_new(sets, n_sets);
    r->house.learner.publish = hand_over;
    r->house.learner.to = &r->house.intake;
    return r;
}

/* One tick under watch; the learner's and the reader's part outside of it. */
static void tick(struct rig *r)
{
    watch.in_tick = true;
    (void)loop_step(&r->house.loop);
    watch.in_tick = false;
    watch.ticks++;
    rig_listen(r);
    while (learner_step(&r->house.learner)) {
    }
    if (watch.n > 0) {
        fail_msg("%s was called in tick %llu, state %s (%d calls in all)", watch.first,
                 (unsigned long long)watch.ticks, fsm_state_name(rig_state(r)->fsm.state), watch.n);
    }
}

static void ticks(struct rig *r, int n)
{
    for (int i = 0; i < n; i++) {
        tick(r);
    }
}

static void until(struct rig *r, enum fsm_state state)
{
    for (int i = 0; i < 3000 && rig_state(r)->fsm.state != state; i++) {
        tick(r);
    }
    assert_int_equal(rig_state(r)->fsm.state, state);
}

static void until_ready(struct rig *r)
{
    for (int i = 0; i < 3000 && !plant_ready(r->house.plant); i++) {
        tick(r);
    }
    assert_true(plant_ready(r->house.plant));
}

static void run(struct rig *r, uint32_t flags)
{
    until(r, STATE_LIMP);
    until_ready(r);
    rig_ask(r, REQUEST_ARM, 0);
    until(r, STATE_READY);
    rig_ask(r, REQUEST_RUN, flags);
    until(r, STATE_RUNNING);
}

static void refused(struct rig *r, enum request_kind kind)
{
    rig_ask(r, kind, 0);
    tick(r);
    assert_true(r->reply.id == 1 && r->reply.refusal != REFUSED_NOT);
}

static void nothing_forbidden_while_it_learns(void **state)
{
    static const char *const sets[] = {"task.episode_s=1", "learner.learning_starts=20",
                                       "learner.gradient_steps=1", "learner.publish_every=2"};
    struct rig *r = open_rig(sets, 4);
    (void)state;
    refused(r, REQUEST_ARM); /* the devices are not identified yet */
    run(r, 0);
    ticks(r, 3000);
    assert_in_range(rig_state(r)->episode, 20, 40);
    assert_true(rig_state(r)->version > 100);
    refused(r, REQUEST_CLEAR);
    rig_ask(r, REQUEST_EPISODE_END, 0);
    ticks(r, 50);
    const struct request eval = {.id = 1, .kind = REQUEST_EVAL, .x = 1.0};
    assert_true(ring_push(&r->house.shared->requests, &eval));
    ticks(r, 200);
    rig_ask(r, REQUEST_HOLD, 0);
    until(r, STATE_READY);
    rig_ask(r, REQUEST_RUN, RUN_NO_EXPLORE | RUN_NO_LEARN);
    until(r, STATE_RUNNING);
    ticks(r, 200);
    atomic_fetch_or(&r->house.shared->stop, STOP_ASKED);
    until(r, STATE_LIMP);
    run(r, RUN_RANDOM);
    for (int i = 0; i < 60; i++) { /* stalls, the longest beyond the deadman */
        r->house.clock.now_ns = r->house.loop.planned_ns + (int64_t)i * 2 * NS_PER_MS;
        ticks(r, 3);
    }
    assert_int_equal(rig_state(r)->fsm.state, STATE_HOLDING);
    atomic_fetch_or(&r->house.shared->stop, STOP_EXIT);
    for (int i = 0; i < 300; i++) {
        tick(r);
    }
    assert_true(loop_at_rest(&r->house.loop));
    rig_free(r);
}

static void nothing_forbidden_when_it_fails(void **state)
{
    static const char *const sets[] = {"faults.lost=0.05", "faults.corrupted=0.05",
                                       "faults.truncated=0.05", "faults.duplicated=0.05",
                                       "faults.late=0.05"};
    struct rig *r = open_rig(sets, 5);
    (void)state;
    run(r, 0);
    ticks(r, 500);
    assert_true(plant_counters(r->house.plant)->crc_errors > 0);
    atomic_fetch_or(&r->house.shared->stop, STOP_ESTOP);
    until(r, STATE_ESTOP);
    ticks(r, 200);
    rig_ask(r, REQUEST_CLEAR, 0);
    run(r, 0);
    ticks(r, 100);
    rig_state(r)->safety.settings.position_margin_rad = -10.0; /* whatever is measured trips now */
    until(r, STATE_FAULT);
    ticks(r, 200);
    assert_int_equal(rig_state(r)->fsm.state, STATE_FAULT);
    rig_free(r);
}

/* An arm with links, on CAN: it retreats, and it sinks. */
static void nothing_forbidden_while_it_responds(void **state)
{
    const struct house_spec spec = {.config_path = SOURCE_DIR "/tests/loop/arm_can.yaml",
                                    .kind = PLANT_EMULATED,
                                    .virtual_clock = true,
                                    .seed = 1,
                                    .replay_fd = -1};
    struct rig *r = calloc(1, sizeof *r);
    (void)state;
    assert_non_null(r);
    assert_int_equal(house_open(&r->house, &spec, r->why, (int)sizeof r->why), 0);
    loop_begin(&r->house.loop);
    run(r, RUN_RANDOM);
    ticks(r, 20);
    atomic_fetch_or(&r->house.shared->stop, STOP_ASKED);
    until(r, STATE_RETREATING);
    until(r, STATE_LIMP);
    run(r, RUN_RANDOM);
    ticks(r, 20);
    atomic_fetch_or(&r->house.shared->stop, STOP_ESTOP);
    until(r, STATE_DAMPED);
    until(r, STATE_ESTOP);
    rig_free(r);
}

static void nothing_forbidden_when_nobody_answers(void **state)
{
    static const char *const sets[] = {"faults.lost=1"};
    struct rig *r = open_rig(sets, 1);
    (void)state;
    ticks(r, 2000);
    assert_false(plant_ready(r->house.plant));
    refused(r, REQUEST_ARM);
    rig_free(r);
}

/* The watch sees what it should see. */
static void the_watch_is_awake(void **state)
{
    (void)state;
    watch_allocator();
    const uint64_t before = watch.watched;
    void *volatile p = malloc(1);
    assert_true(watch.watched > before);
    free(p);
    assert_true(watch.watched > before + 1);
    struct rig *r = open_rig(NULL, 0); /* reads a file, maps memory */
    assert_true(watch.watched > before + 10);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_watch_is_awake),
        cmocka_unit_test(nothing_forbidden_while_it_learns),
        cmocka_unit_test(nothing_forbidden_when_it_fails),
        cmocka_unit_test(nothing_forbidden_while_it_responds),
        cmocka_unit_test(nothing_forbidden_when_nobody_answers),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_message("%llu ticks watched, %llu calls seen between them\n",
                  (unsigned long long)watch.ticks, (unsigned long long)watch.watched);
    return failed;
}

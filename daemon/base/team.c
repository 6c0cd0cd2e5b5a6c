#include "daemon/base/team.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define SPINS       20000 /* of the helper until it sleeps: of the order of a millisecond */
#define SPINS_YIELD 2000  /* of the caller until it lets others run: a tenth of that */

struct team {
    pthread_t thread;
    sem_t wake;
    void (*work)(void *arg, int half);
    void *arg;
    char pad[CACHE_LINE];
    _Atomic uint32_t asked; /* the release-store publishes work and arg; the helper acquires */
    _Atomic bool asleep, over;
    char pad2[CACHE_LINE];
    _Atomic uint32_t done; /* the helper's release-store; the caller acquires */
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The next job's number: spin, then sleep. Both sides store before they look at the other's word,
 * in one order for all, so that no wake-up is lost. */
static uint32_t next(struct team *t, uint32_t last)
{
    for (int i = 0; i < SPINS; i++) {
        const uint32_t asked = atomic_load_explicit(&t->asked, memory_order_acquire);
        if (asked != last) {
            return asked;
        }
        relax();
    }
    atomic_store(&t->asleep, true);
    while (atomic_load(&t->asked) == last && !atomic_load(&t->over)) {
        (void)sem_wait(&t->wake);
    }
    atomic_store(&t->asleep, false);
    return atomic_load(&t->asked);
}

static void *help(void *arg)
{
    struct team *t = arg;
    for (uint32_t job = 0; !atomic_load_explicit(&t->over, memory_order_acquire);) {
        const uint32_t asked = next(t, job);
        if (asked != job) {
            t->work(t->arg, 1);
            job = asked;
            atomic_store_explicit(&t->done, job, memory_order_release);
        }
    }
    return NULL;
}

int team_start(struct team **ret_team, const struct thread_spec *spec, char *ret_why, int cap)
{
    struct team *t = calloc(1, sizeof *t);
    if (t == NULL || sem_init(&t->wake, 0, 0) != 0) {
        free(t);
        return -ENOMEM;
    }
    const int rc = thread_start(&t->thread, spec, help, t, ret_why, cap);
    if (rc < 0) {
        (void)sem_destroy(&t->wake);
        free(t);
        return rc;
    }
    *ret_team = t;
    return 0;
}

void team_stop(struct team *t)
{
    if (t == NULL) {
        return;
    }
    atomic_store(&t->over, true);
    (void)sem_post(&t->wake);
    (void)pthread_join(t->thread, NULL);
    (void)sem_destroy(&t->wake);
    free(t);
}

void team_run(struct team *t, void (*work)(void *arg, int half), void *arg)
{
    if (t == NULL) {
        work(arg, 0);
        work(arg, 1);
        return;
    }
    t->work = work;
    t->arg = arg;
    const uint32_t job = atomic_load_explicit(&t->asked, memory_order_relaxed) + 1;
    atomic_store(&t->asked, job);
    if (atomic_load(&t->asleep)) {
        (void)sem_post(&t->wake);
    }
    work(arg, 0);
    for (int i = 0; atomic_load_explicit(&t->done, memory_order_acquire) != job;) {
        if (i < SPINS_YIELD) {
            i++;
            relax();
        } else { /* its processor is taken by someone else */
            (void)sched_yield();
        }
    }
}

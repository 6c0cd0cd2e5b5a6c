#include "daemon/truth.h"

#include "daemon/base/clock.h"
#include "daemon/base/ring.h"
#include "daemon/base/thread.h"
#include "daemon/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLES 64 /* six seconds of a disk that does not answer */

struct sample {
    int64_t t_ns;
    int32_t n;
    double q[JOINTS_MAX], qd[JOINTS_MAX];
};

struct truth {
    FILE *file;
    struct ring ring;
    void *block;
    pthread_t thread;
    _Atomic bool over;
};

static void write_all(struct truth *z)
{
    struct sample s;
    while (ring_pop(&z->ring, &s)) {
        struct json_object *o = json_begin();
        json_number(o, "t_s", (double)s.t_ns * 1e-9);
        json_numbers(o, "q", s.q, s.n);
        json_numbers(o, "qd", s.qd, s.n);
        json_print(o, z->file, true);
    }
    (void)fflush(z->file);
}

static void *keep_writing(void *arg)
{
    struct truth *z = arg;
    const struct timespec pause = {.tv_nsec = 50 * NS_PER_MS};
    while (!atomic_load_explicit(&z->over, memory_order_acquire)) {
        write_all(z);
        (void)nanosleep(&pause, NULL);
    }
    write_all(z);
    return NULL;
}

static void give_back(struct truth *z)
{
    if (z->file != NULL) {
        (void)fclose(z->file);
    }
    free(z->block);
    free(z);
}

int truth_open(struct truth **ret_truth, const char *path, char *ret_why, int cap)
{
    static const struct thread_spec spec = {
        .name = "truth", .class = THREAD_NORMAL, .cpu = -1, .not_cpu = -1};
    const size_t bytes = ring_bytes(sizeof(struct sample), SAMPLES);
    struct truth *z = calloc(1, sizeof *z);
    if (z == NULL) {
        return -ENOMEM;
    }
    z->block = aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    z->file = fopen(path, "we");
    int rc = z->block == NULL ? -ENOMEM : 0;
    if (rc == 0 && z->file == NULL) {
        rc = why(ret_why, cap, -errno, "cannot write %s: %s", path, strerror(errno));
    }
    if (rc == 0) {
        memset(z->block, 0, bytes);
        ring_init(&z->ring, z->block, sizeof(struct sample), SAMPLES);
        rc = thread_start(&z->thread, &spec, keep_writing, z, ret_why, cap);
    }
    if (rc < 0) {
        give_back(z);
        return rc;
    }
    *ret_truth = z;
    return 0;
}

void truth_push(struct truth *z, int64_t t_ns, const struct sensed *s)
{
    struct sample sample = {.t_ns = t_ns, .n = s->n};
    memcpy(sample.q, s->q, sizeof sample.q);
    memcpy(sample.qd, s->qd, sizeof sample.qd);
    (void)ring_push(&z->ring, &sample);
}

void truth_close(struct truth *z)
{
    if (z == NULL) {
        return;
    }
    atomic_store_explicit(&z->over, true, memory_order_release);
    (void)pthread_join(z->thread, NULL);
    give_back(z);
}

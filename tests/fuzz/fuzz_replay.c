/*
 * Arbitrary bytes as a replay segment: an error or a segment that can be walked, never a crash. The
 * first byte says which: all of the file, or the rows and counters behind a sound header.
 */
#include "policies/replay_mix.h"
#include "policies/replay_segment.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int raw(const uint8_t *data, size_t n)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0) {
        abort();
    }
    return fd;
}

static int behind_a_header(const uint8_t *data, size_t n)
{
    const struct replay_spec spec = {.capacity = 16, .n_obs = 3, .n_act = 1};
    const size_t from = offsetof(struct segment_header, head);
    struct replay *r = NULL;
    if (replay_create(&r, &spec, NULL, 0) < 0) {
        abort();
    }
    const size_t room = replay_bytes(r) - from;
    memcpy((char *)r->seg + from, data, n < room ? n : room);
    const int fd = dup(replay_fd(r));
    replay_close(r);
    return fd;
}

#define CHOICES 2

/* What a learner of choices does with its actions: they index its values. */
static void look_up(const struct batch *b, int n_act)
{
    static const float q[CHOICES] = {1.0f, 2.0f};
    float sum = 0.0f;
    for (int i = 0; i < b->n * n_act; i++) {
        sum += q[(int)b->a[i]];
        sum += b->a2 != NULL ? q[(int)b->a2[i]] : 0.0f;
    }
    if (!(sum >= 0.0f)) {
        abort();
    }
}

/* Everything that a reader does. */
static void walk(struct replay *r)
{
    char reason[WHY_CHARS];
    float mean[OBS_MAX] = {0}, obs[OBS_MAX];
    const struct sample_spec spec = {
        .batch = 4, .n_steps = 3, .seg_len = 2, .gamma = 0.9, .obs_mean = mean, .obs_scale = mean};
    struct replay_info *info = malloc(sizeof *info);
    struct arena mem;
    struct rng rng;
    struct batch batch;
    rng_seed(&rng, 1);
    if (info == NULL || arena_open(&mem, "fuzz", (size_t)16 << 20) < 0) {
        abort();
    }
    (void)replay_info(r, info);
    (void)replay_verify(r, reason, (int)sizeof reason);
    (void)replay_row_obs(r, info->head - 1, obs);
    (void)sampler_draw(sampler_init(r, &spec, &mem), &rng, &batch);
    const struct sample_spec single = {.batch = 4,
                                       .n_steps = 3,
                                       .seg_len = 1,
                                       .gamma = 0.9,
                                       .as_asked = true,
                                       .next_action = true};
    struct sampler *one = sampler_init(r, &single, &mem);
    if (mix_check(r, r, CHOICES, reason, (int)sizeof reason) > 0) { /* as prior data */
        const struct sample_spec chosen = {
            .batch = 4, .n_steps = 3, .seg_len = 1, .gamma = 0.9, .as_asked = true};
        if (mix_draw(mix_init(r, r, &chosen, 2, &mem), &rng, &batch)) {
            look_up(&batch, r->n_act);
        }
    }
    if (replay_no_choice(r, CHOICES) < 0 && sampler_draw(one, &rng, &batch)) { /* as kept data */
        look_up(&batch, r->n_act);
    }
    arena_close(&mem);
    free(info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char reason[WHY_CHARS];
    struct replay *r = NULL;
    if (n == 0) {
        return 0;
    }
    const int fd = data[0] % 2 == 0 ? raw(data + 1, n - 1) : behind_a_header(data + 1, n - 1);
    if (replay_attach(&r, fd, reason, (int)sizeof reason) == 0 && r != NULL) {
        walk(r);
        replay_close(r);
    } else {
        (void)close(fd);
    }
    return 0;
}

#include "daemon/runfiles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP 3

int runfiles_open(struct runfiles *ret_files, struct house *h, const char *dir, char *ret_why,
                  int cap)
{
    char path[PATH_CHARS + 16];
    struct runfiles *f = ret_files;
    (void)h;
    *f = (struct runfiles){.dir = dir, .metrics = {.fd = -1}, .store = {.fd = -1}};
    if (dir == NULL) {
        return 0;
    }
    int rc = filewriter_open(&f->writer, FILEWRITER_ANY);
    rc = rc == 0 ? filewriter_open(&f->lines, FILEWRITER_ANY) : rc;
    if (rc < 0) {
        return why(ret_why, cap, rc, "out of memory for the files of the run");
    }
    rc = checkpoint_store_open(&f->store, f->writer, dir, KEEP, ret_why, cap);
    if (rc == 0) {
        (void)snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
        rc = metrics_open(&f->metrics, f->lines, path, ret_why, cap);
    }
    return rc;
}

void runfiles_close(struct runfiles *f)
{
    if (f->writer != NULL) {
        metrics_close(&f->metrics);
        checkpoint_store_close(&f->store);
        filewriter_close(f->writer);
        filewriter_close(f->lines);
        f->writer = f->lines = NULL;
    }
}

/* Steps that nobody learns from: one metric, where an algorithm takes only the newest. */
static int put_dropped(const struct house *h, struct metric *ret_metric)
{
    const double steps =
        (double)atomic_load_explicit(&h->shared->learner.dropped, memory_order_relaxed);
    *ret_metric = (struct metric){"rollout/dropped_timesteps", steps, true};
    return h->learner.newest != NULL;
}

void runfiles_metrics(struct runfiles *f, struct house *h, const struct rollout *r)
{
    struct metric v[6 + STATS_MAX] = {
        {"time/total_timesteps", (double)h->loop.st.step, true},
        {"train/n_updates", (double)h->learner.counters[LEARNER_UPDATES], true},
        {"rollout/ep_rew_mean", r->return_sum / (double)r->episodes, false},
        {"rollout/value_mean", r->value_sum / (double)r->episodes, false},
        {"rollout/episodes", (double)r->episodes, true},
    };
    int n = 5;
    n += put_dropped(h, &v[n]);
    for (int i = 0; i < STATS_MAX && h->config.policy->stat_names[i] != NULL; i++) {
        v[n++] = (struct metric){h->config.policy->stat_names[i], h->learner.stats.v[i], false};
    }
    if (f->writer != NULL) {
        metrics_write(&f->metrics, v, n, NULL, 0); /* a full disk is counted, learning goes on */
    }
}

void runfiles_interval(struct runfiles *f, struct house *h, const struct rollout *ended)
{
    const int64_t step = (int64_t)atomic_load_explicit(&h->shared->steps, memory_order_relaxed);
    const struct learner_shared *l = &h->shared->learner;
    f->ended = ended != NULL ? *ended : f->ended;
    if (f->writer == NULL || step == f->step) {
        return;
    }
    f->step = step;
    struct metric v[6 + STATS_MAX] = {
        {"time/total_timesteps", (double)step, true},
        {"train/n_updates", (double)atomic_load_explicit(&l->updates, memory_order_relaxed), true},
        {"time/updates_per_s", atomic_load_explicit(&l->updates_per_s, memory_order_relaxed),
         false},
    };
    int n = 3;
    n += put_dropped(h, &v[n]);
    const int64_t more = f->ended.episodes - f->told.episodes;
    if (more > 0) {
        const double sum = f->ended.return_sum - f->told.return_sum;
        v[n++] = (struct metric){"rollout/ep_rew_mean", sum / (double)more, false};
        const double value = f->ended.value_sum - f->told.value_sum;
        v[n++] = (struct metric){"rollout/value_mean", value / (double)more, false};
        v[n++] = (struct metric){"rollout/episodes", (double)more, true};
        f->told = f->ended;
    }
    for (int i = 0; i < STATS_MAX && h->config.policy->stat_names[i] != NULL; i++) {
        v[n++] = (struct metric){h->config.policy->stat_names[i],
                                 atomic_load_explicit(&l->stat[i], memory_order_relaxed), false};
    }
    metrics_write(&f->metrics, v, n, NULL, 0);
}

/* --- checkpoints --- */

/* What the loop and the intake remember beside their pointers: flat. */
struct flat {
    struct loop_state loop;
    struct task_state task;
    uint32_t have; /* version */
    uint64_t accepted, refused;
};

/* Everything that a checkpoint is a view of; the large buffers are owned. */
struct image {
    struct tensor tensor[TENSORS_MAX];
    struct checkpoint_blob blob[CHECKPOINT_BLOBS_MAX];
    struct checkpoint checkpoint;
    struct flat flat;
    void *world, *replay;            /* owned */
    struct packed *in_use, *waiting; /* owned */
};

static size_t packed_bytes(const struct packed *p)
{
    return p == NULL ? 0 : sizeof *p + (size_t)p->n * sizeof(float);
}

static void add(struct image *m, const char *name, void *p, size_t n, unsigned flags)
{
    basal_assert(m->checkpoint.n_blobs < CHECKPOINT_BLOBS_MAX);
    m->blob[m->checkpoint.n_blobs++] = (struct checkpoint_blob){name, p, n, flags};
}

static void image_free(struct image *m)
{
    if (m != NULL) {
        free(m->world);
        free(m->replay);
        free(m->in_use);
        free(m->waiting);
        free(m);
    }
}

/* Lockstep: what belongs to the loop and the world. In real time another thread owns those; the
 * learner publishes. */
static bool add_world(struct image *m, struct house *h)
{
    const size_t room = intake_slot_bytes(h->intake.n_max), world = plant_state_bytes(h->plant);
    m->in_use = calloc(1, room);
    m->waiting = calloc(1, room);
    m->world = calloc(1, world);
    m->replay = malloc(replay_bytes(h->replay));
    add(m, "weights.in_use", m->in_use, room, BLOB_VARIES);
    add(m, "weights.waiting", m->waiting, room, BLOB_VARIES);
    add(m, "actor", h->loop.actor, h->loop.actor_bytes, 0);
    if (h->loop.task.history > 0) {
        add(m, "pictures", h->loop.pictures,
            (size_t)h->loop.task.history * (size_t)h->loop.task.n_pixels, 0);
    }
    add(m, "loop", &m->flat, sizeof m->flat, 0);
    add(m, "world.bin", m->world, world, BLOB_FILE);
    add(m, "replay.seg", m->replay, replay_bytes(h->replay), BLOB_FILE);
    return m->in_use != NULL && m->waiting != NULL && m->world != NULL && m->replay != NULL;
}

/* With room for everything that this house's checkpoint holds; NULL: out of memory. */
static struct image *image_make(struct house *h)
{
    struct image *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    m->checkpoint = (struct checkpoint){
        .run = {.run_id = h->run_id,
                .config_hash = h->clock.is_virtual ? h->config.hash : 0,
                .robot_hash = h->config.robot_hash,
                .prior_hash = h->prior.hash,
                .seed = h->seed},
        .tensors = m->tensor,
        .n_tensors = learner_tensors(&h->learner, m->tensor, TENSORS_MAX),
        .blobs = m->blob,
    };
    (void)snprintf(m->checkpoint.run.algo, sizeof m->checkpoint.run.algo, "%s",
                   h->config.policy->name);
    if (h->clock.is_virtual && !add_world(m, h)) {
        image_free(m);
        return NULL;
    }
    return m;
}

static size_t copy_packed(struct packed *ret_packed, const struct packed *p)
{
    const size_t n = packed_bytes(p);
    if (n > 0) {
        memcpy(ret_packed, p, n);
    }
    return n;
}

static void take_picture(struct image *m, struct house *h, int64_t planned_ns)
{
    struct run_state *r = &m->checkpoint.run;
    r->config_hash = h->config.hash;
    r->steps = (int64_t)atomic_load_explicit(&h->shared->steps, memory_order_acquire);
    r->updates = h->learner.counters[LEARNER_UPDATES];
    r->weights_version = (uint32_t)h->learner.counters[LEARNER_VERSION];
    r->prior_hash = h->prior.hash;
    r->replay_head = replay_head(h->replay);
    r->clock_ns = planned_ns;
    if (h->clock.is_virtual) {
        r->episodes = h->loop.st.episode;
        m->blob[0].n = copy_packed(m->in_use, h->loop.packed);
        m->blob[1].n = copy_packed(m->waiting, mailbox_waiting(&h->shared->weights));
        m->flat.loop = h->loop.st;
        m->flat.loop.sensed.frame = NULL; /* an address of this run */
        m->flat.loop.safety.robot = NULL; /* where this run has it is nobody's business */
        m->flat.loop.sensed.frame = NULL;
        m->flat.task = h->loop.task.st;
        m->flat.have = h->intake.have;
        m->flat.accepted = h->intake.accepted;
        m->flat.refused = h->intake.refused;
        plant_save(h->plant, m->world);
        memcpy(m->replay, replay_data(h->replay), replay_bytes(h->replay));
    }
}

int runfiles_checkpoint(struct runfiles *f, struct house *h, int64_t planned_ns, char *ret_why,
                        int cap)
{
    if (f->writer == NULL) {
        return why(ret_why, cap, -EINVAL, "a checkpoint needs a folder: give --run-dir DIR");
    }
    struct image *m = image_make(h);
    if (m == NULL) {
        return why(ret_why, cap, -ENOMEM, "out of memory for a checkpoint");
    }
    take_picture(m, h, planned_ns);
    m->checkpoint.run.parent_run_id = f->parent_run_id;
    const int rc = checkpoint_save(&f->store, &m->checkpoint, ret_why, cap);
    if (rc == 0) {
        char name[CHECKPOINT_NAME_CHARS];
        checkpoint_name(m->checkpoint.run.steps, name);
        (void)snprintf(f->last, sizeof f->last, "%s/%s", f->dir, name);
    }
    image_free(m);
    return rc;
}

/* --- going on
 * -------------------------------------------------------------------------------------------------
 */

static int load(struct checkpoint *c, const char *path, char *ret_why, int cap)
{
    char name[CHECKPOINT_NAME_CHARS], state[PATH_CHARS + 16];
    (void)snprintf(state, sizeof state, "%s/state.pb", path);
    if (access(state, F_OK) == 0) {
        return checkpoint_load(c, path, ret_why, cap);
    }
    if (access(path, X_OK) != 0) { /* opening a store would make it */
        return why(ret_why, cap, -errno,
                   "cannot go on from %s: %s; give the folder of a run or of a checkpoint", path,
                   strerror(errno));
    }
    struct checkpoint_store store;
    int rc = checkpoint_store_open(&store, NULL, path, KEEP, ret_why, cap);
    if (rc == 0) {
        rc = checkpoint_load_last(c, &store, name, ret_why, cap);
        checkpoint_store_close(&store);
    }
    return rc == -ENOENT
               ? why(ret_why, cap, rc,
                     "there is no checkpoint in %s; give another folder, or begin without", path)
               : rc;
}

static void put_weights(struct house *h, const struct packed *p, size_t n)
{
    if (n >= sizeof *p && n == packed_bytes(p)) {
        memcpy(mailbox_back(&h->shared->weights), p, n);
        mailbox_put(&h->shared->weights);
    }
}

/* First what was in use, taken at once, then what was waiting. */
static void give_weights(struct house *h, const struct image *m)
{
    put_weights(h, m->in_use, m->blob[0].n);
    h->loop.packed = mailbox_take(&h->shared->weights);
    put_weights(h, m->waiting, m->blob[1].n);
}

static int go_on_exactly(struct house *h, const struct image *m, char *ret_why, int cap)
{
    const int rc = replay_restore(h->replay, m->replay, replay_bytes(h->replay), ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    const int64_t wrong = replay_no_choice(h->replay, h->config.robot.n_choices);
    if (wrong >= 0) {
        return why(ret_why, cap, -EBADMSG,
                   "replay: row %lld of the checkpoint's segment decides for what is none of %d "
                   "choices; go on from another checkpoint",
                   (long long)wrong, h->config.robot.n_choices);
    }
    plant_restore(h->plant, m->world);
    h->loop.st = m->flat.loop;
    h->loop.st.safety.robot = &h->config.robot;
    h->loop.st.sensed.frame = NULL;
    h->loop.task.st = m->flat.task;
    h->intake.have = m->flat.have;
    h->intake.accepted = m->flat.accepted;
    h->intake.refused = m->flat.refused;
    h->intake.want.run_id = h->run_id;
    h->intake.any_run = m->flat.accepted == 0;
    give_weights(h, m);
    return 0;
}

/* What exactly the checkpoint learnt from must be there again. */
static int refuse_prior(const struct run_state *r, const struct house *h, const char *path,
                        char *ret_why, int cap)
{
    if (r->prior_hash == 0) {
        return why(ret_why, cap, -EPROTO,
                   "checkpoint %s learnt without prior data: leave --prior out", path);
    }
    if (h->prior.hash == 0) {
        return why(
            ret_why, cap, -EPROTO,
            "checkpoint %s learnt from prior data too, whose hash is %016llx: give them with "
            "--prior",
            path, (unsigned long long)r->prior_hash);
    }
    return why(ret_why, cap, -EPROTO,
               "checkpoint %s learnt from other prior data: their hash is %016llx, that of --prior "
               "%016llx",
               path, (unsigned long long)r->prior_hash, (unsigned long long)h->prior.hash);
}

int runfiles_resume(struct runfiles *f, struct house *h, const char *path, int64_t *ret_planned_ns,
                    char *ret_why, int cap)
{
    struct image *m = image_make(h);
    if (m == NULL) {
        return why(ret_why, cap, -ENOMEM, "out of memory for a checkpoint");
    }
    const struct run_state *r = &m->checkpoint.run;
    int rc = load(&m->checkpoint, path, ret_why, cap);
    if (rc == 0 && h->clock.is_virtual && r->seed != h->seed) {
        rc = why(ret_why, cap, -EPROTO, "checkpoint %s was made with --seed %llu; give that one",
                 path, (unsigned long long)r->seed);
    }
    f->other_prior = rc == 0 && r->prior_hash != h->prior.hash;
    if (f->other_prior && h->clock.is_virtual) {
        rc = refuse_prior(r, h, path, ret_why, cap);
    }
    if (rc == 0 && h->clock.is_virtual) {
        rc = go_on_exactly(h, m, ret_why, cap);
    }
    if (rc == 0) {
        h->loop.st.step = r->steps;
        atomic_store_explicit(&h->shared->steps, (uint64_t)r->steps, memory_order_release);
        learner_restored(&h->learner);
        f->parent_run_id = r->run_id;
        *ret_planned_ns = r->clock_ns;
    }
    image_free(m);
    return rc;
}

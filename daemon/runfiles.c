#include "daemon/runfiles.h"

#include "daemon/json.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int runfiles_open(struct runfiles *ret_files, struct house *h, const char *dir, char *ret_why, int cap)
{
    char path[PATH_CHARS + 16];
    (void)h;
    *ret_files = (struct runfiles){.dir = dir};
    if (dir == NULL) {
        return 0;
    }
    if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
        return why(ret_why, cap, -errno, "cannot make the folder %s: %s", dir, strerror(errno));
    }
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
    ret_files->metrics = fopen(path, "ae");
    return ret_files->metrics != NULL ? 0 : why(ret_why, cap, -errno, "cannot write %s: %s", path, strerror(errno));
}

void runfiles_close(struct runfiles *f)
{
    if (f->metrics != NULL) {
        (void)fclose(f->metrics);
        f->metrics = NULL;
    }
}

void runfiles_metrics(struct runfiles *f, struct house *h, double ep_rew_mean, int episodes)
{
    if (f->metrics == NULL) {
        return;
    }
    struct json_object *o = json_begin();
    json_int(o, "time/total_timesteps", h->loop.st.step);
    json_int(o, "train/n_updates", h->learner.counters[LEARNER_UPDATES]);
    json_number(o, "rollout/ep_rew_mean", ep_rew_mean);
    json_int(o, "rollout/episodes", episodes);
    for (int i = 0; i < STATS_MAX && h->config.policy->stat_names[i] != NULL; i++) {
        json_number(o, h->config.policy->stat_names[i], h->learner.stats.v[i]);
    }
    json_print(o, f->metrics, true);
}

void runfiles_interval(struct runfiles *f, struct house *h)
{
    const int64_t step = (int64_t)atomic_load_explicit(&h->shared->steps, memory_order_relaxed);
    if (f->metrics == NULL || step == f->step) {
        return;
    }
    f->step = step;
    const struct learner_shared *l = &h->shared->learner;
    struct json_object *o = json_begin();
    json_int(o, "time/total_timesteps", step);
    json_int(o, "train/n_updates", (int64_t)atomic_load_explicit(&l->updates, memory_order_relaxed));
    json_number(o, "time/updates_per_s", atomic_load_explicit(&l->updates_per_s, memory_order_relaxed));
    for (int i = 0; i < STATS_MAX && h->config.policy->stat_names[i] != NULL; i++) {
        json_number(o, h->config.policy->stat_names[i], atomic_load_explicit(&l->stat[i], memory_order_relaxed));
    }
    json_print(o, f->metrics, true);
}

int runfiles_checkpoint(struct runfiles *f, struct house *h, int64_t planned_ns, char *ret_why, int cap)
{
    (void)f; (void)h; (void)planned_ns;
    return why(ret_why, cap, -ENOTSUP, "later");
}
int runfiles_resume(struct runfiles *f, struct house *h, const char *path, int64_t *ret_planned_ns, char *ret_why,
                    int cap)
{
    (void)f; (void)h; (void)path; (void)ret_planned_ns;
    return why(ret_why, cap, -ENOTSUP, "later");
}

#include "daemon/evaltrace.h"

#include "daemon/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct evaltrace {
    FILE *file;
    const char *path; /* borrowed */
    int64_t episode, step;
    bool open;            /* a period is running ... */
    int64_t begun_ns;     /* ... since then, ... */
    struct observation s; /* ... seen and done at its start */
    float a[ACT_MAX];
};

/* As the replay has them. Errors: -ENOMEM. */
static int put_names(FILE *f, const struct loop *l)
{
    const int n_obs = l->task.n_obs, n_act = l->task.n_act;
    const char *name[OBS_MAX + ACT_MAX], *unit[OBS_MAX];
    char scratch[NAME_CHARS * 2];
    struct replay_info *i = malloc(sizeof *i);
    if (i == NULL || replay_info(l->replay, i) < 0) {
        free(i);
        return -ENOMEM;
    }
    for (int k = 0; k < n_obs + n_act; k++) {
        name[k] = i->slot[k];
    }
    for (int k = 0; k < n_obs; k++) {
        (void)task_slot_name(&l->task, k, scratch, (int)sizeof scratch, &unit[k]);
    }
    struct json_object *o = json_begin();
    json_texts(o, "observation", name, n_obs);
    json_texts(o, "unit", unit, n_obs);
    json_texts(o, "action", name + n_obs, n_act);
    json_print(o, f, true);
    free(i);
    return 0;
}

int evaltrace_open(struct evaltrace **ret_trace, const char *path, const struct loop *l,
                   char *ret_why, int cap)
{
    struct evaltrace *z = calloc(1, sizeof *z);
    FILE *f = z != NULL ? fopen(path, "we") : NULL;
    const int rc = f != NULL ? put_names(f, l) : z == NULL ? -ENOMEM : -errno;
    if (rc < 0) {
        if (f != NULL) {
            (void)fclose(f);
        }
        free(z);
        return why(ret_why, cap, rc,
                   "cannot write %s: %s; make its folder writable, or give another --eval-trace",
                   path, strerror(-rc));
    }
    z->file = f;
    z->path = path;
    *ret_trace = z;
    return 0;
}

static void put_floats(struct json_object *o, const char *key, const float *v, int n)
{
    double d[OBS_MAX];
    for (int k = 0; k < n; k++) {
        d[k] = (double)v[k];
    }
    json_numbers(o, key, d, n);
}

static struct json_object *begin_line(const struct evaltrace *z, const struct observation *s)
{
    struct json_object *o = json_begin();
    json_int(o, "episode", z->episode);
    json_int(o, "step", z->step);
    put_floats(o, "observation", s->v, s->n);
    return o;
}

static void put_period(struct evaltrace *z, const struct loop *l)
{
    struct json_object *o = begin_line(z, &z->s);
    put_floats(o, "action", z->a, l->task.n_act);
    json_number(o, "reward", l->st.reward);
    json_print(o, z->file, true);
    z->step++;
}

/* The body is reset before its next reading: what was sensed last is where the episode ended. */
static void put_end(const struct evaltrace *z, const struct loop *l)
{
    struct observation s = {0};
    task_observe(&l->task, &l->st.sensed, &s);
    struct json_object *o = begin_line(z, &s);
    json_text(o, "end", (l->task.st.end & END_TERMINAL) != 0 ? "terminal" : "truncated");
    json_bool(o, "success", l->task.st.success || l->st.end_success);
    json_print(o, z->file, true);
}

void evaltrace_tick(struct evaltrace *z, const struct loop *l)
{
    const struct loop_state *st = &l->st;
    if (z->open && (!st->open || st->period_t_ns != z->begun_ns)) {
        put_period(z, l);
        if (!st->open) {
            put_end(z, l);
        }
    } else if (z->open || !st->open) {
        return;
    }
    if (st->open) {
        z->episode += !z->open;
        z->step = z->open ? z->step : 0;
        z->begun_ns = st->period_t_ns;
        z->s = st->now;
        memcpy(z->a, st->act, sizeof z->a);
    }
    z->open = st->open;
}

int evaltrace_close(struct evaltrace *z, char *ret_why, int cap)
{
    if (z == NULL) {
        return 0;
    }
    errno = 0;
    int rc = ferror(z->file) != 0 ? -EIO : 0;
    if (fclose(z->file) != 0) {
        rc = errno != 0 ? -errno : -EIO;
    }
    if (rc < 0) {
        rc = why(ret_why, cap, rc, "cannot write all of %s: %s; it is cut short", z->path,
                 strerror(-rc));
    }
    free(z);
    return rc;
}

#include "sim/mujoco_model.h"

#include "daemon/base/err.h"
#include "daemon/base/types.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MODELS_MAX 16
#define SAID_CHARS 512

/* --- complaints --- */

static _Thread_local jmp_buf *give_up;
static _Thread_local char said[SAID_CHARS];

/* MuJoCo expects that this does not return. */
static void on_error(const char *text)
{
    (void)snprintf(said, sizeof said, "%s", text);
    if (give_up != NULL) {
        longjmp(*give_up, 1);
    }
}

/* What is wrong is read from mjData.warning, world by world. */
static void on_warning(const char *text)
{
    (void)text;
}

bool mujoco_guarded(void (*work)(void *arg), void *arg, char *ret_why, int cap)
{
    jmp_buf here;
    if (setjmp(here) != 0) {
        give_up = NULL;
        (void)why(ret_why, cap, -EINVAL, "%s", said);
        return false;
    }
    give_up = &here;
    work(arg);
    give_up = NULL;
    return true;
}

/* --- models --- */

static struct shared_model {
    mjModel *model; /* NULL: a free place */
    int users;
    dev_t device;
    ino_t inode;
    struct timespec changed; /* an edited file is another model */
} models[MODELS_MAX];

static pthread_mutex_t models_lock = PTHREAD_MUTEX_INITIALIZER;

struct load {
    const char *path;
    mjModel *model;
    char error[SAID_CHARS];
};

static void load(void *arg)
{
    struct load *l = arg;
    l->model = mj_loadXML(l->path, NULL, l->error, (int)sizeof l->error);
}

/* MuJoCo's sentences end with a line of their own. */
static void one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\n') {
            *c = c[1] == '\0' ? '\0' : ' ';
        }
    }
}

static int load_into(struct shared_model *place, const char *path, const struct stat *st,
                     char *ret_why, int cap)
{
    struct load l = {.path = path};
    mju_user_error = on_error;
    mju_user_warning = on_warning;
    if (!mujoco_guarded(load, &l, l.error, (int)sizeof l.error) || l.model == NULL) {
        one_line(l.error);
        return why(ret_why, cap, -EINVAL, "sim mujoco: %s: %s", path, l.error);
    }
    *place = (struct shared_model){.model = l.model,
                                   .users = 1,
                                   .device = st->st_dev,
                                   .inode = st->st_ino,
                                   .changed = st->st_mtim};
    return 0;
}

static bool is_of(const struct shared_model *m, const struct stat *st)
{
    return m->model != NULL && m->device == st->st_dev && m->inode == st->st_ino &&
           m->changed.tv_sec == st->st_mtim.tv_sec && m->changed.tv_nsec == st->st_mtim.tv_nsec;
}

static int take(const char *path, const struct stat *st, const mjModel **ret_model, char *ret_why,
                int cap)
{
    struct shared_model *free_place = NULL;
    for (int i = 0; i < MODELS_MAX; i++) {
        if (is_of(&models[i], st)) {
            models[i].users++;
            *ret_model = models[i].model;
            return 0;
        }
        free_place = models[i].model == NULL ? &models[i] : free_place;
    }
    if (free_place == NULL) {
        return why(ret_why, cap, -EINVAL, "sim mujoco: %s: more than %d models at once", path,
                   MODELS_MAX);
    }
    const int rc = load_into(free_place, path, st, ret_why, cap);
    *ret_model = rc == 0 ? free_place->model : *ret_model;
    return rc;
}

int mujoco_model_take(const char *path, const mjModel **ret_model, char *ret_why, int cap)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        return why(ret_why, cap, -EINVAL,
                   "sim mujoco: cannot read %s: %s; sim.model is relative to the robot file", path,
                   strerror(errno));
    }
    (void)pthread_mutex_lock(&models_lock);
    const int rc = take(path, &st, ret_model, ret_why, cap);
    (void)pthread_mutex_unlock(&models_lock);
    return rc;
}

void mujoco_model_drop(const mjModel *model)
{
    (void)pthread_mutex_lock(&models_lock);
    for (int i = 0; i < MODELS_MAX; i++) {
        if (models[i].model == model && --models[i].users == 0) {
            mj_deleteModel(models[i].model);
            models[i].model = NULL;
        }
    }
    (void)pthread_mutex_unlock(&models_lock);
}

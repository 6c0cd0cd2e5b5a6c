#include "daemon/listing.h"

#include "daemon/config.h"
#include "daemon/json.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROBOTS_MAX  256
#define ARENA_BYTES ((size_t)64 << 20)

/* From the folder of the program: as installed; in the tree, from build/PRESET/bin. */
static const char *const robots_at[] = {"../share/basald/robots", "../../../deploy/robots", NULL};

struct word {
    unsigned bit;
    const char *name;
};

static const struct word actions[] = {
    {ACTION_BOX, "box"}, {ACTION_DISCRETE, "discrete"}, {.name = NULL}};
static const struct word needs[] = {{NEEDS_NEXT_ACTION, "next_action"},
                                    {NEEDS_LOGP, "logp"},
                                    {NEEDS_SEGMENTS, "segments"},
                                    {NEEDS_NEWEST, "newest"},
                                    {NEEDS_SWEEP, "sweep"},
                                    {NEEDS_MODEL, "model"},
                                    {NEEDS_ONCE, "once"},
                                    {.name = NULL}};

static void put_words(struct json_object *o, const char *key, const struct word *words,
                      unsigned bits)
{
    const char *list[8];
    int n = 0;
    for (; words->name != NULL; words++) {
        if ((bits & words->bit) != 0) {
            list[n++] = words->name;
        }
    }
    json_texts(o, key, list, n);
}

/* Keys and defaults as in a robot file; null: it must be set. */
static void put_options(struct json_object *o, const struct option *table)
{
    struct json_object *keys = json_begin();
    for (; table != NULL && table->key != NULL; table++) {
        if (table->def != NULL) {
            json_text(keys, table->key, table->def);
        } else {
            json_number(keys, table->key, (double)NAN);
        }
    }
    json_child(o, "switches", keys);
}

static void list_algorithms(struct json_object *all)
{
    for (int i = 0; policies[i] != NULL; i++) {
        const struct policy *p = policies[i];
        struct json_object *o = json_begin();
        struct wants wants = {0};
        void *config = calloc(1, p->config_bytes);
        basal_assert(config != NULL);
        option_defaults(p->options, config);
        p->wants(config, &wants);
        free(config);
        json_text(o, "source", p->source);
        put_words(o, "actions", actions, p->actions);
        put_words(o, "needs", needs, wants.needs);
        put_options(o, p->options);
        json_child(all, p->name, o);
    }
}

/* --- worlds, and the robot files that have them --- */

struct robots {
    char dir[PATH_CHARS * 2];
    struct dirent **file;
    int n;
};

static int is_yaml(const struct dirent *e)
{
    const size_t n = strlen(e->d_name);
    return n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

static void robots_open(struct robots *ret_robots)
{
    char program[PATH_CHARS];
    *ret_robots = (struct robots){.n = -1};
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    for (int i = 0; slash != NULL && robots_at[i] != NULL && ret_robots->n < 0; i++) {
        *slash = '\0';
        char path[PATH_CHARS * 2];
        (void)snprintf(path, sizeof path, "%s/%s", program, robots_at[i]);
        char *whole = realpath(path, NULL);
        if (whole != NULL) {
            (void)snprintf(ret_robots->dir, sizeof ret_robots->dir, "%s", whole);
            ret_robots->n = scandir(whole, &ret_robots->file, is_yaml, alphasort);
        }
        free(whole);
    }
}

/* Does robot file i hold this world? Then what it is goes into o; what cannot be read or built here
 * holds none. */
static void put_robot(struct robots *r, int i, const struct sim *sim, struct json_object *o)
{
    char path[PATH_CHARS * 3], reason[WHY_CHARS];
    const char *name[JOINTS_MAX + CHOICES_MAX];
    struct arena mem;
    if (arena_open(&mem, "robot", ARENA_BYTES) < 0) {
        return;
    }
    struct config *c = arena_take(&mem, sizeof *c);
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, r->file[i]->d_name);
    if (config_load(c, path, NULL, 0, &mem, reason, (int)sizeof reason) == 0 && c->sim == sim) {
        struct json_object *one = json_begin();
        int n = 0;
        for (int j = 0; j < c->robot.n_joints; j++) {
            if (c->robot.joint[j].actuated) {
                name[n++] = c->robot.joint[j].name;
            }
        }
        for (int k = 0; k < c->robot.n_choices; k++) {
            name[n++] = c->robot.choice[k];
        }
        json_text(one, "policy", c->policy->name);
        json_text(one, "actions", c->robot.n_choices > 0 ? "discrete" : "box");
        json_texts(one, c->robot.n_choices > 0 ? "choices" : "joints", name, n);
        json_child(o, path, one);
    }
    arena_close(&mem);
}

static void list_worlds(struct json_object *all)
{
    struct robots r;
    robots_open(&r);
    for (int i = 0; sims[i] != NULL; i++) {
        struct json_object *o = json_begin(), *files = json_begin();
        json_text(o, "source", sims[i]->source != NULL ? sims[i]->source : "");
        json_bool(o, "model", sims[i]->outcomes != NULL);
        put_options(o, sims[i]->options);
        for (int k = 0; k < r.n; k++) {
            put_robot(&r, k, sims[i], files);
        }
        json_child(o, "robots", files);
        json_child(all, sims[i]->name, o);
    }
    for (int k = 0; k < r.n; k++) {
        free(r.file[k]);
    }
    free(r.file);
}

bool listing_knows(const char *what)
{
    return strcmp(what, "algorithms") == 0 || strcmp(what, "worlds") == 0;
}

void listing_print(const char *what, bool json)
{
    struct json_object *o = json_begin(), *all = json_begin();
    (strcmp(what, "algorithms") == 0 ? list_algorithms : list_worlds)(all);
    json_child(o, what, all);
    json_print(o, stdout, json);
}

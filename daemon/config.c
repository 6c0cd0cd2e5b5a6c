/* Load: defaults, included files, file, --set; then the checks of config_check.c. */
#include "daemon/config_yaml.h"

#include "daemon/base/hash.h"
#include "daemon/calibration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1 << 20)
#define SET_CHARS      1024
#define SET_PARTS      6

/* --set */
struct overrides {
    const char *const *sets;
    int n;
};

static void defaults(struct config *c)
{
    *c = (struct config){0};
    for (const struct section *s = config_sections; s->name != NULL; s++) {
        option_defaults(s->options, (char *)c + s->offset);
    }
}

static int read_file(const char *path, char **ret_text, size_t *ret_n, char *ret_why, int cap)
{
    FILE *f = fopen(path, "rbe");
    if (f == NULL) {
        return why(ret_why, cap, -errno, "cannot read %s: %s", path, strerror(errno));
    }
    struct stat st;
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)fclose(f);
        return why(ret_why, cap, -EISDIR, "cannot read %s: it is a folder; a robot is a file",
                   path);
    }
    char *text = malloc(FILE_BYTES_MAX);
    const size_t n = text != NULL ? fread(text, 1, FILE_BYTES_MAX, f) : 0;
    const bool bad = text == NULL || ferror(f) != 0 || n == FILE_BYTES_MAX;
    (void)fclose(f);
    if (bad) {
        free(text);
        return why(ret_why, cap, -EIO,
                   "cannot read %s: it is longer than %d bytes, or the disk fails", path,
                   FILE_BYTES_MAX);
    }
    *ret_text = text;
    *ret_n = n;
    return 0;
}

/* 1: it was read before; or -EINVAL: it is being read, or there are too many. */
static int is_read(struct walk *w, const char *path, const yaml_node_t *at)
{
    struct files *f = w->files;
    for (int i = 0; i < f->n; i++) {
        if (strcmp(f->path[i], path) == 0) {
            return f->is_open[i] ? config_bad(w, at, "include: %s includes itself", path) : 1;
        }
    }
    if (f->n == FILES_MAX) {
        return config_bad(w, at, "include: a robot is more than %d files", FILES_MAX);
    }
    f->is_open[f->n] = true;
    f->path[f->n++] = path;
    return 0;
}

/* Which devices these are: two robots of one kind are told by it. */
static uint64_t hash_devices(const struct robot *r)
{
    uint64_t h = HASH_START;
    for (int i = 0; i < r->n_buses; i++) {
        h = hash_fnv1a(h, r->bus[i].device, strlen(r->bus[i].device) + 1);
    }
    for (int j = 0; j < r->n_joints; j++) {
        const struct joint_spec *s = &r->joint[j];
        const int64_t told[] = {s->bus, s->id, s->model, s->serial};
        h = hash_fnv1a(h, s->name, strlen(s->name) + 1);
        h = hash_fnv1a(h, told, sizeof told);
    }
    return h;
}

/* The robot as file i has made it. */
static void remember(struct walk *w, int i)
{
    memcpy(w->files->robot[i], w->config->robot.name, NAME_CHARS);
    w->files->devices[i] = hash_devices(&w->config->robot);
}

/* A file that others have included before changes nothing any more: so two that build on the same
 * robot can be included together. */
static int include(struct walk *w, const char *path, const yaml_node_t *at)
{
    char *full = arena_take(w->mem, PATH_CHARS); /* messages name it later, too */
    char *text = NULL, reason[WHY_CHARS];
    size_t n = 0;
    const char *slash = strrchr(w->file, '/');
    const int dir = slash != NULL && path[0] != '/' ? (int)(slash - w->file) + 1 : 0;
    if (snprintf(full, PATH_CHARS, "%.*s%s", dir, w->file, path) >= PATH_CHARS) {
        return config_bad(w, at, "include: the path is longer than %d characters", PATH_CHARS - 1);
    }
    const int known = is_read(w, full, at), me = w->files->n - 1;
    if (known != 0) {
        return known < 0 ? known : 0;
    }
    int rc = read_file(full, &text, &n, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)config_bad(w, at, "include: %s", reason);
        return rc;
    }
    w->file = full;
    rc = config_walk(w, text, n, include);
    w->files->is_open[me] = false;
    remember(w, me);
    free(text);
    return rc;
}

/* --- --set --- */

struct line {
    char text[SET_CHARS];
    size_t n;
};

static void put(struct line *l, const char *text, size_t n)
{
    for (size_t i = 0; i < n && l->n + 1 < sizeof l->text; i++) {
        l->text[l->n++] = text[i];
    }
}

/* In single quotes it can only be text. */
static void put_quoted(struct line *l, const char *text, size_t n)
{
    put(l, "'", 1);
    for (size_t i = 0; i < n; i++) {
        put(l, text[i] == '\'' ? "''" : text + i, text[i] == '\'' ? 2 : 1);
    }
    put(l, "'", 1);
}

struct part {
    const char *text;
    size_t n;
};

/* "a.b.c" of n characters. Returns how many parts; -EINVAL: too many, or an empty one. */
static int split(const char *key, size_t n, struct part ret_part[SET_PARTS])
{
    int parts = 0;
    for (size_t at = 0; at <= n; parts++) {
        const size_t to = at + strcspn(key + at, ".=");
        if (parts == SET_PARTS || to == at) {
            return -EINVAL;
        }
        ret_part[parts] = (struct part){key + at, to - at};
        at = to + 1;
    }
    return parts;
}

/* part: {part: value} */
static void put_maps(struct line *l, const struct part *part, int n, const char *value)
{
    for (int i = 0; i < n; i++) {
        put(l, "{", i > 0 ? 1 : 0);
        put_quoted(l, part[i].text, part[i].n);
        put(l, ": ", 2);
    }
    if (value[0] == '[') {
        put(l, value, strlen(value)); /* a list, as YAML */
    } else {
        put_quoted(l, value, strlen(value));
    }
    for (int i = 1; i < n; i++) {
        put(l, "}", 1);
    }
}

static bool is_list(const struct part *p)
{
    static const char *const lists[] = {"bus", "joints", "extra", "links", "capsules"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (strlen(lists[i]) == p->n && strncmp(lists[i], p->text, p->n) == 0) {
            return true;
        }
    }
    return false;
}

/* "joints.arm.q_max_rad=0.4" as the YAML that says the same, so that one walk checks both. */
static int walk_set(struct walk *w, const char *set)
{
    struct line l = {.n = 0};
    struct part part[SET_PARTS];
    const char *value = strchr(set, '=');
    const int n = value == NULL ? -EINVAL : split(set, (size_t)(value - set), part);
    if (n < 0 || strlen(set) * 2 + 64 > sizeof l.text) {
        return why(w->ret_why, w->cap, -EINVAL,
                   "--set %.80s: KEY=VALUE is wanted, as control.rate_hz=100 or "
                   "joints.NAME.q_max_rad=0.4",
                   set);
    }
    if (n >= 3 && is_list(&part[0])) {
        put_quoted(&l, part[0].text, part[0].n);
        put(&l, ": [{name: ", 10);
        put_quoted(&l, part[1].text, part[1].n);
        put(&l, ", ", 2);
        put_maps(&l, part + 2, n - 2, value + 1);
        put(&l, "}]", 2);
    } else {
        put_maps(&l, part, n, value + 1);
    }
    char *name = arena_take(w->mem, SET_CHARS);
    (void)snprintf(name, SET_CHARS, "--set %.120s", set);
    w->file = name;
    w->is_set = true;
    return config_walk(w, l.text, l.n, NULL);
}

/* What weights are bound to: joints, their ranges (action units), slots, the policy's rate; nothing
 * else. */
static uint64_t robot_hash(const struct config *c)
{
    uint64_t h = HASH_START;
    for (int j = 0; j < c->robot.n_joints; j++) {
        const struct joint_spec *s = &c->robot.joint[j];
        const double range[2] = {s->actuated ? s->q_min : 0.0, s->actuated ? s->q_max : 0.0};
        h = hash_fnv1a(h, s->name, strlen(s->name) + 1);
        h = hash_fnv1a(h, &s->actuated, sizeof s->actuated);
        h = hash_fnv1a(h, range, sizeof range);
    }
    if (c->task.settings.action == ACTION_EFFORT) { /* the ceilings are the unit */
        for (int j = 0; j < c->robot.n_joints; j++) {
            const double tau_max = c->robot.joint[j].actuated ? c->robot.joint[j].tau_max : 0.0;
            h = hash_fnv1a(h, &tau_max, sizeof tau_max);
        }
    }
    if (c->task.settings.action == ACTION_INCREMENT) { /* the speeds are */
        for (int j = 0; j < c->robot.n_joints; j++) {
            const double qd_max = c->robot.joint[j].actuated ? c->robot.joint[j].qd_max : 0.0;
            h = hash_fnv1a(h, &qd_max, sizeof qd_max);
        }
    }
    for (int i = 0; i < c->task.n_slots; i++) {
        const struct slot *s = &c->task.slot[i];
        const double numbers[2] = {s->term.scale, s->term.offset};
        h = hash_fnv1a(h, s->kind->name, strlen(s->kind->name) + 1);
        h = hash_fnv1a(h, s->term.joint, strlen(s->term.joint) + 1);
        h = hash_fnv1a(h, numbers, sizeof numbers);
        if (s->term.extra[0] != '\0') {
            const int which[2] = {s->term.first, s->term.n};
            h = hash_fnv1a(h, s->term.extra, strlen(s->term.extra) + 1);
            h = hash_fnv1a(h, which, sizeof which);
        }
    }
    for (int i = 0; i < c->robot.n_choices; i++) {
        h = hash_fnv1a(h, c->robot.choice[i], strlen(c->robot.choice[i]) + 1);
    }
    return hash_fnv1a(h, &c->robot.policy_rate_hz, sizeof c->robot.policy_rate_hz);
}

/* k: the calibration that was applied; NULL: none. */
static int finish(struct config *c, const struct overrides *o, const struct calibration *k,
                  struct walk *w)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < o->n; i++) {
        rc = walk_set(w, o->sets[i]);
    }
    if (k != NULL) {
        calibration_mark(k, &c->robot);
    }
    rc = rc == 0 ? config_check(w) : rc;
    if (rc < 0) {
        return rc;
    }
    c->robot.rest_outside_rad = 0.75 * c->safety.position_margin_rad;
    char *text = malloc(CONFIG_DUMP_MAX);
    const int n = text != NULL ? config_dump(c, text, CONFIG_DUMP_MAX) : -ENOMEM;
    if (n >= 0) {
        c->hash = hash_fnv1a(HASH_START, text, (size_t)n);
        c->robot_hash = robot_hash(c);
    }
    free(text);
    return n >= 0 ? 0
                  : why(w->ret_why, w->cap, n, "%s: longer than %d bytes when written out", c->path,
                        CONFIG_DUMP_MAX);
}

/* Beside the robot file, or else beside the first of those that it includes that has one and the
 * same devices: a task has its robot's. Without any it would be beside the robot file. */
static void find_calibration(const struct files *f, struct config *c)
{
    char path[PATH_CHARS];
    for (int i = f->n - 1; i >= 0; i--) { /* the first one is found last, and wins */
        if (f->devices[i] == f->devices[0] &&
            calibration_path(f->path[i], path, sizeof path) == 0 &&
            (access(path, F_OK) == 0 || (i == 0 && c->calibration[0] == '\0'))) {
            (void)snprintf(c->calibration, sizeof c->calibration, "%s", path);
            (void)snprintf(c->calibration_robot, sizeof c->calibration_robot, "%s", f->robot[i]);
        }
    }
}

/* What was measured on this very robot overrides what its file says. *ret_calibration: NULL: none.
 */
static int calibrate(struct walk *w, struct calibration **ret_calibration)
{
    struct config *c = w->config;
    char *text = NULL;
    size_t n = 0;
    if (access(c->calibration, F_OK) != 0) {
        return 0;
    }
    struct calibration *k = arena_take(w->mem, sizeof *k);
    int rc = read_file(c->calibration, &text, &n, w->ret_why, w->cap);
    rc = rc == 0 ? calibration_read(k, text, n, c->calibration, w->ret_why, w->cap) : rc;
    rc = rc == 0 ? calibration_apply(k, c->calibration_robot, &c->robot, c->calibration, w->ret_why,
                                     w->cap)
                 : rc;
    free(text);
    if (rc == 0) {
        (void)snprintf(c->calibrated, sizeof c->calibrated, "%s", k->date);
        *ret_calibration = k;
    }
    return rc;
}

static int load_text(struct config *ret_config, const struct config_text *from, bool calibrated,
                     const struct overrides *o, struct arena *mem, char *ret_why, int cap)
{
    struct config *c = ret_config;
    defaults(c);
    (void)snprintf(c->path, sizeof c->path, "%s", from->name);
    const char *slash = strrchr(c->path, '/');
    memcpy(c->robot.folder, c->path, slash == NULL ? 0 : (size_t)(slash - c->path) + 1);
    struct places places = {.root = {.file = c->path, .line = 1, .column = 1}};
    struct given given = {.n = 0};
    struct files files = {.n = 1, .path = {c->path}, .is_open = {true}};
    struct walk w = {.config = c,
                     .mem = mem,
                     .file = c->path,
                     .places = &places,
                     .given = &given,
                     .files = &files,
                     .ret_why = ret_why,
                     .cap = cap};
    struct calibration *k = NULL;
    int rc = config_walk(&w, from->text, from->n, include);
    remember(&w, 0);
    find_calibration(&files, c);
    rc = rc == 0 && calibrated ? calibrate(&w, &k) : rc;
    return rc < 0 ? rc : finish(c, o, k, &w);
}

int config_load_text(struct config *ret_config, const struct config_text *from,
                     const char *const *sets, int n_sets, struct arena *mem, char *ret_why, int cap)
{
    const struct overrides o = {sets, n_sets};
    return load_text(ret_config, from, false, &o, mem, ret_why, cap);
}

static int load(struct config *ret_config, const char *path, bool calibrated,
                const struct overrides *o, struct arena *mem, char *ret_why, int cap)
{
    char *text = NULL;
    size_t n = 0;
    int rc = read_file(path, &text, &n, ret_why, cap);
    if (rc == 0) {
        const struct config_text from = {.text = text, .n = n, .name = path};
        rc = load_text(ret_config, &from, calibrated, o, mem, ret_why, cap);
        free(text);
    }
    return rc;
}

int config_load(struct config *ret_config, const char *path, const char *const *sets, int n_sets,
                struct arena *mem, char *ret_why, int cap)
{
    const struct overrides o = {sets, n_sets};
    return load(ret_config, path, true, &o, mem, ret_why, cap);
}

int config_load_bare(struct config *ret_config, const char *path, const char *const *sets,
                     int n_sets, struct arena *mem, char *ret_why, int cap)
{
    const struct overrides o = {sets, n_sets};
    return load(ret_config, path, false, &o, mem, ret_why, cap);
}

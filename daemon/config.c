/* Load: defaults, included file, file, --set; then what no single key can know. */
#include "daemon/config_yaml.h"

#include "daemon/base/hash.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (1 << 20)
#define DUMP_BYTES     (1 << 16)

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

/* The included file itself includes nothing: one level is enough for robot + task, and no cycle can
 * be written. */
static int include(struct walk *w, const char *path, const yaml_node_t *at)
{
    char full[PATH_CHARS];
    char *text = NULL;
    size_t n = 0;
    const char *slash = strrchr(w->file, '/');
    const int dir = slash != NULL && path[0] != '/' ? (int)(slash - w->file) + 1 : 0;
    if (snprintf(full, sizeof full, "%.*s%s", dir, w->file, path) >= (int)sizeof full) {
        return config_bad(w, at, "include: the path is longer than %d characters", PATH_CHARS - 1);
    }
    int rc = read_file(full, &text, &n, w->ret_why, w->cap);
    if (rc == 0) {
        w->file = full;
        rc = config_walk(w, text, n, NULL);
        free(text);
    }
    return rc;
}

/* "joints.arm.q_max_rad=0.4" as the YAML that says the same, so that one walk checks both. */
static int walk_set(struct walk *w, const char *set)
{
    char text[1024], key[160];
    const char *value = strchr(set, '=');
    if (value == NULL || value == set || (size_t)(value - set) >= sizeof key) {
        return why(w->ret_why, w->cap, -EINVAL, "--set %s: KEY=VALUE is wanted", set);
    }
    (void)snprintf(key, sizeof key, "%.*s", (int)(value - set), set);
    char *rest = NULL;
    const char *section = strtok_r(key, ".", &rest);
    const char *second = strtok_r(NULL, ".", &rest), *third = strtok_r(NULL, ".", &rest);
    const bool list = strcmp(section, "joints") == 0 || strcmp(section, "bus") == 0;
    const bool quoted = value[1] != '[';
    const char *q = quoted ? "'" : "";
    if (list && third != NULL && strcmp(third, "device") == 0 && rest != NULL && *rest != '\0') {
        (void)snprintf(text, sizeof text, "%s: [{name: '%s', device: {%s: %s%s%s}}]", section,
                       second, rest, q, value + 1, q);
    } else if (list && third != NULL) {
        (void)snprintf(text, sizeof text, "%s: [{name: '%s', %s: %s%s%s}]", section, second, third,
                       q, value + 1, q);
    } else if (second != NULL) {
        (void)snprintf(text, sizeof text, "%s: {%s: %s%s%s}", section, second, q, value + 1, q);
    } else {
        (void)snprintf(text, sizeof text, "%s: %s%s%s", section, q, value + 1, q);
    }
    char name[200];
    (void)snprintf(name, sizeof name, "--set %.180s", set);
    w->file = name;
    return config_walk(w, text, strlen(text), NULL);
}

/* --- what no single key can know --- */

static int check_joint(const struct config *c, int i, char *ret_why, int cap)
{
    const struct joint_spec *j = &c->robot.joint[i];
    if (j->bus < 0 && c->robot.n_buses > 0) {
        return why(ret_why, cap, -EINVAL, "joint %s: bus must be set", j->name);
    }
    if (j->id < 0 && c->robot.n_buses > 0) {
        return why(ret_why, cap, -EINVAL, "joint %s: id must be set", j->name);
    }
    if (j->sign == 0) {
        return why(ret_why, cap, -EINVAL, "joint %s: sign must be 1 or -1", j->name);
    }
    for (int k = 0; k < i; k++) {
        if (c->robot.joint[k].bus == j->bus && c->robot.joint[k].id == j->id &&
            c->robot.n_buses > 0) {
            return why(ret_why, cap, -EINVAL, "joints %s and %s have the same id %d on one bus",
                       c->robot.joint[k].name, j->name, j->id);
        }
    }
    return 0;
}

static int check_buses(struct config *c, char *ret_why, int cap)
{
    const double period_us = 1e6 / c->robot.control_rate_hz;
    for (int i = 0; i < c->robot.n_buses; i++) {
        struct bus_spec *b = &c->robot.bus[i];
        if (b->write_phase_us == 0) {
            b->write_phase_us = b->reply_deadline_us + 200;
        }
        if (b->write_phase_us < b->reply_deadline_us) {
            return why(ret_why, cap, -EINVAL,
                       "bus %s: write_phase_us %d is before reply_deadline_us %d", b->name,
                       b->write_phase_us, b->reply_deadline_us);
        }
        if (b->write_phase_us >= period_us) {
            return why(ret_why, cap, -EINVAL,
                       "bus %s: write_phase_us %d does not fit the tick's %.0f us", b->name,
                       b->write_phase_us, period_us);
        }
    }
    return 0;
}

static int check_rates(const struct config *c, char *ret_why, int cap)
{
    const double ratio = c->robot.control_rate_hz / c->robot.policy_rate_hz;
    if (!(ratio >= 1.0) || fabs(ratio - round(ratio)) > 1e-9 * ratio) {
        return why(ret_why, cap, -EINVAL,
                   "control.rate_hz %g is no whole multiple of policy.rate_hz %g",
                   c->robot.control_rate_hz, c->robot.policy_rate_hz);
    }
    return 0;
}

static int cross_check(struct config *c, char *ret_why, int cap)
{
    struct safety z;
    struct task t;
    int rc = 0;
    if (c->schema == 0 || c->robot.name[0] == '\0' || c->robot.n_joints == 0 || c->policy == NULL ||
        c->robot.control_rate_hz <= 0.0 || c->robot.policy_rate_hz <= 0.0) {
        return why(
            ret_why, cap, -EINVAL,
            "%s: schema, name, joints, control.rate_hz, policy.kind and policy.rate_hz must be set",
            c->path);
    }
    if (c->robot.estop_hardware == ESTOP_UNSET) {
        return why(ret_why, cap, -EINVAL,
                   "%s: estop.hardware must be set to none, power_sense or gpio", c->path);
    }
    if (c->robot.estop_hardware == ESTOP_GPIO) {
        return why(
            ret_why, cap, -EINVAL,
            "%s: estop.hardware gpio is not available in this version; use power_sense or none",
            c->path);
    }
    if (c->robot.estop_hardware == ESTOP_POWER_SENSE && c->robot.power_min_v <= 0.0) {
        return why(ret_why, cap, -EINVAL, "%s: estop.hardware power_sense needs estop.power_min_v",
                   c->path);
    }
    if (strcmp(c->comms.weights, "own") != 0 && strncmp(c->comms.weights, "ipc:///", 7) != 0) {
        return why(ret_why, cap, -EINVAL,
                   "%s: comms.weights must be own or ipc:///PATH: over a network nobody would "
                   "know whose they are",
                   c->path);
    }
    for (int j = 0; rc == 0 && j < c->robot.n_joints; j++) {
        rc = check_joint(c, j, ret_why, cap);
    }
    rc = rc == 0 ? check_rates(c, ret_why, cap) : rc;
    rc = rc == 0 ? check_buses(c, ret_why, cap) : rc;
    rc = rc == 0 ? safety_init(&z, &c->robot, &c->safety, ret_why, cap) : rc;
    rc = rc == 0 ? task_open(&t, &c->task, &c->robot, ret_why, cap) : rc;
    if (rc == 0) {
        const struct dims d = {.n_obs = t.n_obs,
                               .n_act = t.n_act,
                               .batch = c->learner.batch_size,
                               .seg_len = 1,
                               .policy_rate_hz = c->robot.policy_rate_hz};
        rc = c->policy->check(c->policy_config, &d, ret_why, cap);
    }
    return rc;
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
    for (int i = 0; i < c->task.n_slots; i++) {
        const struct slot *s = &c->task.slot[i];
        const double numbers[2] = {s->term.scale, s->term.offset};
        h = hash_fnv1a(h, s->kind->name, strlen(s->kind->name) + 1);
        h = hash_fnv1a(h, s->term.joint, strlen(s->term.joint) + 1);
        h = hash_fnv1a(h, numbers, sizeof numbers);
    }
    return hash_fnv1a(h, &c->robot.policy_rate_hz, sizeof c->robot.policy_rate_hz);
}

static int finish(struct config *c, const char *const *sets, int n_sets, struct walk *w)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < n_sets; i++) {
        rc = walk_set(w, sets[i]);
    }
    rc = rc == 0 ? cross_check(c, w->ret_why, w->cap) : rc;
    if (rc < 0) {
        return rc;
    }
    char *text = malloc(DUMP_BYTES);
    const int n = text != NULL ? config_dump(c, text, DUMP_BYTES) : -ENOMEM;
    if (n >= 0) {
        c->hash = hash_fnv1a(HASH_START, text, (size_t)n);
        c->robot_hash = robot_hash(c);
    }
    free(text);
    return n < 0 ? n : 0;
}

int config_load_text(struct config *ret_config, const char *text, size_t n, const char *name,
                     const char *const *sets, int n_sets, struct arena *mem, char *ret_why, int cap)
{
    struct config *c = ret_config;
    defaults(c);
    (void)snprintf(c->path, sizeof c->path, "%s", name);
    struct walk w = {.config = c, .mem = mem, .file = name, .ret_why = ret_why, .cap = cap};
    const int rc = config_walk(&w, text, n, include);
    return rc < 0 ? rc : finish(c, sets, n_sets, &w);
}

int config_load(struct config *ret_config, const char *path, const char *const *sets, int n_sets,
                struct arena *mem, char *ret_why, int cap)
{
    char *text = NULL;
    size_t n = 0;
    int rc = read_file(path, &text, &n, ret_why, cap);
    if (rc == 0) {
        rc = config_load_text(ret_config, text, n, path, sets, n_sets, mem, ret_why, cap);
        free(text);
    }
    return rc;
}

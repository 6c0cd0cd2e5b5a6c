#include "daemon/calibration.h"

#include "daemon/base/hash.h"
#include "daemon/config_yaml.h"
#include "drivers/joints.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUM_KEY "checksum: "

/* clang-format off */
#define AT(field) offsetof(struct calibration, field)
static const struct option head_options[] = {
    {.key = "schema", .type = OPTION_INT, .offset = AT(schema), .min = 1, .max = 1, .def = NULL, .help = "version of this file's keys"},
    {.key = "robot", .type = OPTION_TEXT, .offset = AT(robot), .n_max = NAME_CHARS, .def = NULL, .help = "name of the robot"},
    {.key = "date", .type = OPTION_TEXT, .offset = AT(date), .n_max = DATE_CHARS, .def = NULL, .help = "when it was made"},
    {.key = "checksum", .type = OPTION_TEXT, .offset = AT(checksum), .n_max = 16, .def = NULL, .help = "CRC-32C of all lines before"},
    {.key = NULL},
};

#undef AT
#define AT(field) offsetof(struct calibration_joint, field)
static const struct option joint_options[] = {
    {.key = "name", .type = OPTION_TEXT, .offset = AT(name), .n_max = NAME_CHARS, .def = NULL, .help = "name of the joint"},
    {.key = "model", .type = OPTION_INT, .offset = AT(model), .min = 0, .max = 2147483647, .def = NULL, .help = "model of its device"},
    {.key = "firmware", .type = OPTION_INT, .offset = AT(firmware), .min = 0, .max = 2147483647, .def = NULL, .help = "firmware of its device then"},
    {.key = "serial", .type = OPTION_INT64, .offset = AT(serial), .min = 0, .max = 4294967295.0, .def = NULL, .help = "serial number of its device; 0: it tells none"},
    {.key = "sign", .type = OPTION_INT, .offset = AT(sign), .min = -1, .max = 1, .def = NULL, .help = "direction of the device against the joint"},
    {.key = "zero_rad", .type = OPTION_DOUBLE, .offset = AT(zero_rad), .min = -1000, .max = 1000, .def = NULL, .help = "device angle where the joint reads 0"},
    {.key = NULL},
};
static const struct option range_options[] = {
    {.key = "q_min_rad", .type = OPTION_DOUBLE, .offset = AT(q_min), .min = -1e4, .max = 1e4, .def = "0", .help = "lower end of its range"},
    {.key = "q_max_rad", .type = OPTION_DOUBLE, .offset = AT(q_max), .min = -1e4, .max = 1e4, .def = "0", .help = "upper end of its range"},
    {.key = NULL},
};

/* clang-format on */

int calibration_path(const char *robot_path, char *ret_path, size_t cap)
{
    const char *dot = strrchr(robot_path, '.'), *slash = strrchr(robot_path, '/');
    const bool yaml = dot != NULL && (slash == NULL || dot > slash) &&
                      (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    const int stem = yaml ? (int)(dot - robot_path) : (int)strlen(robot_path);
    const int n = snprintf(ret_path, cap, "%.*s.calibration.yaml", stem, robot_path);
    return n > 0 && (size_t)n < cap ? 0 : -ENAMETOOLONG;
}

/* --- writing --- */

struct out {
    char *text;
    int n, cap; /* n > cap: it did not fit */
};

static void put(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *format, ...)
{
    va_list args;
    const int room = o->n < o->cap ? o->cap - o->n : 0;
    va_start(args, format);
    o->n += vsnprintf(o->text + o->n - (room == 0 ? o->n : 0), (size_t)room, format, args);
    va_end(args);
}

/* In single quotes it can only be text. */
static void put_quoted(struct out *o, const char *text)
{
    put(o, "'");
    for (; *text != '\0'; text++) {
        put(o, *text == '\'' ? "''" : "%c", *text);
    }
    put(o, "'");
}

static void put_joint(struct out *o, const struct calibration_joint *j)
{
    put(o, "  - {name: ");
    put_quoted(o, j->name);
    put(o, ", model: %d, firmware: %d, serial: %lld, sign: %d, zero_rad: %.9g", j->model,
        j->firmware, (long long)j->serial, j->sign, j->zero_rad);
    if (isfinite(j->q_min) && isfinite(j->q_max)) {
        put(o, ", q_min_rad: %.9g, q_max_rad: %.9g", j->q_min, j->q_max);
    }
    put(o, "}\n");
}

int calibration_text(const struct calibration *c, char *ret_text, int cap)
{
    struct out o = {.text = ret_text, .cap = cap};
    put(&o,
        "# Written by basalctl calibrate and find-limits, read by basald beside the robot file.\n"
        "# After a change by hand its checksum is wrong and it is refused.\n"
        "schema: 1\nrobot: ");
    put_quoted(&o, c->robot);
    put(&o, "\ndate: ");
    put_quoted(&o, c->date);
    put(&o, "\njoints:\n");
    for (int i = 0; i < c->n; i++) {
        put_joint(&o, &c->joint[i]);
    }
    if (o.n < o.cap) {
        put(&o, SUM_KEY "'%08x'\n", (unsigned)hash_crc32c(0, ret_text, (size_t)o.n));
    }
    return o.n < o.cap ? o.n : -ENOSPC;
}

/* --- reading --- */

/* The checksum is the last line, and that of all before it. */
static int check_sum(const char *text, size_t n, const char *name, char *ret_why, int cap)
{
    static const size_t line = sizeof SUM_KEY - 1 + 2 + 8 + 1; /* quotes, digits, line feed */
    char wanted[32] = "";
    if (n > line) {
        (void)snprintf(wanted, sizeof wanted, SUM_KEY "'%08x'\n",
                       (unsigned)hash_crc32c(0, text, n - line));
    }
    if (n > line && text[n - line - 1] == '\n' && memcmp(text + n - line, wanted, line) == 0) {
        return 0;
    }
    return why(ret_why, cap, -EINVAL,
               "%s: its checksum is not that of its contents: it was changed or damaged; calibrate "
               "again (basalctl calibrate), or remove it",
               name);
}

static int walk_joint(const struct walk *w, const yaml_node_t *map)
{
    struct calibration *c = w->calibration;
    if (c->n == JOINTS_MAX) {
        return config_bad(w, map, "joints: more than %d", JOINTS_MAX);
    }
    struct calibration_joint *j = &c->joint[c->n++];
    *j = (struct calibration_joint){.q_min = (double)NAN, .q_max = (double)NAN};
    const struct target t = {.n = 2, .table = {joint_options, range_options}, .base = {j, j}};
    int rc = node_map(w, map, &t);
    rc = rc == 0 ? node_must(w, map, joint_options) : rc;
    if (rc == 0 && j->sign == 0) {
        rc = config_bad(w, map, "joints: sign is 1 or -1");
    }
    const bool low = !isfinite(j->q_min), high = !isfinite(j->q_max);
    if (rc == 0 && (low != high || (!low && !(j->q_min < j->q_max)))) {
        rc = config_bad(w, map, "joints: q_min_rad must be less than q_max_rad, and both be there");
    }
    return rc;
}

static int walk_all(struct walk *w, yaml_document_t *doc)
{
    static const char *const also[] = {"joints", NULL};
    const yaml_node_t *root = yaml_document_get_root_node(doc);
    w->doc = doc;
    if (root == NULL || root->type != YAML_MAPPING_NODE) {
        return config_bad_at(w, &(struct place){.line = 1, .column = 1},
                             "keys and values are wanted here");
    }
    const struct target t = {
        .n = 1, .table = {head_options}, .base = {w->calibration}, .also = also};
    int rc = node_map(w, root, &t);
    rc = rc == 0 ? node_must(w, root, head_options) : rc;
    const yaml_node_t *list = node_value(w, root, "joints");
    return rc == 0 && list != NULL ? node_list(w, list, "joints", walk_joint) : rc;
}

int calibration_read(struct calibration *ret_calibration, const char *text, size_t n,
                     const char *name, char *ret_why, int cap)
{
    yaml_document_t doc;
    struct walk w = {.file = name, .calibration = ret_calibration, .ret_why = ret_why, .cap = cap};
    int rc = check_sum(text, n, name, ret_why, cap);
    rc = rc == 0 ? config_document(&w, text, n, &doc) : rc;
    if (rc < 0) {
        return rc;
    }
    *ret_calibration = (struct calibration){.n = 0};
    rc = walk_all(&w, &doc);
    yaml_document_delete(&doc);
    return rc;
}

/* --- the robot --- */

static int find(const struct robot *r, const char *name)
{
    int j = 0;
    while (j < r->n_joints && strcmp(r->joint[j].name, name) != 0) {
        j++;
    }
    return j < r->n_joints ? j : -1;
}

int calibration_apply(const struct calibration *c, const char *of, struct robot *r,
                      const char *name, char *ret_why, int cap)
{
    if (strcmp(c->robot, of) != 0) {
        return why(ret_why, cap, -EINVAL,
                   "%s: it is of robot %s, this one is %s: calibrate again, or remove it", name,
                   c->robot, of);
    }
    for (int i = 0; i < c->n; i++) {
        const struct calibration_joint *k = &c->joint[i];
        const int j = find(r, k->name);
        const int model = j >= 0 ? r->joint[j].model : 0;
        if (j < 0 || (model != 0 && k->model != 0 && model != k->model)) {
            return j < 0 ? why(ret_why, cap, -EINVAL,
                               "%s: robot %s has no joint %s: calibrate again, or remove it", name,
                               r->name, k->name)
                         : why(ret_why, cap, -EINVAL,
                               "%s: joint %s was model %d then, the robot file says %d: calibrate "
                               "again, or remove it",
                               name, k->name, k->model, model);
        }
    }
    for (int i = 0; i < c->n; i++) {
        const struct calibration_joint *k = &c->joint[i];
        struct joint_spec *j = &r->joint[find(r, k->name)];
        j->sign = k->sign;
        j->zero_rad = k->zero_rad;
        j->q_min = isfinite(k->q_min) ? k->q_min : j->q_min;
        j->q_max = isfinite(k->q_max) ? k->q_max : j->q_max;
        j->model = k->model != 0 ? k->model : j->model;
        j->serial = k->serial != 0 ? k->serial : j->serial;
    }
    return 0;
}

void calibration_mark(const struct calibration *c, struct robot *r)
{
    for (int i = 0; i < c->n; i++) {
        const struct calibration_joint *k = &c->joint[i];
        struct joint_spec *j = &r->joint[find(r, k->name)];
        j->range_found = k->q_min == j->q_min && k->q_max == j->q_max &&
                         k->zero_rad == j->zero_rad && k->sign == j->sign;
    }
}

struct calibration_joint *calibration_joint(struct calibration *c, const struct joint_spec *j)
{
    int i = 0;
    while (i < c->n && strcmp(c->joint[i].name, j->name) != 0) {
        i++;
    }
    if (i == JOINTS_MAX) {
        return NULL;
    }
    if (i == c->n) {
        c->joint[c->n++] = (struct calibration_joint){
            .sign = j->sign, .zero_rad = j->zero_rad, .q_min = (double)NAN, .q_max = (double)NAN};
        (void)snprintf(c->joint[i].name, sizeof c->joint[i].name, "%s", j->name);
    }
    return &c->joint[i];
}

double calibration_zero_rad(const struct joint_spec *j, double q)
{
    return joint_to_device(j, q); /* device = sign gear q + zero, and 0 for q is to give that */
}

void stretch_follow(struct stretch *s, double q)
{
    const double way = s->tip - s->from;
    const bool on = way == 0.0 || (way > 0.0 ? q > s->tip : q < s->tip);
    const bool back = fabs(q - s->tip) > TURN_RAD;
    if (!on && back) {
        s->from = s->tip;
    }
    s->tip = on || back ? q : s->tip;
}

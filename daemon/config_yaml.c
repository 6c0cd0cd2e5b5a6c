#include "daemon/config_yaml.h"

#include "drivers/driver.h"
#include "sim/firmware/device.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX   512
#define TABLES_MAX 3

/* A mapping's keys are looked up in these tables, in order; each writes into its own struct. */
struct target {
    int n;
    const struct option *table[TABLES_MAX];
    void *base[TABLES_MAX];
    const char *const *also; /* keys that the caller handles itself, NULL at the end */
};

int config_bad(const struct walk *w, const yaml_node_t *at, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return why(w->ret_why, w->cap, -EINVAL, "%s:%zu:%zu: %s", w->file, at->start_mark.line + 1,
               at->start_mark.column + 1, text);
}

/* Edits between two short names: Levenshtein. */
static int edits(const char *a, const char *b)
{
    int row[NAME_CHARS * 2 + 1];
    const int n = (int)strlen(b);
    if (n > NAME_CHARS * 2) {
        return 1000;
    }
    for (int j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const int above = row[j];
            int best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[n];
}

static void nearer(const char *name, const char *key, int *best, const char **nearest)
{
    const int d = edits(key, name);
    if (d < *best) {
        *best = d;
        *nearest = name;
    }
}

static int unknown_key(const struct walk *w, const yaml_node_t *at, const struct target *t,
                       const char *key)
{
    int best = 1000;
    const char *nearest = "";
    for (int k = 0; k < t->n; k++) {
        for (const struct option *o = t->table[k]; o != NULL && o->key != NULL; o++) {
            nearer(o->key, key, &best, &nearest);
        }
    }
    for (int k = 0; t->also != NULL && t->also[k] != NULL; k++) {
        nearer(t->also[k], key, &best, &nearest);
    }
    return config_bad(w, at, "%.64s: no such key; the nearest is %s", key, nearest);
}

static const yaml_node_t *node(const struct walk *w, int index)
{
    return yaml_document_get_node(w->doc, index);
}

static const char *scalar(const yaml_node_t *n)
{
    return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* A scalar, or a list of scalars as "[a, b]". */
static int text_of(const struct walk *w, const yaml_node_t *n, const char *key, char *ret_text,
                   size_t cap)
{
    if (n->type == YAML_SCALAR_NODE) {
        const size_t len = n->data.scalar.length;
        if (len >= cap || memchr(n->data.scalar.value, '\0', len) != NULL) {
            return config_bad(w, n, "%.64s: the value is too long or not text", key);
        }
        memcpy(ret_text, n->data.scalar.value, len);
        ret_text[len] = '\0';
        return 0;
    }
    if (n->type != YAML_SEQUENCE_NODE) {
        return config_bad(w, n, "%.64s: a value is wanted here, not a map", key);
    }
    size_t used = (size_t)snprintf(ret_text, cap, "[");
    for (const yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
         i++) {
        const char *item = scalar(node(w, *i));
        if (item == NULL || used + strlen(item) + 4 > cap) {
            return config_bad(w, n, "%.64s: a short list of numbers is wanted here", key);
        }
        used += (size_t)snprintf(ret_text + used, cap - used, "%s%s", used > 1 ? ", " : "", item);
    }
    (void)snprintf(ret_text + used, cap - used, "]");
    return 0;
}

static int walk_pair(const struct walk *w, const yaml_node_t *k, const yaml_node_t *v,
                     const struct target *t)
{
    const char *key = scalar(k);
    for (int i = 0; i < t->n; i++) {
        const struct option *o = option_find(t->table[i], key);
        char text[TEXT_MAX], reason[WHY_CHARS];
        if (o == NULL) {
            continue;
        }
        int rc = text_of(w, v, key, text, sizeof text);
        if (rc == 0) {
            rc = option_set(o, t->base[i], text, reason, (int)sizeof reason);
            rc = rc < 0 ? config_bad(w, v, "%s", reason) : 0;
        }
        return rc;
    }
    for (int i = 0; t->also != NULL && t->also[i] != NULL; i++) {
        if (strcmp(t->also[i], key) == 0) {
            return 0;
        }
    }
    return unknown_key(w, k, t, key);
}

/* Every key once, each a plain scalar, none unknown. */
static int walk_map(const struct walk *w, const yaml_node_t *map, const struct target *t)
{
    if (map->type != YAML_MAPPING_NODE) {
        return config_bad(w, map, "keys and values are wanted here");
    }
    const yaml_node_pair_t *first = map->data.mapping.pairs.start;
    for (const yaml_node_pair_t *p = first; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = node(w, p->key);
        if (scalar(k) == NULL) {
            return config_bad(w, k, "a key is wanted here");
        }
        for (const yaml_node_pair_t *q = first; q < p; q++) {
            if (strcmp(scalar(node(w, q->key)), scalar(k)) == 0) {
                return config_bad(w, k, "%.64s: stands twice in this map", scalar(k));
            }
        }
        const int rc = walk_pair(w, k, node(w, p->value), t);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static const yaml_node_t *value_of(const struct walk *w, const yaml_node_t *map, const char *key)
{
    if (map->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const char *k = scalar(node(w, p->key));
        if (k != NULL && strcmp(k, key) == 0) {
            return node(w, p->value);
        }
    }
    return NULL;
}

static const char *text_value(const struct walk *w, const yaml_node_t *map, const char *key)
{
    const yaml_node_t *v = value_of(w, map, key);
    return v != NULL ? scalar(v) : NULL;
}

/* Walk a list of maps. */
static int walk_list(const struct walk *w, const yaml_node_t *list, const char *what,
                     int (*element)(const struct walk *w, const yaml_node_t *map))
{
    if (list->type != YAML_SEQUENCE_NODE) {
        return config_bad(w, list, "%s: a list is wanted here", what);
    }
    for (const yaml_node_item_t *i = list->data.sequence.items.start;
         i < list->data.sequence.items.top; i++) {
        const int rc = element(w, node(w, *i));
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* --- lists of named things: a known name is changed, a new one is added
 * ------------------------------------------ */

static int walk_bus(const struct walk *w, const yaml_node_t *map)
{
    struct robot *r = &w->config->robot;
    const char *name = text_value(w, map, "name");
    if (name == NULL) {
        return config_bad(w, map, "bus: every bus needs a name");
    }
    int i = 0;
    while (i < r->n_buses && strcmp(r->bus[i].name, name) != 0) {
        i++;
    }
    if (i == BUSES_MAX) {
        return config_bad(w, map, "bus: more than %d buses", BUSES_MAX);
    }
    if (i == r->n_buses) {
        option_defaults(config_bus_options, &r->bus[r->n_buses++]);
    }
    const struct target t = {.n = 1, .table = {config_bus_options}, .base = {&r->bus[i]}};
    return walk_map(w, map, &t);
}

static int joint_bus(const struct walk *w, const yaml_node_t *map, struct joint_spec *j)
{
    const struct robot *r = &w->config->robot;
    const char *bus = text_value(w, map, "bus");
    if (bus == NULL) {
        return j->bus >= 0 || r->n_buses == 0
                   ? 0
                   : config_bad(w, map, "joints: joint %s needs its bus", j->name);
    }
    for (int i = 0; i < r->n_buses; i++) {
        if (strcmp(r->bus[i].name, bus) == 0) {
            j->bus = i;
            return 0;
        }
    }
    return config_bad(w, value_of(w, map, "bus"), "bus: there is no bus \"%.32s\" above", bus);
}

/* The driver's and the emulated device's own settings, with their defaults. */
static void joint_plugins(const struct walk *w, struct joint_spec *j,
                          const struct serial_driver **ret_driver, const struct device **ret_device)
{
    const char *name = j->bus >= 0 ? w->config->robot.bus[j->bus].driver : "";
    *ret_driver = serial_driver_find(name);
    *ret_device = device_find(name);
    if (*ret_driver != NULL && (*ret_driver)->info.options != NULL && j->driver == NULL) {
        j->driver = arena_take(w->mem, (*ret_driver)->info.config_bytes);
        option_defaults((*ret_driver)->info.options, j->driver);
    }
    if (*ret_device != NULL && j->device == NULL) {
        j->device = arena_take(w->mem, (*ret_device)->config_bytes);
        option_defaults((*ret_device)->options, j->device);
    }
}

static int walk_joint(const struct walk *w, const yaml_node_t *map)
{
    static const char *const also[] = {"bus", "device", NULL};
    struct robot *r = &w->config->robot;
    const char *name = text_value(w, map, "name");
    if (name == NULL) {
        return config_bad(w, map, "joints: every joint needs a name");
    }
    int i = 0;
    while (i < r->n_joints && strcmp(r->joint[i].name, name) != 0) {
        i++;
    }
    if (i == JOINTS_MAX) {
        return config_bad(w, map, "joints: more than %d joints", JOINTS_MAX);
    }
    struct joint_spec *j = &r->joint[i];
    if (i == r->n_joints) {
        const double unset = (double)NAN;
        *j = (struct joint_spec){.bus = -1,
                                 .id = -1,
                                 .q_min = unset,
                                 .q_max = unset,
                                 .qd_max = unset,
                                 .qdd_max = unset,
                                 .tau_max = unset,
                                 .tau_stall = unset,
                                 .temp_max_c = unset};
        option_defaults(config_joint_options, j);
        r->n_joints++;
    }
    const struct serial_driver *driver;
    const struct device *device;
    int rc = joint_bus(w, map, j);
    if (rc < 0) {
        return rc;
    }
    joint_plugins(w, j, &driver, &device);
    struct target t = {.n = 1, .table = {config_joint_options}, .base = {j}, .also = also};
    if (j->driver != NULL) {
        t.table[t.n] = driver->info.options;
        t.base[t.n++] = j->driver;
    }
    rc = walk_map(w, map, &t);
    const yaml_node_t *own = value_of(w, map, "device");
    if (rc < 0 || own == NULL) {
        return rc;
    }
    if (device == NULL) {
        return config_bad(w, own, "device: there is no emulated device for this bus");
    }
    return walk_map(w, own,
                    &(struct target){.n = 1, .table = {device->options}, .base = {j->device}});
}

static int walk_extra(const struct walk *w, const yaml_node_t *map)
{
    struct robot *r = &w->config->robot;
    if (r->n_extra == EXTRA_MAX) {
        return config_bad(w, map, "extra: more than %d sensors", EXTRA_MAX);
    }
    struct extra_spec *e = &r->extra[r->n_extra];
    option_defaults(config_extra_options, e);
    const int rc =
        walk_map(w, map, &(struct target){.n = 1, .table = {config_extra_options}, .base = {e}});
    const struct extra_spec *last = r->n_extra > 0 ? &r->extra[r->n_extra - 1] : NULL;
    e->offset = last != NULL ? last->offset + last->n : 0;
    r->n_extra++;
    return rc == 0 && e->offset + e->n > EXTRA_MAX
               ? config_bad(w, map, "extra: more than %d numbers", EXTRA_MAX)
               : rc;
}

/* --- the task's rows: a list replaces the one before
 * ------------------------------------------------------------- */

static int walk_slot(const struct walk *w, const yaml_node_t *map)
{
    static const char *const also[] = {"kind", NULL};
    struct task_spec *t = &w->config->task;
    const char *kind = text_value(w, map, "kind");
    if (kind == NULL || t->n_slots == SLOTS_MAX) {
        return config_bad(w, map, "observation: every slot needs a kind, and there are at most %d",
                          SLOTS_MAX);
    }
    for (const struct slot_kind *k = slot_kinds; k->name != NULL; k++) {
        if (strcmp(k->name, kind) == 0) {
            struct slot *s = &t->slot[t->n_slots++];
            *s = (struct slot){.kind = k, .term = {.scale = 1.0}};
            option_defaults(k->options, &s->term);
            return walk_map(
                w, map,
                &(struct target){.n = 1, .table = {k->options}, .base = {&s->term}, .also = also});
        }
    }
    return config_bad(w, map, "observation: there is no slot \"%.32s\"", kind);
}

static int walk_reward(const struct walk *w, const yaml_node_t *map)
{
    static const char *const also[] = {"kind", NULL};
    struct task_spec *t = &w->config->task;
    const char *kind = text_value(w, map, "kind");
    if (kind == NULL || t->n_rewards == REWARDS_MAX) {
        return config_bad(w, map, "reward: every term needs a kind, and there are at most %d",
                          REWARDS_MAX);
    }
    for (const struct reward_kind *k = reward_kinds; k->name != NULL; k++) {
        if (strcmp(k->name, kind) == 0) {
            struct reward *s = &t->reward[t->n_rewards++];
            *s = (struct reward){.kind = k};
            option_defaults(k->options, &s->term);
            return walk_map(
                w, map,
                &(struct target){.n = 1, .table = {k->options}, .base = {&s->term}, .also = also});
        }
    }
    return config_bad(w, map, "reward: there is no term \"%.32s\"", kind);
}

static int walk_task_lists(const struct walk *w, const yaml_node_t *map)
{
    const yaml_node_t *slots = value_of(w, map, "observation"),
                      *rewards = value_of(w, map, "reward");
    int rc = 0;
    if (slots != NULL) {
        w->config->task.n_slots = 0;
        rc = walk_list(w, slots, "task.observation", walk_slot);
    }
    if (rc == 0 && rewards != NULL) {
        w->config->task.n_rewards = 0;
        rc = walk_list(w, rewards, "task.reward", walk_reward);
    }
    return rc;
}

/* --- plug-ins chosen by kind
 * --------------------------------------------------------------------------------------- */

int config_choose_policy(struct config *c, const char *kind, struct arena *mem, char *ret_why,
                         int cap)
{
    const struct policy *old = c->policy, *now = policy_find(kind);
    const void *old_config = c->policy_config;
    if (now == NULL) {
        return why(ret_why, cap, -EINVAL, "policy.kind: no algorithm is called \"%.32s\"", kind);
    }
    if (now == old) {
        return 0;
    }
    c->policy = now;
    c->policy_config = arena_take(mem, now->config_bytes);
    option_defaults(now->options, c->policy_config);
    for (const struct option *o = now->options; old != NULL && o->key != NULL; o++) {
        const struct option *was = option_find(old->options, o->key);
        char text[TEXT_MAX];
        if (was != NULL) {
            (void)option_get(was, old_config, text, (int)sizeof text);
            if (option_set(o, c->policy_config, text, NULL, 0) < 0) {
                continue; /* the new kind's default stands where the old value means nothing */
            }
        }
    }
    return 0;
}

int config_choose_sim(struct config *c, const char *kind, struct arena *mem, char *ret_why, int cap)
{
    const struct sim *sim = sim_find(kind);
    if (sim == NULL) {
        return why(ret_why, cap, -EINVAL, "sim.kind: no body is called \"%.32s\"", kind);
    }
    if (sim != c->sim) {
        c->sim = sim;
        c->sim_config = arena_take(mem, sim->config_bytes);
        option_defaults(sim->options, c->sim_config);
    }
    return 0;
}

static int choose(const struct walk *w, const yaml_node_t *map, const char *section,
                  struct target *t)
{
    const bool policy = strcmp(section, "policy") == 0;
    const char *kind = text_value(w, map, "kind");
    char reason[WHY_CHARS];
    if (kind != NULL) {
        const int rc =
            policy ? config_choose_policy(w->config, kind, w->mem, reason, (int)sizeof reason)
                   : config_choose_sim(w->config, kind, w->mem, reason, (int)sizeof reason);
        if (rc < 0) {
            return config_bad(w, value_of(w, map, "kind"), "%s", reason);
        }
    }
    const struct option *own = policy
                                   ? (w->config->policy != NULL ? w->config->policy->options : NULL)
                                   : (w->config->sim != NULL ? w->config->sim->options : NULL);
    if (own == NULL) {
        return config_bad(w, map, "%s: needs its kind first", section);
    }
    t->table[t->n] = own;
    t->base[t->n++] = policy ? w->config->policy_config : w->config->sim_config;
    return 0;
}

static int walk_section(const struct walk *w, const struct section *s, const yaml_node_t *map)
{
    static const char *const kind[] = {"kind", NULL}, *const lists[] = {"observation", "reward",
                                                                        NULL};
    struct target t = {.n = 1, .table = {s->options}, .base = {(char *)w->config + s->offset}};
    if (strcmp(s->name, "policy") == 0 || strcmp(s->name, "sim") == 0) {
        t.also = kind;
        const int rc = choose(w, map, s->name, &t);
        if (rc < 0) {
            return rc;
        }
    }
    if (strcmp(s->name, "task") == 0) {
        t.also = lists;
        const int rc = walk_task_lists(w, map);
        if (rc < 0) {
            return rc;
        }
    }
    return walk_map(w, map, &t);
}

static int walk_root(struct walk *w, const yaml_node_t *root)
{
    static const char *const also[] = {"include", "bus",    "joints", "extra",  "control",
                                       "estop",   "safety", "task",   "policy", "learner",
                                       "replay",  "comms",  "sim",    "faults", NULL};

    static const struct {
        const char *key;
        int (*element)(const struct walk *w, const yaml_node_t *map);
    } lists[] = {{"bus", walk_bus}, {"joints", walk_joint}, {"extra", walk_extra}};

    int rc = walk_map(
        w, root,
        &(struct target){
            .n = 1, .table = {config_sections[0].options}, .base = {w->config}, .also = also});
    for (unsigned i = 0; rc == 0 && i < sizeof lists / sizeof lists[0]; i++) {
        const yaml_node_t *list = value_of(w, root, lists[i].key);
        rc = list != NULL ? walk_list(w, list, lists[i].key, lists[i].element) : 0;
    }
    for (const struct section *s = config_sections + 1; rc == 0 && s->name != NULL; s++) {
        const yaml_node_t *map = value_of(w, root, s->name);
        rc = map != NULL ? walk_section(w, s, map) : 0;
    }
    return rc;
}

/* The document that is now walked; includes walk their own before it. */
static int walk_document(struct walk *w, yaml_document_t *doc,
                         int (*include_fn)(struct walk *w, const char *path, const yaml_node_t *at))
{
    struct walk own = *w;
    own.doc = doc;
    const yaml_node_t *root = yaml_document_get_root_node(doc);
    if (root == NULL || root->type != YAML_MAPPING_NODE) {
        return why(w->ret_why, w->cap, -EINVAL, "%s:1:1: keys and values are wanted here", w->file);
    }
    const yaml_node_t *include = value_of(&own, root, "include");
    if (include != NULL) {
        struct walk inner = own;
        const int rc = scalar(include) == NULL || include_fn == NULL
                           ? config_bad(&own, include, "include: a file name is wanted here")
                           : include_fn(&inner, scalar(include), include);
        if (rc < 0) {
            return rc;
        }
    }
    return walk_root(&own, root);
}

int config_walk(struct walk *w, const char *text, size_t n,
                int (*include_fn)(struct walk *w, const char *path, const yaml_node_t *at))
{
    yaml_parser_t parser;
    yaml_document_t doc;
    if (yaml_parser_initialize(&parser) == 0) {
        return -ENOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    int rc;
    if (yaml_parser_load(&parser, &doc) == 0) {
        rc = why(w->ret_why, w->cap, -EINVAL, "%s:%zu:%zu: this is no YAML: %s", w->file,
                 parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                 parser.problem != NULL ? parser.problem : "cannot be read");
    } else {
        rc = walk_document(w, &doc, include_fn);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return rc;
}

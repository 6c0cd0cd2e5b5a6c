#include "daemon/config_yaml.h"

#include "drivers/driver.h"
#include "sim/firmware/device.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 512

/* --- lists of named things: a known name is changed, a new one is added --- */

static int walk_bus(const struct walk *w, const yaml_node_t *map)
{
    struct robot *r = &w->config->robot;
    const char *name = node_text(w, map, "name");
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
    return node_map(w, map, &t);
}

static int joint_bus(const struct walk *w, const yaml_node_t *map, struct joint_spec *j)
{
    const struct robot *r = &w->config->robot;
    const char *bus = node_text(w, map, "bus");
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
    return config_bad(w, node_value(w, map, "bus"), "bus: there is no bus \"%.32s\" above", bus);
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
    const char *name = node_text(w, map, "name");
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
    rc = node_map(w, map, &t);
    const yaml_node_t *own = node_value(w, map, "device");
    if (rc < 0 || own == NULL) {
        return rc;
    }
    if (device == NULL) {
        return config_bad(w, own, "device: there is no emulated device for this bus");
    }
    return node_map(w, own,
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
        node_map(w, map, &(struct target){.n = 1, .table = {config_extra_options}, .base = {e}});
    const struct extra_spec *last = r->n_extra > 0 ? &r->extra[r->n_extra - 1] : NULL;
    e->offset = last != NULL ? last->offset + last->n : 0;
    r->n_extra++;
    return rc == 0 && e->offset + e->n > EXTRA_MAX
               ? config_bad(w, map, "extra: more than %d numbers", EXTRA_MAX)
               : rc;
}

/* --- the task's rows: a list replaces the one before --- */

static int walk_slot(const struct walk *w, const yaml_node_t *map)
{
    static const char *const also[] = {"kind", NULL};
    struct task_spec *t = &w->config->task;
    const char *kind = node_text(w, map, "kind");
    if (kind == NULL || t->n_slots == SLOTS_MAX) {
        return config_bad(w, map, "observation: every slot needs a kind, and there are at most %d",
                          SLOTS_MAX);
    }
    for (const struct slot_kind *k = slot_kinds; k->name != NULL; k++) {
        if (strcmp(k->name, kind) == 0) {
            struct slot *s = &t->slot[t->n_slots++];
            *s = (struct slot){.kind = k, .term = {.scale = 1.0}};
            option_defaults(k->options, &s->term);
            return node_map(
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
    const char *kind = node_text(w, map, "kind");
    if (kind == NULL || t->n_rewards == REWARDS_MAX) {
        return config_bad(w, map, "reward: every term needs a kind, and there are at most %d",
                          REWARDS_MAX);
    }
    for (const struct reward_kind *k = reward_kinds; k->name != NULL; k++) {
        if (strcmp(k->name, kind) == 0) {
            struct reward *s = &t->reward[t->n_rewards++];
            *s = (struct reward){.kind = k};
            option_defaults(k->options, &s->term);
            return node_map(
                w, map,
                &(struct target){.n = 1, .table = {k->options}, .base = {&s->term}, .also = also});
        }
    }
    return config_bad(w, map, "reward: there is no term \"%.32s\"", kind);
}

static int walk_task_lists(const struct walk *w, const yaml_node_t *map)
{
    const yaml_node_t *slots = node_value(w, map, "observation"),
                      *rewards = node_value(w, map, "reward");
    int rc = 0;
    if (slots != NULL) {
        w->config->task.n_slots = 0;
        rc = node_list(w, slots, "task.observation", walk_slot);
    }
    if (rc == 0 && rewards != NULL) {
        w->config->task.n_rewards = 0;
        rc = node_list(w, rewards, "task.reward", walk_reward);
    }
    return rc;
}

/* --- plug-ins chosen by kind --- */

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
    const char *kind = node_text(w, map, "kind");
    char reason[WHY_CHARS];
    if (kind != NULL) {
        const int rc =
            policy ? config_choose_policy(w->config, kind, w->mem, reason, (int)sizeof reason)
                   : config_choose_sim(w->config, kind, w->mem, reason, (int)sizeof reason);
        if (rc < 0) {
            return config_bad(w, node_value(w, map, "kind"), "%s", reason);
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
    return node_map(w, map, &t);
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

    int rc = node_map(
        w, root,
        &(struct target){
            .n = 1, .table = {config_sections[0].options}, .base = {w->config}, .also = also});
    for (unsigned i = 0; rc == 0 && i < sizeof lists / sizeof lists[0]; i++) {
        const yaml_node_t *list = node_value(w, root, lists[i].key);
        rc = list != NULL ? node_list(w, list, lists[i].key, lists[i].element) : 0;
    }
    for (const struct section *s = config_sections + 1; rc == 0 && s->name != NULL; s++) {
        const yaml_node_t *map = node_value(w, root, s->name);
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
    const yaml_node_t *include = node_value(&own, root, "include");
    if (include != NULL) {
        struct walk inner = own;
        const int rc = node_scalar(include) == NULL || include_fn == NULL
                           ? config_bad(&own, include, "include: a file name is wanted here")
                           : include_fn(&inner, node_scalar(include), include);
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

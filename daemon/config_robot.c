/* The robot's lists of named things: a known name is changed, a new one is added. */
#include "daemon/config_yaml.h"

#include "daemon/bus_codec.h"
#include "sim/firmware/device.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* --set changes what is there. */
static int no_such(const struct walk *w, const yaml_node_t *map, const char *list, const char *name,
                   struct nearest *n)
{
    return config_bad(w, map, "%s: there is no \"%.32s\"; the nearest is %s", list, name, n->name);
}

static int check_driver(const struct walk *w, const yaml_node_t *map)
{
    const char *name = node_text(w, map, "driver");
    if (name == NULL || bus_codec_find(name).info != NULL) {
        return 0;
    }
    struct nearest n = nearest_to(name);
    for (int i = 0; bus_codec_info(i) != NULL; i++) {
        nearest_try(&n, bus_codec_info(i)->name);
    }
    return config_bad(w, node_value(w, map, "driver"),
                      "driver: none is called \"%.32s\"; the nearest is %s", name, n.name);
}

int config_walk_bus(const struct walk *w, const yaml_node_t *map)
{
    struct robot *r = &w->config->robot;
    const char *name = node_text(w, map, "name");
    if (name == NULL) {
        return config_bad(w, map, "bus: every bus needs a name");
    }
    struct nearest n = nearest_to(name);
    int i = 0;
    while (i < r->n_buses && strcmp(r->bus[i].name, name) != 0) {
        nearest_try(&n, r->bus[i++].name);
    }
    if (w->is_set && i == r->n_buses) {
        return no_such(w, map, "bus", name, &n);
    }
    if (i == BUSES_MAX) {
        return config_bad(w, map, "bus: more than %d buses", BUSES_MAX);
    }
    if (i == r->n_buses) {
        option_defaults(config_can_options, &r->bus[i]);
        option_defaults(config_bus_options, &r->bus[r->n_buses++]);
    }
    w->places->bus[i] = node_place(w, map);
    struct target t = {.n = 1, .table = {config_bus_options}, .base = {&r->bus[i]}};
    const char *driver = node_text(w, map, "driver");
    if (bus_codec_find(driver != NULL ? driver : r->bus[i].driver).can != NULL) {
        t.table[t.n] = config_can_options;
        t.base[t.n++] = &r->bus[i];
    }
    const int rc = node_map(w, map, &t);
    return rc < 0 ? rc : check_driver(w, map);
}

static int joint_bus(const struct walk *w, const yaml_node_t *map, struct joint_spec *j)
{
    const struct robot *r = &w->config->robot;
    const char *bus = node_text(w, map, "bus");
    if (bus == NULL) {
        return j->bus >= 0 || r->n_buses == 0
                   ? 0
                   : config_bad(w, map, "joints: joint %.32s needs its bus",
                                node_text(w, map, "name"));
    }
    for (int i = 0; i < r->n_buses; i++) {
        if (strcmp(r->bus[i].name, bus) == 0) {
            j->bus = i;
            return 0;
        }
    }
    struct nearest n = nearest_to(bus);
    for (int i = 0; i < r->n_buses; i++) {
        nearest_try(&n, r->bus[i].name);
    }
    return no_such(w, node_value(w, map, "bus"), "bus", bus, &n);
}

/* The driver's and the emulated device's own settings, with their defaults. */
static void joint_plugins(const struct walk *w, struct joint_spec *j,
                          const struct driver_info **ret_driver, const struct device **ret_device)
{
    const char *name = j->bus >= 0 ? w->config->robot.bus[j->bus].driver : "";
    *ret_driver = bus_codec_find(name).info;
    *ret_device = device_find(name);
    if (*ret_driver != NULL && (*ret_driver)->options != NULL && j->driver == NULL) {
        j->driver = arena_take(w->mem, (*ret_driver)->config_bytes);
        option_defaults((*ret_driver)->options, j->driver);
    }
    if (*ret_device != NULL && j->device == NULL) {
        j->device = arena_take(w->mem, (*ret_device)->config_bytes);
        option_defaults((*ret_device)->options, j->device);
    }
}

/* No limit has a default: what is not set is NaN. */
static void new_joint(struct joint_spec *ret_joint)
{
    const double unset = (double)NAN;
    *ret_joint = (struct joint_spec){.bus = -1,
                                     .id = -1,
                                     .q_min = unset,
                                     .q_max = unset,
                                     .qd_max = unset,
                                     .qdd_max = unset,
                                     .tau_max = unset,
                                     .tau_stall = unset,
                                     .temp_max_c = unset};
    option_defaults(config_joint_options, ret_joint);
}

int config_walk_joint(const struct walk *w, const yaml_node_t *map)
{
    static const char *const also[] = {"bus", "device", NULL};
    struct robot *r = &w->config->robot;
    const char *name = node_text(w, map, "name");
    if (name == NULL) {
        return config_bad(w, map, "joints: every joint needs a name");
    }
    struct nearest n = nearest_to(name);
    int i = 0;
    while (i < r->n_joints && strcmp(r->joint[i].name, name) != 0) {
        nearest_try(&n, r->joint[i++].name);
    }
    if (w->is_set && i == r->n_joints) {
        return no_such(w, map, "joints", name, &n);
    }
    if (i == JOINTS_MAX) {
        return config_bad(w, map, "joints: more than %d joints", JOINTS_MAX);
    }
    struct joint_spec *j = &r->joint[i];
    if (i == r->n_joints) {
        new_joint(j);
        r->n_joints++;
    }
    w->places->joint[i] = node_place(w, map);
    const struct driver_info *driver;
    const struct device *device;
    int rc = joint_bus(w, map, j);
    if (rc < 0) {
        return rc;
    }
    joint_plugins(w, j, &driver, &device);
    struct target t = {.n = 1, .table = {config_joint_options}, .base = {j}, .also = also};
    if (j->driver != NULL) {
        t.table[t.n] = driver->options;
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

/* A sensor that is no joint; they lie one after the other in sensed.extra. */
int config_walk_extra(const struct walk *w, const yaml_node_t *map)
{
    struct robot *r = &w->config->robot;
    const char *name = node_text(w, map, "name");
    if (name == NULL) {
        return config_bad(w, map, "extra: every sensor needs a name");
    }
    struct nearest n = nearest_to(name);
    int i = 0;
    while (i < r->n_extra && strcmp(r->extra[i].name, name) != 0) {
        nearest_try(&n, r->extra[i++].name);
    }
    if (w->is_set && i == r->n_extra) {
        return no_such(w, map, "extra", name, &n);
    }
    if (i == EXTRAS_MAX) {
        return config_bad(w, map, "extra: more than %d sensors", EXTRAS_MAX);
    }
    if (i == r->n_extra) {
        option_defaults(config_extra_options, &r->extra[r->n_extra++]);
    }
    const struct target t = {.n = 1, .table = {config_extra_options}, .base = {&r->extra[i]}};
    const int rc = node_map(w, map, &t);
    int offset = 0;
    for (int k = 0; k < r->n_extra; k++) {
        r->extra[k].offset = offset;
        offset += r->extra[k].n;
    }
    if (rc == 0 && offset > EXTRA_MAX) {
        return config_bad(w, map, "extra: more than %d numbers in all", EXTRA_MAX);
    }
    return rc;
}

/* A link; the list is the chain, from the base on. */
int config_walk_link(const struct walk *w, const yaml_node_t *map)
{
    struct chain_spec *c = &w->config->robot.chain;
    const char *name = node_text(w, map, "name");
    if (name == NULL) {
        return config_bad(w, map, "links: every link needs a name, that of its joint");
    }
    struct nearest n = nearest_to(name);
    int i = 0;
    while (i < c->n && strcmp(c->link[i].name, name) != 0) {
        nearest_try(&n, c->link[i++].name);
    }
    if (w->is_set && i == c->n) {
        return no_such(w, map, "links", name, &n);
    }
    if (i == CHAIN_MAX) {
        return config_bad(w, map, "links: more than %d links", CHAIN_MAX);
    }
    const bool is_new = i == c->n;
    if (is_new) {
        option_defaults(config_link_options, &c->link[c->n++]);
    }
    w->places->link[i] = node_place(w, map);
    const struct target t = {.n = 1, .table = {config_link_options}, .base = {&c->link[i]}};
    const int rc = node_map(w, map, &t);
    return rc == 0 && is_new ? node_must(w, map, config_link_options) : rc;
}

/* A part of the body of links, for section space. */
int config_walk_capsule(const struct walk *w, const yaml_node_t *map)
{
    struct space_spec *c = &w->config->robot.space;
    const char *name = node_text(w, map, "name");
    if (name == NULL) {
        return config_bad(w, map, "capsules: every capsule needs a name");
    }
    struct nearest n = nearest_to(name);
    int i = 0;
    while (i < c->n_capsules && strcmp(c->capsule[i].name, name) != 0) {
        nearest_try(&n, c->capsule[i++].name);
    }
    if (w->is_set && i == c->n_capsules) {
        return no_such(w, map, "capsules", name, &n);
    }
    if (i == CAPSULES_MAX) {
        return config_bad(w, map, "capsules: more than %d capsules", CAPSULES_MAX);
    }
    const bool is_new = i == c->n_capsules;
    if (is_new) {
        option_defaults(config_capsule_options, &c->capsule[c->n_capsules++]);
    }
    w->places->capsule[i] = node_place(w, map);
    const struct target t = {.n = 1, .table = {config_capsule_options}, .base = {&c->capsule[i]}};
    const int rc = node_map(w, map, &t);
    return rc == 0 && is_new ? node_must(w, map, config_capsule_options) : rc;
}

/* The names of the discrete actions; a list replaces the one before. */
int config_walk_choices(const struct walk *w, const yaml_node_t *list)
{
    struct robot *r = &w->config->robot;
    if (list->type != YAML_SEQUENCE_NODE) {
        return config_bad(w, list, "choices: a list of names is wanted here");
    }
    r->n_choices = 0;
    memset(r->choice, 0, sizeof r->choice);
    for (const yaml_node_item_t *i = list->data.sequence.items.start;
         i < list->data.sequence.items.top; i++) {
        const yaml_node_t *at = node_at(w, *i);
        const char *name = node_scalar(at);
        if (name == NULL || r->n_choices == CHOICES_MAX) {
            return config_bad(w, at, "choices: a list of at most %d names is wanted here",
                              CHOICES_MAX);
        }
        const struct option row = {
            .key = "choices", .type = OPTION_TEXT, .n_max = NAME_CHARS, .def = ""};
        char reason[WHY_CHARS];
        if (name[0] == '\0' ||
            option_set(&row, r->choice[r->n_choices], name, reason, (int)sizeof reason) < 0) {
            return config_bad(w, at, "choices: a name of 1 to %d characters is wanted here",
                              NAME_CHARS - 1);
        }
        for (int k = 0; k < r->n_choices; k++) {
            if (strcmp(r->choice[k], r->choice[r->n_choices]) == 0) {
                return config_bad(w, at, "choices: %.32s stands twice in this list", name);
            }
        }
        r->n_choices++;
    }
    return 0;
}

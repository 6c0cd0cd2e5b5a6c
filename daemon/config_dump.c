/* The whole configuration as canonical YAML, and the commented reference; both from the option
 * tables. */
#include "daemon/config_tables.h"

#include "daemon/bus_codec.h"
#include "sim/firmware/device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct out {
    char *text;
    int n, cap;
};

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (o->n < o->cap) {
        o->n += vsnprintf(o->text + o->n, (size_t)(o->cap - o->n), fmt, args);
    }
    va_end(args);
}

/* Quoted, so that no value can look like something else. */
static void put_text(struct out *o, const char *text)
{
    put(o, "'");
    for (const char *c = text; *c != '\0'; c++) {
        put(o, *c == '\'' ? "''" : "%c", *c);
    }
    put(o, "'");
}

static void put_value(struct out *o, const struct option *opt, const void *base)
{
    char text[512];
    (void)option_get(opt, base, text, (int)sizeof text);
    if (opt->type != OPTION_TEXT) {
        put(o, "%s", text);
        return;
    }
    put_text(o, text);
}

/* A limit that was never set is NaN, an id below what ids are: there is nothing to print. */
static bool is_set(const struct option *opt, const void *base)
{
    char text[512];
    (void)option_get(opt, base, text, (int)sizeof text);
    if (opt->type == OPTION_INT) {
        return strtod(text, NULL) >= opt->min;
    }
    return strcmp(text, "nan") != 0 && strcmp(text, "-nan") != 0;
}

static void put_table(struct out *o, const struct option *table, const void *base,
                      const char *indent)
{
    for (const struct option *opt = table; opt != NULL && opt->key != NULL; opt++) {
        if (is_set(opt, base)) {
            put(o, "%s%s: ", indent, opt->key);
            put_value(o, opt, base);
            put(o, "\n");
        }
    }
}

/* As an element of a list: the first key after a dash. */
static void put_element(struct out *o, const struct option *table, const void *base)
{
    put(o, "  - %s: ", table->key);
    put_value(o, table, base);
    put(o, "\n");
    put_table(o, table + 1, base, "    ");
}

static void put_joint(struct out *o, const struct config *c, int i)
{
    const struct joint_spec *j = &c->robot.joint[i];
    put_element(o, config_joint_options, j);
    if (j->bus < 0) {
        return;
    }
    const char *driver_name = c->robot.bus[j->bus].driver;
    const struct driver_info *driver = bus_codec_find(driver_name).info;
    const struct device *device = device_find(driver_name);
    put(o, "    bus: '%s'\n", c->robot.bus[j->bus].name);
    if (j->driver != NULL && driver != NULL) {
        put_table(o, driver->options, j->driver, "    ");
    }
    if (j->device != NULL && device != NULL) {
        put(o, "    device:\n");
        put_table(o, device->options, j->device, "      ");
    }
}

static void put_lists(struct out *o, const struct config *c)
{
    if (c->robot.n_buses > 0) {
        put(o, "bus:\n");
    }
    for (int i = 0; i < c->robot.n_buses; i++) {
        put_element(o, config_bus_options, &c->robot.bus[i]);
        if (bus_codec_find(c->robot.bus[i].driver).can != NULL) {
            put_table(o, config_can_options, &c->robot.bus[i], "    ");
        }
    }
    if (c->robot.n_joints > 0) {
        put(o, "joints:\n");
    }
    for (int i = 0; i < c->robot.n_joints; i++) {
        put_joint(o, c, i);
    }
    if (c->robot.n_extra > 0) {
        put(o, "extra:\n");
    }
    for (int i = 0; i < c->robot.n_extra; i++) {
        put_element(o, config_extra_options, &c->robot.extra[i]);
    }
    if (c->robot.chain.n > 0) {
        put(o, "links:\n");
    }
    for (int i = 0; i < c->robot.chain.n; i++) {
        put_element(o, config_link_options, &c->robot.chain.link[i]);
    }
    if (c->robot.space.n_capsules > 0) {
        put(o, "capsules:\n");
    }
    for (int i = 0; i < c->robot.space.n_capsules; i++) {
        put_element(o, config_capsule_options, &c->robot.space.capsule[i]);
    }
    if (c->robot.n_choices > 0) {
        put(o, "choices:\n");
    }
    for (int i = 0; i < c->robot.n_choices; i++) {
        put(o, "  - ");
        put_text(o, c->robot.choice[i]);
        put(o, "\n");
    }
}

static void put_rows(struct out *o, const struct config *c)
{
    put(o, "  observation:\n");
    for (int i = 0; i < c->task.n_slots; i++) {
        put(o, "    - kind: %s\n", c->task.slot[i].kind->name);
        put_table(o, c->task.slot[i].kind->options, &c->task.slot[i].term, "      ");
    }
    if (c->task.n_rewards > 0) {
        put(o, "  reward:\n");
    }
    for (int i = 0; i < c->task.n_rewards; i++) {
        put(o, "    - kind: %s\n", c->task.reward[i].kind->name);
        put_table(o, c->task.reward[i].kind->options, &c->task.reward[i].term, "      ");
    }
    if (c->task.n_ends > 0) {
        put(o, "  end:\n");
    }
    for (int i = 0; i < c->task.n_ends; i++) {
        put(o, "    - kind: %s\n", c->task.end[i].kind->name);
        put_table(o, c->task.end[i].kind->options, &c->task.end[i].term, "      ");
    }
}

/* A robot that has no such part has no section of it. */
static bool is_missing(const struct config *c, const char *section)
{
    const struct space_spec *s = &c->robot.space;
    if (strcmp(section, "space") == 0) {
        return s->n_box_min == 0 && s->n_box_max == 0 && !s->table && !s->self;
    }
    return (strcmp(section, "sim") == 0 && c->sim == NULL) ||
           (strcmp(section, "picture") == 0 && c->robot.picture.c == 0) ||
           (strcmp(section, "chain") == 0 && c->robot.chain.n == 0);
}

static void put_section(struct out *o, const struct config *c, const struct section *s)
{
    const bool policy = strcmp(s->name, "policy") == 0, sim = strcmp(s->name, "sim") == 0;
    if (is_missing(c, s->name)) {
        return;
    }
    put(o, "%s:\n", s->name);
    if (policy || sim) {
        put(o, "  kind: %s\n", policy ? c->policy->name : c->sim->name);
    }
    put_table(o, s->options, (const char *)c + s->offset, "  ");
    if (policy) {
        put_table(o, c->policy->options, c->policy_config, "  ");
    }
    if (sim) {
        put_table(o, c->sim->options, c->sim_config, "  ");
    }
    if (strcmp(s->name, "task") == 0) {
        put_rows(o, c);
    }
}

int config_dump(const struct config *c, char *ret_text, int cap)
{
    struct out o = {.text = ret_text, .cap = cap};
    put_table(&o, config_sections[0].options, c, "");
    put_lists(&o, c);
    for (const struct section *s = config_sections + 1; s->name != NULL; s++) {
        put_section(&o, c, s);
    }
    return o.n < cap ? o.n : -ENOSPC;
}

/* --- the commented reference --- */

static void manual_table(struct out *o, const struct option *table, const char *indent)
{
    for (const struct option *opt = table; opt != NULL && opt->key != NULL; opt++) {
        char wanted[160];
        (void)option_wanted(opt, wanted, (int)sizeof wanted);
        put(o, "#%s# %s; %s\n", indent, opt->help, wanted);
        put(o, "#%s%s: %s\n", indent, opt->key,
            opt->def != NULL ? opt->def : "        # must be set");
    }
}

/* Keys that no table holds: they name what the others belong to. */
static void manual_joint_bus(struct out *o)
{
    put(o, "#   # name of its bus; one of the list above\n"
           "#   bus:         # must be set\n");
}

static void manual_choice(struct out *o, const struct section *s)
{
    if (strcmp(s->name, "policy") == 0) {
        put(o, "#   # the algorithm; its keys are below; ");
        for (int i = 0; policies[i] != NULL; i++) {
            put(o, "%s%s", i > 0 ? " | " : "", policies[i]->name);
        }
        put(o, "\n#   kind:         # must be set\n");
    } else if (strcmp(s->name, "sim") == 0) {
        put(o, "#   # the simulated body; its keys are below; ");
        for (int i = 0; sims[i] != NULL; i++) {
            put(o, "%s%s", i > 0 ? " | " : "", sims[i]->name);
        }
        put(o, "\n#   kind:         # must be set\n");
    } else if (strcmp(s->name, "task") == 0) {
        put(o,
            "#   # what the policy sees; a list of slots, each with its kind; they are below\n"
            "#   observation:         # must be set\n"
            "#   # what it learns for: the sum of these; a list of terms, each with its kind; they "
            "are below\n"
            "#   reward: []\n"
            "#   # what ends an episode for good; a list, each with its kind; they are below\n"
            "#   end: []\n");
    }
}

int config_manual(char *ret_text, int cap)
{
    struct out o = {.text = ret_text, .cap = cap};
    put(&o, "# Every key of a robot file, with its range and default. Units are the last word of a "
            "key.\n");
    put(&o, "# # another file that is read before this one, or a list of them; each is read once\n"
            "# include: FILE\n");
    manual_table(&o, config_sections[0].options, " ");
    put(&o, "#\n# bus:   a list of buses\n");
    manual_table(&o, config_bus_options, "   ");
    put(&o, "#   # ... where its driver is one of CAN\n");
    manual_table(&o, config_can_options, "   ");
    put(&o, "#\n# joints:   a list of joints\n");
    manual_joint_bus(&o);
    manual_table(&o, config_joint_options, "   ");
    for (int i = 0; bus_codec_info(i) != NULL; i++) {
        put(&o, "#   # ... on a bus of driver %s\n", bus_codec_info(i)->name);
        if (bus_codec_info(i)->options != NULL) {
            manual_table(&o, bus_codec_info(i)->options, "   ");
        }
    }
    for (int i = 0; devices[i] != NULL; i++) {
        put(&o, "#   # device:   its emulator, where the driver is %s\n", devices[i]->name);
        manual_table(&o, devices[i]->options, "     ");
    }
    put(&o,
        "#\n# extra:   a list of sensors that are no joint, as the simulated body names them\n");
    manual_table(&o, config_extra_options, "   ");
    put(&o, "#\n# links:   a list of the rigid bodies between the joints, from the base on\n");
    manual_table(&o, config_link_options, "   ");
    put(&o, "#\n# capsules:   a list of the shapes of links, for space: points near a line\n");
    manual_table(&o, config_capsule_options, "   ");
    put(&o, "#\n# choices:   a list of names, where an action is one of a few and no joint is "
            "driven\n");
    for (const struct section *s = config_sections + 1; s->name != NULL; s++) {
        put(&o, "#\n# %s:\n", s->name);
        manual_choice(&o, s);
        manual_table(&o, s->options, "   ");
    }
    for (const struct slot_kind *k = slot_kinds; k->name != NULL; k++) {
        put(&o, "#\n# task.observation, kind: %s (%s)\n", k->name, k->unit);
        manual_table(&o, k->options, "   ");
    }
    for (const struct reward_kind *k = reward_kinds; k->name != NULL; k++) {
        put(&o, "#\n# task.reward, kind: %s\n", k->name);
        manual_table(&o, k->options, "   ");
    }
    for (const struct end_kind *k = end_kinds; k->name != NULL; k++) {
        put(&o, "#\n# task.end, kind: %s\n", k->name);
        manual_table(&o, k->options, "   ");
    }
    for (int i = 0; policies[i] != NULL; i++) {
        put(&o, "#\n# policy, kind: %s (%s)\n", policies[i]->name, policies[i]->source);
        manual_table(&o, policies[i]->options, "   ");
    }
    for (int i = 0; sims[i] != NULL; i++) {
        put(&o, "#\n# sim, kind: %s\n", sims[i]->name);
        manual_table(&o, sims[i]->options, "   ");
    }
    return o.n < cap ? o.n : -ENOSPC;
}

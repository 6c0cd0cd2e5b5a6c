#include "daemon/config_yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 512

/* --- the task's rows: a list replaces the one before --- */

static int node_term(const struct walk *w, const yaml_node_t *map, const struct option *table,
                     struct term *ret_term)
{
    static const char *const also[] = {"kind", NULL};
    const int rc = node_map(
        w, map, &(struct target){.n = 1, .table = {table}, .base = {ret_term}, .also = also});
    return rc < 0 ? rc : node_must(w, map, table);
}

static int walk_slot(const struct walk *w, const yaml_node_t *map)
{
    struct task_spec *t = &w->config->task;
    const char *kind = node_text(w, map, "kind");
    if (kind == NULL || t->n_slots == SLOTS_MAX) {
        return config_bad(w, map, "observation: every slot needs a kind, and there are at most %d",
                          SLOTS_MAX);
    }
    struct nearest n = nearest_to(kind);
    for (const struct slot_kind *k = slot_kinds; k->name != NULL; k++) {
        if (strcmp(k->name, kind) == 0) {
            struct slot *s = &t->slot[t->n_slots++];
            *s = (struct slot){.kind = k, .term = {.scale = 1.0}};
            option_defaults(k->options, &s->term);
            return node_term(w, map, k->options, &s->term);
        }
        nearest_try(&n, k->name);
    }
    return config_bad(w, node_value(w, map, "kind"),
                      "observation: there is no slot \"%.32s\"; the nearest is %s", kind, n.name);
}

static int walk_reward(const struct walk *w, const yaml_node_t *map)
{
    struct task_spec *t = &w->config->task;
    const char *kind = node_text(w, map, "kind");
    if (kind == NULL || t->n_rewards == REWARDS_MAX) {
        return config_bad(w, map, "reward: every term needs a kind, and there are at most %d",
                          REWARDS_MAX);
    }
    struct nearest n = nearest_to(kind);
    for (const struct reward_kind *k = reward_kinds; k->name != NULL; k++) {
        if (strcmp(k->name, kind) == 0) {
            struct reward *s = &t->reward[t->n_rewards++];
            *s = (struct reward){.kind = k};
            option_defaults(k->options, &s->term);
            return node_term(w, map, k->options, &s->term);
        }
        nearest_try(&n, k->name);
    }
    return config_bad(w, node_value(w, map, "kind"),
                      "reward: there is no term \"%.32s\"; the nearest is %s", kind, n.name);
}

static int walk_end(const struct walk *w, const yaml_node_t *map)
{
    struct task_spec *t = &w->config->task;
    const char *kind = node_text(w, map, "kind");
    if (kind == NULL || t->n_ends == ENDS_MAX) {
        return config_bad(w, map, "end: every one needs a kind, and there are at most %d",
                          ENDS_MAX);
    }
    struct nearest n = nearest_to(kind);
    for (const struct end_kind *k = end_kinds; k->name != NULL; k++) {
        if (strcmp(k->name, kind) == 0) {
            struct end *s = &t->end[t->n_ends++];
            *s = (struct end){.kind = k};
            option_defaults(k->options, &s->term);
            return node_term(w, map, k->options, &s->term);
        }
        nearest_try(&n, k->name);
    }
    return config_bad(w, node_value(w, map, "kind"),
                      "end: there is no kind \"%.32s\"; the nearest is %s", kind, n.name);
}

static int walk_task_lists(const struct walk *w, const yaml_node_t *map)
{
    const yaml_node_t *slots = node_value(w, map, "observation"),
                      *rewards = node_value(w, map, "reward"), *ends = node_value(w, map, "end");
    int rc = 0;
    if (slots != NULL) {
        w->config->task.n_slots = 0;
        rc = node_list(w, slots, "task.observation", walk_slot);
    }
    if (rc == 0 && rewards != NULL) {
        w->config->task.n_rewards = 0;
        rc = node_list(w, rewards, "task.reward", walk_reward);
    }
    if (rc == 0 && ends != NULL) {
        w->config->task.n_ends = 0;
        rc = node_list(w, ends, "task.end", walk_end);
    }
    return rc;
}

/* --- plug-ins chosen by kind --- */

/* Another policy: its defaults, and what was given under keys that it has as well. */
static int choose_policy(const struct walk *w, const char *kind, char *ret_why, int cap)
{
    struct config *c = w->config;
    const struct policy *old = c->policy, *now = policy_find(kind);
    const void *old_config = c->policy_config;
    if (now == NULL) {
        struct nearest n = nearest_to(kind);
        for (int i = 0; policies[i] != NULL; i++) {
            nearest_try(&n, policies[i]->name);
        }
        return why(ret_why, cap, -EINVAL,
                   "policy.kind: no algorithm is called \"%.32s\"; the nearest is %s", kind,
                   n.name);
    }
    if (now == old) {
        return 0;
    }
    c->policy = now;
    c->policy_config = arena_take(w->mem, now->config_bytes);
    option_defaults(now->options, c->policy_config);
    for (int i = 0; i < w->given->n; i++) {
        const struct option *was = option_find(old->options, w->given->key[i]);
        const struct option *o = option_find(now->options, w->given->key[i]);
        char text[TEXT_MAX];
        if (was != NULL && o != NULL) {
            (void)option_get(was, old_config, text, (int)sizeof text);
            if (option_set(o, c->policy_config, text, NULL, 0) < 0) {
                continue; /* the new kind's default stands where the old value means nothing */
            }
        }
    }
    return 0;
}

/* The keys of a map that belong to the policy were given: they outlive its kind. */
static void remember_given(const struct walk *w, const yaml_node_t *map)
{
    const struct policy *p = w->config->policy;
    for (const struct option *o = p->options; o->key != NULL; o++) {
        bool known = node_value(w, map, o->key) == NULL;
        for (int i = 0; i < w->given->n; i++) {
            known = known || strcmp(w->given->key[i], o->key) == 0;
        }
        if (!known && w->given->n < GIVEN_MAX) {
            w->given->key[w->given->n++] = o->key;
        }
    }
}

static int choose_sim(struct config *c, const char *kind, struct arena *mem, char *ret_why, int cap)
{
    const struct sim *sim = sim_find(kind);
    const char *missing = sim_missing(kind);
    if (missing != NULL) {
        return why(ret_why, cap, -EINVAL, "sim.kind: %s", missing);
    }
    if (sim == NULL) {
        struct nearest n = nearest_to(kind);
        for (int i = 0; sims[i] != NULL; i++) {
            nearest_try(&n, sims[i]->name);
        }
        return why(ret_why, cap, -EINVAL,
                   "sim.kind: no body is called \"%.32s\"; the nearest is %s", kind, n.name);
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
        const int rc = policy ? choose_policy(w, kind, reason, (int)sizeof reason)
                              : choose_sim(w->config, kind, w->mem, reason, (int)sizeof reason);
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
                                                                        "end", NULL};
    struct target t = {.n = 1, .table = {s->options}, .base = {(char *)w->config + s->offset}};
    w->places->section[s - config_sections] = node_place(w, map);
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
    const int rc = node_map(w, map, &t);
    if (rc == 0 && strcmp(s->name, "policy") == 0) {
        remember_given(w, map);
    }
    return rc;
}

static int walk_root(struct walk *w, const yaml_node_t *root)
{
    static const char *const also[] = {
        "include",  "bus",    "joints",  "extra", "choices", "links",     "picture", "chain",
        "capsules", "space",  "control", "estop", "safety",  "responses", "task",    "policy",
        "learner",  "replay", "comms",   "sim",   "faults",  NULL};

    static const struct {
        const char *key;
        int (*element)(const struct walk *w, const yaml_node_t *map);
    } lists[] = {{"bus", config_walk_bus},
                 {"joints", config_walk_joint},
                 {"extra", config_walk_extra},
                 {"links", config_walk_link},
                 {"capsules", config_walk_capsule}};

    w->places->root = w->is_set ? w->places->root : node_place(w, root);
    int rc = node_map(
        w, root,
        &(struct target){
            .n = 1, .table = {config_sections[0].options}, .base = {w->config}, .also = also});
    for (unsigned i = 0; rc == 0 && i < sizeof lists / sizeof lists[0]; i++) {
        const yaml_node_t *list = node_value(w, root, lists[i].key);
        rc = list != NULL ? node_list(w, list, lists[i].key, lists[i].element) : 0;
    }
    const yaml_node_t *choices = node_value(w, root, "choices");
    rc = rc == 0 && choices != NULL ? config_walk_choices(w, choices) : rc;
    for (const struct section *s = config_sections + 1; rc == 0 && s->name != NULL; s++) {
        const yaml_node_t *map = node_value(w, root, s->name);
        rc = map != NULL ? walk_section(w, s, map) : 0;
    }
    return rc;
}

/* A path, or a list of them, in order. */
static int walk_includes(const struct walk *w, const yaml_node_t *at,
                         int (*include_fn)(struct walk *w, const char *path, const yaml_node_t *at))
{
    const bool list = at->type == YAML_SEQUENCE_NODE;
    const int n = list ? (int)(at->data.sequence.items.top - at->data.sequence.items.start) : 1;
    if (include_fn == NULL) {
        return config_bad(w, at, "include: only a file may include another");
    }
    for (int i = 0; i < n; i++) {
        const yaml_node_t *one = list ? node_at(w, at->data.sequence.items.start[i]) : at;
        struct walk inner = *w;
        const char *path = node_scalar(one);
        const int rc = path == NULL ? config_bad(w, one, "include: a file name is wanted here")
                                    : include_fn(&inner, path, one);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* The document that is now walked; includes walk their own before it. */
static int walk_document(struct walk *w, yaml_document_t *doc,
                         int (*include_fn)(struct walk *w, const char *path, const yaml_node_t *at))
{
    struct walk own = *w;
    own.doc = doc;
    const yaml_node_t *root = yaml_document_get_root_node(doc);
    if (root == NULL || root->type != YAML_MAPPING_NODE) {
        return config_bad_at(w, &(struct place){.line = 1, .column = 1},
                             "keys and values are wanted here");
    }
    const yaml_node_t *include = node_value(&own, root, "include");
    const int rc = include != NULL ? walk_includes(&own, include, include_fn) : 0;
    return rc < 0 ? rc : walk_root(&own, root);
}

int config_walk(struct walk *w, const char *text, size_t n,
                int (*include_fn)(struct walk *w, const char *path, const yaml_node_t *at))
{
    yaml_document_t doc;
    int rc = config_document(w, text, n, &doc);
    if (rc == 0) {
        rc = walk_document(w, &doc, include_fn);
        yaml_document_delete(&doc);
    }
    return rc;
}

/*
 * What a YAML document is made of: maps, lists and scalars, with their place in the file for the
 * one who has to mend it.
 */
#pragma once

#include "daemon/config_tables.h"

#include <yaml.h>

#define TABLES_MAX   3
#define SECTIONS_MAX 16
#define GIVEN_MAX    128
#define FILES_MAX    8

/* Where something stands; line 0: nowhere in particular, or not in a file. */
struct place {
    const char *file;
    int line, column;
};

/* Where the parts of a robot stand, for what no single key can know. */
struct places {
    struct place root, bus[BUSES_MAX], joint[JOINTS_MAX], link[CHAIN_MAX], capsule[CAPSULES_MAX];
    struct place section[SECTIONS_MAX];
};

/* Settings of the policy that somebody wrote down, of all kinds that it has been. */
struct given {
    int n;
    const char *key[GIVEN_MAX];
};

/* The files of a robot, itself first: each is read once, however many include it. */
struct files {
    int n;
    const char *path[FILES_MAX];
    bool is_open[FILES_MAX];           /* what it includes is read */
    char robot[FILES_MAX][NAME_CHARS]; /* name, as this file and those that it includes give it */
    uint64_t devices[FILES_MAX];       /* ... and a hash of the buses and devices that they give */
};

struct walk {
    struct config *config;
    struct calibration *calibration; /* of calibration.c, which walks nothing else */
    struct arena *mem;
    const char *file; /* name in messages; lives as long as mem */
    bool is_set;      /* of --set: one line of no file, and nothing new has a name */
    yaml_document_t *doc;
    struct places *places;
    struct given *given;
    struct files *files;
    char *ret_why;
    int cap;
};

/* The name that is nearest to a key, of all that were tried. */
struct nearest {
    const char *key, *name;
    int edits;
};

/* A mapping's keys are looked up in these tables, in order; each writes into its own struct. */
struct target {
    int n;
    const struct option *table[TABLES_MAX];
    void *base[TABLES_MAX];
    const char *const *also; /* keys that the caller handles itself, NULL at the end */
};

/* "file:line:column: " + the sentence. -EINVAL. */
int config_bad(const struct walk *w, const yaml_node_t *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a place. */
int config_bad_at(const struct walk *w, const struct place *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct place node_place(const struct walk *w, const yaml_node_t *at);

struct nearest nearest_to(const char *key);
void nearest_try(struct nearest *n, const char *name);

const yaml_node_t *node_at(const struct walk *w, int index);

/* NULL: not a scalar. */
const char *node_scalar(const yaml_node_t *n);

/* What stands under key in a map, or NULL. */
const yaml_node_t *node_value(const struct walk *w, const yaml_node_t *map, const char *key);
const char *node_text(const struct walk *w, const yaml_node_t *map, const char *key);

/* Every key of the map once, each a plain scalar, none unknown: into t. 0, or -EINVAL. */
int node_map(const struct walk *w, const yaml_node_t *map, const struct target *t);

/* Every row of the table that has no default stands in the map. 0, or -EINVAL. */
int node_must(const struct walk *w, const yaml_node_t *map, const struct option *table);

/* element() for each item of a list named what; no name stands twice. */
int node_list(const struct walk *w, const yaml_node_t *list, const char *what,
              int (*element)(const struct walk *w, const yaml_node_t *map));

/*
 * What a YAML document is made of: maps, lists and scalars, with their place in the file for the
 * one who has to mend it.
 */
#pragma once

#include "daemon/config_tables.h"

#include <yaml.h>

#define TABLES_MAX 3

struct walk {
    struct config *config;
    struct arena *mem;
    const char *file; /* name in messages */
    yaml_document_t *doc;
    char *ret_why;
    int cap;
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

const yaml_node_t *node_at(const struct walk *w, int index);

/* NULL: not a scalar. */
const char *node_scalar(const yaml_node_t *n);

/* What stands under key in a map, or NULL. */
const yaml_node_t *node_value(const struct walk *w, const yaml_node_t *map, const char *key);
const char *node_text(const struct walk *w, const yaml_node_t *map, const char *key);

/* Every key of the map once, each a plain scalar, none unknown: into t. 0, or -EINVAL. */
int node_map(const struct walk *w, const yaml_node_t *map, const struct target *t);

/* element() for each item of a list named what. */
int node_list(const struct walk *w, const yaml_node_t *list, const char *what,
              int (*element)(const struct walk *w, const yaml_node_t *map));

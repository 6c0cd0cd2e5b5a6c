/*
 * Walk one YAML document by the option tables into struct config. Later documents override earlier
 * ones: the included files first, then the file, then each --set.
 */
#pragma once

#include "daemon/config_node.h"

/* Walk text; what it includes is loaded through include_fn first, NULL: it may not. 0, or -errno
 * and one sentence. */
int config_walk(struct walk *w, const char *text, size_t n,
                int (*include_fn)(struct walk *w, const char *path,
                                  const yaml_node_t *at)) BASAL_MUST_USE;

/* The one document of a text; the caller deletes it where 0 is returned. Else -errno and one
 * sentence with the place. */
int config_document(const struct walk *w, const char *text, size_t n,
                    yaml_document_t *ret_doc) BASAL_MUST_USE;

/* One element of the lists bus, joints, extra. */
int config_walk_bus(const struct walk *w, const yaml_node_t *map);
int config_walk_joint(const struct walk *w, const yaml_node_t *map);
int config_walk_extra(const struct walk *w, const yaml_node_t *map);
int config_walk_link(const struct walk *w, const yaml_node_t *map);
int config_walk_capsule(const struct walk *w, const yaml_node_t *map);
/* The list choices, whole. */
int config_walk_choices(const struct walk *w, const yaml_node_t *list);

/* Within config_check: of one bus, its keys by themselves; and what it carries in a tick. 0, or
 * -EINVAL. */
int config_check_bus(const struct walk *w, int i);
int config_check_wire(const struct walk *w, int i);
/* A row without a default that no file has set; what comes before its key. -EINVAL. */
bool config_is_empty(const struct option *o, const void *base);
int config_refuse_unset(const struct walk *w, const struct place *at, const char *what,
                        const struct option *o);

/* What no single key can know; fills what is computed from others. 0, or -EINVAL. */
int config_check(const struct walk *w) BASAL_MUST_USE;

#include "daemon/config_node.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 512

static int bad(const struct walk *w, const struct place *at, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static int bad(const struct walk *w, const struct place *at, const char *fmt, va_list args)
{
    char text[TEXT_MAX], where[PATH_CHARS + 32];
    (void)vsnprintf(text, sizeof text, fmt, args);
    (void)snprintf(where, sizeof where, "%s", at->file != NULL ? at->file : w->file);
    const size_t n = strlen(where);
    if (at->line > 0) {
        (void)snprintf(where + n, sizeof where - n, ":%d:%d", at->line, at->column);
    }
    return why(w->ret_why, w->cap, -EINVAL, "%s: %s", where, text);
}

int config_bad_at(const struct walk *w, const struct place *at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int rc = bad(w, at, fmt, args);
    va_end(args);
    return rc;
}

struct place node_place(const struct walk *w, const yaml_node_t *at)
{
    return (struct place){.file = w->file,
                          .line = w->is_set ? 0 : (int)at->start_mark.line + 1,
                          .column = (int)at->start_mark.column + 1};
}

int config_bad(const struct walk *w, const yaml_node_t *at, const char *fmt, ...)
{
    const struct place place = node_place(w, at);
    va_list args;
    va_start(args, fmt);
    const int rc = bad(w, &place, fmt, args);
    va_end(args);
    return rc;
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

struct nearest nearest_to(const char *key)
{
    return (struct nearest){.key = key, .name = "?", .edits = INT_MAX};
}

void nearest_try(struct nearest *n, const char *name)
{
    const int d = edits(n->key, name);
    if (d < n->edits) {
        n->edits = d;
        n->name = name;
    }
}

static int unknown_key(const struct walk *w, const yaml_node_t *at, const struct target *t,
                       const char *key)
{
    struct nearest n = nearest_to(key);
    for (int k = 0; k < t->n; k++) {
        for (const struct option *o = t->table[k]; o != NULL && o->key != NULL; o++) {
            nearest_try(&n, o->key);
        }
    }
    for (int k = 0; t->also != NULL && t->also[k] != NULL; k++) {
        nearest_try(&n, t->also[k]);
    }
    return config_bad(w, at, "%.64s: no such key; the nearest is %s", key, n.name);
}

const yaml_node_t *node_at(const struct walk *w, int index)
{
    return yaml_document_get_node(w->doc, index);
}

const char *node_scalar(const yaml_node_t *n)
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
        const char *item = node_scalar(node_at(w, *i));
        if (item == NULL || used + strlen(item) + 4 > cap) {
            return config_bad(w, n, "%.64s: a short list of numbers is wanted here", key);
        }
        used += (size_t)snprintf(ret_text + used, cap - used, "%s%s", used > 1 ? ", " : "", item);
    }
    (void)snprintf(ret_text + used, cap - used, "]");
    return 0;
}

/* key: the text of k. */
static int take_pair(const struct walk *w, const yaml_node_t *k, const char *key,
                     const yaml_node_t *v, const struct target *t)
{
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

int node_map(const struct walk *w, const yaml_node_t *map, const struct target *t)
{
    if (map->type != YAML_MAPPING_NODE) {
        return config_bad(w, map, "keys and values are wanted here");
    }
    const yaml_node_pair_t *first = map->data.mapping.pairs.start;
    for (const yaml_node_pair_t *p = first; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = node_at(w, p->key);
        const char *key = node_scalar(k);
        if (key == NULL) {
            return config_bad(w, k, "a key is wanted here");
        }
        for (const yaml_node_pair_t *q = first; q < p; q++) {
            const char *earlier = node_scalar(node_at(w, q->key));
            if (earlier != NULL && strcmp(earlier, key) == 0) {
                return config_bad(w, k, "%.64s: stands twice in this map", key);
            }
        }
        const int rc = take_pair(w, k, key, node_at(w, p->value), t);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

const yaml_node_t *node_value(const struct walk *w, const yaml_node_t *map, const char *key)
{
    if (map->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const char *k = node_scalar(node_at(w, p->key));
        if (k != NULL && strcmp(k, key) == 0) {
            return node_at(w, p->value);
        }
    }
    return NULL;
}

const char *node_text(const struct walk *w, const yaml_node_t *map, const char *key)
{
    const yaml_node_t *v = node_value(w, map, key);
    return v != NULL ? node_scalar(v) : NULL;
}

int node_must(const struct walk *w, const yaml_node_t *map, const struct option *table)
{
    char wanted[160];
    for (const struct option *o = table; o != NULL && o->key != NULL; o++) {
        if (o->def == NULL && node_value(w, map, o->key) == NULL) {
            (void)option_wanted(o, wanted, (int)sizeof wanted);
            return config_bad(w, map, "%s must be set: %s", o->key, wanted);
        }
    }
    return 0;
}

int node_list(const struct walk *w, const yaml_node_t *list, const char *what,
              int (*element)(const struct walk *w, const yaml_node_t *map))
{
    if (list->type != YAML_SEQUENCE_NODE) {
        return config_bad(w, list, "%s: a list is wanted here", what);
    }
    const yaml_node_item_t *first = list->data.sequence.items.start;
    for (const yaml_node_item_t *i = first; i < list->data.sequence.items.top; i++) {
        const yaml_node_t *map = node_at(w, *i);
        const char *name = node_text(w, map, "name");
        for (const yaml_node_item_t *k = first; name != NULL && k < i; k++) {
            const char *before = node_text(w, node_at(w, *k), "name");
            if (before != NULL && strcmp(before, name) == 0) {
                return config_bad(w, map, "%s: %.32s stands twice in this list", what, name);
            }
        }
        const int rc = element(w, map);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

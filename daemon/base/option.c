#include "daemon/base/option.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 64 /* elements of any list option */

const struct option *option_find(const struct option *table, const char *key)
{
    for (const struct option *o = table; o != NULL && o->key != NULL; o++) {
        if (strcmp(o->key, key) == 0) {
            return o;
        }
    }
    return NULL;
}

/* The field of an option: aligned, since offsetof says where it lies in its struct. */
static void *at(void *config, size_t offset)
{
    return (char *)config + offset;
}

static const void *at_const(const void *config, size_t offset)
{
    return (const char *)config + offset;
}

int option_wanted(const struct option *o, char *ret_text, int cap)
{
    const size_t n = (size_t)cap;
    const bool list = o->type == OPTION_INTS || o->type == OPTION_DOUBLES;
    switch (o->type) {
    case OPTION_BOOL:
        return snprintf(ret_text, n, "true or false");
    case OPTION_TEXT:
        return snprintf(ret_text, n, "text of at most %d characters", o->n_max - 1);
    case OPTION_CHOICE:
        break;
    case OPTION_INT:
    case OPTION_INT64:
    case OPTION_INTS:
    case OPTION_DOUBLE:
    case OPTION_DOUBLES: {
        char many[48] = "a";
        if (list) {
            (void)snprintf(many, sizeof many, "a list of at most %d", o->n_max);
        }
        const bool whole = o->type != OPTION_DOUBLE && o->type != OPTION_DOUBLES;
        return snprintf(ret_text, n, "%s %snumber%s from %.15g to %.15g", many,
                        whole ? "whole " : "", list ? "s" : "", o->min, o->max);
    }
    }
    int used = 0;
    for (int i = 0; o->choices[i] != NULL && used < cap; i++) {
        used += snprintf(ret_text + used, (size_t)(cap - used), "%s%s", i == 0 ? "" : " | ",
                         o->choices[i]);
    }
    return used;
}

static int refuse(const struct option *o, const char *text, char *ret_why, int cap)
{
    char wanted[160], shown[49];
    (void)option_wanted(o, wanted, (int)sizeof wanted);
    (void)snprintf(shown, sizeof shown, "%s", text);
    for (char *c = shown; *c != '\0'; c++) {
        *c = (char)(iscntrl((unsigned char)*c) ? '?' : *c); /* a terminal would obey it */
    }
    return why(ret_why, cap, -EINVAL, "%s must be %s, not \"%s\"", o->key, wanted, shown);
}

/* One number, consumed whole, finite, in the option's range; whole where the option wants that. */
static bool parse_number(const struct option *o, bool whole, const char *text, double *ret_v)
{
    char *end = NULL;
    const double v = strtod(text, &end);
    if (end == text || *end != '\0' || isspace((unsigned char)text[0]) || !isfinite(v) ||
        v < o->min || v > o->max) {
        return false;
    }
    if (whole && (v != floor(v) || strpbrk(text, ".xXpP") != NULL)) {
        return false;
    }
    *ret_v = v;
    return true;
}

/* Without the blanks around it; in place. */
static char *trimmed(char *word)
{
    word += strspn(word, " ");
    size_t n = strlen(word);
    while (n > 0 && word[n - 1] == ' ') {
        n--;
    }
    word[n] = '\0';
    return word;
}

static void put_list(const struct option *o, void *config, const double *v, int n)
{
    int *whole = at(config, o->offset);
    double *number = at(config, o->offset);
    for (int i = 0; i < n; i++) {
        if (o->type == OPTION_INTS) {
            whole[i] = (int)v[i];
        } else {
            number[i] = v[i];
        }
    }
    *(int *)at(config, o->n_offset) = n;
}

/* Whole or not at all. */
static bool set_list(const struct option *o, void *config, const char *text)
{
    char buf[512];
    const size_t len = strlen(text);
    if (len >= sizeof buf) {
        return false;
    }
    memcpy(buf, text, len + 1);
    char *p = buf;
    if (buf[0] == '[' && len >= 2 && buf[len - 1] == ']') {
        buf[len - 1] = '\0';
        p = buf + 1;
    }
    double v[LIST_MAX] = {0};
    int n = 0;
    basal_assert(o->n_max <= LIST_MAX);
    for (bool more = p[strspn(p, " ")] != '\0'; more;) {
        char *rest = p;
        const char *word = trimmed(strsep(&rest, ","));
        if (n == o->n_max || !parse_number(o, o->type == OPTION_INTS, word, &v[n++])) {
            return false;
        }
        more = rest != NULL;
        p = rest;
    }
    put_list(o, config, v, n);
    return true;
}

static bool set_choice(const struct option *o, int *ret_index, const char *text)
{
    for (int i = 0; o->choices[i] != NULL; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool set_whole64(const struct option *o, int64_t *ret_v, const char *text)
{
    char *end = NULL;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || isspace((unsigned char)text[0]) ||
        (double)v < o->min || (double)v > o->max) {
        return false;
    }
    *ret_v = v;
    return true;
}

static bool set_text(const struct option *o, char *ret_text, const char *text)
{
    const size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (iscntrl((unsigned char)text[i])) {
            return false; /* a name, a path: one line */
        }
    }
    if (n >= (size_t)o->n_max) {
        return false;
    }
    memcpy(ret_text, text, n + 1);
    return true;
}

static bool set_bool(bool *ret_v, const char *text)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        return false;
    }
    *ret_v = text[0] == 't';
    return true;
}

int option_set(const struct option *o, void *config, const char *text, char *ret_why, int cap)
{
    void *field = at(config, o->offset);
    double v = 0.0;
    bool good = false;
    switch (o->type) {
    case OPTION_BOOL:
        good = set_bool(field, text);
        break;
    case OPTION_INT:
        good = parse_number(o, true, text, &v);
        if (good) {
            *(int *)field = (int)v;
        }
        break;
    case OPTION_INT64:
        good = set_whole64(o, field, text);
        break;
    case OPTION_DOUBLE:
        good = parse_number(o, false, text, field);
        break;
    case OPTION_TEXT:
        good = set_text(o, field, text);
        break;
    case OPTION_CHOICE:
        good = set_choice(o, field, text);
        break;
    case OPTION_INTS:
    case OPTION_DOUBLES:
        good = set_list(o, config, text);
        break;
    }
    return good ? 0 : refuse(o, text, ret_why, cap);
}

void option_defaults(const struct option *table, void *config)
{
    for (const struct option *o = table; o != NULL && o->key != NULL; o++) {
        if (o->def != NULL) {
            char reason[WHY_CHARS];
            const int rc = option_set(o, config, o->def, reason, (int)sizeof reason);
            basal_assert(rc == 0); /* a default outside its own range is a mistake in the table */
        }
    }
}

/* Shortest form that reads back to the same double. */
static int print_double(char *ret_text, int cap, double v)
{
    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(ret_text, (size_t)cap, "%.*g", digits, v);
        if (strtod(ret_text, NULL) == v) {
            break;
        }
    }
    return (int)strlen(ret_text);
}

int option_get(const struct option *o, const void *config, char *ret_text, int cap)
{
    const void *field = at_const(config, o->offset);
    const size_t size = (size_t)cap;
    switch (o->type) {
    case OPTION_BOOL:
        return snprintf(ret_text, size, "%s", *(const bool *)field ? "true" : "false");
    case OPTION_INT:
        return snprintf(ret_text, size, "%d", *(const int *)field);
    case OPTION_INT64:
        return snprintf(ret_text, size, "%lld", (long long)*(const int64_t *)field);
    case OPTION_DOUBLE:
        return print_double(ret_text, cap, *(const double *)field);
    case OPTION_TEXT:
        return snprintf(ret_text, size, "%s", (const char *)field);
    case OPTION_CHOICE:
        return snprintf(ret_text, size, "%s", o->choices[*(const int *)field]);
    case OPTION_INTS:
    case OPTION_DOUBLES:
        break;
    }
    const int n = *(const int *)at_const(config, o->n_offset);
    int used = snprintf(ret_text, size, "[");
    for (int i = 0; i < n && used < cap - 32; i++) {
        used += snprintf(ret_text + used, size - (size_t)used, "%s", i == 0 ? "" : ", ");
        if (o->type == OPTION_INTS) {
            used += snprintf(ret_text + used, size - (size_t)used, "%d", ((const int *)field)[i]);
        } else {
            used += print_double(ret_text + used, cap - used, ((const double *)field)[i]);
        }
    }
    return used + snprintf(ret_text + used, size - (size_t)used, "]");
}

#include "daemon/base/option.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 64

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

static int in_range(const struct option *o, double v, char *ret_why, int cap)
{
    if (!isfinite(v)) {
        return why(ret_why, cap, -EINVAL, "%s must be finite", o->key);
    }
    if (v < o->min || v > o->max) {
        return why(ret_why, cap, -EINVAL, "%s = %g is outside %g to %g", o->key, v, o->min, o->max);
    }
    return 0;
}

/* One number, consumed whole; whole numbers only where the option wants them. */
static int parse_number(const struct option *o, bool whole, const char *text, double *ret_v,
                        char *ret_why, int cap)
{
    char *end = NULL;
    errno = 0;
    const double v = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || isspace((unsigned char)text[0])) {
        return why(ret_why, cap, -EINVAL, "%s must be a %s, not \"%s\"", o->key,
                   whole ? "whole number" : "number", text);
    }
    if (whole && (v != floor(v) || strpbrk(text, ".xXpP") != NULL)) {
        return why(ret_why, cap, -EINVAL, "%s must be a whole number, not \"%s\"", o->key, text);
    }
    const int rc = in_range(o, v, ret_why, cap);
    if (rc == 0) {
        *ret_v = v;
    }
    return rc;
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

static int set_list(const struct option *o, void *config, const char *text, char *ret_why, int cap)
{
    char buf[512];
    const size_t len = strlen(text);
    if (len >= sizeof buf) {
        return why(ret_why, cap, -EINVAL, "%s: the list is longer than %zu characters", o->key,
                   sizeof buf - 1);
    }
    memcpy(buf, text, len + 1);
    char *p = buf;
    if (buf[0] == '[' && len >= 2 && buf[len - 1] == ']') {
        buf[len - 1] = '\0';
        p = buf + 1;
    }
    double v[LIST_MAX] = {0};
    int n = 0;
    bool more = p[strspn(p, " ")] != '\0';
    basal_assert(o->n_max <= LIST_MAX);
    while (more) {
        if (n == o->n_max) {
            return why(ret_why, cap, -EINVAL, "%s takes at most %d elements", o->key, o->n_max);
        }
        char *rest = p;
        char *word = trimmed(strsep(&rest, ","));
        const int rc = parse_number(o, o->type == OPTION_INTS, word, &v[n++], ret_why, cap);
        if (rc != 0) {
            return rc;
        }
        more = rest != NULL;
        p = rest;
    }
    put_list(o, config, v, n);
    return 0;
}

static int set_choice(const struct option *o, int *ret_index, const char *text, char *ret_why,
                      int cap)
{
    char names[160] = "";
    for (int i = 0; o->choices[i] != NULL; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            *ret_index = i;
            return 0;
        }
        const size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : " | ",
                       o->choices[i]);
    }
    return why(ret_why, cap, -EINVAL, "%s must be %s, not \"%s\"", o->key, names, text);
}

static int set_whole64(const struct option *o, int64_t *ret_v, const char *text, char *ret_why,
                       int cap)
{
    char *end = NULL;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || isspace((unsigned char)text[0])) {
        return why(ret_why, cap, -EINVAL, "%s must be a whole number, not \"%s\"", o->key, text);
    }
    const int rc = in_range(o, (double)v, ret_why, cap);
    if (rc == 0) {
        *ret_v = v;
    }
    return rc;
}

int option_set(const struct option *o, void *config, const char *text, char *ret_why, int cap)
{
    void *field = at(config, o->offset);
    double v = 0.0;
    int rc = 0;
    switch (o->type) {
    case OPTION_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return why(ret_why, cap, -EINVAL, "%s must be true or false, not \"%s\"", o->key, text);
        }
        *(bool *)field = text[0] == 't';
        return 0;
    case OPTION_INT:
        rc = parse_number(o, true, text, &v, ret_why, cap);
        if (rc == 0) {
            *(int *)field = (int)v;
        }
        return rc;
    case OPTION_INT64:
        return set_whole64(o, field, text, ret_why, cap);
    case OPTION_DOUBLE:
        return parse_number(o, false, text, field, ret_why, cap);
    case OPTION_TEXT:
        if (strlen(text) >= (size_t)o->n_max) {
            return why(ret_why, cap, -EINVAL, "%s is longer than %d characters", o->key,
                       o->n_max - 1);
        }
        memcpy(field, text, strlen(text) + 1);
        return 0;
    case OPTION_CHOICE:
        return set_choice(o, field, text, ret_why, cap);
    case OPTION_INTS:
    case OPTION_DOUBLES:
        return set_list(o, config, text, ret_why, cap);
    }
    return -EINVAL;
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

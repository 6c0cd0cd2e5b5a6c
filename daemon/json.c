#include "daemon/json.h"

#include "daemon/base/rt.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#define DEPTH_MAX 8 /* objects in objects */

/* json_t under another name: jansson's header stays in this file. */
static json_t *in(struct json_object *o)
{
    return (json_t *)(void *)o;
}

struct json_object *json_begin(void)
{
    json_t *o = json_object();
    basal_assert(o != NULL);
    return (struct json_object *)(void *)o;
}

static void put(struct json_object *o, const char *key, json_t *value)
{
    const int rc = json_object_set_new(in(o), key, value);
    basal_assert(rc == 0);
}

void json_text(struct json_object *o, const char *key, const char *value)
{
    json_t *text = json_string(value);
    put(o, key, text != NULL ? text : json_string("(not UTF-8)"));
}

void json_int(struct json_object *o, const char *key, int64_t value)
{
    put(o, key, json_integer(value));
}

void json_number(struct json_object *o, const char *key, double value)
{
    put(o, key, isfinite(value) ? json_real(value) : json_null());
}

void json_bool(struct json_object *o, const char *key, bool value)
{
    put(o, key, json_boolean(value));
}

void json_numbers(struct json_object *o, const char *key, const double *value, int n)
{
    json_t *list = json_array();
    basal_assert(list != NULL);
    for (int i = 0; i < n; i++) {
        const int rc =
            json_array_append_new(list, isfinite(value[i]) ? json_real(value[i]) : json_null());
        basal_assert(rc == 0);
    }
    put(o, key, list);
}

void json_texts(struct json_object *o, const char *key, const char *const *value, int n)
{
    json_t *list = json_array();
    basal_assert(list != NULL);
    for (int i = 0; i < n; i++) {
        const int rc = json_array_append_new(list, json_string(value[i]));
        basal_assert(rc == 0);
    }
    put(o, key, list);
}

void json_child(struct json_object *o, const char *key, struct json_object *child)
{
    put(o, key, in(child));
}

static void print_line(const char *key, const json_t *value, FILE *f, int indent)
{
    char *text =
        json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    (void)fprintf(f, "%*s%-24s %s\n", indent, "", key,
                  text != NULL ? text : json_string_value(value));
    free(text);
}

/* Objects in objects, each two further in. */
static void print_lines(json_t *o, FILE *f)
{
    json_t *object[DEPTH_MAX] = {o};
    void *at[DEPTH_MAX] = {json_object_iter(o)};
    int depth = 0;
    while (depth >= 0) {
        void *here = at[depth];
        if (here == NULL) {
            depth--;
            continue;
        }
        at[depth] = json_object_iter_next(object[depth], here);
        json_t *value = json_object_iter_value(here);
        if (!json_is_object(value)) {
            print_line(json_object_iter_key(here), value, f, 2 * depth);
            continue;
        }
        (void)fprintf(f, "%*s%s:\n", 2 * depth, "", json_object_iter_key(here));
        basal_assert(depth + 1 < DEPTH_MAX);
        depth++;
        object[depth] = value;
        at[depth] = json_object_iter(value);
    }
}

void json_print(struct json_object *o, FILE *f, bool as_json)
{
    if (as_json) {
        (void)json_dumpf(in(o), f, JSON_REAL_PRECISION(9));
        (void)fputc('\n', f);
    } else {
        print_lines(in(o), f);
    }
    (void)fflush(f);
    json_decref(in(o));
}

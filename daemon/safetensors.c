#include "daemon/safetensors.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX  ((uint64_t)100 << 20) /* the format's own limit */
#define ENTRY_CHARS 256                   /* of one array in the header, without its name */
#define DIMS_MAX    4

static const struct {
    const char *name;
    size_t bytes;
} types[] = {[TENSOR_F32] = {"F32", 4},
             [TENSOR_F64] = {"F64", 8},
             [TENSOR_I64] = {"I64", 8},
             [TENSOR_U8] = {"U8", 1},
             [TENSOR_I32] = {"I32", 4}};

#define TYPES_N ((int)(sizeof types / sizeof types[0]))

/* One array of a file. */
struct entry {
    const char *name; /* borrowed from json */
    int type, n_dims;
    int64_t dim[DIMS_MAX];
    uint64_t begin, end; /* of its bytes behind the header */
};

struct safetensors {
    json_t *json; /* owned */
    const uint8_t *data;
    uint64_t n_data;
    int n;
    struct entry entry[];
};

static size_t tensor_bytes(const struct tensor *t)
{
    size_t n = types[t->type].bytes;
    for (int i = 0; i < t->n_dims; i++) {
        n *= (size_t)t->dim[i];
    }
    return n;
}

/* --- writing
 * --------------------------------------------------------------------------------------------------
 */

static bool is_plain(const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7e || *p == '"' || *p == '\\') {
            return false;
        }
    }
    return name[0] != '\0' && strcmp(name, "__metadata__") != 0;
}

static int check_tensors(const struct tensor *t, int n, char *ret_why, int cap)
{
    for (int i = 0; i < n; i++) {
        bool ok = t[i].type < TYPES_N && t[i].n_dims >= 0 && t[i].n_dims <= DIMS_MAX &&
                  is_plain(t[i].name);
        for (int d = 0; ok && d < t[i].n_dims; d++) {
            ok = t[i].dim[d] >= 0;
        }
        for (int k = 0; ok && k < i; k++) {
            ok = strcmp(t[i].name, t[k].name) != 0;
        }
        if (!ok) {
            return why(ret_why, cap, -EINVAL,
                       "tensor %.60s: its name, type or shape cannot be written, or comes twice",
                       t[i].name);
        }
    }
    return 0;
}

/* ret_order [n]: the widest elements first, otherwise as given. */
static void order_by_width(const struct tensor *t, int n, int *ret_order)
{
    int k = 0;
    for (size_t bytes = 8; bytes > 0; bytes /= 2) {
        for (int i = 0; i < n; i++) {
            if (types[t[i].type].bytes == bytes) {
                ret_order[k++] = i;
            }
        }
    }
}

static int print_entry(const struct tensor *t, uint64_t begin, char *ret_text, size_t cap)
{
    char shape[64] = "";
    int at = 0;
    for (int i = 0; i < t->n_dims; i++) {
        at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%d", i > 0 ? "," : "", t->dim[i]);
    }
    return snprintf(ret_text, cap,
                    "\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%" PRIu64 ",%" PRIu64
                    "]}",
                    t->name, types[t->type].name, shape, begin, begin + tensor_bytes(t));
}

/* Length, JSON and the spaces that bring the arrays to a multiple of 64; into ret_text, returns its
 * size. */
static size_t print_header(const struct tensor *t, int n, const int *order, char *ret_text,
                           size_t cap)
{
    size_t at = sizeof(uint64_t);
    uint64_t begin = 0;
    ret_text[at++] = '{';
    for (int i = 0; i < n; i++) {
        if (i > 0) {
            ret_text[at++] = ',';
        }
        at += (size_t)print_entry(&t[order[i]], begin, ret_text + at, cap - at);
        begin += tensor_bytes(&t[order[i]]);
    }
    ret_text[at++] = '}';
    while (at % 64 != 0) {
        ret_text[at++] = ' ';
    }
    const uint64_t length = htole64(at - sizeof length);
    memcpy(ret_text, &length, sizeof length);
    return at;
}

int safetensors_new(struct filewriter *w, int dir, const char *name, const struct tensor *tensors,
                    int n, char *ret_why, int cap)
{
    int rc = check_tensors(tensors, n, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    size_t room = 128;
    for (int i = 0; i < n; i++) {
        room += ENTRY_CHARS + strlen(tensors[i].name);
    }
    char *header = malloc(room);
    int *order = calloc((size_t)n + 1, sizeof *order);
    struct bytes *parts = calloc((size_t)n + 1, sizeof *parts);
    if (header == NULL || order == NULL || parts == NULL) {
        rc = why(ret_why, cap, -ENOMEM, "out of memory for the header of %s", name);
        goto out;
    }
    order_by_width(tensors, n, order);
    parts[0] = (struct bytes){header, print_header(tensors, n, order, header, room)};
    for (int i = 0; i < n; i++) {
        parts[i + 1] = (struct bytes){tensors[order[i]].data, tensor_bytes(&tensors[order[i]])};
    }
    rc = filewriter_new(w, dir, name, parts, n + 1, ret_why, cap);
out:
    free(parts);
    free(order);
    free(header);
    return rc;
}

/* --- reading
 * --------------------------------------------------------------------------------------------------
 */

static bool read_u64(const json_t *j, uint64_t *ret_value)
{
    if (!json_is_integer(j) || json_integer_value(j) < 0) {
        return false;
    }
    *ret_value = (uint64_t)json_integer_value(j);
    return true;
}

static int find_type(const char *name)
{
    for (int i = 0; name != NULL && i < TYPES_N; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Shape into e and its bytes into ret_bytes; false where the product does not fit. */
static bool read_shape(const json_t *shape, struct entry *e, uint64_t *ret_bytes)
{
    const size_t n = json_array_size(shape);
    if (!json_is_array(shape) || n > DIMS_MAX) {
        return false;
    }
    uint64_t bytes = types[e->type].bytes;
    e->n_dims = (int)n;
    for (size_t i = 0; i < n; i++) {
        uint64_t d;
        if (!read_u64(json_array_get(shape, i), &d) || d > INT_MAX ||
            __builtin_mul_overflow(bytes, d, &bytes)) {
            return false;
        }
        e->dim[i] = (int64_t)d;
    }
    *ret_bytes = bytes;
    return true;
}

static bool read_entry(const char *name, const json_t *j, uint64_t n_data, struct entry *ret_entry)
{
    const json_t *offsets = json_object_get(j, "data_offsets");
    uint64_t bytes;
    ret_entry->name = name;
    ret_entry->type = find_type(json_string_value(json_object_get(j, "dtype")));
    return json_object_size(j) == 3 && ret_entry->type >= 0 &&
           read_shape(json_object_get(j, "shape"), ret_entry, &bytes) &&
           json_array_size(offsets) == 2 &&
           read_u64(json_array_get(offsets, 0), &ret_entry->begin) &&
           read_u64(json_array_get(offsets, 1), &ret_entry->end) &&
           ret_entry->begin <= ret_entry->end && ret_entry->end <= n_data &&
           ret_entry->end - ret_entry->begin == bytes;
}

static bool is_metadata(json_t *j)
{
    const char *key;
    json_t *value;
    json_object_foreach(j, key, value)
    {
        if (!json_is_string(value)) {
            return false;
        }
    }
    return json_is_object(j);
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Every byte belongs to exactly one array. */
static bool is_covered(struct safetensors *f)
{
    uint64_t at = 0;
    if (f->n > 0) {
        qsort(f->entry, (size_t)f->n, sizeof f->entry[0], by_place);
    }
    for (int i = 0; i < f->n; i++) {
        if (f->entry[i].begin != at) {
            return false;
        }
        at = f->entry[i].end;
    }
    return at == f->n_data;
}

static int read_entries(struct safetensors *f, char *ret_why, int cap)
{
    const char *key;
    json_t *value;
    json_object_foreach(f->json, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            if (!is_metadata(value)) {
                return why(ret_why, cap, -EBADMSG,
                           "safetensors: __metadata__ holds something that is not text");
            }
        } else if (!read_entry(key, value, f->n_data, &f->entry[f->n++])) {
            return why(ret_why, cap, -EBADMSG,
                       "safetensors: \"%.60s\": its type, shape or place is not valid", key);
        }
    }
    if (!is_covered(f)) {
        return why(ret_why, cap, -EBADMSG,
                   "safetensors: the arrays overlap or leave bytes that belong to none");
    }
    return 0;
}

int safetensors_open(struct safetensors **ret_file, const void *block, size_t n, char *ret_why,
                     int cap)
{
    const uint8_t *p = block;
    uint64_t length;
    if (n < sizeof length) {
        return why(ret_why, cap, -EBADMSG, "safetensors: %zu bytes are no file", n);
    }
    memcpy(&length, p, sizeof length);
    length = le64toh(length);
    if (length < 2 || length > HEADER_MAX || length > n - sizeof length ||
        p[sizeof length] != '{') {
        return why(ret_why, cap, -EBADMSG,
                   "safetensors: a header of %" PRIu64 " bytes in a file of %zu", length, n);
    }
    json_error_t error;
    json_t *json =
        json_loadb((const char *)p + sizeof length, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        return why(ret_why, cap, -EBADMSG, "safetensors: the header is no JSON: %.120s",
                   error.text);
    }
    struct safetensors *f = calloc(1, sizeof *f + json_object_size(json) * sizeof f->entry[0]);
    if (f == NULL) {
        json_decref(json);
        return why(ret_why, cap, -ENOMEM, "safetensors: out of memory");
    }
    f->json = json;
    f->data = p + sizeof length + length;
    f->n_data = n - sizeof length - length;
    const int rc = read_entries(f, ret_why, cap);
    if (rc < 0) {
        safetensors_close(f);
        return rc;
    }
    *ret_file = f;
    return 0;
}

void safetensors_close(struct safetensors *f)
{
    if (f != NULL) {
        json_decref(f->json);
        free(f);
    }
}

int safetensors_count(const struct safetensors *f)
{
    return f->n;
}

static const struct entry *find(const struct safetensors *f, const char *name)
{
    for (int i = 0; i < f->n; i++) {
        if (strcmp(f->entry[i].name, name) == 0) {
            return &f->entry[i];
        }
    }
    return NULL;
}

static bool fits(const struct entry *e, const struct tensor *t)
{
    bool same = e->type == t->type && e->n_dims == t->n_dims;
    for (int i = 0; same && i < t->n_dims; i++) {
        same = e->dim[i] == t->dim[i];
    }
    return same;
}

int safetensors_check(const struct safetensors *f, const struct tensor *want, int n, char *ret_why,
                      int cap)
{
    for (int i = 0; i < n; i++) {
        const struct entry *e = find(f, want[i].name);
        if (e == NULL) {
            return why(ret_why, cap, -EPROTO, "it holds no tensor \"%.60s\"", want[i].name);
        }
        if (!fits(e, &want[i])) {
            return why(ret_why, cap, -EPROTO, "its tensor \"%.60s\" has another type or shape",
                       want[i].name);
        }
    }
    if (f->n != n) {
        return why(ret_why, cap, -EPROTO, "it holds %d tensors, %d are wanted", f->n, n);
    }
    return 0;
}

void safetensors_copy(const struct safetensors *f, const struct tensor *want, int n)
{
    for (int i = 0; i < n; i++) {
        const struct entry *e = find(f, want[i].name);
        basal_assert(e != NULL && fits(e, &want[i]));
        memcpy(want[i].data, f->data + e->begin, (size_t)(e->end - e->begin));
    }
}

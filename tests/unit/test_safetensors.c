/* Arrays by name: round trip, the exact bytes of a small file, and a reader that believes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/rng.h"
#include "daemon/safetensors.h"
#include "tests/unit/folder_fixture.h"

#include <errno.h>
#include <string.h>

struct arrays {
    float f32[3][5];
    double f64[2];
    int64_t i64[4];
    uint8_t u8[7];
};

static int list(struct arrays *a, struct tensor *ret_tensors)
{
    ret_tensors[0] = (struct tensor){"u8", TENSOR_U8, 1, {7}, a->u8};
    ret_tensors[1] = (struct tensor){"actor.0.weight", TENSOR_F32, 2, {3, 5}, a->f32};
    ret_tensors[2] = (struct tensor){"f64", TENSOR_F64, 1, {2}, a->f64};
    ret_tensors[3] = (struct tensor){"i64", TENSOR_I64, 2, {2, 2}, a->i64};
    ret_tensors[4] = (struct tensor){"scalar", TENSOR_F64, 0, {0}, &a->f64[1]};
    ret_tensors[5] = (struct tensor){"empty", TENSOR_F32, 2, {0, 3}, a->f32};
    return 6;
}

/* The bytes of a file with these tensors, to be freed. */
static uint8_t *write_and_read(const struct tensor *t, int n, size_t *ret_n)
{
    struct folder folder;
    struct filewriter *w;
    char reason[WHY_CHARS] = "";
    folder_make(&folder);
    assert_int_equal(filewriter_open(&w, FILEWRITER_ANY), 0);
    assert_int_equal(safetensors_new(w, folder.fd, "a", t, n, reason, sizeof reason), 0);
    uint8_t *block = folder_read(&folder, "a", ret_n);
    assert_non_null(block);
    filewriter_close(w);
    folder_remove(&folder);
    return block;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct arrays a, b;
    struct tensor ta[6], tb[6];
    struct rng r;
    rng_seed(&r, 4);
    for (size_t i = 0; i < sizeof a; i++) {
        ((uint8_t *)&a)[i] = (uint8_t)rng_u64(&r); /* NaNs too */
    }
    memset(&b, 0, sizeof b);
    const int n = list(&a, ta);
    (void)list(&b, tb);
    size_t size;
    char reason[WHY_CHARS] = "";
    uint8_t *block = write_and_read(ta, n, &size);
    struct safetensors *f;
    assert_int_equal(safetensors_open(&f, block, size, reason, sizeof reason), 0);
    assert_int_equal(safetensors_count(f), n);
    assert_int_equal(safetensors_check(f, tb, n, reason, sizeof reason), 0);
    safetensors_copy(f, tb, n);
    assert_memory_equal(a.f32, b.f32, sizeof a.f32);
    assert_memory_equal(a.f64, b.f64, sizeof a.f64);
    assert_memory_equal(a.i64, b.i64, sizeof a.i64);
    assert_memory_equal(a.u8, b.u8, sizeof a.u8);
    tb[1].dim[1] = 4;
    assert_int_equal(safetensors_check(f, tb, n, reason, sizeof reason), -EPROTO);
    assert_string_equal(reason, "its tensor \"actor.0.weight\" has another type or shape");
    tb[1].dim[1] = 5;
    tb[3].type = TENSOR_F64;
    assert_int_equal(safetensors_check(f, tb, n, reason, sizeof reason), -EPROTO);
    (void)list(&b, tb);
    tb[2].name = "g64";
    assert_int_equal(safetensors_check(f, tb, n, reason, sizeof reason), -EPROTO);
    assert_string_equal(reason, "it holds no tensor \"g64\"");
    (void)list(&b, tb);
    assert_int_equal(safetensors_check(f, tb, n - 1, reason, sizeof reason), -EPROTO);
    safetensors_close(f);
    free(block);
}

static void the_file_is_as_the_format_says(void **state)
{
    (void)state;
    float x[2] = {1.0f, -2.0f};
    uint8_t y[3] = {7, 8, 9};
    const struct tensor t[] = {{"y", TENSOR_U8, 1, {3}, y}, {"x", TENSOR_F32, 1, {2}, x}};
    static const char header[] = "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                                 "\"y\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]}}";
    size_t size;
    uint8_t *block = write_and_read(t, 2, &size);
    assert_int_equal(size, 128 + 11);
    assert_int_equal(block[0], 120);
    assert_memory_equal(block + 8, header, sizeof header - 1);
    for (size_t i = 8 + sizeof header - 1; i < 128; i++) {
        assert_int_equal(block[i], ' ');
    }
    assert_memory_equal(block + 128, x, 8);
    assert_memory_equal(block + 136, y, 3);
    free(block);
    const struct tensor twice[] = {{"x", TENSOR_F32, 1, {2}, x}, {"x", TENSOR_F32, 1, {2}, x}};
    const struct tensor quote[] = {{"x\"", TENSOR_F32, 1, {2}, x}};
    char reason[WHY_CHARS];
    assert_int_equal(safetensors_new(NULL, -1, "a", twice, 2, reason, sizeof reason), -EINVAL);
    assert_int_equal(safetensors_new(NULL, -1, "a", quote, 1, reason, sizeof reason), -EINVAL);
}

/* A file of this header and n_data zeros. */
static int open_text(const char *header, size_t n_data)
{
    uint8_t block[1024] = {0};
    const uint64_t length = strlen(header);
    char reason[WHY_CHARS] = "";
    struct safetensors *f = NULL;
    memcpy(block, &length, sizeof length);
    memcpy(block + 8, header, length);
    const int rc = safetensors_open(&f, block, 8 + length + n_data, reason, sizeof reason);
    assert_true((rc == 0) == (f != NULL) && (rc == 0) == (reason[0] == '\0'));
    safetensors_close(f);
    return rc;
}

#define X(rest) "{\"x\":{\"dtype\":\"F32\"," rest "}"

static void malformed_files_are_refused(void **state)
{
    (void)state;
    assert_int_equal(open_text("{}", 0), 0);
    assert_int_equal(open_text("{}   ", 0), 0);
    assert_int_equal(open_text("{\"__metadata__\":{\"a\":\"b\"}}", 0), 0);
    assert_int_equal(open_text(X("\"shape\":[2],\"data_offsets\":[0,8]}"), 8), 0);
    assert_int_equal(open_text(X("\"shape\":[],\"data_offsets\":[0,4]}"), 4), 0);
    assert_int_equal(open_text(X("\"shape\":[0,9],\"data_offsets\":[0,0]}"), 0), 0);

    static const struct {
        const char *header;
        size_t n_data;
    } bad[] = {
        {"[]", 0},
        {" {}", 0},
        {"{", 0},
        {"{}x", 0},
        {"{}", 1}, /* bytes of no array */
        {"{\"__metadata__\":{\"a\":1}}", 0},
        {"{\"__metadata__\":[]}", 0},
        {"{\"x\":1}", 0},
        {X("\"shape\":[2],\"data_offsets\":[0,8]}"), 7},
        {X("\"shape\":[2],\"data_offsets\":[0,8]}"), 9},
        {X("\"shape\":[2],\"data_offsets\":[0,9]}"), 9},
        {X("\"shape\":[2],\"data_offsets\":[8,0]}"), 8},
        {X("\"shape\":[2],\"data_offsets\":[-8,0]}"), 8},
        {X("\"shape\":[2],\"data_offsets\":[0,8.0]}"), 8},
        {X("\"shape\":[2],\"data_offsets\":[0]}"), 8},
        {X("\"shape\":[-2],\"data_offsets\":[0,8]}"), 8},
        {X("\"shape\":2,\"data_offsets\":[0,8]}"), 8},
        {X("\"shape\":[1,1,1,1,2],\"data_offsets\":[0,8]}"), 8},
        {X("\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}"), 0},
        {X("\"shape\":[2147483647,2147483647,2147483647],\"data_offsets\":[0,0]}"), 0},
        {X("\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}"), 8},
        {X("\"data_offsets\":[0,8]}"), 8},
        {"{\"x\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]}}", 8},
        {X("\"shape\":[2],\"data_offsets\":[0,8]},\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_"
           "offsets\":[8,8]}"),
         8},
        {X("\"shape\":[1],\"data_offsets\":[0,4]},\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_"
           "offsets\":[0,4]}"),
         4},
        {X("\"shape\":[1],\"data_offsets\":[0,4]},\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_"
           "offsets\":[5,9]}"),
         9},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (open_text(bad[i].header, bad[i].n_data) != -EBADMSG) {
            fail_msg("accepted: %s", bad[i].header);
        }
    }
}

/* Any damage gives a refusal or a file whose arrays lie inside it; the sanitizers watch. */
static void damage_never_reads_outside(void **state)
{
    (void)state;
    struct arrays a = {0};
    struct tensor t[6];
    const int n = list(&a, t);
    size_t size;
    uint8_t *block = write_and_read(t, n, &size);
    struct rng r;
    char reason[WHY_CHARS];
    rng_seed(&r, 8);
    for (int i = 0; i < 30000; i++) {
        const size_t cut = rng_below(&r, 4) == 0 ? rng_below(&r, size + 1) : size;
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, block, cut);
        for (uint64_t k = rng_below(&r, 4); cut > 0 && k > 0; k--) {
            copy[rng_below(&r, cut)] = (uint8_t)rng_u64(&r);
        }
        struct safetensors *f;
        if (safetensors_open(&f, copy, cut, reason, sizeof reason) == 0) {
            if (safetensors_check(f, t, n, reason, sizeof reason) == 0) {
                safetensors_copy(f, t, n);
            }
            safetensors_close(f);
        }
        free(copy);
    }
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_file_is_as_the_format_says),
        cmocka_unit_test(malformed_files_are_refused),
        cmocka_unit_test(damage_never_reads_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * One and several updates of every learning algorithm against dumps made by torch's autograd,
 * layer_norm, clip_grad_norm_ and Adam in float64 (make_NAME.py): weights, targets, moments,
 * temperature, losses.
 *
 * Compiled twice: weights to 1e-6 against the float library, everything to 1e-7 against the double
 * one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/nn/gauss.h"
#include "tests/unit/policy_fixture.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#define SETTINGS_MAX 24

static const bool is_double = sizeof(float) == 8;

/* A moment is a sum of gradients that cancel; a weight has moved by a small part of itself. */
static double tolerance_of(const char *name)
{
    return is_double ? 1e-7 : strstr(name, ".adam_") != NULL ? 1e-4 : 1e-6;
}

static json_t *load(const char *name)
{
    char path[512];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/golden/%s.json", TEST_DATA, name);
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL) {
        fail_msg("%s:%d: %s", path, error.line, error.text);
    }
    return root;
}

static int whole(const json_t *root, const char *key)
{
    return (int)json_integer_value(json_object_get(root, key));
}

/* The array into ret_v; how many. */
static int read_floats(const json_t *array, float *ret_v, int n_max)
{
    const int n = (int)json_array_size(array);
    assert_true(n > 0 && n <= n_max);
    for (int i = 0; i < n; i++) {
        ret_v[i] = (float)json_number_value(json_array_get(array, (size_t)i));
    }
    return n;
}

static void make(struct learner_fixture *ret_learner, json_t *root)
{
    struct setting settings[SETTINGS_MAX] = {{NULL, NULL}};
    const struct dims dims = {.n_obs = whole(root, "n_obs"),
                              .n_act = whole(root, "n_act"),
                              .batch = whole(root, "batch"),
                              .seg_len = 1,
                              .policy_rate_hz = 20.0};
    const char *key;
    json_t *value;
    int n = 0;
    json_object_foreach(json_object_get(root, "options"), key, value)
    {
        assert_true(n < SETTINGS_MAX - 1);
        settings[n++] = (struct setting){key, json_string_value(value)};
    }
    const struct policy *p = policy_find(json_string_value(json_object_get(root, "algo")));
    assert_non_null(p);
    learner_make(ret_learner, p, &dims, settings, 1);
}

/* The picture's arrays into the learner: it starts where torch started. */
static void set_tensors(struct learner_fixture *l, json_t *picture)
{
    const char *name;
    json_t *array;
    json_object_foreach(picture, name, array)
    {
        const struct tensor *t = learner_tensor(l, name);
        assert_int_equal(read_floats(array, t->data, tensor_count(t)), tensor_count(t));
    }
    l->policy->restored(l->self);
}

/*
 * Every array of the picture against the learner's: relative to the number, or to the root mean
 * square of its array where the number is smaller (a weight near 0 is the difference of larger
 * ones).
 */
static void compare_tensors(const struct learner_fixture *l, json_t *picture, const char *when,
                            double *ret_worst)
{
    const char *name;
    json_t *array;
    json_object_foreach(picture, name, array)
    {
        const struct tensor *t = learner_tensor(l, name);
        const float *v = t->data;
        const int n = tensor_count(t);
        double sum2 = 0.0;
        assert_int_equal(json_array_size(array), n);
        for (int i = 0; i < n; i++) {
            const double want = json_number_value(json_array_get(array, (size_t)i));
            sum2 += want * want;
        }
        for (int i = 0; i < n; i++) {
            const double want = json_number_value(json_array_get(array, (size_t)i));
            const double scale = fmax(fmax(fabs(want), sqrt(sum2 / n)), 1e-12);
            const double error = fabs((double)v[i] - want) / scale;
            *ret_worst = fmax(*ret_worst, error);
            if (!(error <= tolerance_of(name))) {
                fail_msg("%s, %s[%d]: %.9g, torch has %.9g", when, name, i, (double)v[i], want);
            }
        }
    }
}

static void compare_stats(const struct learner_fixture *l, const struct stats *s, json_t *want_all,
                          int update)
{
    const double most = is_double ? 1e-7 : 4e-6; /* a loss is a sum of larger terms */
    const char *name;
    json_t *value;
    json_object_foreach(json_array_get(want_all, (size_t)update), name, value)
    {
        const double got = s->v[stat_index(l->policy, name)], want = json_number_value(value);
        if (!(fabs(got - want) <= most * fmax(fabs(want), 0.1))) {
            fail_msg("update %d, %s: %.9g, torch has %.9g", update + 1, name, got, want);
        }
    }
}

struct rows {
    float s[256], a[256], r[64], s2[256], g[64], w[64], td[64];
};

static void read_batch(const json_t *b, int n, struct rows *ret_rows, struct batch *ret_batch)
{
    struct rows *x = ret_rows;
    (void)read_floats(json_object_get(b, "s"), x->s, 256);
    (void)read_floats(json_object_get(b, "a"), x->a, 256);
    (void)read_floats(json_object_get(b, "s2"), x->s2, 256);
    assert_int_equal(read_floats(json_object_get(b, "r"), x->r, 64), n);
    (void)read_floats(json_object_get(b, "g"), x->g, 64);
    (void)read_floats(json_object_get(b, "w"), x->w, 64);
    *ret_batch = (struct batch){.n = n,
                                .seg_len = 1,
                                .s = x->s,
                                .a = x->a,
                                .r = x->r,
                                .s2 = x->s2,
                                .g = x->g,
                                .w = x->w,
                                .ret_td = x->td};
}

/* Both sides draw the same numbers, or nothing else can be compared. */
static void compare_noise(const struct rng *at, json_t *draws)
{
    const double most = is_double ? 1e-9 : 2e-6; /* of the kernels: tests/unit/test_kernel.c */
    struct rng r = *at;
    for (size_t pass = 0; pass < json_array_size(draws); pass++) {
        const json_t *eps = json_array_get(draws, pass);
        const int n = (int)json_array_size(eps);
        float z[256 + 1];
        assert_true(n > 0 && n <= 256);
        gauss_draw(kernel_best(), &r, n, z);
        for (int i = 0; i < n; i++) {
            const double want = json_number_value(json_array_get(eps, (size_t)i));
            if (!(fabs((double)z[i] - want) <= most * fmax(1.0, fabs(want)))) {
                fail_msg("draw %d: %.9g, torch has %.9g", i, (double)z[i], want);
            }
        }
    }
}

static void follows_torch(const char *name)
{
    static struct learner_fixture l;
    static struct rows rows;
    json_t *root = load(name), *batches = json_object_get(root, "batches"),
           *pictures = json_object_get(root, "tensors"), *noise = json_object_get(root, "noise");
    double worst = 0.0;
    int compared = 0;
    make(&l, root);
    set_tensors(&l, json_object_get(pictures, "0"));
    rng_seed(&l.rng, (uint64_t)whole(root, "noise_seed"));
    for (int k = 0; k < (int)json_array_size(batches); k++) {
        struct batch b;
        struct stats stats = {0};
        char when[16];
        if (noise != NULL) {
            compare_noise(&l.rng, json_array_get(noise, (size_t)k));
        }
        read_batch(json_array_get(batches, (size_t)k), l.dims.batch, &rows, &b);
        l.policy->update(l.self, &b, &stats);
        compare_stats(&l, &stats, json_object_get(root, "stats"), k);
        (void)snprintf(when, sizeof when, "%d", k + 1);
        json_t *picture = json_object_get(pictures, when);
        if (picture != NULL) {
            compare_tensors(&l, picture, when, &worst);
            compared++;
        }
    }
    assert_int_equal(compared, 2);
    print_message("%s: worst relative error %.2g\n", name, worst);
    learner_free(&l);
    json_decref(root);
}

static void sac_updates_as_torch_does(void **state)
{
    (void)state;
    follows_torch("sac");
}

static void ddpg_updates_as_torch_does(void **state)
{
    (void)state;
    follows_torch("ddpg");
}

static void td3_updates_as_torch_does(void **state)
{
    (void)state;
    follows_torch("td3");
}

/* The same with what may be added to their networks and to their steps. */
static void layers_and_optimiser_are_those_of_torch(void **state)
{
    (void)state;
    follows_torch("sac_layers");
    follows_torch("ddpg_layers");
    follows_torch("td3_layers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sac_updates_as_torch_does),
        cmocka_unit_test(ddpg_updates_as_torch_does),
        cmocka_unit_test(td3_updates_as_torch_does),
        cmocka_unit_test(layers_and_optimiser_are_those_of_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

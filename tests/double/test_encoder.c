/*
 * The encoder of pictures in double: two convolutions over a history against plain loops, its
 * gradient against finite differences, one row in the tick against a batch.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/encoder.h"

#define ROWS    3
#define VECTOR  2
#define H       6
#define W       5
#define C       2
#define PAST    2
#define OBS     (VECTOR + PAST * H * W * C)
#define OUT_MAX 64

static const struct dims dims = {
    .n_obs = OBS, .n_vector = VECTOR, .h = H, .w = W, .c = C, .history = PAST, .n_act = 1};
static const struct encoder_settings settings = {.n_filters = 2,
                                                 .filters = {3, 4},
                                                 .n_kernels = 2,
                                                 .kernels = {3, 2},
                                                 .n_strides = 2,
                                                 .strides = {1, 1}};

struct encoder_case {
    struct arena mem;
    struct encoder z;
    double x[ROWS * OBS], c[ROWS * OUT_MAX];
};

/* [frames][h][w][c] in, [h][w][filters] out; weights [filter][ky][frame][kx][c], then biases. */
static void plain_conv(const struct conv_shape *s, const double *w, const double *x, double *ret_y,
                       uint64_t *ret_pattern)
{
    const int patch = s->kernel * s->frames * s->kernel * s->c;
    for (int y = 0; y < s->out_h; y++) {
        for (int u = 0; u < s->out_w; u++) {
            for (int f = 0; f < s->filters; f++) {
                const double *wf = w + f * patch;
                double sum = w[s->filters * patch + f];
                for (int ky = 0; ky < s->kernel; ky++) {
                    for (int t = 0; t < s->frames; t++) {
                        for (int kx = 0; kx < s->kernel; kx++) {
                            for (int c = 0; c < s->c; c++) {
                                const int row = t * s->h + y * s->stride + ky;
                                const int at = (row * s->w + u * s->stride + kx) * s->c + c;
                                sum += *wf++ * x[at];
                            }
                        }
                    }
                }
                decide(ret_pattern, sum > 0.0);
                ret_y[(y * s->out_w + u) * s->filters + f] = sum > 0.0 ? sum : 0.0;
            }
        }
    }
}

/* One observation -> its features. */
static void plain_encoder(const struct encoder *z, const double *obs, double *ret_features,
                          uint64_t *ret_pattern)
{
    double a[512], b[512];
    memcpy(a, obs + VECTOR, (OBS - VECTOR) * sizeof *a);
    for (int l = 0; l < z->shape.n_convs; l++) {
        plain_conv(&z->shape.conv[l], z->conv[l].net.w, a, b, ret_pattern);
        memcpy(a, b, sizeof a);
    }
    memcpy(ret_features, obs, VECTOR * sizeof *obs);
    memcpy(ret_features + VECTOR, a, (size_t)(z->shape.n_features - VECTOR) * sizeof *ret_features);
}

static double encoder_loss(void *self, uint64_t *ret_pattern)
{
    struct encoder_case *k = self;
    const int n = k->z.shape.n_features;
    double loss = 0.0, y[OUT_MAX];
    for (int i = 0; i < ROWS; i++) {
        plain_encoder(&k->z, k->x + i * OBS, y, ret_pattern);
        for (int j = 0; j < n; j++) {
            loss += k->c[i * n + j] * y[j];
        }
    }
    return loss;
}

static void begin(struct encoder_case *k)
{
    struct encoder_shape shape;
    char reason[WHY_CHARS] = "";
    struct rng r;
    rng_seed(&r, 7);
    assert_int_equal(arena_open(&k->mem, "encoder", (size_t)16 << 20), 0);
    assert_int_equal(encoder_shape(&settings, &dims, &shape, reason, sizeof reason), 0);
    assert_int_equal(shape.n_features, VECTOR + 3 * 2 * 4);
    const struct net_spec spec = {.rows = ROWS, .adam = adam_defaults(1e-3)};
    encoder_init(&k->z, &shape, &spec, &k->mem, &r);
    for (int i = 0; i < ROWS * OBS; i++) {
        k->x[i] = rng_uniform(&r);
    }
    for (int i = 0; i < ROWS * OUT_MAX; i++) {
        k->c[i] = 2.0 * rng_uniform(&r) - 1.0;
    }
}

static void a_batch_is_what_plain_loops_give(void **state)
{
    (void)state;
    static struct encoder_case k;
    uint64_t pattern = 0;
    double y[OUT_MAX];
    begin(&k);
    const int n = k.z.shape.n_features;
    const double *got = encoder_forward(&k.z, k.x, ROWS);
    for (int i = 0; i < ROWS; i++) {
        plain_encoder(&k.z, k.x + i * OBS, y, &pattern);
        for (int j = 0; j < n; j++) {
            assert_true(fabs(got[i * n + j] - y[j]) < 1e-12);
        }
    }
    arena_close(&k.mem);
}

static void its_gradient_is_the_loss_s_14_1(void **state)
{
    (void)state;
    static struct encoder_case k;
    begin(&k);
    (void)encoder_forward(&k.z, k.x, ROWS);
    encoder_backward(&k.z, k.c, ROWS);
    for (int l = 0; l < 2; l++) {
        struct mlp *net = &k.z.conv[l].net;
        check_differences("convolution", net->w, net->n, net->g, encoder_loss, &k);
    }
    arena_close(&k.mem);
}

static void one_row_is_a_row_of_the_batch(void **state)
{
    (void)state;
    static struct encoder_case k;
    static double sent[512], packed[8192], scratch[1024];
    begin(&k);
    const struct encoder_shape *s = &k.z.shape;
    const int n = s->n_features;
    assert_int_equal(encoder_save(&k.z, sent), encoder_weights(s));
    const int floats = encoder_pack(s, sent, packed, 8192);
    assert_true(floats > 0);
    assert_true(encoder_pack(s, sent, packed, floats - 1) < 0);
    assert_true(encoder_scratch(s) <= 1024);
    const double *got = encoder_forward(&k.z, k.x, ROWS);
    for (int i = 0; i < ROWS; i++) {
        const double *at = packed;
        const double *row = encoder_row(s, &at, k.x + i * OBS, scratch);
        assert_int_equal(at - packed, floats);
        for (int j = 0; j < n; j++) {
            assert_true(fabs(got[i * n + j] - row[j]) < 1e-12);
        }
    }
    arena_close(&k.mem);
}

static void a_target_follows(void **state)
{
    (void)state;
    static struct encoder_case k, t;
    begin(&k);
    begin(&t);
    double *w = t.z.conv[1].net.w;
    for (int i = 0; i < t.z.conv[1].net.n; i++) {
        w[i] = 0.0;
    }
    encoder_changed(&t.z);
    for (int i = 0; i < 10; i++) {
        encoder_blend(&k.z, 0.5, &t.z);
    }
    const double w0 = k.z.conv[1].net.w[0];
    assert_true(fabs(w[0] - w0 * (1.0 - pow(0.5, 10))) < 1e-12);
    encoder_copy(&k.z, &t.z);
    assert_true(w[0] == w0);
    arena_close(&k.mem);
    arena_close(&t.mem);
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    struct encoder_shape shape;
    struct encoder_settings c = settings;
    char reason[WHY_CHARS] = "";
    c.kernels[1] = 4;
    assert_int_equal(encoder_shape(&c, &dims, &shape, reason, sizeof reason), -EINVAL);
    assert_string_equal(reason, "policy: a kernel of 4 points does not fit the 4 x 3 that come "
                                "into convolution 2");
    c.n_strides = 1;
    assert_int_equal(encoder_shape(&c, &dims, &shape, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "have 2, 2 and 1 elements"));
    const struct dims blind = {.n_obs = 3, .n_vector = 3};
    assert_int_equal(encoder_shape(&c, &blind, &shape, reason, sizeof reason), 0);
    assert_int_equal(shape.n_features, 3);
    struct encoder z = {.shape = shape};
    const double obs[3] = {1, 2, 3};
    assert_ptr_equal(encoder_forward(&z, obs, 1), obs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_what_plain_loops_give),
        cmocka_unit_test(its_gradient_is_the_loss_s_14_1),
        cmocka_unit_test(one_row_is_a_row_of_the_batch),
        cmocka_unit_test(a_target_follows),
        cmocka_unit_test(what_does_not_fit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* basal-bench gemm: every product of every back end at the shapes that updates have. */
#include "daemon/base/arena.h"
#include "daemon/base/rng.h"
#include "daemon/bench_peak.h"
#include "daemon/bench_read.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES ((size_t)512 << 20)
#define KERNELS_MAX  12
#define TURN_S       0.002 /* of each peak, before every row of products */

struct arguments {
    struct bench_common common;
    const char *kernel; /* NULL: all */
    int64_t batch;
};

/* clang-format off */
static const struct flag flags[] = {
    {"batch",  "N",    "rows of a batch (default 256)"},
    {"kernel", "NAME", "the back end that computes (default: all that this processor can run)"},
    BENCH_FLAGS,
    {.name = NULL},
};

/* clang-format on */

static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    if (strcmp(name, "kernel") == 0) {
        a->kernel = value;
        return kernel_find(value) != NULL;
    }
    if (strcmp(name, "batch") == 0) {
        return args_whole(value, &a->batch) && a->batch >= 1 && a->batch <= 8192;
    }
    return bench_take(&a->common, name, value);
}

/* Layers of SAC, TD3 and DDPG at the sizes of the papers and of small tasks. */
static const struct {
    int in, out;
} shapes[] = {{23, 256}, {256, 256}, {256, 6}, {64, 64}, {400, 300}};

enum operation { FORWARD, BACKWARD_WEIGHTS, BACKWARD_INPUT, OPERATIONS_N };

static const char *const operation_names[] = {"forward", "backward_weights", "backward_input"};

#define SHAPES_N ((int)(sizeof shapes / sizeof shapes[0]))

/* One layer with all that its products read and write. */
struct layer_case {
    struct layer l;
    float *w, *b, *panels, *dw, *db;
    struct matrix x, y, dy, dx;
};

struct gemm {
    struct arena mem;
    struct peaks peaks;
    struct reads reads;
    const struct kernel *kernel[KERNELS_MAX];
    int n_kernels, batch;
    struct layer_case layer[SHAPES_N];
    struct figures gflop_s[SHAPES_N][OPERATIONS_N][KERNELS_MAX];
    struct figures share[SHAPES_N][OPERATIONS_N][KERNELS_MAX];
};

static float *floats(struct gemm *g, size_t n, struct rng *r)
{
    float *v = arena_take(&g->mem, (n + PANEL) * sizeof(float)); /* vectors may read past the end */
    for (size_t i = 0; i < n; i++) {
        v[i] = (float)(rng_uniform(r) - 0.5);
    }
    return v;
}

static struct matrix rows(struct gemm *g, int n, struct rng *r)
{
    const int ld = matrix_stride(n);
    return (struct matrix){floats(g, (size_t)g->batch * (size_t)ld, r), ld};
}

static void make_layer(struct gemm *g, int in, int out, struct rng *r, struct layer_case *ret_case)
{
    struct layer_case *c = ret_case;
    const size_t n = (size_t)in * (size_t)out;
    const size_t padded = (size_t)((out + PANEL - 1) / PANEL * PANEL) * (size_t)in;
    c->w = floats(g, n, r);
    c->b = floats(g, (size_t)out, r);
    c->panels = floats(g, padded, r);
    c->dw = floats(g, n, r);
    c->db = floats(g, (size_t)out, r);
    c->x = rows(g, in, r);
    c->dx = rows(g, in, r);
    c->y = rows(g, out, r);
    c->dy = rows(g, out, r);
    c->l = (struct layer){.in = in, .out = out, .w = {c->w, in}, .b = c->b, .panels = c->panels};
}

static void once(const struct kernel *k, enum operation o, struct layer_case *c, int n)
{
    switch (o) {
    case FORWARD:
        k->forward(&c->l, c->x, n, true, c->y);
        return;
    case BACKWARD_WEIGHTS:
        k->backward_weights(&c->l, c->dy, c->x, n, c->dw, c->db);
        return;
    case BACKWARD_INPUT:
        k->backward_input(&c->l, c->dy, n, c->x, c->dx);
        return;
    case OPERATIONS_N:
        break;
    }
}

/* GFLOP/s of one product, again and again for so long, everything in cache. */
static double time_one(const struct kernel *k, enum operation o, struct layer_case *c, int n,
                       double seconds)
{
    k->panels(c->l.in, c->l.out, c->w, c->panels); /* as this back end wants them */
    memset(c->dw, 0, (size_t)c->l.in * (size_t)c->l.out * sizeof(float));
    once(k, o, c, n);
    const double from_s = bench_now_s();
    double took_s;
    int64_t times = 0;
    do {
        once(k, o, c, n);
        times++;
        took_s = bench_now_s() - from_s;
    } while (took_s < seconds);
    return 2.0 * n * c->l.in * c->l.out * (double)times / took_s / 1e9;
}

static void repetition(struct gemm *g, double seconds)
{
    double all[PEAKS_N] = {0};
    const int turns = SHAPES_N * OPERATIONS_N;
    for (int s = 0; s < SHAPES_N; s++) {
        for (int o = 0; o < OPERATIONS_N; o++) {
            double peak[PEAKS_N] = {0};
            for (int p = 0; p < PEAKS_N; p++) {
                if (g->peaks.loop[p] != NULL) {
                    peak[p] = peak_measure(g->peaks.loop[p], TURN_S, NULL);
                    all[p] += peak[p] / turns;
                }
            }
            for (int k = 0; k < g->n_kernels; k++) {
                const double v =
                    time_one(g->kernel[k], (enum operation)o, &g->layer[s], g->batch, seconds);
                figures_add(&g->gflop_s[s][o][k], v);
                figures_add(&g->share[s][o][k], v / peak[peak_of_kernel(g->kernel[k])]);
            }
        }
    }
    for (int p = 0; p < PEAKS_N; p++) {
        if (g->peaks.loop[p] != NULL) {
            figures_add(&g->peaks.gflop_s[p], all[p]);
        }
    }
    for (int i = 0; i < REACHES_N; i++) {
        figures_add(&g->reads.gb_s[i], reads_measure(&g->reads, (enum reach)i, seconds));
    }
}

/* FLOP for each byte that must be read or written once: where on a roofline a product stands. */
static double flop_per_byte(const struct gemm *g, int s)
{
    const double in = shapes[s].in, out = shapes[s].out, n = g->batch;
    return 2.0 * n * in * out / (4.0 * (n * in + n * out + in * out));
}

static void print_json(const struct arguments *a, const struct gemm *g, FILE *f)
{
    struct json_object *o = json_begin(), *all = json_begin();
    json_text(o, "benchmark", "gemm");
    json_int(o, "batch", g->batch);
    json_number(o, "seconds", a->common.seconds);
    json_int(o, "repeat", a->common.repeat);
    bench_machine(o);
    peaks_put(&g->peaks, o);
    reads_put(&g->reads, o);
    for (int k = 0; k < g->n_kernels; k++) {
        struct json_object *kernel = json_begin();
        for (int s = 0; s < SHAPES_N; s++) {
            struct json_object *shape = json_begin();
            char key[32];
            json_number(shape, "flop_per_byte", flop_per_byte(g, s));
            for (int p = 0; p < OPERATIONS_N; p++) {
                struct json_object *c = json_begin();
                figures_put(&g->gflop_s[s][p][k], c, "gflop_s");
                figures_put(&g->share[s][p][k], c, "share_of_peak");
                json_child(shape, operation_names[p], c);
            }
            (void)snprintf(key, sizeof key, "%dx%d", shapes[s].in, shapes[s].out);
            json_child(kernel, key, shape);
        }
        json_child(all, g->kernel[k]->name, kernel);
    }
    json_child(o, "kernels", all);
    json_print(o, f, true);
}

static void print_table(const struct gemm *g, FILE *f)
{
    (void)fprintf(f,
                  "gemm: batch %d, in cache; GFLOP/s, median, and share of the peak\n"
                  "  (in,out)   product         ",
                  g->batch);
    for (int k = 0; k < g->n_kernels; k++) {
        (void)fprintf(f, " %12s", g->kernel[k]->name);
    }
    (void)fprintf(f, "\n");
    for (int s = 0; s < SHAPES_N; s++) {
        for (int o = 0; o < OPERATIONS_N; o++) {
            char shape[32];
            (void)snprintf(shape, sizeof shape, "(%d,%d)", shapes[s].in, shapes[s].out);
            (void)fprintf(f, "  %-10s %-17s", o == 0 ? shape : "", operation_names[o]);
            for (int k = 0; k < g->n_kernels; k++) {
                (void)fprintf(f, "  %5.0f %3.0f %%", figures_median(&g->gflop_s[s][o][k]),
                              100.0 * figures_median(&g->share[s][o][k]));
            }
            (void)fprintf(f, "\n");
        }
    }
    peaks_print(&g->peaks, f);
    char text[2][64];
    (void)fprintf(f, "  reading: %s GB/s from the second cache, %s from memory\n",
                  figures_text(&g->reads.gb_s[REACH_CACHE], text[0], sizeof text[0]),
                  figures_text(&g->reads.gb_s[REACH_MEMORY], text[1], sizeof text[1]));
}

static int with_memory(const struct arguments *a, struct gemm *g)
{
    struct rng r;
    rng_seed(&r, (uint64_t)a->common.seed);
    g->batch = (int)a->batch;
    for (int i = 0; kernels[i] != NULL && g->n_kernels < KERNELS_MAX; i++) {
        if (kernels[i]->usable() &&
            (a->kernel == NULL || strcmp(kernels[i]->name, a->kernel) == 0)) {
            g->kernel[g->n_kernels++] = kernels[i];
        }
    }
    for (int s = 0; s < SHAPES_N; s++) {
        make_layer(g, shapes[s].in, shapes[s].out, &r, &g->layer[s]);
    }
    peaks_find(&g->peaks);
    reads_init(&g->reads, &g->mem);
    for (int i = 0; i < a->common.repeat; i++) {
        repetition(g, a->common.seconds);
    }
    if (a->common.json) {
        print_json(a, g, stdout);
    } else {
        print_table(g, stdout);
    }
    return 0;
}

static int run(void *args)
{
    struct gemm *g = calloc(1, sizeof *g);
    if (g == NULL || arena_open(&g->mem, "gemm", MEMORY_BYTES) < 0) {
        free(g);
        return exit_no_memory("basal-bench gemm");
    }
    const int status = with_memory(args, g);
    arena_close(&g->mem);
    free(g);
    return status;
}

static const struct arguments defaults = {.common = {.seconds = 0.01, .repeat = 5, .seed = 1},
                                          .batch = 256};

const struct bench bench_gemm = {
    .name = "gemm",
    .about = "the networks' products: every back end, GFLOP/s and share of the peak",
    .help = "Products of a layer (forward, gradients of weights and of inputs) at the shapes that\n"
            "updates have, by every back end that this processor can run, CBLAS among them; in\n"
            "turns with loops that touch only registers, which measure the processor's peak.",
    .flags = flags,
    .args_bytes = sizeof defaults,
    .defaults = &defaults,
    .take = take,
    .run = run,
};

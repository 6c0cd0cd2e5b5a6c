#include "daemon/bench_peak.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define ITERATIONS 4096

const char *const peak_names[] = {"fp32", "bf16", NULL};

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/*
 * sums: so many that none waits for itself, at two a cycle and a latency of four to six, and all
 * stay in registers. KEEP: the compiler knows neither factors
 * nor sums, and so leaves none out.
 */
#define LOOP(vec, sums, zero, fma, a, b)                                                           \
    do {                                                                                           \
        vec sum[sums];                                                                             \
        UNROLL for (int j = 0; j < (sums); j++)                                                    \
        {                                                                                          \
            sum[j] = zero;                                                                         \
            KEEP(sum[j]);                                                                          \
        }                                                                                          \
        for (int i = 0; i < ITERATIONS; i++) {                                                     \
            UNROLL for (int j = 0; j < (sums); j++)                                                \
            {                                                                                      \
                sum[j] = fma(sum[j], a, b);                                                        \
            }                                                                                      \
        }                                                                                          \
        UNROLL for (int j = 0; j < (sums); j++)                                                    \
        {                                                                                          \
            KEEP(sum[j]);                                                                          \
        }                                                                                          \
    } while (0)

/* Nothing for the processor; for the compiler a use and a change of x. */
#if defined(__x86_64__)
#define KEEP(x) __asm__ volatile("" : "+v"(x))
#elif defined(__aarch64__)
#define KEEP(x) __asm__ volatile("" : "+w"(x))
#else
#define KEEP(x) __asm__ volatile("" : "+m"(x))
#endif

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)

static bool has_avx512f(void)
{
    return __builtin_cpu_supports("avx512f") != 0;
}

static bool has_avx512_bf16(void)
{
    return __builtin_cpu_supports("avx512bf16") != 0;
}

static bool has_fma(void)
{
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

__attribute__((target("avx512f"))) static void call_avx512f(void)
{
    __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
    KEEP(a);
    KEEP(b);
    LOOP(__m512, 24, _mm512_set1_ps(1.0f), _mm512_fmadd_ps, a, b);
}

__attribute__((target("avx512f,avx512bf16"))) static void call_avx512_bf16(void)
{
    const __m512 x = _mm512_set1_ps(0.01f);
    __m512bh a = _mm512_cvtne2ps_pbh(x, x), b = a;
    KEEP(a);
    KEEP(b);
    LOOP(__m512, 24, _mm512_set1_ps(1.0f), _mm512_dpbf16_ps, a, b);
}

__attribute__((target("avx2,fma"))) static void call_avx2(void)
{
    __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
    KEEP(a);
    KEEP(b);
    LOOP(__m256, 12, _mm256_set1_ps(1.0f), _mm256_fmadd_ps, a, b);
}

#elif defined(__aarch64__)

static float32x4_t fma_neon(float32x4_t sum, float32x4_t a, float32x4_t b)
{
    return vfmaq_f32(b, sum, a);
}

static void call_neon(void)
{
    float32x4_t a = vdupq_n_f32(0.999f), b = vdupq_n_f32(1e-3f);
    KEEP(a);
    KEEP(b);
    LOOP(float32x4_t, 24, vdupq_n_f32(1.0f), fma_neon, a, b);
}

#endif

/* Where there is none of the above: whatever the compiler makes of four floats. */
typedef float four __attribute__((vector_size(16)));

static inline four fma_four(four sum, four a, four b)
{
    return sum * a + b;
}

static void call_plain(void)
{
    four a = {0.999f, 0.999f, 0.999f, 0.999f}, b = {1e-3f, 1e-3f, 1e-3f, 1e-3f};
    KEEP(a);
    KEEP(b);
    LOOP(four, 12, ((four){1.0f, 1.0f, 1.0f, 1.0f}), fma_four, a, b);
}

/* Of one call: every sum of so many lanes takes so many products. */
#define FLOP(sums, lanes, products) (2.0 * ITERATIONS * (sums) * (lanes) * (products))

/* The widest first; the last of PEAK_FP32 is always usable. */
/* clang-format off */
static const struct peak_loop loops[PEAKS_N][4] = {
    [PEAK_FP32] = {
#if defined(__x86_64__)
        {"avx512f", FLOP(24, 16, 1), call_avx512f, has_avx512f},
        {"avx2", FLOP(12, 8, 1), call_avx2, has_fma},
#elif defined(__aarch64__)
        {"neon", FLOP(24, 4, 1), call_neon, always},
#endif
        {"plain", FLOP(12, 4, 1), call_plain, always},
    },
    [PEAK_BF16] = {
#if defined(__x86_64__)
        {"avx512_bf16", FLOP(24, 16, 2), call_avx512_bf16, has_avx512_bf16},
#endif
        {.name = NULL},
    },
};

/* clang-format on */

const struct peak_loop *peak_find(enum peak_kind p)
{
    for (const struct peak_loop *l = loops[p]; l < loops[p] + 4 && l->name != NULL; l++) {
        if (l->usable()) {
            return l;
        }
    }
    return NULL;
}

struct job {
    const struct peak_loop *loop;
    double until_s;
    int64_t calls[2];
};

static void work(void *arg, int half)
{
    struct job *j = arg;
    do {
        j->loop->call();
        j->calls[half]++;
    } while (bench_now_s() < j->until_s);
}

double peak_measure(const struct peak_loop *p, double seconds, struct team *team)
{
    const double from_s = bench_now_s();
    struct job j = {.loop = p, .until_s = from_s + seconds};
    if (team != NULL) {
        team_run(team, work, &j);
    } else {
        work(&j, 0);
    }
    return (double)(j.calls[0] + j.calls[1]) * p->flop / (bench_now_s() - from_s) / 1e9;
}

enum peak_kind peak_of_kernel(const struct kernel *k)
{
    return strstr(k->name, "bf16") != NULL ? PEAK_BF16 : PEAK_FP32;
}

void peaks_find(struct peaks *ret_peaks)
{
    *ret_peaks = (struct peaks){0};
    for (int p = 0; p < PEAKS_N; p++) {
        ret_peaks->loop[p] = peak_find((enum peak_kind)p);
    }
}

void peaks_put(const struct peaks *p, struct json_object *o)
{
    struct json_object *names = json_begin();
    for (int k = 0; k < PEAKS_N; k++) {
        char key[32];
        (void)snprintf(key, sizeof key, "peak_%s_gflop_s", peak_names[k]);
        figures_put(&p->gflop_s[k], o, key);
        json_text(names, peak_names[k], p->loop[k] != NULL ? p->loop[k]->name : "");
    }
    json_child(o, "peak_instructions", names);
}

void peaks_print(const struct peaks *p, FILE *f)
{
    for (int k = 0; k < PEAKS_N; k++) {
        char text[64];
        if (p->loop[k] != NULL) {
            (void)fprintf(f, "  peak %s (%s): %s GFLOP/s\n", peak_names[k], p->loop[k]->name,
                          figures_text(&p->gflop_s[k], text, sizeof text));
        }
    }
}

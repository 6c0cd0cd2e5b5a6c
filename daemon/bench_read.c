#include "daemon/bench_read.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const size_t reach_bytes[REACHES_N] = {READ_CACHE_BYTES, READ_MEMORY_BYTES};
static const char *const reach_keys[REACHES_N] = {"read_cache_gb_s", "read_memory_gb_s"};

/* The sum of n floats, n a multiple of 8 vectors: eight sums, so that loads alone are waited for.
 */
#define SUM(vec, lanes, get, add, zero)                                                            \
    vec sum[8] = {zero, zero, zero, zero, zero, zero, zero, zero};                                 \
    for (size_t i = 0; i < n; i += 8 * (lanes)) {                                                  \
        for (size_t j = 0; j < 8; j++) {                                                           \
            sum[j] = add(sum[j], get(v + i + j * (lanes)));                                        \
        }                                                                                          \
    }                                                                                              \
    for (int j = 0; j < 8; j++) {                                                                  \
        __asm__ volatile("" : : "m"(sum[j]));                                                      \
    }

#if defined(__x86_64__)

__attribute__((target("avx512f"))) static void sum_avx512f(const float *v, size_t n)
{
    SUM(__m512, 16, _mm512_load_ps, _mm512_add_ps, _mm512_setzero_ps())
}

__attribute__((target("avx2"))) static void sum_avx2(const float *v, size_t n)
{
    SUM(__m256, 8, _mm256_load_ps, _mm256_add_ps, _mm256_setzero_ps())
}

#endif

typedef float four __attribute__((vector_size(16)));

static inline four get_four(const float *v)
{
    return *(const four *)(const void *)v;
}

static inline four add_four(four a, four b)
{
    return a + b;
}

static void sum_plain(const float *v, size_t n)
{
    SUM(four, 4, get_four, add_four, (four){0})
}

static void sum(const float *v, size_t n)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        sum_avx512f(v, n);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        sum_avx2(v, n);
        return;
    }
#endif
    sum_plain(v, n);
}

void reads_init(struct reads *ret_reads, struct arena *mem)
{
    *ret_reads = (struct reads){.block = arena_take(mem, READ_MEMORY_BYTES)};
    for (size_t i = 0; i < READ_MEMORY_BYTES / sizeof(float); i++) {
        ret_reads->block[i] = 1.0f; /* pages of their own: what was never written is one page */
    }
}

double reads_measure(const struct reads *r, enum reach reach, double seconds)
{
    const size_t bytes = reach_bytes[reach];
    double passes = 0.0, took_s;
    sum(r->block, reach_bytes[REACH_CACHE] / sizeof(float));
    const double from_s = bench_now_s();
    do {
        sum(r->block, bytes / sizeof(float));
        passes += 1.0;
        took_s = bench_now_s() - from_s;
    } while (took_s < seconds);
    return passes * (double)bytes / took_s / 1e9;
}

void reads_put(const struct reads *r, struct json_object *o)
{
    for (int i = 0; i < REACHES_N; i++) {
        figures_put(&r->gb_s[i], o, reach_keys[i]);
    }
}

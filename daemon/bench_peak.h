/*
 * What a processor can do at most: loops of multiply and add that touch nothing but registers, in
 * the widest vectors that it has. What every kernel's figure is a share of.
 */
#pragma once

#include "daemon/base/team.h"
#include "daemon/bench.h"
#include "policies/nn/kernel.h"

enum peak_kind { PEAK_FP32, PEAK_BF16, PEAKS_N };

extern const char *const peak_names[]; /* "fp32" "bf16", NULL at the end */

struct peak_loop {
    const char *name; /* of the instructions: "avx512f" */
    double flop;      /* of one call, some 10 us: a product and a sum are two */
    void (*call)(void);
    bool (*usable)(void); /* on this processor */
};

/* The widest that this processor has; NULL: none of that kind. */
const struct peak_loop *peak_find(enum peak_kind p);

/* GFLOP/s over about so many seconds, of this thread, or with a team of it and its helper. */
double peak_measure(const struct peak_loop *p, double seconds, struct team *team);

/* Whose products are made of bf16 says so in its name: avx512_bf16. */
enum peak_kind peak_of_kernel(const struct kernel *k);

/* The peaks of this processor and their figures, one a repetition. */
struct peaks {
    const struct peak_loop *loop[PEAKS_N]; /* NULL: none */
    struct figures gflop_s[PEAKS_N];
};

void peaks_find(struct peaks *ret_peaks);
/* peak_fp32_gflop_s, peak_bf16_gflop_s (null: none), peak_instructions. */
void peaks_put(const struct peaks *p, struct json_object *o);
void peaks_print(const struct peaks *p, FILE *f);

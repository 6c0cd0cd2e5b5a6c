/* AVX2 and FMA: every x86-64 of the last ten years. */
#include "policies/nn/kernel.h"

#if defined(__AVX2__) && defined(__FMA__) && !defined(BASAL_PORTABLE_ONLY)
#define LANES 8
#include "policies/nn/kernel_body.h"

#include "policies/nn/kernel_math.h"
#include "policies/nn/kernel_norm.h"
#include "policies/nn/kernel_row.h"

static bool usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct kernel kernel_avx2 = {
    .name = "avx2",
    .usable = usable,
    .shares = true,
    .forward = forward,
    .backward_weights = backward_weights,
    .backward_input = backward_input,
    .panels = panels,
    .adam = adam,
    .blend = blend,
    .row = row,
    .norm = norm,
    .norm_backward = norm_backward,
    .norm_weights = norm_weights,
    .exp = exp_all,
    .tanh = tanh_all,
    .softplus = softplus_all,
    .normal = normal_all,
};
#endif

/* AVX-512: twice the lanes and twice the registers of AVX2. It comes first wherever it is there: on
 * cores that split its vectors in two both have the same peak, and this one issues half as much. */
#include "policies/nn/kernel.h"

#if defined(__AVX512F__) && !defined(BASAL_PORTABLE_ONLY)
#define LANES 16
#include "policies/nn/kernel_body.h"

#include "policies/nn/kernel_math.h"
#include "policies/nn/kernel_norm.h"
#include "policies/nn/kernel_row.h"

static bool usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

const struct kernel kernel_avx512 = {
    .name = "avx512",
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

/* Advanced SIMD: every 64-bit ARM. */
#include "policies/nn/kernel.h"

#if defined(__aarch64__) && !defined(BASAL_PORTABLE_ONLY)
#define LANES 4
#include "policies/nn/kernel_body.h"

#include "policies/nn/kernel_math.h"
#include "policies/nn/kernel_norm.h"
#include "policies/nn/kernel_row.h"

static bool usable(void)
{
    return true;
}

const struct kernel kernel_neon = {
    .name = "neon",
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

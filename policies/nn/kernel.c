/* The back ends that were built, and the choice among them. */
#include "policies/nn/kernel.h"

#include <stdio.h>
#include <string.h>

extern const struct kernel kernel_portable;
#ifndef BASAL_NO_CBLAS /* a build without the library, for another machine */
extern const struct kernel kernel_cblas;
#endif
#if defined(__x86_64__) && !defined(BASAL_PORTABLE_ONLY)
extern const struct kernel kernel_avx512_bf16, kernel_avx512, kernel_avx2;
#elif defined(__aarch64__) && !defined(BASAL_PORTABLE_ONLY)
extern const struct kernel kernel_neon;
#endif

const struct kernel *const kernels[] = {
#if defined(__x86_64__) && !defined(BASAL_PORTABLE_ONLY)
    &kernel_avx512_bf16,
    &kernel_avx512,
    &kernel_avx2,
#elif defined(__aarch64__) && !defined(BASAL_PORTABLE_ONLY)
    &kernel_neon,
#endif
    &kernel_portable,
#ifndef BASAL_NO_CBLAS
    &kernel_cblas,
#endif
    NULL,
};

const char *const precision_names[] = {"fp32", "bf16", NULL};

const char *const kernel_names[] = {
    [KERNEL_AUTO] = "auto", "avx512_bf16", "avx512", "avx2", "neon", "portable", "cblas", NULL};

int matrix_stride(int n)
{
    return (n + PANEL - 1) / PANEL * PANEL + PANEL;
}

const struct kernel *kernel_of(enum precision precision)
{
    int i = 0;
    while (kernels[i] != NULL && (kernels[i]->precision != precision || !kernels[i]->usable())) {
        i++;
    }
    return kernels[i];
}

const struct kernel *kernel_best(void)
{
    return kernel_of(PRECISION_FP32); /* the portable one always is usable */
}

const struct kernel *kernel_find(const char *name)
{
    for (int i = 0; kernels[i] != NULL; i++) {
        if (strcmp(kernels[i]->name, name) == 0 && kernels[i]->usable()) {
            return kernels[i];
        }
    }
    return NULL;
}

void kernel_list(char *ret_text, int cap)
{
    int n = 0;
    ret_text[0] = '\0';
    for (int i = 0; kernels[i] != NULL && n < cap; i++) {
        if (kernels[i]->usable()) {
            n += snprintf(ret_text + n, (size_t)(cap - n), "%s%s", n > 0 ? ", " : "",
                          kernels[i]->name);
        }
    }
}

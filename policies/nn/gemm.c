#include "policies/nn/gemm.h"

#include <cblas.h>

void gemm_nt(int m, int n, int k, const float *a, const float *b, float beta, float *ret_c)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, a, k, b, k, beta, ret_c, n);
}

void gemm_nn(int m, int n, int k, const float *a, const float *b, float beta, float *ret_c)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, a, k, b, n, beta, ret_c,
                n);
}

void gemm_tn(int m, int n, int k, const float *a, const float *b, float beta, float *ret_c)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1.0f, a, m, b, n, beta, ret_c, n);
}

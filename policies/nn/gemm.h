/*
 * The seam under the networks: three products of row-major matrices. Everything above knows shapes,
 * nothing of kernels.
 */
#pragma once

/* C [m,n] = A [m,k] B [n,k]' + beta C: a layer's outputs from inputs and weights [out,in]. */
void gemm_nt(int m, int n, int k, const float *a, const float *b, float beta, float *ret_c);

/* C [m,n] = A [m,k] B [k,n] + beta C: gradients to a layer's inputs. */
void gemm_nn(int m, int n, int k, const float *a, const float *b, float beta, float *ret_c);

/* C [m,n] = A [k,m]' B [k,n] + beta C: gradients to weights [out,in]. */
void gemm_tn(int m, int n, int k, const float *a, const float *b, float beta, float *ret_c);

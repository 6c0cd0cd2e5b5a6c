/*
 * CMA-ES, a search for the maximum of a function that can only be tried: draw from a normal
 * distribution, move its mean towards the best draws, and shape its covariance and step after the
 * way that the mean goes. Hansen 2016, "The CMA Evolution Strategy: A Tutorial", equations 40 to
 * 49 (positive weights only), constants of table 1.
 */
#pragma once

#include "daemon/base/rng.h"

#define CMA_GENES_MAX      64
#define CMA_POPULATION_MAX 64

struct cma {
    int n, population, parents;
    double weight[CMA_POPULATION_MAX], mu_eff; /* of the parents, best first; sum 1 */
    double c_sigma, d_sigma, c_c, c_1, c_mu, chi_n;
    int generation;
    double sigma;
    double mean[CMA_GENES_MAX];
    double path_sigma[CMA_GENES_MAX], path_c[CMA_GENES_MAX];
    double cov[CMA_GENES_MAX * CMA_GENES_MAX];  /* C, [n, n] */
    double axis[CMA_GENES_MAX * CMA_GENES_MAX]; /* B, its eigenvectors, one a row */
    double length[CMA_GENES_MAX];               /* D, square roots of its eigenvalues */
};

/* n <= CMA_GENES_MAX, 4 <= population <= CMA_POPULATION_MAX; mean [n]; sigma: the first step. */
void cma_begin(struct cma *c, int n, int population, const double *mean, double sigma);

/* One draw [n]. */
void cma_ask(const struct cma *c, struct rng *rng, double *ret_gene);

/* A generation's draws in order of merit, the best first: gene[i] [n] for i < c->parents. */
void cma_tell(struct cma *c, const double *const *gene);

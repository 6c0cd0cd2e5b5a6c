#include "daemon/cma.h"

#include "daemon/base/err.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

#define LENGTH_MIN 1e-12 /* of an axis: keeps the covariance positive */

static void weigh(struct cma *c)
{
    double sum = 0.0, square = 0.0;
    for (int i = 0; i < c->parents; i++) {
        c->weight[i] = log((c->population + 1) / 2.0) - log(i + 1.0);
        sum += c->weight[i];
    }
    for (int i = 0; i < c->parents; i++) {
        c->weight[i] /= sum;
        square += c->weight[i] * c->weight[i];
    }
    c->mu_eff = 1.0 / square;
}

void cma_begin(struct cma *c, int n, int population, const double *mean, double sigma)
{
    basal_assert(n >= 1 && n <= CMA_GENES_MAX);
    basal_assert(population >= 4 && population <= CMA_POPULATION_MAX);
    *c = (struct cma){.n = n, .population = population, .parents = population / 2, .sigma = sigma};
    weigh(c);
    const double m = c->mu_eff;
    c->c_sigma = (m + 2.0) / (n + m + 5.0);
    c->d_sigma = 1.0 + 2.0 * fmax(0.0, sqrt((m - 1.0) / (n + 1.0)) - 1.0) + c->c_sigma;
    c->c_c = (4.0 + m / n) / (n + 4.0 + 2.0 * m / n);
    c->c_1 = 2.0 / ((n + 1.3) * (n + 1.3) + m);
    c->c_mu = fmin(1.0 - c->c_1, 2.0 * (m - 2.0 + 1.0 / m) / ((n + 2.0) * (n + 2.0) + m));
    c->chi_n = sqrt(n) * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n));
    memcpy(c->mean, mean, (size_t)n * sizeof *mean);
    for (int i = 0; i < n; i++) {
        c->cov[i * n + i] = c->axis[i * n + i] = c->length[i] = 1.0;
    }
}

/* x = m + sigma B D z, equations 38 to 40. */
void cma_ask(const struct cma *c, struct rng *rng, double *ret_gene)
{
    memcpy(ret_gene, c->mean, (size_t)c->n * sizeof *ret_gene);
    for (int k = 0; k < c->n; k++) {
        const double z = rng_normal(rng);
        for (int i = 0; i < c->n; i++) {
            ret_gene[i] += c->sigma * z * c->length[k] * c->axis[k * c->n + i];
        }
    }
}

/* C^(-1/2) y = B D^-1 B' y */
static void whiten(const struct cma *c, const double *y, double *ret_z)
{
    memset(ret_z, 0, (size_t)c->n * sizeof *ret_z);
    for (int k = 0; k < c->n; k++) {
        double along = 0.0;
        for (int i = 0; i < c->n; i++) {
            along += c->axis[k * c->n + i] * y[i];
        }
        for (int i = 0; i < c->n; i++) {
            ret_z[i] += along / c->length[k] * c->axis[k * c->n + i];
        }
    }
}

/* The mean moves by sigma y, equations 41 and 42. */
static void move_mean(struct cma *c, const double *const *gene, double *ret_y)
{
    for (int i = 0; i < c->n; i++) {
        double to = 0.0;
        for (int p = 0; p < c->parents; p++) {
            to += c->weight[p] * gene[p][i];
        }
        ret_y[i] = (to - c->mean[i]) / c->sigma;
        c->mean[i] = to;
    }
}

/* Equations 43 and 45; returns h_sigma: whether the covariance's path may follow. */
static double follow(struct cma *c, const double *y)
{
    double z[CMA_GENES_MAX], square = 0.0;
    const double keep_sigma = 1.0 - c->c_sigma, keep_c = 1.0 - c->c_c;
    whiten(c, y, z);
    for (int i = 0; i < c->n; i++) {
        c->path_sigma[i] = keep_sigma * c->path_sigma[i] +
                           sqrt(c->c_sigma * (2.0 - c->c_sigma) * c->mu_eff) * z[i];
        square += c->path_sigma[i] * c->path_sigma[i];
    }
    const double norm = sqrt(square);
    const double settled = sqrt(1.0 - pow(keep_sigma, 2.0 * (c->generation + 1)));
    const double h = norm / settled < (1.4 + 2.0 / (c->n + 1)) * c->chi_n ? 1.0 : 0.0;
    for (int i = 0; i < c->n; i++) {
        c->path_c[i] = keep_c * c->path_c[i] + h * sqrt(c->c_c * (2.0 - c->c_c) * c->mu_eff) * y[i];
    }
    c->sigma *= exp(c->c_sigma / c->d_sigma * (norm / c->chi_n - 1.0));
    return h;
}

/* Rank one and rank mu, equation 47. from: the mean that the draws were made around; sigma: theirs
 */
static void reshape(struct cma *c, const double *const *gene, const double *from, double sigma,
                    double h)
{
    const int n = c->n;
    const double keep = 1.0 - c->c_1 - c->c_mu + (1.0 - h) * c->c_1 * c->c_c * (2.0 - c->c_c);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            double rank_mu = 0.0;
            for (int p = 0; p < c->parents; p++) {
                rank_mu += c->weight[p] * (gene[p][i] - from[i]) * (gene[p][j] - from[j]);
            }
            c->cov[i * n + j] = keep * c->cov[i * n + j] + c->c_1 * c->path_c[i] * c->path_c[j] +
                                c->c_mu * rank_mu / (sigma * sigma);
        }
    }
}

static void diagonalise(struct cma *c)
{
    memcpy(c->axis, c->cov, (size_t)(c->n * c->n) * sizeof *c->axis);
    /* column-major on a symmetric matrix: eigenvectors come as rows */
    const int rc = LAPACKE_dsyev(LAPACK_COL_MAJOR, 'V', 'U', c->n, c->axis, c->n, c->length);
    basal_assert(rc == 0);
    for (int i = 0; i < c->n; i++) {
        c->length[i] = sqrt(fmax(c->length[i], LENGTH_MIN * LENGTH_MIN));
    }
}

void cma_tell(struct cma *c, const double *const *gene)
{
    double from[CMA_GENES_MAX], y[CMA_GENES_MAX];
    const double sigma = c->sigma;
    memcpy(from, c->mean, sizeof from);
    move_mean(c, gene, y);
    const double h = follow(c, y);
    reshape(c, gene, from, sigma, h);
    diagonalise(c);
    c->generation++;
}

#include "daemon/gait.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GENES_MAX      (1 + GAIT_ACT_MAX * GAIT_COEFS)
#define SIGMA_0        0.7 /* actions span -1..1 */
#define SIGMA_REFINE_0 0.15
#define SIGMA_MIN      0.01 /* keeps a collapsed distribution searching */
#define BLEND          0.8 /* of the new fit, the rest is the old one: against collapsing too soon */

/* Gene 0: the logarithm of the period, 0..1 over its range; then the coefficients. */
struct candidate {
    double gene[GENES_MAX];
    struct gait_result result;
};

/* A distribution of genes. */
struct cloud {
    double mean[GENES_MAX], sigma[GENES_MAX];
    double low, high; /* of gene 0 */
};

struct search {
    const struct gait_search *spec;
    int n_act, n_genes;
    struct rng *rng;
    void (*run)(void *self, const struct gait *g, struct gait_result *ret_result);
    void *self;
    struct candidate pool[GAIT_POPULATION_MAX];
    struct candidate best;
};

void gait_act(const struct gait *g, double t_s, float *ret_act)
{
    for (int k = 0; k < g->n_act; k++) {
        double a = g->coef[k][0];
        for (int i = 1; i <= GAIT_HARMONICS; i++) {
            const double phase = 2.0 * M_PI * i * t_s / g->period_s;
            a += g->coef[k][2 * i - 1] * cos(phase) + g->coef[k][2 * i] * sin(phase);
        }
        ret_act[k] = (float)fmax(-1.0, fmin(1.0, a));
    }
}

void gait_search_defaults(struct gait_search *ret_search)
{
    *ret_search = (struct gait_search){
        .population = 48,
        .elites = 8,
        .islands = 3,
        .generations = 40,
        .refinements = 15,
        .period_min_s = 0.3,
        .period_max_s = 1.2,
    };
}

static void express(const struct search *z, const double *gene, struct gait *ret_gait)
{
    const double low = z->spec->period_min_s, high = z->spec->period_max_s;
    *ret_gait = (struct gait){.n_act = z->n_act, .period_s = low * pow(high / low, gene[0])};
    for (int k = 0; k < z->n_act; k++) {
        memcpy(ret_gait->coef[k], gene + 1 + k * GAIT_COEFS, sizeof ret_gait->coef[k]);
    }
}

static void draw(struct search *z, const struct cloud *c, double *ret_gene)
{
    for (int i = 0; i < z->n_genes; i++) {
        ret_gene[i] = c->mean[i] + c->sigma[i] * rng_normal(z->rng);
    }
    ret_gene[0] = fmax(c->low, fmin(c->high, ret_gene[0]));
}

static int by_return(const void *a, const void *b)
{
    const double x = ((const struct candidate *)a)->result.return_per_s;
    const double y = ((const struct candidate *)b)->result.return_per_s;
    return (x < y) - (x > y);
}

/* Mean and deviation of the elite, the front of the sorted pool, blended with what they were. */
static void fit(const struct search *z, struct cloud *c)
{
    const int n = z->spec->elites;
    for (int i = 0; i < z->n_genes; i++) {
        double mean = 0.0, square = 0.0;
        for (int e = 0; e < n; e++) {
            mean += z->pool[e].gene[i] / n;
        }
        for (int e = 0; e < n; e++) {
            square += (z->pool[e].gene[i] - mean) * (z->pool[e].gene[i] - mean) / n;
        }
        c->mean[i] += BLEND * (mean - c->mean[i]);
        c->sigma[i] = fmax(SIGMA_MIN, c->sigma[i] + BLEND * (sqrt(square) - c->sigma[i]));
    }
}

static void evolve(struct search *z, struct cloud *c, int generations)
{
    for (int g = 0; g < generations; g++) {
        for (int i = 0; i < z->spec->population; i++) {
            struct gait gait;
            draw(z, c, z->pool[i].gene);
            express(z, z->pool[i].gene, &gait);
            z->run(z->self, &gait, &z->pool[i].result);
        }
        qsort(z->pool, (size_t)z->spec->population, sizeof z->pool[0], by_return);
        if (z->pool[0].result.return_per_s > z->best.result.return_per_s) {
            z->best = z->pool[0];
        }
        fit(z, c);
    }
}

static void settle_island(const struct search *z, int island, struct cloud *ret_cloud)
{
    *ret_cloud = (struct cloud){.low = (double)island / z->spec->islands,
                                .high = (island + 1.0) / z->spec->islands};
    ret_cloud->mean[0] = 0.5 * (ret_cloud->low + ret_cloud->high);
    ret_cloud->sigma[0] = 0.5 * (ret_cloud->high - ret_cloud->low);
    for (int i = 1; i < z->n_genes; i++) {
        ret_cloud->sigma[i] = SIGMA_0;
    }
}

static void settle_best(const struct search *z, struct cloud *ret_cloud)
{
    *ret_cloud = (struct cloud){.low = 0.0, .high = 1.0};
    memcpy(ret_cloud->mean, z->best.gene, sizeof ret_cloud->mean);
    ret_cloud->sigma[0] = 0.2 * SIGMA_REFINE_0;
    for (int i = 1; i < z->n_genes; i++) {
        ret_cloud->sigma[i] = SIGMA_REFINE_0;
    }
}

void gait_find(const struct gait_search *search, int n_act, struct arena *mem, struct rng *rng,
               void (*run)(void *self, const struct gait *g, struct gait_result *ret_result),
               void *self, struct gait *ret_best, struct gait_result *ret_result)
{
    basal_assert(n_act >= 1 && n_act <= GAIT_ACT_MAX && search->population <= GAIT_POPULATION_MAX);
    basal_assert(search->elites >= 1 && search->elites <= search->population &&
                 search->islands >= 1);
    struct cloud cloud;
    struct search *z = arena_take(mem, sizeof *z);
    *z = (struct search){.spec = search,
                         .n_act = n_act,
                         .n_genes = 1 + n_act * GAIT_COEFS,
                         .rng = rng,
                         .run = run,
                         .self = self};
    z->best.result.return_per_s = -DBL_MAX;
    for (int i = 0; i < search->islands; i++) {
        settle_island(z, i, &cloud);
        evolve(z, &cloud, search->generations);
    }
    settle_best(z, &cloud);
    evolve(z, &cloud, search->refinements);
    express(z, z->best.gene, ret_best);
    *ret_result = z->best.result;
}

#include "daemon/gait.h"

#include "daemon/cma.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIGMA_0   0.7 /* actions span -1..1 */
#define COEF_FREE 1.5 /* beyond, clipping makes all coefficients alike: what exceeds it costs */
#define COEF_COST 0.1

/* One period's search. */
struct island {
    int steps;
    struct cma cma;
    struct gait_result result; /* of the gait at its mean, which no lucky draw can flatter */
};

/* In the order of merit. */
struct place {
    struct island *island;
};

struct candidate {
    double gene[CMA_GENES_MAX];
    struct gait_result result;
    double merit;
};

struct search {
    const struct gait_search *spec;
    int n_act;
    struct rng *rng;
    void (*run)(void *self, const struct gait *g, struct gait_result *ret_result);
    void *self;
    struct candidate pool[CMA_POPULATION_MAX];
};

void gait_act(const struct gait *g, int64_t t, float *ret_act)
{
    for (int k = 0; k < g->n_act; k++) {
        double a = g->coef[k][0];
        for (int i = 1; i <= GAIT_HARMONICS; i++) {
            const double phase = 2.0 * M_PI * i * (double)(t % g->steps) / g->steps;
            const double *c = &g->coef[k][(size_t)(2 * i - 1)];
            a += c[0] * cos(phase) + c[1] * sin(phase);
        }
        ret_act[k] = (float)fmax(-1.0, fmin(1.0, a));
    }
}

void gait_search_defaults(struct gait_search *ret_search, double policy_rate_hz)
{
    *ret_search = (struct gait_search){
        .population = 16,
        .generations = 20,
        .steps_min = (int)fmax(2.0, floor(0.3 * policy_rate_hz + 0.5)),
        .steps_max = (int)fmax(2.0, floor(1.2 * policy_rate_hz + 0.5)),
    };
}

int gait_trials(const struct gait_search *search)
{
    int trials = 0;
    for (int alive = search->steps_max - search->steps_min + 1;; alive = (alive + 1) / 2) {
        trials += alive * (search->population * search->generations + 1);
        if (alive == 1) {
            return trials;
        }
    }
}

static void express(const struct search *z, int steps, const double *gene, struct gait *ret_gait)
{
    *ret_gait = (struct gait){.n_act = z->n_act, .steps = steps};
    memcpy(ret_gait->coef, gene, (size_t)z->n_act * sizeof ret_gait->coef[0]);
}

static void try_gene(struct search *z, int steps, const double *gene, struct gait_result *ret)
{
    struct gait gait;
    express(z, steps, gene, &gait);
    z->run(z->self, &gait, ret);
}

/* What a draw is ranked by. */
static double merit(const struct search *z, const struct candidate *c)
{
    double beyond = 0.0;
    for (int i = 0; i < z->n_act * GAIT_COEFS; i++) {
        const double x = fmax(0.0, fabs(c->gene[i]) - COEF_FREE);
        beyond += x * x;
    }
    return c->result.return_per_s - COEF_COST * beyond;
}

static int order(double x, double y)
{
    return (x < y) - (x > y);
}

static int better_candidate(const void *a, const void *b)
{
    return order(((const struct candidate *)a)->merit, ((const struct candidate *)b)->merit);
}

static int better_island(const void *a, const void *b)
{
    return order(((const struct place *)a)->island->result.return_per_s,
                 ((const struct place *)b)->island->result.return_per_s);
}

static void evolve(struct search *z, struct island *island)
{
    const double *by_merit[CMA_POPULATION_MAX];
    const int n = island->cma.population;
    for (int g = 0; g < z->spec->generations; g++) {
        for (int i = 0; i < n; i++) {
            cma_ask(&island->cma, z->rng, z->pool[i].gene);
            try_gene(z, island->steps, z->pool[i].gene, &z->pool[i].result);
            z->pool[i].merit = merit(z, &z->pool[i]);
        }
        qsort(z->pool, (size_t)n, sizeof z->pool[0], better_candidate);
        for (int i = 0; i < n; i++) {
            by_merit[i] = z->pool[i].gene;
        }
        cma_tell(&island->cma, by_merit);
    }
    try_gene(z, island->steps, island->cma.mean, &island->result);
}

static void settle(const struct search *z, int steps, struct island *ret_island)
{
    static const double middle[CMA_GENES_MAX] = {0};
    *ret_island = (struct island){.steps = steps};
    cma_begin(&ret_island->cma, z->n_act * GAIT_COEFS, z->spec->population, middle, SIGMA_0);
}

void gait_find(const struct gait_search *search, const struct gait_trial *trial, struct arena *mem,
               struct rng *rng, struct gait *ret_best, struct gait_result *ret_result)
{
    const int n_act = trial->n_act;
    basal_assert(n_act >= 1 && n_act <= GAIT_ACT_MAX);
    basal_assert(search->steps_min >= 2 && search->steps_max >= search->steps_min);
    int alive = search->steps_max - search->steps_min + 1;
    struct island *island = arena_take(mem, (size_t)alive * sizeof *island);
    struct place *rank = arena_take(mem, (size_t)alive * sizeof *rank);
    struct search *z = arena_take(mem, sizeof *z);
    *z = (struct search){
        .spec = search, .n_act = n_act, .rng = rng, .run = trial->run, .self = trial->self};
    for (int i = 0; i < alive; i++) {
        settle(z, search->steps_min + i, &island[i]);
        rank[i].island = &island[i];
    }
    ret_result->return_per_s = -DBL_MAX;
    for (bool last = false; !last; alive = (alive + 1) / 2) {
        last = alive == 1;
        for (int i = 0; i < alive; i++) {
            evolve(z, rank[i].island);
        }
        qsort(rank, (size_t)alive, sizeof *rank, better_island);
        if (rank[0].island->result.return_per_s > ret_result->return_per_s) {
            *ret_result = rank[0].island->result;
            express(z, rank[0].island->steps, rank[0].island->cma.mean, ret_best);
        }
    }
}

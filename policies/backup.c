#include "policies/backup.h"

#include <errno.h>
#include <math.h>

const char *const backup_names[] = {"max", "expected", "soft", NULL};

static double max_of(const double *q, int n, uint64_t may)
{
    double best = -(double)INFINITY;
    for (int a = 0; a < n; a++) {
        best = (may >> a & 1) != 0 && q[a] > best ? q[a] : best;
    }
    return best;
}

static double mean_of(const double *q, int n, uint64_t may)
{
    double sum = 0.0;
    for (int a = 0; a < n; a++) {
        sum += (may >> a & 1) != 0 ? q[a] : 0.0;
    }
    return sum / __builtin_popcountll(may);
}

static double soft_of(const double *q, int n, uint64_t may, double alpha)
{
    const double best = max_of(q, n, may); /* no exponent is above 0 */
    double sum = 0.0;
    for (int a = 0; a < n; a++) {
        sum += (may >> a & 1) != 0 ? exp((q[a] - best) / alpha) : 0.0;
    }
    return best + alpha * log(fmax(sum, 1.0)); /* the best one itself is 1 of it */
}

double backup_value(const struct backup *b, const double *q, int n, uint64_t legal)
{
    const uint64_t may = greedy_legal(n, legal);
    switch ((enum backup_kind)b->kind) {
    case BACKUP_EXPECTED:
        return (1.0 - b->epsilon) * max_of(q, n, may) + b->epsilon * mean_of(q, n, may);
    case BACKUP_SOFT:
        return soft_of(q, n, may, b->alpha);
    case BACKUP_MAX:
        break;
    }
    return max_of(q, n, may);
}

int backup_check(int kind, double alpha, char *ret_why, int cap)
{
    return kind == BACKUP_SOFT && !(alpha > 0.0)
               ? why(ret_why, cap, -EINVAL, "policy.backup soft needs an ent_coef above 0")
               : 0;
}

int backup_greedy(const double *q, int n, uint64_t legal, struct rng *rng)
{
    float row[CHOICES_MAX];
    basal_assert(n <= CHOICES_MAX);
    for (int a = 0; a < n; a++) {
        row[a] = (float)q[a];
    }
    return greedy_choice(row, n, legal, rng);
}

double rate_at(const struct rate_settings *c, int64_t visits)
{
    return c->omega > 0.0 ? c->initial * pow((double)visits, -c->omega) : c->initial;
}

int rate_check(const struct rate_settings *c, char *ret_why, int cap)
{
    if (c->omega > 0.0 && c->omega <= 0.5) {
        return why(ret_why, cap, -EINVAL,
                   "policy.learning_rate_omega %g falls too slowly to converge: 0, or above 0.5",
                   c->omega);
    }
    return 0;
}

#include "policies/explore.h"

#include "policies/nn/boltzmann.h"

#include <math.h>

int explore_choice(const float *q, int n, const struct epsilon_settings *epsilon, double ent_coef,
                   const struct act_in *in)
{
    float pi[CHOICES_MAX];
    if (in->explore && rng_uniform(in->rng) < epsilon_at(epsilon, in->step)) {
        return greedy_random(n, in->legal, in->rng);
    }
    if (in->explore && ent_coef > 0.0) {
        (void)soft_value(q, n, in->legal, (float)ent_coef, pi);
        return choice_draw(pi, n, in->rng);
    }
    return greedy_choice(q, n, in->legal, in->rng);
}

int explore_softly(const float *q, int n, float alpha, const struct act_in *in, float *ret_logp)
{
    float pi[CHOICES_MAX];
    *ret_logp = NAN;
    if (!in->explore) {
        return greedy_choice(q, n, in->legal, in->rng);
    }
    (void)soft_value(q, n, in->legal, alpha, pi);
    const int choice = choice_draw(pi, n, in->rng);
    *ret_logp = logf(pi[choice]);
    return choice;
}

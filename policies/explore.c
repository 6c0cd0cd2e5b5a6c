#include "policies/explore.h"

#include "policies/nn/boltzmann.h"

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

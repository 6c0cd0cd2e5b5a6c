#include "policies/nn/temperature.h"

#include "daemon/base/err.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALPHA_MIN   1e-4
#define ALPHA_MAX   1e2
#define ENTROPY_MIN (-10.0) /* per action; of a uniform one it is log 2 */
#define ENTROPY_MAX 0.69

/* All of text is a number in the range. */
static bool read_number(const char *text, double min, double max, double *ret_v)
{
    char *end = NULL;
    const double v = strtod(text, &end);
    const bool good = end != text && *end == '\0' && v >= min && v <= max;
    *ret_v = good ? v : *ret_v;
    return good;
}

int temperature_read(const char *ent_coef, const char *target_entropy, int n_act,
                     struct temperature *ret_temperature, char *ret_why, int cap)
{
    const double least = n_act * ENTROPY_MIN, most = n_act * ENTROPY_MAX;
    const bool from = strncmp(ent_coef, "auto_", 5) == 0, one = strcmp(ent_coef, "auto") == 0;
    struct temperature t = {.alpha = 1.0, .learned = from || one, .target_entropy = -n_act};
    if (!one && !read_number(ent_coef + (from ? 5 : 0), ALPHA_MIN, ALPHA_MAX, &t.alpha)) {
        return why(ret_why, cap, -EINVAL,
                   "policy.ent_coef must be auto, auto_X or X, a number from %g to %g, not \"%s\"",
                   ALPHA_MIN, ALPHA_MAX, ent_coef);
    }
    if (strcmp(target_entropy, "auto") != 0 &&
        !read_number(target_entropy, least, most, &t.target_entropy)) {
        return why(ret_why, cap, -EINVAL,
                   "policy.target_entropy must be auto, or for %d actions a number from %g to %g, "
                   "not \"%s\"",
                   n_act, least, most, target_entropy);
    }
    *ret_temperature = t;
    return 0;
}

int temperature_check(const struct temperature_settings *c, int n_act, char *ret_why, int cap)
{
    struct temperature t;
    return temperature_read(c->ent_coef, c->target_entropy, n_act, &t, ret_why, cap);
}

void alpha_init(struct alpha *ret_alpha, const struct temperature *t, const struct kernel *kernel,
                double lr, struct arena *mem)
{
    const struct adam_options adam = adam_defaults((float)lr);
    *ret_alpha = (struct alpha){.log = {(float)log(t->alpha)},
                                .learned = t->learned,
                                .target_entropy = (float)t->target_entropy};
    adam_init(&ret_alpha->opt, kernel, 1, &adam, mem);
}

void alpha_init_by(struct alpha *ret_alpha, const struct temperature_settings *c, int n_act,
                   const struct kernel *kernel, double lr, struct arena *mem)
{
    struct temperature t = {.alpha = 1.0};
    const int rc = temperature_read(c->ent_coef, c->target_entropy, n_act, &t, NULL, 0);
    basal_assert(rc == 0);
    alpha_init(ret_alpha, &t, kernel, lr, mem);
}

float alpha_now(const struct alpha *a)
{
    return expf(a->log[0]);
}

float alpha_fit(struct alpha *a, float entropy)
{
    if (!a->learned) {
        return 0.0f;
    }
    a->g[0] = entropy - a->target_entropy;
    const float loss = a->log[0] * a->g[0];
    adam_step(&a->opt, a->g, a->log);
    a->log[0] = fminf(fmaxf(a->log[0], (float)log(ALPHA_MIN)), (float)log(ALPHA_MAX));
    return loss;
}

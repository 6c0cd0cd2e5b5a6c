/* Who pushes, when and how: pauses and pushes in turn, all draws even. */
#include "sim/push.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define FIT 1e-9 /* 0.1 s are a hundred steps of 1 ms, whatever the rounding */

static int check_range(const struct push_range *r, const char *key, char *ret_why, int cap)
{
    if (r->n == 1 || (r->n == 2 && r->x[0] <= r->x[1])) {
        return 0;
    }
    return why(ret_why, cap, -EINVAL, "sim.%s is one number, or the least and the most of it", key);
}

int push_check(const struct push_config *c, char *ret_why, int cap)
{
    int rc = check_range(&c->size, "push_n", ret_why, cap);
    rc = rc == 0 ? check_range(&c->length, "push_s", ret_why, cap) : rc;
    return rc == 0 ? check_range(&c->pause, "push_pause_s", ret_why, cap) : rc;
}

bool push_is_on(const struct push_config *c)
{
    return c->size.x[c->size.n - 1] > 0.0;
}

static double draw(const struct push_range *r, struct rng *rng)
{
    return rng_between(rng, r->x[0], r->x[r->n - 1]);
}

void push_reset(const struct push_config *c, struct push_state *s, struct rng *rng)
{
    memset(s, 0, sizeof *s);
    if (push_is_on(c)) {
        s->left_s = draw(&c->pause, rng);
    }
}

/* Even on the sphere: so is its height (Archimedes). */
static void draw_force(const struct push_config *c, struct push_state *s, struct rng *rng)
{
    const double size = draw(&c->size, rng), z = rng_between(rng, -1.0, 1.0);
    const double angle = rng_between(rng, -M_PI, M_PI), across = sqrt(1.0 - z * z);
    s->force[0] = size * across * cos(angle);
    s->force[1] = size * across * sin(angle);
    s->force[2] = size * z;
}

void push_step(const struct push_config *c, struct push_state *s, double dt_s, struct rng *rng)
{
    if (!push_is_on(c)) {
        return;
    }
    if (s->left_s <= FIT && s->pushes) {
        memset(s->force, 0, sizeof s->force);
        s->pushes = 0;
        s->left_s = draw(&c->pause, rng);
    }
    if (s->left_s <= FIT && !s->pushes) { /* a pause may be none at all */
        draw_force(c, s, rng);
        s->pushes = 1;
        s->left_s = draw(&c->length, rng);
    }
    s->left_s -= dt_s;
}

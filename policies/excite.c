/*
 * Excite: a motion that shows an arm's masses, inertias and friction in its torques, for basalctl
 * record and identify. It learns nothing, sees nothing but the pose that it begins at, and plans
 * poses only: what it asks for is filtered as anybody's actions are.
 *
 * From the pose that was commanded last each joint first goes to where the motion has room in its
 * range, if it has none there: it then comes as far as 2 x amplitude_rad + margin_rad from where it
 * began. Then it swings about that place by a periodic sum of H harmonics of one base frequency,
 * its phases its own by the seed, let in over the first period:
 *
 *   q(t) = c + w(t / T) A S(t)                          T = 1 / base_hz
 *
 *   S(t) = sum_h sin(2 pi h t / T + phi_h) / h          h = 1 .. H
 *
 *   w(x) = 10 x^3 - 15 x^4 + 6 x^5                      from 0 at rest to 1 at rest
 *
 * 1 / h gives every harmonic the same share of the speed. A is the joint's amplitude over the peak
 * of |S|, or less, so that speed and acceleration stay within limit_frac of the joint's limits.
 *
 * Swevers, Ganseman, Tukel, De Schutter and Van Brussel 1997 (finite Fourier series). Departs from
 * it: phases are drawn, not optimised for the condition of the fit.
 */
#include "policies/fixed.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define HARMONICS_MAX 16
#define SAMPLES       256    /* of the highest harmonic's period ... */
#define MISSED        1.0001 /* ... so that a peak between two is less than (pi / 256)^2 / 2 higher */
#define GO_MIN_S      1.0    /* the way to where there is room takes at least this */

struct excite_config {
    double amplitude_rad[ACT_MAX];
    int n_amplitude;
    double base_hz, limit_frac, margin_rad;
    int harmonics, seed;
};

#define AT(field) offsetof(struct excite_config, field)

/* clang-format off */
static const struct option excite_options[] = {
    {.key = "amplitude_rad", .type = OPTION_DOUBLES, .offset = AT(amplitude_rad), .min = 0, .max = 100, .def = "[0.4]", .n_max = ACT_MAX, .n_offset = AT(n_amplitude),
     .help = "how far a joint swings either way about where it begins, or about the next place that has room for that, unless its limits allow less; one for all driven joints, or one for each"},
    {.key = "base_hz", .type = OPTION_DOUBLE, .offset = AT(base_hz), .min = 0.001, .max = 10, .def = "0.1",
     .help = "how often the whole motion repeats; the slowest of its harmonics"},
    {.key = "harmonics", .type = OPTION_INT, .offset = AT(harmonics), .min = 1, .max = HARMONICS_MAX, .def = "10",
     .help = "how many multiples of base_hz each joint moves at"},
    {.key = "limit_frac", .type = OPTION_DOUBLE, .offset = AT(limit_frac), .min = 0.01, .max = 0.95, .def = "0.7",
     .help = "part of qd_max_rad_s and qdd_max_rad_s2 that the motion uses at most"},
    {.key = "margin_rad", .type = OPTION_DOUBLE, .offset = AT(margin_rad), .min = 0, .max = 100, .def = "0.1",
     .help = "stays this far from the ends of each range"},
    {.key = "seed", .type = OPTION_INT, .offset = AT(seed), .min = 0, .max = 1000000, .def = "1",
     .help = "draws the phases: another one is another motion"},
    {.key = NULL},
};

/* clang-format on */

/* Of one joint, in action units: 1 is half of its range. */
struct swing {
    double phase[HARMONICS_MAX];
    double reach, factor;       /* how far it swings; A */
    double room;                /* how far from the middle the place it swings about may be */
    double speed, acceleration; /* most on the way to that place; infinite: any */
    double start, centre;
};

struct excite {
    int n_act, harmonics;
    double dt_s, base_rad_s, base_s, go_s;
    int64_t n; /* actions since the episode began */
    struct swing joint[ACT_MAX];
};

static double amplitude_rad(const struct excite_config *c, int k)
{
    return c->amplitude_rad[c->n_amplitude == 1 ? 0 : k];
}

static int excite_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct excite_config *c = config;
    if (!d->poses) {
        return why(ret_why, cap, -EINVAL,
                   "policy excite plans poses: set task.action to position, which -1 to 1 are a "
                   "joint's range in");
    }
    if (d->ticks_per_period != 1) {
        return why(ret_why, cap, -EINVAL,
                   "policy excite plans every tick, or its motion would have corners: set "
                   "policy.rate_hz to control.rate_hz, %g",
                   d->policy_rate_hz * d->ticks_per_period);
    }
    if (c->n_amplitude != 1 && c->n_amplitude != d->n_act) {
        return why(
            ret_why, cap, -EINVAL,
            "policy excite: amplitude_rad has %d numbers; one for all, or one for each of %d "
            "driven joints",
            c->n_amplitude, d->n_act);
    }
    if (c->base_hz * c->harmonics * 20.0 > d->policy_rate_hz) {
        return why(ret_why, cap, -EINVAL,
                   "policy excite: its fastest harmonic, base_hz %g x harmonics %d, needs 20 ticks "
                   "a period: %g are left at policy.rate_hz %g; lower one of the two",
                   c->base_hz, c->harmonics, d->policy_rate_hz / (c->base_hz * c->harmonics),
                   d->policy_rate_hz);
    }
    return 0;
}

/* --- the plan --- */

/* w(x) and its slopes in x, from 0 at 0 to 1 at 1 and beyond. */
static void let_in(double x, double *ret_w, double *ret_dw, double *ret_ddw)
{
    const double y = fmax(0.0, fmin(1.0, x)), u = y * (1.0 - y);
    *ret_w = y * y * y * (10.0 + y * (6.0 * y - 15.0));
    *ret_dw = 30.0 * u * u;
    *ret_ddw = 60.0 * u * (1.0 - 2.0 * y);
}

/* S(t) and its slopes in t. */
static void series(const struct excite *z, const struct swing *s, double t_s, double *ret_s,
                   double *ret_ds, double *ret_dds)
{
    *ret_s = *ret_ds = *ret_dds = 0.0;
    for (int h = 1; h <= z->harmonics; h++) {
        const double w = z->base_rad_s * h;
        const double at = w * t_s + s->phase[h - 1];
        *ret_s += sin(at) / h;
        *ret_ds += w * cos(at) / h;
        *ret_dds -= w * w * sin(at) / h;
    }
}

/* w(t / T) S(t) and its slopes in t. */
static void swing_at(const struct excite *z, const struct swing *s, double t_s, double *ret_y,
                     double *ret_dy, double *ret_ddy)
{
    double w, dw, ddw, y, dy, ddy;
    const double rate = 1.0 / z->base_s;
    let_in(t_s * rate, &w, &dw, &ddw);
    series(z, s, t_s, &y, &dy, &ddy);
    *ret_y = w * y;
    *ret_dy = w * dy + rate * dw * y;
    *ret_ddy = w * ddy + 2.0 * rate * dw * dy + rate * rate * ddw * y;
}

/* A, from the peaks of a period that lets in and one that does not. */
static void scale_swing(const struct excite *z, struct swing *s)
{
    double y, dy, ddy, peak = 0.0, dpeak = 0.0, ddpeak = 0.0;
    const int n = 2 * SAMPLES * z->harmonics;
    for (int i = 0; i <= n; i++) {
        swing_at(z, s, 2.0 * z->base_s * i / n, &y, &dy, &ddy);
        peak = fmax(peak, fabs(y));
        dpeak = fmax(dpeak, fabs(dy));
        ddpeak = fmax(ddpeak, fabs(ddy));
    }
    peak *= MISSED;
    dpeak *= MISSED;
    ddpeak *= MISSED;
    s->factor = fmin(s->reach / peak, fmin(s->speed / dpeak, s->acceleration / ddpeak));
    s->reach = s->factor * peak;
}

static size_t excite_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct excite);
}

/* Not finite, as where a body has none: it limits nothing. */
static double limit(double most)
{
    return isfinite(most) ? most : HUGE_VAL;
}

static void excite_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    const struct excite_config *c = config;
    struct excite *z = ret_actor;
    *z = (struct excite){.n_act = d->n_act,
                         .harmonics = c->harmonics,
                         .dt_s = 1.0 / d->policy_rate_hz,
                         .base_rad_s = 2.0 * M_PI * c->base_hz,
                         .base_s = 1.0 / c->base_hz};
    struct rng rng;
    rng_child(&rng, (uint64_t)c->seed, "excite");
    for (int k = 0; k < z->n_act; k++) {
        const struct act_pose *p = &d->pose[k];
        struct swing *s = &z->joint[k];
        for (int h = 0; h < HARMONICS_MAX; h++) {
            s->phase[h] = rng_between(&rng, 0.0, 2.0 * M_PI);
        }
        const double half = fmax(0.0, p->half_rad - c->margin_rad) / p->half_rad;
        s->reach = fmin(amplitude_rad(c, k) / p->half_rad, half);
        s->speed = limit(c->limit_frac * p->qd_max / p->half_rad);
        s->acceleration = limit(c->limit_frac * p->qdd_max / p->half_rad);
        scale_swing(z, s);
        s->room = half - s->reach;
    }
}

static void excite_reset(void *actor, struct rng *rng)
{
    (void)rng;
    struct excite *z = actor;
    z->n = 0;
}

/* --- the motion --- */

/* How long the way to the centre must take: the slopes of w peak at 15/8 and 10/sqrt(3). */
static double way_s(const struct swing *s)
{
    const double way = fabs(s->centre - s->start);
    if (!(way > 0.0)) {
        return 0.0;
    }
    return fmax(GO_MIN_S, fmax(1.875 * way / s->speed, sqrt(5.7736 * way / s->acceleration)));
}

static void begin(struct excite *z, const float *last)
{
    z->go_s = 0.0;
    for (int k = 0; k < z->n_act; k++) {
        struct swing *s = &z->joint[k];
        s->start = (double)last[k];
        s->centre = fmax(-s->room, fmin(s->room, s->start));
        z->go_s = fmax(z->go_s, way_s(s));
    }
}

static void excite_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    struct excite *z = actor;
    double w, y, unused, also;
    if (z->n == 0) {
        begin(z, in->last);
    }
    const double t_s = (double)++z->n * z->dt_s;
    let_in(z->go_s > 0.0 ? t_s / z->go_s : 1.0, &w, &unused, &also);
    for (int k = 0; k < z->n_act; k++) {
        const struct swing *s = &z->joint[k];
        swing_at(z, s, fmax(0.0, t_s - z->go_s), &y, &unused, &also);
        ret_act[k] = (float)(s->start + w * (s->centre - s->start) + s->factor * y);
    }
    *ret_logp = NAN;
}

static const char *const excite_stats[] = {NULL};

const struct policy policy_excite = {
    .name = "excite",
    .source = "Swevers et al. 1997, finite Fourier series; no learning",
    .actions = ACTION_BOX,
    .fixed = true,
    .options = excite_options,
    .stat_names = excite_stats,
    .config_bytes = sizeof(struct excite_config),
    .check = excite_check,
    .wants = policy_wants_rows,
    .init = fixed_init,
    .update = fixed_update,
    .save = fixed_save,
    .state = fixed_state,
    .pack = fixed_pack,
    .actor_bytes = excite_actor_bytes,
    .actor_init = excite_actor_init,
    .reset = excite_reset,
    .act = excite_act,
};

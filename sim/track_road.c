#include "sim/track_road.h"

#include "daemon/base/rng.h"

#include <math.h>

#define HARMONIC_MIN 2
#define HARMONIC_MAX 5
#define WOBBLE       0.3  /* a_k is between +- WOBBLE / k */
#define STEPS        2048 /* of the centre line */
#define MAP_SIDE     512

/* The field of view, and how far one sees. */
#define ASPECT_TAN  0.8 /* tan of half the angle, across */
#define UPRIGHT_TAN 0.58
#define SIGHT_RADII 1.5
#define FAR_M       1e4

/* Greys, and what is drawn, as fractions of the road's width. */
#define GRASS       96.0
#define ASPHALT     40.0
#define LINE        240.0
#define SKY         160
#define LINE_FRAC   0.08
#define DASH_FRAC   0.05
#define DASH_WIDTHS 0.6 /* from one dash to the next, in widths of the road */

struct step {
    double r, slope; /* m; dr / dphi */
    double along;    /* m */
};

struct road {
    double radius, width, length;
    struct step step[STEPS + 1];
    double map_half;                  /* m */
    uint8_t map[MAP_SIDE * MAP_SIDE]; /* grey, from (-half, -half) on, x first */
};

struct ray {
    float ahead, left; /* m, where it meets the ground; FAR_M: the sky */
};

struct camera {
    int n;
    struct ray *ray; /* [n] */
    uint8_t *grey;   /* [n] */
};

/* --- the centre line --- */

static void draw_line(struct road *z, int seed)
{
    double a[HARMONIC_MAX + 1], b[HARMONIC_MAX + 1];
    struct rng rng;
    rng_child(&rng, (uint64_t)seed, "track");
    for (int k = HARMONIC_MIN; k <= HARMONIC_MAX; k++) {
        a[k] = rng_between(&rng, -WOBBLE, WOBBLE) / k;
        b[k] = rng_between(&rng, -M_PI, M_PI);
    }
    for (int i = 0; i <= STEPS; i++) {
        const double phi = 2.0 * M_PI * (i % STEPS) / STEPS;
        struct step *s = &z->step[i];
        *s = (struct step){.r = z->radius};
        for (int k = HARMONIC_MIN; k <= HARMONIC_MAX; k++) {
            s->r += z->radius * a[k] * cos(k * phi + b[k]);
            s->slope -= z->radius * a[k] * k * sin(k * phi + b[k]);
        }
        if (i > 0) { /* ds = sqrt(r^2 + r'^2) dphi, by trapezoids */
            s->along =
                s[-1].along + M_PI / STEPS * (hypot(s[-1].r, s[-1].slope) + hypot(s->r, s->slope));
        }
    }
    z->length = z->step[STEPS].along;
}

static struct step step_between(const struct road *z, double at)
{
    const int i = (int)at % STEPS;
    const double f = at - floor(at);
    const struct step *p = &z->step[i], *q = p + 1;
    return (struct step){.r = p->r + f * (q->r - p->r),
                         .slope = p->slope + f * (q->slope - p->slope),
                         .along = p->along + f * (q->along - p->along)};
}

struct road_place road_find(const struct road *z, double x_m, double y_m)
{
    const double phi = atan2(y_m, x_m), turn = phi < 0.0 ? phi + 2.0 * M_PI : phi;
    const struct step s = step_between(z, turn / (2.0 * M_PI) * STEPS);
    return (struct road_place){.along_m = s.along,
                               .left_m = (s.r - hypot(x_m, y_m)) * s.r / hypot(s.r, s.slope),
                               .heading_rad = phi + atan2(s.r, s.slope)};
}

double road_length_m(const struct road *z)
{
    return z->length;
}

void road_point(const struct road *z, double along_m, double left_m, double *ret_x_m,
                double *ret_y_m)
{
    int lo = 0, hi = STEPS;
    while (hi - lo > 1) {
        const int mid = (lo + hi) / 2;
        *(z->step[mid].along <= along_m ? &lo : &hi) = mid;
    }
    const double f = (along_m - z->step[lo].along) / (z->step[hi].along - z->step[lo].along);
    const struct step s = step_between(z, lo + fmax(0.0, fmin(f, 1.0 - 1e-12)));
    const double phi = 2.0 * M_PI * (lo + f) / STEPS;
    const double r = s.r - left_m * hypot(s.r, s.slope) / s.r;
    *ret_x_m = r * cos(phi);
    *ret_y_m = r * sin(phi);
}

/* --- seen from above --- */

/* 1 inside a stripe of that half width around 0, 0 outside, half a cell of transition. */
static double stripe(double x, double half, double cell)
{
    return fmax(0.0, fmin(1.0, (half - fabs(x)) / cell + 0.5));
}

static double mix(double a, double b, double share)
{
    return a + share * (b - a);
}

static double grey_at(const struct road *z, double x, double y, double cell)
{
    const struct road_place p = road_find(z, x, y);
    const double edge = 0.5 * z->width - 0.5 * LINE_FRAC * z->width;
    const double dashes = floor(z->length / (DASH_WIDTHS * z->width));
    const double dash = p.along_m / z->length * dashes;
    double grey = mix(GRASS, ASPHALT, stripe(p.left_m, 0.5 * z->width, cell));
    grey = mix(grey, LINE, stripe(fabs(p.left_m) - edge, 0.5 * LINE_FRAC * z->width, cell));
    return dash - floor(dash) < 0.5
               ? mix(grey, LINE, stripe(p.left_m, 0.5 * DASH_FRAC * z->width, cell))
               : grey;
}

static void draw_map(struct road *z)
{
    double most = 0.0;
    for (int i = 0; i < STEPS; i++) {
        most = fmax(most, z->step[i].r);
    }
    z->map_half = most + z->width;
    const double cell = 2.0 * z->map_half / MAP_SIDE;
    for (int i = 0; i < MAP_SIDE; i++) {
        for (int k = 0; k < MAP_SIDE; k++) {
            const double x = (k + 0.5) * cell - z->map_half, y = (i + 0.5) * cell - z->map_half;
            z->map[i * MAP_SIDE + k] = (uint8_t)lrint(grey_at(z, x, y, cell));
        }
    }
}

struct road *road_open(int seed, double radius_m, double width_m, struct arena *mem)
{
    struct road *z = arena_take(mem, sizeof *z);
    z->radius = radius_m;
    z->width = width_m;
    draw_line(z, seed);
    draw_map(z);
    return z;
}

/* --- seen from the road --- */

struct camera *camera_open(int h, int w, double height_m, double down_rad, struct arena *mem)
{
    struct camera *z = arena_take(mem, sizeof *z);
    *z = (struct camera){.n = h * w};
    z->ray = arena_take(mem, (size_t)z->n * sizeof *z->ray);
    z->grey = arena_take(mem, (size_t)z->n);
    for (int k = 0; k < z->n; k++) {
        const int row = k / w;
        const double down = ((row + 0.5) / h * 2.0 - 1.0) * UPRIGHT_TAN;
        const double left = (1.0 - (k % w + 0.5) / w * 2.0) * ASPECT_TAN;
        const double falls = sin(down_rad) + down * cos(down_rad);
        const double goes = cos(down_rad) - down * sin(down_rad);
        const double t = falls > 0.0 ? height_m / falls : FAR_M;
        const bool sky = t * hypot(goes, left) >= FAR_M || falls <= 0.0;
        z->ray[k] = sky ? (struct ray){(float)FAR_M, 0.0f}
                        : (struct ray){(float)(t * goes), (float)(t * left)};
    }
    return z;
}

/* Between the four cells around it; u, v in cells. Beyond the map there is grass. */
static uint8_t map_at(const struct road *z, float u, float v)
{
    const int i = (int)v, k = (int)u;
    if (!(u >= 0.0f && v >= 0.0f && i < MAP_SIDE - 1 && k < MAP_SIDE - 1)) {
        return (uint8_t)GRASS;
    }
    const uint8_t *p = z->map + i * MAP_SIDE + k;
    const float fu = u - (float)k, fv = v - (float)i;
    const float top = (float)p[0] + fu * ((float)p[1] - (float)p[0]);
    const float low = (float)p[MAP_SIDE] + fu * ((float)p[MAP_SIDE + 1] - (float)p[MAP_SIDE]);
    return (uint8_t)(top + fv * (low - top) + 0.5f);
}

const uint8_t *camera_look(struct camera *z, const struct road *road, double x_m, double y_m,
                           double heading_rad)
{
    const double per_m = MAP_SIDE / (2.0 * road->map_half);
    const float c = (float)(cos(heading_rad) * per_m), s = (float)(sin(heading_rad) * per_m);
    const float u = (float)((x_m + road->map_half) * per_m - 0.5);
    const float v = (float)((y_m + road->map_half) * per_m - 0.5);
    const float sight = (float)(SIGHT_RADII * road->radius);
    for (int k = 0; k < z->n; k++) {
        const struct ray r = z->ray[k];
        z->grey[k] = r.ahead > sight
                         ? SKY
                         : map_at(road, u + c * r.ahead - s * r.left, v + s * r.ahead + c * r.left);
    }
    return z->grey;
}

/*
 * A closed road around the origin, and how it looks to a camera that rides along it. Drawn from a
 * seed; never written after that.
 *
 *   centre line: r(phi) = R (1 + sum_k a_k cos(k phi + b_k)), k = 2 .. 5, driven counter-clockwise
 */
#pragma once

#include "daemon/base/arena.h"

#include <stdint.h>

struct road;

/* Where a point is on the road: metres along its centre line, metres to the left of it (to first
 * order: along the normal where the same ray from the origin meets it), and which way the road goes
 * there. */
struct road_place {
    double along_m, left_m, heading_rad;
};

struct road *road_open(int seed, double radius_m, double width_m, struct arena *mem);
double road_length_m(const struct road *z);
struct road_place road_find(const struct road *z, double x_m, double y_m);
/* The point at that place. */
void road_point(const struct road *z, double along_m, double left_m, double *ret_x_m,
                double *ret_y_m);

/* --- the camera --- */

struct camera;

/* h x w points of one byte; height_m above the road, looks ahead and down_rad below the horizon. */
struct camera *camera_open(int h, int w, double height_m, double down_rad, struct arena *mem);
/* From (x, y), looking along heading: [h,w] grey, valid until the next one. */
const uint8_t *camera_look(struct camera *z, const struct road *road, double x_m, double y_m,
                           double heading_rad);

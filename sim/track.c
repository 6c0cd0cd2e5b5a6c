/*
 * A model car on a closed road, seen through the camera on its bonnet. It is steered; its speed is
 * constant, or what a pedal makes of it.
 *
 *   x' = v cos th,  y' = v sin th,  th' = v tan(d) / L             (a bicycle whose wheels roll)
 *   d follows the steering wheel, no faster than steer_rate
 *   v' = acceleration p - drag v,  v >= 0                          (p: the pedal; below 0 it
 * brakes)
 *
 * A step is one midpoint step. Off the road, which is where its middle is beyond an edge, the car
 * stays until a reset. It senses a picture of any size, one byte a point, and in numbers: `way`
 * metres along the centre line since the reset, `offset` metres to the left of it, `angle` of its
 * heading against the road's, `speed`, `off` 1 when it is off the road.
 *
 * Source: the kinematic bicycle of Rajamani, Vehicle Dynamics and Control (2012), section 2.2,
 * about its rear axle.
 */
#include "sim/sense.h"
#include "sim/sim.h"
#include "sim/track_road.h"

#include "daemon/base/err.h"

#include <errno.h>
#include <math.h>

struct track_config {
    char steer[NAME_CHARS], pedal[NAME_CHARS];
    int seed;
    double radius_m, width_m, wheelbase_m, steer_max_rad, steer_rate_rad_s, speed_m_s;
    double acceleration_m_s2, drag_hz, camera_m, camera_down_rad;
    double reset_offset_m, reset_angle_rad;
};

#define AT(field) offsetof(struct track_config, field)

/* clang-format off */
static const struct option track_options[] = {
    {.key = "steer_joint", .type = OPTION_TEXT, .offset = AT(steer), .n_max = NAME_CHARS, .def = "steer",
     .help = "joint of the robot that turns the front wheels, to the left where it is positive"},
    {.key = "pedal_joint", .type = OPTION_TEXT, .offset = AT(pedal), .n_max = NAME_CHARS, .def = "",
     .help = "joint of the robot that is the pedal, 1 all the way down, -1 the brake; none: the speed is constant"},
    {.key = "seed", .type = OPTION_INT, .offset = AT(seed), .min = 0, .max = 1000000, .def = "1",
     .help = "each is another road"},
    {.key = "radius_m", .type = OPTION_DOUBLE, .offset = AT(radius_m), .min = 0.5, .max = 1000, .def = "3",
     .help = "of the road, in the mean"},
    {.key = "width_m", .type = OPTION_DOUBLE, .offset = AT(width_m), .min = 0.05, .max = 100, .def = "0.7",
     .help = "from one edge of it to the other"},
    {.key = "wheelbase_m", .type = OPTION_DOUBLE, .offset = AT(wheelbase_m), .min = 0.01, .max = 10, .def = "0.25",
     .help = "L: from axle to axle"},
    {.key = "steer_max_rad", .type = OPTION_DOUBLE, .offset = AT(steer_max_rad), .min = 0.01, .max = 1.5, .def = "0.5",
     .help = "the wheels turn no further"},
    {.key = "steer_rate_rad_s", .type = OPTION_DOUBLE, .offset = AT(steer_rate_rad_s), .min = 0.01, .max = 1000, .def = "4",
     .help = "and no faster"},
    {.key = "speed_m_s", .type = OPTION_DOUBLE, .offset = AT(speed_m_s), .min = 0, .max = 100, .def = "1.5",
     .help = "at a reset, and for good where there is no pedal"},
    {.key = "acceleration_m_s2", .type = OPTION_DOUBLE, .offset = AT(acceleration_m_s2), .min = 0, .max = 100, .def = "3",
     .help = "with the pedal all the way down"},
    {.key = "drag_hz", .type = OPTION_DOUBLE, .offset = AT(drag_hz), .min = 0, .max = 100, .def = "1",
     .help = "the speed falls by this times itself each second, where there is a pedal"},
    {.key = "camera_m", .type = OPTION_DOUBLE, .offset = AT(camera_m), .min = 0.01, .max = 100, .def = "0.3",
     .help = "height of the camera"},
    {.key = "camera_down_rad", .type = OPTION_DOUBLE, .offset = AT(camera_down_rad), .min = -1, .max = 1.57, .def = "0.35",
     .help = "how far below the horizon it looks"},
    {.key = "reset_offset_m", .type = OPTION_DOUBLE, .offset = AT(reset_offset_m), .min = 0, .max = 100, .def = "0.1",
     .help = "a reset puts the car anywhere along the road, beside the centre line by up to this"},
    {.key = "reset_angle_rad", .type = OPTION_DOUBLE, .offset = AT(reset_angle_rad), .min = 0, .max = 3.15, .def = "0.1",
     .help = "and turned against the road by up to this"},
    {.key = NULL},
};

/* clang-format on */

enum { WAY, OFFSET, ANGLE, SPEED, OFF, N_SENSORS };

static const struct world_sensor track_sensors[N_SENSORS] = {
    [WAY] = {"way", 1},     [OFFSET] = {"offset", 1}, [ANGLE] = {"angle", 1},
    [SPEED] = {"speed", 1}, [OFF] = {"off", 1},
};

struct track {
    struct track_config c;
    int steer, pedal, n; /* joints of the robot; pedal -1: none */
    int at[N_SENSORS];
    struct road *road;
    struct camera *camera; /* NULL: none */
};

/* Flat: copying it copies the world. */
struct track_state {
    double x, y, th; /* m, m, rad: of the rear axle */
    double v, d, p;  /* m/s, rad, -1 .. 1 */
    double way;      /* m */
    double off;      /* 1: off the road */
};

static int track_open(const void *config, const struct robot *robot, struct arena *mem,
                      void **ret_self, char *ret_why, int cap)
{
    const struct track_config *c = config;
    const struct picture_spec *p = &robot->picture;
    struct track *z = arena_take(mem, sizeof *z);
    *z = (struct track){.c = *c, .pedal = -1, .n = robot->n_joints};
    int rc = sense_joint("track", robot, c->steer, &z->steer, ret_why, cap);
    if (rc == 0 && c->pedal[0] != '\0') {
        rc = sense_joint("track", robot, c->pedal, &z->pedal, ret_why, cap);
    }
    rc = rc == 0 ? sense_extras("track", robot, track_sensors, N_SENSORS, z->at, ret_why, cap) : rc;
    if (rc == 0 && p->c > 1) {
        rc = why(ret_why, cap, -EINVAL,
                 "picture: sim track shows one byte a point, channels must be 1, not %d", p->c);
    }
    if (rc == 0 && c->width_m > c->radius_m) {
        rc = why(ret_why, cap, -EINVAL, "sim.width_m %g must be at most radius_m %g", c->width_m,
                 c->radius_m);
    }
    if (rc < 0) {
        return rc;
    }
    z->road = road_open(c->seed, c->radius_m, c->width_m, mem);
    z->camera = p->c == 1 ? camera_open(p->h, p->w, c->camera_m, c->camera_down_rad, mem) : NULL;
    *ret_self = z;
    return 0;
}

static size_t track_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct track_state);
}

static double clip(double x, double most)
{
    return fmax(-most, fmin(most, x));
}

static void track_reset(void *self, void *state, struct rng *rng)
{
    const struct track *z = self;
    const struct track_config *c = &z->c;
    struct track_state *s = state;
    const double along = rng_between(rng, 0.0, road_length_m(z->road));
    const double left = rng_between(rng, -c->reset_offset_m, c->reset_offset_m);
    *s = (struct track_state){.v = c->speed_m_s};
    road_point(z->road, along, left, &s->x, &s->y);
    s->th = road_find(z->road, s->x, s->y).heading_rad +
            rng_between(rng, -c->reset_angle_rad, c->reset_angle_rad);
}

/* A joint that is off stays where it is. */
static double asked(const struct command *cmd, int j, double now)
{
    return cmd->mode[j] == MODE_POSITION ? cmd->q[j] : now;
}

static void drive(const struct track *z, struct track_state *s, const struct command *cmd,
                  double dt_s)
{
    const struct track_config *c = &z->c;
    const double wheel = clip(asked(cmd, z->steer, s->d), c->steer_max_rad);
    s->d += clip(wheel - s->d, c->steer_rate_rad_s * dt_s);
    if (z->pedal >= 0) {
        s->p = clip(asked(cmd, z->pedal, s->p), 1.0);
        s->v = fmax(0.0, s->v + (c->acceleration_m_s2 * s->p - c->drag_hz * s->v) * dt_s);
    }
    const double turn = s->v * tan(s->d) / c->wheelbase_m * dt_s;
    s->x += s->v * cos(s->th + 0.5 * turn) * dt_s;
    s->y += s->v * sin(s->th + 0.5 * turn) * dt_s;
    s->th = remainder(s->th + turn, 2.0 * M_PI);
}

static void track_step(void *self, void *state, const struct command *cmd, double dt_s,
                       struct rng *rng)
{
    (void)rng;
    const struct track *z = self;
    struct track_state *s = state;
    if (s->off != 0.0) {
        return;
    }
    const double before = road_find(z->road, s->x, s->y).along_m;
    drive(z, s, cmd, dt_s);
    const struct road_place now = road_find(z->road, s->x, s->y);
    s->way += remainder(now.along_m - before, road_length_m(z->road));
    s->off = fabs(now.left_m) > 0.5 * z->c.width_m ? 1.0 : 0.0;
}

static void track_sense(void *self, const void *state, struct rng *noise, struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    struct track *z = self;
    const struct track_state *s = state;
    const struct road_place p = road_find(z->road, s->x, s->y);
    sense_begin(ret_sensed, z->n);
    ret_sensed->q[z->steer] = s->d;
    if (z->pedal >= 0) {
        ret_sensed->q[z->pedal] = s->p;
    }
    sense_put(ret_sensed, z->at[WAY], s->way);
    sense_put(ret_sensed, z->at[OFFSET], p.left_m);
    sense_put(ret_sensed, z->at[ANGLE], remainder(s->th - p.heading_rad, 2.0 * M_PI));
    sense_put(ret_sensed, z->at[SPEED], s->v);
    sense_put(ret_sensed, z->at[OFF], s->off);
    if (z->camera != NULL) {
        ret_sensed->frame = camera_look(z->camera, z->road, s->x, s->y, s->th);
    }
}

const struct sim sim_track = {
    .name = "track",
    .source = "Rajamani 2012, section 2.2: the kinematic bicycle",
    .options = track_options,
    .config_bytes = sizeof(struct track_config),
    .open = track_open,
    .state_bytes = track_state_bytes,
    .reset = track_reset,
    .step = track_step,
    .sense = track_sense,
};

/*
 * A course to try gaits on: body, safety filter and task of one configuration, ticked as the
 * control loop ticks them, without bytes. Goals reach the body as late as over the bus; sensors
 * have no noise.
 */
#pragma once

#include "daemon/config.h"
#include "daemon/gait.h"

struct course;

/*
 * Builds the course from c, which needs a body and a task with an odometer (travel_joint,
 * travel_radius_m). A trial is one second to get going and then `seconds` that count. Errors:
 * -EINVAL and one sentence.
 */
int course_open(struct course **ret_course, const struct config *c, double seconds,
                struct arena *mem, char *ret_why, int cap) BASAL_MUST_USE;

int course_n_act(const struct course *k);

/* What no gait can exceed on this body, m/s; NaN: the body does not say. */
double course_bound_m_s(const struct course *k);

/* One trial, from a reset body: for gait_find. course: struct course. */
void course_run(void *course, const struct gait *g, struct gait_result *ret_result);

/*
 * `basald --search-gait`: search gaits for the robot file's body and print speed, period and bound.
 * Returns an exit status. sets [n_sets]: overrides KEY=VALUE.
 */
struct course_spec {
    const char *config_path;
    const char *const *sets;
    int n_sets;
    uint64_t seed;
    bool json;
};

int course_search(const struct course_spec *spec);

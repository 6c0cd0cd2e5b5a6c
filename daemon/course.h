/*
 * A course to try gaits on: the whole daemon in lockstep with one configuration, so that a gait
 * goes through the same bytes, policy rate, interpolation, safety limits and return as a learned
 * policy. Every trial starts from the same world.
 */
#pragma once

#include "daemon/gait.h"
#include "daemon/house.h"

struct course;

/*
 * spec: an emulated plant on virtual time. The task needs an odometer (travel_joint,
 * travel_radius_m). A trial is one second to get going and then about `seconds`, in whole periods
 * of the gait, that count. Errors: -EINVAL and one sentence.
 */
int course_open(struct course **ret_course, const struct house_spec *spec, double seconds,
                char *ret_why, int cap) BASAL_MUST_USE;
void course_set_seconds(struct course *k, double seconds);
void course_close(struct course *k);

int course_n_act(const struct course *k);
double course_policy_rate_hz(const struct course *k);

/* What no gait can exceed on this body, m/s; NaN: the body does not say. */
double course_bound_m_s(const struct course *k);

/* What the robot file says. */
double course_best_known_m_s(const struct course *k);

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

#include "daemon/course.h"

#include "daemon/args.h"
#include "daemon/base/clock.h"
#include "daemon/json.h"

#include <math.h>
#include <stdio.h>

#define TRIAL_S  4.0
#define JUDGED_S 30.0 /* as long as a learned policy is judged */

static void print(const struct course *k, const struct course_spec *spec, const struct gait *g,
                  const struct gait_result *r, double wall_s)
{
    struct json_object *o = json_begin();
    json_int(o, "seed", (int64_t)spec->seed);
    json_number(o, "speed_m_s", r->speed_m_s);
    json_number(o, "return_per_s", r->return_per_s);
    json_number(o, "period_s", g->steps / course_policy_rate_hz(k));
    json_number(o, "bound_m_s", course_bound_m_s(k));
    for (int i = 0; i < g->n_act; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "action_%d", i);
        json_numbers(o, key, g->coef[i], GAIT_COEFS);
    }
    json_number(o, "wall_s", wall_s);
    json_print(o, stdout, spec->json);
}

/* The course, and how far the search has come. */
struct search {
    struct course *course;
    int trials, trials_all;
    double best_m_s;
};

static void run(void *self, const struct gait *g, struct gait_result *ret_result)
{
    struct search *z = self;
    course_run(z->course, g, ret_result);
    z->best_m_s = fmax(z->best_m_s, ret_result->speed_m_s);
    if (++z->trials % (z->trials_all / 20) == 0) {
        (void)fprintf(stderr, "gait: %d of %d trials, fastest %.4f m/s\n", z->trials, z->trials_all,
                      z->best_m_s);
    }
}

static void search(struct course *k, const struct course_spec *spec, struct arena *mem)
{
    static const struct clock wall = {0};
    const int64_t begun_ns = clock_now_ns(&wall);
    struct gait_search budget;
    struct gait gait;
    struct gait_result found;
    struct rng rng;
    rng_child(&rng, spec->seed, "gait");
    gait_search_defaults(&budget, course_policy_rate_hz(k));
    struct search z = {.course = k, .trials_all = gait_trials(&budget)};
    const struct gait_trial trial = {.run = run, .self = &z, .n_act = course_n_act(k)};
    gait_find(&budget, &trial, mem, &rng, &gait, &found);
    course_set_seconds(k, JUDGED_S);
    course_run(k, &gait, &found);
    print(k, spec, &gait, &found, (double)(clock_now_ns(&wall) - begun_ns) / (double)NS_PER_S);
}

int course_search(const struct course_spec *spec)
{
    const struct house_spec house = {.config_path = spec->config_path,
                                     .sets = spec->sets,
                                     .n_sets = spec->n_sets,
                                     .kind = PLANT_EMULATED,
                                     .virtual_clock = true,
                                     .replay_fd = -1};
    struct course *k = NULL;
    struct arena mem;
    char reason[WHY_CHARS] = "";
    if (arena_open(&mem, "course", (size_t)16 << 20) < 0) {
        return EXIT_OS;
    }
    const int rc = course_open(&k, &house, TRIAL_S, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)fprintf(stderr, "basald: %s\n", reason);
    } else {
        search(k, spec, &mem);
        course_close(k);
    }
    arena_close(&mem);
    return rc < 0 ? EXIT_CONFIG : 0;
}

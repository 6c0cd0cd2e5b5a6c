#include "daemon/course.h"

#include "daemon/args.h"
#include "daemon/base/clock.h"
#include "daemon/json.h"

#include <stdio.h>
#include <stdlib.h>

#define TRIAL_S 6.0

static void print(const struct course *k, const struct course_spec *spec, const struct gait *g,
                  const struct gait_result *r, double wall_s)
{
    struct json_object *o = json_begin();
    json_int(o, "seed", (int64_t)spec->seed);
    json_number(o, "speed_m_s", r->speed_m_s);
    json_number(o, "return_per_s", r->return_per_s);
    json_number(o, "period_s", g->period_s);
    json_number(o, "bound_m_s", course_bound_m_s(k));
    for (int i = 0; i < g->n_act; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "action_%d", i);
        json_numbers(o, key, g->coef[i], GAIT_COEFS);
    }
    json_number(o, "wall_s", wall_s);
    json_print(o, stdout, spec->json);
}

static int search(struct config *c, const struct course_spec *spec, struct arena *mem,
                  char *ret_why, int cap)
{
    struct course *k = NULL;
    struct gait_search budget;
    struct gait gait;
    struct gait_result found;
    struct rng rng;
    static const struct clock wall = {0};
    int rc = config_load(c, spec->config_path, spec->sets, spec->n_sets, mem, ret_why, cap);
    rc = rc < 0 ? rc : course_open(&k, c, TRIAL_S, mem, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    const int64_t begun_ns = clock_now_ns(&wall);
    rng_child(&rng, spec->seed, "gait");
    gait_search_defaults(&budget);
    gait_find(&budget, course_n_act(k), mem, &rng, course_run, k, &gait, &found);
    print(k, spec, &gait, &found, (double)(clock_now_ns(&wall) - begun_ns) / (double)NS_PER_S);
    return 0;
}

int course_search(const struct course_spec *spec)
{
    struct arena mem;
    char reason[WHY_CHARS] = "";
    struct config *c = calloc(1, sizeof *c);
    if (c == NULL || arena_open(&mem, "course", (size_t)16 << 20) < 0) {
        free(c);
        return EXIT_OS;
    }
    const int rc = search(c, spec, &mem, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)fprintf(stderr, "basald: %s\n", reason);
    }
    arena_close(&mem);
    free(c);
    return rc < 0 ? EXIT_CONFIG : 0;
}

#include "daemon/course.h"

#include "daemon/house.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WARM_S    1.0
#define TICKS_MAX 2000 /* until the robot runs */

struct course {
    struct house house;
    double seconds;
    int64_t periods; /* of the policy, of this trial so far */
    double earned;   /* reward since the course was opened */
    int64_t period_ns, planned_ns, from_ns;
    void *plant; /* the world as it was when the robot began to run */
    struct loop_state loop;
    struct task_state task;
    struct gait gait; /* on trial */
};

/* Time is counted in policy steps: the tick that an episode's end takes does not shift the gait. */
static void play(void *self, float *ret_act)
{
    struct course *k = self;
    gait_act(&k->gait, k->periods++, ret_act);
}

static void stand(void *self, float *ret_act)
{
    const struct course *k = self;
    memset(ret_act, 0, (size_t)k->house.loop.task.n_act * sizeof *ret_act);
}

static void tick(struct course *k)
{
    struct shared *s = k->house.shared;
    struct record record;
    struct reply reply;
    struct happened h;
    const int64_t steps = k->house.loop.task.st.episode_steps;
    loop_tick(&k->house.loop, k->planned_ns, 0, 0);
    k->earned += k->house.loop.task.st.episode_steps > steps ? k->house.loop.st.reward : 0.0;
    k->planned_ns += k->period_ns;
    while (ring_pop(&s->telemetry, &record)) {
    }
    while (ring_pop(&s->replies, &reply)) {
    }
    while (ring_pop(&s->happened, &h)) {
    }
}

static void ask(struct course *k, enum request_kind kind, uint32_t flags)
{
    const struct request q = {.id = 1, .kind = kind, .flags = flags};
    (void)ring_push(&k->house.shared->requests, &q);
}

/* Arm, run, and remember the world at the first period. */
static int get_ready(struct course *k, char *ret_why, int cap)
{
    struct loop *l = &k->house.loop;
    l->script = stand;
    l->script_self = k;
    for (int i = 0; i < TICKS_MAX && !l->st.open; i++) {
        if (l->st.fsm.state == STATE_LIMP && plant_ready(k->house.plant)) {
            ask(k, REQUEST_ARM, 0);
        } else if (l->st.fsm.state == STATE_READY && l->st.fsm.ceiling >= 1.0) {
            ask(k, REQUEST_RUN, RUN_NO_LEARN | RUN_RANDOM);
        }
        tick(k);
    }
    if (!l->st.open) {
        return why(ret_why, cap, -EINVAL, "the simulated robot does not come to run: %s",
                   plant_why(k->house.plant));
    }
    k->plant = malloc(plant_state_bytes(k->house.plant));
    if (k->plant == NULL) {
        return -ENOMEM;
    }
    plant_save(k->house.plant, k->plant);
    k->loop = l->st;
    k->task = l->task.st;
    k->from_ns = k->planned_ns;
    l->script = play;
    return 0;
}

int course_open(struct course **ret_course, const struct house_spec *spec, double seconds,
                char *ret_why, int cap)
{
    struct course *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return -ENOMEM;
    }
    k->seconds = seconds;
    int rc = house_open(&k->house, spec, ret_why, cap);
    if (rc == 0) {
        k->period_ns = llround(k->house.loop.dt_s * (double)NS_PER_S);
        rc = k->house.loop.odometer >= 0
                 ? get_ready(k, ret_why, cap)
                 : why(ret_why, cap, -EINVAL, "the task has no odometer: set task.travel_joint");
    }
    if (rc < 0) {
        course_close(k);
        return rc;
    }
    *ret_course = k;
    return 0;
}

void course_set_seconds(struct course *k, double seconds)
{
    k->seconds = seconds;
}

void course_close(struct course *k)
{
    if (k != NULL) {
        house_close(&k->house);
        free(k->plant);
        free(k);
    }
}

int course_n_act(const struct course *k)
{
    return k->house.loop.task.n_act;
}

double course_bound_m_s(const struct course *k)
{
    return plant_speed_bound_m_s(k->house.plant);
}

double course_best_known_m_s(const struct course *k)
{
    return k->house.config.best_known_speed_m_s;
}

double course_policy_rate_hz(const struct course *k)
{
    return k->house.config.robot.policy_rate_hz;
}

static double way_m(struct course *k)
{
    struct sensed truth;
    (void)plant_truth(k->house.plant, &truth);
    return truth.q[k->house.loop.odometer] * k->house.config.task.settings.travel_radius_m;
}

static void run_for(struct course *k, double seconds)
{
    const int64_t n = llround(seconds / k->house.loop.dt_s);
    for (int64_t i = 0; i < n; i++) {
        tick(k);
    }
}

void course_run(void *course, const struct gait *g, struct gait_result *ret_result)
{
    struct course *k = course;
    struct loop *l = &k->house.loop;
    plant_restore(k->house.plant, k->plant);
    l->st = k->loop;
    l->task.st = k->task;
    k->planned_ns = k->from_ns;
    k->earned = 0.0;
    k->periods = 0;
    k->gait = *g;
    /* whole periods only: a stroke more than its return would look like speed */
    const double period_s = g->steps / course_policy_rate_hz(k);
    const double seconds = fmax(1.0, floor(k->seconds / period_s + 0.5)) * period_s;
    run_for(k, WARM_S);
    const double from_m = way_m(k), from_return = k->earned;
    run_for(k, seconds);
    *ret_result = (struct gait_result){
        .return_per_s = (k->earned - from_return) / seconds,
        .speed_m_s = (way_m(k) - from_m) / seconds,
    };
    if (l->st.fsm.state != STATE_RUNNING) {
        ret_result->return_per_s = -1e6; /* tripped: no gait at all */
    }
}

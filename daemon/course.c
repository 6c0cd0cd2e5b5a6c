#include "daemon/course.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct course {
    const struct config *config;
    struct task task;
    struct safety safety;
    void *body, *state;
    double seconds;
    int ticks, warm_ticks, substeps, delay_substeps;
    double substep_s;
};

int course_open(struct course **ret_course, const struct config *c, double seconds,
                struct arena *mem, char *ret_why, int cap)
{
    if (c->sim == NULL || c->task.settings.travel_joint[0] == '\0' ||
        c->task.settings.travel_radius_m <= 0.0) {
        return why(ret_why, cap, -EINVAL,
                   "a gait search needs sim.kind, task.travel_joint and task.travel_radius_m in "
                   "the robot file");
    }
    struct course *k = arena_take(mem, sizeof *k);
    *k = (struct course){.config = c, .seconds = seconds};
    int rc = task_open(&k->task, &c->task, &c->robot, ret_why, cap);
    rc = rc < 0 ? rc : safety_init(&k->safety, &c->robot, &c->safety, ret_why, cap);
    rc = rc < 0 ? rc : c->sim->open(c->sim_config, &c->robot, mem, &k->body, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    if (k->task.n_act > GAIT_ACT_MAX) {
        return why(ret_why, cap, -EINVAL, "a gait search moves at most %d joints", GAIT_ACT_MAX);
    }
    k->state = arena_take(mem, c->sim->state_bytes(k->body));
    const struct bus_spec *bus = &c->robot.bus[0];
    const int delay_us =
        bus->write_phase_us > 0 ? bus->write_phase_us : bus->reply_deadline_us + 200;
    const int substep_us = c->sim_settings.substep_us > 0 ? c->sim_settings.substep_us : 1000;
    k->substep_s = 1e-6 * substep_us;
    k->substeps = (int)lround(1e6 / c->robot.control_rate_hz / substep_us);
    k->delay_substeps = c->robot.n_buses > 0 ? (delay_us + substep_us - 1) / substep_us : 0;
    k->warm_ticks = (int)lround(c->robot.control_rate_hz);
    k->ticks = k->warm_ticks + (int)lround(seconds * c->robot.control_rate_hz);
    *ret_course = k;
    return 0;
}

int course_n_act(const struct course *k)
{
    return k->task.n_act;
}

double course_bound_m_s(const struct course *k)
{
    const struct sim *sim = k->config->sim;
    return sim->speed_bound_m_s != NULL ? sim->speed_bound_m_s(k->body) : (double)NAN;
}

static void advance(struct course *k, const struct command *cmd, int n)
{
    for (int i = 0; i < n; i++) {
        k->config->sim->step(k->body, k->state, cmd, k->substep_s, NULL);
    }
}

static void begin(struct course *k, struct sensed *ret_sensed, struct command *ret_cmd)
{
    const struct sim *sim = k->config->sim;
    memset(&k->task.st, 0, sizeof k->task.st);
    safety_forget(&k->safety);
    sim->reset(k->body, k->state, NULL);
    sim->sense(k->body, k->state, NULL, ret_sensed);
    *ret_cmd = (struct command){.n = ret_sensed->n};
    memcpy(ret_cmd->q, ret_sensed->q, sizeof ret_cmd->q);
    task_begin(&k->task, ret_sensed);
}

/* The tick of the control loop, with nothing between filter and body but the bus's delay. */
static double tick(struct course *k, const struct gait *g, int t, struct sensed *s,
                   struct command *cmd, float *act)
{
    const int n = k->task.ticks_per_period;
    const struct command before = *cmd;
    double earned = 0.0;
    k->config->sim->sense(k->body, k->state, NULL, s);
    if (t > 0) {
        task_tick(&k->task, s, 1.0 / k->config->robot.control_rate_hz);
    }
    safety_watch(&k->safety, s, ~UINT64_C(0));
    if (t % n == 0) {
        float applied[ACT_MAX];
        task_unactuate(&k->task, cmd, applied);
        task_remember(&k->task, applied, cmd);
        earned = t > 0 ? task_period(&k->task, s) : 0.0;
        gait_act(g, t / k->config->robot.control_rate_hz, act);
    }
    task_actuate(&k->task, act, t % n, cmd);
    safety_filter(&k->safety, s, cmd);
    advance(k, &before, k->delay_substeps);
    advance(k, cmd, k->substeps - k->delay_substeps);
    return earned;
}

void course_run(void *course, const struct gait *g, struct gait_result *ret_result)
{
    struct course *k = course;
    struct sensed s;
    struct command cmd;
    float act[ACT_MAX] = {0};
    double earned = 0.0, from = 0.0;
    begin(k, &s, &cmd);
    for (int t = 0; t <= k->ticks; t++) {
        const double e = tick(k, g, t, &s, &cmd, act);
        earned += e;
        if (t == k->warm_ticks) {
            from = s.q[k->task.travel_joint];
            earned = 0.0;
        }
    }
    const double way_m =
        (s.q[k->task.travel_joint] - from) * k->config->task.settings.travel_radius_m;
    *ret_result =
        (struct gait_result){.return_per_s = earned / k->seconds, .speed_m_s = way_m / k->seconds};
}

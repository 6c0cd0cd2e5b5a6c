/* What the daemon is doing: for people, for scripts, as an exit code. */
#include "daemon/ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Basald__V1__Reply *ask(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text("status");
    Basald__V1__Reply *r = ctl_ask(c, &q);
    if (r != NULL && (r->status == NULL || r->status->last == NULL)) {
        (void)fprintf(stderr, "basalctl: basald answers something else; is it the same version?\n");
        ctl_free(r);
        return NULL;
    }
    return r;
}

static void put_floats(struct json_object *o, const char *key, const float *v, size_t n)
{
    double d[64];
    for (size_t i = 0; i < n && i < 64; i++) {
        d[i] = (double)v[i];
    }
    json_numbers(o, key, d, (int)(n < 64 ? n : 64));
}

static struct json_object *joints(const Basald__V1__Telemetry *t)
{
    struct json_object *all = json_begin();
    for (size_t j = 0; j < t->n_joint_name; j++) {
        struct json_object *o = json_begin();
        json_number(o, "position_rad", (double)t->position_rad[j]);
        json_number(o, "velocity_rad_s", (double)t->velocity_rad_s[j]);
        json_number(o, "effort_nm", (double)t->effort_nm[j]);
        json_number(o, "temperature_c", (double)t->temperature_c[j]);
        json_number(o, "voltage_v", (double)t->voltage_v[j]);
        json_text(o, "torque", t->torque[j] == 2 ? "on" : t->torque[j] == 1 ? "off" : "unknown");
        json_int(o, "faults", (int64_t)t->faults[j]);
        json_int(o, "misses", (int64_t)t->misses[j]);
        json_text(o, "rule", t->rule[j]);
        json_child(all, t->joint_name[j], o);
    }
    return all;
}

static struct json_object *build(const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    struct json_object *o = json_begin();
    json_text(o, "version", s->version);
    json_text(o, "robot", s->robot);
    json_text(o, "run_id", s->run_id);
    json_text(o, "state", s->state);
    json_text(o, "why", s->why);
    json_text(o, "realtime", s->realtime);
    json_number(o, "uptime_s", s->uptime_s);
    json_bool(o, "devices", s->plant_ready != 0);
    json_int(o, "tick", (int64_t)t->tick);
    json_int(o, "step", t->step);
    json_int(o, "episode", t->episode);
    json_number(o, "speed_m_s", t->speed_m_s);
    json_number(o, "best_known_speed_m_s", s->best_known_speed_m_s);
    json_text(o, "driven_by", t->source);
    json_text(o, "algo", s->algo);
    json_bool(o, "learner_paused", s->learner_paused != 0);
    json_int(o, "updates", (int64_t)s->updates);
    json_number(o, "updates_per_s", s->updates_per_s);
    json_int(o, "weights_version", t->weights_version);
    json_int(o, "weights_refused", (int64_t)s->weights_refused);
    json_int(o, "replay_rows", (int64_t)s->replay_rows);
    json_number(o, "wake_p50_us", s->wake_p50_us);
    json_number(o, "wake_p99_us", s->wake_p99_us);
    json_number(o, "wake_max_us", s->wake_max_us);
    json_int(o, "overruns", (int64_t)t->overruns);
    json_int(o, "coasted", (int64_t)t->coasted);
    json_int(o, "crc_errors", (int64_t)t->crc_errors);
    json_int(o, "reconnects", (int64_t)t->reconnects);
    json_int(o, "garbage", (int64_t)s->garbage);
    json_int(o, "page_faults", (int64_t)s->page_faults);
    json_text(o, "checkpoint", s->checkpoint);
    put_floats(o, "action", t->action, t->n_action);
    json_child(o, "joints", joints(t));
    for (size_t i = 0; i < s->n_stat && i < s->n_stat_name; i++) {
        json_number(o, s->stat_name[i], s->stat[i]);
    }
    return o;
}

int ctl_status(struct ctl *c)
{
    Basald__V1__Reply *r = ask(c);
    if (r == NULL) {
        return EXIT_NOT_RUNNING;
    }
    json_print(build(r->status), stdout, c->json);
    ctl_free(r);
    return 0;
}

/* 0: the robot could do its work; 1: it cannot, and why; 3: nobody is there. */
int ctl_health(struct ctl *c)
{
    Basald__V1__Reply *r = ask(c);
    if (r == NULL) {
        return EXIT_NOT_RUNNING;
    }
    const Basald__V1__Status *s = r->status;
    const bool latched = strcmp(s->state, "fault") == 0 || strcmp(s->state, "estop") == 0;
    const bool healthy = !latched && s->plant_ready;
    const char *reason = healthy ? "" : latched ? s->why : s->why[0] != '\0' ? s->why : "the devices are not there";
    if (c->json) {
        struct json_object *o = json_begin();
        json_bool(o, "healthy", healthy);
        json_text(o, "state", s->state);
        json_text(o, "why", reason);
        json_text(o, "realtime", s->realtime);
        json_print(o, stdout, true);
    } else {
        (void)printf("%s: %s%s%s\n", healthy ? "healthy" : "unhealthy", s->state, reason[0] != '\0' ? ": " : "", reason);
    }
    ctl_free(r);
    return healthy ? 0 : EXIT_FAILURE;
}

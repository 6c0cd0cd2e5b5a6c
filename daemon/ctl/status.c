/* What the daemon is doing: for people, for scripts, as an exit status. */
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/view.h"

#include "daemon/safety.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STANDS_STILL_S 2.0 /* no tick for so long: the loop is not alive */

static void put_floats(struct json_object *o, const char *key, const float *v, size_t n)
{
    double d[64];
    n = n < 64 ? n : 64;
    for (size_t i = 0; i < n; i++) {
        d[i] = (double)v[i];
    }
    json_numbers(o, key, d, (int)n);
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

/* Where a tick's time goes. */
static struct json_object *phases(const Basald__V1__Status *s)
{
    struct json_object *all = json_begin();
    const size_t n = s->n_phase_name;
    for (size_t i = 0;
         i < n && s->n_phase_p50_us == n && s->n_phase_p99_us == n && s->n_phase_max_us == n; i++) {
        struct json_object *o = json_begin();
        json_number(o, "p50_us", s->phase_p50_us[i]);
        json_number(o, "p99_us", s->phase_p99_us[i]);
        json_number(o, "max_us", s->phase_max_us[i]);
        json_child(all, s->phase_name[i], o);
    }
    return all;
}

static struct json_object *can_buses(const Basald__V1__Telemetry *t)
{
    struct json_object *all = json_begin();
    for (size_t i = 0; i < view_can_buses(t); i++) {
        struct json_object *o = json_begin();
        json_int(o, "frames_tx", (int64_t)t->can_frames_tx[i]);
        json_int(o, "frames_rx", (int64_t)t->can_frames_rx[i]);
        json_int(o, "dropped", (int64_t)t->can_dropped[i]);
        json_int(o, "tx_full", (int64_t)t->can_tx_full[i]);
        json_int(o, "rx_full", (int64_t)t->can_rx_full[i]);
        json_int(o, "bus_off", (int64_t)t->can_bus_off[i]);
        json_int(o, "restarted", (int64_t)t->can_restarted[i]);
        json_int(o, "no_ack", (int64_t)t->can_no_ack[i]);
        json_int(o, "passive", (int64_t)t->can_passive[i]);
        json_int(o, "warning", (int64_t)t->can_warning[i]);
        json_int(o, "damaged", (int64_t)t->can_damaged[i]);
        json_int(o, "tx_errors", (int64_t)t->can_tx_errors[i]);
        json_int(o, "rx_errors", (int64_t)t->can_rx_errors[i]);
        json_number(o, "load_min_percent", t->can_load_min_percent[i]);
        json_number(o, "load_max_percent", t->can_load_max_percent[i]);
        json_child(all, t->can_name[i], o);
    }
    return all;
}

static void put_loop(struct json_object *o, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    json_number(o, "loop_rate_hz", s->loop_rate_hz);
    json_number(o, "control_rate_hz", s->control_rate_hz);
    json_number(o, "wake_p50_us", s->wake_p50_us);
    json_number(o, "wake_p99_us", s->wake_p99_us);
    json_number(o, "wake_p999_us", s->wake_p999_us);
    json_number(o, "wake_max_us", s->wake_max_us);
    json_number(o, "tick_p50_us", s->tick_p50_us);
    json_number(o, "tick_p99_us", s->tick_p99_us);
    json_number(o, "tick_p999_us", s->tick_p999_us);
    json_number(o, "tick_max_us", s->tick_max_us);
    json_child(o, "phases", phases(s));
    json_int(o, "overruns", (int64_t)t->overruns);
    json_int(o, "page_faults", (int64_t)s->page_faults);
    json_int(o, "context_switches", (int64_t)s->context_switches);
    json_int(o, "coasted", (int64_t)t->coasted);
    json_int(o, "crc_errors", (int64_t)t->crc_errors);
    json_int(o, "bytes_tx", (int64_t)t->bytes_tx);
    json_int(o, "bytes_rx", (int64_t)t->bytes_rx);
    json_int(o, "reconnects", (int64_t)t->reconnects);
    if (view_can_buses(t) > 0) {
        json_child(o, "can", can_buses(t));
    }
    json_int(o, "garbage", (int64_t)s->garbage);
    json_int(o, "telemetry_dropped", (int64_t)s->telemetry_dropped);
    json_int(o, "events_dropped", (int64_t)s->events_dropped);
}

static void put_learner(struct json_object *o, const Basald__V1__Status *s)
{
    json_text(o, "algo", s->algo);
    json_bool(o, "learner_paused", s->learner_paused != 0);
    json_int(o, "updates", (int64_t)s->updates);
    json_number(o, "updates_per_s", s->updates_per_s);
    json_int(o, "weights_version", s->last->weights_version);
    json_text(o, "weights_run_id", s->weights_run_id);
    json_int(o, "weights_published", (int64_t)s->weights_published);
    json_int(o, "weights_accepted", (int64_t)s->weights_accepted);
    json_int(o, "weights_refused", (int64_t)s->weights_refused);
    json_text(o, "weights_why", s->weights_why);
    json_int(o, "replay_rows", (int64_t)s->replay_rows);
    json_int(o, "prior_rows", (int64_t)s->prior_rows);
    json_text(o, "checkpoint", s->checkpoint);
}

struct json_object *ctl_status_json(const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    struct json_object *o = json_begin();
    json_text(o, "version", s->version);
    json_text(o, "robot", s->robot);
    json_text(o, "run_id", s->run_id);
    json_text(o, "state", s->state);
    json_text(o, "latch", t->latch);
    json_text(o, "cause", t->cause);
    json_text(o, "why", s->why);
    json_text(o, "realtime", s->realtime);
    json_number(o, "uptime_s", s->uptime_s);
    json_bool(o, "devices", s->plant_ready != 0);
    json_int(o, "tick", (int64_t)t->tick);
    json_int(o, "step", t->step);
    json_int(o, "episode", t->episode);
    json_int(o, "successes", (int64_t)s->successes);
    json_number(o, "episode_return", t->episode_return);
    json_numbers(o, "episode_returns", s->episode_return, (int)s->n_episode_return);
    json_number(o, "speed_m_s", s->has_odometer ? t->speed_m_s : (double)NAN);
    json_number(o, "best_known_speed_m_s", s->best_known_speed_m_s);
    json_text(o, "driven_by", t->source);
    put_learner(o, s);
    put_loop(o, s);
    put_floats(o, "action", t->action, t->n_action);
    json_child(o, "joints", joints(t));
    for (size_t i = 0; i < s->n_stat && i < s->n_stat_name; i++) {
        json_number(o, s->stat_name[i], s->stat[i]);
    }
    return o;
}

int ctl_status(struct ctl *c)
{
    int status = 0;
    Basald__V1__Reply *r = ctl_ask_status(c, &status);
    if (r != NULL && c->json) {
        json_print(ctl_status_json(r->status), stdout, true);
    } else if (r != NULL) {
        const Basald__V1__Status *s = r->status;
        view_head(stdout, s, false);
        view_learning(stdout, s);
        (void)printf("%-9s%s\n", "saved", s->checkpoint[0] != '\0' ? s->checkpoint : "-");
        view_machine(stdout, s);
        view_joints(stdout, s);
        view_stats(stdout, s);
    }
    ctl_free(r);
    return status;
}

/* A joint whose device complains: it would be refused to arm. */
static bool joint_complains(const Basald__V1__Telemetry *t, char *ret_text, size_t n)
{
    char words[SAFETY_FAULT_CHARS];
    for (size_t j = 0; j < t->n_joint_name; j++) {
        if ((t->faults[j] & ~(uint32_t)FAULTS_OF_SILENCE) != 0) {
            (void)snprintf(ret_text, n, "joint %s: fault: %s", t->joint_name[j],
                           safety_fault_words(t->faults[j], words, sizeof words));
            return true;
        }
    }
    return false;
}

/* What keeps the robot from doing its work; "": nothing. */
static void complain(const Basald__V1__Status *s, char *ret_text, size_t n)
{
    struct timespec now;
    const char *text = "";
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if ((double)now.tv_sec - s->last->timestamp > STANDS_STILL_S) {
        text = "the control loop stands still; look at journalctl -u basald";
    } else if (view_latched(s)) {
        text = s->why[0] != '\0' ? s->why : "latched: basalctl clear";
    } else if (!s->plant_ready) {
        text = s->why[0] != '\0' ? s->why : "its devices are not there";
    } else if (joint_complains(s->last, ret_text, n)) {
        return;
    }
    (void)snprintf(ret_text, n, "%s", text);
}

int ctl_health(struct ctl *c)
{
    int status = 0;
    Basald__V1__Reply *r = ctl_ask_status(c, &status);
    if (r == NULL) {
        return status;
    }
    const Basald__V1__Status *s = r->status;
    char reason[512];
    complain(s, reason, sizeof reason);
    const bool healthy = reason[0] == '\0';
    if (c->json) {
        struct json_object *o = json_begin();
        json_bool(o, "healthy", healthy);
        json_text(o, "state", s->state);
        json_text(o, "why", reason);
        json_text(o, "realtime", s->realtime);
        json_print(o, stdout, true);
    } else if (healthy) {
        (void)printf("healthy: %s\n", s->state);
    } else {
        (void)printf("unhealthy: %s: %s\n", s->state, reason);
    }
    status = healthy ? 0 : EXIT_FAILURE;
    ctl_free(r);
    return status;
}

/* Installed, and running where one runs. */
int ctl_version(struct ctl *c)
{
    int status = 0;
    char path[320];
    (void)snprintf(path, sizeof path, "%s/command", c->runtime_dir);
    Basald__V1__Reply *r = access(path, W_OK) == 0 ? ctl_ask_status(c, &status) : NULL;
    if (c->json) {
        struct json_object *o = json_begin();
        json_text(o, "installed", BASALD_VERSION);
        json_text(o, "running", r != NULL ? r->status->version : "");
        json_print(o, stdout, true);
    } else {
        (void)printf("basalctl %s\n", BASALD_VERSION);
        if (r != NULL) {
            (void)printf("basald %s runs at %s\n", r->status->version, c->runtime_dir);
        }
    }
    ctl_free(r);
    return 0;
}

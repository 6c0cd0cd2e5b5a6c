/* basalctl doctor: what is the matter with the buses of a robot file. Moves nothing. */
#include "daemon/ctl/doctor.h"

#include "daemon/ctl/robotfile.h"
#include "daemon/realtime.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define CONFIG "/etc/basald/basald.yaml" /* of basald.service, and its folder */
#define FOLDER "/var/lib/basald"

void doctor_found(const struct robot *r, int i, struct bus_facts *b, int id, int rate,
                  const struct identity *who)
{
    const int bus_rate = b->can ? r->bus[i].bitrate : r->bus[i].baud;
    for (int j = 0; j < r->n_joints; j++) {
        if (r->joint[j].bus == i && r->joint[j].id == id) {
            struct device_facts *d = &b->device[j];
            const bool known = d->id.known && rate == bus_rate;
            const bool fits = r->joint[j].model == 0 || r->joint[j].model == who->model;
            if (known || (!d->id.known && fits)) {
                d->rate = rate != bus_rate ? rate : d->rate;
                return;
            }
        }
    }
    if (b->n_others < DOCTOR_OTHERS) {
        b->other[b->n_others++] = (struct other_facts){.id = id, .rate = rate, .who = *who};
    }
}

static void look_at_bus(const struct robot *r, int i, bool fix, struct findings *f)
{
    struct bus_facts *b = calloc(1, sizeof *b);
    if (b == NULL) {
        finding_add(f, FINDING_FAULT, r->bus[i].name, "out of memory");
        return;
    }
    b->latency_ms = -1;
    for (int j = 0; j < JOINTS_MAX; j++) {
        b->device[j].delay_us = -1;
    }
    b->can = can_driver_find(r->bus[i].driver) != NULL;
    if (b->can) {
        doctor_look_can(r, i, fix, b);
    } else {
        doctor_look_serial(r, i, fix, b);
    }
    doctor_bus(r, i, b, f);
    free(b);
}

static void look_at_host(const struct control_settings *c, struct findings *f)
{
    struct host_facts h = {.folder = FOLDER, .free_bytes = (double)NAN};
    struct realtime_state rt;
    struct statvfs v;
    if (statvfs(FOLDER, &v) == 0) {
        h.free_bytes = (double)v.f_bavail * (double)v.f_frsize;
    }
    h.realtime = realtime_enter(&rt, c, h.realtime_text, (int)sizeof h.realtime_text) == 0 &&
                 (c->realtime == REALTIME_OFF || strncmp(h.realtime_text, "yes", 3) == 0);
    realtime_leave(&rt);
    doctor_host(&h, f);
}

static void print(const struct findings *f, bool as_json)
{
    for (int i = 0; i < f->n; i++) {
        const struct finding *x = &f->at[i];
        if (as_json) {
            struct json_object *o = json_begin();
            json_text(o, "level", finding_level_name(x->level));
            json_text(o, "where", x->where);
            json_text(o, "text", x->text);
            json_print(o, stdout, true);
        } else {
            (void)printf("%-5s  %s: %s\n", finding_level_name(x->level), x->where, x->text);
        }
    }
}

static int examine(struct ctl *c, const struct config *config)
{
    struct findings *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return exit_no_memory("basalctl");
    }
    for (int i = 0; i < config->robot.n_buses; i++) {
        look_at_bus(&config->robot, i, c->fix, f);
    }
    doctor_ranges(&config->robot, &config->safety, f);
    look_at_host(&config->control, f);
    print(f, c->json);
    const int status = findings_worst(f) == FINDING_FAULT ? EXIT_FAILURE : 0;
    free(f);
    return status;
}

int ctl_doctor(struct ctl *c)
{
    return ctl_on_config(c, c->config != NULL ? c->config : CONFIG, examine);
}

#include "daemon/doctor.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define LATENCY_MS_MAX 1
#define SPACE_LEAST    (256.0 * 1024 * 1024) /* a checkpoint with its replay may take that */
#define SPACE_LITTLE   (2.0 * 1024 * 1024 * 1024)

void finding_add(struct findings *f, enum finding_level level, const char *where,
                 const char *format, ...)
{
    va_list args;
    if (f->n == FINDINGS_MAX) {
        return;
    }
    struct finding *x = &f->at[f->n++];
    x->level = level;
    (void)snprintf(x->where, sizeof x->where, "%s", where);
    va_start(args, format);
    (void)vsnprintf(x->text, sizeof x->text, format, args);
    va_end(args);
}

static enum finding_level worst_from(const struct findings *f, int first)
{
    enum finding_level worst = FINDING_OK;
    for (int i = first; i < f->n; i++) {
        worst = f->at[i].level > worst ? f->at[i].level : worst;
    }
    return worst;
}

enum finding_level findings_worst(const struct findings *f)
{
    return worst_from(f, 0);
}

const char *finding_level_name(enum finding_level level)
{
    static const char *const names[] = {"ok", "note", "fault"};
    return names[level];
}

bool doctor_may_ask(const struct bus_facts *b)
{
    return b->error == 0 && b->heard == 0;
}

/* "model 1060 (XL430-W250)" */
static const char *model_text(const struct bus_facts *b, int model, char *ret_text, size_t cap)
{
    if (b->model_name != NULL) {
        (void)snprintf(ret_text, cap, "model %d (%s)", model, b->model_name(model));
    } else {
        (void)snprintf(ret_text, cap, "model %d", model);
    }
    return ret_text;
}

/* --- the bus itself --- */

static void judge_port(const char *where, const struct bus_facts *b, struct findings *f)
{
    if (b->error == -EBUSY && b->holders[0] != '\0') {
        finding_add(f, FINDING_FAULT, where, "its device is held by %s: stop it first", b->holders);
    } else if (b->error != 0) {
        finding_add(f, FINDING_FAULT, where, "%s", b->why);
    } else if (b->holders[0] != '\0') {
        finding_add(f, FINDING_FAULT, where,
                    "%s has its device open too: two writers garble each other; stop it",
                    b->holders);
    }
    if (b->error == 0 && b->note[0] != '\0') {
        finding_add(f, FINDING_NOTE, where, "%s", b->note);
    }
    if (b->latency_ms > LATENCY_MS_MAX) {
        finding_add(f, FINDING_FAULT, where,
                    "its USB adapter holds short answers back for %d ms, %d is the most that fits "
                    "a tick: write %d into its latency_timer (doctor --fix does, "
                    "60-basald.rules for ever)",
                    b->latency_ms, LATENCY_MS_MAX, LATENCY_MS_MAX);
    } else if (b->latency_set) {
        finding_add(f, FINDING_OK, where, "fixed: its USB adapter's latency timer is %d ms now",
                    b->latency_ms);
    }
}

static void judge_traffic(const char *where, const struct bus_facts *b, struct findings *f)
{
    if (b->heard > 0) {
        finding_add(f, FINDING_FAULT, where,
                    "%d %s came in %d ms in which nothing was asked: another host speaks on this "
                    "bus, or it is noisy; stop the other, check the cable; nothing was asked here",
                    b->heard, b->can ? "frames" : "bytes", b->silent_ms);
    }
    if (b->error_frames > 0) {
        finding_add(f, FINDING_FAULT, where, "%d error frames: %s; both ends want 120 ohm",
                    b->error_frames, b->error_why);
    }
}

/* --- the devices --- */

/* Is there another joint that has what this one should have, and the other way round? Its index,
 * or -1. */
static int swapped_with(const struct robot *r, const struct bus_facts *b, int j)
{
    const struct device_facts *d = b->device;
    for (int k = 0; k < r->n_joints; k++) {
        if (k != j && r->joint[k].bus == r->joint[j].bus && d[k].id.known &&
            r->joint[k].model != 0 && r->joint[k].model != r->joint[j].model &&
            d[j].id.model == r->joint[k].model && d[k].id.model == r->joint[j].model) {
            return k;
        }
    }
    return -1;
}

/* The same of serial numbers. */
static int has_serial_of(const struct robot *r, const struct bus_facts *b, int j)
{
    const struct device_facts *d = b->device;
    for (int k = 0; k < r->n_joints; k++) {
        if (k != j && r->joint[k].bus == r->joint[j].bus && d[k].id.known &&
            d[j].id.serial == (uint32_t)r->joint[k].serial &&
            d[k].id.serial == (uint32_t)r->joint[j].serial) {
            return k;
        }
    }
    return -1;
}

static void judge_model(const struct robot *r, const struct bus_facts *b, int j, const char *where,
                        struct findings *f)
{
    const struct joint_spec *s = &r->joint[j];
    const struct identity *id = &b->device[j].id;
    char found[64], wanted[64];
    if (id->known && s->model != 0 && id->model != s->model) {
        const int k = swapped_with(r, b, j);
        (void)model_text(b, id->model, found, sizeof found);
        (void)model_text(b, s->model, wanted, sizeof wanted);
        if (k > j) {
            finding_add(f, FINDING_FAULT, where,
                        "it and joint %s are swapped: id %d is %s, id %d is %s; exchange the two "
                        "ids, in the robot file or in the devices",
                        r->joint[k].name, s->id, found, r->joint[k].id, wanted);
        } else if (k < 0) {
            finding_add(f, FINDING_FAULT, where,
                        "id %d is %s, the robot file says %s: check the wiring and the ids, or "
                        "correct joints.model",
                        s->id, found, wanted);
        }
    }
    if (id->known && s->serial != 0 && id->serial != (uint32_t)s->serial) {
        const int k = has_serial_of(r, b, j);
        if (k > j) {
            finding_add(f, FINDING_FAULT, where,
                        "it and joint %s are swapped: each has the serial number of the other; "
                        "exchange the two ids in the devices, or calibrate anew",
                        r->joint[k].name);
        } else if (k < 0) {
            finding_add(f, FINDING_FAULT, where,
                        "serial number %u answers, %u is wanted: put its own device back, or "
                        "calibrate anew",
                        (unsigned)id->serial, (unsigned)s->serial);
        }
    }
    if (id->known && id->firmware >= 0 && id->firmware < s->firmware_min) { /* -1: not told */
        finding_add(f, FINDING_FAULT, where,
                    "firmware %d, at least %d is wanted: update it with the maker's tool",
                    id->firmware, s->firmware_min);
    }
    if (id->known && s->actuated && id->silence == SILENCE_KEEPS_GOING &&
        !r->bus[s->bus].accept_no_device_watchdog) {
        finding_add(f, FINDING_FAULT, where,
                    "with this model and firmware it goes on moving when the bus is silent: update "
                    "its firmware, or set accept_no_device_watchdog: true on the bus");
    }
}

static void judge_settings(const struct device_facts *d, const char *where, struct findings *f)
{
    if (d->error != 0 && d->cleared) {
        finding_add(f, FINDING_OK, where, "fixed: its error (%s) was cleared", d->error_text);
    } else if (d->error != 0) {
        finding_add(f, FINDING_FAULT, where,
                    "error 0x%02x is latched (%s): remove the cause, then %s", (unsigned)d->error,
                    d->error_text,
                    !d->clears  ? "cycle its power"
                    : d->torque ? "switch its torque off (basald --make-safe) and clear it with "
                                  "doctor --fix, or cycle its power"
                                : "clear it with doctor --fix, or cycle its power");
    }
    if (d->mute) {
        finding_add(f, FINDING_NOTE, where,
                    "it answers a ping but no read (its status return level): basald sets that at "
                    "its start");
    }
    if (d->delay_us >= 0 && d->delay_us != d->delay_wanted_us) {
        finding_add(f, FINDING_NOTE, where,
                    "it waits %d us before each answer, the robot file says %d: basald writes that "
                    "at its start",
                    d->delay_us, d->delay_wanted_us);
    }
}

/* Somebody with an id of no joint, who may be the one that is missing. */
static const struct other_facts *maybe(const struct robot *r, const struct bus_facts *b, int j)
{
    const struct other_facts *found = NULL;
    int n = 0;
    for (int i = 0; i < b->n_others; i++) {
        if (r->joint[j].model == 0 || b->other[i].who.model == r->joint[j].model) {
            found = &b->other[i];
            n++;
        }
    }
    return n == 1 ? found : NULL;
}

/* How a device comes to its joint's settings: the end of a sentence. */
static const char *bring(const struct bus_facts *b, const char *joint, int id, int rate,
                         char *ret_text, size_t cap)
{
    if (b->can) {
        (void)snprintf(ret_text, cap, "with the maker's tool");
    } else {
        (void)snprintf(ret_text, cap, "with basalctl setup-motor --id %d --baud %d %s", id, rate,
                       joint);
    }
    return ret_text;
}

static void judge_silent(const struct robot *r, int j, const struct bus_facts *b, const char *where,
                         struct findings *f)
{
    const struct joint_spec *s = &r->joint[j];
    const struct device_facts *d = &b->device[j];
    const struct other_facts *o = maybe(r, b, j);
    char how[96];
    if (d->damaged > 0) {
        finding_add(f, FINDING_FAULT, where,
                    "id %d answers what cannot be read: two devices of one id, another rate or a "
                    "bad cable; connect one at a time and look with basalctl scan",
                    s->id);
    } else if (d->rate > 0) {
        finding_add(f, FINDING_FAULT, where,
                    "id %d answers at %d bit/s, the robot file says another rate: correct it, or "
                    "bring the device to it %s",
                    s->id, d->rate, bring(b, s->name, s->id, d->rate, how, sizeof how));
    } else if (o != NULL) {
        finding_add(f, FINDING_FAULT, where,
                    "nobody answers to id %d, but id %d at %d bit/s belongs to no joint: correct "
                    "joints.id, or bring it to that id %s",
                    s->id, o->id, o->rate, bring(b, s->name, o->id, o->rate, how, sizeof how));
    } else {
        finding_add(f, FINDING_FAULT, where,
                    "nobody answers to id %d: check its power, cable and id (basalctl scan)",
                    s->id);
    }
}

static void judge_device(const struct robot *r, int j, const struct bus_facts *b,
                         struct findings *f)
{
    const struct joint_spec *s = &r->joint[j];
    const struct device_facts *d = &b->device[j];
    char where[2 * NAME_CHARS];
    (void)snprintf(where, sizeof where, "joint %s", s->name);
    if (d->answers == 0 && !d->mute) {
        judge_silent(r, j, b, where, f);
        return;
    }
    /* one late answer counts with the next question, never beyond the number of questions */
    if (d->asked > 0 && 2 * d->answers >= 3 * d->asked) {
        finding_add(f, FINDING_FAULT, where,
                    "%d answers to %d questions: two devices have id %d; connect one at a time and "
                    "give one another id (basalctl setup-motor)",
                    d->answers, d->asked, s->id);
    } else if (d->asked - d->answers > 1 && !d->mute) {
        finding_add(f, FINDING_FAULT, where,
                    "%d of %d answers came whole, with %d damaged bytes: two devices of id %d, a "
                    "bad cable or connector, or a supply that sags",
                    d->answers, d->asked, d->damaged, s->id);
    } else if ((d->answers < d->asked || d->damaged > 0) && !d->mute) {
        finding_add(f, FINDING_NOTE, where,
                    "%d of %d answers came whole and in time, with %d damaged bytes beside them",
                    d->answers, d->asked, d->damaged);
    }
    judge_model(r, b, j, where, f);
    judge_settings(d, where, f);
}

static void judge_others(const struct robot *r, const struct bus_facts *b, const char *where, int i,
                         struct findings *f)
{
    for (int k = 0; k < b->n_others; k++) {
        const struct other_facts *o = &b->other[k];
        bool told = false;
        char model[64];
        for (int j = 0; j < r->n_joints; j++) {
            told = told ||
                   (r->joint[j].bus == i && b->device[j].answers == 0 &&
                    b->device[j].damaged == 0 && b->device[j].rate == 0 && maybe(r, b, j) == o);
        }
        if (!told) {
            finding_add(f, FINDING_NOTE, where, "id %d at %d bit/s, %s, belongs to no joint", o->id,
                        o->rate, model_text(b, o->who.model, model, sizeof model));
        }
    }
}

/* One cause, and not one finding a joint: all are silent, or all answer at one other rate. True:
 * said. */
static bool judge_all(const struct robot *r, int i, const struct bus_facts *b, const char *where,
                      struct findings *f)
{
    int joints = 0, rate = 0;
    bool alike = b->n_others == 0;
    for (int j = 0; j < r->n_joints && alike; j++) {
        const struct device_facts *d = &b->device[j];
        if (r->joint[j].bus == i) {
            alike =
                d->answers == 0 && d->damaged == 0 && !d->mute && (joints == 0 || d->rate == rate);
            rate = d->rate;
            joints++;
        }
    }
    if (!alike || joints < 2) {
        return false;
    }
    if (rate > 0) {
        finding_add(f, FINDING_FAULT, where,
                    "its %d devices answer at %d bit/s, the robot file says %d: correct its %s",
                    joints, rate, b->can ? r->bus[i].bitrate : r->bus[i].baud,
                    b->can ? "bitrate" : "baud");
    } else {
        finding_add(f, FINDING_FAULT, where,
                    "none of its %d devices answers, at any rate: check their power, the cable and "
                    "bus.device",
                    joints);
    }
    return true;
}

void doctor_bus(const struct robot *r, int i, const struct bus_facts *b, struct findings *f)
{
    const struct bus_spec *s = &r->bus[i];
    char where[2 * NAME_CHARS];
    const int before = f->n;
    int joints = 0, answer = 0;
    (void)snprintf(where, sizeof where, "bus %s", s->name);
    judge_port(where, b, f);
    judge_traffic(where, b, f);
    if (!doctor_may_ask(b)) {
        return;
    }
    if (b->cannot_ask) {
        finding_add(f, FINDING_NOTE, where,
                    "%s devices answer nothing but commands: none was asked, basald finds them at "
                    "its start",
                    s->driver);
        return;
    }
    if (judge_all(r, i, b, where, f)) {
        return;
    }
    for (int j = 0; j < r->n_joints; j++) {
        if (r->joint[j].bus == i) {
            judge_device(r, j, b, f);
            answer += b->device[j].answers > 0 || b->device[j].mute;
            joints++;
        }
    }
    judge_others(r, b, where, i, f);
    if (worst_from(f, before) == FINDING_OK) {
        finding_add(f, FINDING_OK, where, "%d of %d devices answer at %d bit/s as configured",
                    answer, joints, b->can ? s->bitrate : s->baud);
    }
}

void doctor_ranges(const struct robot *r, const struct safety_settings *s, struct findings *f)
{
    const bool asked = s->ranges == RANGES_FOUND && r->n_buses > 0;
    for (int j = 0; j < r->n_joints && asked; j++) {
        const struct joint_spec *p = &r->joint[j];
        char where[2 * NAME_CHARS];
        if (p->actuated && !p->range_found) {
            (void)snprintf(where, sizeof where, "joint %s", p->name);
            finding_add(f, FINDING_NOTE, where,
                        "its range was not found on this robot, so it is not armed: basalctl "
                        "calibrate if its zero is not right, then find-limits");
        }
    }
}

void doctor_host(const struct host_facts *h, struct findings *f)
{
    static const char where[] = "this machine";
    if (h->free_bytes < SPACE_LEAST) {
        finding_add(f, FINDING_FAULT, where,
                    "%.0f MB are free in %s, at least %.0f are wanted for checkpoints: make room",
                    h->free_bytes / 1e6, h->folder, SPACE_LEAST / 1e6);
    } else if (h->free_bytes < SPACE_LITTLE) {
        finding_add(f, FINDING_NOTE, where, "%.0f MB are free in %s: runs soon fill them",
                    h->free_bytes / 1e6, h->folder);
    } else if (isfinite(h->free_bytes)) {
        finding_add(f, FINDING_OK, where, "%.1f GB are free in %s", h->free_bytes / 1e9, h->folder);
    }
    finding_add(f, h->realtime ? FINDING_OK : FINDING_NOTE, where, "real time for this user: %s",
                h->realtime_text);
}

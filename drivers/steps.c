/*
 * The machine that walks the lists. Between an answer and the next request the line stays quiet for
 * the time of one more answer, and what arrives then is thrown away: a reply that comes twice would
 * else be taken for the next one, since neither carries the register it is about.
 */
#include "drivers/steps.h"

#include "daemon/base/clock.h"
#include "drivers/position.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define ANSWER_NS (16 * NS_PER_MS) /* an adapter may hold a short answer back for this long */
#define PAUSE_NS  (8 * NS_PER_MS)  /* after a missed answer, which may still come */
#define BOOT_NS   NS_PER_S         /* a servo that starts anew is silent for 0.3 to 1 s */
#define TRIES     4

/* Quiet between two exchanges: an answer to a read of four bytes, and a bit. */
#define QUIET_BYTES 16
#define QUIET_US    100

/* Where in a step: setup.stage = step x PARTS + part. */
enum part { PART_ASK, PART_HEAR, PART_WRITE, PART_HEAR_WRITE, PARTS };

static int joint_of(const struct setup *s)
{
    return s->bus->joint[s->joint];
}

static int id_of(const struct setup *s)
{
    return s->bus->robot->joint[joint_of(s)].id;
}

static void go(struct setup *s, enum part part)
{
    s->stage = s->stage / PARTS * PARTS + (int)part;
}

static void next_step(struct setup *s)
{
    s->differed = false;
    s->stage = (s->stage / PARTS + 1) * PARTS;
    s->tries = 0;
}

static void next_joint(struct setup *s)
{
    s->joint++;
    s->differed = false;
    s->stage = 0;
    s->tries = 0;
}

/* The set-up has failed. A disarm still goes on to the other joints. */
static void give_up(struct setup *s, const char *what, const char *do_this)
{
    const struct joint_spec *j = &s->bus->robot->joint[joint_of(s)];
    (void)why(s->why, (int)sizeof s->why, 0, "joint %s (id %d on bus %s): %s; %s", j->name, j->id,
              s->bus->spec->name, what, do_this);
    s->failed = true;
    if (s->goal == SETUP_DISARM) {
        next_joint(s);
    } else {
        s->state = SETUP_FAILED;
    }
}

static void check_identity(const struct servo_protocol *p, struct setup *s, const struct answer *a)
{
    const int joint = joint_of(s);
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    struct identity *id = &s->bus->id[joint];
    char text[120];
    p->identify(j, a->data, id);
    id->known = true;
    if (j->model != 0 && j->model != id->model) {
        (void)snprintf(text, sizeof text, "model %d answers, the robot file says %d", id->model,
                       j->model);
        give_up(s, text, "check the wiring and the ids, or correct joints.model");
        return;
    }
    if (id->firmware < j->firmware_min) {
        (void)snprintf(text, sizeof text, "firmware %d, at least %d is wanted", id->firmware,
                       j->firmware_min);
        give_up(s, text, "update it with the maker's tool");
        return;
    }
    const double low = position_range(j, false), high = position_range(j, true);
    if (j->actuated && !(low >= 0.0 && high < POSITION_PER_TURN)) {
        (void)snprintf(text, sizeof text,
                       "its range is %.0f to %.0f counts of the servo, one turn has 0 to %d", low,
                       high, POSITION_PER_TURN - 1);
        give_up(s, text, "correct zero_rad, gear, q_min_rad or q_max_rad");
        return;
    }
    p->begin(s->bus, joint);
    next_step(s);
}

/* The pose to hold: as read, or the end of the range that it rests a little outside of. */
static void check_pose(struct setup *s, int32_t counts)
{
    const int joint = joint_of(s);
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    const double q = position_rad(j, (double)counts);
    const double room = fmax(s->bus->robot->rest_outside_rad, POSITION_RAD_PER_COUNT);
    if (q < j->q_min - room || q > j->q_max + room) {
        char text[96];
        (void)snprintf(text, sizeof text, "at %.3f rad, outside its range %.3f to %.3f", q,
                       j->q_min, j->q_max);
        give_up(s, text, "move it inside by hand, then arm again");
        return;
    }
    const int32_t low = position_limit(j, false), high = position_limit(j, true);
    s->pose[joint] = counts < low ? low : counts > high ? high : counts;
    s->q[joint] = q;
    s->posed |= UINT64_C(1) << joint;
    next_step(s);
}

/* The bits that the step is about. */
static uint32_t bits_of(const struct step *step)
{
    return ~(uint32_t)step->others;
}

static void read_back(const struct servo_protocol *p, struct setup *s, const struct step *step,
                      uint32_t value)
{
    const int joint = joint_of(s);
    if (step->kind == STEP_NO_ERROR) {
        if (value != 0) {
            char text[80];
            (void)snprintf(text, sizeof text, "hardware error 0x%02x is latched", value);
            give_up(s, text, p->error_do);
            return;
        }
        next_step(s);
        return;
    }
    if (step->kind == STEP_POSE) {
        check_pose(s, p->counts(value));
        return;
    }
    if ((value & bits_of(step)) == p->value(s, joint, step->wanted)) {
        if (step->addr == p->torque && value == 0) {
            s->torque_off |= UINT64_C(1) << joint;
        }
        next_step(s);
        return;
    }
    s->differed = true;
    s->value = value;
    go(s, PART_WRITE);
}

static void hear_write(const struct servo_protocol *p, struct setup *s, const struct step *step,
                       const struct answer *a)
{
    if (a->verdict == VERDICT_AGAIN) {
        return; /* the request was damaged: it will be asked again */
    }
    if (a->verdict == VERDICT_REFUSED) {
        char text[96];
        (void)snprintf(text, sizeof text, "refuses %u in register %u with error %u",
                       (unsigned)p->value(s, joint_of(s), step->wanted), step->addr, a->error);
        give_up(s, text, "check the value and the model");
        return;
    }
    go(s, PART_ASK); /* read it back */
    s->tries++;
}

/* How many bytes the answer to the request under way carries; nothing else is one. */
static size_t answer_bytes(const struct servo_protocol *p, const struct setup *s,
                           const struct step *step)
{
    if (s->stage % PARTS == PART_HEAR_WRITE || step->kind == STEP_REBOOT) {
        return 0;
    }
    return step->kind == STEP_IDENTITY ? p->identity_bytes : step->size;
}

static uint32_t value_of(const struct answer *a)
{
    uint32_t value = 0;
    for (size_t i = 0; i < a->n && i < sizeof value; i++) {
        value |= (uint32_t)a->data[i] << 8 * i;
    }
    return value;
}

/* A status from the joint in question moves the machine on. */
static void hear(const struct servo_protocol *p, struct setup *s, const struct step *step,
                 const struct answer *a)
{
    if (!a->status || a->id != id_of(s) || a->n != answer_bytes(p, s, step)) {
        s->bus->bad_replies++;
    } else if (s->stage % PARTS == PART_HEAR_WRITE) {
        hear_write(p, s, step, a);
    } else if (step->kind == STEP_IDENTITY) {
        check_identity(p, s, a);
    } else if (step->kind != STEP_REBOOT) { /* of which only the silence counts */
        read_back(p, s, step, value_of(a));
    }
}

static int64_t quiet_ns(const struct setup *s)
{
    const int baud = s->bus->spec->baud;
    const int64_t answer_ns = baud > 0 ? 10 * NS_PER_S * QUIET_BYTES / baud : 0;
    return answer_ns + QUIET_US * NS_PER_US;
}

static void take_bytes(const struct servo_protocol *p, struct setup *s, const struct step *step,
                       int64_t now_ns, const uint8_t *rx, size_t n)
{
    const int joint = s->joint, stage = s->stage;
    while (s->used < n) {
        struct answer a;
        const int used = p->parse(rx + s->used, n - s->used, &a);
        if (used == 0) {
            return;
        }
        if (used < 0) {
            s->used++;
            s->bus->bytes_lost++;
            continue;
        }
        s->used += (size_t)used;
        hear(p, s, step, &a);
        if (s->joint != joint || s->stage != stage || s->state != SETUP_BUSY) {
            s->wake_ns = now_ns + quiet_ns(s);
            return;
        }
    }
}

/* Skip steps and joints that do not apply; NULL at the end of all. */
static const struct step *current(const struct servo_protocol *p, struct setup *s)
{
    while (s->state == SETUP_BUSY && s->joint < s->bus->n) {
        const struct step *step = p->step(s->goal, s->stage / PARTS);
        if (step == NULL) {
            next_joint(s);
        } else if (!p->applies(s->bus, joint_of(s), step)) {
            next_step(s);
        } else {
            return step;
        }
    }
    return NULL;
}

/* What a device does on a silent bus is known from its identity, and what it cannot do from its
 * list: nothing to ask. */
static const struct step *past_known(const struct servo_protocol *p, struct setup *s,
                                     const struct step *step)
{
    while (step != NULL && (step->kind == STEP_SILENCE || step->kind == STEP_UNABLE)) {
        const enum silence silence = s->bus->id[joint_of(s)].silence;
        const bool goes_on = silence == SILENCE_KEEPS_GOING || silence == SILENCE_NONE;
        if (step->kind == STEP_UNABLE) {
            give_up(s, p->unable_why, p->unable_do);
        } else if (goes_on && !s->bus->spec->accept_no_device_watchdog) {
            give_up(s, p->silence_why, p->silence_do);
        } else {
            next_step(s);
        }
        step = current(p, s);
    }
    return step;
}

static int request_read(const struct servo_protocol *p, struct setup *s, const struct step *step,
                        int64_t now_ns, uint8_t *ret_tx, size_t cap)
{
    const uint8_t id = (uint8_t)id_of(s);
    go(s, PART_HEAR);
    s->wake_ns = now_ns + (step->kind == STEP_REBOOT ? BOOT_NS : ANSWER_NS);
    if (step->kind == STEP_IDENTITY) {
        return p->ask_identity(id, ret_tx, cap);
    }
    return step->kind == STEP_REBOOT ? p->reboot(id, ret_tx, cap)
                                     : p->read(id, step->addr, step->size, ret_tx, cap);
}

static int request_write(const struct servo_protocol *p, struct setup *s, const struct step *step,
                         int64_t now_ns, uint8_t *ret_tx, size_t cap)
{
    const uint32_t kept = s->differed ? s->value & step->others : 0;
    const uint32_t value = kept | p->value(s, joint_of(s), step->wanted);
    s->written += step->addr < p->non_volatile_end;
    go(s, PART_HEAR_WRITE);
    s->wake_ns = now_ns + ANSWER_NS;
    return p->write((uint8_t)id_of(s), step->addr, value, step->size, ret_tx, cap);
}

/* No answer came. A servo at the least return level may not answer reads: it is told without being
 * asked. */
static void ask_again(const struct servo_protocol *p, struct setup *s, const struct step *step,
                      int64_t now_ns)
{
    const bool mute =
        p->mute_of_reads && step->addr == p->return_level && s->stage % PARTS == PART_HEAR;
    s->tries++;
    s->wake_ns = now_ns + PAUSE_NS;
    s->differed = false;
    go(s, mute ? PART_WRITE : PART_ASK);
}

static void out_of_tries(const struct servo_protocol *p, struct setup *s, const struct step *step)
{
    char text[96];
    const bool overloaded =
        s->sensed != NULL && (s->sensed->faults[joint_of(s)] & FAULT_OVERLOAD) != 0;
    if (s->differed) {
        (void)snprintf(text, sizeof text, "register %u stays %u although %u was written",
                       step->addr, (unsigned)s->value,
                       (unsigned)p->value(s, joint_of(s), step->wanted));
        give_up(s, text, "check for a latched error, then cycle its power");
    } else if (overloaded) {
        give_up(s, "it was overloaded and does not answer as it should",
                "remove the load, then cycle its power");
    } else {
        give_up(s,
                s->goal == SETUP_DISARM ? "torque off could not be read back"
                                        : "does not answer as it should",
                "check power, cable, id and baud rate (basalctl scan)");
    }
}

/* Its time has come: send, or see that nothing was heard. */
static int act(const struct servo_protocol *p, struct setup *s, const struct step *step,
               int64_t now_ns, uint8_t *ret_tx, size_t cap)
{
    const enum part part = (enum part)(s->stage % PARTS);
    if (step->kind == STEP_REBOOT && part == PART_HEAR) {
        next_step(s);
        return 0;
    }
    if (part == PART_HEAR || part == PART_HEAR_WRITE) {
        ask_again(p, s, step, now_ns);
        return 0;
    }
    if (s->tries >= TRIES) {
        out_of_tries(p, s, step);
        return 0;
    }
    if (part == PART_WRITE || (step->kind == STEP_PUT && s->tries == 0)) {
        return request_write(p, s, step, now_ns, ret_tx, cap);
    }
    return request_read(p, s, step, now_ns, ret_tx, cap);
}

int steps_setup(const struct servo_protocol *p, struct setup *s, int64_t now_ns, const uint8_t *rx,
                size_t n, uint8_t *ret_tx, size_t cap)
{
    if (s->state == SETUP_BUSY && s->bus->n > 0 && p->step(s->goal, 0) == NULL) {
        give_up(s, "keeps no zero of its own", "set joints.zero_rad");
    }
    const struct step *step = current(p, s);
    int part = s->stage % PARTS;
    s->used = 0;
    if (step != NULL && (part == PART_HEAR || part == PART_HEAR_WRITE)) {
        take_bytes(p, s, step, now_ns, rx, n);
    }
    step = past_known(p, s, current(p, s));
    if (s->state != SETUP_BUSY) {
        return 0;
    }
    if (step == NULL) {
        s->state = s->failed ? SETUP_FAILED : SETUP_DONE;
        return 0;
    }
    part = s->stage % PARTS;
    if (part == PART_ASK || part == PART_WRITE) { /* nothing is asked: nothing can be an answer */
        s->bus->bytes_lost += n - s->used;
        s->used = n;
    }
    return now_ns < s->wake_ns ? 0 : act(p, s, step, now_ns, ret_tx, cap);
}

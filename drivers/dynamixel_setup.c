/*
 * Set-up of all Dynamixels of a bus as a pure step machine: a list of steps per goal, joint by
 * joint. Between an answer and the next request the line stays quiet for the time of one more
 * answer, and what arrives then is thrown away: a reply that comes twice would else be taken for
 * the next one, since neither carries the register it is about.
 */
#include "drivers/dynamixel_steps.h"

#include "daemon/base/clock.h"
#include "drivers/joints.h"

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
    s->stage = (s->stage / PARTS + 1) * PARTS;
    s->tries = 0;
}

static void next_joint(struct setup *s)
{
    s->joint++;
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

static void check_identity(struct setup *s, const struct dxl_packet *p)
{
    const int joint = joint_of(s);
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    struct identity *id = &s->bus->id[joint];
    char text[120];
    id->model = dxl_get16(p->params);
    id->firmware = p->params[2];
    id->known = true;
    id->silence = dxl_silence(id->model, dxl_mode_of(j), id->firmware);
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
    const double low = dxl_range_counts(j, false), high = dxl_range_counts(j, true);
    if (j->actuated && !(low >= 0.0 && high < DXL_COUNTS_PER_TURN)) {
        (void)snprintf(text, sizeof text,
                       "its range is %.0f to %.0f counts of the servo, one turn has 0 to %d", low,
                       high, DXL_COUNTS_PER_TURN - 1);
        give_up(s, text, "correct zero_rad, gear, q_min_rad or q_max_rad");
        return;
    }
    struct dxl_joint *z = s->bus->state[joint];
    *z = (struct dxl_joint){.pwm_age = PWM_NEVER_SENT, .present = z->present};
    next_step(s);
}

/* The pose to hold: as read, or the end of the range that it rests a little outside of. */
static void check_pose(struct setup *s, int32_t counts)
{
    const int joint = joint_of(s);
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    const double q = joint_from_device(j, ((double)counts - DXL_COUNTS_MIDDLE) * DXL_RAD_PER_COUNT);
    const double room = fmax(s->bus->robot->rest_outside_rad, DXL_RAD_PER_COUNT);
    if (q < j->q_min - room || q > j->q_max + room) {
        char text[96];
        (void)snprintf(text, sizeof text, "at %.3f rad, outside its range %.3f to %.3f", q,
                       j->q_min, j->q_max);
        give_up(s, text, "move it inside by hand, then arm again");
        return;
    }
    const int32_t low = (int32_t)dxl_value(s->bus, joint, WANT_POSITION_MIN),
                  high = (int32_t)dxl_value(s->bus, joint, WANT_POSITION_MAX);
    struct dxl_joint *z = s->bus->state[joint];
    z->present = counts < low ? low : counts > high ? high : counts;
    s->q[joint] = q;
    s->posed |= UINT64_C(1) << joint;
    next_step(s);
}

static void read_back(struct setup *s, const struct step *step, uint32_t value)
{
    const int joint = joint_of(s);
    struct dxl_joint *z = s->bus->state[joint];
    if (step->kind == STEP_NO_ERROR) {
        if (value != 0) {
            char text[80];
            (void)snprintf(text, sizeof text, "hardware error 0x%02x is latched", value);
            give_up(s, text, "remove the cause, then reboot the servo or cycle its power");
            return;
        }
        next_step(s);
        return;
    }
    if (step->kind == STEP_POSE) {
        check_pose(s, (int32_t)value);
        return;
    }
    if (value == dxl_value(s->bus, joint, step->wanted)) {
        if (step->addr == DXL_TORQUE_ENABLE && value == 0) {
            s->torque_off |= UINT64_C(1) << joint;
        }
        next_step(s);
        return;
    }
    z->differed = true;
    z->value = value;
    go(s, PART_WRITE);
}

static void hear_write(struct setup *s, const struct step *step, const struct dxl_packet *p)
{
    if ((p->error & 0x7F) == DXL_ERR_CRC) {
        return; /* the request was damaged: it will be asked again */
    }
    if ((p->error & 0x7F) != 0) {
        char text[96];
        (void)snprintf(text, sizeof text, "refuses %u in register %u with error %u",
                       (unsigned)dxl_value(s->bus, joint_of(s), step->wanted), step->addr,
                       p->error & 0x7Fu);
        give_up(s, text, "check the value and the model");
        return;
    }
    go(s, PART_ASK); /* read it back */
    s->tries++;
}

/* How many bytes the answer to the request under way carries; nothing else is one. */
static size_t answer_bytes(const struct setup *s, const struct step *step)
{
    if (s->stage % PARTS == PART_HEAR_WRITE || step->kind == STEP_REBOOT) {
        return 0;
    }
    return step->kind == STEP_PING ? 3 : step->size;
}

/* A status from the joint in question moves the machine on. */
static void hear(struct setup *s, const struct step *step, const struct dxl_packet *p)
{
    if (p->instruction != DXL_STATUS || p->id != id_of(s) || p->n_params != answer_bytes(s, step)) {
        s->bus->bad_replies++;
    } else if (s->stage % PARTS == PART_HEAR_WRITE) {
        hear_write(s, step, p);
    } else if (step->kind == STEP_PING) {
        check_identity(s, p);
    } else if (step->kind != STEP_REBOOT) { /* of which only the silence counts */
        read_back(s, step,
                  step->size == 1   ? p->params[0]
                  : step->size == 2 ? dxl_get16(p->params)
                                    : dxl_get32(p->params));
    }
}

static int64_t quiet_ns(const struct setup *s)
{
    const int baud = s->bus->spec->baud;
    const int64_t answer_ns = baud > 0 ? 10 * NS_PER_S * QUIET_BYTES / baud : 0;
    return answer_ns + QUIET_US * NS_PER_US;
}

static void take_bytes(struct setup *s, const struct step *step, int64_t now_ns, const uint8_t *rx,
                       size_t n)
{
    const int joint = s->joint, stage = s->stage;
    while (s->used < n) {
        struct dxl_packet p;
        const int used = dxl_parse(rx + s->used, n - s->used, &p);
        if (used == 0) {
            return;
        }
        if (used < 0) {
            s->used++;
            s->bus->bytes_lost++;
            continue;
        }
        s->used += (size_t)used;
        hear(s, step, &p);
        if (s->joint != joint || s->stage != stage || s->state != SETUP_BUSY) {
            s->wake_ns = now_ns + quiet_ns(s);
            return;
        }
    }
}

/* Skip steps and joints that do not apply; NULL at the end of all. */
static const struct step *current(struct setup *s)
{
    while (s->state == SETUP_BUSY && s->joint < s->bus->n) {
        const struct step *step = dxl_step(s->goal, s->stage / PARTS);
        if (step == NULL) {
            next_joint(s);
        } else if (!dxl_applies(s->bus, joint_of(s), step)) {
            next_step(s);
        } else {
            return step;
        }
    }
    return NULL;
}

/* What a device does on a silent bus is known from its identity: nothing to ask. */
static const struct step *past_silence(struct setup *s, const struct step *step)
{
    while (step != NULL && step->kind == STEP_SILENCE) {
        const enum silence silence = s->bus->id[joint_of(s)].silence;
        const bool goes_on = silence == SILENCE_KEEPS_GOING || silence == SILENCE_NONE;
        if (goes_on && !s->bus->spec->accept_no_device_watchdog) {
            give_up(s, "goes on moving when the bus is silent, with this model and firmware",
                    "update its firmware, or set accept_no_device_watchdog: true on the bus");
        } else {
            next_step(s);
        }
        step = current(s);
    }
    return step;
}

static int request_read(struct setup *s, const struct step *step, int64_t now_ns, uint8_t *ret_tx,
                        size_t cap)
{
    const uint8_t id = (uint8_t)id_of(s);
    uint8_t params[4];
    go(s, PART_HEAR);
    s->wake_ns = now_ns + (step->kind == STEP_REBOOT ? BOOT_NS : ANSWER_NS);
    if (step->kind == STEP_PING || step->kind == STEP_REBOOT) {
        return dxl_build(id, step->kind == STEP_PING ? DXL_PING : DXL_REBOOT, NULL, 0, ret_tx, cap);
    }
    dxl_put16(params, step->addr);
    dxl_put16(params + 2, step->size);
    return dxl_build(id, DXL_READ, params, sizeof params, ret_tx, cap);
}

static int request_write(struct setup *s, const struct step *step, int64_t now_ns, uint8_t *ret_tx,
                         size_t cap)
{
    uint8_t params[6];
    dxl_put16(params, step->addr);
    dxl_put32(params + 2, dxl_value(s->bus, joint_of(s), step->wanted));
    s->written += step->addr < DXL_EEPROM_END;
    go(s, PART_HEAR_WRITE);
    s->wake_ns = now_ns + ANSWER_NS;
    return dxl_build((uint8_t)id_of(s), DXL_WRITE, params, 2u + step->size, ret_tx, cap);
}

/* No answer came. A servo at status level 0 does not answer reads: it is told without being asked.
 */
static void ask_again(struct setup *s, const struct step *step, int64_t now_ns)
{
    const bool mute = step->addr == DXL_STATUS_LEVEL && s->stage % PARTS == PART_HEAR;
    s->tries++;
    s->wake_ns = now_ns + PAUSE_NS;
    ((struct dxl_joint *)s->bus->state[joint_of(s)])->differed = false;
    go(s, mute ? PART_WRITE : PART_ASK);
}

static void out_of_tries(struct setup *s, const struct step *step)
{
    const struct dxl_joint *z = s->bus->state[joint_of(s)];
    char text[96];
    if (z->differed) {
        (void)snprintf(text, sizeof text, "register %u stays %u although %u was written",
                       step->addr, (unsigned)z->value,
                       (unsigned)dxl_value(s->bus, joint_of(s), step->wanted));
        give_up(s, text, "check for a latched error, then cycle its power");
        return;
    }
    give_up(s,
            s->goal == SETUP_DISARM ? "torque off could not be read back"
                                    : "does not answer as it should",
            "check power, cable, id and baud rate (basalctl scan)");
}

/* Its time has come: send, or see that nothing was heard. */
static int act(struct setup *s, const struct step *step, int64_t now_ns, uint8_t *ret_tx,
               size_t cap)
{
    const enum part part = (enum part)(s->stage % PARTS);
    if (step->kind == STEP_REBOOT && part == PART_HEAR) {
        next_step(s);
        return 0;
    }
    if (part == PART_HEAR || part == PART_HEAR_WRITE) {
        ask_again(s, step, now_ns);
        return 0;
    }
    if (s->tries >= TRIES) {
        out_of_tries(s, step);
        return 0;
    }
    if (part == PART_WRITE || (step->kind == STEP_PUT && s->tries == 0)) {
        return request_write(s, step, now_ns, ret_tx, cap);
    }
    return request_read(s, step, now_ns, ret_tx, cap);
}

int dxl_setup(struct setup *s, int64_t now_ns, const uint8_t *rx, size_t n, uint8_t *ret_tx,
              size_t cap)
{
    if (s->state == SETUP_BUSY && s->bus->n > 0 && dxl_step(s->goal, 0) == NULL) {
        give_up(s, "keeps no zero of its own", "set joints.zero_rad");
    }
    const struct step *step = current(s);
    int part = s->stage % PARTS;
    s->used = 0;
    if (step != NULL && (part == PART_HEAR || part == PART_HEAR_WRITE)) {
        take_bytes(s, step, now_ns, rx, n);
    }
    step = past_silence(s, current(s));
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
    return now_ns < s->wake_ns ? 0 : act(s, step, now_ns, ret_tx, cap);
}

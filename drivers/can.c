#include "drivers/can.h"

#include "drivers/can_look.h"
#include "drivers/joints.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void can_frame(const struct robot_bus *b, uint32_t id, const uint8_t *data, int n,
               struct canfd_frame *ret_frame)
{
    *ret_frame = (struct canfd_frame){.can_id = id, .len = (uint8_t)n};
    if (b->spec->data_bitrate > 0 && (id & CAN_RTR_FLAG) == 0) {
        ret_frame->flags = CANFD_FDF | CANFD_BRS;
    }
    if (data != NULL) {
        memcpy(ret_frame->data, data, (size_t)n);
    }
}

bool can_owed(struct robot_bus *b, int joint)
{
    const uint64_t bit = UINT64_C(1) << joint;
    const bool owed = (b->pending & bit) != 0;
    b->bad_replies += !owed;
    b->pending &= ~bit;
    return owed;
}

double can_watchdog_s(const struct robot_bus *b)
{
    const double periods_s = 3.0 / b->robot->control_rate_hz;
    const double retry_s = 2e-6 * b->spec->reply_deadline_us;
    return b->spec->watchdog_ms > 0 ? b->spec->watchdog_ms * 1e-3 : fmax(periods_s, retry_s);
}

enum silence can_silence(const struct silence_row *rows, int model, int mode, int firmware)
{
    for (const struct silence_row *r = rows; r->source != NULL; r++) {
        if ((r->model == 0 || r->model == model) && r->mode == mode &&
            (unsigned)firmware >= r->firmware_min && (unsigned)firmware <= r->firmware_max) {
            return r->silence;
        }
    }
    return SILENCE_NONE;
}

void can_look_begin(struct can_seen *ret_seen)
{
    for (int id = 0; id < CAN_LOOK_IDS; id++) {
        ret_seen[id] = (struct can_seen){.who = {.firmware = -1}, .error_text = ""};
    }
}

int can_joints(const struct robot *r, int bus)
{
    int n = 0;
    for (int j = 0; j < r->n_joints; j++) {
        n += r->joint[j].bus == bus;
    }
    return n;
}

enum can_heard can_give_up(struct setup *s, int joint, const char *what, const char *do_this)
{
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    if (!s->failed) {
        (void)why(s->why, (int)sizeof s->why, 0, "joint %s (id %d on bus %s): %s; %s", j->name,
                  j->id, s->bus->spec->name, what, do_this);
    }
    s->failed = true;
    if (s->goal != SETUP_DISARM) {
        s->state = SETUP_FAILED;
    }
    return HEARD_FAILED;
}

enum can_heard can_compare(struct can_joint *z, double value, double wanted)
{
    z->value = value;
    z->wanted = wanted;
    z->differed = !(value == wanted);
    return z->differed ? HEARD_DIFFERS : HEARD_YES;
}

enum can_heard can_identify(struct setup *s, int joint, const struct identity *id)
{
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    char text[96];
    s->bus->id[joint] = *id;
    s->bus->id[joint].known = true;
    if (j->model != 0 && j->model != id->model) {
        (void)snprintf(text, sizeof text, "model %d answers, the robot file says %d", id->model,
                       j->model);
        return can_give_up(s, joint, text, "check the wiring and the ids, or correct joints.model");
    }
    if (j->serial != 0 && (uint32_t)j->serial != id->serial) {
        (void)snprintf(text, sizeof text, "serial number %u answers, %u is wanted",
                       (unsigned)id->serial, (unsigned)j->serial);
        return can_give_up(s, joint, text, "put its own device back, or calibrate anew");
    }
    if (id->firmware < j->firmware_min) {
        (void)snprintf(text, sizeof text, "firmware %d, at least %d is wanted", id->firmware,
                       j->firmware_min);
        return can_give_up(s, joint, text, "update it with the maker's tool");
    }
    return HEARD_YES;
}

enum can_heard can_pose(struct setup *s, int joint, double device_rad)
{
    const struct joint_spec *j = &s->bus->robot->joint[joint];
    const double q = joint_from_device(j, device_rad), room = s->bus->robot->rest_outside_rad;
    if (!(q >= j->q_min - room && q <= j->q_max + room)) {
        char text[96];
        (void)snprintf(text, sizeof text, "at %.3f rad, outside its range %.3f to %.3f", q,
                       j->q_min, j->q_max);
        return can_give_up(s, joint, text, "move it inside by hand, then arm again");
    }
    s->q[joint] = q;
    s->posed |= UINT64_C(1) << joint;
    return HEARD_YES;
}

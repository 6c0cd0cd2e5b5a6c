#include "drivers/can_walk.h"

enum can_part can_part_of(const struct setup *s)
{
    return (enum can_part)(s->stage % CAN_PARTS);
}

bool can_waits(const struct setup *s)
{
    return can_part_of(s) == CAN_PART_HEAR || can_part_of(s) == CAN_PART_HEAR_WRITE;
}

bool can_wrote(const struct setup *s)
{
    return can_part_of(s) == CAN_PART_HEAR_WRITE;
}

void can_go(struct setup *s, enum can_part part)
{
    s->stage = s->stage / CAN_PARTS * CAN_PARTS + (int)part;
}

void can_next_step(struct setup *s)
{
    s->stage = (s->stage / CAN_PARTS + 1) * CAN_PARTS;
    s->tries = 0;
}

/* Steps of one joint come first in a run; then its steps of all, once. setup.joint is the place on
 * the bus, or bus.n among the steps of all. */
bool can_is_for_all(const struct can_step *step)
{
    return (step->flags & CAN_ALL) != 0;
}

bool can_applies(const struct can_steps *steps, const struct setup *s, int joint,
                 const struct can_step *step)
{
    const bool wanted = (step->flags & CAN_ACTUATED) == 0 || s->bus->robot->joint[joint].actuated;
    return wanted && (steps->applies == NULL || steps->applies(s->bus, joint, step));
}

static int first_of_run(const struct can_list *list, int at)
{
    while (at > 0 && !can_is_for_all(&list->step[at - 1])) {
        at--;
    }
    return at;
}

/* The end of one joint's steps: the next joint's, or the steps of all that follow. */
static void end_of_joint(struct setup *s, const struct can_list *list)
{
    const int at = s->stage / CAN_PARTS;
    s->joint++;
    s->tries = 0;
    if (s->joint < s->bus->n) {
        s->stage = first_of_run(list, at) * CAN_PARTS;
    }
}

/* No more of this joint's steps. */
void can_skip_joint(struct setup *s, const struct can_list *list)
{
    int at = s->stage / CAN_PARTS;
    while (at < list->n && !can_is_for_all(&list->step[at])) {
        at++;
    }
    s->stage = at * CAN_PARTS;
    s->tries = 0;
}

/* The step to do; NULL at the end of all. */
const struct can_step *can_current(const struct can_steps *steps, struct setup *s)
{
    const struct can_list *list = &steps->list[s->goal];
    while (s->state == SETUP_BUSY) {
        basal_assert(list->step != NULL); /* can_setup refuses what has no list */
        const int at = s->stage / CAN_PARTS;
        const struct can_step *step = at < list->n ? &list->step[at] : NULL;
        const bool all = s->joint == s->bus->n;
        if (!all && (step == NULL || can_is_for_all(step))) {
            end_of_joint(s, list);
            continue;
        }
        if (step == NULL) {
            return NULL;
        }
        if (all && !can_is_for_all(step)) {
            s->joint = 0; /* a new run of steps of one joint */
        } else if (!all && !can_applies(steps, s, s->bus->joint[s->joint], step)) {
            can_next_step(s);
        } else {
            return step;
        }
    }
    return NULL;
}

/* What a device does on a silent bus is known from its identity: nothing to ask. */
const struct can_step *can_past_silence(const struct can_steps *steps, struct setup *s)
{
    const struct can_step *step = can_current(steps, s);
    while (step != NULL && step->kind == CAN_SILENCE) {
        const int joint = s->bus->joint[s->joint];
        const enum silence silence = s->bus->id[joint].silence;
        const bool goes_on = silence == SILENCE_KEEPS_GOING || silence == SILENCE_NONE;
        if (goes_on && !s->bus->spec->accept_no_device_watchdog) {
            (void)can_give_up(s, joint, "goes on moving when the bus is silent, as far as is known",
                              "set the motor's own timeout and say so, or set "
                              "accept_no_device_watchdog: true on the bus");
        } else {
            can_next_step(s);
        }
        step = can_current(steps, s);
    }
    return step;
}

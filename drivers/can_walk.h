/* Where set-up is in a driver's lists: inside of can_setup.c. */
#pragma once

#include "drivers/can.h"

/* Where in a step: setup.stage = step x CAN_PARTS + part. */
enum can_part { CAN_PART_ASK, CAN_PART_HEAR, CAN_PART_WRITE, CAN_PART_HEAR_WRITE, CAN_PARTS };

enum can_part can_part_of(const struct setup *s) BASAL_RT;
bool can_waits(const struct setup *s) BASAL_RT;
void can_go(struct setup *s, enum can_part part) BASAL_RT;
void can_next_step(struct setup *s) BASAL_RT;
/*
 * Steps of one joint come first in a run; then its steps of all, once. setup.joint is the place on
 * the bus, or bus.n among the steps of all.
 */
bool can_is_for_all(const struct can_step *step) BASAL_RT;
bool can_applies(const struct can_steps *steps, const struct setup *s, int joint,
                 const struct can_step *step) BASAL_RT;
/* No more of this joint's steps. */
void can_skip_joint(struct setup *s, const struct can_list *list) BASAL_RT;
/* The step to do; NULL at the end of all. */
const struct can_step *can_current(const struct can_steps *steps, struct setup *s) BASAL_RT;
/* The same, what devices do on a silent bus being judged on the way. */
const struct can_step *can_past_silence(const struct can_steps *steps, struct setup *s) BASAL_RT;

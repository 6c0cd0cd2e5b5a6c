/*
 * Inside of the task: what the rows of task_slots.c and task_rewards.c are written with, option
 * rows that they share and which joints a term means; and what task_open.c calls. Where a row names
 * no joint it means all actuated joints, in order.
 */
#pragma once

#include "policies/task.h"

#define TERM(field) offsetof(struct term, field)

/* clang-format off */
#define OPTION_JOINT  {.key = "joint",  .type = OPTION_TEXT,   .offset = TERM(joint),  .n_max = NAME_CHARS, .def = "", \
                       .help = "name of the joint; none: all actuated joints"}
#define OPTION_ONE_JOINT {.key = "joint", .type = OPTION_TEXT, .offset = TERM(joint),  .n_max = NAME_CHARS, .def = NULL, \
                       .help = "name of the joint"}
#define OPTION_WHEEL  {.key = "joint",  .type = OPTION_TEXT,   .offset = TERM(joint),  .n_max = NAME_CHARS, .def = NULL, \
                       .help = "the odometer"}
#define OPTION_EXTRA  {.key = "extra",  .type = OPTION_TEXT,   .offset = TERM(extra),  .n_max = NAME_CHARS, .def = NULL, \
                       .help = "name of the sensor, of the list extra"}
#define OPTION_FIRST  {.key = "first",  .type = OPTION_INT,    .offset = TERM(first),  .min = 0, .max = EXTRA_MAX - 1, .def = "0", \
                       .help = "which of its numbers, from 0"}
#define OPTION_COUNT  {.key = "n",      .type = OPTION_INT,    .offset = TERM(n),      .min = 1, .max = EXTRA_MAX,     .def = "1", \
                       .help = "how many numbers from there on"}
#define OPTION_SCALE  {.key = "scale",  .type = OPTION_DOUBLE, .offset = TERM(scale),  .min = -1e6, .max = 1e6, .def = "1", \
                       .help = "the observed value is (x - offset) x scale"}
#define OPTION_OFFSET {.key = "offset", .type = OPTION_DOUBLE, .offset = TERM(offset), .min = -1e6, .max = 1e6, .def = "0", \
                       .help = "the observed value is (x - offset) x scale"}
#define OPTION_WEIGHT {.key = "weight", .type = OPTION_DOUBLE, .offset = TERM(weight), .min = -1e6, .max = 1e6, .def = NULL, \
                       .help = "factor of this term in the reward"}
#define OPTION_RADIUS {.key = "radius_m", .type = OPTION_DOUBLE, .offset = TERM(radius_m), .min = 1e-6, .max = 10, .def = NULL, \
                       .help = "radius of the wheel on that joint"}

/* clang-format on */

/* Within task_open: what is computed here, in task_sense.c. 0, or -EINVAL and one sentence. */
int task_open_sensors(struct task *t, char *ret_why, int cap) BASAL_MUST_USE;

/* How many joints a term means, and which: term_joint(t, a, 0) ... term_joint(t, a, n - 1). */
static inline int term_joints(const struct task *t, const struct term *a)
{
    return a->joint_index >= 0 ? 1 : t->n_act_joints;
}

static inline int term_joint(const struct task *t, const struct term *a, int i)
{
    return a->joint_index >= 0 ? a->joint_index : t->act_joint[i];
}

/*
 * MuJoCo's models, shared: worlds of one file read one mjModel. And its complaints, which neither
 * end the process nor write a file.
 */
#pragma once

#include "daemon/base/rt.h"

#include <mujoco/mujoco.h>

#include <stdbool.h>

/* The model of an MJCF file, loaded or already there; nobody writes to it. Errors: -EINVAL and one
 * sentence. */
int mujoco_model_take(const char *path, const mjModel **ret_model, char *ret_why,
                      int cap) BASAL_MUST_USE;
void mujoco_model_drop(const mjModel *model);

/* work(arg), which calls MuJoCo. False: it gave up, and why is in ret_why. */
bool mujoco_guarded(void (*work)(void *arg), void *arg, char *ret_why, int cap);

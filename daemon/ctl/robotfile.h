/* Verbs that need a robot file and no daemon. */
#pragma once

#include "daemon/config.h"
#include "daemon/ctl/ctl.h"

/* Load the file and run on it. Returns what run does, or an exit status, having said why. */
int ctl_on_config(struct ctl *c, const char *path, int (*run)(struct ctl *, const struct config *));

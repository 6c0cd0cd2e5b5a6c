/*
 * The option tables of everything that is no plug-in, and where each section's struct lies in
 * struct config.
 */
#pragma once

#include "daemon/config.h"

struct section {
    const char *name; /* "" : top level */
    const struct option *options;
    size_t offset; /* of the struct that the options' offsets start from, in struct config */
};

extern const struct section config_sections[];       /* .name = NULL at the end */
extern const struct option config_bus_options[];     /* into struct bus_spec */
extern const struct option config_can_options[];     /* ... where its driver is one of CAN */
extern const struct option config_joint_options[];   /* into struct joint_spec */
extern const struct option config_extra_options[];   /* into struct extra_spec */
extern const struct option config_link_options[];    /* into struct link_spec */
extern const struct option config_capsule_options[]; /* into struct capsule_spec */

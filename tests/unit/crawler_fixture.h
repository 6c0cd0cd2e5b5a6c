/* The crawler as it is shipped, emulated in process on virtual time: a house for tests to open. */
#pragma once

#include "daemon/house.h"

#define CRAWLER_YAML SOURCE_DIR "/deploy/robots/crawler.yaml"

static inline struct house_spec crawler_spec(const char *const *sets, int n_sets)
{
    return (struct house_spec){.config_path = CRAWLER_YAML,
                               .sets = sets,
                               .n_sets = n_sets,
                               .kind = PLANT_EMULATED,
                               .virtual_clock = true,
                               .seed = 1,
                               .replay_fd = -1};
}

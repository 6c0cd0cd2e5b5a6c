/* The crawler's body on three motors of can_double.h: the robot file, and its plant in lockstep. */
#pragma once

#include "tests/unit/plant_fixture.h"

#include "tests/unit/can_double.h"

#include <stdio.h>

#define TEXT_MAX 8192

/* The crawler's own file with another bus; what its driver alone knows is left out. */
static inline size_t can_robot(const char *device, const char *bus_keys, char *ret_text)
{
    static const char *const dropped[] = {
        "position_p:", "model:",  "firmware_min:", "baud:",
        "order:",      "driver:", "device:",       "watchdog_ms:"};
    char line[256];
    size_t n = 0;
    FILE *f = fopen(SOURCE_DIR "/deploy/robots/crawler.yaml", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        const char *key = line + strspn(line, " ");
        bool kept = true;
        for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++) {
            kept = kept && strncmp(key, dropped[i], strlen(dropped[i])) != 0;
        }
        if (kept) {
            n += (size_t)snprintf(ret_text + n, TEXT_MAX - n, "%s", line);
        }
        if (strncmp(key, "- name: servo", 13) == 0) {
            n += (size_t)snprintf(ret_text + n, TEXT_MAX - n,
                                  "    driver: double\n    device: %s\n%s", device, bus_keys);
        }
    }
    (void)fclose(f);
    assert_true(n < TEXT_MAX);
    return n;
}

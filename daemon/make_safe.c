#include "daemon/make_safe.h"

#include "daemon/args.h"
#include "daemon/base/log.h"
#include "daemon/plant.h"

#include <stdio.h>
#include <unistd.h>

#define BYTES   ((size_t)64 << 20)
#define STEP_US 5000
#define LIMIT_S 3

/* Bringing up ends with torque off, read back. */
static bool bring_up(struct plant *p, const struct config *c, struct reopen *reopen)
{
    static const struct clock mono = {0};
    const int64_t until_ns = clock_now_ns(&mono) + LIMIT_S * NS_PER_S;
    struct sensed sensed;
    uint64_t fresh;
    if (c->robot.n_buses == 0) {
        return true; /* a body without devices */
    }
    for (int64_t t_ns = clock_now_ns(&mono); t_ns < until_ns; t_ns = clock_now_ns(&mono)) {
        plant_service(p, t_ns, reopen);
        plant_read(p, t_ns, &sensed, &fresh);
        if (plant_do(p, PLANT_LISTEN) == EVENT_IDENTIFIED) {
            return true;
        }
        (void)usleep(STEP_US);
    }
    return false;
}

int make_safe(const char *config_path, const char *const *sets, int n_sets)
{
    static struct config config;
    struct reopen reopen[BUSES_MAX] = {0};
    struct clock mono = {0};
    struct arena mem;
    struct plant *plant = NULL;
    char reason[WHY_CHARS] = "";
    if (arena_open(&mem, "make safe", BYTES) < 0) {
        return EXIT_OS;
    }
    int rc = config_load(&config, config_path, sets, n_sets, &mem, reason, (int)sizeof reason);
    if (rc == 0) {
        const struct plant_spec plant_spec = {
            .config = &config, .kind = PLANT_DEVICES, .clock = &mono};
        rc = plant_open(&plant, &plant_spec, &mem, reason, (int)sizeof reason);
    }
    if (rc < 0) {
        log_line(LOG_LEVEL_ERR, "basald: %s", reason);
        arena_close(&mem);
        return EXIT_CONFIG;
    }
    const bool safe = bring_up(plant, &config, reopen);
    log_line(safe ? LOG_LEVEL_NOTE : LOG_LEVEL_ERR, "make safe: %s",
             safe                       ? "torque is off on every device, read back"
             : reopen[0].why[0] != '\0' ? reopen[0].why
                                        : plant_why(plant));
    plant_close(plant);
    arena_close(&mem);
    return safe ? 0 : EXIT_UNAVAILABLE;
}

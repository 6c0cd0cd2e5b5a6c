#include "daemon/make_safe.h"

#include "daemon/args.h"
#include "daemon/base/log.h"
#include "daemon/plant.h"

#include <stdio.h>
#include <unistd.h>

#define BYTES   ((size_t)64 << 20)
#define STEP_US 5000
#define LIMIT_S 3

/* Bringing up ends with torque off, read back; ret_sensed says of which joints. */
static bool bring_up(struct plant *p, const struct config *c, struct reopen *reopen,
                     struct sensed *ret_sensed)
{
    static const struct clock mono = {0};
    const int64_t until_ns = clock_now_ns(&mono) + LIMIT_S * NS_PER_S;
    uint64_t fresh;
    if (c->robot.n_buses == 0) {
        return true; /* a body without devices */
    }
    for (int64_t t_ns = clock_now_ns(&mono); t_ns < until_ns; t_ns = clock_now_ns(&mono)) {
        plant_service(p, t_ns, reopen);
        plant_read(p, t_ns, ret_sensed, &fresh);
        if (plant_do(p, PLANT_LISTEN) == EVENT_IDENTIFIED) {
            return true;
        }
        (void)usleep(STEP_US);
    }
    return false;
}

/* One line for each bus: what is the matter, and which of its joints may still have torque. */
static void say_bus(const struct plant *p, const struct robot *r, int i, const struct reopen *o,
                    const struct sensed *s)
{
    char joints[WHY_CHARS] = "";
    size_t n = 0;
    for (int j = 0; j < r->n_joints && n < sizeof joints; j++) {
        if (r->joint[j].bus == i && s->torque[j] != TORQUE_OFF) {
            n += (size_t)snprintf(joints + n, sizeof joints - n, "%s%s", n > 0 ? ", " : "",
                                  r->joint[j].name);
        }
    }
    const char *reason = o->why[0] != '\0' ? o->why : plant_bus_why(p, i);
    if (joints[0] == '\0') {
        log_line(LOG_LEVEL_NOTE, "make safe: bus %s: torque is off on every device, read back",
                 r->bus[i].name);
    } else if (reason[0] != '\0') {
        log_line(LOG_LEVEL_ERR, "make safe: %s; torque is not read back as off at: %s", reason,
                 joints);
    } else {
        log_line(LOG_LEVEL_ERR, "make safe: bus %s: torque is not read back as off at: %s",
                 r->bus[i].name, joints);
    }
}

int make_safe(const char *config_path, const char *const *sets, int n_sets)
{
    static struct config config;
    struct reopen reopen[BUSES_MAX] = {0};
    struct clock mono = {0};
    struct arena mem;
    struct sensed sensed = {0};
    struct plant *plant = NULL;
    char reason[WHY_CHARS] = "";
    if (arena_open(&mem, "make safe", BYTES) < 0) {
        return exit_no_memory("basald");
    }
    /* a damaged calibration does not keep torque on */
    int rc = config_load_bare(&config, config_path, sets, n_sets, &mem, reason, (int)sizeof reason);
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
    const bool safe = bring_up(plant, &config, reopen, &sensed);
    if (safe) {
        log_line(LOG_LEVEL_NOTE, "make safe: %s",
                 config.robot.direct ? "there are no devices"
                                     : "torque is off on every device, read back");
    }
    for (int i = 0; i < config.robot.n_buses && !safe; i++) {
        say_bus(plant, &config.robot, i, &reopen[i], &sensed);
    }
    plant_close(plant);
    arena_close(&mem);
    return safe ? 0 : EXIT_UNAVAILABLE;
}

/* A robot's buses: what contradicts what, and what does not fit into a tick. */
#include "daemon/config_yaml.h"

#include "daemon/bus_load.h"
#include "drivers/io/slcan_line.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define WRITE_AFTER_US   200   /* the reply deadline */
#define PIPELINED_HZ     200.0 /* from here on a tick is too short to read, act and then write */
#define WATCHDOG_PERIODS 3

/* Goals first, then what they are answered with, then act. */
static int check_pipelined(const struct walk *w, int i, const char *what)
{
    const struct config *c = w->config;
    const struct bus_spec *b = &c->robot.bus[i];
    const double period_us = 1e6 / c->robot.control_rate_hz;
    if (b->reply_deadline_us >= period_us) {
        return config_bad_at(w, &w->places->bus[i],
                             "%sreply_deadline_us %d does not fit the tick's %.0f us", what,
                             b->reply_deadline_us, period_us);
    }
    return c->safety.latency_s * 1e6 >= period_us
               ? 0
               : config_bad_at(w, &w->places->bus[i],
                               "%sin the pipelined order a command takes a period of %.0f us "
                               "to leave; safety.latency_s %g is less",
                               what, period_us, c->safety.latency_s);
}

/* Read, act, and write at a fixed phase of the same tick. */
static int check_same_tick(const struct walk *w, int i, const char *what)
{
    struct bus_spec *b = &w->config->robot.bus[i];
    const struct place *at = &w->places->bus[i];
    const double period_us = 1e6 / w->config->robot.control_rate_hz;
    if (b->write_phase_us == 0) {
        b->write_phase_us = b->reply_deadline_us + WRITE_AFTER_US;
    }
    if (b->write_phase_us < b->reply_deadline_us) {
        return config_bad_at(w, at, "%swrite_phase_us %d is before reply_deadline_us %d", what,
                             b->write_phase_us, b->reply_deadline_us);
    }
    if (b->write_phase_us >= period_us) {
        return config_bad_at(w, at, "%swrite_phase_us %d does not fit the tick's %.0f us", what,
                             b->write_phase_us, period_us);
    }
    return 0;
}

static int check_can(const struct walk *w, int i, const char *what)
{
    struct bus_spec *b = &w->config->robot.bus[i];
    const struct place *at = &w->places->bus[i];
    b->order = b->order == ORDER_BY_RATE ? ORDER_PIPELINED : b->order;
    if (b->order != ORDER_PIPELINED) {
        return config_bad_at(w, at,
                             "%sorder same_tick is not for CAN, where goals are what motors "
                             "answer: use pipelined",
                             what);
    }
    if (b->data_bitrate > 0 && b->data_bitrate < b->bitrate) {
        return config_bad_at(w, at, "%sdata_bitrate %d is less than bitrate %d", what,
                             b->data_bitrate, b->bitrate);
    }
    if (!bus_is_tty(b)) {
        return strlen(b->device) < IFNAMSIZ
                   ? 0
                   : config_bad_at(w, at,
                                   "%sdevice %.32s is neither an interface's name, such as can0, "
                                   "nor a device file, such as /dev/ttyACM0",
                                   what, b->device);
    }
    if (b->data_bitrate > 0) {
        return config_bad_at(w, at,
                             "%sdata_bitrate: an slcan adapter, as device %.64s must be, speaks "
                             "classic CAN only: leave it out, or name an interface such as can0",
                             what, b->device);
    }
    return slcan_rate(b->bitrate) != NULL
               ? 0
               : config_bad_at(w, at,
                               "%san slcan adapter cannot do bitrate %d: use 1000000, 500000, "
                               "250000 or 125000, or name an interface such as can0",
                               what, b->bitrate);
}

/* What devices without a watchdog hold in silence is the owner's to accept, in the robot file. */
static int check_silence(const struct walk *w, int i)
{
    const struct robot *r = &w->config->robot;
    const struct bus_spec *b = &r->bus[i];
    const struct driver_info *driver = bus_codec_find(b->driver).info;
    bool driven = false;
    for (int j = 0; j < r->n_joints; j++) {
        driven = driven || (r->joint[j].bus == i && r->joint[j].actuated);
    }
    if (driver == NULL || driver_has_watchdog(driver)) {
        return 0;
    }
    if (b->watchdog_ms > 0) {
        return config_bad_at(w, &w->places->bus[i],
                             "bus %s: watchdog_ms %d: %s devices have no watchdog; leave it out",
                             b->name, b->watchdog_ms, b->driver);
    }
    if (driven && !b->accept_no_device_watchdog) {
        return config_bad_at(w, &w->places->bus[i],
                             "bus %s: %s devices have no watchdog: if basald dies they hold their "
                             "last goal, with torque, until somebody cuts their power; where that "
                             "is safe, set accept_no_device_watchdog: true",
                             b->name, b->driver);
    }
    return 0;
}

int config_check_bus(const struct walk *w, int i)
{
    struct config *c = w->config;
    struct bus_spec *b = &c->robot.bus[i];
    const struct place *at = &w->places->bus[i];
    const double period_us = 1e6 / c->robot.control_rate_hz;
    char what[NAME_CHARS + 16];
    (void)snprintf(what, sizeof what, "bus %s: ", b->name);
    for (const struct option *o = config_bus_options; o->key != NULL; o++) {
        if (config_is_empty(o, b)) {
            return config_refuse_unset(w, at, what, o);
        }
    }
    if (b->watchdog_ms > 0 && b->watchdog_ms * 1000.0 < WATCHDOG_PERIODS * period_us) {
        return config_bad_at(w, at,
                             "%swatchdog_ms %d is less than %d periods of %.0f us: one late tick "
                             "would trip it; 0 computes it",
                             what, b->watchdog_ms, WATCHDOG_PERIODS, period_us);
    }
    int rc = check_silence(w, i);
    if (rc < 0) {
        return rc;
    }
    if (bus_codec_find(b->driver).can != NULL) {
        rc = check_can(w, i, what);
        return rc < 0 ? rc : check_pipelined(w, i, what);
    }
    if (b->order == ORDER_BY_RATE) {
        b->order = c->robot.control_rate_hz < PIPELINED_HZ ? ORDER_SAME_TICK : ORDER_PIPELINED;
    }
    return b->order == ORDER_PIPELINED ? check_pipelined(w, i, what) : check_same_tick(w, i, what);
}

/* What the bus carries in a tick, within its deadline and the period. */
static int check_serial_wire(const struct walk *w, int i, const struct bus_budget *budget)
{
    const struct bus_spec *b = &w->config->robot.bus[i];
    const struct place *at = &w->places->bus[i];
    const double period_us = 1e6 / w->config->robot.control_rate_hz;
    const bool pipelined = b->order == ORDER_PIPELINED;
    const int most_us = budget->read_us + (pipelined ? budget->goals_us : 0);
    if (budget->joints > 0 && most_us > b->reply_deadline_us) {
        return config_bad_at(w, at,
                             "bus %s: reply_deadline_us %d is too short: %sto ask %d joints and "
                             "hear them takes up to %d us at %d baud; a higher baud rate, a longer "
                             "deadline or fewer joints on this bus",
                             b->name, b->reply_deadline_us, pipelined ? "to send goals and " : "",
                             budget->joints, most_us, b->baud);
    }
    if (!pipelined && b->write_phase_us + budget->goals_us > period_us) {
        return config_bad_at(w, at,
                             "bus %s: goals take up to %d us at %d baud: sent at "
                             "write_phase_us %d they do not end in the tick's %.0f us",
                             b->name, budget->goals_us, b->baud, b->write_phase_us, period_us);
    }
    return 0;
}

int config_check_wire(const struct walk *w, int i)
{
    const struct robot *r = &w->config->robot;
    const struct bus_spec *b = &r->bus[i];
    struct bus_budget budget;
    char reason[WHY_CHARS];
    bus_budget(r, i, &budget);
    if (bus_codec_find(b->driver).can == NULL) {
        return check_serial_wire(w, i, &budget);
    }
    if (bus_budget_check(r, i, &budget, reason, (int)sizeof reason) < 0) {
        return config_bad_at(w, &w->places->bus[i], "%s", reason);
    }
    if (budget.read_us > b->reply_deadline_us) {
        return config_bad_at(w, &w->places->bus[i],
                             "bus %s: reply_deadline_us %d is too short: %d frames and the last "
                             "answer take up to %d us; a longer deadline, a higher bit rate or "
                             "fewer joints on this bus",
                             b->name, b->reply_deadline_us, budget.frames, budget.read_us);
    }
    return 0;
}

/*
 * Servos without a daemon: one port, the protocol spoken on it, a question and its answer. What
 * ctl_scan (bus.c) and ctl_setup_motor (setup_motor.c) share.
 */
#pragma once

#include "daemon/ctl/ctl.h"
#include "drivers/steps.h"

struct line {
    int fd;
    const struct servo_protocol *p;
};

/* The protocol of --driver, or of the driver that a robot file names; NULL: it has been said why.
 */
const struct servo_protocol *line_protocol(struct ctl *c, const char *driver);

/* Who answers to id? Some tries. */
bool line_identify(const struct line *l, int id, struct identity *ret_id);
/* How many answer to id within the time that one needs? Servos that speak at once may look like one
 * or none. */
int line_count(const struct line *l, int id);
bool line_write(const struct line *l, int id, uint16_t addr, uint8_t value);
bool line_read(const struct line *l, int id, uint16_t addr, uint8_t *ret_value);
/* Can these servos speak at this rate? Their code for it. */
bool line_baud_code(const struct servo_protocol *p, int baud, uint8_t *ret_code);
void line_say_found(const struct ctl *c, const struct servo_protocol *p, int id, int baud,
                    const struct identity *found);

/*
 * Servos without a daemon: one port, the protocol spoken on it, a question and its answer. What
 * scan, setup-motor and doctor share.
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

/* What came for one question: whole answers to it, and bytes of no good packet. */
struct heard {
    int answers, damaged;
};

/* The pose of id is asked for, which two devices of one id hardly ever have in common. */
struct heard line_hear_pose(const struct line *l, int id);
/* Bytes that come in this time although nothing is asked. */
int line_listen(const struct line *l, int64_t for_ns);
/* What its register of errors holds. */
bool line_read_error(const struct line *l, int id, uint8_t *ret_error);
/* It starts anew, which ends a latched error and, if it was on, its torque. False: its protocol has
 * no such request, or it did not come back. */
bool line_reboot(const struct line *l, int id);

/* Whom line_find tells of each that it finds. */
struct finder {
    void (*found)(void *self, int id, int baud, const struct identity *who);
    void *self;
};

/* Who is there at this rate, which is set already? How many, or -1: something answers that cannot
 * be read. Takes 1 to 5 seconds. */
int line_find(const struct line *l, int baud, const struct finder *f);
bool line_write(const struct line *l, int id, uint16_t addr, uint8_t value);
bool line_read(const struct line *l, int id, uint16_t addr, uint8_t *ret_value);
/* Can these servos speak at this rate? Their code for it. */
bool line_baud_code(const struct servo_protocol *p, int baud, uint8_t *ret_code);
void line_say_found(const struct ctl *c, const struct servo_protocol *p, int id, int baud,
                    const struct identity *found);

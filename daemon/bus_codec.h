/*
 * One face for the drivers of both kinds of bus: the plant moves bytes, which on CAN are whole
 * struct canfd_frame, CANFD_MTU bytes each; buffers for them are aligned as one.
 */
#pragma once

#include "daemon/base/cantime.h"
#include "drivers/driver.h"

struct bus_codec {
    const struct driver_info *info;     /* NULL: no driver has that name */
    const struct serial_driver *serial; /* of one kind or the other */
    const struct can_driver *can;
};

struct bus_codec bus_codec_find(const char *name);
/* The names of all drivers, the i-th; NULL at the end. */
const struct driver_info *bus_codec_info(int i);

/* As struct serial_driver's functions. */
int bus_setup(const struct bus_codec *c, struct setup *s, int64_t now_ns, const uint8_t *rx,
              size_t n, uint8_t *ret_tx, size_t cap) BASAL_RT;
int bus_ask(const struct bus_codec *c, struct robot_bus *b, uint8_t *ret_tx, size_t cap) BASAL_RT;
int bus_goals(const struct bus_codec *c, struct robot_bus *b, const struct command *cmd,
              uint8_t *ret_tx, size_t cap) BASAL_RT;
/* On CAN always one frame: what is not ours counts as a bad reply, what is damaged as damaged. */
int bus_decode(const struct bus_codec *c, struct robot_bus *b, const uint8_t *rx, size_t n,
               struct sensed *ret_sensed) BASAL_RT;
int bus_stop(const struct bus_codec *c, const struct robot_bus *b, enum stop_how how,
             uint8_t *ret_tx, size_t cap) BASAL_RT;

/* The rates of a CAN bus. */
struct cantime bus_cantime(const struct bus_spec *b) BASAL_RT;
/* Bits a second: of the tty, or of CAN's arbitration. */
int bus_bitrate(const struct bus_codec *c, const struct bus_spec *b) BASAL_RT;
/* A device file, which on CAN is an slcan adapter's; else an interface's name. */
bool bus_is_tty(const struct bus_spec *b);

/*
 * The packing of MIT-style CAN actuators: mini-cheetah, CubeMars AK, Damiao, RobStride.
 *
 *   command   p 16 bit | v 12 | kp 12 | kd 12 | t 12, big-endian, 8 bytes
 *   special   FF x 7, then what to do
 *   reply     id | p 16 | v 12 | t 12 | of the maker
 *
 * The motor makes tau = kp (p - its pose) + kd (v - its speed) + t. Codes are cut down to whole
 * ones as the makers' code does, so that 0 becomes 7FF: a bit less. Source: bgkatz/motorcontrol
 * can.c.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdbool.h>
#include <stdint.h>

/* What the codes span: -p..p rad, -v..v rad/s, -t..t Nm, 0..kp Nm/rad, 0..kd Nms/rad. Device and
 * host must agree, or everything is scaled wrongly. */
struct mit_range {
    double p, v, t, kp, kd;
};

struct mit_goal {
    double p, v, t, kp, kd;
};

struct mit_state {
    double p, v, t;
};

enum mit_special { MIT_CLEAR = 0xFB, MIT_ENABLE = 0xFC, MIT_DISABLE = 0xFD, MIT_ZERO = 0xFE };

enum { MIT_BYTES = 8, MIT_REPLY_BYTES = 6 };

/* All five are positive and finite. */
bool mit_range_good(const struct mit_range *r) BASAL_RT;

/* x, cut to low..high, as a code of so many bits, and back. x must be finite. */
uint16_t mit_code(double x, double low, double high, int bits) BASAL_RT;
double mit_value(unsigned code, double low, double high, int bits) BASAL_RT;

/*
 * The command frame's data. The highest code of p is never sent: a command with everything at its
 * end would else be one of the special ones.
 *
 * Errors: -EDOM = something is not finite; ret_data is left alone.
 */
int mit_pack(const struct mit_range *r, const struct mit_goal *g, uint8_t *ret_data) BASAL_RT
BASAL_MUST_USE;

/* A special command's data. */
void mit_pack_special(enum mit_special what, uint8_t *ret_data) BASAL_RT;

/* Bytes 1 to 5 of a reply: data points at its byte 0. */
void mit_unpack(const struct mit_range *r, const uint8_t *data,
                struct mit_state *ret_state) BASAL_RT;

/*
 * A CAN bus: the host's controller and its devices, each of which hears every frame of another.
 * Whenever the bus is free the lowest identifier of those that wait goes first, the host's own in
 * their order, and takes its exact time. Faults are drawn per frame from device to host, and
 * counted by kind: lost        the host's receive queue was full corrupted   a flipped bit: the
 * frame is destroyed at its CRC by an error flag, and sent again truncated   the same, at any bit
 *   late        the adapter holds it back
 *   duplicated  sent again although it was good: an error in its very last bit
 * What is read and written are struct canfd_frame, CANFD_MTU bytes each. Flat state.
 */
#pragma once

#include "daemon/base/cantime.h"
#include "sim/firmware/wire.h"

#define CAN_WIRE_QUEUE 64 /* frames, either way */

struct can_wire_config {
    struct cantime rate;
    double p[WIRE_FAULTS]; /* probabilities per frame */
    int64_t late_ns;
    int64_t away_from_ns, away_to_ns; /* the adapter is unplugged between these; equal: never */
    int64_t off_from_ns, off_to_ns;   /* the host's controller is bus-off; equal: never */
    int64_t stranger_ns;              /* another host says something this often; 0: never */
};

struct can_wire_state {
    int64_t busy_ns;     /* the bus is taken until then */
    int64_t heard_ns;    /* when the last frame of the host ended */
    int64_t stranger_ns; /* when the other host spoke last */
    struct rng rng;      /* of the faults */
    uint64_t injected[WIRE_FAULTS];
    uint64_t frames; /* on the bus, whole ones */
    bool off_told;
    int n_tx; /* of the host, waiting */
    int64_t tx_ns[CAN_WIRE_QUEUE];
    struct canfd_frame tx[CAN_WIRE_QUEUE];
    bool boxed[WIRE_DEVICES]; /* a device's frame waits for the bus ... */
    struct canfd_frame box[WIRE_DEVICES];
    int n_rx; /* on their way to the host, there at rx_ns */
    int64_t rx_ns[CAN_WIRE_QUEUE];
    struct canfd_frame rx[CAN_WIRE_QUEUE];
};

struct can_wire {
    struct can_wire_config config;
    int n;
    const struct device *device[WIRE_DEVICES];
    void *device_state[WIRE_DEVICES];
    struct can_wire_state st;
};

/*
 * The host hands whole frames to its controller at t_ns, set to bitrate; at another rate than the
 * bus's nobody acknowledges them. Returns when the last one has ended if no device comes between.
 */
int64_t can_wire_host_tx(struct can_wire *w, const uint8_t *frames, size_t n, int64_t t_ns,
                         uint32_t bitrate);

/* When something will happen next; INT64_MAX: nothing is under way. */
int64_t can_wire_next_ns(const struct can_wire *w);
/* Let every frame begin that can up to t_ns. */
void can_wire_advance(struct can_wire *w, int64_t t_ns);
/* Frames that have reached the host by t_ns, error frames among them; -EIO: unplugged, or bus-off
 * and all said. */
int can_wire_host_rx(struct can_wire *w, int64_t t_ns, uint8_t *ret_frames, size_t cap);

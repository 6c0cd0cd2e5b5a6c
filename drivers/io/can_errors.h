/*
 * What goes wrong on a CAN bus, out of the error frames of linux/can/error.h: counted, and as one
 * sentence for a person.
 */
#pragma once

#include "daemon/base/rt.h"

#include <linux/can.h>
#include <stdint.h>

enum can_trouble {
    CAN_TROUBLE_BUS_OFF = 1 << 0, /* the controller has left the bus */
    CAN_TROUBLE_NO_ACK = 1 << 1,  /* nobody acknowledges what is sent */
    CAN_TROUBLE_PASSIVE = 1 << 2, /* many errors, sent or received: next is bus-off */
    CAN_TROUBLE_WARNING = 1 << 3,
    CAN_TROUBLE_RX_FULL = 1 << 4, /* frames were lost before they were read */
    CAN_TROUBLE_TX_FULL = 1 << 5, /* frames were not taken, and dropped */
    CAN_TROUBLE_SIGNAL = 1 << 6,  /* damaged frames, the transceiver */
    CAN_TROUBLE_RESTARTED = 1 << 7,
    CAN_TROUBLE_DOWN = 1 << 8, /* the interface is down, which no error frame says */
};

#define CAN_TROUBLES 8 /* that are counted: those of error frames */

struct can_errors {
    uint64_t n[CAN_TROUBLES];     /* in the order of the bits */
    uint8_t tx_errors, rx_errors; /* the controller's own counters, as last heard; 256 is bus-off */
};

/* Count these troubles, n times. */
void can_errors_add(struct can_errors *e, unsigned trouble, uint64_t n) BASAL_RT;
/* Count what an error frame says; its bits of enum can_trouble. No other frame says anything. */
unsigned can_errors_note(struct can_errors *e, const struct canfd_frame *f) BASAL_RT;

/* The worst of these troubles and what to do: "can0 is bus-off: ...". Returns its length, 0 for
 * none. */
int can_errors_text(unsigned trouble, const char *device, char *ret_text, int cap) BASAL_RT;

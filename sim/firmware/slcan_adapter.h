/*
 * A USB adapter between a tty and a CAN bus, after Lawicel's protocol: the far side of
 * drivers/io/slcan.c, with its own code. Variants: with or without acknowledges. Flat state.
 */
#pragma once

#include <linux/can.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADAPTER_LINE   40
#define ADAPTER_FRAMES 64
#define ADAPTER_TEXT   2048

struct adapter {
    bool silent; /* acknowledges nothing, as CANable's firmware */
    bool open, listens, stamps;
    uint32_t bitrate;
    char line[ADAPTER_LINE];
    size_t n;
};

/* What comes of the host's text: frames for the bus, text for the host. */
struct adapter_out {
    int n_frames;
    struct canfd_frame frame[ADAPTER_FRAMES];
    size_t n_text;
    char text[ADAPTER_TEXT];
};

void adapter_host(struct adapter *a, const char *text, size_t n, struct adapter_out *ret_out);
/* A frame, or an error frame of the controller, from the bus at t_ns: its line. Returns its length;
 * 0: the host does not hear of it. */
int adapter_bus(const struct adapter *a, const struct canfd_frame *f, int64_t t_ns, char *ret_text,
                size_t cap);

/*
 * A half-duplex bus: the host and its devices hear each other; every byte takes its time. Faults
 * are drawn per reply, between device and host, and counted by kind. Flat state.
 */
#pragma once

#include "daemon/base/rng.h"
#include "sim/firmware/device.h"

#define WIRE_BYTES   1024
#define WIRE_DEVICES 16
#define WIRE_QUEUE   8

enum wire_fault {
    WIRE_LOST,
    WIRE_CORRUPTED,
    WIRE_LATE,
    WIRE_TRUNCATED,
    WIRE_DUPLICATED,
    WIRE_FAULTS
};

extern const char *const wire_fault_names[WIRE_FAULTS];

struct wire_config {
    double p[WIRE_FAULTS]; /* probabilities per reply */
    int64_t late_ns;
    int64_t away_from_ns, away_to_ns; /* the bus is unplugged between these; equal: never */
    int64_t stranger_ns;              /* another host says something this often; 0: never */
};

/* Bytes that reach the host from t_ns on, one every byte_ns. */
struct wire_reply {
    int64_t t_ns, byte_ns;
    int n, taken;
    uint8_t bytes[WIRE_BYTES];
};

struct wire_state {
    uint32_t baud;   /* of the host */
    int64_t busy_ns; /* the line is taken until then */
    struct rng rng;  /* of the faults */
    uint64_t injected[WIRE_FAULTS];
    uint64_t replies;
    int n_queued;
    struct wire_reply queue[WIRE_QUEUE];
    int64_t heard_ns;    /* when the last host packet ended */
    int64_t stranger_ns; /* when the other host spoke last */
};

struct wire {
    struct wire_config config;
    int n;
    const struct device *device[WIRE_DEVICES];
    void *device_state[WIRE_DEVICES];
    struct wire_state st;
};

/* The host puts bytes on the line at t_ns; they end at the time returned, when every device has
 * heard them. */
int64_t wire_host_tx(struct wire *w, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud);

/* When something will happen next: a device answers, or a byte reaches the host. INT64_MAX: nothing
 * is under way. */
int64_t wire_next_ns(const struct wire *w);

/* Let the devices answer whatever is due up to t_ns. */
void wire_advance(struct wire *w, int64_t t_ns);

/* Bytes that have reached the host by t_ns. */
int wire_host_rx(struct wire *w, int64_t t_ns, uint8_t *ret_bytes, size_t cap);

bool wire_away(const struct wire *w, int64_t t_ns);

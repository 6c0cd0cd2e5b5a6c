/*
 * The read phase of a tick, all buses at once: each is asked, then whoever answers is heard, until
 * all have or the deadline. One bus's silence costs the others nothing.
 */
#include "daemon/plant_inside.h"

#include <errno.h>
#include <string.h>

#define TURN_NS       (100 * NS_PER_US) /* of waiting on one bus while others may answer too */
#define UNASKED_READS 64                /* a bus that never stops talking must not stop the tick */

/* Whole frames out of the receive buffer; damage costs one byte at a time. */
static void decode_all(struct bus_run *b, struct sensed *s)
{
    size_t at = 0;
    while (at < b->n_rx) {
        const int used = bus_decode(&b->codec, &b->bus, b->rx + at, b->n_rx - at, s);
        if (used == 0 && !(at == 0 && b->n_rx == sizeof b->rx)) {
            break;
        }
        if (used > 0) {
            at += (size_t)used;
        } else {
            at++;
            b->bus.bytes_lost++;
        }
    }
    b->n_rx -= at;
    memmove(b->rx, b->rx + at, b->n_rx);
}

static void count_answer(struct plant_counters *c, struct sensed *s, int j, bool missed,
                         int misses_max)
{
    c->requests[j]++;
    if (!missed) {
        c->misses_in_a_row[j] = 0;
        s->faults[j] &= ~(uint32_t)FAULT_LOST;
        return;
    }
    c->misses[j]++;
    c->misses_in_a_row[j]++;
    if (c->misses_in_a_row[j] > c->misses_in_a_row_max[j]) {
        c->misses_in_a_row_max[j] = c->misses_in_a_row[j];
    }
    if (c->misses_in_a_row[j] > misses_max) {
        s->faults[j] |= FAULT_LOST;
    }
}

/* The request under way has ended, by answers or by the deadline. */
static void end_request(struct plant *p, struct bus_run *b)
{
    const uint64_t missed = b->bus.pending;
    b->bus.pending = 0;
    if (b->bus.asked <= 1) { /* 0: goals alone are answered */
        p->fresh |= b->owed & ~missed;
    }
    for (int k = 0; k < b->bus.n; k++) {
        const int j = b->bus.joint[k];
        if ((b->owed >> j & 1u) != 0) {
            count_answer(&p->counters, &p->sensed, j, (missed >> j & 1u) != 0,
                         b->bus.spec->misses_max);
        }
    }
    b->owed = 0;
}

static void end_phase(struct plant *p, struct bus_run *b)
{
    struct plant_counters *c = &p->counters;
    b->reading = false;
    c->crc_errors += b->bus.crc_errors;
    c->bytes_lost += b->bus.bytes_lost;
    c->bad_replies += b->bus.bad_replies;
    b->bus.crc_errors = b->bus.bytes_lost = b->bus.bad_replies = 0;
}

/* The next request, if the driver has one. */
static void ask(struct plant *p, struct bus_run *b)
{
    FRAMES_ALIGNED uint8_t tx[TX_BYTES];
    const int n = bus_ask(&b->codec, &b->bus, tx, sizeof tx);
    b->owed = b->bus.pending;
    b->reading = n > 0 || b->owed != 0;
    if (n > 0) {
        const int rc = plant_send(p, b, tx, (size_t)n);
        if (rc < 0) { /* nobody was asked: nobody answers */
            end_request(p, b);
            b->reading = false;
        }
        if (rc == -EIO) {
            plant_lose(p, b);
        }
    }
}

static bool fits(const struct plant *p, const struct bus_run *b, int64_t now_ns)
{
    const int64_t reply_ns =
        b->codec.info->reply_us_max * NS_PER_US * DRIVER_BAUD / bus_bitrate(&b->codec, b->bus.spec);
    return now_ns + reply_ns <= plant_deadline_ns(p, b);
}

/* On CAN motors also speak of their own accord, of faults and of their state; and an answer that
 * comes too late is the driver's to refuse. 0 or -EIO. */
static int hear_unasked(struct plant *p, struct bus_run *b)
{
    int n = 1;
    for (int i = 0; i < UNASKED_READS && n > 0; i++) {
        n = port_read(&b->port, clock_now_ns(p->clock), b->rx, sizeof b->rx);
        if (n > 0) {
            plant_count(b, b->rx, (size_t)n, &p->counters.bytes_rx,
                        &p->counters.frames_rx[b->bus.index]);
            b->n_rx = (size_t)n;
            decode_all(b, &p->sensed);
        }
    }
    b->n_rx = 0;
    return n < 0 ? n : 0;
}

static void begin_phase(struct plant *p, struct bus_run *b)
{
    b->n_rx = 0;
    b->bus.asked = 0;
    b->bus.slow_due = true;
    b->bus.pending = 0;
    const int rc = b->codec.can != NULL ? hear_unasked(p, b) : port_discard(&b->port);
    if (rc == -EIO) {
        plant_lose(p, b);
        return;
    }
    plant_send_stored(p, b);
    b->owed = b->bus.pending; /* by motors that answer their goals */
    b->reading = b->owed != 0;
    if (b->up && (p->late_ns == 0 || fits(p, b, clock_now_ns(p->clock)))) {
        ask(p, b);
    }
}

/* Hear one bus until something came or until_ns; ask again, or end, when a request has ended. */
static void hear(struct plant *p, struct bus_run *b, int64_t until_ns)
{
    const int n = port_read(&b->port, until_ns, b->rx + b->n_rx, sizeof b->rx - b->n_rx);
    if (n < 0) {
        end_request(p, b);
        b->reading = false;
        plant_lose(p, b);
        return;
    }
    const uint64_t owed = b->bus.pending;
    plant_count(b, b->rx + b->n_rx, (size_t)n, &p->counters.bytes_rx,
                &p->counters.frames_rx[b->bus.index]);
    b->n_rx += (size_t)n;
    decode_all(b, &p->sensed);
    for (int j = 0; j < p->sensed.n && b->codec.can != NULL; j++) {
        if ((owed & ~b->bus.pending & UINT64_C(1) << j) != 0) {
            p->sensed.age_us[j] = 0; /* asked and answered since the tick began */
        }
    }
    const int64_t now_ns = clock_now_ns(p->clock);
    if (b->bus.pending != 0 && now_ns < plant_deadline_ns(p, b)) {
        return; /* after it nothing is heard, however much is said */
    }
    end_request(p, b);
    b->reading = false;
    if (fits(p, b, now_ns)) {
        ask(p, b);
    }
}

void plant_read_buses(struct plant *p)
{
    for (int i = 0; i < p->n_buses; i++) {
        if (plant_reaches(p, &p->bus[i])) {
            begin_phase(p, &p->bus[i]);
        }
    }
    for (int reading = p->n_buses; reading > 0;) {
        const bool alone = reading == 1;
        reading = 0;
        for (int i = 0; i < p->n_buses; i++) {
            struct bus_run *b = &p->bus[i];
            const int64_t deadline_ns = plant_deadline_ns(p, b);
            const int64_t turn_ns = clock_now_ns(p->clock) + TURN_NS;
            if (b->reading) {
                hear(p, b, alone || turn_ns > deadline_ns ? deadline_ns : turn_ns);
                reading += b->reading;
            }
        }
    }
    for (int i = 0; i < p->n_buses; i++) {
        end_phase(p, &p->bus[i]);
    }
}

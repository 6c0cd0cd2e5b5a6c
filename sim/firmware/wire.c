#include "sim/firmware/wire.h"

#include <string.h>

const char *const wire_fault_names[WIRE_FAULTS] = {"lost", "corrupted", "late", "truncated",
                                                   "duplicated"};

#define BITS_PER_BYTE 10 /* 8N1 */

static int64_t bytes_ns(size_t n, uint32_t baud)
{
    return (int64_t)n * BITS_PER_BYTE * INT64_C(1000000000) / (int64_t)baud;
}

bool wire_away(const struct wire *w, int64_t t_ns)
{
    return t_ns >= w->config.away_from_ns && t_ns < w->config.away_to_ns;
}

int64_t wire_host_tx(struct wire *w, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud)
{
    const int64_t start_ns = t_ns > w->st.busy_ns ? t_ns : w->st.busy_ns;
    const int64_t end_ns = start_ns + bytes_ns(n, baud);
    w->st.baud = baud;
    w->st.busy_ns = end_ns;
    w->st.heard_ns = end_ns;
    for (int i = 0; i < w->n && !wire_away(w, t_ns); i++) {
        w->device[i]->rx(w->device_state[i], bytes, n, end_ns, baud);
    }
    return end_ns;
}

static int due_device(const struct wire *w, int64_t *ret_t_ns)
{
    int first = -1;
    *ret_t_ns = INT64_MAX;
    for (int i = 0; i < w->n; i++) {
        const int64_t t_ns = w->device[i]->due(w->device_state[i]);
        if (t_ns < *ret_t_ns) {
            *ret_t_ns = t_ns;
            first = i;
        }
    }
    return first;
}

static int64_t next_byte_ns(const struct wire *w)
{
    int64_t next_ns = INT64_MAX;
    for (int i = 0; i < w->st.n_queued; i++) {
        const struct wire_reply *q = &w->st.queue[i];
        const int64_t t_ns = q->t_ns + (q->taken + 1) * q->byte_ns;
        next_ns = t_ns < next_ns ? t_ns : next_ns;
    }
    return next_ns;
}

/* When the other host speaks next. */
static int64_t stranger_due_ns(const struct wire *w)
{
    return w->config.stranger_ns > 0 ? w->st.stranger_ns + w->config.stranger_ns : INT64_MAX;
}

int64_t wire_next_ns(const struct wire *w)
{
    int64_t device_ns;
    (void)due_device(w, &device_ns);
    const int64_t byte_ns = next_byte_ns(w), stranger_ns = stranger_due_ns(w);
    const int64_t next_ns = device_ns < byte_ns ? device_ns : byte_ns;
    return stranger_ns < next_ns ? stranger_ns : next_ns;
}

/* From t_ns on, but never into another reply: an adapter hands over one after the other. */
static int64_t free_from_ns(const struct wire *w, int64_t t_ns, int64_t took_ns)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < w->st.n_queued; i++) {
            const struct wire_reply *q = &w->st.queue[i];
            const int64_t end_ns = q->t_ns + q->n * q->byte_ns;
            if (t_ns < end_ns && t_ns + took_ns > q->t_ns) {
                t_ns = end_ns;
                moved = true;
            }
        }
    }
    return t_ns;
}

static struct wire_reply *enqueue(struct wire *w, const uint8_t *bytes, int n, int64_t t_ns)
{
    if (w->st.n_queued == WIRE_QUEUE || n > WIRE_BYTES) {
        return NULL; /* nobody reads: the line drops it, as a full UART would */
    }
    const int64_t byte_ns = bytes_ns(1, w->st.baud);
    t_ns = free_from_ns(w, t_ns, n * byte_ns);
    struct wire_reply *q = &w->st.queue[w->st.n_queued++];
    q->t_ns = t_ns;
    q->byte_ns = byte_ns;
    q->n = n;
    q->taken = 0;
    memcpy(q->bytes, bytes, (size_t)n);
    return q;
}

/* At most one fault a reply, drawn in a fixed order so that a seed means the same faults. */
static void deliver(struct wire *w, uint8_t *bytes, int n, int64_t t_ns)
{
    struct wire_state *z = &w->st;
    int fault = -1;
    double u = rng_uniform(&z->rng);
    const uint64_t where = rng_u64(&z->rng);
    for (int k = 0; k < WIRE_FAULTS && fault < 0; k++) {
        if (u < w->config.p[k]) {
            fault = k;
        }
        u -= w->config.p[k];
    }
    z->replies++;
    if (fault >= 0) {
        z->injected[fault]++;
    }
    if (fault == WIRE_LOST) {
        return;
    }
    if (fault == WIRE_CORRUPTED) {
        const uint64_t bit = where % (uint64_t)(n * 8);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    if (fault == WIRE_TRUNCATED && n > 1) {
        n = 1 + (int)(where % (uint64_t)(n - 1)); /* at least one byte is missing */
    }
    (void)enqueue(w, bytes, n, t_ns + (fault == WIRE_LATE ? w->config.late_ns : 0));
    if (fault == WIRE_DUPLICATED) {
        (void)enqueue(w, bytes, n, t_ns + bytes_ns((size_t)n, z->baud));
    }
}

static void answer(struct wire *w, int i, int64_t due_ns)
{
    struct wire_state *z = &w->st;
    uint8_t bytes[WIRE_BYTES];
    const int64_t start_ns = due_ns > z->busy_ns ? due_ns : z->busy_ns;
    const int n = w->device[i]->tx(w->device_state[i], start_ns, bytes, sizeof bytes);
    if (n <= 0) {
        return;
    }
    const int64_t end_ns = start_ns + bytes_ns((size_t)n, z->baud);
    z->busy_ns = end_ns;
    for (int k = 0; k < w->n; k++) {
        if (k != i) {
            w->device[k]->rx(w->device_state[k], bytes, (size_t)n, end_ns, z->baud);
        }
    }
    if (!wire_away(w, start_ns)) {
        deliver(w, bytes, n, start_ns);
    }
}

/* Bytes that begin no packet of any protocol here. */
static void stranger_speaks(struct wire *w, int64_t t_ns)
{
    static const uint8_t bytes[] = {0x5A, 0xA5, 0x5A, 0xA5, 0x5A, 0xA5};
    struct wire_state *z = &w->st;
    const int64_t start_ns = t_ns > z->busy_ns ? t_ns : z->busy_ns;
    z->stranger_ns = t_ns;
    z->busy_ns = start_ns + bytes_ns(sizeof bytes, z->baud);
    for (int i = 0; i < w->n; i++) {
        w->device[i]->rx(w->device_state[i], bytes, sizeof bytes, z->busy_ns, z->baud);
    }
    if (!wire_away(w, start_ns)) {
        (void)enqueue(w, bytes, (int)sizeof bytes, start_ns);
    }
}

void wire_advance(struct wire *w, int64_t t_ns)
{
    while (stranger_due_ns(w) <= t_ns) {
        stranger_speaks(w, stranger_due_ns(w));
    }
    for (;;) {
        int64_t due_ns;
        const int i = due_device(w, &due_ns);
        if (i < 0 || due_ns > t_ns) {
            return;
        }
        answer(w, i, due_ns);
    }
}

int wire_host_rx(struct wire *w, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    struct wire_state *z = &w->st;
    size_t n = 0;
    for (int i = 0; i < z->n_queued;) {
        struct wire_reply *q = &z->queue[i];
        while (q->taken < q->n && n < cap && q->t_ns + (q->taken + 1) * q->byte_ns <= t_ns) {
            ret_bytes[n++] = q->bytes[q->taken++];
        }
        if (q->taken < q->n) {
            i++;
            continue;
        }
        z->n_queued--;
        memmove(q, q + 1, (size_t)(z->n_queued - i) * sizeof *q);
    }
    return (int)n;
}

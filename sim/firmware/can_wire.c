#include "sim/firmware/can_wire.h"

#include <errno.h>
#include <linux/can/error.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
/* error flags of sender and receivers, delimiter, intermission: 17 to 23 bits */
#define ERROR_BITS  20
#define STRANGER_ID 0x6A5 /* between the ids of motors and that of their registers */

static bool between(int64_t t_ns, int64_t from_ns, int64_t to_ns)
{
    return t_ns >= from_ns && t_ns < to_ns;
}

static bool is_away(const struct can_wire *w, int64_t t_ns)
{
    return between(t_ns, w->config.away_from_ns, w->config.away_to_ns);
}

static bool is_off(const struct can_wire *w, int64_t t_ns)
{
    return between(t_ns, w->config.off_from_ns, w->config.off_to_ns);
}

static void to_host(struct can_wire *w, const struct canfd_frame *f, int64_t t_ns)
{
    struct can_wire_state *z = &w->st;
    if (z->n_rx < CAN_WIRE_QUEUE) { /* nobody reads: dropped, as a full controller would */
        z->rx_ns[z->n_rx] = t_ns;
        z->rx[z->n_rx++] = *f;
    }
}

/* What the controller says of itself, as SocketCAN's drivers do. */
static void tell_error(struct can_wire *w, uint32_t class, uint8_t status, int64_t t_ns)
{
    struct canfd_frame f = {.can_id = CAN_ERR_FLAG | class, .len = CAN_ERR_DLC};
    f.data[1] = status;
    to_host(w, &f, t_ns);
}

int64_t can_wire_host_tx(struct can_wire *w, const uint8_t *frames, size_t n, int64_t t_ns,
                         uint32_t bitrate)
{
    struct can_wire_state *z = &w->st;
    int64_t end_ns = t_ns > z->busy_ns ? t_ns : z->busy_ns;
    if (is_away(w, t_ns) || is_off(w, t_ns)) {
        return end_ns;
    }
    if (w->n == 0 || bitrate != (uint32_t)w->config.rate.bitrate) {
        tell_error(w, CAN_ERR_ACK | CAN_ERR_CRTL, CAN_ERR_CRTL_TX_PASSIVE, t_ns);
        return end_ns;
    }
    for (int i = 0; i < z->n_tx; i++) {
        end_ns += cantime_frame_ns(&w->config.rate, &z->tx[i]);
    }
    for (size_t at = 0; at + CANFD_MTU <= n && z->n_tx < CAN_WIRE_QUEUE; at += CANFD_MTU) {
        struct canfd_frame *f = &z->tx[z->n_tx];
        memcpy(f, frames + at, sizeof *f);
        z->tx_ns[z->n_tx++] = t_ns;
        end_ns += cantime_frame_ns(&w->config.rate, f);
    }
    return end_ns;
}

/* The bits that decide who goes first, in their order: the lowest wins. */
static uint32_t arbitration(const struct canfd_frame *f)
{
    const uint32_t rtr = (f->can_id & CAN_RTR_FLAG) != 0;
    if ((f->can_id & CAN_EFF_FLAG) != 0) {
        const uint32_t id = f->can_id & CAN_EFF_MASK;
        return id >> 18 << 21 | 3u << 19 | (id & 0x3FFFF) << 1 | rtr;
    }
    return (f->can_id & CAN_SFF_MASK) << 21 | rtr << 20;
}

/* When the next frame may begin; INT64_MAX: none waits. */
static int64_t next_start_ns(const struct can_wire *w)
{
    const struct can_wire_state *z = &w->st;
    int64_t ready_ns = z->n_tx > 0 ? z->tx_ns[0] : INT64_MAX;
    for (int i = 0; i < w->n; i++) {
        const int64_t due_ns = z->boxed[i] ? 0 : w->device[i]->due(w->device_state[i]);
        ready_ns = due_ns < ready_ns ? due_ns : ready_ns;
    }
    return ready_ns > z->busy_ns ? ready_ns : z->busy_ns;
}

/* Every device that has something to say by t_ns hands it to its controller. */
static void fill_boxes(struct can_wire *w, int64_t t_ns)
{
    struct can_wire_state *z = &w->st;
    for (int i = 0; i < w->n; i++) {
        if (!z->boxed[i] && w->device[i]->due(w->device_state[i]) <= t_ns) {
            struct canfd_frame f = {.can_id = 0};
            z->boxed[i] = w->device[i]->tx(w->device_state[i], t_ns, (uint8_t *)&f, sizeof f) ==
                          (int)sizeof f;
            z->box[i] = f;
        }
    }
}

/* Who wins the bus at t_ns: a device, or -1 the host; -2: nobody waits. */
static int winner(const struct can_wire *w, int64_t t_ns)
{
    const struct can_wire_state *z = &w->st;
    int first = -2;
    uint32_t lowest = UINT32_MAX;
    if (z->n_tx > 0 && z->tx_ns[0] <= t_ns) {
        first = -1;
        lowest = arbitration(&z->tx[0]);
    }
    for (int i = 0; i < w->n; i++) {
        if (z->boxed[i] && arbitration(&z->box[i]) < lowest) {
            first = i;
            lowest = arbitration(&z->box[i]);
        }
    }
    return first;
}

static void heard_by_devices(struct can_wire *w, const struct canfd_frame *f, int but, int64_t t_ns)
{
    for (int i = 0; i < w->n; i++) {
        if (i != but) {
            w->device[i]->rx(w->device_state[i], (const uint8_t *)f, sizeof *f, t_ns,
                             (uint32_t)w->config.rate.bitrate);
        }
    }
}

/* At most one fault a frame, drawn in a fixed order so that a seed means the same faults. */
static int draw_fault(struct can_wire *w, uint64_t *ret_where)
{
    struct can_wire_state *z = &w->st;
    double u = rng_uniform(&z->rng);
    *ret_where = rng_u64(&z->rng);
    for (int k = 0; k < WIRE_FAULTS; k++) {
        if (u < w->config.p[k]) {
            z->injected[k]++;
            return k;
        }
        u -= w->config.p[k];
    }
    return -1;
}

static void device_frame(struct can_wire *w, int i, int64_t start_ns)
{
    struct can_wire_state *z = &w->st;
    const struct canfd_frame f = z->box[i];
    const int64_t took_ns = cantime_frame_ns(&w->config.rate, &f), end_ns = start_ns + took_ns;
    const bool heard = !is_away(w, start_ns) && !is_off(w, start_ns);
    uint64_t where;
    const int fault = heard ? draw_fault(w, &where) : -1;
    if (fault == WIRE_CORRUPTED || fault == WIRE_TRUNCATED) { /* it stays in its box */
        const int64_t part_ns =
            fault == WIRE_CORRUPTED ? took_ns : (int64_t)(where % (uint64_t)took_ns);
        z->busy_ns = start_ns + part_ns + ERROR_BITS * NS_PER_S / w->config.rate.bitrate;
        return;
    }
    z->boxed[i] = false;
    z->busy_ns = end_ns;
    z->frames++;
    heard_by_devices(w, &f, i, end_ns);
    if (heard && fault != WIRE_LOST) {
        to_host(w, &f, end_ns + (fault == WIRE_LATE ? w->config.late_ns : 0));
    }
    if (fault == WIRE_DUPLICATED) {
        z->busy_ns = end_ns + took_ns;
        heard_by_devices(w, &f, i, z->busy_ns);
        to_host(w, &f, z->busy_ns);
    }
}

static void host_frame(struct can_wire *w, int64_t start_ns)
{
    struct can_wire_state *z = &w->st;
    const struct canfd_frame f = z->tx[0];
    z->n_tx--;
    memmove(z->tx, z->tx + 1, (size_t)z->n_tx * sizeof z->tx[0]);
    memmove(z->tx_ns, z->tx_ns + 1, (size_t)z->n_tx * sizeof z->tx_ns[0]);
    z->busy_ns = start_ns + cantime_frame_ns(&w->config.rate, &f);
    z->heard_ns = z->busy_ns;
    z->frames++;
    heard_by_devices(w, &f, -1, z->busy_ns);
}

/* The controller leaves the bus: what waits in it is gone. */
static void go_off(struct can_wire *w, int64_t t_ns)
{
    if (t_ns >= w->config.off_from_ns && w->config.off_from_ns < w->config.off_to_ns &&
        !w->st.off_told) {
        w->st.off_told = true;
        w->st.n_tx = 0;
        tell_error(w, CAN_ERR_BUSOFF, 0, w->config.off_from_ns);
    }
}

/* When the other host speaks next. */
static int64_t stranger_due_ns(const struct can_wire *w)
{
    return w->config.stranger_ns > 0 ? w->st.stranger_ns + w->config.stranger_ns : INT64_MAX;
}

/* A frame that no motor takes for its own. */
static void stranger_speaks(struct can_wire *w, int64_t t_ns)
{
    const struct canfd_frame f = {.can_id = STRANGER_ID, .len = 2, .data = {0x5A, 0xA5}};
    struct can_wire_state *z = &w->st;
    const int64_t start_ns = t_ns > z->busy_ns ? t_ns : z->busy_ns;
    z->stranger_ns = t_ns;
    z->busy_ns = start_ns + cantime_frame_ns(&w->config.rate, &f);
    z->frames++;
    heard_by_devices(w, &f, -1, z->busy_ns);
    if (!is_away(w, start_ns) && !is_off(w, start_ns)) {
        to_host(w, &f, z->busy_ns);
    }
}

void can_wire_advance(struct can_wire *w, int64_t t_ns)
{
    while (stranger_due_ns(w) <= t_ns) {
        stranger_speaks(w, stranger_due_ns(w));
    }
    for (;;) {
        const int64_t next_ns = next_start_ns(w);
        go_off(w, next_ns < t_ns ? next_ns : t_ns); /* what waited may be gone now */
        const int64_t start_ns = next_start_ns(w);
        if (start_ns > t_ns) {
            return;
        }
        fill_boxes(w, start_ns);
        const int i = winner(w, start_ns);
        if (i == -2) {
            return;
        }
        if (i >= 0) {
            device_frame(w, i, start_ns);
        } else {
            host_frame(w, start_ns);
        }
    }
}

int64_t can_wire_next_ns(const struct can_wire *w)
{
    const struct can_wire_state *z = &w->st;
    int64_t next_ns = next_start_ns(w);
    for (int i = 0; i < z->n_rx; i++) {
        next_ns = z->rx_ns[i] < next_ns ? z->rx_ns[i] : next_ns;
    }
    next_ns = stranger_due_ns(w) < next_ns ? stranger_due_ns(w) : next_ns;
    if (!z->off_told && w->config.off_from_ns < w->config.off_to_ns &&
        w->config.off_from_ns < next_ns) {
        next_ns = w->config.off_from_ns;
    }
    return next_ns;
}

int can_wire_host_rx(struct can_wire *w, int64_t t_ns, uint8_t *ret_frames, size_t cap)
{
    struct can_wire_state *z = &w->st;
    size_t n = 0;
    int left = 0;
    if (is_away(w, t_ns)) {
        return -EIO;
    }
    for (int i = 0; i < z->n_rx; i++) {
        if (z->rx_ns[i] <= t_ns && n + CANFD_MTU <= cap) {
            memcpy(ret_frames + n, &z->rx[i], CANFD_MTU);
            n += CANFD_MTU;
        } else {
            z->rx[left] = z->rx[i];
            z->rx_ns[left++] = z->rx_ns[i];
        }
    }
    z->n_rx = left;
    return n == 0 && is_off(w, t_ns) ? -EIO : (int)n;
}

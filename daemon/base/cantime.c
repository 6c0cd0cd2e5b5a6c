#include "daemon/base/cantime.h"

#define NS_PER_S INT64_C(1000000000)
/* The bits of a frame that may be stuffed: at most an FD frame with 29-bit identifier and 64 bytes.
 */
#define BITS_MAX  (36 + 5 + 64 * 8)
#define STUFF_RUN 5 /* equal bits, after which one of the other kind is put in */
/* after the CRC: delimiter, acknowledge and its delimiter, end of frame, intermission */
#define TAIL_BITS 13
#define CRC_BITS  15
/* on FD: the stuff count with its parity, the CRC, and fixed stuff bits: one before, one after
 * every four */
#define FD_CRC_SHORT (4 + 17 + 6)
#define FD_CRC_LONG  (4 + 21 + 7)
#define FD_SHORT     16 /* bytes that the shorter CRC protects */

/* What goes before the data: to the bit rate switch (FD) or the length. */
static int head_bits(bool extended, bool fd)
{
    /* SOF 1, id 11, RTR or RRS 1, IDE 1, reserved 1; FD: FDF, reserved, BRS; 29-bit: SRR for RTR,
     * 18 more of id, RTR, and one reserved bit more on classic CAN */
    if (fd) {
        return extended ? 36 : 17;
    }
    return extended ? 35 : 15;
}

int cantime_fd_bytes(int bytes)
{
    static const int lengths[] = {8, 12, 16, 20, 24, 32, 48, 64};
    int i = 0;
    while (i < 7 && bytes > lengths[i]) {
        i++;
    }
    return bytes <= 8 ? bytes : lengths[i];
}

/* Bits at the two rates, as time. */
static int64_t bits_ns(const struct cantime *t, int64_t nominal, int64_t data, bool switched)
{
    const int64_t slow = t->bitrate, fast = switched ? t->data_bitrate : t->bitrate;
    return nominal * NS_PER_S / slow + (data * NS_PER_S + fast - 1) / fast;
}

/*
 * Bits at the nominal rate and at that of the data, without dynamic stuff bits. The rate changes at
 * the sample points of BRS and of the CRC delimiter: with the sample at the same part of a bit at
 * both rates, together they take one bit of each.
 */
static void plain_bits(bool extended, bool fd, int bytes, int *ret_nominal, int *ret_data)
{
    *ret_nominal = head_bits(extended, fd) + TAIL_BITS;
    *ret_data = 4 + 8 * bytes + CRC_BITS;
    if (fd) {
        *ret_nominal -= 1; /* the CRC delimiter */
        *ret_data = 1 + 4 + 8 * bytes + (bytes <= FD_SHORT ? FD_CRC_SHORT : FD_CRC_LONG) + 1;
    }
}

void cantime_bounds_ns(const struct cantime *t, const struct cantime_kind *k, int64_t *ret_min_ns,
                       int64_t *ret_max_ns)
{
    const int bytes = k->fd ? cantime_fd_bytes(k->bytes) : k->bytes;
    const int head = head_bits(k->extended, k->fd);
    int nominal, data;
    plain_bits(k->extended, k->fd, bytes, &nominal, &data);
    /* the first after five bits, each further after four, for a stuff bit begins the next run; an
     * FD frame has a fixed stuff bit after its data in any case */
    const int stuffed = head + (k->fd ? 4 + 8 * bytes : 4 + 8 * bytes + CRC_BITS);
    const int slow_stuff = (head - 1) / (STUFF_RUN - 1);
    const int fast_stuff = (stuffed - 1) / (STUFF_RUN - 1) - slow_stuff;
    const bool switched = k->fd && t->data_bitrate > 0;
    *ret_min_ns = bits_ns(t, nominal, data, switched);
    *ret_max_ns = bits_ns(t, nominal + slow_stuff, data + fast_stuff, switched);
}

/* Bits in the order of the wire. */
struct bits {
    int n;
    uint8_t bit[BITS_MAX];
};

static void put(struct bits *b, uint32_t value, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        b->bit[b->n++] = (uint8_t)(value >> i & 1u);
    }
}

static void put_id(struct bits *b, uint32_t can_id, bool rtr, bool fd)
{
    const bool extended = (can_id & CAN_EFF_FLAG) != 0;
    put(b, 0, 1); /* SOF */
    if (extended) {
        put(b, (can_id & CAN_EFF_MASK) >> 18, 11);
        put(b, 3, 2); /* SRR, IDE */
        put(b, can_id & 0x3FFFF, 18);
        put(b, rtr, 1);
    } else {
        put(b, can_id & CAN_SFF_MASK, 11);
        put(b, rtr, 1);
        put(b, 0, 1); /* IDE */
    }
    if (fd) {
        put(b, 2, 2); /* FDF, reserved */
    } else {
        put(b, 0, extended ? 2 : 1); /* reserved */
    }
}

/* x^15 + x^14 + x^10 + x^8 + x^7 + x^4 + x^3 + 1, over what goes before it, unstuffed */
static uint32_t crc15(const struct bits *b)
{
    uint32_t crc = 0;
    for (int i = 0; i < b->n; i++) {
        const uint32_t next = b->bit[i] ^ (crc >> 14 & 1u);
        crc = (crc << 1 ^ (next != 0 ? 0x4599u : 0u)) & 0x7FFFu;
    }
    return crc;
}

/* Stuff bits after the first n bits: those within the first n_slow, and the others. */
static void count_stuff(const struct bits *b, int n, int n_slow, int *ret_slow, int *ret_fast)
{
    int run = 0, last = -1;
    *ret_slow = *ret_fast = 0;
    for (int i = 0; i < n; i++) {
        run = b->bit[i] == last ? run + 1 : 1;
        last = b->bit[i];
        if (run == STUFF_RUN) {
            *(i < n_slow ? ret_slow : ret_fast) += 1;
            last = !last;
            run = 1;
        }
    }
}

int64_t cantime_frame_ns(const struct cantime *t, const struct canfd_frame *f)
{
    static const uint8_t codes[] = {12, 16, 20, 24, 32, 48, 64};
    const bool extended = (f->can_id & CAN_EFF_FLAG) != 0, fd = (f->flags & CANFD_FDF) != 0;
    const bool rtr = !fd && (f->can_id & CAN_RTR_FLAG) != 0;
    const bool switched = fd && (f->flags & CANFD_BRS) != 0 && t->data_bitrate > 0;
    const int most = fd ? CANFD_MAX_DLEN : CAN_CLASSIC_BYTES;
    const int len = f->len < most ? f->len : most;
    const int bytes = rtr ? 0 : fd ? cantime_fd_bytes(len) : len;
    struct bits b = {.n = 0};
    int nominal, data, slow, fast, code = len;
    put_id(&b, f->can_id, rtr, fd);
    if (fd) {
        put(&b, (f->flags & CANFD_BRS) != 0, 1);
        put(&b, (f->flags & CANFD_ESI) != 0, 1);
        for (int i = 0; i < 7 && bytes > 8; i++) {
            code = codes[i] == bytes ? 9 + i : code;
        }
    }
    put(&b, (uint32_t)code, 4);
    for (int i = 0; i < bytes; i++) {
        put(&b, i < len ? f->data[i] : 0, 8);
    }
    if (!fd) {
        put(&b, crc15(&b), CRC_BITS);
    }
    plain_bits(extended, fd, bytes, &nominal, &data);
    /* after the last bit of its data an FD frame has a fixed stuff bit in any case */
    count_stuff(&b, fd ? b.n - 1 : b.n, head_bits(extended, fd), &slow, &fast);
    return bits_ns(t, nominal + slow, data + fast, switched);
}

#include "drivers/io/slcan_line.h"

#include <errno.h>
#include <linux/can/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define STAMP_CHARS 4
#define STATE_CHARS 8 /* s, state, three digits of either counter */

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static bool read_hex(const char *text, size_t n, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++) {
        const int d = digit(text[i]);
        if (d < 0) {
            return false;
        }
        value = value << 4 | (uint32_t)d;
    }
    *ret_value = value;
    return true;
}

static void put_hex(char *text, uint32_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        text[i] = "0123456789ABCDEF"[value >> 4 * (n - 1 - i) & 15u];
    }
}

int slcan_build(const struct canfd_frame *f, char *ret_text, size_t cap)
{
    const bool extended = (f->can_id & CAN_EFF_FLAG) != 0, rtr = (f->can_id & CAN_RTR_FLAG) != 0;
    const size_t id = extended ? 8 : 3, bytes = rtr ? 0 : f->len;
    const size_t n = 1 + id + 1 + 2 * bytes + 1;
    if ((f->flags & CANFD_FDF) != 0 || f->len > CAN_MAX_DLEN || (f->can_id & CAN_ERR_FLAG) != 0) {
        return -EINVAL;
    }
    if (n > cap) {
        return -ENOSPC;
    }
    ret_text[0] = "tTrR"[2 * rtr + extended];
    put_hex(ret_text + 1, f->can_id & (extended ? CAN_EFF_MASK : CAN_SFF_MASK), id);
    ret_text[1 + id] = (char)('0' + f->len);
    for (size_t i = 0; i < bytes; i++) {
        put_hex(ret_text + 2 + id + 2 * i, f->data[i], 2);
    }
    ret_text[n - 1] = SLCAN_CR;
    return (int)n;
}

/* t, T, r, R; false: not one. n without the line's end. */
static bool parse_frame(const char *text, size_t n, struct slcan_line *l)
{
    const bool extended = text[0] == 'T' || text[0] == 'R';
    const bool rtr = text[0] == 'r' || text[0] == 'R';
    const size_t id = extended ? 8 : 3;
    uint32_t value, stamp = 0;
    if (n < 2 + id || !read_hex(text + 1, id, &value) ||
        value > (extended ? CAN_EFF_MASK : CAN_SFF_MASK)) {
        return false;
    }
    const int len = digit(text[1 + id]);
    const size_t bytes = rtr ? 0 : (size_t)(len > 0 ? len : 0), whole = 2 + id + 2 * bytes;
    const bool stamped = n == whole + STAMP_CHARS;
    if (len < 0 || len > CAN_MAX_DLEN || (n != whole && !stamped) ||
        (stamped && !read_hex(text + whole, STAMP_CHARS, &stamp))) {
        return false;
    }
    struct canfd_frame f = {.can_id = value, .len = (uint8_t)len};
    f.can_id |= (extended ? CAN_EFF_FLAG : 0) | (rtr ? CAN_RTR_FLAG : 0);
    for (size_t i = 0; i < bytes; i++) {
        uint32_t byte;
        if (!read_hex(text + 2 + id + 2 * i, 2, &byte)) {
            return false;
        }
        f.data[i] = (uint8_t)byte;
    }
    l->frame = f;
    l->stamp_ms = stamped ? (int)stamp : -1;
    return true;
}

static struct canfd_frame error_frame(uint32_t class)
{
    return (struct canfd_frame){.can_id = CAN_ERR_FLAG | class, .len = CAN_ERR_DLC};
}

/* Fxx: bits 0 receive queue full, 1 transmit queue full, 2 warning, 3 overrun, 5 passive, 6
 * arbitration lost, 7 bus error. */
static bool parse_flags(const char *text, size_t n, struct slcan_line *l)
{
    uint32_t bits;
    if (n != 3 || !read_hex(text + 1, 2, &bits)) {
        return false;
    }
    l->frame = error_frame((bits & 0x80) != 0 ? CAN_ERR_BUSERROR : 0);
    uint8_t status = (bits & 0x09) != 0 ? CAN_ERR_CRTL_RX_OVERFLOW : 0;
    status |= (bits & 0x02) != 0 ? CAN_ERR_CRTL_TX_OVERFLOW : 0;
    status |= (bits & 0x04) != 0 ? CAN_ERR_CRTL_TX_WARNING : 0;
    status |= (bits & 0x20) != 0 ? CAN_ERR_CRTL_TX_PASSIVE : 0;
    l->frame.data[1] = status;
    l->frame.can_id |= status != 0 ? CAN_ERR_CRTL : 0u;
    return true;
}

/* Three decimal digits, of a counter that ends at 255. */
static bool read_count(const char *text, uint8_t *ret_count)
{
    int value = 0;
    for (int i = 0; i < 3; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *ret_count = value < 255 ? (uint8_t)value : 255;
    return true;
}

/* s[a|w|p|b]RRRTTT: active, warning, passive, bus-off, and both error counters */
static bool parse_state(const char *text, size_t n, struct slcan_line *l)
{
    uint8_t rx, tx;
    if (n != STATE_CHARS || !read_count(text + 2, &rx) || !read_count(text + 5, &tx)) {
        return false;
    }
    struct canfd_frame f = error_frame(CAN_ERR_CNT | CAN_ERR_CRTL);
    switch (text[1]) {
    case 'a':
        f.data[1] = CAN_ERR_CRTL_ACTIVE;
        break;
    case 'w':
        f.data[1] = CAN_ERR_CRTL_TX_WARNING;
        break;
    case 'p':
        f.data[1] = CAN_ERR_CRTL_TX_PASSIVE;
        break;
    case 'b':
        f.can_id = CAN_ERR_FLAG | CAN_ERR_CNT | CAN_ERR_BUSOFF;
        break;
    default:
        return false;
    }
    f.data[6] = tx;
    f.data[7] = rx;
    l->frame = f;
    return true;
}

/* eN...: a acknowledge, b B bit, c CRC, f form, s stuff; o O receive, transmit overrun */
static bool parse_errors(const char *text, size_t n, struct slcan_line *l)
{
    if (n < 3 || (size_t)digit(text[1]) != n - 2) {
        return false;
    }
    struct canfd_frame f = error_frame(0);
    for (size_t i = 2; i < n; i++) {
        switch (text[i]) {
        case 'a':
            f.can_id |= CAN_ERR_ACK;
            break;
        case 'b':
        case 'B':
        case 'c':
        case 'f':
        case 's':
            f.can_id |= CAN_ERR_PROT;
            break;
        case 'o':
            f.can_id |= CAN_ERR_CRTL;
            f.data[1] |= CAN_ERR_CRTL_RX_OVERFLOW;
            break;
        case 'O':
            f.can_id |= CAN_ERR_CRTL;
            f.data[1] |= CAN_ERR_CRTL_TX_OVERFLOW;
            break;
        default:
            return false;
        }
    }
    l->frame = f;
    return true;
}

static enum slcan_kind kind_of(const char *text, size_t n, struct slcan_line *l)
{
    if (n == 0 || (n == 1 && (text[0] == 'z' || text[0] == 'Z'))) {
        return SLCAN_YES;
    }
    switch (text[0]) {
    case 't':
    case 'T':
    case 'r':
    case 'R':
        return parse_frame(text, n, l) ? SLCAN_FRAME : SLCAN_GARBAGE;
    case 'F':
        return parse_flags(text, n, l) ? SLCAN_FRAME : SLCAN_GARBAGE;
    case 's':
        return parse_state(text, n, l) ? SLCAN_FRAME : SLCAN_GARBAGE;
    case 'e':
        return parse_errors(text, n, l) ? SLCAN_FRAME : SLCAN_GARBAGE;
    case 'V':
    case 'v':
    case 'N':
        return SLCAN_TEXT;
    default:
        return SLCAN_GARBAGE;
    }
}

size_t slcan_parse(const char *text, size_t n, struct slcan_line *ret_line)
{
    size_t end = 0;
    while (end < n && text[end] != SLCAN_CR && text[end] != SLCAN_BEL) {
        end++;
    }
    *ret_line = (struct slcan_line){.kind = SLCAN_GARBAGE, .stamp_ms = -1};
    if (end == n) {
        return n > SLCAN_LINE_MAX ? n : 0;
    }
    if (text[end] == SLCAN_BEL) {
        ret_line->kind = SLCAN_NO; /* whatever stands before it was not understood */
    } else {
        ret_line->kind = kind_of(text, end, ret_line);
    }
    return end + 1;
}

const char *slcan_rate(int bitrate)
{
    static const struct {
        int bitrate;
        const char *command;
    } rows[] = {{10000, "S0"},  {20000, "S1"},  {50000, "S2"},  {100000, "S3"}, {125000, "S4"},
                {250000, "S5"}, {500000, "S6"}, {800000, "S7"}, {1000000, "S8"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].bitrate == bitrate) {
            return rows[i].command;
        }
    }
    return NULL;
}

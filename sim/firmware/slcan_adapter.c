#include "sim/firmware/slcan_adapter.h"

#include <linux/can/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMP_MODULO_MS 60000

static const uint32_t rates[] = {10000,  20000,  50000,  100000, 125000,
                                 250000, 500000, 800000, 1000000};

static void say(struct adapter_out *o, const char *text)
{
    for (; *text != '\0' && o->n_text < sizeof o->text; text++) {
        o->text[o->n_text++] = *text;
    }
}

static bool all_hex(const char *text, size_t n)
{
    return strspn(text, "0123456789abcdefABCDEF") == n && strlen(text) == n;
}

/* A frame to send; the length of its line must be what its own length digit says. */
static bool read_frame(const struct adapter *a, struct canfd_frame *ret_frame)
{
    const bool wide = a->line[0] == 'T' || a->line[0] == 'R';
    const bool remote = a->line[0] == 'r' || a->line[0] == 'R';
    const size_t digits = wide ? 8 : 3;
    char id[9] = "";
    if (a->n < digits + 2 || !all_hex(a->line + 1, a->n - 1)) {
        return false;
    }
    memcpy(id, a->line + 1, digits);
    struct canfd_frame f = {.can_id = (canid_t)strtoul(id, NULL, 16)};
    const int len = a->line[1 + digits] - '0';
    const size_t shown = remote ? 0 : (size_t)len;
    if (len < 0 || len > 8 || f.can_id > (wide ? 0x1FFFFFFFu : 0x7FFu) ||
        a->n != digits + 2 + 2 * shown) {
        return false;
    }
    for (size_t i = 0; i < shown; i++) {
        const char pair[3] = {a->line[digits + 2 + 2 * i], a->line[digits + 3 + 2 * i], '\0'};
        f.data[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    f.len = (uint8_t)len;
    f.can_id |= (wide ? CAN_EFF_FLAG : 0u) | (remote ? CAN_RTR_FLAG : 0u);
    *ret_frame = f;
    return true;
}

/* S, O, L, C, Z: what may be said depends on whether the channel is open. */
static bool obey(struct adapter *a)
{
    const int argument = a->n == 2 ? a->line[1] : 0;
    switch (a->line[0]) {
    case 'S':
        if (a->open || argument < '0' || argument > '8') {
            return false;
        }
        a->bitrate = rates[argument - '0'];
        return true;
    case 'O':
    case 'L':
        if (a->open || a->n != 1 || a->bitrate == 0) {
            return false;
        }
        a->open = true;
        a->listens = a->line[0] == 'L';
        return true;
    case 'C': {
        const bool was = a->open;
        a->open = false;
        return was && a->n == 1;
    }
    case 'Z':
        if (a->open || (argument != '0' && argument != '1')) {
            return false;
        }
        a->stamps = argument == '1';
        return true;
    default:
        return false;
    }
}

static void end_of_line(struct adapter *a, struct adapter_out *o)
{
    struct canfd_frame f;
    const char kind = a->line[0];
    a->line[a->n] = '\0';
    if (a->n == 0) {
        say(o, a->silent ? "" : "\r");
    } else if (strchr("tTrR", kind) != NULL) {
        const bool sends = a->open && !a->listens && o->n_frames < ADAPTER_FRAMES;
        const bool good = sends && read_frame(a, &f);
        if (good) {
            o->frame[o->n_frames++] = f;
        }
        say(o, a->silent ? "" : !good ? "\a" : kind == 't' || kind == 'r' ? "z\r" : "Z\r");
    } else if (kind == 'V' && a->n == 1) {
        say(o, "V1013\r");
    } else if (kind == 'F' && a->n == 1 && a->open && !a->silent) {
        say(o, "F00\r");
    } else {
        const bool good = obey(a);
        say(o, a->silent ? "" : good ? "\r" : "\a");
    }
    a->n = 0;
}

void adapter_host(struct adapter *a, const char *text, size_t n, struct adapter_out *ret_out)
{
    ret_out->n_frames = 0;
    ret_out->n_text = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r') {
            end_of_line(a, ret_out);
        } else if (a->n + 1 < sizeof a->line) {
            a->line[a->n++] = text[i];
        }
    }
}

int adapter_bus(const struct adapter *a, const struct canfd_frame *f, int64_t t_ns, char *ret_text,
                size_t cap)
{
    char data[17] = "", stamp[5] = "";
    if (!a->open || (f->flags & CANFD_FDF) != 0) {
        return 0;
    }
    if ((f->can_id & CAN_ERR_FLAG) != 0) { /* as the kernel's driver understands them */
        const bool off = (f->can_id & CAN_ERR_BUSOFF) != 0;
        return snprintf(ret_text, cap, "%s", off ? "sb255000\r" : "sp000128\re1a\r");
    }
    const bool wide = (f->can_id & CAN_EFF_FLAG) != 0, remote = (f->can_id & CAN_RTR_FLAG) != 0;
    for (int i = 0; i < f->len && i < 8 && !remote; i++) {
        (void)snprintf(data + 2 * i, 3, "%02X", f->data[i]);
    }
    if (a->stamps) {
        const int ms = (int)(t_ns / 1000000 % STAMP_MODULO_MS);
        (void)snprintf(stamp, sizeof stamp, "%04X", (unsigned)ms & 0xFFFFu);
    }
    return wide ? snprintf(ret_text, cap, "%c%08X%d%s%s\r", remote ? 'R' : 'T',
                           f->can_id & CAN_EFF_MASK, f->len, data, stamp)
                : snprintf(ret_text, cap, "%c%03X%d%s%s\r", remote ? 'r' : 't',
                           f->can_id & CAN_SFF_MASK, f->len, data, stamp);
}

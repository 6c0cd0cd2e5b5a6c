/*
 * slcan's text as anything that a tty may bring, in pieces of any size. Never more used than given,
 * never stuck; what is taken for a frame is one, and its own line says the same again.
 */
#include "drivers/io/can_errors.h"
#include "drivers/io/slcan_line.h"
#include "sim/firmware/slcan_adapter.h"
#include "tests/fuzz/feed.h"

#include "daemon/base/rt.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_frame(const struct canfd_frame *f)
{
    struct can_errors e = {.n = {0}};
    char text[SLCAN_LINE_MAX];
    struct slcan_line again;
    basal_assert(f->len <= CAN_MAX_DLEN && (f->flags & CANFD_FDF) == 0);
    (void)can_errors_note(&e, f);
    if ((f->can_id & CAN_ERR_FLAG) != 0) {
        return;
    }
    const int len = slcan_build(f, text, sizeof text);
    basal_assert(len > 0 && slcan_parse(text, (size_t)len, &again) == (size_t)len);
    basal_assert(again.kind == SLCAN_FRAME && memcmp(&again.frame, f, sizeof *f) == 0);
}

/* The emulated adapter hears the same. */
static void tell_adapter(const char *text, size_t n)
{
    static struct adapter_out out;
    struct adapter a = {.open = true, .bitrate = 1000000};
    char line[SLCAN_LINE_MAX + 8];
    for (size_t at = 0; at < n; at += 256) {
        adapter_host(&a, text + at, n - at < 256 ? n - at : 256, &out);
        for (int i = 0; i < out.n_frames; i++) {
            check_frame(&out.frame[i]);
            basal_assert(adapter_bus(&a, &out.frame[i], 0, line, sizeof line) < (int)sizeof line);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct feed f = {.data = data, .n = n};
    char text[TEXT_MAX];
    size_t have = 0;
    while (feed_more(&f) || have > 0) {
        const size_t room = sizeof text - have;
        have += feed_bytes(&f, (uint8_t *)text + have, 1u + feed_u8(&f) % room);
        struct slcan_line line;
        size_t at = 0;
        for (size_t used = 1; used > 0; at += used) {
            used = slcan_parse(text + at, have - at, &line);
            basal_assert(used <= have - at);
            if (used > 0 && line.kind == SLCAN_FRAME) {
                check_frame(&line.frame);
            }
        }
        tell_adapter(text, have);
        basal_assert(have - at <= SLCAN_LINE_MAX);
        have -= at;
        memmove(text, text + at, have);
        if (!feed_more(&f)) {
            break;
        }
    }
    return 0;
}

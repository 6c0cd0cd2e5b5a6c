/* Any frames to all that looks for devices on a CAN bus: an id is one, or nobody's. */
#include "drivers/can_look.h"
#include "tests/fuzz/feed.h"

#include "daemon/base/rt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct can_seen seen[CAN_LOOK_IDS];
    for (int k = 0; can_drivers[k] != NULL; k++) {
        const struct can_look *look = can_drivers[k]->look;
        struct feed f = {.data = data, .n = n};
        can_look_begin(seen);
        while (look != NULL && feed_more(&f)) {
            struct canfd_frame rx = {.can_id = feed_u16(&f)};
            rx.can_id |= (uint32_t)feed_u16(&f) << 16;
            rx.len = (uint8_t)(feed_u8(&f) % 65);
            (void)feed_bytes(&f, rx.data, rx.len);
            const int id = look->hear(&rx, seen);
            basal_assert(id >= -1 && id < CAN_LOOK_IDS);
            basal_assert(id < 0 || seen[id].error_text != NULL);
        }
    }
    return 0;
}

/* Times of CAN frames: the datasheet's bounds, and frames whose bits another program has counted
 * from strings of 0 and 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/cantime.h"
#include "daemon/base/rng.h"

#include <string.h>

static const struct cantime classic = {.bitrate = 1000000};
static const struct cantime switched = {.bitrate = 1000000, .data_bitrate = 5000000};

static void bounds_are_those_of_the_data_sheets(void **state)
{
    (void)state;

    static const struct {
        struct cantime_kind kind;
        int64_t min_us, max_us;
    } rows[] = {
        {{0, false, false}, 47, 55},   {{4, false, false}, 79, 95},  {{7, false, false}, 103, 125},
        {{8, false, false}, 111, 135}, {{0, true, false}, 67, 80},   {{4, true, false}, 99, 120},
        {{7, true, false}, 123, 150},  {{8, true, false}, 131, 160},
    };

    int64_t min_ns, max_ns;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cantime_bounds_ns(&classic, &rows[i].kind, &min_ns, &max_ns);
        assert_int_equal(min_ns, rows[i].min_us * 1000);
        assert_int_equal(max_ns, rows[i].max_us * 1000);
    }
    /* 29 bits at 1 Mbit/s and 97 at 5; with 4 and 17 stuff bits */
    cantime_bounds_ns(&switched, &(struct cantime_kind){8, false, true}, &min_ns, &max_ns);
    assert_int_equal(min_ns, 48400);
    assert_int_equal(max_ns, 55800);
    cantime_bounds_ns(&switched, &(struct cantime_kind){64, false, true}, &min_ns, &max_ns);
    assert_int_equal(min_ns, 29000 + (5 + 512 + 32 + 1) * 200);
    /* at half the rate twice as long; without a data rate all bits are slow */
    const struct cantime half = {.bitrate = 500000};
    cantime_bounds_ns(&half, &(struct cantime_kind){8, false, false}, &min_ns, &max_ns);
    assert_int_equal(min_ns, 222000);
    cantime_bounds_ns(&classic, &(struct cantime_kind){8, false, true}, &min_ns, &max_ns);
    assert_int_equal(min_ns, 126000);
}

static void frames_are_counted_to_the_bit(void **state)
{
    (void)state;

    static const struct {
        struct canfd_frame frame;
        int64_t ns;
    } rows[] = {
        {{.can_id = 0x001, .len = 8, .data = {255, 255, 255, 255, 255, 255, 255, 0xFC}}, 125000},
        {{.can_id = 0x001, .len = 8, .data = {0x7F, 0xFF, 0x7F, 0xF0, 0, 0, 7, 0xFF}}, 126000},
        {{.can_id = 0x014, .len = 1, .data = {1}}, 58000},
        {{.can_id = 0x7FF, .len = 8, .data = {85, 85, 85, 85, 85, 85, 85, 85}}, 113000},
        {{.can_id = 0x555, .len = 8, .data = {85, 85, 85, 85, 85, 85, 85, 85}}, 112000},
        {{.can_id = 0x000, .len = 8}, 127000},
        {{.can_id = 0x000, .len = 0}, 53000},
        {{.can_id = 0x1100FD7F | CAN_EFF_FLAG, .len = 8, .data = {0x1E, 0x70}}, 146000},
        {{.can_id = 0x069 | CAN_RTR_FLAG, .len = 8}, 48000},
        {{.can_id = 0x001,
          .len = 8,
          .flags = CANFD_FDF | CANFD_BRS,
          .data = {255, 255, 255, 255, 255, 255, 255, 0xFC}},
         31000 + 109 * 200},
        {{.can_id = 0x000, .len = 64, .flags = CANFD_FDF | CANFD_BRS}, 31000 + 652 * 200},
        {{.can_id = 0x011,
          .len = 8,
          .flags = CANFD_FDF | CANFD_BRS,
          .data = {0x11, 0x8A, 0x3C, 0x77, 0x78, 0x65, 0x23, 0x20}},
         30000 + 98 * 200},
        {{.can_id = 0x1100FD7F | CAN_EFF_FLAG, .len = 12, .flags = CANFD_FDF | CANFD_BRS},
         51000 + 148 * 200},
        /* a length between two goes as the next longer one */
        {{.can_id = 0x1100FD7F | CAN_EFF_FLAG, .len = 9, .flags = CANFD_FDF | CANFD_BRS},
         51000 + 148 * 200},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(cantime_frame_ns(&switched, &rows[i].frame), rows[i].ns);
    }
}

/* Frames with long runs, where stuff bits are. */
static void every_frame_is_within_its_bounds(void **state)
{
    static const uint8_t runs[] = {0x00, 0xFF, 0x0F, 0xF0, 0x87, 0x78, 0x3C, 0xC3, 0x55};
    struct rng rng;
    (void)state;
    rng_seed(&rng, 1);
    int64_t longest_ns = 0;
    for (int i = 0; i < 20000; i++) {
        const uint64_t u = rng_u64(&rng);
        struct cantime_kind k = {.extended = (u & 1) != 0, .fd = (u & 2) != 0};
        k.bytes = (int)(u >> 8) & (k.fd ? 63 : 7);
        k.bytes += k.bytes == 7;
        struct canfd_frame f = {.can_id = (uint32_t)(rng_u64(&rng) & CAN_EFF_MASK),
                                .len = (uint8_t)k.bytes};
        f.can_id = k.extended ? f.can_id | CAN_EFF_FLAG : f.can_id & CAN_SFF_MASK;
        f.can_id &= (u & 4) != 0 ? UINT32_MAX : CAN_EFF_FLAG | 0x1F;
        f.flags = k.fd ? CANFD_FDF | CANFD_BRS : 0;
        for (int n = 0; n < k.bytes; n++) {
            f.data[n] = runs[rng_u64(&rng) % sizeof runs];
        }
        int64_t min_ns, max_ns;
        cantime_bounds_ns(&switched, &k, &min_ns, &max_ns);
        const int64_t ns = cantime_frame_ns(&switched, &f);
        assert_in_range(ns, min_ns, max_ns);
        longest_ns = !k.fd && !k.extended && ns > longest_ns ? ns : longest_ns;
    }
    assert_true(longest_ns > 124000); /* it was tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_those_of_the_data_sheets),
        cmocka_unit_test(frames_are_counted_to_the_bit),
        cmocka_unit_test(every_frame_is_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "daemon/bus_load.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define BITS_A_BYTE 10 /* with start and stop */

static int wire_us(const struct bus_spec *b, int bytes)
{
    return (int)((int64_t)bytes * BITS_A_BYTE * 1000000 / b->baud);
}

/* One more request, for what changes slowly, belongs to a tick: temperature, voltage and torque are
 * seen by it alone. */
static int slow_us(const struct bus_codec *c, const struct bus_spec *b)
{
    return (int)((int64_t)c->info->reply_us_max * DRIVER_BAUD / bus_bitrate(c, b));
}

static void serial_budget(const struct robot *r, int bus, const struct bus_codec *c,
                          struct bus_budget *ret_budget)
{
    const struct bus_spec *b = &r->bus[bus];
    struct bus_load load;
    c->serial->load(r, bus, &load);
    ret_budget->goals_us = wire_us(b, load.goals_bytes);
    ret_budget->read_us = wire_us(b, load.read_bytes) + load.pauses_us + slow_us(c, b);
}

static void can_budget(const struct robot *r, int bus, const struct bus_codec *c,
                       struct bus_budget *ret_budget)
{
    const struct bus_spec *b = &r->bus[bus];
    const struct cantime rate = bus_cantime(b);
    struct can_load load = {.n = 0};
    c->can->load(r, bus, &load);
    for (int i = 0; i < load.n; i++) {
        const struct can_frames *f = &load.frames[i];
        const struct cantime_kind kind = {
            .bytes = f->bytes, .extended = f->extended, .fd = b->data_bitrate > 0};
        int64_t low_ns, high_ns;
        cantime_bounds_ns(&rate, &kind, &low_ns, &high_ns);
        ret_budget->tick_min_ns += f->n * low_ns;
        ret_budget->tick_max_ns += f->n * high_ns;
        ret_budget->frames += f->n;
    }
    ret_budget->tick_max_ns += slow_us(c, b) * INT64_C(1000);
    ret_budget->load_min_frac = (double)ret_budget->tick_min_ns * 1e-9 * r->control_rate_hz;
    ret_budget->load_max_frac = (double)ret_budget->tick_max_ns * 1e-9 * r->control_rate_hz;
    ret_budget->read_us = (int)((ret_budget->tick_max_ns + 999) / 1000) + load.reply_us;
}

void bus_budget(const struct robot *r, int bus, struct bus_budget *ret_budget)
{
    const struct bus_codec c = bus_codec_find(r->bus[bus].driver);
    *ret_budget = (struct bus_budget){.joints = 0};
    for (int j = 0; j < r->n_joints; j++) {
        ret_budget->joints += r->joint[j].bus == bus;
    }
    if (c.can != NULL) {
        can_budget(r, bus, &c, ret_budget);
    } else {
        serial_budget(r, bus, &c, ret_budget);
    }
}

int bus_budget_text(const struct robot *r, int bus, const struct bus_budget *b, char *ret_text,
                    int cap)
{
    const struct bus_spec *s = &r->bus[bus];
    char data[32] = "";
    if (s->data_bitrate > 0) {
        (void)snprintf(data, sizeof data, ", data at %d", s->data_bitrate);
    }
    return snprintf(ret_text, (size_t)cap,
                    "bus %s: %d frames a tick at %g Hz take %.0f to %.0f %% of %d bit/s%s", s->name,
                    b->frames, r->control_rate_hz, b->load_min_frac * 100, b->load_max_frac * 100,
                    s->bitrate, data);
}

int bus_budget_check(const struct robot *r, int bus, const struct bus_budget *b, char *ret_why,
                     int cap)
{
    char text[160];
    if (b->load_max_frac <= BUS_LOAD_MAX_FRAC) {
        return 0;
    }
    (void)bus_budget_text(r, bus, b, text, (int)sizeof text);
    const char *const other =
        r->bus[bus].data_bitrate > 0 ? "a higher data_bitrate" : "CAN FD (data_bitrate)";
    return why(ret_why, cap, -EINVAL,
               "%s, more than %.0f %%: use a rate_hz of at most %.0f, %s, or a second bus", text,
               BUS_LOAD_MAX_FRAC * 100, floor(BUS_LOAD_MAX_FRAC * 1e9 / (double)b->tick_max_ns),
               other);
}

/*
 * Goals onto the buses, in one of two orders. same_tick: at a fixed phase of the tick that computed
 * them. pipelined: first thing in the next one. Either way the delay from sample to torque is
 * constant.
 */
#include "daemon/plant_inside.h"

#include <errno.h>

static bool may_write(const struct plant *p, const struct bus_run *b)
{
    return plant_reaches(p, b) && p->job == JOB_NONE &&
           (p->doing == PLANT_RUN || (p->doing == PLANT_STOP && !p->stopped));
}

/* Returns the time, at_ns or later; no system call when it is late already. */
static int64_t wait_until(struct clock *c, int64_t at_ns)
{
    const int64_t now_ns = clock_now_ns(c);
    return now_ns < at_ns ? clock_sleep_until(c, at_ns) : now_ns;
}

/* Not before at_ns. */
static void send_goals(struct plant *p, struct bus_run *b, const struct command *cmd, int64_t at_ns)
{
    FRAMES_ALIGNED uint8_t tx[TX_BYTES];
    const int n = bus_goals(&b->codec, &b->bus, cmd, tx, sizeof tx);
    if (n <= 0) {
        return;
    }
    const int64_t late_ns = p->wall != NULL ? wait_until(p->wall, at_ns) - at_ns : 0;
    (void)wait_until(p->clock, at_ns);
    if (p->world != NULL) {
        world_advance(p->world, at_ns);
    }
    const int rc = plant_send(p, b, tx, (size_t)n);
    if (rc == 0) {
        p->counters.last_byte_ns = b->port.sent_ns - p->t_ns + late_ns;
    } else if (rc == -EIO) {
        plant_lose(p, b);
    }
}

void plant_send_stored(struct plant *p, struct bus_run *b)
{
    if (b->bus.spec->order != ORDER_PIPELINED) {
        return;
    }
    if (may_write(p, b)) {
        send_goals(p, b, &p->stored, p->t_ns);
    } else if (b->codec.can != NULL) { /* what answers its commands alone is seen limp too */
        const struct command off = {.n = p->sensed.n};
        send_goals(p, b, &off, p->t_ns);
    }
}

void plant_write(struct plant *p, const struct command *cmd)
{
    if (p->kind == PLANT_BODY) {
        world_command(p->world, cmd);
        return;
    }
    p->stored = *cmd;
    for (int i = 0; i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        if (may_write(p, b) && b->bus.spec->order == ORDER_SAME_TICK) {
            send_goals(p, b, cmd, p->t_ns + p->late_ns + b->bus.spec->write_phase_us * NS_PER_US);
        }
    }
}

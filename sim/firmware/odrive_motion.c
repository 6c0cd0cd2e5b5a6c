#include "sim/firmware/odrive.h"

#include <math.h>

#define HOT_C        100.0
#define HEARTBEAT_NS INT64_C(100000000)
#define ESTIMATES_NS INT64_C(10000000)

void odrive_power_up(struct odrive_axis *z, int64_t t_ns)
{
    z->state = ODRIVE_IDLE;
    z->error = 0;
    z->control = ODRIVE_BY_POSITION;
    z->turns = z->turns_s = z->nm = 0.0;
    z->turns_s_max = 10.0;
    z->amps_max = 20.0;
    z->heard_ns = z->beat_ns = z->told_ns = t_ns;
    z->out.n = 0;
}

static void heartbeat(struct odrive_axis *z, int64_t t_ns)
{
    const bool old = z->c.firmware == 0;
    const uint32_t more = old ? (z->control == ODRIVE_BY_POSITION ? 0x80000000u : 0u)
                              : (z->error != 0 ? 0x300u : 0u); /* 3: disarmed */
    odrive_say(z, ODRIVE_HEARTBEAT, z->error, z->state | more, t_ns);
}

static void fail(struct odrive_axis *z, uint32_t error)
{
    z->error |= error;
    z->state = ODRIVE_IDLE;
}

static void watch(struct odrive_axis *z, int64_t before_ns)
{
    const bool old = z->c.firmware == 0;
    const int64_t now_ns = z->m.now_ns;
    const double before_s = (double)before_ns * 1e-9, now_s = (double)now_ns * 1e-9;
    if (can_browns_out(&z->c.demands, before_ns, now_ns)) {
        odrive_power_up(z, now_ns);
        z->silent_until_ns = now_ns + ODRIVE_BOOT_NS;
    }
    if (z->state == ODRIVE_CLOSED_LOOP && z->c.watchdog_s > 0.0 &&
        (double)(now_ns - z->heard_ns) * 1e-9 > z->c.watchdog_s) {
        fail(z, old ? ODRIVE_05_WATCHDOG : ODRIVE_06_WATCHDOG);
    }
    if (z->c.error_at_s > 0.0 && before_s < z->c.error_at_s && now_s >= z->c.error_at_s) {
        fail(z, (uint32_t)z->c.error);
    }
    if (z->m.temp_c > HOT_C) {
        fail(z, old ? 0x40000u : 0x2000u);
    }
    if (now_ns < z->silent_until_ns || can_silent(&z->c.demands, now_ns)) {
        return;
    }
    if (now_ns - z->beat_ns >= HEARTBEAT_NS) {
        z->beat_ns = now_ns;
        heartbeat(z, now_ns);
    }
    if (z->c.cyclic && now_ns - z->told_ns >= ESTIMATES_NS) {
        z->told_ns = now_ns;
        odrive_tell(z, ODRIVE_ESTIMATES, now_ns);
    }
}

void odrive_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd)
{
    struct odrive_axis *z = state;
    const int64_t before_ns = z->m.now_ns;
    const double volt_v = (double)s->volt_v[z->m.joint];
    can_motor_sense(&z->m, &z->c.demands, t_ns, s);
    z->volt_v = isfinite(volt_v) ? volt_v : 24.0;
    watch(z, before_ns);
    struct can_effort e = {.mode = MODE_OFF, .p = z->m.p};
    if (z->state == ODRIVE_CLOSED_LOOP) {
        const bool position = z->control == ODRIVE_BY_POSITION;
        const bool torque = z->control == ODRIVE_BY_TORQUE;
        const double most = fabs(z->turns_s_max);
        e = (struct can_effort){.mode = MODE_IMPEDANCE,
                                .p = position ? z->turns * ODRIVE_TURN : z->m.p,
                                .v = torque ? 0.0
                                            : fmax(-most, fmin(most, z->turns_s)) * ODRIVE_TURN,
                                .t = z->nm,
                                .kp = position ? z->c.kp : 0.0,
                                .kd = torque ? 0.0 : z->c.kd,
                                .t_max = fabs(z->amps_max) * z->c.nm_per_a};
    }
    can_motor_command(&z->m, &e, ret_cmd);
}

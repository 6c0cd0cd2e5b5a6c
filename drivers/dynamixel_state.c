/*
 * Dynamixel Protocol 2.0, X-series: what comes back in a tick. Only what was asked is taken: by id,
 * by length, once; all else is counted and dropped.
 */
#include "drivers/dynamixel.h"

#include "daemon/base/clock.h"
#include "drivers/joints.h"

#include <errno.h>
#include <stdlib.h>

#define SAME_TICKS_MAX 5 /* replies with one and the same device time: it is frozen */
/* Device time may differ from ours by this much between replies, and by 1/1000 of the time between
 * them; more is a reboot. */
#define TICK_SLACK_US 200000 /* a late host is no restarted device; a restart loses 0.3 to 1 s */
#define DRIFT         1000

#define HARDWARE_FAULTS                                                                            \
    ((uint32_t)(FAULT_VOLTAGE | FAULT_OVERHEAT | FAULT_ENCODER | FAULT_ELECTRICAL |                \
                FAULT_OVERLOAD | FAULT_ALERT))

static bool tick_fits(int64_t moved_us, int64_t passed_us)
{
    const int64_t wrap_us = (int64_t)DXL_TICK_MODULO * 1000;
    const int64_t off_us = llabs(moved_us - passed_us % wrap_us);
    const int64_t slack_us = TICK_SLACK_US + passed_us / DRIFT;
    return off_us < slack_us || off_us > wrap_us - slack_us;
}

/* The device's own clock gives the sample's age, says when it stands still, and when the device
 * started anew. */
static void follow_tick(struct dxl_joint *z, uint16_t tick_ms, struct sensed *s, int j)
{
    const int64_t wrap_us = (int64_t)DXL_TICK_MODULO * 1000;
    const int64_t lag_us = (s->t_ns / NS_PER_US - (int64_t)tick_ms * 1000) % wrap_us;
    if (!z->ticked || llabs(lag_us - z->offset_us) > TICK_SLACK_US || lag_us < z->offset_us) {
        z->offset_us = lag_us;
    }
    if (z->ticked) {
        const int64_t passed_us = (s->t_ns - z->tick_host_ns) / NS_PER_US;
        const int64_t moved_us = (((int64_t)tick_ms - z->tick_ms) * 1000 + wrap_us) % wrap_us;
        z->same_ticks = moved_us == 0 && passed_us > 2000 ? z->same_ticks + 1 : 0;
        if (z->same_ticks > SAME_TICKS_MAX) {
            s->faults[j] |= FAULT_FROZEN;
        } else {
            s->faults[j] &= ~(uint32_t)FAULT_FROZEN;
            s->faults[j] |= tick_fits(moved_us, passed_us) ? 0u : FAULT_REBOOT;
        }
    }
    s->age_us[j] = (int32_t)(lag_us - z->offset_us);
    if (z->ticked) { /* follows two clocks that drift apart */
        z->offset_us += (s->t_ns - z->tick_host_ns) / NS_PER_US / DRIFT;
    }
    z->tick_ms = tick_ms;
    z->tick_host_ns = s->t_ns;
    z->ticked = true;
}

static double effort_nm(const struct robot_bus *b, int j, int16_t raw)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    const struct dxl_model_row *row = dxl_model_find(b->id[j].model);
    if (!(spec->tau_stall > 0.0)) {
        return 0.0; /* measured only: nobody stated its torque */
    }
    if (row == NULL || !row->has_current) {
        return spec->sign * raw / 1000.0 * spec->tau_stall; /* load: a part of full drive */
    }
    return spec->sign * (raw * row->ma_per_unit / 1000.0) * dxl_nm_per_a(b, j);
}

static void take_state(struct robot_bus *b, int j, const uint8_t *p, struct sensed *s)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    const int32_t counts = (int32_t)dxl_get32(p + DXL_PRESENT_POSITION - DXL_STATE_FROM);
    const int32_t rate = (int32_t)dxl_get32(p + DXL_PRESENT_VELOCITY - DXL_STATE_FROM);
    follow_tick(b->state[j], dxl_get16(p), s, j);
    s->q[j] = joint_from_device(spec, ((double)counts - DXL_COUNTS_MIDDLE) * DXL_RAD_PER_COUNT);
    s->qd[j] = joint_rate_from_device(spec, rate * DXL_RAD_S_PER_UNIT);
    s->tau[j] = effort_nm(b, j, (int16_t)dxl_get16(p + DXL_PRESENT_CURRENT - DXL_STATE_FROM));
}

/* Hardware Error Status (70) onto enum joint_fault. */
uint32_t dxl_faults(uint8_t status)
{
    static const struct {
        uint8_t bit;
        uint32_t fault;
    } map[] = {{1, FAULT_VOLTAGE},
               {4, FAULT_OVERHEAT},
               {8, FAULT_ENCODER},
               {16, FAULT_ELECTRICAL},
               {32, FAULT_OVERLOAD}};

    uint32_t faults = 0;
    for (unsigned i = 0; i < sizeof map / sizeof map[0]; i++) {
        faults |= (status & map[i].bit) != 0 ? map[i].fault : 0;
    }
    return faults == 0 && status != 0 ? FAULT_ALERT : faults;
}

/* The row that b->last_addr names, as dynamixel.c asks for it. */
static void take_slow(struct robot_bus *b, int j, const uint8_t *p, struct sensed *s)
{
    const uint8_t *power = p + DXL_PRESENT_VOLTAGE - DXL_POSITION_TRAJECTORY;
    const uint8_t hardware = p[b->last_addr == DXL_STATUS_LEVEL ? 2 : 0];
    switch (b->last_addr) {
    case DXL_POSITION_TRAJECTORY:
        s->volt_v[j] = (float)dxl_get16(power) * 0.1f;
        s->temp_c[j] = (float)power[2];
        break;
    case DXL_STATUS_LEVEL:
        s->faults[j] = (s->faults[j] & ~HARDWARE_FAULTS) | dxl_faults(hardware);
        break;
    case DXL_TORQUE_ENABLE:
        s->torque[j] = p[0] != 0 ? TORQUE_ON : TORQUE_OFF;
        break;
    case DXL_WATCHDOG:
        s->faults[j] =
            p[0] == 0xFF ? s->faults[j] | FAULT_WATCHDOG : s->faults[j] & ~(uint32_t)FAULT_WATCHDOG;
        break;
    default:
        break;
    }
}

/* Every status says whether there is a hardware error; register 70, read next, says which. */
static void take_alert(struct dxl_joint *z, bool alert, struct sensed *s, int j)
{
    if (!alert) {
        s->faults[j] &= ~HARDWARE_FAULTS;
        z->alert_unread = false;
    } else if ((s->faults[j] & HARDWARE_FAULTS) == 0) {
        s->faults[j] |= FAULT_ALERT;
        z->alert_unread = true;
    }
}

static bool is_pending(const struct robot_bus *b, int id)
{
    const int j = robot_bus_joint(b, id);
    return j >= 0 && (b->pending >> j & 1u) != 0;
}

/* A reply that answers what was asked: take it. */
static void take_reply(struct robot_bus *b, int id, uint8_t error, const uint8_t *p, size_t n,
                       struct sensed *s)
{
    if (!is_pending(b, id) || n != b->last_len || (error & 0x7F) != 0) {
        b->bad_replies++;
        return;
    }
    const int j = robot_bus_joint(b, id);
    b->pending &= ~(UINT64_C(1) << j);
    if (b->last_addr == DXL_STATE_FROM) {
        b->unread &= ~(UINT64_C(1) << j);
        take_state(b, j, p, s);
    } else {
        take_slow(b, j, p, s);
    }
    take_alert(b->state[j], (error & DXL_ALERT) != 0, s, j);
}

/*
 * One packet of all: ERR ID data.. CRC CRC per device, each CRC over everything before it. A block
 * is taken as soon as it is there: where a device is missing the packet ends before it.
 */
static int take_fast(struct robot_bus *b, const uint8_t *rx, size_t n, struct sensed *s)
{
    const size_t block = (size_t)b->last_len + 4, total = dxl_get16(rx + 5) + (size_t)DXL_HEADER;
    uint16_t crc = dxl_crc(0, rx, DXL_HEADER + 1);
    bool fresh = false;
    for (size_t at = DXL_HEADER + 1; at + block <= n && at + block <= total; at += block) {
        crc = dxl_crc(crc, rx + at, block - 2);
        if (dxl_get16(rx + at + block - 2) != crc) {
            b->crc_errors++;
            return -EBADMSG; /* and so would be every later one */
        }
        crc = dxl_crc(crc, rx + at + block - 2, 2);
        if (is_pending(b, rx[at + 1])) {
            take_reply(b, rx[at + 1], rx[at], rx + at + 2, b->last_len, s);
            fresh = true;
        }
    }
    if (n < total) {
        return 0;
    }
    b->bad_replies += !fresh;
    return (int)total;
}

int dxl_decode(struct robot_bus *b, const uint8_t *rx, size_t n, struct sensed *ret_sensed)
{
    const bool header = dxl_has_header(rx, n);
    if (header && rx[DXL_HEADER] != DXL_STATUS) {
        b->bad_replies++; /* someone else sends on this bus, or our own echo; or half of it is noise
                           */
        return -EBADMSG;
    }
    if (header) {
        const size_t len = dxl_get16(rx + 5);
        const size_t fast_len = 1 + (size_t)b->n * (DXL_STATE_BYTES + 4);
        const bool fast = rx[4] == DXL_BROADCAST;
        if (len > (fast ? fast_len : DXL_STATUS_LEN_MAX)) {
            b->crc_errors++; /* nobody was asked for that much: do not wait for it */
            return -EBADMSG;
        }
        if (fast && len == fast_len && b->last_addr == DXL_STATE_FROM) {
            return take_fast(b, rx, n, ret_sensed);
        }
    }
    struct dxl_packet p;
    const int used = dxl_parse(rx, n, &p);
    if (used <= 0) {
        b->crc_errors += used == -EBADMSG && header;
        return used;
    }
    if (p.id == DXL_BROADCAST) {
        b->bad_replies++; /* it was asked before */
    } else {
        take_reply(b, p.id, p.error, p.params, p.n_params, ret_sensed);
    }
    return used;
}

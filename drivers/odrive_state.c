/*
 * ODrive axes by CANSimple: what comes back in a tick. What an axis says of its own accord is
 * taken, too; numbers that are none are not.
 */
#include "drivers/odrive.h"

#include "drivers/joints.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static float f32(const uint8_t *p)
{
    float f;
    memcpy(&f, p, sizeof f);
    return f;
}

void odrive_note(const struct robot_bus *b, int joint, const struct canfd_frame *rx)
{
    struct odrive_joint *z = b->state[joint];
    if (odrive_message_of(b, joint, rx) == ODRIVE_HEARTBEAT) {
        memcpy(&z->error, rx->data, sizeof z->error);
        z->can.enabled = rx->data[4] == ODRIVE_CLOSED_LOOP;
    } else {
        z->can.p_rad = (double)f32(rx->data) * ODRIVE_RAD;
        z->can.v_rad_s = (double)f32(rx->data + 4) * ODRIVE_RAD;
        z->can.heard = true;
    }
}

/* Protocol; hardware major, minor, variant; firmware major, minor, revision. */
void odrive_version(const uint8_t *data, struct identity *ret_id)
{
    ret_id->model = data[1] * 100 + data[2];
    ret_id->firmware = data[4] * 10000 + data[5] * 100 + data[6];
}

struct error_row {
    uint32_t bits[2]; /* firmware 0.5, 0.6 */
    uint32_t fault;
};

static uint32_t faults_of(uint32_t error, int firmware)
{
    static const struct error_row rows[] = {
        {{0, 0x100 | 0x200}, FAULT_VOLTAGE},
        {{0x40000, 0x2000 | 0x4000 | 0x10000000}, FAULT_OVERHEAT},
        {{0x100 | 0x80, 0x8 | 0x4000000}, FAULT_ENCODER},
        {{0x40, 0x20 | 0x400 | 0x800 | 0x8000000}, FAULT_ELECTRICAL},
        {{0, 0x1000}, FAULT_OVERLOAD},
        {{ODRIVE_05_WATCHDOG, ODRIVE_06_WATCHDOG}, FAULT_WATCHDOG}};

    uint32_t faults = 0;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        faults |= (error & rows[i].bits[firmware]) != 0 ? rows[i].fault : 0;
    }
    return faults == 0 && error != 0 ? (uint32_t)FAULT_ALERT : faults;
}

/* A motor without a thermistor has no temperature. */
static bool finite_pair(int what, const uint8_t *d)
{
    return isfinite(f32(d)) && (what == ODRIVE_TEMPERATURE || isfinite(f32(d + 4)));
}

/* False: its numbers are none. */
static bool take(struct robot_bus *b, int j, int what, const struct canfd_frame *rx,
                 struct sensed *s)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    const struct odrive_joint *z = b->state[j];
    const uint8_t *d = rx->data;
    if (what != ODRIVE_HEARTBEAT && !finite_pair(what, d)) {
        return false;
    }
    switch (what) {
    case ODRIVE_HEARTBEAT:
        odrive_note(b, j, rx);
        s->torque[j] = z->can.enabled ? TORQUE_ON : TORQUE_OFF;
        s->faults[j] = (s->faults[j] & ~CAN_DEVICE_FAULTS) |
                       faults_of(z->error, odrive_config_of(b, j)->firmware);
        break;
    case ODRIVE_ESTIMATES:
        odrive_note(b, j, rx);
        s->q[j] = joint_from_device(spec, z->can.p_rad);
        s->qd[j] = joint_rate_from_device(spec, z->can.v_rad_s);
        break;
    case ODRIVE_IQ: /* set, measured */
        s->tau[j] = spec->sign * (double)f32(d + 4) * odrive_config_of(b, j)->nm_per_a * spec->gear;
        break;
    case ODRIVE_BUS:
        s->volt_v[j] = f32(d);
        break;
    default: /* inverter, motor: the hotter */
        s->temp_c[j] = isfinite(f32(d + 4)) ? fmaxf(f32(d), f32(d + 4)) : f32(d);
        break;
    }
    return true;
}

int odrive_decode(struct robot_bus *b, const struct canfd_frame *rx, struct sensed *ret_sensed)
{
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k], what = odrive_message_of(b, j, rx);
        const bool known = what == ODRIVE_HEARTBEAT || what == ODRIVE_ESTIMATES ||
                           what == ODRIVE_IQ || what == ODRIVE_BUS || what == ODRIVE_TEMPERATURE;
        if (!known) {
            continue;
        }
        if (rx->len < 8 || !take(b, j, what, rx, ret_sensed)) {
            return -EBADMSG;
        }
        if (what == b->last_addr) {
            b->pending &= ~(UINT64_C(1) << j);
        }
        return 1;
    }
    return 0;
}

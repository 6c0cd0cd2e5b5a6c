/*
 * Damiao DM-J motors in MIT mode, classic CAN or CAN FD. Pure codec; set-up is damiao_setup.c.
 *
 *   goals  id           p v kp kd t (mit.h)             to a motor that is enabled
 *          7FF          idL idH CC 00 00 00 00 00       refresh: earns a state, commands nothing
 *   state  master id    status << 4 | id, p, v, t, MOSFET C, rotor C
 *   stop   id           FF FF FF FF FF FF FF FD
 *
 * Position, velocity, torque are parts of ranges that the motor holds in registers 21 to 23 and
 * set-up reads. A motor that hears nothing for the time in register 9 disables itself.
 */
#include "drivers/damiao.h"

#include <errno.h>
#include <string.h>

#define AT(field) offsetof(struct dm_config, field)

/* clang-format off */
static const struct option dm_options[] = {
    {.key = "master_id", .type = OPTION_INT, .offset = AT(master_id), .min = 0, .max = 2047, .def = "0",
     .help = "CAN id of the motor's answers, register 7; 0: its id + 16"},
    {.key = "kp_nm_rad", .type = OPTION_DOUBLE, .offset = AT(gains.kp_nm_rad), .min = 0, .max = 100000, .def = "10",
     .help = "stiffness of position goals at the joint; at most 500 gear^2"},
    {.key = "kd_nms_rad", .type = OPTION_DOUBLE, .offset = AT(gains.kd_nms_rad), .min = 0, .max = 10000, .def = "0.5",
     .help = "damping of position and velocity goals at the joint; at most 5 gear^2"},
    {.key = NULL},
};

const struct silence_row dm_silence_rows[] = {
    {0, DM_MODE_MIT, 0, UINT32_MAX, SILENCE_OFF, "vendor's wiki, TIMEOUT (9): communication lost disables"},
    {.source = NULL},
};

/* clang-format on */

const struct dm_config *dm_config_of(const struct robot_bus *b, int joint)
{
    static const struct dm_config plain = {.gains = {10.0, 0.5}};
    const struct dm_config *c = b->robot->joint[joint].driver;
    return c != NULL ? c : &plain;
}

bool dm_on_master_id(const struct robot_bus *b, int joint, const struct canfd_frame *rx)
{
    const int set = dm_config_of(b, joint)->master_id;
    return rx->can_id == (canid_t)(set != 0 ? set : b->robot->joint[joint].id + DM_MST_ID_MORE);
}

bool dm_is_state(const struct robot_bus *b, int joint, const struct canfd_frame *rx)
{
    return dm_on_master_id(b, joint, rx) && rx->len >= MIT_BYTES &&
           (rx->data[0] & 0xF) == (b->robot->joint[joint].id & 0xF);
}

void dm_note(const struct robot_bus *b, int joint, const struct canfd_frame *rx,
             struct mit_state *ret_state)
{
    struct dm_joint *z = b->state[joint];
    z->status = rx->data[0] >> 4;
    z->can.enabled = z->status == DM_ENABLED;
    mit_unpack(&z->range, rx->data, ret_state);
    mit_note(b, joint, ret_state);
}

void dm_refresh(const struct robot_bus *b, int joint, struct canfd_frame *ret_tx)
{
    const int id = b->robot->joint[joint].id;
    const uint8_t data[8] = {(uint8_t)id, (uint8_t)(id >> 8), DM_REFRESH};
    can_frame(b, DM_REGISTER_ID, data, (int)sizeof data, ret_tx);
}

void dm_mit(const struct robot_bus *b, int joint, const struct mit_goal *g,
            struct canfd_frame *ret_tx)
{
    const struct dm_joint *z = b->state[joint];
    uint8_t data[MIT_BYTES];
    if (mit_pack(&z->range, g, data) < 0) {
        dm_refresh(b, joint, ret_tx);
        return;
    }
    can_frame(b, (uint32_t)b->robot->joint[joint].id, data, MIT_BYTES, ret_tx);
}

/* An enabled motor goes on with its last command until it gets another: off is a frame without
 * torque. One that is not may be in another mode and not answer that. */
static int damiao_goals(struct robot_bus *b, const struct command *cmd, struct canfd_frame *ret_tx,
                        int cap)
{
    if (cap < b->n) {
        return -ENOSPC;
    }
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        const struct dm_joint *z = b->state[j];
        struct mit_goal g;
        const bool driven = mit_goal_of(b, j, &dm_config_of(b, j)->gains, cmd, &g);
        if (driven || z->can.enabled) {
            dm_mit(b, j, &g, &ret_tx[k]);
        } else {
            dm_refresh(b, j, &ret_tx[k]);
        }
        b->pending |= UINT64_C(1) << j;
    }
    return b->n;
}

static const struct status_row {
    uint32_t fault; /* enum joint_fault */
    const char *name;
} statuses[16] = {
    [DM_DISABLED] = {0, "disabled"},
    [DM_ENABLED] = {0, "enabled"},
    [2] = {FAULT_ENCODER, "motor not identified"},
    [3] = {FAULT_ENCODER, "output not identified"},
    [5] = {FAULT_ENCODER, "encoder"},
    [7] = {FAULT_ENCODER, "output encoder"},
    [DM_OVER_VOLTAGE] = {FAULT_VOLTAGE, "over-voltage"},
    [DM_UNDER_VOLTAGE] = {FAULT_VOLTAGE, "under-voltage"},
    [DM_OVER_CURRENT] = {FAULT_ELECTRICAL, "over-current"},
    [DM_HOT_MOSFET] = {FAULT_OVERHEAT, "MOSFET too hot"},
    [DM_HOT_COIL] = {FAULT_OVERHEAT, "coil too hot"},
    [DM_LOST] = {FAULT_WATCHDOG, "communication lost"},
    [DM_OVERLOAD] = {FAULT_OVERLOAD, "overload"},
};

static uint32_t fault_of(int status)
{
    const struct status_row *row = &statuses[status & 0xF];
    return row->name == NULL ? (uint32_t)FAULT_ALERT : row->fault;
}

const char *dm_status_name(int status)
{
    const char *name = statuses[status & 0xF].name;
    return name != NULL ? name : "an unknown error";
}

/* One temperature a joint: the hotter of its two. */
static void take(struct robot_bus *b, int j, const struct canfd_frame *rx, struct sensed *s)
{
    struct mit_state m;
    dm_note(b, j, rx, &m);
    mit_sense(b, j, &m, s);
    const struct dm_joint *z = b->state[j];
    s->temp_c[j] = (float)(rx->data[6] > rx->data[7] ? rx->data[6] : rx->data[7]);
    s->torque[j] = z->can.enabled ? TORQUE_ON : TORQUE_OFF;
    s->faults[j] = (s->faults[j] & ~CAN_DEVICE_FAULTS) | fault_of(z->status);
}

/* Two motors may answer on one id: the low half of a state's first byte tells them apart. */
static int damiao_decode(struct robot_bus *b, const struct canfd_frame *rx,
                         struct sensed *ret_sensed)
{
    bool on_our_id = false;
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        on_our_id = on_our_id || dm_on_master_id(b, j, rx);
        if (!dm_is_state(b, j, rx)) {
            continue;
        }
        if (can_owed(b, j)) {
            take(b, j, rx, ret_sensed);
        }
        return 1;
    }
    return on_our_id ? -EBADMSG : 0;
}

/* Brake, hold and damping are commands of an enabled motor, which its timeout ends. */
static int damiao_stop(const struct robot_bus *b, enum stop_how how, struct canfd_frame *ret_tx,
                       int cap)
{
    uint8_t data[MIT_BYTES];
    if (how != STOP_OFF) {
        return -ENOTSUP;
    }
    if (cap < b->n) {
        return -ENOSPC;
    }
    mit_pack_special(MIT_DISABLE, data);
    for (int k = 0; k < b->n; k++) {
        can_frame(b, (uint32_t)b->robot->joint[b->joint[k]].id, data, MIT_BYTES, &ret_tx[k]);
    }
    return b->n;
}

const struct can_driver can_driver_damiao = {
    .info = {.name = "damiao",
             .options = dm_options,
             .config_bytes = sizeof(struct dm_config),
             .silence = dm_silence_rows,
             .kd_max = DM_KD_MAX,
             .joint_bytes = sizeof(struct dm_joint)},
    .setup = dm_setup,
    .ask = mit_ask,
    .goals = damiao_goals,
    .decode = damiao_decode,
    .stop = damiao_stop,
    .load = mit_load,
    .look = &dm_look,
};

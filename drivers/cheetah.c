/*
 * The mini-cheetah's motor firmware and CubeMars AK motors, which speak alike: MIT-style packing
 * (mit.h), special commands, one answer a frame.
 *
 *   answer   id, p, v, t                      AK, older firmware
 *            id, p, v, t, bus voltage         mini-cheetah: 0..255 = 0..40 V
 *            id, p, v, t, temperature, error  AK
 *
 * The answer does not say whether the motor is enabled: that a command was answered is all there is
 * to know. Motors are told apart by its first byte, the CAN id differs by maker. Ranges cannot be
 * read: they are settings. Sources: bgkatz/motorcontrol can.c; AK driver manual 1.0.8.
 */
#include "drivers/cheetah.h"

#include <errno.h>

#define VOLT_V     (40.0f / 255.0f) /* of a mini-cheetah */
#define N_VARIANTS 7

/* clang-format off */
static const char *const variant_names[] = {"mini_cheetah", "ak10_9", "ak60_6", "ak70_10", "ak80_6", "ak80_9", "ak80_64", NULL};

static const struct variant {
    struct mit_range range; /* p v t kp kd; t 0: of the motor's own settings, must be given */
    bool is_ak;
} variants[N_VARIANTS] = {
    {{12.5, 65, 0,   500, 5}, false},
    {{12.5, 50, 65,  500, 5}, true},
    {{12.5, 50, 15,  500, 5}, true},
    {{12.5, 50, 25,  500, 5}, true},
    {{12.5, 76, 12,  500, 5}, true},
    {{12.5, 50, 18,  500, 5}, true},
    {{12.5, 8,  144, 500, 5}, true},
};

#define AT(field) offsetof(struct cheetah_config, field)
static const struct option cheetah_options[] = {
    {.key = "motor", .type = OPTION_CHOICE, .offset = AT(motor), .def = "mini_cheetah", .choices = variant_names,
     .help = "the mini-cheetah's firmware, or an AK motor"},
    {.key = "p_max_rad", .type = OPTION_DOUBLE, .offset = AT(p_max_rad), .min = 0, .max = 1000, .def = "0",
     .help = "end of its range of positions, as set in the motor; 0: 12.5"},
    {.key = "v_max_rad_s", .type = OPTION_DOUBLE, .offset = AT(v_max_rad_s), .min = 0, .max = 1000, .def = "0",
     .help = "end of its range of speeds, as set in the motor; 0: 65, or the AK manual's"},
    {.key = "t_max_nm", .type = OPTION_DOUBLE, .offset = AT(t_max_nm), .min = 0, .max = 1000, .def = "0",
     .help = "end of its range of torques: I_MAX KT GR of a mini-cheetah, which must be given; 0: the AK manual's"},
    {.key = "timeout_set", .type = OPTION_BOOL, .offset = AT(timeout_set), .def = "false",
     .help = "you have set the mini-cheetah's CAN_TIMEOUT, which cannot be read over CAN"},
    {.key = "kp_nm_rad", .type = OPTION_DOUBLE, .offset = AT(gains.kp_nm_rad), .min = 0, .max = 100000, .def = "10",
     .help = "stiffness of position goals at the joint; at most 500 gear^2"},
    {.key = "kd_nms_rad", .type = OPTION_DOUBLE, .offset = AT(gains.kd_nms_rad), .min = 0, .max = 10000, .def = "0.5",
     .help = "damping of position and velocity goals at the joint; at most 5 gear^2"},
    {.key = NULL},
};

/* mode: 1 = a timeout is set */
const struct silence_row cheetah_silence_rows[] = {
    {0, 1, 0, UINT32_MAX, SILENCE_OFF, "bgkatz/motorcontrol: after CAN_TIMEOUT all commands are 0"},
    {0, 0, 0, UINT32_MAX, SILENCE_KEEPS_GOING, "bgkatz/motorcontrol: CAN_TIMEOUT 0; AK manual: none is described"},
    {.source = NULL},
};

/* clang-format on */

const struct cheetah_config *cheetah_config_of(const struct robot_bus *b, int joint)
{
    static const struct cheetah_config plain = {.t_max_nm = 18.0, .gains = {10.0, 0.5}};
    const struct cheetah_config *c = b->robot->joint[joint].driver;
    return c != NULL ? c : &plain;
}

static const struct variant *variant_of(const struct robot_bus *b, int joint)
{
    return &variants[cheetah_config_of(b, joint)->motor];
}

struct mit_range cheetah_range(const struct robot_bus *b, int joint)
{
    const struct cheetah_config *c = cheetah_config_of(b, joint);
    struct mit_range r = variant_of(b, joint)->range;
    r.p = c->p_max_rad > 0.0 ? c->p_max_rad : r.p;
    r.v = c->v_max_rad_s > 0.0 ? c->v_max_rad_s : r.v;
    r.t = c->t_max_nm > 0.0 ? c->t_max_nm : r.t;
    return r;
}

bool cheetah_is_ak(const struct robot_bus *b, int joint)
{
    return variant_of(b, joint)->is_ak;
}

void cheetah_special(const struct robot_bus *b, int joint, enum mit_special what,
                     struct canfd_frame *ret_tx)
{
    uint8_t data[MIT_BYTES];
    mit_pack_special(what, data);
    can_frame(b, (uint32_t)b->robot->joint[joint].id, data, MIT_BYTES, ret_tx);
    ret_tx->flags = 0; /* these motors know classic CAN only */
}

void cheetah_command(const struct robot_bus *b, int joint, const struct mit_goal *g,
                     struct canfd_frame *ret_tx)
{
    const struct mit_range r = cheetah_range(b, joint);
    uint8_t data[MIT_BYTES];
    if (mit_pack(&r, g, data) < 0) {
        cheetah_special(b, joint, MIT_DISABLE, ret_tx);
        return;
    }
    can_frame(b, (uint32_t)b->robot->joint[joint].id, data, MIT_BYTES, ret_tx);
    ret_tx->flags = 0;
}

/* What a motor that is not enabled answers: an AK may not answer a command then, a mini-cheetah
 * prints a menu over its serial line whenever it is disabled. */
void cheetah_poll(const struct robot_bus *b, int joint, struct canfd_frame *ret_tx)
{
    const struct mit_goal limp = mit_goal_limp(b, joint);
    if (cheetah_is_ak(b, joint)) {
        cheetah_special(b, joint, MIT_DISABLE, ret_tx);
    } else {
        cheetah_command(b, joint, &limp, ret_tx);
    }
}

bool cheetah_is_answer(const struct robot_bus *b, int joint, const struct canfd_frame *rx)
{
    return (rx->can_id & ~CAN_SFF_MASK) == 0 && rx->len >= MIT_REPLY_BYTES &&
           rx->len <= MIT_BYTES && rx->data[0] == (uint8_t)b->robot->joint[joint].id;
}

void cheetah_note(const struct robot_bus *b, int joint, const struct canfd_frame *rx,
                  struct mit_state *ret_state)
{
    const struct mit_range r = cheetah_range(b, joint);
    struct cheetah_joint *z = b->state[joint];
    mit_unpack(&r, rx->data, ret_state);
    mit_note(b, joint, ret_state);
    z->error = cheetah_is_ak(b, joint) && rx->len == 8 ? rx->data[7] : 0;
}

static int cheetah_goals(struct robot_bus *b, const struct command *cmd, struct canfd_frame *ret_tx,
                         int cap)
{
    if (cap < b->n) {
        return -ENOSPC;
    }
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        const struct cheetah_joint *z = b->state[j];
        struct mit_goal g;
        if (mit_goal_of(b, j, &cheetah_config_of(b, j)->gains, cmd, &g) || z->can.enabled) {
            cheetah_command(b, j, &g, &ret_tx[k]);
        } else {
            cheetah_poll(b, j, &ret_tx[k]);
        }
        b->pending |= UINT64_C(1) << j;
    }
    return b->n;
}

static uint32_t fault_of(uint8_t error)
{
    static const uint32_t faults[] = {0,
                                      FAULT_OVERHEAT,
                                      FAULT_ELECTRICAL,
                                      FAULT_VOLTAGE,
                                      FAULT_VOLTAGE,
                                      FAULT_ENCODER,
                                      FAULT_ELECTRICAL};
    return error < sizeof faults / sizeof faults[0] ? faults[error] : (uint32_t)FAULT_ALERT;
}

static void take(struct robot_bus *b, int j, const struct canfd_frame *rx, struct sensed *s)
{
    const struct cheetah_joint *z = b->state[j];
    struct mit_state m;
    cheetah_note(b, j, rx, &m);
    mit_sense(b, j, &m, s);
    if (!cheetah_is_ak(b, j) && rx->len == 7) {
        s->volt_v[j] = (float)rx->data[6] * VOLT_V;
    } else if (rx->len == 8) {
        s->temp_c[j] = (float)rx->data[6];
        s->faults[j] = (s->faults[j] & ~CAN_DEVICE_FAULTS) | fault_of(z->error);
    }
}

static int cheetah_decode(struct robot_bus *b, const struct canfd_frame *rx,
                          struct sensed *ret_sensed)
{
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        if (!cheetah_is_answer(b, j, rx)) {
            continue;
        }
        if (can_owed(b, j)) {
            take(b, j, rx, ret_sensed);
        }
        return 1;
    }
    return 0;
}

static int cheetah_stop(const struct robot_bus *b, enum stop_how how, struct canfd_frame *ret_tx,
                        int cap)
{
    if (how != STOP_OFF) {
        return -ENOTSUP;
    }
    if (cap < b->n) {
        return -ENOSPC;
    }
    for (int k = 0; k < b->n; k++) {
        cheetah_special(b, b->joint[k], MIT_DISABLE, &ret_tx[k]);
    }
    return b->n;
}

const struct can_driver can_driver_cheetah = {
    .info = {.name = "cheetah",
             .options = cheetah_options,
             .config_bytes = sizeof(struct cheetah_config),
             .silence = cheetah_silence_rows,
             .kd_max = 5.0,
             .joint_bytes = sizeof(struct cheetah_joint)},
    .setup = cheetah_setup,
    .ask = mit_ask,
    .goals = cheetah_goals,
    .decode = cheetah_decode,
    .stop = cheetah_stop,
    .load = mit_load,
};

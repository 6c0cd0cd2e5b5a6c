/* Facts per model, and the settings of a joint on this driver. */
#include "drivers/feetech.h"

#define AT(field) offsetof(struct feetech_config, field)

/* clang-format off */
const struct option feetech_options[] = {
    {.key = "position_p", .type = OPTION_INT, .offset = AT(position_p), .min = 0, .max = 254, .def = "0",
     .help = "position P gain, register 21; 0 leaves the device's own"},
    {.key = "position_i", .type = OPTION_INT, .offset = AT(position_i), .min = 0, .max = 254, .def = "0",
     .help = "position I gain, register 23; written only with position_p"},
    {.key = "position_d", .type = OPTION_INT, .offset = AT(position_d), .min = 0, .max = 254, .def = "0",
     .help = "position D gain, register 22; written only with position_p"},
    {.key = "return_delay_us", .type = OPTION_INT, .offset = AT(return_delay_us), .min = 0, .max = 508, .def = "0",
     .help = "pause of the device before it answers"},
    {.key = "offset_counts", .type = OPTION_INT, .offset = AT(offset_counts), .min = -2047, .max = FEETECH_OFFSET_OWN, .def = "2048",
     .help = "homing offset, register 31: the position is the encoder less this; 2048 leaves the device's own"},
    {.key = "protection_ma", .type = OPTION_INT, .offset = AT(protection_ma), .min = 0, .max = 13000, .def = "0",
     .help = "protection current, register 28; 0 leaves the device's own"},
    {.key = "overload_percent", .type = OPTION_INT, .offset = AT(overload_percent), .min = 0, .max = 100, .def = "0",
     .help = "part of full drive that starts the device's overload time, register 36; 0 leaves the device's own"},
    {.key = "profile_velocity_frac", .type = OPTION_DOUBLE, .offset = AT(profile_velocity_frac), .min = 0, .max = 10, .def = "1.25",
     .help = "the device's own velocity limit, as a part of qd_max; 0: none"},
    {.key = "profile_acceleration_frac", .type = OPTION_DOUBLE, .offset = AT(profile_acceleration_frac), .min = 0, .max = 100, .def = "0",
     .help = "the device's own acceleration limit, as a part of qdd_max; 0: none, the filter limits it"},
    {.key = "nm_per_a", .type = OPTION_DOUBLE, .offset = AT(nm_per_a), .min = 0, .max = 100, .def = "0",
     .help = "torque constant at the joint; 0: stall torque over the model's stall current"},
    {.key = NULL},
};

static const struct feetech_model_row models[] = {
    {FEETECH_STS3215, "STS3215", 2.7}, /* at 12 V, with 2.94 Nm */
    {FEETECH_STS3250, "STS3250", 0.0},
    {FEETECH_SM8512BL, "SM8512BL", 0.0},
};

/* No register of any model is a watchdog: the last goal stands, with torque. */
const struct silence_row feetech_silence_rows[] = {
    {0, FEETECH_MODE_POSITION, 0, 65535, SILENCE_NONE, "memory tables of STS and SMS: there is no watchdog"},
    {.source = NULL},
};

/* clang-format on */

const struct feetech_model_row *feetech_model_find(int model)
{
    for (unsigned i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (models[i].model == model) {
            return &models[i];
        }
    }
    return NULL;
}

const struct feetech_config *feetech_config_of(const struct joint_spec *j)
{
    static const struct feetech_config plain = {.profile_velocity_frac = 1.25,
                                                .offset_counts = FEETECH_OFFSET_OWN};
    return j->driver != NULL ? j->driver : &plain;
}

double feetech_nm_per_a(const struct robot_bus *b, int joint)
{
    const struct joint_spec *j = &b->robot->joint[joint];
    const struct feetech_model_row *row = feetech_model_find(b->id[joint].model);
    const double nm_per_a = feetech_config_of(j)->nm_per_a;
    return nm_per_a > 0.0 || row == NULL || row->stall_a <= 0.0 ? nm_per_a
                                                                : j->tau_stall / row->stall_a;
}

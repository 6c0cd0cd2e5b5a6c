/* Facts per model, and the settings of a joint on this driver. */
#include "drivers/dynamixel.h"

#include <math.h>

#define AT(field) offsetof(struct dxl_config, field)

/* clang-format off */
const struct option dxl_options[] = {
    {.key = "position_p", .type = OPTION_INT, .offset = AT(position_p), .min = 0, .max = 16383, .def = "0",
     .help = "position P gain, register 84; 0 leaves the device's own"},
    {.key = "position_i", .type = OPTION_INT, .offset = AT(position_i), .min = 0, .max = 16383, .def = "0",
     .help = "position I gain, register 82; written only with position_p"},
    {.key = "position_d", .type = OPTION_INT, .offset = AT(position_d), .min = 0, .max = 16383, .def = "0",
     .help = "position D gain, register 80; written only with position_p"},
    {.key = "return_delay_us", .type = OPTION_INT, .offset = AT(return_delay_us), .min = 0, .max = 508, .def = "0",
     .help = "pause of the device before it answers"},
    {.key = "profile_velocity_frac", .type = OPTION_DOUBLE, .offset = AT(profile_velocity_frac), .min = 0, .max = 10, .def = "1.25",
     .help = "the device's own velocity limit, as a part of qd_max; 0: none"},
    {.key = "profile_acceleration_frac", .type = OPTION_DOUBLE, .offset = AT(profile_acceleration_frac), .min = 0, .max = 100, .def = "0",
     .help = "the device's own acceleration limit, as a part of qdd_max; 0: none, the filter limits it"},
    {.key = "nm_per_a", .type = OPTION_DOUBLE, .offset = AT(nm_per_a), .min = 0, .max = 100, .def = "0",
     .help = "torque constant at the joint; 0: stall torque over the model's stall current"},
    {.key = NULL},
};

static const struct dxl_model_row models[] = {
    /* model            name          current  mA/unit  stall mA  fast from */
    {DXL_XL330_M077,  "XL330-M077",  true,    1.0,     1470,     46},
    {DXL_XL330_M288,  "XL330-M288",  true,    1.0,     1470,     46},
    {DXL_XC330_T181,  "XC330-T181",  true,    1.0,     800,      46},
    {DXL_XC330_T288,  "XC330-T288",  true,    1.0,     800,      46},
    {DXL_XC330_M181,  "XC330-M181",  true,    1.0,     1800,     46},
    {DXL_XC330_M288,  "XC330-M288",  true,    1.0,     1800,     46},
    {DXL_XL430_W250,  "XL430-W250",  false,   0.0,     1300,     45},
    {DXL_2XL430_W250, "2XL430-W250", false,   0.0,     1300,     0},
    {DXL_XC430_W150,  "XC430-W150",  false,   0.0,     1400,     45},
    {DXL_XC430_W240,  "XC430-W240",  false,   0.0,     1400,     45},
    {DXL_XM430_W350,  "XM430-W350",  true,    2.69,    2300,     45},
    {DXL_XM430_W210,  "XM430-W210",  true,    2.69,    2300,     45},
    {DXL_XM540_W270,  "XM540-W270",  true,    2.69,    4400,     45},
    {DXL_XM540_W150,  "XM540-W150",  true,    2.69,    4400,     45},
};

/*
 * What happens when the bus goes silent while torque is on. A tripped bus watchdog stops the motor and keeps its torque
 * (goals become read-only); before firmware 38 there is no watchdog and the last goal goes on. Early 330 firmware was
 * seen to keep turning in velocity and PWM mode.
 */
const struct silence_row dxl_silence_rows[] = {
    {DXL_XL330_M077, DXL_MODE_VELOCITY, 0, 45, SILENCE_KEEPS_GOING, "maker's repository, reports on 330-size firmware"},
    {DXL_XL330_M288, DXL_MODE_VELOCITY, 0, 45, SILENCE_KEEPS_GOING, "maker's repository, reports on 330-size firmware"},
    {DXL_XL330_M077, DXL_MODE_PWM, 0, 45, SILENCE_KEEPS_GOING, "maker's repository, reports on 330-size firmware"},
    {DXL_XL330_M288, DXL_MODE_PWM, 0, 45, SILENCE_KEEPS_GOING, "maker's repository, reports on 330-size firmware"},
    {0, DXL_MODE_POSITION, 38, 255, SILENCE_BRAKE, "e-manual, Bus Watchdog (98)"},
    {0, DXL_MODE_EXTENDED, 38, 255, SILENCE_BRAKE, "e-manual, Bus Watchdog (98)"},
    {0, DXL_MODE_CURRENT_POSITION, 38, 255, SILENCE_BRAKE, "e-manual, Bus Watchdog (98)"},
    {0, DXL_MODE_VELOCITY, 38, 255, SILENCE_BRAKE, "e-manual, Bus Watchdog (98)"},
    {0, DXL_MODE_PWM, 38, 255, SILENCE_BRAKE, "e-manual, Bus Watchdog (98)"},
    {0, DXL_MODE_CURRENT, 38, 255, SILENCE_BRAKE, "e-manual, Bus Watchdog (98)"},
    {0, DXL_MODE_POSITION, 0, 37, SILENCE_NONE, "e-manual, Bus Watchdog (98): from firmware 38"},
    {0, DXL_MODE_EXTENDED, 0, 37, SILENCE_NONE, "e-manual, Bus Watchdog (98): from firmware 38"},
    {.source = NULL},
};

/* clang-format on */

const struct dxl_model_row *dxl_model_find(int model)
{
    for (unsigned i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (models[i].model == model) {
            return &models[i];
        }
    }
    return NULL;
}

enum silence dxl_silence(int model, int mode, int firmware)
{
    for (const struct silence_row *r = dxl_silence_rows; r->source != NULL; r++) {
        if ((r->model == 0 || r->model == model) && r->mode == mode &&
            (unsigned)firmware >= r->firmware_min && (unsigned)firmware <= r->firmware_max) {
            return r->silence;
        }
    }
    return SILENCE_NONE;
}

const struct dxl_config *dxl_config_of(const struct robot_bus *b, int joint)
{
    static const struct dxl_config plain = {.profile_velocity_frac = 1.25};
    const struct dxl_config *c = b->robot->joint[joint].driver;
    return c != NULL ? c : &plain;
}

int dxl_mode_of(const struct joint_spec *j)
{
    return j->actuated ? DXL_MODE_POSITION : DXL_MODE_EXTENDED;
}

int dxl_watchdog_units(const struct robot_bus *b)
{
    const double periods_ms = 3.0 * 1000.0 / b->robot->control_rate_hz;
    const double retry_ms = 2.0 * b->spec->reply_deadline_us / 1000.0;
    const double wanted_ms =
        b->spec->watchdog_ms > 0 ? b->spec->watchdog_ms : fmax(periods_ms, retry_ms);
    const int units = (int)ceil(wanted_ms / DXL_WATCHDOG_MS);
    return units < 1 ? 1 : units > DXL_WATCHDOG_MAX ? DXL_WATCHDOG_MAX : units;
}

bool dxl_has_watchdog(const struct robot_bus *b, int joint)
{
    return !b->id[joint].known || b->id[joint].firmware >= DXL_WATCHDOG_FIRMWARE;
}

double dxl_nm_per_a(const struct robot_bus *b, int joint)
{
    const struct dxl_model_row *row = dxl_model_find(b->id[joint].model);
    const double nm_per_a = dxl_config_of(b, joint)->nm_per_a;
    return nm_per_a > 0.0 || row == NULL
               ? nm_per_a
               : b->robot->joint[joint].tau_stall / (row->stall_ma / 1000.0);
}
